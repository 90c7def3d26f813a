//! The axes of a matrix.

use crate::calendar::TimePart;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// An axis of a matrix: what the values of points on it are.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// A single value, for a matrix of one row or column.
    Whole,
    /// A part of the local time.
    Time(TimePart),
    /// The category.
    Category,
    /// The values of a column of a live table, as text; only live tables support it.
    Column(String),
    /// Bins of numbers.
    Bins(BinQuantity, NumberBins),
}

/// The numbers of an axis of bins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinQuantity {
    /// Longitude in degrees, or x on a plane.
    Lon,
    /// Latitude in degrees, or y on a plane.
    Lat,
    /// The weight.
    Weight,
    /// A numeric column of a live table; only live tables support it.
    Column(String),
}

/// Bins of equal width: bin i has the numbers from `start + i · width`, inclusive, to `start + (i + 1) · width`,
/// exclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberBins {
    /// The lower edge of bin 0.
    pub start: f64,
    /// The width, positive.
    pub width: f64,
    /// The number of bins, of which the last one includes its upper edge; numbers outside of them are in no bin. `None`:
    /// unlimited in both directions, with negative indices below `start`.
    pub count: Option<u32>,
}

impl NumberBins {
    /// The largest absolute index of a bin, 2^53, up to which doubles are exact.
    const MAX_INDEX: f64 = (1u64 << 53) as f64;

    /// Bins of `width` whose edges are multiples of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `bins` unless the width is a positive number.
    pub fn of_width(width: f64) -> Result<Self> {
        if width.is_finite() && width > 0.0 {
            return Ok(Self { start: 0.0, width, count: None });
        }
        Err(Error::invalid(Parameter::BINS, format!("the width of bins, {width}, is not a positive number")))
    }

    /// `count` bins from `min` to `max`. If these are equal, the bins are 1 wide and the first one starts at `min`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `bins` unless there is at least one bin, and the limits are finite and in order.
    pub fn between(min: f64, max: f64, count: u32) -> Result<Self> {
        let width = (max - min) / f64::from(count.max(1));
        if count == 0 || !width.is_finite() || max < min {
            return Err(Error::invalid(Parameter::BINS, format!("{count} bins from {min:e} to {max:e} are invalid")));
        }
        let width = if width > 0.0 { width } else { 1.0 };
        Ok(Self { start: min, width, count: Some(count) })
    }

    /// The bin of a number; `None` if it is in no bin.
    #[inline]
    pub fn index(&self, number: f64) -> Option<i64> {
        let index = ((number - self.start) / self.width).floor();
        if index.is_nan() || index.abs() > Self::MAX_INDEX {
            return None;
        }
        let index = index as i64;
        let Some(count) = self.count.map(i64::from) else { return Some(index) };
        if index == count && number <= self.edge(count) {
            return Some(count - 1);
        }
        (0..count).contains(&index).then_some(index)
    }

    /// The lower edge of a bin.
    pub fn edge(&self, index: i64) -> f64 {
        self.start + index as f64 * self.width
    }
}

impl Axis {
    /// Whether the axis needs the times of points.
    pub fn needs_times(&self) -> bool {
        matches!(self, Self::Time(_))
    }

    /// Whether the axis needs the categories of points.
    pub fn needs_categories(&self) -> bool {
        matches!(self, Self::Category)
    }

    /// Whether the values are names, not numbers.
    pub fn has_names(&self) -> bool {
        matches!(self, Self::Category | Self::Column(_))
    }

    /// Whether the axis needs the positions of points.
    pub fn needs_positions(&self) -> bool {
        matches!(self, Self::Bins(BinQuantity::Lon | BinQuantity::Lat, _))
    }

    /// Whether the axis needs the weights of points.
    pub fn needs_weights(&self) -> bool {
        matches!(self, Self::Bins(BinQuantity::Weight, _))
    }

    /// The column of a live table that the axis needs.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Column(name) | Self::Bins(BinQuantity::Column(name), _) => Some(name),
            _ => None,
        }
    }

    /// The first and last key; `None` if there are no limits, or keys are names.
    pub fn range(&self) -> Option<[i64; 2]> {
        match self {
            Self::Whole => Some([0, 0]),
            Self::Time(part) => part.range(),
            Self::Bins(_, NumberBins { count: Some(count), .. }) => Some([0, i64::from(*count) - 1]),
            Self::Category | Self::Column(_) | Self::Bins(..) => None,
        }
    }
}

/// The values of points on an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AxisKeys {
    /// Values of a part of time, indices of bins, or 0 of the whole.
    Numbers(Vec<i64>),
    /// Categories, or values of a column.
    Names(Vec<Box<str>>),
}

impl Default for AxisKeys {
    fn default() -> Self {
        Self::Numbers(Vec::new())
    }
}

impl AxisKeys {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(keys) => keys.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_half_open_but_for_the_last_edge_of_a_limited_number() {
        let bins = NumberBins::between(0.0, 10.0, 5).unwrap();
        let at = [-0.1, 0.0, 1.999, 2.0, 10.0, 10.1, f64::NAN].map(|number| bins.index(number));
        assert_eq!(at, [None, Some(0), Some(0), Some(1), Some(4), None, None]);
        let bins = NumberBins::of_width(0.5).unwrap();
        assert_eq!([-0.1, 0.0, 10.0, 1e300].map(|number| bins.index(number)), [Some(-1), Some(0), Some(20), None]);
        assert!((bins.edge(-3) + 1.5).abs() < 1e-12);
        let single = NumberBins::between(7.0, 7.0, 3).unwrap();
        assert_eq!((single.index(7.0), single.index(10.0)), (Some(0), Some(2)));
    }

    #[test]
    fn invalid_bins_are_errors() {
        for bins in [
            NumberBins::of_width(0.0),
            NumberBins::of_width(f64::INFINITY),
            NumberBins::between(0.0, 1.0, 0),
            NumberBins::between(1.0, 0.0, 3),
            NumberBins::between(f64::NAN, 0.0, 3),
        ] {
            assert!(bins.unwrap_err().to_string().starts_with("bins: "));
        }
    }
}
