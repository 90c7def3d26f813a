//! Quantization of values to palette indices.

use std::fmt;
use std::str::FromStr;

use super::bands::for_each_band;
use super::thresholds::Thresholds;
use super::{Aggregation, Grid, Span};
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::simd::wide;

/// The curve that maps values to positions on the palette. t is 0 at `vmin` and 1 at `vmax`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Curve {
    /// t.
    #[default]
    Linear,
    /// √t: raises low values.
    Sqrt,
    /// ln(1 + 999·t) / ln(1000): raises low values strongly; distinguishes three decades.
    Log,
    /// Histogram equalization: every color covers the same number of pixels.
    EqHist,
}

impl Curve {
    /// All curves, with their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("linear", Self::Linear), ("sqrt", Self::Sqrt), ("log", Self::Log), ("eqhist", Self::EqHist)];
    /// The factor of t in the logarithm.
    const LOG_FACTOR: f64 = 999.0;

    /// The t (0..=1) at a position on the palette (0..=1). [`Curve::EqHist`] has no formula: it starts like the
    /// logarithm, so that the faint tails of single dots are not drawn.
    fn inverse(self, position: f64) -> f64 {
        match self {
            Self::Linear => position,
            Self::Sqrt => position * position,
            Self::Log | Self::EqHist => ((Self::LOG_FACTOR + 1.0).powf(position) - 1.0) / Self::LOG_FACTOR,
        }
    }
}

impl FromStr for Curve {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found
            .map(|(_, curve)| *curve)
            .ok_or_else(|| Error::invalid(Parameter::CURVE, format!("`{text}` is none of linear, sqrt, log, eqhist")))
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, curve)| curve == self).map_or("", |(name, _)| name))
    }
}

/// Maps values to palette indices.
///
/// Index 0 is "no data". Amounts (sums and counts) fade into it: the lowest half step of the palette is not drawn.
/// Means, maxima, and amounts in spans with a negative `vmin` have index 1 or higher wherever there is a value.
#[derive(Clone, Debug)]
pub struct Quantizer {
    /// The minimum value of each index from 1 to 255.
    thresholds: Thresholds,
    /// The maximum absolute value that is no data; negative if only NaN is.
    dead_band: f32,
    /// The formula of the index, for curves that have one.
    formula: Option<Formula>,
    span: Span,
}

/// A formula for the index, which is rounded down.
#[derive(Clone, Copy, Debug)]
enum Formula {
    /// value · scale + offset.
    Linear { scale: f32, offset: f32 },
    /// √((value − vmin) · scale) · 255 + offset.
    Sqrt { vmin: f32, scale: f32, offset: f32 },
}

impl Quantizer {
    /// The quantizer for a span and curve. The values of `density` are only used by [`Curve::EqHist`].
    pub fn new(density: &Grid<f32>, aggregation: Aggregation, span: Span, curve: Curve) -> Self {
        let fades = aggregation.is_additive() && span.vmin >= 0.0;
        let range = span.vmax - span.vmin;
        // The start of an index from 1 to 255, as a position on the palette.
        let start_of = |index: usize| if fades { (index as f64 - 0.5) / 255.0 } else { (index as f64 - 1.0) / 255.0 };
        let mut thresholds: [f32; 255] =
            std::array::from_fn(|i| (span.vmin + range * curve.inverse(start_of(i + 1))) as f32);
        let dead_band = if fades {
            0.0
        } else if aggregation.is_additive() {
            (range / 510.0) as f32
        } else {
            -1.0
        };
        if curve == Curve::EqHist {
            let min = thresholds[0];
            equalize(density.cells(), |value| value.abs() > dead_band && value >= min, &mut thresholds);
        }
        if !fades {
            thresholds[0] = f32::NEG_INFINITY;
        }
        let rounding = if fades { 0.5 } else { 1.0 };
        let formula = match curve {
            Curve::Linear => {
                let scale = 255.0 / range;
                Some(Formula::Linear { scale: scale as f32, offset: (rounding - span.vmin * scale) as f32 })
            }
            Curve::Sqrt => {
                Some(Formula::Sqrt { vmin: span.vmin as f32, scale: (1.0 / range) as f32, offset: rounding as f32 })
            }
            Curve::Log | Curve::EqHist => None,
        };
        Self { thresholds: Thresholds::new(&thresholds), dead_band, formula, span }
    }

    /// The quantizer for values multiplied by `factor`: it maps `factor` · v to the index of v in this one.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        if factor.to_bits() == 1f64.to_bits() {
            return self.clone();
        }
        let mut thresholds = [0.0; 255];
        for (threshold, own) in thresholds.iter_mut().zip(self.thresholds.thresholds()) {
            *threshold = (f64::from(*own) * factor) as f32;
        }
        let factor_f32 = factor as f32;
        let formula = self.formula.map(|formula| match formula {
            Formula::Linear { scale, offset } => Formula::Linear { scale: scale / factor_f32, offset },
            Formula::Sqrt { vmin, scale, offset } => {
                Formula::Sqrt { vmin: vmin * factor_f32, scale: scale / factor_f32, offset }
            }
        });
        let dead_band = if self.dead_band > 0.0 { self.dead_band * factor_f32 } else { self.dead_band };
        let span = Span { vmin: self.span.vmin * factor, vmax: self.span.vmax * factor };
        Self { thresholds: Thresholds::new(&thresholds), dead_band, formula, span }
    }

    /// The memory of the lookup table in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.thresholds.heap_bytes()
    }

    /// Whether values are amounts that fade to "no data": a missing value is then equivalent to 0.
    pub fn is_amount(&self) -> bool {
        self.dead_band >= 0.0
    }

    /// The palette indices of all cells.
    pub fn quantize(&self, density: &Grid<f32>, threads: usize) -> Grid<u8> {
        let mut indices = Grid::filled(density.width(), density.height(), 0u8);
        let width = density.width();
        // Evaluating a formula is faster than starting a thread.
        let threads = if self.formula.is_some() { threads.min((width * density.height()) >> 22) } else { threads };
        for_each_band(indices.cells_mut(), width, threads.into(), |first_row, band| {
            let values = &density.cells()[first_row * width..first_row * width + band.len()];
            let lowest = if self.thresholds.thresholds()[0] == f32::NEG_INFINITY { 1.0 } else { 0.0 };
            match self.formula {
                Some(Formula::Linear { scale, offset }) => {
                    linear_indices(values, scale, offset, lowest, self.dead_band, band);
                }
                Some(Formula::Sqrt { vmin, scale, offset }) => {
                    sqrt_indices(values, vmin, scale, offset, lowest, self.dead_band, band);
                }
                None => self.thresholds.fill_indices(values, self.dead_band, band),
            }
        });
        indices
    }

    /// The position of a value on the palette, 0..=1, for the ticks of a legend.
    pub fn position(&self, value: f64) -> f64 {
        let t = ((value - self.span.vmin) / (self.span.vmax - self.span.vmin)).clamp(0.0, 1.0);
        match self.formula {
            Some(Formula::Linear { .. }) => t,
            Some(Formula::Sqrt { .. }) => t.sqrt(),
            None => f64::from(self.thresholds.index_of(value as f32)) / 255.0,
        }
    }
}

wide! {
    fn linear_indices(values: &[f32], scale: f32, offset: f32, lowest: f32, dead_band: f32, indices: &mut [u8]) {
        for (index, &value) in indices.iter_mut().zip(values) {
            let rounded = clamped_index(value * scale + offset, lowest);
            // NaN compares false.
            *index = if value.abs() > dead_band { rounded } else { 0 };
        }
    }
}

wide! {
    fn sqrt_indices(
        values: &[f32], vmin: f32, scale: f32, offset: f32, lowest: f32, dead_band: f32, indices: &mut [u8],
    ) {
        for (index, &value) in indices.iter_mut().zip(values) {
            let t = (value - vmin) * scale;
            let t = if t > 0.0 { t } else { 0.0 };
            let rounded = clamped_index(t.sqrt() * 255.0 + offset, lowest);
            *index = if value.abs() > dead_band { rounded } else { 0 };
        }
    }
}

/// Rounds a position down to an index of at least `lowest` (0 or 1).
#[inline(always)]
#[allow(clippy::inline_always)]
fn clamped_index(position: f32, lowest: f32) -> u8 {
    let position = if position > lowest { position } else { lowest };
    let position = if position < 255.0 { position } else { 255.0 };
    // SAFETY: the position is between `lowest` and 255; NaN became `lowest`.
    #[allow(unsafe_code)]
    let index: i32 = unsafe { position.to_int_unchecked() };
    index as u8
}

/// Sets the thresholds so that every index has the same number of values.
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
    use crate::raster::Normalization;

    fn grid(values: &[f32]) -> Grid<f32> {
        Grid::from_cells(values.len(), 1, values.to_vec()).unwrap()
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
    fn histogram_equalization_uses_every_color_equally() {
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
    fn curves_are_parsed() {
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
