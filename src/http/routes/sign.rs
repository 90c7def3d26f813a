//! `POST /sign`: signs a URL, for map libraries that send no headers.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signable::check_signable;
use crate::config::{KeyConfig, TimeSpan};
use crate::http::server::base_url::BaseUrl;
use crate::http::server::clock::now_s;
use crate::http::server::keys::Signed;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;

/// What a signed URL allows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignRequest {
    /// Path, with everything below it.
    #[schema(example = "/cities")]
    prefix: String,
    /// Time until the URL expires.
    #[schema(value_type = String, example = "1h")]
    expires_in: TimeSpan,
    /// Parameters that requests must have with these values, such as those of a style.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"scheme": "fire"}))]
    pinned: BTreeMap<String, String>,
    /// Key whose access the URL has. With the server's token it is required; a key can name itself only.
    #[schema(example = "tenant-a")]
    key: Option<String>,
}

/// A signed URL.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignReply {
    /// Query string to append to URLs below the prefix.
    #[schema(example = "key=tenant-a&expires=1732161600&prefix=/cities&sig=jqVw5Z0")]
    query: String,
    /// URL of the prefix with the query string.
    #[schema(example = "http://127.0.0.1:3000/cities?key=tenant-a&expires=1732161600&prefix=/cities&sig=jqVw5Z0")]
    url: String,
    /// Unix time in seconds at which the URL expires.
    #[schema(example = 1_732_161_600)]
    expires_at: u64,
}

/// Sign a URL
///
/// ```sh
/// curl localhost:3000/sign -H "Authorization: Bearer $KILN_KEY" --json '{"prefix": "/cities", "expires_in": "1h"}'
/// ```
///
/// The URL gives everybody the access of the key to the layers below `prefix` until it expires: GET requests only. It needs
/// `server.signing_secret` of the config. `kiln sign` makes the same URLs without a server.
#[utoipa::path(post, path = "/sign", operation_id = "create_signature", tag = "server", request_body = SignRequest,
    security(("token" = []), ("key" = [])),
    responses(
        (status = 200, description = "The signed URL", body = SignReply),
        (status = 400, description = "Invalid body", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The bearer token is missing or invalid", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "The key does not have the right to sign", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The server has no keys, or no signing secret", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn sign(
    app: Session,
    Path(name): Path<String>,
    base: BaseUrl,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    if name != "sign" {
        return Ok((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD,PUT,DELETE")]).into_response());
    }
    if !app.keys.has_keys() {
        return Err(Problem::conflict("the server has no keys, so its URLs need no signature"));
    }
    let request: SignRequest = serde_json::from_slice(&body).map_err(|error| Problem::body(error.to_string()))?;
    let own = app.access().key().map(|key| key.name.clone());
    let key = match (own, request.key) {
        (Some(own), Some(other)) if own != other => return Err(Problem::forbidden("a key can sign for itself only")),
        (Some(own), _) => own,
        (None, Some(key)) if key != KeyConfig::ANONYMOUS && app.keys.named(&key).is_some() => key,
        (None, _) => return Err(Problem::parameter("key", "missing or unknown; expected the name of a key")),
    };
    let secret = app.keys.signing_secret();
    let secret = secret.ok_or_else(|| Problem::conflict("set server.signing_secret of the config to sign URLs"))?;
    let pinned = request.pinned.into_iter().collect();
    let expires_s = now_s().saturating_add(request.expires_in.as_secs());
    let signed = Signed { key, prefix: request.prefix, expires_s, pinned };
    let query = signed.query(&secret).map_err(|error| Problem::body(error.message()))?;
    let check_scheme = |name: &str| match app.schemes.find(Some(name)) {
        Ok(_) => Ok(()),
        Err(problem) => Err(problem.detail().to_owned()),
    };
    check_signable(&signed, check_scheme).map_err(Problem::body)?;
    let url = format!("{}{}?{query}", base.absolute()?, signed.prefix);
    let reply = SignReply { query, url, expires_at: expires_s };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}
