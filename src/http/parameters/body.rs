//! Parameters in request bodies.

use axum::http::{HeaderMap, header};

use super::fields::Fields;
use crate::http::server::problem::{HttpResult, Problem};

/// The media type of a body in lower case, without its parameters; empty if it is missing.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The text of a form.
pub(crate) fn form_text(body: &[u8]) -> HttpResult<&str> {
    std::str::from_utf8(body).map_err(|_| Problem::body("the form is not UTF-8"))
}

/// The parameters of a body: a JSON object, or a form.
pub(crate) fn body_fields(headers: &HeaderMap, body: &[u8]) -> HttpResult<Fields> {
    match media_type(headers).as_str() {
        // A body without a type is JSON.
        "application/json" | "text/plain" | "" => Fields::from_json(body),
        media_type if media_type.ends_with("+json") => Fields::from_json(body),
        // curl sends the form type by default.
        "application/x-www-form-urlencoded" if body.trim_ascii_start().starts_with(b"{") => Fields::from_json(body),
        "application/x-www-form-urlencoded" => Fields::from_query(form_text(body)?),
        other => Err(Problem::media_type(format!("unsupported media type `{other}`; send application/json"))),
    }
}
