//! Points as columns.

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Borrowed columns of points: longitude, latitude and, optionally, weight, time and category.
///
/// Coordinates are WGS 84 degrees, or plane units under the plane projection (`lon` is
/// then x, growing to the east, and `lat` is y, growing to the north). Without weights every point weighs 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Points<'a> {
    lon: &'a [f64],
    lat: &'a [f64],
    weight: Option<&'a [f32]>,
    time_us: Option<&'a [i64]>,
    category: Option<Categories<'a>>,
}

/// The category of each point, as a code into a list of names.
///
/// Codes mean something within one batch only: the next one may have other names, or the same in another order. The
/// list may hold names that no point of the batch has.
#[derive(Clone, Copy, Debug)]
pub struct Categories<'a> {
    /// For each point its name's place in `names`, or [`Categories::NONE`].
    pub codes: &'a [u32],
    /// The names, each once and none of them empty.
    pub names: &'a [Box<str>],
}

impl<'a> Categories<'a> {
    /// The code of a point that has no category, or an empty one.
    pub const NONE: u32 = u32::MAX;

    /// The name of the category of the point at `index`, if it has one.
    pub fn name(&self, index: usize) -> Option<&'a str> {
        self.names.get(*self.codes.get(index)? as usize).map(|name| &**name)
    }
}

impl<'a> Points<'a> {
    /// The greatest weight, either side of 0: 2^44 ≈ 1.8 · 10^13.
    pub const MAX_WEIGHT: f32 = (1u64 << 44) as f32;

    /// The time of a point that has none.
    pub const NO_TIME: i64 = i64::MIN;

    /// Points of weight 1, without time and category.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the columns differ in length.
    pub fn new(lon: &'a [f64], lat: &'a [f64]) -> Result<Self> {
        if lon.len() != lat.len() {
            return Err(Error::invalid(
                Parameter::POINTS,
                format!("{} longitudes but {} latitudes", lon.len(), lat.len()),
            ));
        }
        Ok(Self { lon, lat, ..Self::default() })
    }

    /// The same points with a weight each.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one weight per point.
    pub fn with_weight(self, weight: &'a [f32]) -> Result<Self> {
        self.check(weight.len(), "weights")?;
        Ok(Self { weight: Some(weight), ..self })
    }

    /// The same points with a time each: microseconds since 1970-01-01 UTC, or [`NO_TIME`](Self::NO_TIME).
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one time per point.
    pub fn with_time(self, time_us: &'a [i64]) -> Result<Self> {
        self.check(time_us.len(), "times")?;
        Ok(Self { time_us: Some(time_us), ..self })
    }

    /// The same points with a category each, or [`Categories::NONE`].
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one code per point, or one of them is of no name.
    pub fn with_category(self, category: Categories<'a>) -> Result<Self> {
        self.check(category.codes.len(), "categories")?;
        // No early exit, so that the loop vectorizes.
        let names = category.names.len();
        let named = |code: u32| (code as usize) < names || code == Categories::NONE;
        if !category.codes.iter().fold(true, |ok, &code| ok & named(code)) {
            return Err(Error::invalid(Parameter::POINTS, format!("a category's code is not below the {names} names")));
        }
        Ok(Self { category: Some(category), ..self })
    }

    fn check(&self, count: usize, what: &str) -> Result<()> {
        if count == self.len() {
            return Ok(());
        }
        Err(Error::invalid(Parameter::POINTS, format!("{} points but {count} {what}", self.len())))
    }

    /// The same points, each of weight 1.
    #[must_use]
    pub fn without_weight(self) -> Self {
        Self { weight: None, ..self }
    }

    /// The same points without times.
    #[must_use]
    pub fn without_time(self) -> Self {
        Self { time_us: None, ..self }
    }

    /// The same points without categories.
    #[must_use]
    pub fn without_category(self) -> Self {
        Self { category: None, ..self }
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

    /// Times in microseconds since 1970-01-01 UTC, [`NO_TIME`](Self::NO_TIME) where a point has none; `None` if the
    /// points have no times.
    pub fn time_us(&self) -> Option<&'a [i64]> {
        self.time_us
    }

    /// Categories, if the points have any.
    pub fn category(&self) -> Option<Categories<'a>> {
        self.category
    }

    /// The points of `range`, clamped to the points there are.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Self {
            lon: &self.lon[start..end],
            lat: &self.lat[start..end],
            weight: self.weight.map(|weight| &weight[start..end]),
            time_us: self.time_us.map(|time_us| &time_us[start..end]),
            category: self.category.map(|Categories { codes, names }| Categories { codes: &codes[start..end], names }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_long_as_there_are_points() {
        let points = Points::new(&[1.0, 2.0], &[3.0, 4.0]).unwrap();
        let message = |result: Result<Points<'_>>| result.unwrap_err().to_string();
        assert_eq!(message(Points::new(&[1.0], &[])), "points: 1 longitudes but 0 latitudes");
        assert_eq!(message(points.with_weight(&[1.0])), "points: 2 points but 1 weights");
        assert_eq!(message(points.with_time(&[1, 2, 3])), "points: 2 points but 3 times");
        let names = ["a".into(), "b".into()];
        let categories = |codes| Categories { codes, names: &names };
        assert_eq!(message(points.with_category(categories(&[]))), "points: 2 points but 0 categories");
        let unnamed = points.with_category(categories(&[1, 2]));
        assert_eq!(message(unnamed), "points: a category's code is not below the 2 names");
        assert!(points.with_category(categories(&[1, Categories::NONE])).is_ok());
    }

    #[test]
    fn a_slice_keeps_every_column() {
        let names = ["a".into(), "b".into()];
        let points = Points::new(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        let points = points.with_weight(&[7.0, 8.0, 9.0]).unwrap().with_time(&[10, Points::NO_TIME, 12]).unwrap();
        let points = points.with_category(Categories { codes: &[1, 0, Categories::NONE], names: &names }).unwrap();
        let slice = points.slice(1..9);
        assert_eq!(
            (slice.lon(), slice.lat(), slice.weight()),
            (&[2.0, 3.0][..], &[5.0, 6.0][..], Some(&[8.0, 9.0][..]))
        );
        assert_eq!(slice.time_us(), Some(&[Points::NO_TIME, 12][..]));
        let category = slice.category().unwrap();
        assert_eq!([0, 1, 2].map(|index| category.name(index)), [Some("a"), None, None]);
        let bare = slice.without_weight().without_time().without_category();
        assert!(bare.len() == 2 && bare.weight().is_none() && bare.time_us().is_none() && bare.category().is_none());
    }
}
