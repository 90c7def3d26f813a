use super::separable::reflect;
use super::*;

fn noise(width: usize, height: usize) -> Grid<u8> {
    let mut state = 1_u32;
    let cells = (0..width * height).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    Grid::from_cells(width, height, cells.collect()).unwrap()
}

/// A reference blur by definition: calls `of` with the level and the kernel position of each pixel with data.
fn direct(
    levels: &Grid<u8>,
    no_data: Option<&Grid<u8>>,
    blur: &Blur,
    column_at: impl Fn(isize, usize) -> usize,
    of: impl Fn(&mut Vec<(u8, usize, usize)>) -> f64,
) -> Grid<u8> {
    let (width, height) = (levels.width(), levels.height());
    let mut out = Grid::filled(width, height, 0);
    for row in 0..height {
        for column in 0..width {
            let mut cells = Vec::new();
            for down in 0..blur.height() {
                for across in 0..blur.width() {
                    let y = column_at((row + down) as isize - (blur.height() / 2) as isize, height);
                    let x = column_at((column + across) as isize - (blur.width() / 2) as isize, width);
                    if no_data.is_none_or(|no_data| no_data.row(y)[x] == 0) {
                        cells.push((levels.row(y)[x], across, down));
                    }
                }
            }
            out.row_mut(row)[column] = if cells.is_empty() { 0 } else { (of(&mut cells) + 0.5).floor() as u8 };
        }
    }
    out
}

fn holes(width: usize, height: usize) -> Grid<u8> {
    let mut holes = noise(width, height);
    holes.cells_mut().iter_mut().for_each(|cell| *cell = u8::from(*cell < 90));
    holes
}

const SIZES: [(usize, usize); 6] = [(1, 1), (2, 3), (1, 9), (17, 1), (13, 70), (67, 131)];

#[test]
fn a_box_is_the_mean_of_the_pixels_with_data() {
    for (width, height) in SIZES {
        for side in [(3, 3), (5, 1), (1, 7), (9, 15)] {
            let blur = Blur::new(BlurKind::Box, side.0, side.1).unwrap();
            let (levels, holes) = (noise(width, height), holes(width, height));
            for no_data in [None, Some(&holes)] {
                let mean = |cells: &mut Vec<(u8, usize, usize)>| {
                    cells.iter().map(|(level, ..)| f64::from(*level)).sum::<f64>() / cells.len() as f64
                };
                let expected = direct(&levels, no_data, &blur, reflect, mean);
                assert_eq!(blur.apply(&levels, no_data, 2), expected, "{width}x{height} {side:?}");
            }
        }
    }
}

#[test]
fn a_gaussian_weights_the_pixels_with_data() {
    let weights = [16.0, 64.0, 96.0, 64.0, 16.0];
    let blur = Blur::default();
    for (width, height) in SIZES {
        let (levels, holes) = (noise(width, height), holes(width, height));
        for no_data in [None, Some(&holes)] {
            let mean = |cells: &mut Vec<(u8, usize, usize)>| {
                let weight = |(_, across, down): &(u8, usize, usize)| weights[*across] * weights[*down];
                let sum: f64 = cells.iter().map(|cell| f64::from(cell.0) * weight(cell)).sum();
                sum / cells.iter().map(weight).sum::<f64>()
            };
            let expected = direct(&levels, no_data, &blur, reflect, mean);
            for result in kiln_core::simd::at_each_width(|| blur.apply(&levels, no_data, 3)) {
                assert_eq!(result, expected, "{width}x{height}");
            }
        }
    }
}

#[test]
fn a_median_is_the_lower_median_of_the_pixels_with_data() {
    let repeat = |at: isize, count: usize| at.clamp(0, count as isize - 1) as usize;
    for (width, height) in SIZES {
        for side in [3, 5, 11] {
            let blur = Blur::new(BlurKind::Median, side, side).unwrap();
            let (levels, holes) = (noise(width, height), holes(width, height));
            for no_data in [None, Some(&holes)] {
                let middle = |cells: &mut Vec<(u8, usize, usize)>| {
                    cells.sort_unstable();
                    f64::from(cells[(cells.len() - 1) / 2].0)
                };
                let expected = direct(&levels, no_data, &blur, repeat, middle);
                assert_eq!(blur.apply(&levels, no_data, 2), expected, "{width}x{height} {side}");
            }
        }
    }
}

#[test]
fn a_kernel_may_be_larger_than_the_mask() {
    let levels = Grid::from_cells(2, 1, vec![0, 200]).unwrap();
    for (kind, _) in [(BlurKind::Gaussian, 0), (BlurKind::Median, 0), (BlurKind::Box, 0)] {
        let blurred = Blur::new(kind, 255, 255).unwrap().apply(&levels, None, 1);
        assert_eq!((blurred.width(), blurred.height()), (2, 1));
    }
    let constant = Grid::filled(5, 4, 255);
    assert_eq!(Blur::new(BlurKind::Gaussian, 255, 255).unwrap().apply(&constant, None, 1), constant);
}

#[test]
fn even_and_huge_kernels_are_rejected() {
    for (width, height) in [(4, 5), (5, 0), (257, 5)] {
        let message = Blur::new(BlurKind::Gaussian, width, height).unwrap_err().to_string();
        assert!(message.starts_with("blur_ksize: ") && message.contains("odd numbers from 1 to 255"), "{message}");
    }
    assert!(Blur::new(BlurKind::Median, 3, 5).unwrap_err().to_string().contains("is not square"));
}
