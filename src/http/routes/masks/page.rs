//! `GET /masks/{id}/page`: a page that shows a mask.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{Response, StatusCode};

use super::find;
use crate::http::routes::pages;
use crate::http::server::problem::HttpResult;
use crate::http::server::session::Session;

/// Show a mask on a page
///
/// Shows the mask over its background, with zoom, values and controls for the style. Any site may embed the page in a frame. In
/// a frame, or with `?embed`, a button opens the controls; in a frame, clicks are also posted to the parent window. The fragment
/// contains the style: `#opacity=40&colormap=bone`.
#[utoipa::path(get, path = "/masks/{id}/page", operation_id = "get_mask_page", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 404, description = "The mask does not exist or has expired; the same page, which reports this", content_type = "text/html", body = String),
    ))]
pub(crate) async fn page(app: Session, Path(id): Path<String>) -> HttpResult<Response<Body>> {
    let status = match find(&app, &id).await {
        Ok(_) => StatusCode::OK,
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => StatusCode::NOT_FOUND,
        Err(problem) => return Err(problem),
    };
    let mut response = pages::mask_page(&app);
    *response.status_mut() = status;
    Ok(response)
}
