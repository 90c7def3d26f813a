//! The values of an axis with their labels.

use super::{Axis, AxisKeys, NumberBins};
use crate::calendar::TimePart;

/// The value of an axis that a column or row has.
#[derive(Clone, Debug, PartialEq)]
pub enum AxisKey {
    /// A value of a part of the time, except dates and months of a year; or 0 of an axis with a single value.
    Integer(i64),
    /// A category, a value of a column, a date, or a month of a year.
    Text(String),
    /// The edges of a bin.
    Bin([f64; 2]),
}

/// An axis with all its values, in the order of the columns or rows.
#[derive(Clone, Debug, PartialEq)]
pub struct LabeledAxis {
    /// The name, as in a request.
    pub name: String,
    /// The title.
    pub title: String,
    /// The labels.
    pub labels: Vec<String>,
    /// The values.
    pub keys: Vec<AxisKey>,
}

/// The values of an axis, and how they are found from those of a [`PointMatrix`](super::PointMatrix).
#[derive(Clone, Debug)]
pub(super) struct AxisValues<'a> {
    axis: &'a Axis,
    keys: &'a AxisKeys,
    /// The first and the last key of an axis of numbers.
    range: [i64; 2],
    /// The only keys of the range that are listed, ascending; `None`: all.
    listed: Option<Vec<i64>>,
    is_descending: bool,
}

impl<'a> AxisValues<'a> {
    /// The values of `axis`, of which points have `keys`. Parts of the time list all their values; dates, years, weeks and
    /// unlimited bins those from the first to the last. Those of a y axis of bins are descending.
    pub(super) fn new(axis: &'a Axis, keys: &'a AxisKeys, is_y: bool) -> Self {
        let used = match keys {
            AxisKeys::Numbers(keys) => keys.first().zip(keys.last()).map(|(first, last)| [*first, *last]),
            AxisKeys::Names(_) => None,
        };
        let all = axis.range().filter(|_| *axis != Axis::Time(TimePart::Week));
        // Without points, the range is empty.
        let range = all.or(used).unwrap_or([0, -1]);
        Self { axis, keys, range, listed: None, is_descending: is_y && matches!(axis, Axis::Bins(..)) }
    }

    /// Lists only these keys, ascending, of the values of a part of the time.
    pub(super) fn with_listed(self, listed: Option<Vec<i64>>) -> Self {
        Self { listed, ..self }
    }

    /// The number of values.
    pub(super) fn len(&self) -> u64 {
        if let Some(listed) = &self.listed {
            return listed.len() as u64;
        }
        match self.keys {
            AxisKeys::Names(names) => names.len() as u64,
            // The difference of keys is within 2^54.
            AxisKeys::Numbers(_) => u64::try_from(self.range[1] - self.range[0] + 1).unwrap_or(0),
        }
    }

    /// The position of the key with an index of the [`PointMatrix`](super::PointMatrix).
    pub(super) fn position(&self, index: u32) -> Option<usize> {
        let index = index as usize;
        let offset = match self.keys {
            AxisKeys::Names(names) => (index < names.len()).then_some(index)?,
            AxisKeys::Numbers(keys) => match &self.listed {
                Some(listed) => listed.binary_search(keys.get(index)?).ok()?,
                None => usize::try_from(keys.get(index)? - self.range[0]).ok()?,
            },
        };
        let len = usize::try_from(self.len()).ok()?;
        if offset >= len {
            return None;
        }
        Some(if self.is_descending { len - 1 - offset } else { offset })
    }

    /// The values with their labels; `name` is that of the axis.
    pub(super) fn labeled(&self, name: String) -> LabeledAxis {
        let (labels, keys) = match self.keys {
            _ if self.listed.is_some() => self.listed.iter().flatten().map(|key| self.label(*key)).unzip(),
            AxisKeys::Names(names) => {
                names.iter().map(|name| (name.to_string(), AxisKey::Text(name.to_string()))).unzip()
            }
            AxisKeys::Numbers(_) if self.is_descending => {
                (self.range[0]..=self.range[1]).rev().map(|key| self.label(key)).unzip()
            }
            AxisKeys::Numbers(_) => (self.range[0]..=self.range[1]).map(|key| self.label(key)).unzip(),
        };
        let title = if *self.axis == Axis::Whole { String::new() } else { name.clone() };
        LabeledAxis { name, title, labels, keys }
    }

    fn label(&self, key: i64) -> (String, AxisKey) {
        match self.axis {
            Axis::Time(part @ (TimePart::YearMonth | TimePart::Date)) => {
                let label = part.label(key);
                (label.clone(), AxisKey::Text(label))
            }
            Axis::Time(part) => (part.label(key), AxisKey::Integer(key)),
            Axis::Bins(_, bins) => {
                let edges = [bins.edge(key), bins.edge(key + 1)];
                (bin_label(*bins, edges), AxisKey::Bin(edges))
            }
            Axis::Whole => ("all".to_owned(), AxisKey::Integer(key)),
            Axis::Category | Axis::Column(_) => (key.to_string(), AxisKey::Integer(key)),
        }
    }
}

/// The label of a bin: its edges, with as many digits as tell neighboring edges apart.
fn bin_label(bins: NumberBins, [start, end]: [f64; 2]) -> String {
    const MAX_DECIMALS: f64 = 12.0;
    let decimals = 1.0 - bins.width.log10().floor();
    let edge = |edge: f64| {
        // Adding 0 turns -0 into 0.
        if !(-MAX_DECIMALS..=MAX_DECIMALS).contains(&decimals) {
            return format!("{:e}", edge + 0.0);
        }
        let text = format!("{:.*}", decimals.max(0.0) as usize, edge);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        if text == "-0" { "0".to_owned() } else { text.to_owned() }
    };
    let (first, last) = (edge(start), edge(end));
    if first.starts_with('-') || last.starts_with('-') {
        format!("{first} to {last}")
    } else {
        format!("{first}–{last}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::matrix::BinQuantity;

    #[test]
    fn parts_of_time_list_all_their_values_and_dates_those_between_the_first_and_the_last() {
        let axis = |part: TimePart, keys: &[i64]| {
            let (axis, keys) = (Axis::Time(part), AxisKeys::Numbers(keys.to_vec()));
            AxisValues::new(&axis, &keys, false).labeled(part.to_string())
        };
        assert_eq!(axis(TimePart::Hour, &[3]).labels.len(), 24);
        assert_eq!(axis(TimePart::Weekday, &[]).labels, TimePart::WEEKDAYS);
        assert_eq!(axis(TimePart::Month, &[]).labels, TimePart::MONTHS);
        assert_eq!(axis(TimePart::Day, &[]).keys.last(), Some(&AxisKey::Integer(31)));
        assert_eq!(axis(TimePart::Week, &[9, 11]).labels, ["9", "10", "11"]);
        assert_eq!(axis(TimePart::YearMonth, &[24_287, 24_289]).labels, ["2023-12", "2024-01", "2024-02"]);
        assert_eq!(axis(TimePart::YearMonth, &[24_287]).keys, [AxisKey::Text("2023-12".into())]);
        assert_eq!(axis(TimePart::Date, &[19_844, 19_846]).labels, ["2024-05-01", "2024-05-02", "2024-05-03"]);
        assert!(axis(TimePart::Date, &[]).labels.is_empty());
    }

    #[test]
    fn listed_values_are_the_only_ones() {
        let (axis, keys) = (Axis::Time(TimePart::Hour), AxisKeys::Numbers(vec![8, 17]));
        let values = AxisValues::new(&axis, &keys, false).with_listed(Some(vec![7, 8, 17]));
        assert_eq!(values.labeled("hour".into()).labels, ["7", "8", "17"]);
        assert_eq!((values.len(), values.position(0), values.position(1)), (3, Some(1), Some(2)));
    }

    #[test]
    fn bins_of_a_y_axis_are_listed_from_the_highest() {
        let bins = Axis::Bins(BinQuantity::Lat, NumberBins::between(-5.0, 10.0, 3).unwrap());
        let keys = AxisKeys::Numbers(vec![1, 2]);
        let x = AxisValues::new(&bins, &keys, false);
        assert_eq!(x.labeled("lat".into()).labels, ["-5 to 0", "0–5", "5–10"]);
        assert_eq!((x.position(0), x.position(1), x.position(2)), (Some(1), Some(2), None));
        let y = AxisValues::new(&bins, &keys, true);
        assert_eq!(y.labeled("lat".into()).keys[0], AxisKey::Bin([5.0, 10.0]));
        assert_eq!((y.position(0), y.position(1)), (Some(1), Some(0)));
    }

    #[test]
    fn the_digits_of_bins_tell_them_apart() {
        let label = |min: f64, max: f64, count: u32| {
            let bins = NumberBins::between(min, max, count).unwrap();
            bin_label(bins, [bins.edge(0), bins.edge(1)])
        };
        assert_eq!(label(0.0, 1.0, 10), "0–0.1");
        assert_eq!(label(1000.0, 1000.5, 10), "1000–1000.05");
        assert_eq!(label(-180.0, 180.0, 10), "-180 to -144");
        assert_eq!(label(0.0, 1e300, 10), "0e0–1e299");
    }
}
