//! The HTTP client of the exporter. It logs the first of consecutive failures, and the end of them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;

use super::environment::Environment;
use crate::error::{Error, Result};

/// The maximum size of a response, which counts by its status alone.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// Sends the spans on the runtime of the server, each batch on a connection of its own.
pub(super) struct OtlpClient {
    runtime: Handle,
    tls: Option<TlsConnector>,
    timeout: Duration,
    is_failing: AtomicBool,
}

impl std::fmt::Debug for OtlpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl OtlpClient {
    /// A client of the current runtime.
    ///
    /// # Errors
    /// [`Error::Config`] if TLS cannot be set up.
    pub(super) fn new(environment: &Environment) -> Result<Self> {
        let tls = if environment.has_tls { Some(tls(environment.endpoint_variable)?) } else { None };
        let (runtime, timeout) = (Handle::current(), environment.timeout);
        Ok(Self { runtime, tls, timeout, is_failing: AtomicBool::new(false) })
    }

    /// Logs the first failure, and the first success after it.
    fn log(&self, host: &str, failure: Option<String>) {
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(reason) if !was_failing => {
                tracing::warn!(
                    collector = host,
                    "traces cannot be sent, and are dropped until the collector answers: {reason}"
                );
            }
            None if was_failing => tracing::info!(collector = host, "traces are sent again"),
            _ => {}
        }
    }
}

fn tls(variable: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::config(variable, format!("TLS cannot be set up: {error}")))?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

type Sent<'t> = Pin<Box<dyn Future<Output = std::result::Result<Response<Bytes>, HttpError>> + Send + 't>>;

impl HttpClient for OtlpClient {
    fn send_bytes<'a, 't>(&'a self, request: Request<Bytes>) -> Sent<'t>
    where
        'a: 't,
        Self: 't,
    {
        Box::pin(async move {
            let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default().to_owned();
            let (tls, timeout) = (self.tls.clone(), self.timeout);
            // The exporter has a thread without a runtime.
            let sent = self.runtime.spawn(async move {
                let late = || format!("no response within {} ms", timeout.as_millis());
                tokio::time::timeout(timeout, send(request, tls)).await.unwrap_or_else(|_| Err(late().into()))
            });
            let response = sent.await.map_err(HttpError::from).and_then(std::convert::identity);
            let failure = match &response {
                Ok(response) if response.status().is_success() => None,
                Ok(response) => Some(format!("the response has the status {}", response.status().as_u16())),
                Err(error) => Some(error.to_string()),
            };
            self.log(&host, failure);
            response
        })
    }
}

async fn send(request: Request<Bytes>, tls: Option<TlsConnector>) -> std::result::Result<Response<Bytes>, HttpError> {
    let uri = request.uri().clone();
    let host = uri.host().ok_or("the endpoint has no host")?;
    // An IPv6 address has brackets in a URI.
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let stream = TcpStream::connect((name.as_str(), port)).await?;
    match tls.filter(|_| is_https) {
        Some(tls) => exchange(tls.connect(ServerName::try_from(name)?, stream).await?, request, &uri).await,
        None if is_https => Err("no TLS is set up".into()),
        None => exchange(stream, request, &uri).await,
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    mut request: Request<Bytes>,
    uri: &Uri,
) -> std::result::Result<Response<Bytes>, HttpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let authority = authority.rsplit('@').next().unwrap_or_default();
    *request.uri_mut() = uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    request.headers_mut().insert(header::HOST, HeaderValue::try_from(authority)?);
    let response = sender.send_request(request.map(Full::new)).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(head, body))
}
