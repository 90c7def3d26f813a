//! `GET /masks/{id}/events`: clicks as server-sent events.

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::{expires_in, find};
use crate::http::parameters::fields::Fields;
use crate::http::server::masks::EventStream;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;

/// Receive the clicks on a mask
///
/// Server-sent events named `click`, with the JSON that `POST /masks/{id}/click` returns. A comment every 15 seconds keeps the
/// connection open. The stream ends when the mask expires or is deleted, or the server stops. If a client reads too slowly,
/// events are dropped.
#[utoipa::path(get, path = "/masks/{id}/events", operation_id = "get_mask_events", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 200, description = "Events", content_type = "text/event-stream", body = String),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn events(
    app: Session,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    Fields::from_query(query.as_deref().unwrap_or_default())?.finish()?;
    let (id, record) = find(&app, &id).await?;
    let stream = EventStream::new(app.masks.clicks.subscribe(id)?, expires_in(&app, &record));
    // If the mask was deleted before the subscription, nothing would end the stream: check again.
    find(&app, &id.to_string()).await?;
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(stream)).into_response())
}
