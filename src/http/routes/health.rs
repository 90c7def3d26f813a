//! `GET /health`: whether the server answers.

use axum::http::header;
use axum::response::IntoResponse;

/// Whether the server answers
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub(crate) async fn health() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], "OK\n")
}
