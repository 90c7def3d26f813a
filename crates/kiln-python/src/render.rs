//! Rendering of points to a picture.

use std::sync::atomic::AtomicBool;

use kiln::geo::Projection;
use kiln::layer::{Blend, ExtentScan, Heatmap, Style, canvas_for, canvas_of, render as render_points, weight_label};
use kiln::source::{CoordinateSpace, Query};
use kiln::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::exception;
use crate::image::Image;
use crate::keywords::{Keywords, needs_weights, resolve};
use crate::remarks::Remarks;
use crate::source::Source;
use crate::work;

/// Renders points to an image. `keywords` are those of the package's `render`.
#[pyfunction]
pub(crate) fn render(py: Python<'_>, source: &Source, keywords: &Bound<'_, PyDict>) -> PyResult<Image> {
    let keywords = Keywords::read(keywords)?;
    let style = resolve(&keywords.style).map_err(exception)?;
    let projection = keywords.projection(source.space).map_err(exception)?;
    let heat = work::run(py, |stop| draw(source, &keywords, &style, projection, stop))?;
    let is_weighted = heat.values.as_ref().is_some_and(|values| values.weighted);
    let column = source.weight.as_deref().or(heat.report.weight.as_deref());
    let unit = style.unit(projection, is_weighted.then(|| weight_label(column)));
    let remarks = Remarks::of(&heat.report);
    Ok(Image::new(heat, style, unit, String::new(), remarks))
}

fn draw(
    source: &Source,
    keywords: &Keywords,
    style: &Style,
    projection: Projection,
    stop: &AtomicBool,
) -> Result<Heatmap> {
    let (points, threads, size) = (&*source.points, keywords.threads(), keywords.size.unwrap_or_default());
    let space = if projection == Projection::Plane { CoordinateSpace::Plane } else { CoordinateSpace::Globe };
    let query = source.query().with_filter(keywords.filter.filter()?).with_coordinate_space(space);
    let query = query.with_weights(needs_weights(style)).with_stop(Some(stop));
    if let Some(bounds) = keywords.bounds {
        let heat = render_points(points, &query, &canvas_of(projection, bounds, size)?, style, threads)?;
        heat.report.require_points(&source.names)?;
        return Ok(heat);
    }
    // A classic picture depends on the order of the points, which only a single thread preserves.
    let scan_threads = if style.blend == Blend::Classic { 1 } else { threads };
    let scan = ExtentScan::of(points, &query, scan_threads)?;
    scan.report.require_points(&source.names)?;
    if scan.report.rejected + scan.report.filtered == scan.report.read {
        let detail = "no row passes the filters, and the picture cannot be fitted to points; give bounds";
        return Err(Error::input(source.names.join(", "), detail));
    }
    let fit = keywords.fit.unwrap_or_default();
    let canvas = canvas_for(projection, &scan.extent, size, style, fit)?;
    let mut heat = match scan.kept() {
        Some(kept) => {
            let all = Query::default().with_coordinate_space(space).with_weights(query.columns.weights);
            render_points(&kept, &all.with_stop(Some(stop)), &canvas, style, threads)?
        }
        None => render_points(points, &query, &canvas, style, threads)?,
    };
    heat.report = scan.report;
    Ok(heat)
}
