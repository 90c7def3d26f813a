//! The server: accepts connections up to a limit, closes idle and stalled ones, and completes requests at shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use super::app::App;
use super::base_url::Peer;
use super::connection_stream::ConnectionStream;
use super::connections::{Connections, max_open_files};
use super::hangup::Hangup;
use super::keys::take_credentials;
use super::masks::run_webhooks;
use super::problem::Problem;
use super::reload::{LoadConfig, reload_on_signal};
use super::replica::Replica;
use super::request_head::normalize_head;
use super::request_uri::normalize;
use super::router::router;
use super::tls::Tls;
use super::tracked_body::TrackedBody;
use crate::config::{Config, Token};
use crate::error::{Error, Result};
use crate::http::maintenance::{image_gc, jobs, mask_gc, memory, objects, publish, store};
use crate::http::routes::pages::has_full_page;
use crate::layer::Layer;
use crate::store::MirrorThreads;

/// The timeout for the headers of a request, including the time since the previous one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// The maximum size of the head of an HTTP/1.1 request. A URI has at most 64 KiB.
const MAX_HEAD_BYTES: usize = 128 << 10;

/// The part of a body that is read ahead. Alone, it would limit a head only to the first multiple of what is read at once.
const MAX_READ_BYTES: usize = MAX_HEAD_BYTES;

/// The paths that are served to connections beyond `server.max_connections`.
const RESERVED_PATHS: [&str; 2] = ["/health", "/_/metrics"];

/// A server that listens on its address.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<Tls>,
    reload: Option<LoadConfig>,
    /// The threads of a replica, which stop with the server.
    _replica: Option<MirrorThreads>,
    /// For the configuration and for the certificate. Installed before the server listens: a signal that follows is received.
    hangups: [Hangup; 2],
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("app", &self.app).field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the layers of `config`, or the bundled ones if it sets no layers and no store and the default store has none, and
    /// binds the address.
    ///
    /// # Errors
    /// If a layer, a scheme file or a certificate cannot be read, the image folder cannot be written, or the address is in
    /// use.
    pub async fn bind(config: Config) -> Result<Self> {
        let listen = config.server.listen;
        // Opening files and databases blocks.
        let opened = tokio::task::spawn_blocking(move || Ok::<_, Error>((Tls::new(&config)?, App::new(config)?))).await;
        let (tls, app) = opened.map_err(|error| Error::io("the server", "start", std::io::Error::other(error)))??;
        let app = Arc::new(app);
        let hangups = [Hangup::new(), Hangup::new()];
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|error| Error::io(listen.to_string(), "listen on", error))?;
        let replica = app.replica.as_ref().map(|replica| replica.mirror.start()).transpose()?;
        Ok(Self { app, listener, tls, reload: None, _replica: replica, hangups })
    }

    /// Sets the function that loads the configuration again after SIGHUP. Its keys replace those of the server.
    #[must_use]
    pub fn with_reload(mut self, load: impl Fn() -> Result<Config> + Send + Sync + 'static) -> Self {
        self.reload = Some(Arc::new(load));
        self
    }

    /// Returns the address that the server listens on, with the assigned port if the configured one is 0.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not report the address.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| Error::io("listener", "read the address of", error))
    }

    /// Returns the URL of the map page with the temporary token for writes: for a server without a configured token
    /// that listens on a loopback address and has a writable store.
    /// `None` also without the full map page, since the plain one cannot add layers.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not report the address.
    pub fn write_url(&self) -> Result<Option<String>> {
        let url = self.url()?;
        Ok(self.write_token().filter(|_| has_full_page()).map(|token| format!("{url}#token={token}")))
    }

    /// Returns the temporary token for writes, if the server has one.
    pub fn write_token(&self) -> Option<&str> {
        self.app.temporary_token.as_ref().map(Token::reveal)
    }

    /// Returns the URL of the map page at the [address](Self::address) of the server.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not report the address.
    pub fn url(&self) -> Result<String> {
        Ok(format!("{}://{}/", self.app.config.server.scheme(), self.address()?))
    }

    /// The layers by name.
    pub fn layers(&self) -> impl Iterator<Item = Arc<Layer>> {
        self.app.catalog.layers().into_iter()
    }

    /// Completes with an error if the bucket of a replica without a copy turns out to be unusable after the start, such as by
    /// wrong credentials: it has nothing to serve then. Otherwise it never completes.
    pub fn failure(&self) -> impl Future<Output = Error> + use<> {
        let failure = self.app.replica.as_ref().map(Replica::failure);
        async {
            match failure {
                Some(failure) => failure.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Serves requests until `shutdown` completes, then completes the requests in progress.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { app, listener, tls, reload: load, _replica, hangups: [hangup, tls_hangup] } = self;
        app.warn_of_keys(&app.config);
        let reload = tls.clone().map(|tls| tokio::spawn(tls.reload(Arc::clone(&app), tls_hangup)));
        let expiry = tls.clone().map(|tls| tokio::spawn(tls.watch_expiry(Arc::clone(&app))));
        let background = [
            tokio::spawn(image_gc::run(Arc::clone(&app))),
            tokio::spawn(mask_gc::run(Arc::clone(&app))),
            tokio::spawn(memory::run(Arc::clone(&app))),
            tokio::spawn(run_webhooks(Arc::clone(&app))),
            tokio::spawn(store::run(Arc::clone(&app))),
            tokio::spawn(publish::run(Arc::clone(&app))),
            tokio::spawn(jobs::run(Arc::clone(&app))),
            tokio::spawn(objects::run(Arc::clone(&app))),
            tokio::spawn(reload_on_signal(Arc::clone(&app), load, hangup)),
        ];
        serve(Arc::clone(&app), router(Arc::clone(&app)), listener, tls, shutdown).await;
        for task in background.into_iter().chain(reload).chain(expiry) {
            task.abort();
        }
        app.maintenance.stop();
    }
}

/// Serves connections until `shutdown` completes, then completes the requests in progress.
async fn serve(
    app: Arc<App>,
    router: Router,
    listener: TcpListener,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Connections::new(&app.config.server, max_open_files()));
    let min_rate = app.config.limits.body_rate.bytes();
    let timeout = app.config.server.timeout.duration();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.max_header_size(MAX_HEAD_BYTES).max_buf_size(MAX_READ_BYTES);
    let mut reserved = builder.clone();
    reserved.keep_alive(false);
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, Peer(peer.ip())),
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
                    // Usually out of file descriptors; wait until a closed connection frees one.
                    tracing::error!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
        };
        // Closed at once: all places are taken by requests in progress.
        let Some(connection) = connections.admit(&app.config.server, peer.0) else { continue };
        let builder = if connection.is_reserved() { &reserved } else { &builder };
        let connection = Arc::new(connection);
        // Responses are written in one piece; Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        // Close the connection of a client that stops reading.
        let stream = ConnectionStream::new(stream, Arc::clone(&connection), min_rate, timeout);
        let routes = TowerToHyperService::new(router.clone());
        let tracked = Arc::clone(&connection);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let in_progress = tracked.begin();
            request.extensions_mut().insert(peer);
            normalize(&mut request);
            normalize_head(&mut request);
            take_credentials(&mut request);
            let is_admitted = !tracked.is_reserved() || RESERVED_PATHS.contains(&request.uri().path());
            let response = is_admitted.then(|| routes.call(request));
            async move {
                let response = match response {
                    Some(response) => response.await?,
                    None => too_many_connections(),
                };
                Ok::<_, Infallible>(response.map(|body| TrackedBody::new(body, in_progress)))
            }
        });
        let watcher = graceful.watcher();
        let (app, tls, builder) = (Arc::clone(&app), tls.clone(), builder.clone());
        tokio::spawn(async move {
            app.metrics.connections.inc();
            let served = async {
                match tls {
                    Some(tls) => tls.serve(stream, service, &builder, watcher).await,
                    None => {
                        watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await.map_err(Into::into)
                    }
                }
            };
            tokio::select! {
                // Usually the client closed it.
                served = served => if let Err(error) = served {
                    tracing::debug!(%error, "connection closed early");
                },
                () = connection.closed() => tracing::debug!("idle connection closed for another"),
            }
            app.metrics.connections.dec();
        });
    }
    drop(listener);
    // Event streams would not end by themselves.
    app.masks.clicks.stop();
    tracing::info!("shutting down: completing the requests in progress");
    if tokio::time::timeout(timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("shutdown timed out before all requests were completed");
    }
}

/// The response to a request on a connection beyond `server.max_connections`.
fn too_many_connections() -> Response<Body> {
    let detail = "the server has as many connections as server.max_connections allows; retry later";
    let mut response = Problem::busy(detail).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
