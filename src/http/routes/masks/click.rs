//! `POST /masks/{id}/click`: a click on the picture of a mask.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;
use serde::Serialize;

use super::value::look_up;
use super::{PositionOptions, find};
use crate::http::parameters::body::body_fields;
use crate::http::parameters::openapi::request_body;
use crate::http::server::masks::{Click, EventStream, WebhookOutcome};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;

request_body! {
    /// A position on a mask.
    ClickRequest(PositionOptions),
    example: {"x": 120.5, "y": 80.5}
}

/// The body of a webhook request.
#[derive(Debug, Serialize)]
struct WebhookBody<'c> {
    event: &'static str,
    id: String,
    #[serde(flatten)]
    click: &'c Click,
}

/// Report a click on a mask
///
/// Returns the cell and its value, and sends them to the streams of `GET /masks/{id}/events` and to the webhook of the mask.
#[utoipa::path(post, path = "/masks/{id}/click", operation_id = "click_mask", tag = "masks", request_body = ClickRequest,
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 200, description = "The cell and its value", body = Click),
        (status = 400, description = "A parameter is invalid, or the position is outside of the mask", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The media type is unsupported", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn click(
    app: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let mut fields = body_fields(&headers, &body)?;
    let position: PositionOptions = fields.read()?;
    fields.finish()?;
    let (id, record) = find(&app, &id).await?;
    let webhook = record.webhook.clone();
    let click = look_up(&app, id, record, position).await?;
    let json = |error: serde_json::Error| Problem::internal(error.to_string());
    let event = EventStream::event("click", &serde_json::to_string(&click).map_err(json)?);
    app.masks.metrics.clicked(app.masks.clicks.publish(id, &event));
    if let Some(url) = webhook {
        let body = WebhookBody { event: "click", id: id.to_string(), click: &click };
        let body = serde_json::to_vec(&body).map_err(json)?;
        if !app.masks.webhooks.send(&url, body.into()) {
            app.masks.metrics.webhook(WebhookOutcome::Dropped);
        }
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(click)).into_response())
}
