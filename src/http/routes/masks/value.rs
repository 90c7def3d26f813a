//! `GET /masks/{id}/value`: the value of a cell.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::{PlaceOptions, blocking, find, resolve};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::masks::Click;
use crate::http::server::problem::{HttpResult, Problem};
use crate::masks::{MaskId, MaskRecord};

/// The value of a mask at a place
///
/// `x` and `y` are pixels of the picture, whose size is the mask's `width` and `height`; `row` and `column` are a cell. The
/// value is null where there is no data.
#[utoipa::path(get, path = "/masks/{id}/value", tag = "masks",
    params(("id" = String, Path, description = "As POST /masks returned it", example = "67e5504410b1426f9247bb680e5fe0c8"),
        InQuery<PlaceOptions>),
    responses(
        (status = 200, description = "The cell and its value", body = Click),
        (status = 400, description = "A parameter is invalid, or the place is outside of the mask", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such mask, or no longer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn value(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let place: PlaceOptions = fields.read()?;
    fields.finish()?;
    let (id, record) = find(&app, &id).await?;
    let found = look_up(&app, id, record, place).await?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(found)).into_response())
}

/// The cell at a place, and its value.
pub(super) async fn look_up(app: &Arc<App>, id: MaskId, record: MaskRecord, place: PlaceOptions) -> HttpResult<Click> {
    let style = resolve(app, &record.style()?)?;
    let place = place.resolve(&record, record.picture_size(&style, true)?)?;
    let shared = Arc::clone(app);
    let value = blocking(move || Ok(shared.masks.value(id, &record, place.row, place.column)?)).await?;
    let value = match value {
        None => serde_json::Value::Null,
        // JSON has no number for it.
        Some(infinite) if infinite.is_infinite() && infinite > 0.0 => "Infinity".into(),
        Some(infinite) if infinite.is_infinite() => "-Infinity".into(),
        Some(value) => value.into(),
    };
    Ok(Click { x: place.x, y: place.y, row: place.row, column: place.column, value })
}
