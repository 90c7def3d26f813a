//! The mean of the pixels under the kernel: OpenCV's `blur` (normalized box filter) of 8-bit images.

use kiln_core::raster::Grid;

use super::separable::{Taps, convolve};

pub(super) fn blur(
    levels: &Grid<u8>,
    no_data: Option<&Grid<u8>>,
    (width, height): (usize, usize),
    threads: usize,
) -> Grid<u8> {
    convolve(levels, no_data, &Taps::new(vec![1; width]), &Taps::new(vec![1; height]), threads)
}
