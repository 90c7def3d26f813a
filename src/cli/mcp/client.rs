//! The client of a server at a URL.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::URL;
use crate::config::Token;
use crate::error::{Error, Result};

/// The maximum size of a response.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// The time in which a server must respond.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The client of a server at a URL. Each request has a connection of its own; redirects are not followed.
pub(super) struct Client {
    /// The scheme, host and port, as in messages.
    origin: String,
    host: String,
    port: u16,
    /// The value of the header `Host`.
    authority: String,
    /// The path before those of the routes, without a slash at its end.
    prefix: String,
    authorization: Option<HeaderValue>,
    tls: Option<TlsConnector>,
}

impl Client {
    /// A client of the server at `url`, such as `https://maps.example.org/kiln`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the URL is invalid; [`Error::Config`] if TLS cannot be set up.
    pub(super) fn new(url: &str, token: Option<Token>) -> Result<Self> {
        let invalid = |reason: &str| {
            let detail = format!("{reason}; expected the URL of a server, such as https://maps.example.org");
            Error::invalid(URL, detail)
        };
        let uri: Uri = url.parse().map_err(|_| invalid("the value is not a URL"))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(invalid("the URL begins neither with https:// nor with http://")),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| invalid("the URL has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("the URL has a user or a password, and a key belongs in KILN_TOKEN"));
        }
        if uri.query().is_some() {
            return Err(invalid("the URL has a query string, and a key belongs in KILN_TOKEN"));
        }
        let authorization = token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal())).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Self {
            origin: format!("{}://{authority}", if is_https { "https" } else { "http" }),
            // An IPv6 address has brackets in a URI.
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            authorization: authorization.flatten(),
            tls: is_https.then(tls).transpose()?,
        })
    }

    /// Returns the status and the body of the response to a GET request. `target` is a path with an optional query string.
    ///
    /// # Errors
    /// [`Error::Input`] if the server does not respond.
    pub(super) async fn get(&self, target: &str) -> Result<(StatusCode, Bytes)> {
        let failed = |reason: String| Error::input(&self.origin, reason);
        let late = || failed(format!("no response within {} s", TIMEOUT.as_secs()));
        let (status, body) =
            tokio::time::timeout(TIMEOUT, self.send(target)).await.map_err(|_| late())?.map_err(failed)?;
        if status.is_redirection() {
            return Err(failed(format!(
                "the response is a redirect ({}); give the URL that it leads to",
                status.as_u16()
            )));
        }
        Ok((status, body))
    }

    async fn send(&self, target: &str) -> std::result::Result<(StatusCode, Bytes), String> {
        let failed = |error: std::io::Error| format!("the server cannot be reached: {error}");
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
                self.exchange(tls.connect(name, stream).await.map_err(failed)?, target).await
            }
            None => self.exchange(stream, target).await,
        }
    }

    /// Sends a request on a connection, and reads the response.
    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        target: &str,
    ) -> std::result::Result<(StatusCode, Bytes), String> {
        let failed = |error: hyper::Error| format!("not a server of Kiln: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // Dropped with this future, which ends the connection.
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        let mut request = Request::get(format!("{}{target}", self.prefix)).header(header::HOST, &self.authority);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.header(header::USER_AGENT, concat!("kiln/", env!("CARGO_PKG_VERSION")));
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES).collect().await;
        Ok((status, body.map_err(|error| format!("the response breaks off: {error}"))?.to_bytes()))
    }
}

fn tls() -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::config("--url", format!("TLS cannot be set up: {error}")))?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_servers_are_read_and_others_are_rejected() {
        let client = Client::new("https://maps.example.org:8443/kiln/", None).unwrap();
        let Client { origin, host, port, authority, prefix, .. } = &client;
        assert_eq!(
            (origin.as_str(), host.as_str(), *port),
            ("https://maps.example.org:8443", "maps.example.org", 8443)
        );
        assert_eq!((authority.as_str(), prefix.as_str()), ("maps.example.org:8443", "/kiln"));
        let client = Client::new("http://[::1]", None).unwrap();
        assert_eq!((client.host.as_str(), client.port, client.prefix.as_str()), ("::1", 80, ""));
        for url in
            ["maps.example.org", "ftp://a.example/", "http://", "http://u:s3cret@a.example", "http://a/?key=s3cret"]
        {
            let error = Client::new(url, None).err().unwrap().to_string();
            assert!(error.contains("https://maps.example.org") && !error.contains("s3cret"), "{url}: {error}");
        }
    }
}
