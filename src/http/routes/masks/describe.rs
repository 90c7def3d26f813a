//! `GET /masks/{id}`: the description of a mask.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;

use super::reply::MaskReply;
use super::{find, picture, resolve};
use crate::http::parameters::fields::Fields;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;

/// Describe a mask
///
/// Returns the same as `POST /masks`.
#[utoipa::path(get, path = "/masks/{id}", operation_id = "get_mask", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 200, description = "The mask", body = MaskReply),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn describe(app: Session, base: BaseUrl, id: &str, query: &str) -> HttpResult<Response<Body>> {
    Fields::from_query(query)?.finish()?;
    let (id, record) = find(&app, id).await?;
    let style = resolve(&app, &record.style()?)?;
    let reply = MaskReply::new(&app, &base, id, &record, &style)?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(reply)).into_response())
}

/// Returns the description of a mask, or its picture: a route cannot match a parameter and a fixed suffix in one segment.
pub(crate) async fn describe_or_draw(
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let query = query.unwrap_or_default();
    match name.strip_suffix(".png") {
        Some(id) => picture::picture(app, &headers, id, &query).await,
        None => describe(app, base, &name, &query).await,
    }
}
