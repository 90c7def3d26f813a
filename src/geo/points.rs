//! Points as columns.

use crate::error::{Error, Result};

/// Borrowed columns of points: longitude, latitude and, optionally, weight.
///
/// Coordinates are WGS 84 degrees, or plane units under the plane projection (`lon` is
/// then x, growing to the east, and `lat` is y, growing to the north). Without weights every point weighs 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Points<'a> {
    lon: &'a [f64],
    lat: &'a [f64],
    weight: Option<&'a [f32]>,
}

impl<'a> Points<'a> {
    /// The greatest weight, either side of 0: 2^44 ≈ 1.8 · 10^13.
    pub const MAX_WEIGHT: f32 = (1u64 << 44) as f32;

    /// Points of weight 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the columns differ in length.
    pub fn new(lon: &'a [f64], lat: &'a [f64]) -> Result<Self> {
        if lon.len() != lat.len() {
            return Err(Error::invalid("points", format!("{} longitudes but {} latitudes", lon.len(), lat.len())));
        }
        Ok(Self { lon, lat, weight: None })
    }

    /// The same points with a weight each.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one weight per point.
    pub fn with_weight(self, weight: &'a [f32]) -> Result<Self> {
        if weight.len() != self.lon.len() {
            return Err(Error::invalid("points", format!("{} points but {} weights", self.lon.len(), weight.len())));
        }
        Ok(Self { weight: Some(weight), ..self })
    }

    /// The same points, each of weight 1.
    #[must_use]
    pub fn without_weight(self) -> Self {
        Self { weight: None, ..self }
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.lon.len()
    }

    /// Whether there is no point at all.
    pub fn is_empty(&self) -> bool {
        self.lon.is_empty()
    }

    /// Longitudes in degrees, or x in plane units.
    pub fn lon(&self) -> &'a [f64] {
        self.lon
    }

    /// Latitudes in degrees, or y in plane units.
    pub fn lat(&self) -> &'a [f64] {
        self.lat
    }

    /// Weights, if the points have any.
    pub fn weight(&self) -> Option<&'a [f32]> {
        self.weight
    }

    /// The points of `range`, clamped to the points there are.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Self { lon: &self.lon[start..end], lat: &self.lat[start..end], weight: self.weight.map(|w| &w[start..end]) }
    }
}
