//! From density to the values that the colors span.

use std::fmt;
use std::str::FromStr;

use super::{Aggregation, Grid};
use crate::error::{Error, Result};
use crate::parallel::map;
use crate::parameter::Parameter;
use crate::simd::wide;

/// The policy that yields a [`Span`] from a picture's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalization {
    /// Up to the greatest value.
    Max,
    /// Up to the value that this percentage of the pixels that hold anything stay below; the rest are drawn as the hottest.
    Percentile(f64),
}

impl Default for Normalization {
    /// The 99th percentile: a single crowded place does not push all others into the coldest colors.
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

/// The values that the palette spans: `vmin` is the coldest color, `vmax` the hottest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Drawn as the coldest color, as is everything below.
    pub vmin: f64,
    /// Drawn as the hottest color, as is everything above.
    pub vmax: f64,
}

impl Span {
    /// The span that `normalization` finds in the values of `density`.
    ///
    /// Amounts start at 0; where some are negative, and for means and maxima, the lower end is found as the upper one is, but
    /// that of amounts is 0 where it would be above, or too little below to be told from it by colors.
    /// Without any value the span is 0..1; it is never empty.
    pub fn of(density: &Grid<f32>, aggregation: Aggregation, normalization: Normalization, threads: usize) -> Self {
        /// Half steps of a palette.
        const STEPS: f64 = 510.0;
        let share = match normalization {
            Normalization::Max => 1.0,
            Normalization::Percentile(percentage) => percentage / 100.0,
        };
        let (least, most) = extremes(density.cells());
        if least > most {
            return Self { vmin: 0.0, vmax: 1.0 };
        }
        let from_zero = aggregation.is_additive() && least >= 0.0;
        let at = |share: f64, extreme: f32| {
            let found = match share {
                _ if share <= 0.0 || share >= 1.0 => None,
                _ if aggregation.is_additive() => quantile(density.cells(), |value| value != 0.0, share, threads),
                _ => quantile(density.cells(), |value| !value.is_nan(), share, threads),
            };
            f64::from(found.unwrap_or(extreme))
        };
        let vmin = if from_zero { 0.0 } else { at(1.0 - share, least) };
        let vmax = at(share, most);
        let vmin = if aggregation.is_additive() && vmin > -vmax / STEPS { 0.0 } else { vmin };
        if vmax > vmin {
            Self { vmin, vmax }
        } else if from_zero {
            Self { vmin, vmax: 1.0 }
        } else {
            // One value alone: it is drawn as the middle.
            let half = (vmin.abs() / 2.0).max(f64::from(f32::MIN_POSITIVE));
            Self { vmin: vmin - half, vmax: vmin + half }
        }
    }
}

wide! {
    /// The least and the greatest value; NaN is none.
    fn extremes(values: &[f32]) -> (f32, f32) {
        const LANES: usize = 32;
        let (mut least, mut most) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        let (chunks, rest) = values.as_chunks::<LANES>();
        let mut take = |values: &[f32]| {
            for ((&value, least), most) in values.iter().zip(&mut least).zip(&mut most) {
                *least = if value < *least { value } else { *least };
                *most = if value > *most { value } else { *most };
            }
        };
        for chunk in chunks {
            take(chunk);
        }
        take(rest);
        (least.into_iter().fold(f32::INFINITY, f32::min), most.into_iter().fold(f32::NEG_INFINITY, f32::max))
    }
}

/// The value that `share` (0..1) of the values stay at or below: the nearest rank. The leading bits of the values tell
/// where it lies, and then only those that share its leading bits are looked at.
fn quantile(values: &[f32], is_value: impl Fn(f32) -> bool + Copy + Sync, share: f64, threads: usize) -> Option<f32> {
    let counts = in_parts(values, threads, |values| count_buckets(values, is_value)).into_iter().reduce(sum)?;
    let count: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    let rank = ((share * count as f64).ceil() as u64).clamp(1, count.max(1)) - 1;
    let (bucket, below) = bucket_of(&counts, rank)?;
    let within = in_parts(values, threads, |values| {
        let mut within = Vec::new();
        // Few values lie in the bucket, so whole stretches are passed over.
        for stretch in values.chunks(64).filter(|stretch| any_in_bucket(stretch, bucket)) {
            within.extend(stretch.iter().copied().filter(|&value| bucket_index(value) == bucket && is_value(value)));
        }
        within
    });
    let mut within = within.concat();
    let rank = (rank - below) as usize;
    (rank < within.len()).then(|| *within.select_nth_unstable_by(rank, f32::total_cmp).1)
}

/// A bucket is as wide as an eighth of an octave.
const BUCKETS: usize = 1 << 12;

#[inline(always)]
#[allow(clippy::inline_always)]
fn bucket_index(value: f32) -> u32 {
    order_key(value) >> 20
}

/// How many values lie in each bucket.
fn count_buckets(values: &[f32], is_value: impl Fn(f32) -> bool) -> Vec<u32> {
    /// Neighbors are alike, and an addition to a count has to wait for the one before it; so they count apart.
    const APART: usize = 4;
    /// Where the rest is counted.
    const NONE: usize = BUCKETS;
    let mut tables: [Vec<u32>; APART] = std::array::from_fn(|_| vec![0; BUCKETS + 1]);
    let index = |value: f32| if is_value(value) { bucket_index(value) as usize } else { NONE };
    let (chunks, rest) = values.as_chunks::<APART>();
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

/// The results of `work` for parts of the values, one for each thread.
fn in_parts<R: Send>(values: &[f32], threads: usize, work: impl Fn(&[f32]) -> R + Sync) -> Vec<R> {
    // A thread is not worth its while for fewer.
    const LEAST: usize = 1 << 16;
    let part = values.len().div_ceil(threads.max(1)).max(LEAST);
    map(values.chunks(part), threads, work)
}

/// The bucket that holds the value of a rank, and how many values lie in the buckets before it.
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

/// A number that orders as the float does.
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
    fn spans_of_amounts_means_and_nothing() {
        let amounts = grid(&[0.0, 0.0, 1.0, 2.0, 3.0, 40.0]);
        assert_eq!(Span::of(&amounts, Aggregation::Sum, Normalization::Max, 1), Span { vmin: 0.0, vmax: 40.0 });
        assert_eq!(
            Span::of(&amounts, Aggregation::Sum, Normalization::Percentile(75.0), 1),
            Span { vmin: 0.0, vmax: 3.0 }
        );
        // Too little below 0 to be told from it, and far enough below.
        for (least, vmin) in [(-0.07, 0.0), (-0.09, -0.09_f32)] {
            let amounts = grid(&[least, 1.0, 40.0]);
            let span = Span { vmin: f64::from(vmin), vmax: 40.0 };
            assert_eq!(Span::of(&amounts, Aggregation::Sum, Normalization::Max, 1), span);
        }
        // Nearly all are above 0.
        let amounts: Vec<f32> = std::iter::once(-1.0).chain((1..200).map(|i| i as f32)).collect();
        let span = Span { vmin: 0.0, vmax: 197.0 };
        assert_eq!(Span::of(&grid(&amounts), Aggregation::Sum, Normalization::Percentile(99.0), 1), span);
        let means = grid(&[f32::NAN, -5.0, 0.0, 7.0]);
        assert_eq!(Span::of(&means, Aggregation::Mean, Normalization::Max, 1), Span { vmin: -5.0, vmax: 7.0 });
        for nothing in [grid(&[0.0, 0.0]), grid(&[f32::NAN])] {
            assert_eq!(
                Span::of(&nothing, Aggregation::Sum, Normalization::default(), 1),
                Span { vmin: 0.0, vmax: 1.0 }
            );
        }
        let alone = Span::of(&grid(&[4.0]), Aggregation::Mean, Normalization::Max, 1);
        assert_eq!(alone, Span { vmin: 2.0, vmax: 6.0 });
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let values: Vec<f32> = (0..500_000).map(|i| ((i * 71 % 500_009) as f32 - 250_000.0) * 0.37).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        for share in [0.001, 0.5, 0.99, 0.9999] {
            let rank = (share * values.len() as f64).ceil() as usize - 1;
            for threads in 1..=3 {
                assert_eq!(quantile(&values, |_| true, share, threads), Some(sorted[rank]), "{share}");
            }
        }
        assert_eq!(quantile(&[], |_| true, 0.5, 2), None);
    }

    #[test]
    fn policies_are_read() {
        assert_eq!("p99.5".parse::<Normalization>().unwrap(), Normalization::Percentile(99.5));
        assert_eq!("MAX".parse::<Normalization>().unwrap(), Normalization::Max);
        for bad in ["p", "p0", "p101", "99", "min", "pnan"] {
            assert!(bad.parse::<Normalization>().is_err(), "{bad}");
        }
    }
}
