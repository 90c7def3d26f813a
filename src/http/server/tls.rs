//! TLS connections: their certificate, which is read again when its files change, and HTTP/2 by ALPN.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use axum::body::HttpBody;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::app::App;
use super::certificate_expiry::{WARN_INTERVAL, expires_s, warn};
use super::hangup::Hangup;
use crate::config::Config;
use crate::error::{Error, Result};

/// The protocols of ALPN, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The timeout of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// The interval at which the files are checked for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The TLS side of a server.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
    http2: http2::Builder<TokioExecutor>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A certificate with its key, and the files that it is read from.
#[derive(Debug)]
struct Certificate {
    files: CertificateFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The PEM files of a certificate and its key.
#[derive(Clone, Debug)]
struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// The modification time, size and inode of a file; `None` if there is none.
type FileVersion = Option<(Option<SystemTime>, u64, u64)>;

impl CertificateFiles {
    /// The versions of both files. Links are followed: a certificate is often replaced by another target.
    fn versions(&self) -> [FileVersion; 2] {
        [&self.certificate, &self.key].map(|path| {
            let file = path.metadata().ok()?;
            #[cfg(unix)]
            let inode = std::os::unix::fs::MetadataExt::ino(&file);
            #[cfg(not(unix))]
            let inode = 0;
            Some((file.modified().ok(), file.len(), inode))
        })
    }

    /// Reads the certificate, with the chain of its issuers, and its key.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Config`] if it has no certificate or key, or if they do not match.
    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey> {
        let invalid = |key: &str, path: &Path, why: String| {
            Error::config(format!("server.{key}"), format!("{}: {why}", path.display()))
        };
        let bytes = |key: &str, path: &Path| {
            std::fs::read(path).map_err(|error| Error::io(format!("{} of server.{key}", path.display()), "read", error))
        };
        let of_certificate = |why: String| invalid("tls_cert", &self.certificate, why);
        let of_key = |why: String| invalid("tls_key", &self.key, why);
        let pem = bytes("tls_cert", &self.certificate)?;
        let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.map_err(|error| of_certificate(format!("not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(of_certificate("no certificate; expected PEM, -----BEGIN CERTIFICATE-----".to_owned()));
        }
        let pem = bytes("tls_key", &self.key)?;
        if is_encrypted(&pem) {
            let why = "the key is encrypted; expected one without a password, as `openssl pkey -in FILE` prints it";
            return Err(of_key(why.to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                of_key("no key; expected PEM, -----BEGIN PRIVATE KEY-----, without a password".to_owned())
            }
            error => of_key(format!("not PEM: {error}")),
        })?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                of_key(format!("not the key of the certificate in {}", self.certificate.display()))
            }
            rustls::Error::InvalidCertificate(error) => of_certificate(format!("invalid certificate: {error}")),
            error => of_key(format!("invalid key: {error}")),
        })
    }
}

/// The time at which the certificate of a configuration expires, in seconds since 1970; `None` without one.
///
/// # Errors
/// As [`Tls::new`].
#[cfg(feature = "cli")]
pub(crate) fn certificate_expiry_s(config: &Config) -> Result<Option<i64>> {
    let (Some(certificate), Some(key)) = (&config.server.tls_cert, &config.server.tls_key) else { return Ok(None) };
    let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
    Ok(expires_s(&files.read(&default_provider())?.cert))
}

/// Whether a PEM file has a key with a password, in the format of PKCS #8 or that of OpenSSL (RFC 1421).
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
}

impl Tls {
    /// The TLS side of a server with `server.tls_cert` and `server.tls_key`; `None` without them.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Config`] if it has no certificate or key, or if they do not match.
    pub(super) fn new(config: &Config) -> Result<Option<Self>> {
        let (Some(certificate), Some(key)) = (&config.server.tls_cert, &config.server.tls_key) else { return Ok(None) };
        let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
        let provider = Arc::new(default_provider());
        let current = RwLock::new(Arc::new(files.read(&provider)?));
        let certificate = Arc::new(Certificate { files, current });
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Error::config("server.tls_cert", error.to_string()))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(&certificate);
        let mut server = builder.with_no_client_auth().with_cert_resolver(resolver);
        server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Some(Self { acceptor: Arc::new(server).into(), certificate, http2: http2_builder() }))
    }

    /// Serves a connection with HTTP/2 or HTTP/1.1, whichever its client prefers.
    ///
    /// # Errors
    /// The reason why the connection was closed early.
    pub(super) async fn serve<I, S, B, E>(
        &self,
        stream: I,
        service: S,
        http1: &http1::Builder,
        watcher: Watcher,
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = E> + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await;
        let stream = handshake.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(PROTOCOLS[0]);
        let io = TokioIo::new(stream);
        if is_http2 {
            watcher.watch(self.http2.serve_connection(io, service)).await?;
        } else {
            watcher.watch(http1.serve_connection(io, service)).await?;
        }
        Ok(())
    }

    /// Warns of a certificate that expires soon, at once and daily, and sets the metric.
    pub(super) async fn watch_expiry(self, app: Arc<App>) {
        loop {
            self.check_expiry(&app);
            tokio::time::sleep(WARN_INTERVAL).await;
        }
    }

    fn check_expiry(&self, app: &App) {
        let current = Arc::clone(&self.certificate.current.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(expires_s) = expires_s(&current.cert) {
            app.metrics.certificate.set(expires_s);
            warn(&self.certificate.files.certificate, expires_s);
        }
    }

    /// Reads the certificate again whenever its files change, and on SIGHUP. One that cannot be used is reported, and the
    /// last one stays.
    pub(super) async fn reload(self, app: Arc<App>, mut hangup: Hangup) {
        let mut known = self.certificate.files.versions();
        loop {
            let is_requested = tokio::select! {
                () = hangup.received() => true,
                () = tokio::time::sleep(CHECK_INTERVAL) => false,
            };
            let certificate = Arc::clone(&self.certificate);
            // Reading files blocks. The versions are those before the reading, so that a later change is noticed.
            let read = tokio::task::spawn_blocking(move || {
                let versions = certificate.files.versions();
                let is_changed = is_requested || versions != known;
                (versions, is_changed.then(|| certificate.files.read(&default_provider())))
            });
            let Ok((versions, read)) = read.await else { continue };
            known = versions;
            let file = self.certificate.files.certificate.display();
            match read {
                Some(Ok(key)) => {
                    *self.certificate.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                    tracing::info!(%file, "the TLS certificate was read again");
                    self.check_expiry(&app);
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "the TLS certificate cannot be read; the last one stays in use");
                }
                None => {}
            }
        }
    }
}

/// The builder of HTTP/2 connections. The limits on streams that clients reset are those of `h2`, against the *rapid
/// reset* attack (CVE-2023-44487).
fn http2_builder() -> http2::Builder<TokioExecutor> {
    const MAX_STREAMS: u32 = 128;
    const MAX_HEADER_BYTES: u32 = 1 << 16;
    /// The response bytes that are buffered per stream while its client does not read.
    const MAX_SEND_BYTES: usize = 1 << 16;
    const KEEP_ALIVE: Duration = Duration::from_secs(20);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_send_buf_size(MAX_SEND_BYTES)
        // A client that has gone without closing its connection does not answer the ping.
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::http::{Request, Response};
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// The settings of the server by their identifiers (RFC 9113, section 6.5.2).
    async fn settings() -> Vec<(u16, u32)> {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let service = service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
        tokio::spawn(http2_builder().serve_connection(TokioIo::new(server), service));
        // The preface of a client, and its empty settings.
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut head = [0; 9];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!(head[3], 4, "the first frame has the settings");
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        client.read_exact(&mut payload).await.unwrap();
        let setting = |bytes: &[u8]| {
            (u16::from_be_bytes([bytes[0], bytes[1]]), u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]))
        };
        payload.chunks_exact(6).map(setting).collect()
    }

    #[tokio::test]
    async fn a_connection_of_http_2_has_128_streams_and_heads_of_64_kib() {
        const MAX_CONCURRENT_STREAMS: u16 = 3;
        const MAX_HEADER_LIST_SIZE: u16 = 6;
        let settings = settings().await;
        for expected in [(MAX_CONCURRENT_STREAMS, 128), (MAX_HEADER_LIST_SIZE, 64 << 10)] {
            assert!(settings.contains(&expected), "{settings:?}");
        }
    }
}
