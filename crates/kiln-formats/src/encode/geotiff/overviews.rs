//! Overviews: smaller copies of an image, of which programs read the one that fits their scale.

use super::TILE_PX;
use kiln_core::raster::Grid;

/// The overviews of `image`, the largest first: each half as wide and high as the one before, down to one tile. `mean`
/// returns the value of up to 4 pixels.
pub(super) fn overviews<T: Copy>(image: &Grid<T>, mean: impl Fn(&[T]) -> T) -> Vec<Grid<T>> {
    let mut levels: Vec<Grid<T>> = Vec::new();
    loop {
        let last = levels.last().unwrap_or(image);
        if last.width().max(last.height()) <= TILE_PX {
            return levels;
        }
        let next = halved(last, &mean);
        levels.push(next);
    }
}

fn halved<T: Copy>(image: &Grid<T>, mean: impl Fn(&[T]) -> T) -> Grid<T> {
    let (width, height) = (image.width(), image.height());
    let mut half = Grid::filled(width.div_ceil(2), height.div_ceil(2), image.row(0)[0]);
    for row in 0..half.height() {
        let north = image.row(2 * row);
        // The last row and column of an odd number have no neighbor.
        let south = image.row((2 * row + 1).min(height - 1));
        for (column, cell) in half.row_mut(row).iter_mut().enumerate() {
            let (west, east) = (2 * column, (2 * column + 1).min(width - 1));
            *cell = mean(&[north[west], north[east], south[west], south[east]]);
        }
    }
    half
}

/// The mean of the values that are not missing: neither `nodata` nor NaN.
#[allow(clippy::float_cmp, reason = "readers compare with the marker exactly too")]
pub(super) fn mean_value(values: &[f32], nodata: Option<f32>) -> f32 {
    let is_missing = |value: &f32| value.is_nan() || nodata == Some(*value);
    let valid = || values.iter().copied().filter(|value| !is_missing(value)).map(f64::from);
    match valid().count() {
        0 => nodata.unwrap_or(f32::NAN),
        count => (valid().sum::<f64>() / count as f64) as f32,
    }
}

/// The mean of colors, weighted by their alpha.
pub(super) fn mean_color(colors: &[[u8; 4]]) -> [u8; 4] {
    let alpha: u32 = colors.iter().map(|color| u32::from(color[3])).sum();
    let count = colors.len().max(1) as u32;
    if alpha == 0 {
        return [0; 4];
    }
    std::array::from_fn(|sample| {
        let (sum, weight) = match sample {
            3 => (alpha, count),
            _ => (colors.iter().map(|color| u32::from(color[sample]) * u32::from(color[3])).sum(), alpha),
        };
        // A mean of bytes is a byte.
        ((sum + weight / 2) / weight) as u8
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn overviews_halve_down_to_one_tile() {
        let sides = |width, height| {
            let levels = overviews(&Grid::filled(width, height, 1.0_f32), |values| mean_value(values, None));
            levels.iter().map(|level| (level.width(), level.height())).collect::<Vec<_>>()
        };
        assert_eq!(sides(256, 256), []);
        assert_eq!(sides(257, 1), [(129, 1)]);
        assert_eq!(sides(1025, 500), [(513, 250), (257, 125), (129, 63)]);
    }

    #[test]
    fn a_pixel_of_an_overview_is_the_mean_of_the_pixels_that_are_not_missing() {
        let image = Grid::from_cells(3, 2, vec![1.0, 2.0, 9.0, 3.0, f32::NAN, 11.0]).unwrap();
        let half = halved(&image, |values| mean_value(values, Some(f32::NAN)));
        assert_eq!(half.cells(), [2.0, 10.0]);
        let mean = |nodata: Option<f32>, values: [f32; 4]| mean_value(&values, nodata);
        assert_eq!(mean(Some(-1.0), [-1.0, -1.0, 4.0, 6.0]), 5.0);
        assert_eq!(mean(Some(-1.0), [-1.0; 4]), -1.0);
        assert_eq!(mean(None, [0.0, 0.0, 0.0, 4.0]), 1.0);
        assert!(mean(Some(f32::NAN), [f32::NAN; 4]).is_nan());
    }

    #[test]
    fn transparent_pixels_do_not_darken_colors() {
        assert_eq!(mean_color(&[[200, 100, 0, 255], [0; 4], [0; 4], [0; 4]]), [200, 100, 0, 64]);
        assert_eq!(mean_color(&[[10, 0, 0, 255], [20, 0, 0, 255]]), [15, 0, 0, 255]);
        assert_eq!(mean_color(&[[1, 2, 3, 0]; 4]), [0; 4]);
    }
}
