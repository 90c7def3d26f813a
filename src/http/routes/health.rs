//! `GET /health`: the health check.

use axum::http::header;
use axum::response::IntoResponse;

/// Health check
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "server", responses((status = 200, description = "The server is running", body = String, content_type = "text/plain")))]
pub(crate) async fn health() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], "OK\n")
}
