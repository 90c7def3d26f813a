//! The factors by which a dot multiplies pixels.
//!
//! With `D` the dot size, `half = D/2` and `R = sqrt(half² + half²) / 2 = 0.353553 D`, a pixel at distance `d` is
//! multiplied by `min(255, trunc(200 d/R + 50)) / 255`. The squared distance is rounded to `f32` after every operation;
//! root, quotient, product and sum are `f64`. All of these are correctly rounded by IEEE 754, so the bytes are the same
//! on every machine as long as no multiplication is fused with an addition, which Rust never does implicitly.

use std::ops::Range;

/// Pixels computed at a time.
pub(super) const LANES: usize = 16;

/// The factor at the center of a dot.
const CENTER: f64 = 50.0;

/// The increase of the factor from the center to distance `R`.
const SLOPE: f64 = 200.0;

/// The maximum pixel value that the Python library shows.
const LAST_VISIBLE: f64 = 252.0;

/// An upper bound of the error of a position rounded to `f32`, in pixels.
///
/// Below `2 * MAX_SIDE_PX` = 2^20 adjacent `f32` are 1/16 apart, so the error of one rounding is at most 1/32.
const MAX_POSITION_ERROR_PX: f32 = 1.0 / 16.0;

/// An upper bound of the difference of the factors computed in `f32` and in `f64`.
///
/// The relative errors of `sqrt`, the slope and their product are at most 2^-24 each, of a number below 256: 4.6e-5
/// together. Adding the factor of the center rounds by at most 2^-17 = 7.7e-6 more. The error of the `f64` formula
/// itself is below 1e-12.
const MAX_FACTOR_ERROR: f32 = 1.0 / 8192.0;

/// 1.5 · 2^23: adding it to a small number rounds that to an integer, which is then in the low bits of the sum.
const ROUNDER: f32 = 12_582_912.0;

/// The lane numbers.
const LANE: [f32; LANES] = {
    let mut lane = [0.0; LANES];
    let mut i = 0;
    while i < LANES {
        lane[i] = i as f32;
        i += 1;
    }
    lane
};

/// `R` for a dot size, rounded as in the Python library.
fn cone_radius(dot_size: f32) -> f64 {
    let half = dot_size / 2.0;
    f64::from(half * half + half * half).sqrt() / 2.0
}

/// The visible radius of a single dot in pixels: 0.35886 times the dot size.
///
/// Pixels up to 252 are visible, and `trunc(200 d/R + 50) <= 252` for `d < 1.015 R` with `R = sqrt(2)/4` times the dot
/// size (`calcDensity` and `colorize` in `heatmap.c` of heatmap 2.2.1).
pub fn radius_for_dot_size(dot_size: f32) -> f32 {
    (f64::from(dot_size) * radius_per_dot_size()) as f32
}

/// The dot size at which the visible radius of a single dot is `radius_px`; the inverse of [`radius_for_dot_size`].
pub fn dot_size_for_radius(radius_px: f32) -> f32 {
    (f64::from(radius_px) / radius_per_dot_size()) as f32
}

/// The ratio of the visible radius of a single dot to the dot size.
fn radius_per_dot_size() -> f64 {
    (LAST_VISIBLE + 1.0 - CENTER) / SLOPE * std::f64::consts::SQRT_2 / 4.0
}

/// The maximum distance in pixels from the center of a dot at which it changes a pixel: 0.36239 times the dot size,
/// plus an allowance for rounding.
pub fn reach_px(dot_size: f32) -> f32 {
    let ratio = (255.0 - CENTER) / SLOPE;
    (cone_radius(dot_size) * ratio) as f32 + MAX_POSITION_ERROR_PX
}

/// The factors of dots of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cone {
    half: f32,
    radius: f64,
    slope: f32,
    reach: f32,
}

impl Cone {
    pub(super) fn new(dot_size: f32) -> Self {
        let radius = cone_radius(dot_size);
        Self { half: dot_size / 2.0, radius, slope: (SLOPE / radius) as f32, reach: reach_px(dot_size) }
    }

    /// See [`reach_px`].
    pub(super) fn reach(&self) -> f32 {
        self.reach
    }

    /// The rows and columns that a dot at `px`, `py` can change: those within reach that the loop of the Python library
    /// visits. The square of that loop is asymmetric, and narrower than the reach for dot sizes below 8.
    ///
    /// Row and column numbers are not negative, so truncation is rounding down.
    #[inline(always)]
    pub(super) fn extent(&self, px: f32, py: f32) -> (Range<i32>, Range<i32>) {
        let visited_rows = (py - self.half) as i32..(py + self.half) as i32;
        let center = px as i32 as f32;
        let visited_columns = (center - self.half) as i32..(center + self.half).ceil() as i32;
        (overlap(visited_rows, span(py, self.reach)), overlap(visited_columns, span(px, self.reach)))
    }

    /// The columns of a dot at `px` in the row at distance `dy` from its center.
    #[inline(always)]
    pub(super) fn chord(&self, px: f32, dy: f32) -> Range<i32> {
        span(px, (self.reach * self.reach - dy * dy).max(0.0).sqrt())
    }

    /// Multiplies the first `count` of `pixels`, which start at column `first`, by the factors of a dot at `px`, in the
    /// row at distance `dy` from its center.
    #[inline(always)]
    pub(super) fn shade(&self, pixels: &mut [u8; LANES], px: f32, first: f32, dy: f32, count: i32) {
        let factors = self.factors(px, first, dy);
        for i in 0..LANES {
            let factor = if (i as i32) < count { factors[i] } else { u8::MAX };
            pixels[i] = mul_div_255(pixels[i], factor);
        }
    }

    /// The factors, in units of 1/255, of the columns from `first` on in the row at distance `dy` from the center at
    /// `px`.
    #[inline(always)]
    fn factors(&self, px: f32, first: f32, dy: f32) -> [u8; LANES] {
        let mut squares = [0.0; LANES];
        let mut factors = [0; LANES];
        let mut is_uncertain = false;
        for i in 0..LANES {
            let dx = (first + LANE[i]) - px;
            squares[i] = dx * dx + dy * dy;
            // The nearest integer to `x - 1/2` is `trunc(x)`, except where `x` is close to an integer.
            let less_half = squares[i].sqrt() * self.slope + (CENTER as f32 - 0.5);
            let capped = if less_half < 255.0 { less_half } else { 255.0 };
            let rounded = capped + ROUNDER;
            is_uncertain |= (capped - (rounded - ROUNDER)).abs() > 0.5 - MAX_FACTOR_ERROR;
            factors[i] = rounded.to_bits() as u8;
        }
        if is_uncertain { self.exact_factors(&squares) } else { factors }
    }

    /// The factors at squared distances, in units of 1/255. The conversion truncates and saturates at 255.
    #[cold]
    #[inline(never)]
    fn exact_factors(&self, squares: &[f32; LANES]) -> [u8; LANES] {
        squares.map(|square| (SLOPE * (f64::from(square).sqrt() / self.radius) + CENTER) as u8)
    }
}

/// The range of pixels at most `reach` from `position`.
#[inline(always)]
fn span(position: f32, reach: f32) -> Range<i32> {
    (position - reach) as i32..(position + reach) as i32 + 1
}

/// The intersection of two ranges.
#[inline(always)]
fn overlap(a: Range<i32>, b: Range<i32>) -> Range<i32> {
    a.start.max(b.start)..a.end.min(b.end)
}

/// `a * b / 255`, rounded down.
#[inline(always)]
fn mul_div_255(a: u8, b: u8) -> u8 {
    let product = u16::from(a) * u16::from(b);
    ((product + 1 + (product >> 8)) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula in the documentation of the module.
    fn formula(dot_size: f32, square: f32) -> u8 {
        let half = dot_size / 2.0;
        let radius = f64::from(half * half + half * half).sqrt() / 2.0;
        (200.0 * (f64::from(square).sqrt() / radius) + 50.0).trunc().min(255.0) as u8
    }

    #[test]
    fn factors_are_exact_next_to_every_step() {
        for dot_size in 1..=200_u8 {
            let dot_size = f32::from(dot_size);
            let cone = Cone::new(dot_size);
            for step in 0..=206_u8 {
                let near = (f64::from(step) / 200.0 * cone.radius) as f32;
                for ulps in -4..=4 {
                    let dx = f32::from_bits(near.to_bits().saturating_add_signed(ulps));
                    assert_eq!(cone.factors(-dx, 0.0, 0.0)[0], formula(dot_size, dx * dx), "size {dot_size}, dx {dx}");
                }
            }
        }
    }

    #[test]
    fn factors_are_exact_along_a_row() {
        let cone = Cone::new(61.0);
        for step in 0..20_000_i16 {
            let (px, dy) = (500.0 + f32::from(step) / 997.0, f32::from(step) / 811.0);
            let factors = cone.factors(px, 510.0, dy);
            for (lane, factor) in (0_u8..).zip(factors) {
                let dx = 510.0 + f32::from(lane) - px;
                assert_eq!(factor, formula(61.0, dx * dx + dy * dy), "px {px}, lane {lane}, dy {dy}");
            }
        }
    }

    #[test]
    fn a_dot_is_visible_within_its_radius() {
        for dot_size in [8.0, 20.0, 50.0, 150.0] {
            let radius = radius_for_dot_size(dot_size);
            assert!(formula(dot_size, (radius * 0.9999).powi(2)) <= 252);
            assert!(formula(dot_size, (radius * 1.0001).powi(2)) > 252);
            assert!((radius / dot_size - 0.35886).abs() < 1e-5);
            assert!((dot_size_for_radius(radius) - dot_size).abs() < 1e-4);
            assert_eq!(formula(dot_size, reach_px(dot_size).powi(2)), 255);
        }
    }

    #[test]
    fn mul_div_255_is_exact() {
        for a in 0..=u8::MAX {
            for b in 0..=u8::MAX {
                assert_eq!(u32::from(mul_div_255(a, b)), u32::from(a) * u32::from(b) / 255, "{a} * {b}");
            }
        }
    }
}
