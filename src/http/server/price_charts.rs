//! Prices of masks and of charts of matrices. `docs/server.md` has the measurements behind the factors.

use kiln_matrix::{ChartData, Matrix};

use super::price::Price;
use crate::config::LimitsConfig;
use crate::mask::{BlurKind, MaskStyle};
use crate::matrix::{MatrixFormat, MatrixStyleOptions};

/// Pixels of a mask that are colored, encoded or decoded, and its cells that are quantized, per millisecond.
const PIXELS_PER_MS: f64 = 4.5e4;
/// Pixels of a mask that are resampled per millisecond.
const RESAMPLED_PER_MS: f64 = 2e4;
/// Products of a cell and a row or a column of the kernel of a blur per millisecond.
const SEPARABLE_PER_MS: f64 = 6e6;
/// Steps of a median per millisecond: those of a cell are the side of the kernel and [`MEDIAN_STEPS`].
const MEDIAN_PER_MS: f64 = 1.6e5;
const MEDIAN_STEPS: f64 = 8.0;
/// Bytes of the file of a mask that are read and stored per millisecond.
const MASK_BYTES_PER_MS: f64 = 8e4;
/// Bytes of a matrix that are parsed, and written as data, per millisecond.
const MATRIX_BYTES_PER_MS: f64 = 2e4;
/// Pixels of a chart of squares that are drawn per millisecond, and of other charts.
const CHART_PIXELS_PER_MS: f64 = 6e3;
const DOT_PIXELS_PER_MS: f64 = 3e3;
/// Cells and points that are drawn as SVG per millisecond.
const SVG_CELLS_PER_MS: f64 = 150.0;
/// The pixels of a chart without a size of its cells.
const CHART_PIXELS: f64 = 1e6;

impl Price {
    /// The price of a picture of a mask with `cells`; `has_levels`: they are in the cache, quantized and blurred.
    pub(crate) fn of_mask_picture(
        cells: u64,
        style: &MaskStyle,
        (width, height): (usize, usize),
        has_levels: bool,
    ) -> Self {
        let is_resampled = width as u64 * height as u64 != cells;
        let pixels = width as f64 * height as f64;
        let levels = if has_levels { 0.0 } else { levels_ms(cells as f64, style) };
        let resampling = if is_resampled { pixels / RESAMPLED_PER_MS } else { 0.0 };
        Self::of_ms(levels + resampling + pixels / PIXELS_PER_MS)
    }

    /// The price of storing a mask from files of `bytes`, which have a cell per byte at most, unless they are compressed.
    pub(crate) fn of_mask_files(bytes: usize, style: &MaskStyle) -> Self {
        let bytes = bytes as f64;
        Self::of_ms(bytes / MASK_BYTES_PER_MS + levels_ms(bytes, style))
    }

    /// The price of decoding a background of `bytes`, which may be compressed.
    pub(crate) fn of_image(bytes: usize, limits: &LimitsConfig) -> Self {
        /// Assumed for photos: pictures of one color have more pixels per byte, and take less time per pixel.
        const PIXELS_PER_BYTE: f64 = 16.0;
        Self::of_ms((bytes as f64 * PIXELS_PER_BYTE).min(limits.pixels as f64) / PIXELS_PER_MS)
    }

    /// The price of parsing a matrix of `bytes`.
    pub(crate) fn of_matrix_body(bytes: usize) -> Self {
        Self::of_ms(bytes as f64 / MATRIX_BYTES_PER_MS)
    }

    /// The price of a chart; 1 for a format of data, whose price is that of the body.
    pub(crate) fn of_chart(
        data: &ChartData,
        format: MatrixFormat,
        style: &MatrixStyleOptions,
        limits: &LimitsConfig,
    ) -> Self {
        match data {
            ChartData::Cells(matrix) => Self::of_matrix(matrix, format, style, limits),
            ChartData::Points(points) => Self::of_marks(points.len() as f64, false, format, style, limits),
        }
    }

    /// As [`of_chart`](Self::of_chart), of a matrix.
    pub(crate) fn of_matrix(
        matrix: &Matrix,
        format: MatrixFormat,
        style: &MatrixStyleOptions,
        limits: &LimitsConfig,
    ) -> Self {
        Self::of_marks(matrix.values().len() as f64, true, format, style, limits)
    }

    /// The price of a chart of cells or points.
    fn of_marks(
        marks: f64,
        is_matrix: bool,
        format: MatrixFormat,
        style: &MatrixStyleOptions,
        limits: &LimitsConfig,
    ) -> Self {
        match format {
            MatrixFormat::Svg => Self::of_ms(marks / SVG_CELLS_PER_MS),
            MatrixFormat::Png => {
                let ratio = style.pixel_ratio.unwrap_or(1.0);
                let of_cells = style.cell_size.filter(|_| is_matrix).map_or(0.0_f64, |px| marks * px * px);
                let pixels = (of_cells.max(CHART_PIXELS) * ratio * ratio).min(limits.pixels as f64);
                let has_texts = style.show_values.is_some() || style.shape.is_some() || !is_matrix;
                Self::of_ms(pixels / if has_texts { DOT_PIXELS_PER_MS } else { CHART_PIXELS_PER_MS })
            }
            MatrixFormat::Json | MatrixFormat::ChartJs | MatrixFormat::Csv => Self::LIGHT,
        }
    }
}

/// The time of quantizing and blurring a mask.
fn levels_ms(cells: f64, style: &MaskStyle) -> f64 {
    let blur = style.blur.map_or(0.0, |blur| match blur.kind() {
        BlurKind::Gaussian | BlurKind::Box => cells * (blur.width() + blur.height()) as f64 / SEPARABLE_PER_MS,
        BlurKind::Median => cells * (blur.width() as f64 + MEDIAN_STEPS) / MEDIAN_PER_MS,
    });
    cells / PIXELS_PER_MS + blur
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mask::Blur;

    fn style(blur: Option<(BlurKind, usize)>) -> MaskStyle {
        let blur = blur.map(|(kind, side)| Blur::new(kind, side, side).unwrap());
        MaskStyle { blur, ..MaskStyle::new().unwrap() }
    }

    #[test]
    fn large_masks_and_blurs_are_heavy_and_small_ones_are_light() {
        let at = |side: u64, style: &MaskStyle| {
            Price::of_mask_picture(side * side, style, (side as usize, side as usize), false)
        };
        for kind in [BlurKind::Gaussian, BlurKind::Median, BlurKind::Box] {
            let wide = style(Some((kind, 255)));
            assert!(!at(64, &wide).is_heavy() && at(4096, &wide).is_heavy(), "{kind}");
            assert!(at(4096, &wide) > at(4096, &style(None)), "{kind}");
            assert!(Price::of_mask_files(1 << 24, &wide) > Price::of_mask_files(1 << 24, &style(None)), "{kind}");
        }
        assert!(at(4096, &style(Some((BlurKind::Median, 255)))).ms() > 20_000);
        let cached = Price::of_mask_picture(1 << 20, &style(None), (1024, 1024), true);
        assert!(cached < at(1024, &style(None)) && !cached.is_heavy());
        // A small mask may have a large picture.
        assert!(Price::of_mask_picture(64, &style(None), (4096, 4096), true).is_heavy());
    }

    #[test]
    fn charts_of_many_pixels_are_heavy() {
        let data = ChartData::Points(Vec::new());
        let limits = LimitsConfig::default();
        let of = |format, ratio| {
            let style = MatrixStyleOptions { pixel_ratio: Some(ratio), ..MatrixStyleOptions::default() };
            Price::of_chart(&data, format, &style, &limits)
        };
        assert!(of(MatrixFormat::Png, 4.0).is_heavy() && of(MatrixFormat::Png, 4.0) > of(MatrixFormat::Png, 1.0));
        assert_eq!(of(MatrixFormat::Csv, 4.0), Price::LIGHT);
        assert!(Price::of_matrix_body(1 << 24).is_heavy() && !Price::of_matrix_body(1 << 16).is_heavy());
    }
}
