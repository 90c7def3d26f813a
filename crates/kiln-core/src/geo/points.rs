//! Columns of points.

use twox_hash::XxHash64;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Borrowed columns of points: longitude, latitude and, optionally, weight, time, category and track.
///
/// Coordinates are WGS 84 degrees, or plane units under the plane projection, where `lon` is x, increasing to the east,
/// and `lat` is y, increasing to the north. Without a weight column, the weight of every point is 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Points<'a> {
    lon: &'a [f64],
    lat: &'a [f64],
    weight: Option<&'a [f32]>,
    time_us: Option<&'a [i64]>,
    category: Option<Categories<'a>>,
    track: Option<&'a [u64]>,
    bins: Option<PointBins<'a>>,
}

/// The columns of rows that stand for many points each, all in one cell of the Web Mercator world.
///
/// The position of a row is the middle of its cell, and its weight the greatest of its points; NaN if that is unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointBins<'a> {
    /// The level of the cells: the world is a square of 2^level × 2^level cells.
    pub level: u32,
    /// The number of points of each row, at least 1.
    pub n: &'a [u64],
    /// The sum of the weights of each row; `None` if the weight of every point is 1.
    pub sum: Option<&'a [f64]>,
}

impl PointBins<'_> {
    /// The greatest level, whose cells are the units of stored locations.
    pub const MAX_LEVEL: u32 = 32;
    /// The greatest number of points of a row: 2^53, up to which whole numbers are exact as `f64`.
    pub const MAX_N: u64 = 1 << 53;
}

/// The category of each point, dictionary-encoded.
///
/// Codes are valid within one batch only: the dictionary of the next one may differ. A dictionary may have names that
/// no point of the batch has.
#[derive(Clone, Copy, Debug)]
pub struct Categories<'a> {
    /// For each point, the index of its category in `names`, or [`Categories::NONE`].
    pub codes: &'a [u32],
    /// The distinct names; none is empty.
    pub names: &'a [Box<str>],
}

impl<'a> Categories<'a> {
    /// The code of a point without a category, or with an empty one.
    pub const NONE: u32 = u32::MAX;

    /// The name of the category of the point at `index`, if it has one.
    pub fn name(&self, index: usize) -> Option<&'a str> {
        self.names.get(*self.codes.get(index)? as usize).map(|name| &**name)
    }
}

impl<'a> Points<'a> {
    /// The maximum absolute value of a weight: 2^44 ≈ 1.8 · 10^13.
    pub const MAX_WEIGHT: f32 = (1u64 << 44) as f32;

    /// The value in a time column of a point without a time.
    pub const NO_TIME: i64 = i64::MIN;

    /// The value in a track column of a point without a track.
    pub const NO_TRACK: u64 = u64::MAX;

    /// Points without weights, times, categories and tracks.
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

    /// Adds a column of weights.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one weight per point.
    pub fn with_weight(self, weight: &'a [f32]) -> Result<Self> {
        self.check(weight.len(), "weights")?;
        Ok(Self { weight: Some(weight), ..self })
    }

    /// Adds a column of times: microseconds since 1970-01-01 UTC, or [`NO_TIME`](Self::NO_TIME).
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one time per point.
    pub fn with_time(self, time_us: &'a [i64]) -> Result<Self> {
        self.check(time_us.len(), "times")?;
        Ok(Self { time_us: Some(time_us), ..self })
    }

    /// Adds a column of categories.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one code per point, or a code has no name.
    pub fn with_category(self, category: Categories<'a>) -> Result<Self> {
        self.check(category.codes.len(), "categories")?;
        // No early exit, so that the loop vectorizes.
        let names = category.names.len();
        let is_valid = |code: u32| (code as usize) < names || code == Categories::NONE;
        if !category.codes.iter().fold(true, |ok, &code| ok & is_valid(code)) {
            return Err(Error::invalid(
                Parameter::POINTS,
                format!("a category code is out of range for {names} names"),
            ));
        }
        Ok(Self { category: Some(category), ..self })
    }

    /// Adds a column of tracks, the ids of persons or devices: see [`track_id`](Self::track_id), or
    /// [`NO_TRACK`](Self::NO_TRACK).
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one track per point.
    pub fn with_track(self, track: &'a [u64]) -> Result<Self> {
        self.check(track.len(), "tracks")?;
        Ok(Self { track: Some(track), ..self })
    }

    /// Marks the rows as standing for many points each.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one number per row.
    pub fn with_bins(self, bins: PointBins<'a>) -> Result<Self> {
        self.check(bins.n.len(), "numbers of points")?;
        self.check(bins.sum.map_or(self.len(), <[f64]>::len), "sums of weights")?;
        Ok(Self { bins: Some(bins), ..self })
    }

    /// The number of a track from its text, such as the name of a device: a 64-bit hash, which is the same in every
    /// process. [`NO_TRACK`](Self::NO_TRACK) if the text is empty.
    pub fn track_id(text: &str) -> u64 {
        if text.is_empty() {
            return Self::NO_TRACK;
        }
        XxHash64::oneshot(0, text.as_bytes()).min(Self::NO_TRACK - 1)
    }

    fn check(&self, count: usize, column: &str) -> Result<()> {
        if count == self.len() {
            return Ok(());
        }
        Err(Error::invalid(Parameter::POINTS, format!("{} points but {count} {column}", self.len())))
    }

    /// Removes the weights: the weight of every point is then 1.
    #[must_use]
    pub fn without_weight(self) -> Self {
        Self { weight: None, bins: self.bins.map(|bins| PointBins { sum: None, ..bins }), ..self }
    }

    /// Removes the times.
    #[must_use]
    pub fn without_time(self) -> Self {
        Self { time_us: None, ..self }
    }

    /// Removes the categories.
    #[must_use]
    pub fn without_category(self) -> Self {
        Self { category: None, ..self }
    }

    /// Removes the tracks.
    #[must_use]
    pub fn without_track(self) -> Self {
        Self { track: None, ..self }
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.lon.len()
    }

    /// Whether there are no points.
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

    /// Weights, if the points have a weight column.
    pub fn weight(&self) -> Option<&'a [f32]> {
        self.weight
    }

    /// Times in microseconds since 1970-01-01 UTC, or [`NO_TIME`](Self::NO_TIME), if the points have a time column.
    pub fn time_us(&self) -> Option<&'a [i64]> {
        self.time_us
    }

    /// Categories, if the points have a category column.
    pub fn category(&self) -> Option<Categories<'a>> {
        self.category
    }

    /// Tracks, or [`NO_TRACK`](Self::NO_TRACK), if the points have a track column.
    pub fn track(&self) -> Option<&'a [u64]> {
        self.track
    }

    /// The numbers and sums of rows that stand for many points each; `None` if a row is one point.
    pub fn bins(&self) -> Option<PointBins<'a>> {
        self.bins
    }

    /// The number of points of the row at `index`: 1, unless the row stands for many points. 0 if there is no such row.
    #[inline]
    pub fn points_of(&self, index: usize) -> u64 {
        match self.bins {
            Some(bins) => bins.n.get(index).copied().unwrap_or_default(),
            None => u64::from(index < self.len()),
        }
    }

    /// The points of `range`, which is clamped to the number of points.
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
            track: self.track.map(|track| &track[start..end]),
            bins: self.bins.map(|PointBins { level, n, sum }| PointBins {
                level,
                n: &n[start..end],
                sum: sum.map(|sum| &sum[start..end]),
            }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_different_lengths_are_rejected() {
        let points = Points::new(&[1.0, 2.0], &[3.0, 4.0]).unwrap();
        let message = |result: Result<Points<'_>>| result.unwrap_err().to_string();
        assert_eq!(message(Points::new(&[1.0], &[])), "points: 1 longitudes but 0 latitudes");
        assert_eq!(message(points.with_weight(&[1.0])), "points: 2 points but 1 weights");
        assert_eq!(message(points.with_time(&[1, 2, 3])), "points: 2 points but 3 times");
        assert_eq!(message(points.with_track(&[1])), "points: 2 points but 1 tracks");
        let names = ["a".into(), "b".into()];
        let categories = |codes| Categories { codes, names: &names };
        assert_eq!(message(points.with_category(categories(&[]))), "points: 2 points but 0 categories");
        let unnamed = points.with_category(categories(&[1, 2]));
        assert_eq!(message(unnamed), "points: a category code is out of range for 2 names");
        assert!(points.with_category(categories(&[1, Categories::NONE])).is_ok());
    }

    #[test]
    fn a_slice_keeps_every_column() {
        let names = ["a".into(), "b".into()];
        let points = Points::new(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        let points = points.with_weight(&[7.0, 8.0, 9.0]).unwrap().with_time(&[10, Points::NO_TIME, 12]).unwrap();
        let points = points.with_category(Categories { codes: &[1, 0, Categories::NONE], names: &names }).unwrap();
        let points = points.with_track(&[13, Points::NO_TRACK, 15]).unwrap();
        let slice = points.slice(1..9);
        assert_eq!(
            (slice.lon(), slice.lat(), slice.weight()),
            (&[2.0, 3.0][..], &[5.0, 6.0][..], Some(&[8.0, 9.0][..]))
        );
        assert_eq!(slice.time_us(), Some(&[Points::NO_TIME, 12][..]));
        let category = slice.category().unwrap();
        assert_eq!([0, 1, 2].map(|index| category.name(index)), [Some("a"), None, None]);
        assert_eq!(slice.track(), Some(&[Points::NO_TRACK, 15][..]));
        let bare = slice.without_weight().without_time().without_category().without_track();
        assert!(bare.len() == 2 && bare.weight().is_none() && bare.time_us().is_none() && bare.category().is_none());
        assert!(bare.track().is_none());
    }

    #[test]
    fn the_number_of_a_track_is_stable() {
        assert_eq!([Points::track_id(""), Points::track_id("17")], [Points::NO_TRACK, 4_515_155_089_025_077_856]);
    }
}
