//! Middleware around every request: request id, timeout, access log, and problem responses.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use uuid::Uuid;

use super::app::App;
use super::body_budget::BodyLease;
use super::client::ClientId;
use super::keys::KeyName;
use super::logged_uri::logged;
use super::price::WorkPrices;
use super::problem::Problem;
use super::trace::RequestTrace;
use crate::http::parameters::fields::has_deprecated;

/// The header of the request id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header of responses to requests with a deprecated parameter (RFC 9745), and the time since when it is deprecated.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const DEPRECATED_SINCE: &str = "@1795996800";

/// Counts and logs a request, and adds the request id to problems whose cause is logged.
pub(crate) async fn access(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let start = Instant::now();
    let method = request.method().clone();
    // The pattern, never the path itself, which would make a time series for each URL.
    let route: Arc<str> = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).into();
    let id = request_id(&request);
    let has_deprecated = request.uri().query().is_some_and(has_deprecated);
    let logs = tracing::enabled!(tracing::Level::INFO);
    let uri = logs.then(|| logged(request.uri(), app.token()));
    let trace = RequestTrace::begin(&request, &route, &id, app.token());

    let limit = app.config.server.timeout;
    let client = ClientId::of_request(&app.config.server, request.headers(), request.extensions().get());
    let lease = BodyLease::new(&app.bodies, client.as_ref());
    let request = lease.attach(request);
    let prices = WorkPrices::default();
    let run = prices.scope(async {
        match client {
            Some(client) => client.scope(next.run(request)).await,
            None => next.run(request).await,
        }
    });
    let mut response = match tokio::time::timeout(limit.duration(), trace.run(run)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::timeout(format!("the request exceeded the timeout of {limit}, server.timeout")).into_response()
        }
    };
    let key = response.extensions().get::<KeyName>().map(|name| name.0.name.clone());
    if let Some(problem) = lease.problem() {
        response = problem.into_response();
        // The rest of the body is not read.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    drop(lease);
    let is_problem = response.status().is_client_error() || response.status().is_server_error();
    if is_problem {
        response = to_problem(response, &id);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if has_deprecated {
        response.headers_mut().insert(DEPRECATION, HeaderValue::from_static(DEPRECATED_SINCE));
    }
    let (status, seconds) = (response.status().as_u16(), start.elapsed().as_secs_f64());
    app.metrics.request(&route, &method, status, seconds);
    let price = prices.sum_ms();
    if let Some(ms) = price {
        app.metrics.price(ms);
    }
    let trace_id = trace.id();
    trace.end(response.status(), price);
    if let Some(uri) = uri {
        let ms = (seconds * 1e5).round() / 100.0;
        let bytes = response.headers().get(header::CONTENT_LENGTH).and_then(|bytes| bytes.to_str().ok());
        tracing::info!(%method, %uri, status, ms, price, bytes, id, key, trace_id, "request");
    }
    response
}

/// The request id sent by the client, if it is not empty or too long for the log, or else a new one.
fn request_id(request: &Request) -> String {
    const MAX_BYTES: usize = 128;
    let sent = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let sent = sent.filter(|id| !id.is_empty() && id.len() <= MAX_BYTES);
    sent.map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// Converts an error response of a handler or of another middleware to a problem, with the request id if its cause is
/// logged.
fn to_problem(mut response: Response<Body>, id: &str) -> Response<Body> {
    let problem = response.extensions_mut().remove::<Box<Problem>>();
    // A page explains its status itself.
    let html = response.headers().get(header::CONTENT_TYPE);
    if problem.is_none() && html.is_some_and(|html| html.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    let Some(mut problem) = problem.or_else(|| Problem::of_status(response.status())) else { return response };
    if problem.status().is_server_error() && problem.status() != StatusCode::SERVICE_UNAVAILABLE {
        let cause = problem.cause.as_deref().unwrap_or("unknown cause");
        tracing::error!(id, status = problem.status().as_u16(), cause, "request failed");
        problem.request_id = Some(id.to_owned());
    }
    let kept = [header::ALLOW, header::CONNECTION].map(|name| (response.headers_mut().remove(&name), name));
    let mut response = problem.to_response();
    response.headers_mut().extend(kept.into_iter().filter_map(|(value, name)| Some((name, value?))));
    response
}
