//! Connections: names to addresses, TCP, TLS.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::address::AddressRule;

/// The reason of a request without a response. The messages have no URL.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the host {0} is not found")]
    HostNotFound(String),
    #[error("{host} cannot be reached: {source}")]
    Connect { host: String, source: io::Error },
    #[error("{host} accepts no connection within {} s", .after.as_secs_f32())]
    ConnectTimeout { host: String, after: Duration },
    #[error("no secure connection to {host}: {reason}")]
    Tls { host: String, reason: String },
    #[error("{0}")]
    Address(String),
    #[error("the server does not respond within {} s", .0.as_secs_f32())]
    NoResponse(Duration),
    #[error("the server sent nothing for {} s within a response", .0.as_secs_f32())]
    Stalled(Duration),
    #[error("the server sent {received} bytes within {} s of a response", .limit.as_secs_f32())]
    Slow { received: usize, limit: Duration },
    #[error("the response was not complete within {} s", .0.as_secs_f32())]
    Incomplete(Duration),
    #[error("the connection ended: {0}")]
    Broken(String),
    #[error("{0}")]
    Redirect(String),
    #[error("{endpoint} sends {content} in place of a list of a bucket; is it the endpoint of a bucket?")]
    NoList { endpoint: String, content: &'static str },
}

/// Connects to servers.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) rule: AddressRule,
    pub(crate) timeout: Duration,
}

impl Connector {
    async fn connect(self, uri: Uri) -> Result<Stream, Failure> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let is_secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let deadline = Instant::now() + self.timeout;
        let connected = timeout_at(deadline, async {
            let tcp = self.connect_tcp(&host, port).await?;
            // Requests are small, and their responses are waited for.
            let _ = tcp.set_nodelay(true);
            if is_secure { connect_tls(&host, tcp).await } else { Ok(Stream::Plain(TokioIo::new(tcp))) }
        });
        let timed_out = |_| Failure::ConnectTimeout { host: host.clone(), after: self.timeout };
        connected.await.map_err(timed_out)?
    }

    async fn connect_tcp(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let not_found = || Failure::HostNotFound(host.to_owned());
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host((host, port)).await.map_err(|_| not_found())?.collect();
        let allowed: Vec<&SocketAddr> = addresses.iter().filter(|address| self.rule.allows(address.ip())).collect();
        if let (Some(address), true) = (addresses.first(), allowed.is_empty()) {
            return Err(Failure::Address(rejection(host, address)));
        }
        let mut failure = not_found();
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(source) => failure = Failure::Connect { host: format!("{host}:{port}"), source },
            }
        }
        Err(failure)
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// The message of an address that the rule excludes.
fn rejection(host: &str, address: &SocketAddr) -> String {
    let address = address.ip();
    if AddressRule::NoMetadata.allows(address) {
        format!(
            "the host {host} has the private address {address}, which a server does not read; allow it with \
             server.private_inputs = true"
        )
    } else {
        format!("the host {host} has the address {address}, which is that of no web server")
    }
}

async fn connect_tls(host: &str, tcp: TcpStream) -> Result<Stream, Failure> {
    let failure = |reason: String| Failure::Tls { host: host.to_owned(), reason };
    let config = tls_config().map_err(failure)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failure(error.to_string()))?;
    let stream = TlsConnector::from(config).connect(name, tcp).await;
    stream.map(|stream| Stream::Tls(Box::new(TokioIo::new(stream)))).map_err(|error| failure(error.to_string()))
}

/// The configuration of TLS, with the certificates that the operating system trusts.
fn tls_config() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let create = || {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(
                "the system has no certificate authorities; install ca-certificates, or set SSL_CERT_FILE".to_owned()
            );
        }
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    };
    CONFIG.get_or_init(create).clone()
}

/// A connection.
pub(crate) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Calls a method of the stream in `self`.
macro_rules! stream {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Self::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_read(context, buffer))
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        stream!(self, poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_shutdown(context))
    }
}
