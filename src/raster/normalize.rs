//! From density to palette indices: which values the colors span, and along which curve.

use std::fmt;
use std::str::FromStr;

use super::bands::for_each_band;
use super::{Aggregation, Grid};
use crate::error::{Error, Result};
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
            _ => Err(Error::invalid("normalize", format!("`{text}` is neither `max` nor a percentile such as `p99`"))),
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
    /// Amounts start at 0; where some are negative, and for means and maxima, the lower end is found as the upper one is.
    /// Without any value the span is 0..1; it is never empty.
    pub fn of(density: &Grid<f32>, aggregation: Aggregation, normalization: Normalization, threads: usize) -> Self {
        let is_value = |value: f32| if aggregation.is_additive() { value != 0.0 } else { !value.is_nan() };
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
            let found =
                if share < 1.0 && share > 0.0 { quantile(density.cells(), is_value, share, threads) } else { None };
            f64::from(found.unwrap_or(extreme))
        };
        let vmin = if from_zero { 0.0 } else { at(1.0 - share, least) };
        let vmax = at(share, most);
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

/// The value that `share` (0..1) of the values stay at or below: the nearest rank, found by the bits of their keys, high half
/// first.
fn quantile(values: &[f32], is_value: impl Fn(f32) -> bool + Sync, share: f64, threads: usize) -> Option<f32> {
    let sum_tables = |tables: Vec<Vec<u32>>| {
        tables.into_iter().reduce(|mut sum, table| {
            sum.iter_mut().zip(table).for_each(|(sum, count)| *sum += count);
            sum
        })
    };
    let high = sum_tables(in_parts(values, threads, |values| {
        let mut table = vec![0u32; 1 << 16];
        for &value in values.iter().filter(|value| is_value(**value)) {
            table[(order_key(value) >> 16) as usize] += 1;
        }
        table
    }))?;
    let count: u64 = high.iter().map(|&count| u64::from(count)).sum();
    let rank = ((share * count as f64).ceil() as u64).clamp(1, count.max(1)) - 1;
    let (top, below) = bucket_of(&high, rank)?;
    let low = sum_tables(in_parts(values, threads, |values| {
        let mut table = vec![0u32; 1 << 16];
        // Few values lie in the bucket, so whole stretches are passed over.
        for stretch in values.chunks(64).filter(|stretch| any_in_bucket(stretch, top)) {
            for &value in stretch.iter().filter(|value| order_key(**value) >> 16 == top && is_value(**value)) {
                table[(order_key(value) & 0xffff) as usize] += 1;
            }
        }
        table
    }))?;
    let (bottom, _) = bucket_of(&low, rank - below)?;
    Some(from_order_key(top << 16 | bottom))
}

wide! {
    fn any_in_bucket(values: &[f32], bucket: u32) -> bool {
        values.iter().fold(false, |any, &value| any | (order_key(value) >> 16 == bucket))
    }
}

/// What `work` makes of parts of the values, each on a thread of its own.
fn in_parts<R: Send>(values: &[f32], threads: usize, work: impl Fn(&[f32]) -> R + Sync) -> Vec<R> {
    // A thread is not worth its while for fewer.
    const LEAST: usize = 1 << 16;
    let part = values.len().div_ceil(threads.max(1)).max(LEAST);
    let mut parts = values.chunks(part);
    let first = parts.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(|| work(part))).collect();
        let mut results = vec![work(first)];
        // A thread that panicked passes its panic on.
        results.extend(
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
        );
        results
    })
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

fn from_order_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

/// How values between the ends of the span are laid on the palette. t is 0 at `vmin` and 1 at `vmax`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Curve {
    /// t.
    #[default]
    Linear,
    /// √t: lifts what is cold.
    Sqrt,
    /// ln(1 + 999·t) / ln(1000): lifts what is cold by far; three decades are told apart.
    Log,
    /// Histogram equalization: each color covers as many pixels as any other.
    EqHist,
}

impl Curve {
    /// Every curve, by name.
    pub const ALL: [(&'static str, Self); 4] =
        [("linear", Self::Linear), ("sqrt", Self::Sqrt), ("log", Self::Log), ("eqhist", Self::EqHist)];
    /// What t = 1 is multiplied by before the logarithm is taken.
    const LOG_REACH: f64 = 999.0;

    /// The t (0..=1) at a position on the palette (0..=1). [`Curve::EqHist`] has no formula: it only begins as the logarithm
    /// does, so that the faintest tails of single dots are not drawn.
    fn inverse(self, position: f64) -> f64 {
        match self {
            Self::Linear => position,
            Self::Sqrt => position * position,
            Self::Log | Self::EqHist => ((Self::LOG_REACH + 1.0).powf(position) - 1.0) / Self::LOG_REACH,
        }
    }
}

impl FromStr for Curve {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found
            .map(|(_, curve)| *curve)
            .ok_or_else(|| Error::invalid("curve", format!("`{text}` is none of linear, sqrt, log, eqhist")))
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, curve)| curve == self).map_or("", |(name, _)| name))
    }
}

/// From values to palette indices.
///
/// Index 0 is "nothing here". Amounts (sums and counts) fade into it: the lowest half step of the palette is not drawn.
/// Means, maxima, and spans that reach below 0 are drawn from index 1 on wherever there is a value.
#[derive(Clone, Debug)]
pub struct Quantizer {
    /// The least value of each index from 1 to 255, rising.
    thresholds: [f32; 255],
    /// Amounts this close to 0 are nothing; negative: only NaN is.
    nothing_within: f32,
    /// Index = value · scale + offset, rounded down, for the linear curve.
    linear: Option<(f32, f32)>,
    span: Span,
}

impl Quantizer {
    /// The quantizer for values of `density` (which only [`Curve::EqHist`] looks at).
    pub fn new(density: &Grid<f32>, aggregation: Aggregation, span: Span, curve: Curve) -> Self {
        let fades = aggregation.is_additive() && span.vmin >= 0.0;
        let range = span.vmax - span.vmin;
        // The position on the palette where index i begins, for i from 1 to 255.
        let begins = |index: usize| if fades { (index as f64 - 0.5) / 255.0 } else { (index as f64 - 1.0) / 255.0 };
        let mut thresholds: [f32; 255] =
            std::array::from_fn(|i| (span.vmin + range * curve.inverse(begins(i + 1))) as f32);
        let nothing_within = if fades {
            0.0
        } else if aggregation.is_additive() {
            (range / 510.0) as f32
        } else {
            -1.0
        };
        if curve == Curve::EqHist {
            let least = thresholds[0];
            equalize(density.cells(), |value| value.abs() > nothing_within && value >= least, &mut thresholds);
        }
        if !fades {
            thresholds[0] = f32::NEG_INFINITY;
        }
        let scale = 255.0 / range;
        let linear = (curve == Curve::Linear).then(|| {
            let rounding = if fades { 0.5 } else { 1.0 };
            (scale as f32, (rounding - span.vmin * scale) as f32)
        });
        Self { thresholds, nothing_within, linear, span }
    }

    /// Whether values are amounts that fade into nothing: then no value is the same as 0.
    pub fn is_amount(&self) -> bool {
        self.nothing_within >= 0.0
    }

    /// The palette indices of all cells.
    pub fn quantize(&self, density: &Grid<f32>, threads: usize) -> Grid<u8> {
        let mut indices = Grid::filled(density.width(), density.height(), 0u8);
        let width = density.width();
        // The linear curve is done sooner than a thread would start.
        let threads = if self.linear.is_some() { threads.min((width * density.height()) >> 22) } else { threads };
        for_each_band(indices.cells_mut(), width, threads, |first_row, band| {
            let values = &density.cells()[first_row * width..first_row * width + band.len()];
            match self.linear {
                Some((scale, offset)) => {
                    let lowest = if self.thresholds[0] == f32::NEG_INFINITY { 1.0 } else { 0.0 };
                    linear_indices(values, scale, offset, lowest, self.nothing_within, band);
                }
                None => {
                    for (index, &value) in band.iter_mut().zip(values) {
                        *index = if value.abs() > self.nothing_within { self.index_by_threshold(value) } else { 0 };
                    }
                }
            }
        });
        indices
    }

    /// How many thresholds lie at or below a value.
    fn index_by_threshold(&self, value: f32) -> u8 {
        self.thresholds.partition_point(|&threshold| threshold <= value) as u8
    }

    /// Where a value lies on the palette, 0..=1: for the ticks of a legend.
    pub fn position(&self, value: f64) -> f64 {
        if self.linear.is_some() {
            return ((value - self.span.vmin) / (self.span.vmax - self.span.vmin)).clamp(0.0, 1.0);
        }
        f64::from(self.index_by_threshold(value as f32)) / 255.0
    }
}

wide! {
    fn linear_indices(values: &[f32], scale: f32, offset: f32, lowest: f32, nothing_within: f32, indices: &mut [u8]) {
        for (index, &value) in indices.iter_mut().zip(values) {
            let position = value * scale + offset;
            let position = if position > lowest { position } else { lowest };
            let position = if position < 255.0 { position } else { 255.0 };
            // SAFETY: the position lies between `lowest` (0 or 1) and 255; a NaN became `lowest`.
            #[allow(unsafe_code)]
            let whole: i32 = unsafe { position.to_int_unchecked() };
            // NaN compares false.
            *index = if value.abs() > nothing_within { whole as u8 } else { 0 };
        }
    }
}

/// Sets the thresholds so that every index gets as many of the values as any other.
fn equalize(values: &[f32], is_value: impl Fn(f32) -> bool, thresholds: &mut [f32; 255]) {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|&value| is_value(value)).collect();
    if sorted.is_empty() {
        return;
    }
    sorted.sort_unstable_by(f32::total_cmp);
    for (i, threshold) in thresholds.iter_mut().enumerate() {
        *threshold = sorted[i * sorted.len() / 255];
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

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
    fn amounts_fade_and_means_do_not() {
        let values = grid(&[0.0, 0.001, 1.0, 254.4, 255.0, 1e9, f32::NAN]);
        let span = Span { vmin: 0.0, vmax: 255.0 };
        let amounts = Quantizer::new(&values, Aggregation::Sum, span, Curve::Linear).quantize(&values, 1);
        assert_eq!(amounts.cells(), [0, 0, 1, 254, 255, 255, 0]);
        let means = Quantizer::new(&values, Aggregation::Mean, span, Curve::Linear).quantize(&values, 1);
        assert_eq!(means.cells(), [1, 1, 2, 255, 255, 255, 0]);
    }

    #[test]
    fn an_equalized_picture_uses_every_color_alike() {
        let values: Vec<f32> = (1..=2550).map(|i| (i as f32).powi(3)).collect();
        let values = grid(&values);
        let span = Span::of(&values, Aggregation::Sum, Normalization::Max, 1);
        let indices = Quantizer::new(&values, Aggregation::Sum, span, Curve::EqHist).quantize(&values, 2);
        for index in 2..=254u8 {
            let count = indices.cells().iter().map(|&i| usize::from(i == index)).sum::<usize>();
            assert!((9..=10).contains(&count), "{index}: {count}");
        }
    }

    #[test]
    fn policies_are_read() {
        assert_eq!("p99.5".parse::<Normalization>().unwrap(), Normalization::Percentile(99.5));
        assert_eq!("MAX".parse::<Normalization>().unwrap(), Normalization::Max);
        for bad in ["p", "p0", "p101", "99", "min", "pnan"] {
            assert!(bad.parse::<Normalization>().is_err(), "{bad}");
        }
        assert_eq!("log".parse::<Curve>().unwrap(), Curve::Log);
        assert!("cubic".parse::<Curve>().is_err());
    }

    proptest! {
        #[test]
        fn quantize_is_monotone(
            mut values in prop::collection::vec(-50f32..200.0, 2..300),
            vmin in -20f64..20.0, range in 0.1f64..150.0,
            curve in prop::sample::select(Curve::ALL.map(|(_, curve)| curve).to_vec()),
            aggregation in prop::sample::select(Aggregation::ALL.map(|(_, aggregation)| aggregation).to_vec()),
        ) {
            values.sort_unstable_by(f32::total_cmp);
            let values = grid(&values);
            let quantizer = Quantizer::new(&values, aggregation, Span { vmin, vmax: vmin + range }, curve);
            let indices = quantizer.quantize(&values, 1);
            let drawn: Vec<u8> = indices.cells().iter().copied().filter(|&index| index > 0).collect();
            prop_assert!(drawn.is_sorted());
            prop_assert_eq!(indices, quantizer.quantize(&values, 3));
        }
    }
}
