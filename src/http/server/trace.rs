//! The trace of a request: its span with the attributes of HTTP, and the context that clients send and other servers receive
//! in `traceparent`. Without the feature `otel` there is none.

#[cfg(not(feature = "otel"))]
pub(in crate::http::server) use off::{Continuation, RequestTrace, Waiting};
#[cfg(feature = "otel")]
pub(in crate::http::server) use on::{Continuation, RequestTrace, Waiting, inject};

#[cfg(not(feature = "otel"))]
#[allow(clippy::unused_self, reason = "the same methods as with traces")]
mod off {
    use axum::extract::Request;
    use axum::http::StatusCode;

    use crate::config::Token;

    /// No trace.
    pub(in crate::http::server) struct RequestTrace;

    impl RequestTrace {
        pub(in crate::http::server) fn begin(_: &Request, _: &str, _: &str, _: Option<&Token>) -> Self {
            Self
        }

        pub(in crate::http::server) async fn run<F: Future>(&self, future: F) -> F::Output {
            future.await
        }

        pub(in crate::http::server) fn id(&self) -> Option<String> {
            None
        }

        pub(in crate::http::server) fn end(self, _: StatusCode, _: Option<u64>) {}
    }

    /// No span.
    pub(in crate::http::server) struct Waiting;

    impl Waiting {
        pub(in crate::http::server) fn begin() -> Self {
            Self
        }

        pub(in crate::http::server) fn end<T>(self, work: impl FnOnce() -> T) -> T {
            work()
        }
    }

    /// No trace.
    #[derive(Debug)]
    pub(in crate::http::server) struct Continuation;

    impl Continuation {
        pub(in crate::http::server) fn of_current() -> Self {
            Self
        }

        pub(in crate::http::server) async fn run<F: Future>(self, _: &'static str, future: F) -> F::Output {
            future.await
        }
    }
}

#[cfg(feature = "otel")]
mod on {
    use axum::extract::Request;
    use axum::http::{HeaderMap, Method, StatusCode, Version, header};
    use opentelemetry::Context;
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::TraceContextExt;
    use opentelemetry_http::{HeaderExtractor, HeaderInjector};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing::field::Empty;
    use tracing::{Instrument, Span, info_span};
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    use super::super::logged_uri::logged;
    use super::super::masked_uri::masked;
    use crate::config::Token;
    use crate::step::TARGET;

    /// The span of a request.
    pub(in crate::http::server) struct RequestTrace(Span);

    impl RequestTrace {
        /// Begins the trace of a request, or continues that of its client. Secrets in the URI are masked as in the log.
        pub(in crate::http::server) fn begin(request: &Request, route: &str, id: &str, token: Option<&Token>) -> Self {
            if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
                return Self(Span::none());
            }
            let method = method(request.method());
            let (uri, headers) = (request.uri(), request.headers());
            let logged = logged(uri, token);
            let query = logged.split_once('?').map(|(_, query)| query);
            let has_route = route.starts_with('/');
            let span = info_span!(
                target: TARGET, "request",
                otel.name = if has_route { format!("{method} {route}") } else { method.to_owned() },
                otel.kind = "server",
                otel.status_code = Empty,
                "error.type" = Empty,
                http.request.method = method,
                http.route = has_route.then_some(route),
                http.response.status_code = Empty,
                network.protocol.version = version(request.version()),
                url.path = &*masked(uri.path(), token),
                url.query = query,
                url.scheme = uri.scheme_str(),
                user_agent.original = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()),
                kiln.request_id = id,
                kiln.price_ms = Empty,
            );
            // Fails only if the span is not recorded.
            let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(headers)));
            Self(span)
        }

        /// Runs the request within the span.
        pub(in crate::http::server) async fn run<F: Future>(&self, future: F) -> F::Output {
            future.instrument(self.0.clone()).await
        }

        /// The id of the trace, for the log; `None` if the request has none.
        pub(in crate::http::server) fn id(&self) -> Option<String> {
            let context = self.0.context();
            let span = context.span();
            let span = span.span_context();
            (span.is_valid() && span.is_sampled()).then(|| span.trace_id().to_string())
        }

        /// Ends the span. Only errors of the server are errors of the span.
        pub(in crate::http::server) fn end(self, status: StatusCode, price_ms: Option<u64>) {
            self.0.record("http.response.status_code", status.as_u16());
            if let Some(ms) = price_ms {
                self.0.record("kiln.price_ms", ms);
            }
            if status.is_server_error() {
                self.0.record("otel.status_code", "ERROR");
                self.0.record("error.type", status.as_str());
            }
        }
    }

    /// The span of work that waits in a queue.
    pub(in crate::http::server) struct Waiting {
        parent: Span,
        span: Span,
    }

    impl Waiting {
        /// Begins to wait, for the current request.
        pub(in crate::http::server) fn begin() -> Self {
            let span = info_span!(target: TARGET, "step", otel.name = "wait for a thread");
            Self { parent: Span::current(), span }
        }

        /// Ends the waiting, and runs the work for the request.
        pub(in crate::http::server) fn end<T>(self, work: impl FnOnce() -> T) -> T {
            drop(self.span);
            self.parent.in_scope(work)
        }
    }

    /// The trace of a request, for work that goes on after its response.
    #[derive(Debug)]
    pub(in crate::http::server) struct Continuation(Context);

    impl Continuation {
        /// The trace of the current request.
        pub(in crate::http::server) fn of_current() -> Self {
            Self(Span::current().context())
        }

        /// Runs an outbound request in a span of its own, within the span of the request. A child of that span would keep it
        /// open until the work is done, and the duration of the request would be wrong.
        pub(in crate::http::server) async fn run<F: Future>(self, name: &'static str, future: F) -> F::Output {
            if !self.0.span().span_context().is_valid() {
                return future.await;
            }
            let span = info_span!(target: TARGET, parent: None, "step", otel.name = name, otel.kind = "client");
            // Fails only if the span is not recorded.
            let _ = span.set_parent(self.0);
            future.instrument(span).await
        }
    }

    /// Adds the context of the current request to the headers of an outbound request.
    pub(in crate::http::server) fn inject(headers: &mut HeaderMap) {
        TraceContextPropagator::new().inject_context(&Span::current().context(), &mut HeaderInjector(headers));
    }

    /// The method, or `_OTHER` for one that is not a method of HTTP, of which clients can send any number.
    fn method(method: &Method) -> &str {
        let known = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
            Method::CONNECT,
            Method::TRACE,
        ];
        if known.contains(method) { method.as_str() } else { "_OTHER" }
    }

    fn version(version: Version) -> Option<&'static str> {
        match version {
            Version::HTTP_10 => Some("1.0"),
            Version::HTTP_11 => Some("1.1"),
            Version::HTTP_2 => Some("2"),
            _ => None,
        }
    }
}
