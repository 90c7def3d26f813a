//! The smoothed density.

use super::work::PictureFrame;
use super::{GridPicture, GridStyle, PictureLimits, check_pixels, encode};
use crate::error::{Error, Result};
use crate::geo::{Canvas, EARTH_RADIUS_M, Points, Projection};
use crate::layer::{Radius, Style, canvas_of, check_cells, render, render_shaded};
use crate::occupancy::cell_window::h3_cells;
use crate::occupancy::{CellSystem, Grid, GridLayer, GridRequest, Quantity};
use crate::parameter::Parameter;
use crate::raster;
use crate::source::{CoordinateSpace, MemorySource, Query};

/// The smoothed values of a grid's points.
pub(super) struct Smoothed {
    /// The canvas.
    pub(super) canvas: Canvas,
    /// The value of each pixel, in `unit`, or the difference of both time ranges; NaN if it has none.
    pub(super) values: raster::Grid<f32>,
    /// The unit of the values: amounts per m² on a plane and per km² on the globe.
    pub(super) unit: String,
}

/// Draws the smoothed density of the points in the usual renderer.
pub(super) fn draw(
    grid: &Grid,
    layer: &GridLayer<'_>,
    style: &GridStyle,
    limits: PictureLimits,
) -> Result<GridPicture> {
    let Smoothed { canvas, values, unit } = smooth(grid, layer, style, limits)?;
    let span = style.span(&values, grid.quantity().is_additive())?;
    let quantizer = style.quantizer(&values, span, grid.quantity().is_additive());
    let png = encode(&quantizer.quantize(&values, layer.threads), style.palette.colors())?;
    Ok(GridPicture { png, bounds: canvas.bounds(), span: [span.vmin, span.vmax], unit, height_scale: None })
}

/// The canvas of a smoothed picture, and the style of its dots.
///
/// # Errors
/// [`Error::Invalid`] if the picture or a dot exceeds the limits.
pub(super) fn canvas_and_dots(
    frame: PictureFrame<'_>,
    style: &GridStyle,
    limits: PictureLimits,
) -> Result<(Canvas, Style)> {
    let canvas = canvas_of(projection(frame.is_globe), frame.bounds()?, style.size)?;
    check_pixels(canvas.width().into(), canvas.height().into(), limits)?;
    let mut dots = Style {
        shape: style.shape,
        aggregation: frame.request.quantity.aggregation(),
        radius: style.radius.unwrap_or(Radius::Meters(2.0 * side_m(frame.request))),
        ..Style::new()?
    };
    if style.radius.is_none() {
        // Two cells may be less than a pixel, or most of the picture.
        const PIXELS: [f64; 2] = [4.0, 96.0];
        let radius_px = dots.radius_px_at(&canvas, canvas.center_lat());
        if !(PIXELS[0]..=PIXELS[1]).contains(&radius_px) {
            dots.radius = Radius::Pixels(radius_px.clamp(PIXELS[0], PIXELS[1]));
        }
    }
    let radius_px = dots.min_radius_px(&canvas);
    if radius_px.is_nan() || radius_px > limits.radius_px {
        let limit = limits.radius_px;
        let detail = format!("a radius of {radius_px:.0} pixels exceeds the limit of {limit}, limits.radius_px");
        return Err(Error::invalid(Parameter::RADIUS, detail));
    }
    check_cells(&canvas, &dots.canvas_with_reach(&canvas)?, limits.pixels, limits.radius_px)?;
    Ok((canvas, dots))
}

fn projection(is_globe: bool) -> Projection {
    if is_globe { Projection::Mercator } else { Projection::Plane }
}

/// Smooths the points of a grid: those of the layer itself, or the cells of a grid of dwell times.
pub(super) fn smooth(grid: &Grid, layer: &GridLayer<'_>, style: &GridStyle, limits: PictureLimits) -> Result<Smoothed> {
    let (canvas, dots) = canvas_and_dots(grid.into(), style, limits)?;
    let unit = dots.unit(projection(grid.is_globe), layer.weight.filter(|_| grid.quantity().needs_weights()));
    let unit = match grid.quantity() {
        Quantity::Dwell => unit.replacen("points", "seconds", 1),
        _ => unit,
    };
    let [first, second] = layer.time_queries(&grid.request);
    let density = |query: &Query<'_>, second: bool| density(grid, layer, query, &canvas, &dots, second);
    let Some(mut values) = first.as_ref().map(|query| density(query, false)).transpose()? else {
        return Err(Error::invalid(Parameter::PICTURE, "there is no time range to draw"));
    };
    if let Some(query) = &second {
        let compared = density(query, true)?;
        for (value, compared) in values.cells_mut().iter_mut().zip(compared.cells()) {
            // No point reaches the pixel in either time range.
            *value = if *value == 0.0 && *compared == 0.0 { f32::NAN } else { *value - compared };
        }
    }
    Ok(Smoothed { canvas, values, unit })
}

/// The density of a time range.
fn density(
    grid: &Grid,
    layer: &GridLayer<'_>,
    query: &Query<'_>,
    canvas: &Canvas,
    dots: &Style,
    second: bool,
) -> Result<raster::Grid<f32>> {
    let heat = if grid.quantity() == Quantity::Dwell {
        let value = |cell: &crate::occupancy::GridCell| if second { cell.values.compared } else { cell.values.value };
        let cells = grid.cells.iter().filter_map(|cell| Some((cell.center, value(cell)? as f32)));
        let (centers, weights): (Vec<(f64, f64)>, Vec<f32>) = cells.unzip();
        let (x, y): (Vec<f64>, Vec<f64>) = centers.into_iter().unzip();
        let points = MemorySource(Points::new(&x, &y)?.with_weight(&weights)?);
        let space = if grid.is_globe { CoordinateSpace::Globe } else { CoordinateSpace::Plane };
        let query = Query::default().with_coordinate_space(space).with_weights(true).with_stop(query.scan.stop);
        render(&points, &query, canvas, dots, layer.threads)?
    } else {
        render_shaded(layer.points, query, canvas, dots, None, layer.threads)?
    };
    let none = || Error::invalid(Parameter::PICTURE, "the picture has no values");
    heat.values.map(|values| values.density).ok_or_else(none)
}

/// The side of a cell in meters; of a hexagon, that of a square of the mean area.
fn side_m(request: &GridRequest) -> f64 {
    match request.cells {
        CellSystem::Hexagon { resolution } => {
            (4.0 * std::f64::consts::PI * EARTH_RADIUS_M * EARTH_RADIUS_M / h3_cells(resolution)).sqrt()
        }
        _ => request.resolution.number,
    }
}
