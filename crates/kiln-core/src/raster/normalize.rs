//! Normalization: the range of values that the palette spans.

use std::fmt;
use std::str::FromStr;

use super::{Aggregation, Grid};
use crate::error::{Error, Result};
use crate::parallel::map;
use crate::parameter::Parameter;
use crate::simd::wide;

/// The method that derives a [`Span`] from the values of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalization {
    /// The maximum value.
    Max,
    /// A percentile of the values, ignoring pixels without data. Values above it have the hottest color.
    Percentile(f64),
}

impl Default for Normalization {
    /// The 99th percentile, so that a single dense location does not push all others into the coldest colors.
    fn default() -> Self {
        Self::Percentile(99.0)
    }
}

impl FromStr for Normalization {
    type Err = Error;

    /// Reads `max`, or `p99`, `p99.5`, … above `p0` and up to `p100`.
    fn from_str(text: &str) -> Result<Self> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        let percentage = text.strip_prefix(['p', 'P']).and_then(|number| number.parse::<f64>().ok());
        match percentage {
            Some(percentage) if percentage > 0.0 && percentage <= 100.0 => Ok(Self::Percentile(percentage)),
            _ => Err(Error::invalid(
                Parameter::NORMALIZE,
                format!("`{text}` is neither `max` nor a percentile such as `p99`"),
            )),
        }
    }
}

impl fmt::Display for Normalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Percentile(percentage) => write!(f, "p{percentage}"),
        }
    }
}

/// The range of values that the palette spans: `vmin` has the coldest color, `vmax` the hottest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The value of the coldest color. Lower values have that color, too.
    pub vmin: f64,
    /// The value of the hottest color. Higher values have that color, too.
    pub vmax: f64,
}

impl Span {
    /// Derives the span of the values of `density` by `normalization`.
    ///
    /// `vmin` is 0 for amounts (sums and counts). For means and maxima, and for amounts with negative values, it is the
    /// corresponding lower percentile or minimum, except that for amounts it is 0 if that is positive, or so close to 0
    /// that the colors would be the same. Without values the span is 0..1; it is never empty.
    pub fn of(density: &Grid<f32>, aggregation: Aggregation, normalization: Normalization, threads: usize) -> Self {
        /// The number of half steps of a palette.
        const HALF_STEPS: f64 = 510.0;
        let fraction = match normalization {
            Normalization::Max => 1.0,
            Normalization::Percentile(percentage) => percentage / 100.0,
        };
        let (min, max) = extremes(density.cells());
        if min > max {
            return Self { vmin: 0.0, vmax: 1.0 };
        }
        let from_zero = aggregation.is_additive() && min >= 0.0;
        let quantile_or = |fraction: f64, extreme: f32| {
            let found = match fraction {
                _ if fraction <= 0.0 || fraction >= 1.0 => None,
                _ if aggregation.is_additive() => quantile(density.cells(), |value| value != 0.0, fraction, threads),
                _ => quantile(density.cells(), |value| !value.is_nan(), fraction, threads),
            };
            f64::from(found.unwrap_or(extreme))
        };
        let vmin = if from_zero { 0.0 } else { quantile_or(1.0 - fraction, min) };
        let vmax = quantile_or(fraction, max);
        let vmin = if aggregation.is_additive() && vmin > -vmax / HALF_STEPS { 0.0 } else { vmin };
        if vmax > vmin {
            Self { vmin, vmax }
        } else if from_zero {
            Self { vmin, vmax: 1.0 }
        } else {
            // A single value has the color at the center of the palette.
            let half = (vmin.abs() / 2.0).max(f64::from(f32::MIN_POSITIVE));
            Self { vmin: vmin - half, vmax: vmin + half }
        }
    }
}

wide! {
    /// The minimum and maximum, ignoring NaN.
    fn extremes(values: &[f32]) -> (f32, f32) {
        const LANES: usize = 32;
        let (mut min, mut max) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        let (chunks, rest) = values.as_chunks::<LANES>();
        let mut update = |values: &[f32]| {
            for ((&value, min), max) in values.iter().zip(&mut min).zip(&mut max) {
                *min = if value < *min { value } else { *min };
                *max = if value > *max { value } else { *max };
            }
        };
        for chunk in chunks {
            update(chunk);
        }
        update(rest);
        (min.into_iter().fold(f32::INFINITY, f32::min), max.into_iter().fold(f32::NEG_INFINITY, f32::max))
    }
}

/// The quantile at `fraction` (0..1) by the nearest-rank method. A histogram over the leading bits of the values finds
/// its bucket, and then only the values in that bucket are selected from.
fn quantile(
    values: &[f32],
    is_value: impl Fn(f32) -> bool + Copy + Sync,
    fraction: f64,
    threads: usize,
) -> Option<f32> {
    let counts = in_parts(values, threads, |values| count_buckets(values, is_value)).into_iter().reduce(sum)?;
    let count: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    let rank = ((fraction * count as f64).ceil() as u64).clamp(1, count.max(1)) - 1;
    let (bucket, below) = bucket_of(&counts, rank)?;
    let within = in_parts(values, threads, |values| {
        let mut within = Vec::new();
        // Few values are in the bucket, so most chunks are skipped.
        for chunk in values.chunks(64).filter(|chunk| any_in_bucket(chunk, bucket)) {
            within.extend(chunk.iter().copied().filter(|&value| bucket_index(value) == bucket && is_value(value)));
        }
        within
    });
    let mut within = within.concat();
    let rank = (rank - below) as usize;
    (rank < within.len()).then(|| *within.select_nth_unstable_by(rank, f32::total_cmp).1)
}

/// The number of buckets. The width of a bucket is an eighth of an octave.
const BUCKETS: usize = 1 << 12;

#[inline(always)]
#[allow(clippy::inline_always)]
fn bucket_index(value: f32) -> u32 {
    order_key(value) >> 20
}

/// The number of values per bucket.
fn count_buckets(values: &[f32], is_value: impl Fn(f32) -> bool) -> Vec<u32> {
    /// Adjacent values are often in the same bucket, and successive increments of one counter depend on each other, so
    /// they are counted in different tables.
    const TABLES: usize = 4;
    /// The bucket of values that are not counted.
    const NONE: usize = BUCKETS;
    let mut tables: [Vec<u32>; TABLES] = std::array::from_fn(|_| vec![0; BUCKETS + 1]);
    let index = |value: f32| if is_value(value) { bucket_index(value) as usize } else { NONE };
    let (chunks, rest) = values.as_chunks::<TABLES>();
    for chunk in chunks {
        for (table, &value) in tables.iter_mut().zip(chunk) {
            table[index(value)] += 1;
        }
    }
    for (table, &value) in tables.iter_mut().zip(rest) {
        table[index(value)] += 1;
    }
    let mut counts = tables.into_iter().reduce(sum).unwrap_or_default();
    counts.truncate(NONE);
    counts
}

fn sum(mut counts: Vec<u32>, more: Vec<u32>) -> Vec<u32> {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
    counts
}

wide! {
    fn any_in_bucket(values: &[f32], bucket: u32) -> bool {
        values.iter().fold(false, |any, &value| any | (bucket_index(value) == bucket))
    }
}

/// The results of `work` for parts of the values, one part per thread.
fn in_parts<R: Send>(values: &[f32], threads: usize, work: impl Fn(&[f32]) -> R + Sync) -> Vec<R> {
    // For fewer values, starting a thread does not pay off.
    const MIN_PART: usize = 1 << 16;
    let part = values.len().div_ceil(threads.max(1)).max(MIN_PART);
    map(values.chunks(part), threads, work)
}

/// The bucket that contains the value of a rank, and the number of values in the buckets before it.
fn bucket_of(buckets: &[u32], rank: u64) -> Option<(u32, u64)> {
    let mut below = 0;
    for (bucket, &count) in buckets.iter().enumerate() {
        if below + u64::from(count) > rank {
            return Some((bucket as u32, below));
        }
        below += u64::from(count);
    }
    None
}

/// An integer with the same order as the float.
#[inline(always)]
#[allow(clippy::inline_always)]
fn order_key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn grid(values: &[f32]) -> Grid<f32> {
        Grid::from_cells(values.len(), 1, values.to_vec()).unwrap()
    }

    #[test]
    fn spans_of_amounts_means_and_empty_grids() {
        let amounts = grid(&[0.0, 0.0, 1.0, 2.0, 3.0, 40.0]);
        assert_eq!(Span::of(&amounts, Aggregation::Sum, Normalization::Max, 1), Span { vmin: 0.0, vmax: 40.0 });
        assert_eq!(
            Span::of(&amounts, Aggregation::Sum, Normalization::Percentile(75.0), 1),
            Span { vmin: 0.0, vmax: 3.0 }
        );
        // A minimum within half a color step of 0, and one beyond that.
        for (min, vmin) in [(-0.07, 0.0), (-0.09, -0.09_f32)] {
            let amounts = grid(&[min, 1.0, 40.0]);
            let span = Span { vmin: f64::from(vmin), vmax: 40.0 };
            assert_eq!(Span::of(&amounts, Aggregation::Sum, Normalization::Max, 1), span);
        }
        // Nearly all are above 0.
        let amounts: Vec<f32> = std::iter::once(-1.0).chain((1..200).map(|i| i as f32)).collect();
        let span = Span { vmin: 0.0, vmax: 197.0 };
        assert_eq!(Span::of(&grid(&amounts), Aggregation::Sum, Normalization::Percentile(99.0), 1), span);
        let means = grid(&[f32::NAN, -5.0, 0.0, 7.0]);
        assert_eq!(Span::of(&means, Aggregation::Mean, Normalization::Max, 1), Span { vmin: -5.0, vmax: 7.0 });
        for empty in [grid(&[0.0, 0.0]), grid(&[f32::NAN])] {
            assert_eq!(Span::of(&empty, Aggregation::Sum, Normalization::default(), 1), Span { vmin: 0.0, vmax: 1.0 });
        }
        let single = Span::of(&grid(&[4.0]), Aggregation::Mean, Normalization::Max, 1);
        assert_eq!(single, Span { vmin: 2.0, vmax: 6.0 });
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let values: Vec<f32> = (0..500_000).map(|i| ((i * 71 % 500_009) as f32 - 250_000.0) * 0.37).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        for fraction in [0.001, 0.5, 0.99, 0.9999] {
            let rank = (fraction * values.len() as f64).ceil() as usize - 1;
            for threads in 1..=3 {
                assert_eq!(quantile(&values, |_| true, fraction, threads), Some(sorted[rank]), "{fraction}");
            }
        }
        assert_eq!(quantile(&[], |_| true, 0.5, 2), None);
    }

    #[test]
    fn normalizations_are_parsed() {
        assert_eq!("p99.5".parse::<Normalization>().unwrap(), Normalization::Percentile(99.5));
        assert_eq!("MAX".parse::<Normalization>().unwrap(), Normalization::Max);
        for bad in ["p", "p0", "p101", "99", "min", "pnan"] {
            assert!(bad.parse::<Normalization>().is_err(), "{bad}");
        }
    }
}
