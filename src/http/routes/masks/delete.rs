//! `DELETE /masks/{id}`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{blocking, gone};
use crate::http::server::App;
use crate::http::server::problem::{HttpResult, Problem};
use crate::masks::MaskId;

/// Delete a mask
///
/// ```sh
/// curl -X DELETE localhost:3000/masks/ID
/// ```
///
/// Streams of its events end.
#[utoipa::path(delete, path = "/masks/{id}", tag = "masks",
    params(("id" = String, Path, description = "As POST /masks returned it", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 204, description = "The mask is deleted"),
        (status = 404, description = "There is no such mask, or no longer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> HttpResult<StatusCode> {
    // The record is not read: a mask whose record is damaged can be deleted, too.
    let id: MaskId = id.parse().map_err(|_| gone())?;
    let shared = Arc::clone(&app);
    let existed = blocking(move || Ok(shared.masks.remove(id)?)).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(gone()) }
}
