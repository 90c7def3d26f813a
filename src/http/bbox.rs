//! `GET /{layer}/bbox/{w},{s},{e},{n}/{width}x{height}.png`: a picture of any bounds.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Response};

use super::App;
use super::fields::{Answer, Fields};
use super::images::{has, png};
use super::parameters::PictureParameters;
use super::picture::{Beyond, LayerStyle, Wanted, canvas, etag};
use super::problem::Problem;
use crate::geo::Bounds;
use crate::layer::{Radius, Size};

/// A picture of any bounds
///
/// Exactly of the size that is asked for; `@2x` before `.png` doubles the pixels, for dense screens.
#[utoipa::path(get, path = "/{layer}/bbox/{bounds}/{size}", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("bounds" = String, Path, description = "west,south,east,north in degrees", example = "-12,35,32,60"),
        ("size" = String, Path, description = "width x height in pixels, with .png behind: 800x600.png, or 800x600@2x.png", example = "800x600.png"),
        PictureParameters),
    responses(
        (status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many pictures wait to be drawn, or it took too long", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn picture(
    State(app): State<Arc<App>>,
    Path((layer, bounds, size)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let wanted = wanted(&app, &layer, &bounds, &size, query.as_deref().unwrap_or_default())?;
    let key = format!("bbox/{}", wanted.key());
    let tag = etag(&key);
    let cache_control = &app.config.server.cache_control;
    // The tag follows from the request and the layer's version: nothing has to be drawn to know that nothing changed.
    if has(&headers, &tag) {
        return Ok(png(&headers, axum::body::Bytes::new(), &tag, cache_control));
    }
    let there = Arc::clone(&app);
    let draw = || {
        app.pool.run(move |stop| {
            let timer = there.metrics.render();
            let drawn = wanted.draw(&there, stop)?;
            timer.done();
            Ok(drawn.png)
        })
    };
    let (bytes, was_there) = app.bytes.get_or_make(&key, draw).await?;
    app.metrics.cache(was_there);
    Ok(png(&headers, bytes, &tag, cache_control))
}

fn wanted(app: &App, layer: &str, bounds: &str, size: &str, query: &str) -> Answer<Wanted> {
    let layer = app.layer(layer)?;
    let mut fields = Fields::from_query(query)?;
    let mut style = LayerStyle::read(app, &layer, &mut fields)?;
    fields.finish()?;

    let bounds: Bounds = bounds.parse()?;
    let malformed =
        || Problem::parameter("size", format!("`{size}` is not a size such as 800x600.png or 800x600@2x.png"));
    let stem = size.strip_suffix(".png").ok_or_else(malformed)?;
    let (stem, ratio) = stem.strip_suffix("@2x").map_or((stem, 1), |stem| (stem, 2));
    let Size::Exact(width, height) = stem.parse()? else { return Err(malformed()) };
    let size = Size::Exact(width.saturating_mul(ratio), height.saturating_mul(ratio));
    let canvas = canvas(app, style.projection, bounds, size, Beyond::Empty)?;
    // Twice the pixels for the same ground: a dot is as large on the map.
    style.options.radius = match style.options.radius.unwrap_or_default() {
        Radius::Pixels(pixels) => Some(Radius::Pixels(pixels * f64::from(ratio))),
        Radius::DotSize(pixels) => Some(Radius::DotSize(pixels * f64::from(ratio))),
        radius @ Radius::Meters(_) => Some(radius),
    };
    style.on(app, &layer, canvas)
}
