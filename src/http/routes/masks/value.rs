//! `GET /masks/{id}/value`: the value of a cell.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::{PositionOptions, blocking, find, resolve};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::masks::Click;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::masks::{MaskId, MaskRecord};

/// Value of a mask at a position
///
/// `x` and `y` are pixels of the picture, whose size is the mask's `width` and `height`; `row` and `column` identify a cell. The
/// value is null if the cell has no data.
#[utoipa::path(get, path = "/masks/{id}/value", operation_id = "get_mask_value", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8"),
        InQuery<PositionOptions>),
    responses(
        (status = 200, description = "The cell and its value", body = Click),
        (status = 400, description = "A parameter is invalid, or the position is outside of the mask", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn value(
    app: Session,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let position: PositionOptions = fields.read()?;
    fields.finish()?;
    let (id, record) = find(&app, &id).await?;
    let found = look_up(&app, id, record, position).await?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(found)).into_response())
}

/// Returns the cell at a position and its value.
pub(super) async fn look_up(
    app: &Arc<App>,
    id: MaskId,
    record: MaskRecord,
    position: PositionOptions,
) -> HttpResult<Click> {
    let style = resolve(app, &record.style()?)?;
    let position = position.resolve(&record, record.picture_size(&style, true)?)?;
    let shared = Arc::clone(app);
    let value = blocking(move || Ok(shared.masks.value(id, &record, position.row, position.column)?)).await?;
    let value = match value {
        None => serde_json::Value::Null,
        // JSON cannot represent infinity as a number.
        Some(infinite) if infinite.is_infinite() && infinite > 0.0 => "Infinity".into(),
        Some(infinite) if infinite.is_infinite() => "-Infinity".into(),
        Some(value) => value.into(),
    };
    Ok(Click { x: position.x, y: position.y, row: position.row, column: position.column, value })
}
