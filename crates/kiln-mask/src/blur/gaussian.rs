//! The Gaussian blur of 8-bit levels, as in OpenCV.
//!
//! `GaussianBlur` of 8-bit images with sigma 0 (modules/imgproc/src/smooth.dispatch.cpp in OpenCV 4 and 5): the weights are
//! multiples of 1/256 and add up to 1, and only the final sum is rounded, half up.

use kiln_core::raster::Grid;

use super::separable::{Taps, convolve};

pub(super) fn blur(
    levels: &Grid<u8>,
    no_data: Option<&Grid<u8>>,
    (width, height): (usize, usize),
    threads: usize,
) -> Grid<u8> {
    let (across, down) = (Taps::new(weights(width)), Taps::new(weights(height)));
    convolve(levels, no_data, &across, &down, threads)
}

/// The weights of a kernel of `side` pixels, in 256ths.
///
/// Up to a side of 9 the weights are fixed. Larger kernels have the weights of a Gaussian with a standard deviation of
/// 0.3 · ((side − 1) / 2 − 1) + 0.8; the rounding error of each weight is added to the next, and the center weight is the rest
/// of 256.
fn weights(side: usize) -> Vec<u16> {
    match side {
        1 => return vec![256],
        3 => return vec![64, 128, 64],
        5 => return vec![16, 64, 96, 64, 16],
        7 => return vec![8, 28, 56, 72, 56, 28, 8],
        9 => return vec![4, 13, 30, 51, 60, 51, 30, 13, 4],
        _ => {}
    }
    let reach = side / 2;
    let sigma = side as f64 * 0.15 + 0.35;
    let tails: Vec<f64> = (0..reach).map(|i| (-0.5 * ((reach - i) as f64 / sigma).powi(2)).exp()).collect();
    let sum = 1.0 + 2.0 * tails.iter().sum::<f64>();
    let (mut weights, mut error, mut rest) = (vec![0; side], 0.0, 256_u16);
    for (i, tail) in tails.iter().enumerate() {
        let exact = tail / sum * 256.0 + error;
        let rounded = exact.round_ties_even();
        error = exact - rounded;
        // Rounding errors can make the outermost weights of a wide kernel slightly negative.
        let weight = rounded.max(0.0) as u16;
        (weights[i], weights[side - 1 - i]) = (weight, weight);
        rest = rest.saturating_sub(2 * weight);
    }
    weights[reach] = rest;
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_symmetric_and_add_up_to_one() {
        for side in (1..=255).step_by(2) {
            let weights = weights(side);
            assert_eq!((weights.len(), weights.iter().sum::<u16>()), (side, 256));
            assert!(weights.iter().eq(weights.iter().rev()), "{side}");
        }
        assert_eq!(weights(11), [2, 7, 17, 31, 45, 52, 45, 31, 17, 7, 2]);
    }
}
