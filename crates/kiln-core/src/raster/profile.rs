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

/// Values that are computed at a time. Slices are padded to a multiple, since single values take as long as a block.
const BLOCK: usize = 16;

/// Replaces distances, in radii, by the factors of a separable shape.
#[inline(always)]
#[allow(clippy::inline_always)]
fn apply_to_block(shape: Shape, block: &mut [f32; BLOCK]) {
    if shape == Shape::Triangular {
        for value in block {
            *value = triangle(*value);
        }
    } else {
        for value in block {
            *value = gaussian(*value * *value);
        }
    }
}

/// Replaces distances, in radii, by the factors of a separable shape, and pads them to a multiple of [`BLOCK`].
#[inline(always)]
#[allow(clippy::inline_always)]
fn apply(shape: Shape, distances: &mut Vec<f32>) {
    distances.resize(distances.len().next_multiple_of(BLOCK), 0.0);
    for block in distances.as_chunks_mut::<BLOCK>().0 {
        apply_to_block(shape, block);
    }
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
        for (values, weights) in scratch.chunks_exact(SUMS).zip(weights.chunks(SUMS)) {
            for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                *sum += f64::from(*value) * f64::from(*weight);
            }
        }
        total(sums)
    }
}

/// The sum of partial sums.
#[inline(always)]
#[allow(clippy::inline_always)]
fn total(mut sums: [f64; SUMS]) -> f64 {
    for half in [SUMS / 2, SUMS / 4, SUMS / 8, SUMS / 16] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
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
        for (out, value) in out.iter_mut().zip(&scratch[..positions.len()]) {
            out[lane % ROWS] = *value;
        }
    }
}

wide! {
    /// Appends the factors of the pixels of a row at up to `reach` pixels on either side, which sum to 1.
    pub(super) fn horizontal(shape: Shape, radius_px: f64, reach: usize, factors: &mut Vec<f32>) {
        let (start, count) = (factors.len(), 2 * reach + 1);
        factors.resize(start + count.next_multiple_of(BLOCK), 0.0);
        let (scale, reach) = (radius_px.recip() as f32, reach as i32);
        let mut first = -reach;
        for block in factors[start..].as_chunks_mut::<BLOCK>().0 {
            for (value, i) in block.iter_mut().zip(0i32..) {
                *value = (first + i) as f32 * scale;
            }
            apply_to_block(shape, block);
            first += BLOCK as i32;
        }
        factors[start + count..].fill(0.0);
        let mut sums = [0.0f64; SUMS];
        for block in factors[start..].as_chunks::<BLOCK>().0 {
            sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let norm = total(sums).recip() as f32;
        factors[start..].iter_mut().for_each(|factor| *factor *= norm);
        factors.truncate(start + count);
    }
}

/// The values of a kernel in a row of pixels: half its number of pixels, without the center, and where they start in a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    pub(super) half: usize,
    pub(super) start: usize,
}

/// A row of pixels: the radius along it in pixels, its distance from the center of a kernel in radii, and the factor of its
/// values.
#[derive(Clone, Copy, Debug)]
pub(super) struct TapRow {
    pub(super) radius_px: f64,
    pub(super) distance: f64,
    pub(super) factor: f32,
}

wide! {
    /// Writes the values of a kernel in each of `rows` to `values`, which grows if it is too small, and where they are to `taps`.
    /// The middle value of a row is that of its center.
    pub(super) fn taps(shape: Shape, rows: &[TapRow], taps: &mut Vec<Taps>, values: &mut Vec<f32>) {
        taps.clear();
        let mut end = 0;
        for row in rows {
            let half = match shape {
                Shape::Triangular => row.radius_px as usize,
                _ => half_width(row.radius_px, row.distance),
            };
            taps.push(Taps { half, start: end });
            end += (2 * half + 1).next_multiple_of(BLOCK);
        }
        if values.len() < end {
            values.resize(end, 0.0);
        }
        for (row, &Taps { half, start }) in rows.iter().zip(&*taps) {
            let (inverse, square) = (row.radius_px.recip() as f32, (row.distance * row.distance) as f32);
            let (factor, center) = (row.factor, half as i32);
            let values = &mut values[start..start + (2 * half + 1).next_multiple_of(BLOCK)];
            match shape {
                // Only of the maximum, which ends at the radius.
                Shape::Gaussian => fill(values, center, inverse, |uu| gaussian(uu + square) * factor),
                Shape::Cone => fill(values, center, inverse, |uu| (1.0 - (uu + square).sqrt()).max(0.0) * factor),
                Shape::Epanechnikov => fill(values, center, inverse, |uu| (1.0 - (uu + square)).max(0.0) * factor),
                Shape::Quartic => fill(values, center, inverse, |uu| {
                    let base = (1.0 - (uu + square)).max(0.0);
                    base * base * factor
                }),
                Shape::Triangular => {
                    let factor = triangle(square.sqrt()) * factor;
                    fill(values, center, inverse, |uu| triangle(uu.sqrt()) * factor);
                }
                Shape::Uniform => values.fill(factor),
            }
        }
    }
}

/// Sets each value by the square of its distance along the row, in radii. Whole blocks are set: single values take as long.
#[inline(always)]
#[allow(clippy::inline_always)]
fn fill(values: &mut [f32], center: i32, inverse: f32, value: impl Fn(f32) -> f32) {
    let mut first = -center;
    for block in values.as_chunks_mut::<BLOCK>().0 {
        for (i, out) in (0i32..).zip(block) {
            let u = (first + i) as f32 * inverse;
            *out = value(u * u);
        }
        first += BLOCK as i32;
    }
}

/// Sums that are added up in parallel, in a fixed order.
const SUMS: usize = 16;

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

wide! {
    /// The sum of a round kernel over rows of pixels of the areas `areas`, times the area of a pixel, for rows at `positions`
    /// with the radii `radii_px`. The center of the kernel is at `center`, and its radius has the reciprocal `scale`. Sums of
    /// powers over the pixels of a row are in closed form.
    pub(super) fn round_norm(
        shape: Shape, radii_px: &[f64], positions: &[f64], areas: &[f64], center: f64, scale: f64,
    ) -> f64 {
        /// From this number of pixels on either side, the formula takes less time than the sum.
        const SMOOTH_PX: usize = 64;
        let (mut total, mut sums, mut values) = (0.0, [0.0f64; SUMS], Vec::new());
        for ((&radius_px, position), area) in radii_px.iter().zip(positions).zip(areas) {
            let distance = (center - position) * scale;
            let half = half_width(radius_px, distance);
            let (m, rest, inverse) = (half as f64, (1.0 - distance * distance).max(0.0), radius_px.recip());
            let count = 2.0 * m + 1.0;
            let squares = || m * (m + 1.0) * count / 3.0 * inverse * inverse;
            let sum = match shape {
                Shape::Epanechnikov => count * rest - squares(),
                Shape::Quartic => {
                    let squares = squares();
                    let fourths = squares * (3.0 * m * m + 3.0 * m - 1.0) / 5.0 * inverse * inverse;
                    count * rest * rest - 2.0 * rest * squares + fourths
                }
                Shape::Cone => {
                    // The center, of which there is one.
                    let center = 1.0 - distance.abs().min(1.0);
                    let distance_px = distance.abs() * radius_px;
                    if half > SMOOTH_PX && distance_px >= 1.0 {
                        center + 2.0 * cone_side(radius_px, distance_px, m)
                    } else {
                        add_cone(inverse as f32, (distance * distance) as f32, half, *area, &mut sums, &mut values);
                        center
                    }
                }
                Shape::Uniform | Shape::Gaussian | Shape::Triangular => count,
            };
            total += sum * area;
        }
        total + 2.0 * self::total(sums)
    }
}

/// Adds `area` times the values of a cone to `sums`, for the `half` pixels of a row on one side of the center. `inverse` is the
/// reciprocal of the radius in pixels, and `square` the square of the distance of the row in radii. `values` is a buffer, with
/// which both loops vectorize.
#[inline(always)]
#[allow(clippy::inline_always)]
fn add_cone(inverse: f32, square: f32, half: usize, area: f64, sums: &mut [f64; SUMS], values: &mut Vec<f32>) {
    // The kernel is 0 beyond `half`, up to rounding, so the last block may exceed it.
    let count = half.next_multiple_of(BLOCK);
    if values.len() < count {
        values.resize(count, 0.0);
    }
    let values = &mut values[..count];
    // The first value is next to the center.
    fill(values, -1, inverse, |uu| (1.0 - (uu + square).sqrt()).max(0.0));
    for values in values.as_chunks::<SUMS>().0 {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value) * area);
    }
}

/// The sum of a cone over the `half` pixels of a row on one side of the center, by the Euler–Maclaurin formula: the integral of
/// 1 − √(k² + a²) / r over k, half the difference between its ends, and a twelfth of that of the derivatives. `radius_px` is r,
/// and `distance_px` is a, the distance of the row in pixels along it. The error is 3 · 10⁻⁴ / r at a = 1, and below 10⁻⁶ / r from
/// a = 2 on.
fn cone_side(radius_px: f64, distance_px: f64, half: f64) -> f64 {
    let square = distance_px * distance_px;
    let end = (half * half + square).sqrt();
    let integral = f64::midpoint(half * end, square * ((half + end) / distance_px).ln());
    half - (integral + (end - distance_px) / 2.0 + half / end / 12.0) / radius_px
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_of_a_cone_equals_the_sum() {
        for (radius_px, distance_px) in [(80.0, 1.0), (80.3, 7.5), (150.0, 99.0), (400.0, 2.0), (1024.0, 1000.0)] {
            let half = half_width(radius_px, distance_px / radius_px);
            let value = |k: usize| 1.0 - (k as f64).hypot(distance_px) / radius_px;
            let expected: f64 = (1..=half).map(value).sum();
            let sum = cone_side(radius_px, distance_px, half as f64);
            assert!(
                half > 64 && (sum - expected).abs() < 4e-4 / radius_px,
                "{radius_px} {distance_px}: {sum} {expected}"
            );
        }
    }
}
