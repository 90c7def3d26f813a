//! Exact sums of weights per cell.

use std::collections::HashMap;

use super::counts::Counts;
use crate::geo::Points;
use crate::simd::wide;

/// Exact sums of weights per cell.
///
/// A weight is a 24-bit integer times a power of two, so sums of weights of similar size fit in a 64-bit integer in a
/// suitable unit, which is chosen by the first weights. The few weights and sums that do not fit are added in a 128-bit
/// overflow table. The total is exact in both, so it does not depend on which weights came first.
#[derive(Debug)]
pub struct Sums {
    fixed: Vec<i64>,
    /// Binary exponent of the unit of `fixed`; `None` before the first weight other than 0.
    unit_exponent: Option<i32>,
    /// Sums of the weights that do not fit in `fixed`, in units of [`Sums::UNIT`].
    overflow: HashMap<u32, i128>,
}

impl Sums {
    /// Binary exponent of [`Self::UNIT`]: 2^27 maximum weights still sum exactly in 128 bits.
    const UNIT_EXPONENT: i32 = -56;
    /// Weights are rounded to multiples of this, 2^−56 ≈ 1.4 · 10^−17.
    pub const UNIT: f64 = 1.0 / (1u64 << -Self::UNIT_EXPONENT) as f64;
    /// Bits of the maximum of the first weights in `fixed`: 24 of its own and 16 for smaller weights, which leaves 2^23
    /// times the maximum before a sum goes to `overflow`.
    const WEIGHT_BITS: i32 = 40;

    pub(crate) fn new(cells: usize) -> Self {
        Self { fixed: vec![0; cells], unit_exponent: None, overflow: HashMap::new() }
    }

    pub(crate) fn add(&mut self, cells: &[u32], weights: Option<&[f32]>) {
        const BATCH: usize = 64;
        const ONES: [f32; BATCH] = [1.0; BATCH];
        let Some(weights) = weights else {
            cells.chunks(ONES.len()).for_each(|cells| self.add(cells, Some(&ONES[..cells.len()])));
            return;
        };
        let Some(exponent) = self.exponent_for(weights) else { return };
        let units_per_one = 2f64.powi(-exponent);
        let mut units = [0; BATCH];
        for (cells, weights) in cells.chunks(BATCH).zip(weights.chunks(BATCH)) {
            let all_fit = all_to_units(weights, units_per_one, &mut units);
            for ((&cell, &weight), &units) in cells.iter().zip(weights).zip(&units) {
                let fits = all_fit || to_units(weight, units_per_one).is_some();
                let fixed = &mut self.fixed[cell as usize];
                match fixed.checked_add(units) {
                    Some(sum) if fits => *fixed = sum,
                    _ => self.add_overflow(cell, weight, 1),
                }
            }
        }
    }

    /// Adds `copies[i]` times the weight `weights[i]`, or 1 without weights, to `cells[i]`.
    pub(crate) fn add_copies(&mut self, cells: &[u32], copies: &[u32], weights: Option<&[f32]>) {
        let Some(exponent) = self.exponent_for(weights.unwrap_or(&[1.0])) else { return };
        let units_per_one = 2f64.powi(-exponent);
        for (i, (&cell, &copies)) in cells.iter().zip(copies).enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[i]);
            let units = to_units(weight, units_per_one).and_then(|units| units.checked_mul(i64::from(copies)));
            let fixed = &mut self.fixed[cell as usize];
            match units.and_then(|units| fixed.checked_add(units)) {
                Some(sum) => *fixed = sum,
                None => self.add_overflow(cell, weight, copies),
            }
        }
    }

    /// The binary exponent of the unit of `fixed`, which is chosen for `weights` if they are the first ones; `None` if
    /// all weights so far are 0.
    fn exponent_for(&mut self, weights: &[f32]) -> Option<i32> {
        if self.unit_exponent.is_none() {
            let max = weights.iter().fold(0.0f32, |max, weight| max.max(weight.abs()));
            if max > 0.0 {
                let exponent = max.log2().ceil().min(64.0) as i32 - Self::WEIGHT_BITS;
                self.unit_exponent = Some(exponent.max(Self::UNIT_EXPONENT));
            }
        }
        self.unit_exponent
    }

    #[cold]
    fn add_overflow(&mut self, cell: u32, weight: f32, copies: u32) {
        let weight = f64::from(weight.clamp(-Points::MAX_WEIGHT, Points::MAX_WEIGHT));
        // Exact except for the rounding: a 24-bit integer times a power of two, at most 2^100.
        *self.overflow.entry(cell).or_insert(0) += (weight / Self::UNIT).round() as i128 * i128::from(copies);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let same_unit = self.unit_exponent == other.unit_exponent;
        for (cell, &addend) in other.fixed.iter().enumerate() {
            if addend == 0 {
                continue;
            }
            match self.fixed[cell].checked_add(addend) {
                Some(sum) if same_unit => self.fixed[cell] = sum,
                _ => *self.overflow.entry(cell as u32).or_insert(0) += in_units(addend, other.unit_exponent),
            }
        }
        for (cell, addend) in other.overflow {
            *self.overflow.entry(cell).or_insert(0) += addend;
        }
    }

    /// The same sums in `cells` cells: the sum of cell i moves to cell `to(i)`, which must be another one for each cell.
    pub(crate) fn moved(self, cells: usize, to: impl Fn(usize) -> usize) -> Self {
        let mut fixed = vec![0; cells];
        for (cell, &sum) in self.fixed.iter().enumerate().filter(|(_, sum)| **sum != 0) {
            fixed[to(cell)] = sum;
        }
        let overflow = self.overflow.into_iter().map(|(cell, sum)| (to(cell as usize) as u32, sum)).collect();
        Self { fixed, overflow, ..self }
    }

    /// The sum of a cell.
    pub(crate) fn sum(&self, cell: usize) -> f64 {
        self.total(cell) as f64 * Self::UNIT
    }

    pub(super) fn round(&self, sums: &mut [f32]) {
        let unit = 2f64.powi(self.unit_exponent.unwrap_or(0));
        round_all(&self.fixed, unit, sums);
        for &cell in self.overflow.keys() {
            if let Some(sum) = sums.get_mut(cell as usize) {
                *sum = round_units(self.total(cell as usize));
            }
        }
    }

    /// Like [`round`](Self::round), plus the counts `ones` of points of weight 1.
    pub(super) fn round_with(&self, ones: &Counts, sums: &mut [f32]) {
        for (cell, sum) in sums.iter_mut().enumerate() {
            *sum = round_units(self.total(cell) + (i128::from(ones.count(cell)) << -Self::UNIT_EXPONENT));
        }
    }

    /// The exact sum in units of [`Sums::UNIT`].
    fn total(&self, cell: usize) -> i128 {
        let overflow = self.overflow.get(&(cell as u32)).copied().unwrap_or(0);
        in_units(self.fixed[cell], self.unit_exponent) + overflow
    }
}

/// A weight in units; `None` if it is not a multiple of the unit or too large.
#[inline(always)]
#[allow(clippy::inline_always)]
fn to_units(weight: f32, units_per_one: f64) -> Option<i64> {
    const LIMIT: f64 = (1u64 << 62) as f64;
    let scaled = f64::from(weight) * units_per_one;
    let is_small = scaled.abs() < LIMIT && weight.abs() <= Points::MAX_WEIGHT;
    let scaled = if is_small { scaled } else { 0.5 };
    // SAFETY: the number is finite, and its absolute value is less than 2^62.
    #[allow(unsafe_code)]
    let truncated: i64 = unsafe { scaled.to_int_unchecked() };
    #[allow(clippy::float_cmp, reason = "tests whether the number is an integer")]
    let fits = truncated as f64 == scaled;
    fits.then_some(truncated)
}

wide! {
    /// Converts weights to units, with 0 for those that do not fit. Returns whether all fit.
    fn all_to_units(weights: &[f32], units_per_one: f64, units: &mut [i64]) -> bool {
        let mut all_fit = true;
        for (units, &weight) in units.iter_mut().zip(weights) {
            let converted = to_units(weight, units_per_one);
            all_fit &= converted.is_some();
            *units = converted.unwrap_or(0);
        }
        all_fit
    }
}

wide! {
    fn round_all(fixed: &[i64], unit: f64, sums: &mut [f32]) {
        for (sum, &fixed) in sums.iter_mut().zip(fixed) {
            *sum = (fixed as f64 * unit) as f32;
        }
    }
}

/// Rounds an exact sum to `f32`, by way of `f64` as in [`round_all`], so that both round alike.
fn round_units(total: i128) -> f32 {
    (total as f64 * Sums::UNIT) as f32
}

/// Converts a fixed-point sum to units of [`Sums::UNIT`].
fn in_units(fixed: i64, unit_exponent: Option<i32>) -> i128 {
    unit_exponent.map_or(0, |exponent| i128::from(fixed) << (exponent - Sums::UNIT_EXPONENT))
}
