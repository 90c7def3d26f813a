//! `GET /health`: the health check.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::damage::DamagedLayer;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::store::Damage;

/// Health check
///
/// Without `ready`, the status is 200 as long as the server runs. With it, the status is 503 while a layer of the store is
/// damaged: its intact segments are served, and the others are left out. It is also 503 if the folder of the store was
/// removed or replaced, until a write uses the new one, and while a replica copies the layers of its bucket for the first
/// time. A second line of a replica is the progress of that, and later the time since the last contact with the bucket.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "server",
    params(("ready" = Option<bool>, Query, description = "Whether all layers of the store must be intact; `?ready` is `?ready=true`", example = true)),
    responses(
        (status = 200, description = "The server is running: `OK`; with `ready`, all layers are intact: `ready`", body = String, content_type = "text/plain"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Layers are damaged, with the reasons, the folder of the store was replaced, or a replica has not copied all layers yet", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn health(app: Session, RawQuery(query): RawQuery) -> HttpResult<Response<Body>> {
    let is_readiness = wants_readiness(query.as_deref().unwrap_or_default())?;
    let mut text = if is_readiness { "ready\n" } else { "OK\n" }.to_owned();
    if is_readiness {
        app.check_replica()?;
        if !app.store.is_in_place() {
            return Err(Problem::store_replaced());
        }
        // The names of layers are known to clients with a key only.
        check_layers(&app.damaged_layers(), app.access().is_unlimited())?;
    }
    if let Some(lines) = app.replica_health(app.access().is_unlimited()) {
        text += &lines;
        text.push('\n');
    }
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}

/// Whether a query string has the parameter `ready`. Other parameters are ignored, which load balancers may add.
fn wants_readiness(query: &str) -> HttpResult<bool> {
    let value = form_urlencoded_value(query, "ready");
    match value.as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("" | "true" | "1") => Ok(true),
        Some(other) => Err(Problem::parameter("ready", format!("`{other}` is not true or false"))),
    }
}

/// The last value of a parameter of a query string.
fn form_urlencoded_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decode = |text: &'q str| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    pairs.rfind(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
}

/// Returns the problem of damaged layers.
fn check_layers(damaged: &[DamagedLayer], are_named: bool) -> HttpResult<()> {
    const MAX_LAYERS: usize = 10;
    if damaged.is_empty() {
        return Ok(());
    }
    if !are_named {
        return Err(Problem::damaged("layers of the store are damaged; the log and the catalog name them"));
    }
    let reasons = damaged.iter().take(MAX_LAYERS).map(|DamagedLayer { name, segments, reason, .. }| {
        let more = if *segments > 1 { format!(", and {} more", segments - 1) } else { String::new() };
        format!("the layer `{name}` is damaged: {}{more}", Damage::cause(reason))
    });
    let more = damaged.len().saturating_sub(MAX_LAYERS);
    let more = (more > 0).then(|| format!("and {more} more layers"));
    Err(Problem::damaged(reasons.chain(more).collect::<Vec<_>>().join("; ")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_a_bare_parameter_or_a_boolean() {
        for query in ["ready", "ready=", "ready=true", "a=b&ready=1", "%72eady", "ready=0&ready=1"] {
            assert!(wants_readiness(query).unwrap(), "{query}");
        }
        for query in ["", "already", "ready=false", "ready=0", "a=ready"] {
            assert!(!wants_readiness(query).unwrap(), "{query}");
        }
        assert!(wants_readiness("ready=maybe").unwrap_err().detail().contains("`maybe` is not true or false"));
    }
}
