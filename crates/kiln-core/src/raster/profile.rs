//! Fast values of kernels with factors that differ from row to row, in `f32`, with an error of about 10⁻⁶ of the peak.

use super::Shape;
use super::convolve::ROWS;
use crate::simd::wide;

/// exp(x) for −80 ≤ x ≤ 0, with a relative error below 10⁻⁶ near 0 and 5 · 10⁻⁶ at the end: 2ⁿ · 2ᶠ, where |f| ≤ ½ and 2ᶠ
/// is its Taylor polynomial of degree 6. It has no calls and no branches, so that loops vectorize.
#[inline(always)]
#[allow(clippy::inline_always)]
fn exp(x: f32) -> f32 {
    /// 1.5 · 2²³: a sum with it is rounded to an integer, in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const BIAS: u32 = 127;
    let t = x * std::f32::consts::LOG2_E;
    let rounded = t + ROUND;
    let f = t - (rounded - ROUND);
    let power = f32::from_bits(rounded.to_bits().wrapping_add(BIAS) << 23);
    // ln(2)ᵏ / k!
    let p = 1.540_353_1e-4f32;
    let p = p * f + 1.333_355_8e-3;
    let p = p * f + 9.618_129e-3;
    let p = p * f + 5.550_411e-2;
    let p = p * f + 0.240_226_5;
    let p = p * f + std::f32::consts::LN_2;
    (p * f + 1.0) * power
}

/// The Gaussian at a distance of `u` radii, of which `square` is the square; 0 beyond its end.
#[inline(always)]
#[allow(clippy::inline_always)]
fn gaussian(square: f32) -> f32 {
    const END: f32 = (super::kernel::GAUSSIAN_REACH * super::kernel::GAUSSIAN_REACH) as f32;
    if square <= END { exp(-4.5 * square.min(END)) } else { 0.0 }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn triangle(distance: f32) -> f32 {
    (1.0 - distance.abs()).max(0.0)
}

/// Replaces distances, in radii, by the factors of a separable shape.
#[inline(always)]
#[allow(clippy::inline_always)]
fn apply(shape: Shape, distances: &mut [f32]) {
    /// Distances at a time. The last ones are padded, since single ones take as long as a block.
    const BLOCK: usize = 16;
    let replace = |block: &mut [f32; BLOCK]| {
        if shape == Shape::Triangular {
            block.iter_mut().for_each(|value| *value = triangle(*value));
        } else {
            block.iter_mut().for_each(|value| *value = gaussian(*value * *value));
        }
    };
    let (blocks, rest) = distances.as_chunks_mut::<BLOCK>();
    blocks.iter_mut().for_each(replace);
    let mut padded = [0.0; BLOCK];
    padded[..rest.len()].copy_from_slice(rest);
    replace(&mut padded);
    rest.copy_from_slice(&padded[..rest.len()]);
}

wide! {
    /// The sum of the factors along the meridian from a row at `center` to rows at `positions`, times `weights`. The radius
    /// has the reciprocal `scale`.
    pub(super) fn norm(
        shape: Shape, positions: &[f64], weights: &[f32], center: f64, scale: f64, scratch: &mut Vec<f32>,
    ) -> f64 {
        scratch.clear();
        scratch.extend(positions.iter().map(|position| ((center - position) * scale) as f32));
        apply(shape, scratch);
        let mut sums = [0.0f64; SUMS];
        for (values, weights) in scratch.chunks(SUMS).zip(weights.chunks(SUMS)) {
            for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                *sum += f64::from(*value) * f64::from(*weight);
            }
        }
        sums.iter().sum()
    }
}

/// Rows of cells: their positions along the meridian, the reciprocals of their radii, and factors.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) positions: &'a [f64],
    pub(super) scales: &'a [f64],
    pub(super) factors: &'a [f32],
}

wide! {
    /// Sets one of the `ROWS` factors of each row of cells: that along the meridian to an output row at `center`, times
    /// `weight` and the factor of the row of cells.
    pub(super) fn vertical(
        shape: Shape, sources: Sources<'_>, center: f64, weight: f32, lane: usize, scratch: &mut Vec<f32>,
        out: &mut [[f32; ROWS]],
    ) {
        let Sources { positions, scales, factors } = sources;
        scratch.clear();
        let distances = positions.iter().zip(scales).map(|(position, scale)| ((position - center) * scale) as f32);
        scratch.extend(distances);
        apply(shape, scratch);
        scratch.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor * weight);
        for (out, value) in out.iter_mut().zip(&*scratch) {
            out[lane % ROWS] = *value;
        }
    }
}

wide! {
    /// The factors of the pixels of a row at up to `reach` pixels on either side, which sum to 1.
    pub(super) fn horizontal(shape: Shape, radius_px: f64, reach: usize, factors: &mut Vec<f32>) {
        factors.clear();
        factors.resize(2 * reach + 1, 0.0);
        let scale = radius_px.recip() as f32;
        let (west, east) = factors.split_at_mut(reach);
        for (i, factor) in (0i32..).zip(&mut *east) {
            *factor = i as f32 * scale;
        }
        apply(shape, east);
        let mut sums = [0.0f64; SUMS];
        for values in east[1..].chunks(SUMS) {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let norm = (f64::from(east[0]) + 2.0 * sums.iter().sum::<f64>()).recip() as f32;
        east.iter_mut().for_each(|factor| *factor *= norm);
        west.iter_mut().rev().zip(&east[1..]).for_each(|(west, east)| *west = *east);
    }
}

wide! {
    /// The values of a kernel in the pixels of a row, times `scale`. The middle value is that of the center, at a distance
    /// of the square root of `square` radii.
    pub(super) fn taps(shape: Shape, radius_px: f64, square: f64, scale: f32, taps: &mut [f32]) {
        let (inverse, square, center) = (radius_px.recip() as f32, square as f32, (taps.len() / 2) as i32);
        macro_rules! fill {
            ($value:expr) => {
                for (i, tap) in (0i32..).zip(taps) {
                    let u = (i - center) as f32 * inverse;
                    *tap = $value(u * u) * scale;
                }
            };
        }
        match shape {
            // Only of the maximum, which ends at the radius.
            Shape::Gaussian => fill!(|uu: f32| gaussian(uu + square)),
            Shape::Cone => fill!(|uu: f32| (1.0 - (uu + square).sqrt()).max(0.0)),
            Shape::Epanechnikov => fill!(|uu: f32| (1.0 - (uu + square)).max(0.0)),
            Shape::Quartic => fill!(|uu: f32| {
                let base = (1.0 - (uu + square)).max(0.0);
                base * base
            }),
            Shape::Triangular => {
                let factor = triangle(square.sqrt());
                fill!(|uu: f32| triangle(uu.sqrt()) * factor);
            }
            Shape::Uniform => taps.fill(scale),
        }
    }
}

/// Sums that are added up in parallel, in a fixed order.
const SUMS: usize = 8;

/// The sum of the factors of a separable shape along a row, with the radius in pixels.
pub(super) fn row_sum(shape: Shape, radius_px: f64) -> f64 {
    /// From this radius on, the sum of the Gaussian's samples is computed from its Fourier transform, by Poisson's summation
    /// formula: its integral, times 1 + 2 Σ qⁿ² with q = exp(−2π² σ²) and σ = r/3, where q⁹ is below 10⁻¹².
    const MIN_PX: f64 = 1.2;
    /// From this radius on, 2q is below 10⁻⁸.
    const SMOOTH_PX: f64 = 3.0;
    let reach = (radius_px * shape.reach()) as i32;
    let integral = radius_px * (2.0 * std::f64::consts::PI).sqrt() / 3.0;
    if shape == Shape::Triangular {
        let reach = f64::from(reach);
        2.0 * reach + 1.0 - reach * (reach + 1.0) / radius_px
    } else if radius_px >= SMOOTH_PX {
        integral
    } else if radius_px >= MIN_PX {
        let q = (-2.0 * (std::f64::consts::PI * radius_px / 3.0).powi(2)).exp();
        integral * (1.0 + 2.0 * (q + q.powi(4)))
    } else {
        1.0 + 2.0 * (1..=reach).map(|k| (-4.5 * (f64::from(k) / radius_px).powi(2)).exp()).sum::<f64>()
    }
}

/// Half the number of pixels of a row within a round kernel, without the center: its radius is `radius_px`, and the row is
/// `distance` radii from its center.
pub(super) fn half_width(radius_px: f64, distance: f64) -> usize {
    (radius_px * (1.0 - distance * distance).max(0.0).sqrt()) as usize
}

/// The sum of a round kernel over the pixels of a row, with the radius in pixels and the distance of the row in radii. Sums of
/// powers are in closed form.
pub(super) fn round_row_sum(shape: Shape, radius_px: f64, distance: f64) -> f64 {
    let m = half_width(radius_px, distance) as f64;
    let (count, rest) = (2.0 * m + 1.0, (1.0 - distance * distance).max(0.0));
    let squares = m * (m + 1.0) * count / 3.0 / (radius_px * radius_px);
    match shape {
        Shape::Uniform => count,
        Shape::Epanechnikov => count * rest - squares,
        Shape::Quartic => {
            let fourths = squares * (3.0 * m * m + 3.0 * m - 1.0) / 5.0 / (radius_px * radius_px);
            count * rest * rest - 2.0 * rest * squares + fourths
        }
        Shape::Gaussian | Shape::Triangular => row_sum(shape, radius_px),
        Shape::Cone => cone_sum(radius_px, distance * distance, m as usize),
    }
}

wide! {
    /// The sum of a cone over the `m` pixels on either side of the center of a row and the center.
    fn cone_sum(radius_px: f64, square: f64, m: usize) -> f64 {
        let (inverse, square) = (radius_px.recip() as f32, square as f32);
        let mut sums = [0.0f64; SUMS];
        let value = |k: usize| {
            let u = k as i32 as f32 * inverse;
            f64::from((1.0 - (u * u + square).sqrt()).max(0.0))
        };
        let blocks = m / SUMS;
        for block in 0..blocks {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += value(block * SUMS + lane + 1);
            }
        }
        let rest: f64 = (blocks * SUMS + 1..=m).map(value).sum();
        value(0) + 2.0 * (sums.iter().sum::<f64>() + rest)
    }
}
