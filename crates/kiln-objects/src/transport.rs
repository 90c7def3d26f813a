//! HTTP requests with timeouts and redirects.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{Stream, StreamExt};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::address::AddressRule;
use crate::connect::{Connector, Failure};
use crate::error::innermost;
use crate::list_response::{self, is_list_request};
use crate::timed_body::TimedBody;

/// Sends requests, over connections that are kept for the next requests.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    client: Client<Connector, HttpRequestBody>,
    /// Sends requests to the host of a redirect, which may have public addresses only.
    redirected: Client<Connector, HttpRequestBody>,
    response_timeout: Duration,
    follows_redirects: bool,
}

impl Transport {
    /// The number of redirects that are followed.
    const MAX_REDIRECTS: usize = 5;
    /// The rate at which a request is uploaded at least, in bytes per second.
    const MIN_UPLOAD_RATE: u32 = 64 << 10;

    /// The transport for endpoints of buckets.
    pub(crate) fn for_buckets(connect_timeout: Duration, response_timeout: Duration) -> Self {
        let client = client(AddressRule::Any, connect_timeout);
        Self { redirected: client.clone(), client, response_timeout, follows_redirects: false }
    }

    /// The transport for web addresses.
    pub(crate) fn for_web(rule: AddressRule, connect_timeout: Duration, response_timeout: Duration) -> Self {
        let client_of = |rule| client(rule, connect_timeout);
        let redirected = client_of(AddressRule::Public);
        Self { client: client_of(rule), redirected, response_timeout, follows_redirects: true }
    }

    /// Sends a request, and returns the response once its headers are complete.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<Response<Incoming>, HttpError> {
        let (mut parts, body) = request.into_parts();
        let origin = parts.uri.authority().cloned();
        for _ in 0..=Self::MAX_REDIRECTS {
            let is_at_origin = parts.uri.authority() == origin.as_ref();
            let mut request = Request::new(body.clone());
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            *request.headers_mut() = parts.headers.clone();
            let client = if is_at_origin { &self.client } else { &self.redirected };
            let response = self.send_once(client, request, body.content_length()).await?;
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !(self.follows_redirects && is_redirect && matches!(parts.method, Method::GET | Method::HEAD)) {
                return Ok(response);
            }
            parts.uri = redirect_target(&parts.uri, response.headers())?;
            if parts.uri.authority() != origin.as_ref() {
                parts.headers.remove(AUTHORIZATION);
            }
        }
        Err(redirect_error("the server redirects in a circle"))
    }

    async fn send_once(
        &self,
        client: &Client<Connector, HttpRequestBody>,
        request: Request<HttpRequestBody>,
        upload: usize,
    ) -> Result<Response<Incoming>, HttpError> {
        let limit = self.response_timeout + Duration::from_secs(upload as u64 / u64::from(Self::MIN_UPLOAD_RATE));
        match timeout(limit, client.request(request)).await {
            Ok(response) => response.map_err(to_http_error),
            Err(_) => Err(HttpError::new(HttpErrorKind::Timeout, Failure::NoResponse(limit))),
        }
    }

    /// A response whose body fails if it stops for the timeout.
    fn timed(&self, response: Response<Incoming>) -> HttpResponse {
        response.map(|body| HttpResponseBody::new(TimedBody::new(body, self.response_timeout)))
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !is_list_request(request.uri()) {
            return Ok(self.timed(self.send(request).await?));
        }
        let endpoint = endpoint(request.uri());
        let response = self.timed(self.send(request).await?);
        if response.status() != StatusCode::OK {
            return Ok(response);
        }
        checked_list(response, endpoint, self.response_timeout).await
    }
}

/// The scheme and host of a URL, which are no secrets.
fn endpoint(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", uri.scheme_str().unwrap_or("https"))
}

/// The next part of a body that is read as a whole, of which `received` bytes have arrived since `started`. Without a minimum
/// rate, a server that sends a byte at times would never let its reader end.
///
/// # Errors
/// [`HttpErrorKind::Timeout`] if fewer than 64 KiB arrived per second after the timeout.
pub(crate) async fn next_part<S: Stream + Unpin>(
    body: &mut S,
    started: Instant,
    received: usize,
    response_timeout: Duration,
) -> Result<Option<S::Item>, HttpError> {
    const MIN_RATE: usize = 64 << 10;
    let limit = response_timeout + Duration::from_secs((received / MIN_RATE) as u64);
    let incomplete = |_| HttpError::new(HttpErrorKind::Timeout, Failure::Incomplete(limit));
    timeout_at(started + limit, body.next()).await.map_err(incomplete)
}

/// The response to a request for a list, with keys that the client library supports.
async fn checked_list(
    response: HttpResponse,
    endpoint: String,
    response_timeout: Duration,
) -> Result<HttpResponse, HttpError> {
    let (mut parts, body) = response.into_parts();
    let is_html = parts.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let content = if is_html { "an HTML page" } else { "other content" };
    let no_list = || HttpError::new(HttpErrorKind::Unknown, Failure::NoList { endpoint: endpoint.clone(), content });
    parts.headers.remove(CONTENT_LENGTH);
    let (mut stream, mut body) = (body.bytes_stream(), Vec::new());
    let started = Instant::now();
    while let Some(part) = next_part(&mut stream, started, body.len(), response_timeout).await? {
        body.extend_from_slice(&part?);
        if body.len() > list_response::MAX_BYTES {
            return Err(no_list());
        }
    }
    match list_response::check(&body) {
        None => Err(no_list()),
        Some(Cow::Owned(text)) => Ok(HttpResponse::from_parts(parts, text.into())),
        Some(Cow::Borrowed(_)) => Ok(HttpResponse::from_parts(parts, body.into())),
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

fn client(rule: AddressRule, connect_timeout: Duration) -> Client<Connector, HttpRequestBody> {
    /// The time for which a connection without a request is kept: less than the 20 s after which S3 closes it.
    const IDLE: Duration = Duration::from_secs(15);
    let connector = Connector { rule, timeout: connect_timeout };
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(16);
    // The reads of a large body are as large as the buffer.
    builder.http1_max_buf_size(1 << 20).build(connector)
}

/// The target of a redirect.
fn redirect_target(from: &Uri, headers: &HeaderMap) -> Result<Uri, HttpError> {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let invalid = || redirect_error("the server redirects to an invalid URL");
    let base = Url::parse(&from.to_string()).map_err(|_| invalid())?;
    let mut target = base.join(location.ok_or_else(invalid)?).map_err(|_| invalid())?;
    target.set_fragment(None);
    if target.scheme() != "https" && from.scheme_str() == Some("https") {
        return Err(redirect_error("the server redirects to an unencrypted URL"));
    }
    if !matches!(target.scheme(), "http" | "https") || !target.username().is_empty() || target.password().is_some() {
        return Err(invalid());
    }
    target.as_str().parse().map_err(|_| invalid())
}

fn redirect_error(message: &str) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, Failure::Redirect(message.to_owned()))
}

/// The error of a request without a response. Its kind decides whether the request is sent again.
fn to_http_error(error: hyper_util::client::legacy::Error) -> HttpError {
    let mut source: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(cause) = source {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            let kind = match failure {
                Failure::HostNotFound(_) | Failure::Connect { .. } | Failure::ConnectTimeout { .. } => {
                    HttpErrorKind::Connect
                }
                _ => HttpErrorKind::Unknown,
            };
            return HttpError::new(kind, error);
        }
        source = cause.source();
    }
    let message = innermost(&error);
    HttpError::new(HttpErrorKind::Interrupted, Failure::Broken(message))
}
