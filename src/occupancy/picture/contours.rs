//! Isolines of the smoothed density.

use super::heat::{Smoothed, smooth};
use super::{GridPicture, GridStyle, PictureLimits, encode};
use crate::error::Result;
use crate::occupancy::{Grid, GridLayer};
use crate::raster::{self, Quantizer, Span, contour_lines};

/// An isoline.
#[derive(Clone, Debug, PartialEq)]
pub struct ContourLine {
    /// The value on the line.
    pub value: f64,
    /// The positions: x and y in meters, or longitude and latitude in degrees.
    pub positions: Vec<[f64; 2]>,
}

/// The isolines of a grid's smoothed density, and the unit of their values.
///
/// # Errors
/// As [`draw`](super::draw).
pub fn contours(
    grid: &Grid,
    layer: &GridLayer<'_>,
    style: &GridStyle,
    limits: PictureLimits,
) -> Result<(Vec<ContourLine>, String)> {
    let Smoothed { canvas, values, unit } = smooth(grid, layer, style, limits)?;
    let span = style.span(&values, grid.quantity().is_additive())?;
    let quantizer = style.quantizer(&values, span, grid.quantity().is_additive());
    // A millimeter on a plane, a centimeter on the globe.
    let unit_of_position = if grid.is_globe { 1e7 } else { 1e3 };
    let mut lines = Vec::new();
    for value in levels(&quantizer, span, style.levels) {
        for line in contour_lines(&values, value as f32, layer.workers())? {
            let position = |[column, row]: [f64; 2]| {
                let [x, y] = canvas.world_at(column, row);
                let (x, y) = canvas.projection().inverse(x, y);
                [x, y].map(|number| (number * unit_of_position).round() / unit_of_position)
            };
            lines.push(ContourLine { value, positions: line.into_iter().map(position).collect() });
        }
    }
    Ok((lines, unit))
}

/// Draws the isolines, each in the color of its value.
pub(super) fn draw(
    grid: &Grid,
    layer: &GridLayer<'_>,
    style: &GridStyle,
    limits: PictureLimits,
) -> Result<GridPicture> {
    let Smoothed { canvas, values, unit } = smooth(grid, layer, style, limits)?;
    let span = style.span(&values, grid.quantity().is_additive())?;
    let quantizer = style.quantizer(&values, span, grid.quantity().is_additive());
    let levels = levels(&quantizer, span, style.levels);
    let pens = Pens::new(levels.len());
    let mut palette = Box::new([[0_u8; 4]; 256]);
    let mut indices = raster::Grid::filled(values.width(), values.height(), 0_u8);
    for (level, &value) in levels.iter().enumerate() {
        let color = style.palette.at(quantizer.position(value));
        for step in 1..=pens.steps {
            let [r, g, b, alpha] = color;
            let share = step as f64 / pens.steps as f64;
            palette[pens.index(level, step)] = [r, g, b, (f64::from(alpha) * share).round() as u8];
        }
        for line in contour_lines(&values, value as f32, layer.workers())? {
            line.windows(2).for_each(|ends| pens.draw(&mut indices, level, ends[0], ends[1]));
        }
    }
    let png = encode(&indices, &palette)?;
    Ok(GridPicture { png, bounds: canvas.bounds(), span: [span.vmin, span.vmax], unit, height_scale: None })
}

/// The values of `count` lines, at equal steps of the palette between its ends.
fn levels(quantizer: &Quantizer, span: Span, count: u32) -> Vec<f64> {
    let level = |index: u32| {
        let position = f64::from(index) / f64::from(count + 1);
        // The position increases with the value.
        let (mut low, mut high) = (span.vmin, span.vmax);
        for _ in 0..60 {
            let middle = low.midpoint(high);
            if quantizer.position(middle) < position {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    };
    (1..=count).map(level).collect()
}

/// Lines of several colors in a palette: each has steps of opacity, so that lines are smooth.
struct Pens {
    steps: usize,
}

impl Pens {
    /// Half the width of a line in pixels.
    const HALF_WIDTH_PX: f64 = 0.9;

    fn new(levels: usize) -> Self {
        Self { steps: (255 / levels.max(1)).clamp(1, 16) }
    }

    /// The palette index of a level with `step` of `steps` of its opacity.
    fn index(&self, level: usize, step: usize) -> usize {
        (level * self.steps + step).min(255)
    }

    /// Draws a segment: the opacity of a pixel is the share of it that the line covers, approximated by the distance of
    /// its center.
    fn draw(&self, indices: &mut raster::Grid<u8>, level: usize, [x0, y0]: [f64; 2], [x1, y1]: [f64; 2]) {
        let reach = Self::HALF_WIDTH_PX + 0.5;
        let range = |a: f64, b: f64, count: usize| {
            let first = (a.min(b) - reach).floor().max(0.0) as usize;
            let end = (a.max(b) + reach).ceil().clamp(0.0, count as f64) as usize;
            first..end
        };
        let (width, height) = (indices.width(), indices.height());
        let (dx, dy) = (x1 - x0, y1 - y0);
        let length2 = dx * dx + dy * dy;
        for row in range(y0, y1, height) {
            for column in range(x0, x1, width) {
                let (x, y) = (column as f64 + 0.5 - x0, row as f64 + 0.5 - y0);
                let along = if length2 > 0.0 { ((x * dx + y * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (x - along * dx).hypot(y - along * dy);
                let share = (reach - distance).clamp(0.0, 1.0);
                let step = (share * self.steps as f64).round() as usize;
                let pixel = &mut indices.row_mut(row)[column];
                let old = usize::from(*pixel);
                let old_step = if old == 0 { 0 } else { (old - 1) % self.steps + 1 };
                if step > old_step {
                    *pixel = self.index(level, step) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Aggregation, Curve, Grid};

    #[test]
    fn lines_are_at_equal_steps_of_the_palette() {
        let values = Grid::filled(1, 1, 0.0);
        let span = Span { vmin: 0.0, vmax: 9.0 };
        let of = |curve| levels(&Quantizer::new(&values, Aggregation::Sum, span, curve), span, 2);
        let near =
            |levels: Vec<f64>, expected: [f64; 2]| levels.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(of(Curve::Linear), [3.0, 6.0]));
        assert!(near(of(Curve::Sqrt), [1.0, 4.0]));
    }

    #[test]
    fn every_pen_has_its_own_colors() {
        for levels in [1, 8, 64] {
            let pens = Pens::new(levels);
            assert!(pens.steps >= 1 && pens.index(levels - 1, pens.steps) <= 255);
            assert!(pens.index(1, 1) > pens.index(0, pens.steps));
        }
    }
}
