//! `DELETE /masks/{id}`: deletes a mask.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;

use super::{blocking, mask_not_found};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::masks::MaskId;

/// Delete a mask
///
/// ```sh
/// curl -X DELETE localhost:3000/masks/ID
/// ```
///
/// Closes the event streams of the mask.
#[utoipa::path(delete, path = "/masks/{id}", operation_id = "delete_mask", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 204, description = "The mask is deleted"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn delete(app: Session, Path(id): Path<String>) -> HttpResult<StatusCode> {
    // The record is not read, so that a mask with an invalid record can be deleted.
    let id: MaskId = id.parse().map_err(|_| mask_not_found())?;
    let shared = Arc::clone(&app);
    let existed = blocking(move || Ok(shared.masks.remove(id)?)).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(mask_not_found()) }
}
