//! Groups of points, and the records of their sums.

use super::ExactSum;

/// A group of points. Groups are ordered by cell, then by time, then by category; those without a time or a category come
/// first or last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BinGroup {
    /// The Z-order key of the cell.
    pub cell: u64,
    /// The begin of the period in microseconds since 1970-01-01 UTC; [`Points::NO_TIME`](crate::geo::Points::NO_TIME) if the
    /// points have no time, or there are no periods.
    pub time_us: i64,
    /// The category; [`Categories::NONE`](crate::geo::Categories::NONE) if the points have none, or there are no categories.
    pub category: u32,
}

/// A part of the sums of a group. A group has several records if its sum of weights is not a floating-point number, or if
/// its points were summed in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinRecord {
    /// The group.
    pub group: BinGroup,
    /// The number of points; 0 in further records of a sum.
    pub n: u64,
    /// A part of the sum of weights.
    pub sum: f64,
    /// The maximum weight; −∞ in further records of a sum.
    pub max: f32,
}

/// The sums of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The group.
    pub group: BinGroup,
    /// The number of points.
    pub n: u64,
    /// The sum of the weights, rounded once.
    pub sum: f64,
    /// The maximum weight; NaN if it is unknown.
    pub max: f32,
}

/// The greater of two weights; NaN if one of them is unknown.
#[inline]
pub(super) fn max_of(one: f32, other: f32) -> f32 {
    if one.is_nan() || other.is_nan() { f32::NAN } else { one.max(other) }
}

impl BinRecord {
    /// The size of a record as bytes.
    pub const BYTES: usize = 40;

    /// The record as bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let Self { group: BinGroup { cell, time_us, category }, n, sum, max } = self;
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&cell.to_le_bytes());
        bytes[8..16].copy_from_slice(&time_us.to_le_bytes());
        bytes[16..20].copy_from_slice(&category.to_le_bytes());
        bytes[20..24].copy_from_slice(&max.to_le_bytes());
        bytes[24..32].copy_from_slice(&n.to_le_bytes());
        bytes[32..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The record of [bytes](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        fn at<const N: usize>(bytes: &[u8; BinRecord::BYTES], start: usize) -> [u8; N] {
            std::array::from_fn(|i| bytes[start + i])
        }
        let group = BinGroup {
            cell: u64::from_le_bytes(at(bytes, 0)),
            time_us: i64::from_le_bytes(at(bytes, 8)),
            category: u32::from_le_bytes(at(bytes, 16)),
        };
        let max = f32::from_le_bytes(at(bytes, 20));
        Self { group, n: u64::from_le_bytes(at(bytes, 24)), sum: f64::from_le_bytes(at(bytes, 32)), max }
    }
}

/// Passes the sums of each group of sorted records to `take`.
///
/// # Errors
/// The first error of `take`.
pub fn for_each_bin<E>(records: &[BinRecord], mut take: impl FnMut(Bin) -> Result<(), E>) -> Result<(), E> {
    for records in records.chunk_by(|one, other| one.group == other.group) {
        let bin = if let [BinRecord { group, n, sum, max }] = records {
            Bin { group: *group, n: *n, sum: *sum, max: *max }
        } else {
            let (mut n, mut sum, mut max) = (0u64, ExactSum::default(), f32::NEG_INFINITY);
            for record in records {
                n = n.saturating_add(record.n);
                sum.add(record.sum);
                max = max_of(max, record.max);
            }
            Bin { group: records[0].group, n, sum: sum.value(), max }
        };
        take(bin)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_as_bytes() {
        let group = BinGroup { cell: u64::MAX - 5, time_us: -7, category: 9 };
        let record = BinRecord { group, n: 1 << 40, sum: -0.1, max: 1e-40 };
        assert_eq!(BinRecord::from_bytes(&record.to_bytes()), record);
    }
}
