//! The middleware that decides who sent a request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use super::access::{Access, KeyAccess};
use super::carried::Carried;
use super::credentials::{Credentials, SignedParameters};
use super::key::{Key, Keys};
use super::rules::{Rule, rule};
use super::signature::Signed;
use crate::config::Right;
use crate::http::server::app::App;
use crate::http::server::auth::bearer_token;
use crate::http::server::client::ClientId;
use crate::http::server::clock::now_s;
use crate::http::server::problem::{HttpResult, Problem};

/// The name of the key of a request, an extension of the response for the log.
#[derive(Clone, Debug)]
pub(in crate::http::server) struct KeyName(pub(in crate::http::server) Arc<Key>);

/// Decides what access a request has, and rejects it if that is not enough for its route.
pub(in crate::http::server) async fn authenticate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let keys = app.keys.current();
    if keys.is_empty() && request.extensions().get::<Credentials>().is_none() {
        return next.run(request).await;
    }
    let access = match access_of(&app, &keys, &request) {
        Ok(access) => access,
        Err(Refusal { problem, key }) => {
            let mut response = private(problem.into_response(), true);
            if let Some(key) = key {
                response.extensions_mut().insert(KeyName(key));
            }
            return response;
        }
    };
    let name = match &access {
        Access::Key(access) => Some(KeyName(Arc::clone(&access.key))),
        Access::NoKeys | Access::Owner | Access::Nobody => None,
    };
    let is_private = !matches!(&access, Access::Nobody) && access.key().is_none_or(|key| !key.is_anonymous());
    request.extensions_mut().insert(access);
    let Some(name) = name else { return private(next.run(request).await, is_private) };
    // Clients of a key share the quota of the key.
    let run = next.run(request);
    let response = if is_private { ClientId::Key(name.0.name.as_str().into()).scope(run).await } else { run.await };
    let mut response = private(response, is_private);
    response.extensions_mut().insert(name);
    response
}

/// Marks a response as that of one client, for caches between the server and its clients.
fn private(mut response: Response<Body>, is_private: bool) -> Response<Body> {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    if !is_private {
        return response;
    }
    let cache_control = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    if let Some(public) = cache_control.filter(|value| value.contains("public")) {
        let private = public.replace("public", "private");
        if let Ok(value) = HeaderValue::from_str(&private) {
            headers.insert(header::CACHE_CONTROL, value);
        }
    } else if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    response
}

const CHALLENGE: &str = "Bearer realm=\"kiln\"";
const INVALID: &str = "Bearer realm=\"kiln\", error=\"invalid_token\"";

/// Why a request is rejected, and its key, if that is known.
struct Refusal {
    problem: Box<Problem>,
    key: Option<Arc<Key>>,
}

impl From<Box<Problem>> for Refusal {
    fn from(problem: Box<Problem>) -> Self {
        Self { problem, key: None }
    }
}

/// The access of a request, if its route allows it.
fn access_of(app: &App, keys: &Keys, request: &Request) -> Result<Access, Refusal> {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // An unknown path is 404.
    let Some(route) = route else { return Ok(Access::Nobody) };
    let (right, reads) = match rule(request.method(), route) {
        Rule::Open => return Ok(Access::Nobody),
        Rule::Needs(right) => (right, false),
        Rule::NeedsAndReads(right) => (right, true),
    };
    let sent = Sent::of(app, keys, request, right)?;
    let Sent::Key(access) = sent else {
        return Ok(if keys.is_empty() { Access::NoKeys } else { Access::Owner });
    };
    let checked = check(&access, request, right, reads);
    checked.map_err(|problem| Refusal { problem, key: Some(Arc::clone(&access.key)) })?;
    Ok(Access::Key(Arc::new(access)))
}

/// Checks that a known key allows a request: it has the right, and that to read if the request `reads`, too.
fn check(access: &KeyAccess, request: &Request, right: Right, reads: bool) -> HttpResult<()> {
    let KeyAccess { key, signed, .. } = access;
    let now_s = now_s();
    if key.has_expired(now_s) {
        return Err(Problem::unauthorized(INVALID, "the key has expired"));
    }
    if let Some(signed) = signed {
        check_signed(signed, request, right, now_s)?;
    }
    if !key.allows_origin(origin(request.headers()).as_deref()) {
        return Err(Problem::forbidden("the key may not be used by this page, or without a page"));
    }
    let missing = [Some(right), reads.then_some(Right::Read)].into_iter().flatten().find(|right| !key.may(*right));
    if let Some(right) = missing {
        return Err(missing_right(key, right));
    }
    key.take().map_err(|wait| {
        let seconds = u32::try_from(wait.saturating_add(Duration::from_millis(999)).as_secs()).unwrap_or(u32::MAX);
        Problem::too_many(
            seconds.max(1),
            format!("the rate of the key is exceeded, keys.{}.rate of the config", key.name),
        )
    })
}

/// Who sent a request.
enum Sent {
    /// The owner of the server.
    Owner,
    /// A client with a key.
    Key(KeyAccess),
}

impl Sent {
    fn of(app: &App, keys: &Keys, request: &Request, right: Right) -> HttpResult<Self> {
        let headers = request.headers();
        let by_secret = |secret: &str, carried| {
            let key = keys.with_secret(secret);
            let key = key.ok_or_else(|| Problem::unauthorized(INVALID, "the key is unknown"))?;
            Ok(Self::Key(KeyAccess { key: Arc::clone(key), signed: None, carried }))
        };
        if app.sends_token(headers) {
            return Ok(Self::Owner);
        }
        let credentials = request.extensions().get::<Credentials>();
        let bearer = bearer_token(headers);
        // Without keys, a write is authorized by its handler. So is one from this machine that needs no token.
        let is_local_write = || right == Right::Write && app.authorize_write(headers).is_ok();
        match (bearer, credentials) {
            (None, Some(Credentials::Secret(secret))) => by_secret(secret, Some(Carried::secret(secret))),
            (None, Some(Credentials::Signature(sent))) => signed(keys, sent, request).map(Self::Key),
            (None, Some(Credentials::Invalid(reason))) => Err(Problem::unauthorized(INVALID, *reason)),
            (Some(secret), _) if !keys.is_empty() => by_secret(&secret, None),
            _ if keys.is_empty() || is_local_write() => Ok(Self::Owner),
            _ => {
                let detail = "the server needs a key: the header Authorization: Bearer KEY, or the parameter key; its token is sent \
                              in the header only";
                let key = keys.anonymous().ok_or_else(|| Problem::unauthorized(CHALLENGE, detail))?;
                if !key.may(right) {
                    return Err(Problem::unauthorized(CHALLENGE, detail));
                }
                Ok(Self::Key(KeyAccess { key: Arc::clone(key), signed: None, carried: None }))
            }
        }
    }
}

/// The access by a signed URL.
fn signed(keys: &Keys, sent: &SignedParameters, request: &Request) -> HttpResult<KeyAccess> {
    let query = request.uri().query().unwrap_or_default();
    let verified = || {
        let signed = Signed::verified(sent, query, keys.signing_secret()?)?;
        let key = keys.named(&signed.key).filter(|key| !key.is_anonymous())?;
        let carried = Some(Carried::signature(&signed, sent));
        Some(KeyAccess { key: Arc::clone(key), signed: Some(signed), carried })
    };
    verified().ok_or_else(|| Problem::unauthorized(INVALID, "the signature of the URL is invalid"))
}

/// Checks that a signed URL allows a request.
fn check_signed(signed: &Signed, request: &Request, right: Right, now_s: u64) -> HttpResult<()> {
    if signed.expires_s <= now_s {
        return Err(Problem::unauthorized(INVALID, "the signed URL has expired"));
    }
    let is_read = right == Right::Read && [Method::GET, Method::HEAD].contains(request.method());
    if !is_read || !signed.covers(request.uri().path()) {
        return Err(Problem::forbidden("the signed URL allows GET requests below its prefix only"));
    }
    Ok(())
}

fn missing_right(key: &Key, right: Right) -> Box<Problem> {
    Problem::forbidden(format!("the key `{}` does not have the right `{}`", key.name, right.name()))
}

/// The origin of the page that sent a request: browsers send it for scripts, and the address of the page for images.
fn origin(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(origin) = text(header::ORIGIN) {
        return Some(origin.to_owned());
    }
    let (scheme, rest) = text(header::REFERER)?.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{host}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_that_of_the_page() {
        let origin = |pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| (name.parse().unwrap(), value.parse().unwrap());
            origin(&pairs.iter().map(pair).collect())
        };
        assert_eq!(origin(&[]), None);
        assert_eq!(origin(&[("referer", "https://a.example/map?x=1")]).as_deref(), Some("https://a.example"));
        assert_eq!(origin(&[("referer", "https://a.example:81")]).as_deref(), Some("https://a.example:81"));
        let both = [("referer", "https://a.example/"), ("origin", "https://b.example")];
        assert_eq!(origin(&both).as_deref(), Some("https://b.example"));
        assert_eq!(origin(&[("referer", "about:blank")]), None);
    }

    #[test]
    fn public_responses_to_keys_become_private() {
        let of = |value: Option<&'static str>, is_private| {
            let mut response = Response::new(Body::empty());
            response.headers_mut().extend(value.map(|value| (header::CACHE_CONTROL, HeaderValue::from_static(value))));
            let response = private(response, is_private);
            assert_eq!(response.headers()[header::VARY], "authorization");
            response.headers().get(header::CACHE_CONTROL).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(of(Some("public, max-age=60"), true).as_deref(), Some("private, max-age=60"));
        assert_eq!(of(Some("public, max-age=60"), false).as_deref(), Some("public, max-age=60"));
        assert_eq!(of(Some("no-store"), true).as_deref(), Some("no-store"));
        assert_eq!(of(None, true).as_deref(), Some("private"));
    }
}
