//! The client of outbound requests.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::allowed_urls::OutboundUrl;
use crate::error::{Error, Result};
use crate::objects::is_public;

/// Sends requests, each on a connection of its own. The name of the host is resolved once, all of its addresses are checked,
/// and the connection goes to one that was checked. Redirects are not followed.
#[derive(Clone)]
pub(crate) struct OutboundClient {
    /// `None` where no URL of the configuration needs it.
    tls: Option<TlsConnector>,
}

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum OutboundError {
    /// The host has an address that is not public.
    NotPublic(IpAddr),
    /// The response has another status than one of success.
    Status(StatusCode),
    /// The response is longer than this many bytes.
    TooLong(usize),
    /// The response is compressed, although the request accepts no compression.
    Compressed,
    /// It took longer than this.
    Timeout(Duration),
    /// The host was not found, or the connection failed.
    Connection(String),
}

impl std::fmt::Debug for OutboundClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboundClient").field("has_tls", &self.tls.is_some()).finish()
    }
}

/// Without the cause of a failed connection and the address, which are for the log alone: a client must not learn what there is
/// in the server's network.
impl std::fmt::Display for OutboundError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotPublic(_) => f.write_str("the host has an address that is not public"),
            Self::Status(status) if status.is_redirection() => {
                write!(f, "the response is a redirect ({}), which is not followed", status.as_u16())
            }
            Self::Status(status) => write!(f, "the response has the status {}", status.as_u16()),
            Self::TooLong(limit) => write!(f, "the response exceeds {limit} bytes"),
            Self::Compressed => f.write_str("the response has a Content-Encoding"),
            Self::Timeout(limit) => write!(f, "no complete response within {} s", limit.as_secs()),
            Self::Connection(_) => f.write_str("the connection failed"),
        }
    }
}

impl OutboundError {
    /// What the log knows beyond the message.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::NotPublic(address) => address.to_string(),
            Self::Connection(cause) => cause.clone(),
            other => other.to_string(),
        }
    }
}

impl OutboundClient {
    /// A client, with TLS if any URL needs it.
    ///
    /// # Errors
    /// [`Error::Config`] if TLS cannot be set up.
    pub(crate) fn new(with_tls: bool) -> Result<Self> {
        if !with_tls {
            return Ok(Self { tls: None });
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Error::config("masks", format!("TLS cannot be set up: {error}")))?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// Downloads the body at `url`, of at most `max_bytes`.
    pub(crate) async fn get(
        &self,
        url: &OutboundUrl,
        max_bytes: usize,
        limit: Duration,
    ) -> Result<Bytes, OutboundError> {
        self.send(url, Method::GET, Bytes::new(), max_bytes, limit).await
    }

    /// Sends JSON to `url`; the response counts by its status alone.
    pub(crate) async fn post_json(&self, url: &OutboundUrl, json: Bytes, limit: Duration) -> Result<(), OutboundError> {
        /// What a receiver may say that is not read.
        const MAX_BYTES: usize = 1 << 16;
        self.send(url, Method::POST, json, MAX_BYTES, limit).await.map(drop)
    }

    async fn send(
        &self,
        url: &OutboundUrl,
        method: Method,
        body: Bytes,
        max_bytes: usize,
        limit: Duration,
    ) -> Result<Bytes, OutboundError> {
        let exchange = async {
            let stream = connect(&addresses(url).await?).await?;
            match &self.tls {
                Some(tls) if url.is_https => {
                    let name = ServerName::try_from(url.host.clone()).map_err(failed)?;
                    exchange(tls.connect(name, stream).await.map_err(failed)?, url, method, body, max_bytes).await
                }
                _ if url.is_https => Err(OutboundError::Connection("no TLS is set up".into())),
                _ => exchange(stream, url, method, body, max_bytes).await,
            }
        };
        tokio::time::timeout(limit, exchange).await.map_err(|_| OutboundError::Timeout(limit))?
    }
}

fn failed(error: impl std::fmt::Display) -> OutboundError {
    OutboundError::Connection(error.to_string())
}

/// The addresses of the host, all of which are allowed.
async fn addresses(url: &OutboundUrl) -> Result<Vec<SocketAddr>, OutboundError> {
    let addresses: Vec<SocketAddr> = match url.address() {
        Some(address) => vec![SocketAddr::new(address, url.port)],
        None => tokio::net::lookup_host((url.host.as_str(), url.port)).await.map_err(failed)?.collect(),
    };
    match addresses.iter().find(|address| !url.is_address_allowed && !is_public(address.ip())) {
        Some(address) => Err(OutboundError::NotPublic(address.ip())),
        None => Ok(addresses),
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, OutboundError> {
    let mut last = failed("the host has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = failed(error),
        }
    }
    Err(last)
}

/// Sends one request on a connection, and reads the response.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    url: &OutboundUrl,
    method: Method,
    body: Bytes,
    max_bytes: usize,
) -> Result<Bytes, OutboundError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Dropped with this future, which ends the connection.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let has_body = method == Method::POST;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = url.target.parse().map_err(failed)?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::try_from(url.host_header()).map_err(failed)?);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("kiln/", env!("CARGO_PKG_VERSION"))));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    #[cfg(feature = "otel")]
    crate::http::server::trace::inject(headers);
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let response = sender.send_request(request).await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(OutboundError::Status(response.status()));
    }
    let encoding = response.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(OutboundError::Compressed);
    }
    match Limited::new(response.into_body(), max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(OutboundError::TooLong(max_bytes)),
        Err(error) => Err(failed(error)),
    }
}
