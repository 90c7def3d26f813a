//! What the points in each cell weigh together.

use std::collections::HashMap;

use super::counts::Counts;
use crate::geo::Points;
use crate::simd::wide;

/// Exact sums of weights per cell.
///
/// A weight is a 24-bit integer times a power of two, so sums of weights of similar size fit a 64-bit integer in a unit
/// that suits them; that unit is settled by the first weights seen. The few weights and sums that do not fit are added
/// in 128 bits beside. The total is exact either way, so it does not matter which weights came first.
#[derive(Debug)]
pub struct Sums {
    fixed: Vec<i64>,
    /// Binary exponent of the unit of `fixed`; `None` before the first weight other than 0.
    unit_exponent: Option<i32>,
    /// What did not fit, in units of [`Sums::UNIT`].
    beside: HashMap<u32, i128>,
}

impl Sums {
    /// Binary exponent of [`Self::UNIT`]: 2^27 of the greatest weights still sum exactly in 128 bits.
    const UNIT_EXPONENT: i32 = -56;
    /// Weights are rounded to multiples of this, 2^−56 ≈ 1.4 · 10^−17.
    pub const UNIT: f64 = 1.0 / (1u64 << -Self::UNIT_EXPONENT) as f64;
    /// Bits that the greatest of the first weights takes in `fixed`: 24 of its own, 16 for weights that are smaller,
    /// which leaves 2^23 times the greatest weight before a sum overflows into `beside`.
    const WEIGHT_BITS: i32 = 40;

    pub(super) fn new(cells: usize) -> Self {
        Self { fixed: vec![0; cells], unit_exponent: None, beside: HashMap::new() }
    }

    pub(super) fn add(&mut self, cells: &[u32], weights: Option<&[f32]>) {
        const BATCH: usize = 64;
        const ONES: [f32; BATCH] = [1.0; BATCH];
        let Some(weights) = weights else {
            cells.chunks(ONES.len()).for_each(|cells| self.add(cells, Some(&ONES[..cells.len()])));
            return;
        };
        let exponent = if let Some(exponent) = self.unit_exponent {
            exponent
        } else {
            let greatest = weights.iter().fold(0.0f32, |most, weight| most.max(weight.abs()));
            if greatest == 0.0 {
                return;
            }
            let exponent = greatest.log2().ceil().min(64.0) as i32 - Self::WEIGHT_BITS;
            *self.unit_exponent.insert(exponent.max(Self::UNIT_EXPONENT))
        };
        let per_unit = 2f64.powi(-exponent);
        let mut wholes = [0; BATCH];
        for (cells, weights) in cells.chunks(BATCH).zip(weights.chunks(BATCH)) {
            let all_fit = whole_units(weights, per_unit, &mut wholes);
            for ((&cell, &weight), &whole) in cells.iter().zip(weights).zip(&wholes) {
                let fits = all_fit || whole_unit(weight, per_unit).is_some();
                let fixed = &mut self.fixed[cell as usize];
                match fixed.checked_add(whole) {
                    Some(sum) if fits => *fixed = sum,
                    _ => self.add_beside(cell, weight),
                }
            }
        }
    }

    #[cold]
    fn add_beside(&mut self, cell: u32, weight: f32) {
        let weight = f64::from(weight.clamp(-Points::MAX_WEIGHT, Points::MAX_WEIGHT));
        // Exact but for the rounding: a 24-bit integer times a power of two, at most 2^100.
        *self.beside.entry(cell).or_insert(0) += (weight / Self::UNIT).round() as i128;
    }

    pub(super) fn merge(&mut self, other: Self) {
        let same_unit = self.unit_exponent == other.unit_exponent;
        for (cell, &theirs) in other.fixed.iter().enumerate() {
            if theirs == 0 {
                continue;
            }
            match self.fixed[cell].checked_add(theirs) {
                Some(sum) if same_unit => self.fixed[cell] = sum,
                _ => *self.beside.entry(cell as u32).or_insert(0) += in_units(theirs, other.unit_exponent),
            }
        }
        for (cell, theirs) in other.beside {
            *self.beside.entry(cell).or_insert(0) += theirs;
        }
    }

    pub(super) fn round(&self, sums: &mut [f32]) {
        let unit = 2f64.powi(self.unit_exponent.unwrap_or(0));
        round_all(&self.fixed, unit, sums);
        for &cell in self.beside.keys() {
            if let Some(sum) = sums.get_mut(cell as usize) {
                *sum = round_units(self.total(cell as usize));
            }
        }
    }

    /// As [`round`](Self::round), with a point of weight 1 more for each that was counted.
    pub(super) fn round_with(&self, ones: &Counts, sums: &mut [f32]) {
        for (cell, sum) in sums.iter_mut().enumerate() {
            *sum = round_units(self.total(cell) + (i128::from(ones.count(cell)) << -Self::UNIT_EXPONENT));
        }
    }

    /// The exact sum in units of [`Sums::UNIT`].
    fn total(&self, cell: usize) -> i128 {
        let beside = self.beside.get(&(cell as u32)).copied().unwrap_or(0);
        in_units(self.fixed[cell], self.unit_exponent) + beside
    }
}

/// A weight as a whole number of units, if it is one and not too great.
#[inline(always)]
#[allow(clippy::inline_always)]
fn whole_unit(weight: f32, per_unit: f64) -> Option<i64> {
    const MOST: f64 = (1u64 << 62) as f64;
    let scaled = f64::from(weight) * per_unit;
    let is_small = scaled.abs() < MOST && weight.abs() <= Points::MAX_WEIGHT;
    let scaled = if is_small { scaled } else { 0.5 };
    // SAFETY: the number is finite and less than 2^62 away from 0.
    #[allow(unsafe_code)]
    let whole: i64 = unsafe { scaled.to_int_unchecked() };
    #[allow(clippy::float_cmp, reason = "whether the weight is a whole number of units is the question")]
    let fits = whole as f64 == scaled;
    fits.then_some(whole)
}

wide! {
    /// The weights as whole numbers of units, 0 for those that are none; and whether all of them are.
    fn whole_units(weights: &[f32], per_unit: f64, wholes: &mut [i64]) -> bool {
        let mut all_fit = true;
        for (whole, &weight) in wholes.iter_mut().zip(weights) {
            let unit = whole_unit(weight, per_unit);
            all_fit &= unit.is_some();
            *whole = unit.unwrap_or(0);
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

/// An exact sum as `f32`. It is rounded to `f64` first, as a sum that fits 64 bits is, so that both give the same.
fn round_units(total: i128) -> f32 {
    (total as f64 * Sums::UNIT) as f32
}

/// A fixed-point sum in units of [`Sums::UNIT`].
fn in_units(fixed: i64, unit_exponent: Option<i32>) -> i128 {
    unit_exponent.map_or(0, |exponent| i128::from(fixed) << (exponent - Sums::UNIT_EXPONENT))
}
