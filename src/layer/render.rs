//! Rendering of points to a picture.

use super::canvas_kernel::CanvasKernel;
use super::shading::Shading;
use super::style::{Blend, Style};
use crate::color::Palette;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Projection};
use crate::parameter::Parameter;
use crate::raster::{Aggregation, Cells, Grid, Quantizer, Reduction, Span, classic};
use crate::source::{PointSet, Query, ScanReport, Source, scan_cells, scan_each};
use crate::step::Step;
use crate::workers::Workers;

/// A rendered picture: one palette index per pixel, and the palette.
#[derive(Debug)]
pub struct Heatmap {
    /// The canvas: projection, bounds and size.
    pub canvas: Canvas,
    /// A palette index per pixel.
    pub indices: Grid<u8>,
    /// The colors of the indices.
    pub palette: Palette,
    /// The values that the indices were quantized from; `None` under [`Blend::Classic`], which has no values.
    pub values: Option<Values>,
    /// The number of points whose dots reach into the picture.
    pub drawn: u64,
    /// The number of valid points whose dots do not reach into the picture.
    pub outside: u64,
    /// The report of the scan.
    pub report: ScanReport,
}

/// The values of a picture, and their mapping to palette indices.
#[derive(Debug)]
pub struct Values {
    /// The value of each pixel, in the [unit](Style::unit) of the style; NaN if it has none.
    pub density: Grid<f32>,
    /// The aggregation of the points in a pixel.
    pub aggregation: Aggregation,
    /// Whether the points have weights; else each point has a weight of 1.
    pub weighted: bool,
    /// The value range of the palette.
    pub span: Span,
    /// The mapping from values to palette indices.
    pub quantizer: Quantizer,
}

/// Renders the points of `source` that pass `query` on `canvas`, with up to `threads` threads. The span is that of the
/// picture's own values.
///
/// The picture depends on the points, the canvas and the style alone, not on the threads or the order of the points.
/// (Only under [`Blend::Classic`] do dots combine in the order of the input.)
///
/// # Errors
/// If the input cannot be read, or the style is invalid on the canvas.
pub fn render(
    source: &dyn Source,
    query: &Query<'_>,
    canvas: &Canvas,
    style: &Style,
    threads: usize,
) -> Result<Heatmap> {
    if style.blend == Blend::Classic {
        return render_classic(source, query, canvas, style, threads);
    }
    let (kernel, cells, report) = sum_cells(|q, c, t, _| scan_cells(source, q, c, t, threads), query, canvas, style)?;
    paint(&kernel, &cells, report, query, canvas, style, None, threads)
}

/// Renders points like [`render`]. With `shading`, the mapping from values to colors is the same in all pictures that
/// share the shading.
///
/// # Errors
/// As [`render`].
pub fn render_shaded(
    points: &dyn PointSet,
    query: &Query<'_>,
    canvas: &Canvas,
    style: &Style,
    shading: Option<&Shading>,
    threads: usize,
) -> Result<Heatmap> {
    if style.blend == Blend::Classic {
        check_classic(points)?;
        return render_classic(points, query, canvas, style, threads);
    }
    let (kernel, cells, report) = sum_cells(|q, c, t, r| points.cells(q, c, t, r, threads), query, canvas, style)?;
    paint(&kernel, &cells, report, query, canvas, style, shading, threads)
}

/// Renders points like [`render_shaded`], or returns `None` if no dot reaches into the picture, which is much cheaper.
///
/// # Errors
/// As [`render`].
pub fn render_occupied(
    points: &dyn PointSet,
    query: &Query<'_>,
    canvas: &Canvas,
    style: &Style,
    shading: Option<&Shading>,
    threads: usize,
) -> Result<Option<Heatmap>> {
    if style.blend == Blend::Classic {
        check_classic(points)?;
        let heat = render_classic(points, query, canvas, style, threads)?;
        return Ok(Some(heat).filter(|heat| heat.drawn > 0));
    }
    let (kernel, cells, report) = sum_cells(|q, c, t, r| points.cells(q, c, t, r, threads), query, canvas, style)?;
    if cells.inside == 0 {
        return Ok(None);
    }
    paint(&kernel, &cells, report, query, canvas, style, shading, threads).map(Some)
}

/// Whether there are points on `canvas`.
///
/// # Errors
/// If the points cannot be read.
pub fn is_occupied(points: &dyn PointSet, query: &Query<'_>, canvas: &Canvas) -> Result<bool> {
    let query = query.clone().with_weights(false);
    // An infinite radius allows the coarsest cells.
    let (cells, _) = points.cells(&query, canvas, Reduction::Count, f64::MAX, 1)?;
    Ok(cells.inside > 0)
}

/// Sums the points per cell of a picture, including its surroundings within the reach of the kernel. `cells` returns
/// the sums for a query, canvas, reduction and minimum radius in pixels.
///
/// # Errors
/// If the points cannot be read, or the radius is invalid on the canvas.
pub(super) fn sum_cells(
    cells: impl Fn(&Query<'_>, &Canvas, Reduction, f64) -> Result<(Cells, ScanReport)>,
    query: &Query<'_>,
    canvas: &Canvas,
    style: &Style,
) -> Result<(CanvasKernel, Cells, ScanReport)> {
    let kernel = style.kernel(canvas)?;
    let (grown, reduction) = (kernel.cells_canvas(canvas), style.aggregation.reduction());
    let _step = Step::enter("read points");
    let (cells, report) = cells(query, &grown, reduction, kernel.min_radius_px())?;
    check_stop(query)?;
    Ok((kernel, cells, report))
}

/// Renders a picture from its cells.
#[allow(clippy::too_many_arguments, reason = "the picture depends on all of them")]
fn paint(
    kernel: &CanvasKernel,
    cells: &Cells,
    report: ScanReport,
    query: &Query<'_>,
    canvas: &Canvas,
    style: &Style,
    shading: Option<&Shading>,
    threads: usize,
) -> Result<Heatmap> {
    let _step = Step::enter("draw");
    check_occupied_rows(cells, &kernel.cells_canvas(canvas), style)?;
    let density = values(kernel, cells, canvas, style, Workers::new(threads, query.scan.stop))?;
    check_stop(query)?;
    let (span, quantizer) = if let Some(shading) = shading {
        (shading.span, shading.quantizer.clone())
    } else {
        let span = style.span(&density, threads)?;
        (span, style.quantizer(&density, span))
    };
    check_stop(query)?;
    let indices = quantizer.quantize(&density, threads);
    // A point in several copies of the world counts once.
    let drawn = cells.inside.min(cells.points);
    let outside = report.valid().saturating_sub(drawn);
    let values = Some(Values { density, aggregation: style.aggregation, weighted: cells.weighted, span, quantizer });
    Ok(Heatmap { canvas: *canvas, indices, palette: style.palette(), values, drawn, outside, report })
}

/// Rejects a radius on the ground that exceeds the maximum in a row of cells with points.
fn check_occupied_rows(cells: &Cells, canvas: &Canvas, style: &Style) -> Result<()> {
    if style.check_rows(canvas).is_ok() {
        return Ok(());
    }
    let differs = |grid: Option<&Grid<f32>>, empty: f32, row: usize| {
        grid.is_some_and(|grid| grid.row(row).iter().any(|cell| cell.to_bits() != empty.to_bits()))
    };
    let is_occupied = |row: &usize| {
        let Cells { counts, sums, max, .. } = cells;
        differs(counts.as_ref(), 0.0, *row)
            || differs(sums.as_ref(), 0.0, *row)
            || differs(max.as_ref(), f32::NEG_INFINITY, *row)
    };
    // The radius is the largest in the first or the last of these rows.
    let (first, last) = ((0..cells.height).find(is_occupied), (0..cells.height).rfind(is_occupied));
    first.into_iter().chain(last).try_for_each(|row| {
        let [x, y] = canvas.world_at(0.0, row as f64 + 0.5);
        style.check_radius_at(canvas, canvas.projection().inverse(x, y).1)
    })
}

/// The values of a picture from its cells.
pub(super) fn values(
    kernel: &CanvasKernel,
    cells: &Cells,
    canvas: &Canvas,
    style: &Style,
    workers: Workers<'_>,
) -> Result<Grid<f32>> {
    let mut values = kernel.density(cells, style.aggregation, workers)?;
    style.convert_to_unit(&mut values, canvas);
    Ok(values)
}

fn check_stop(query: &Query<'_>) -> Result<()> {
    if query.is_stopped() { Err(Error::Cancelled) } else { Ok(()) }
}

/// Rejects the classic blend of bins.
fn check_classic(points: &dyn PointSet) -> Result<()> {
    let Some(level) = points.bin_level() else { return Ok(()) };
    let message = format!(
        "the classic blend draws each point, but the layer has bins of level {level}, each the sum of several points; use \
         the blend add"
    );
    Err(Error::invalid(Parameter::BLEND, message))
}

/// Renders a picture as the Python heatmap library does. The points are collected in the order of the input, since
/// blending does not commute.
///
/// In a picture of given bounds on a plane, positions are computed as in the library, in `f32` and relative to the corner
/// of a pixel, so that the picture is identical to the byte. On the globe and in tiles of a plane they are exact: `f64`,
/// relative to the center of a pixel.
fn render_classic(
    source: &dyn Source,
    query: &Query<'_>,
    canvas: &Canvas,
    style: &Style,
    threads: usize,
) -> Result<Heatmap> {
    /// Positions are multiples of 1/256 pixel. If half the dot size is a multiple as well, the box around a dot is
    /// rounded the same way in every window.
    const STEPS_PER_PX: f32 = 128.0;
    let is_legacy = canvas.projection() == Projection::Plane && !canvas.is_plane_matrix();
    let dot_size = style.dot_size(canvas) as f32;
    let dot_size = if is_legacy { dot_size } else { (dot_size * STEPS_PER_PX).round().max(1.0) / STEPS_PER_PX };
    // The library truncates towards zero, which would round dots to the west and north of a window differently. Exact
    // positions are therefore shifted away from zero.
    let shift = if is_legacy { 0 } else { (dot_size / 2.0).ceil() as usize + 2 };
    let margin_px = classic::reach_px(dot_size).ceil() as u32;
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let Bounds { west, south, east, north } = canvas.bounds();
    let near = Some(canvas.grow(margin_px + 1).bounds());
    let query = query.clone().with_weights(false).with_near(near);
    let mut positions = (Vec::new(), Vec::new());
    let report = scan_each(source, &query, std::slice::from_mut(&mut positions), |(px, py), points| {
        if is_legacy {
            let (batch_px, batch_py) =
                classic::legacy_positions(points, Some([west, south, east, north]), width, height);
            px.extend(batch_px);
            py.extend(batch_py);
        } else {
            canvas.for_each_position(points, margin_px, |col, row| {
                px.push((col - 0.5 + shift as f64) as f32);
                py.push((row - 0.5 + shift as f64) as f32);
            });
        }
        query.flow()
    })?;
    check_stop(&query)?;
    let dots = classic::Dots::new(&positions.0, &positions.1, dot_size)?.with_stop(query.scan.stop);
    let window = classic::Window { column: shift, row: shift, width, height };
    let indices = dots.blend(window, threads)?;
    // A point in several copies of the world counts once.
    let drawn = (dots.count(window).drawn as u64).min(report.valid());
    let outside = report.valid().saturating_sub(drawn);
    Ok(Heatmap { canvas: *canvas, indices, palette: style.palette(), values: None, drawn, outside, report })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{PlaneTile, Points, TileCoord};
    use crate::layer::{Radius, Units};
    use crate::raster::{Curve, Shape};
    use crate::simd::at_each_width;
    use crate::source::MemorySource;

    #[test]
    fn every_vector_width_renders_the_same_bits() {
        let points = 30_000;
        let lon: Vec<f64> = (0..points).map(|i| (f64::from(i) * 0.618_034).fract() * 360.0 - 180.0).collect();
        let lat: Vec<f64> = (0..points).map(|i| ((f64::from(i) * 0.414_214).fract() - 0.5) * 175.0).collect();
        let weight: Vec<f32> = (0..points).map(|i| (i % 17) as f32 * 0.37 - 2.0).collect();
        let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap();
        let query = Query::default().with_weights(true);
        let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 333, 333).unwrap();
        let flat = Canvas::new(Projection::PlateCarree, Bounds::WORLD, 401, 200).unwrap();
        let deep = Canvas::tile(TileCoord::new(9, 275, 175).unwrap(), 256).unwrap().grow(900);
        for canvas in [world, flat, deep] {
            for (shape, aggregation, curve) in [
                (Shape::Gaussian, Aggregation::Sum, Curve::Linear),
                (Shape::Cone, Aggregation::Mean, Curve::Sqrt),
                (Shape::Quartic, Aggregation::Max, Curve::Linear),
                (Shape::Triangular, Aggregation::Count, Curve::EqHist),
            ] {
                let style = Style { shape, aggregation, curve, radius: Radius::Pixels(9.0), ..Style::new().unwrap() };
                let drawn = at_each_width(|| {
                    let heat = render(&MemorySource(points), &query, &canvas, &style, 2).unwrap();
                    let bits: Vec<u32> = heat.values.unwrap().density.cells().iter().map(|v| v.to_bits()).collect();
                    assert!(heat.drawn > 0);
                    (heat.indices, bits)
                });
                assert!(drawn.iter().all(|other| *other == drawn[0]), "{shape} {aggregation} {curve}");
            }
        }
    }

    #[test]
    fn four_tiles_of_a_plane_equal_their_picture_in_both_blends() {
        let count = 400;
        let x: Vec<f64> = (0..count).map(|i| (f64::from(i) * 0.618_034).fract() * 100.0 - 50.0).collect();
        let y: Vec<f64> = (0..count).map(|i| (f64::from(i) * 0.414_214).fract() * 80.0 - 40.0).collect();
        let points = Points::new(&x, &y).unwrap();
        let query = Query::default().with_coordinate_space(crate::source::CoordinateSpace::Plane);
        let limits = Style { vmin: Some(0.0), vmax: Some(0.1), units: Some(Units::PerPx), ..Style::new().unwrap() };
        for (blend, radius) in [(Blend::Add, 9.0), (Blend::Classic, 9.0), (Blend::Classic, 6.3)] {
            let style = Style { blend, radius: Radius::Pixels(radius), ..limits.clone() };
            let draw = |canvas: &Canvas| render(&MemorySource(points), &query, canvas, &style, 2).unwrap().indices;
            for (zoom, column, row) in [(2, -1, -1), (3, -2, -1), (3, 0, 0), (5, 3, -4)] {
                let tile = |x: i64, y: i64| {
                    draw(&Canvas::plane_tile(PlaneTile::new(zoom, column + x, row + y).unwrap(), 64).unwrap())
                };
                let corner = Canvas::plane_tile(PlaneTile::new(zoom, column, row).unwrap(), 64).unwrap();
                let whole = draw(&corner.window(0, 0, 128, 128).unwrap());
                let tiles = [[tile(0, 0), tile(1, 0)], [tile(0, 1), tile(1, 1)]];
                assert!(whole.cells().iter().any(|cell| *cell != whole.cells()[0]), "{zoom}/{column}/{row}");
                for row in 0..128 {
                    let [west, east] = &tiles[row / 64];
                    assert_eq!(
                        whole.row(row),
                        [west.row(row % 64), east.row(row % 64)].concat(),
                        "{blend} {zoom} {row}"
                    );
                }
            }
        }
    }
}
