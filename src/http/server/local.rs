//! A server without a socket, for requests of the same process.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tempfile::TempDir;

use super::app::App;
use super::router::router;
use crate::config::{Config, Token};
use crate::error::{Error, Result};
use crate::http::maintenance::{memory, objects};
use crate::layer::Layer;
use crate::store::MirrorThreads;

/// The routes of a configuration, with its limits, for requests of the same process. They have the rights of the owner, and the
/// store is read-only: another server may use it at the same time. Images and masks are in a temporary folder.
pub(crate) struct LocalServer {
    app: Arc<App>,
    router: TowerToHyperService<Router>,
    authorization: HeaderValue,
    /// The threads of a replica, which stop with the server.
    _replica: Option<MirrorThreads>,
    _scratch: TempDir,
}

impl LocalServer {
    /// Opens the layers of `config`, or the bundled ones. Must be called within a Tokio runtime, whose tasks read changed objects
    /// again.
    ///
    /// # Errors
    /// If a layer or a scheme file cannot be read.
    pub(crate) async fn open(mut config: Config) -> Result<Self> {
        config.store.read_only = true;
        config.store.publish = None;
        let scratch = tempfile::tempdir().map_err(|error| Error::io("a temporary folder", "create", error))?;
        config.images.folder = scratch.path().join("images");
        config.masks.folder = scratch.path().join("masks");
        let token = config.server.token.get_or_insert_with(Token::random);
        let authorization = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
        let mut authorization = authorization.map_err(|_| Error::config("server.token", "invalid in a header"))?;
        authorization.set_sensitive(true);
        // Opening files and databases blocks.
        let opened = tokio::task::spawn_blocking(move || App::new(config)).await;
        let app = opened.map_err(|error| Error::io("the layers", "open", std::io::Error::other(error)))??;
        let app = Arc::new(app);
        let replica = app.replica.as_ref().map(|replica| replica.mirror.start()).transpose()?;
        tokio::spawn(memory::run(Arc::clone(&app)));
        tokio::spawn(objects::run(Arc::clone(&app)));
        let router = TowerToHyperService::new(router(Arc::clone(&app)));
        Ok(Self { app, router, authorization, _replica: replica, _scratch: scratch })
    }

    /// The layers by name.
    pub(crate) fn layers(&self) -> impl Iterator<Item = Arc<Layer>> {
        self.app.catalog.layers().into_iter()
    }

    /// Returns the status and the body of the response to a GET request. `target` is a path with an optional query string.
    ///
    /// # Errors
    /// [`Error::Input`] if `target` is invalid, or the body breaks off.
    pub(crate) async fn get(&self, target: &str) -> Result<(StatusCode, Bytes)> {
        let failed = |error: &dyn std::fmt::Display| Error::input(target, error.to_string());
        let request = Request::get(target).header(header::AUTHORIZATION, self.authorization.clone());
        // The base of the URLs in responses.
        let request = request.header(header::HOST, "localhost");
        let request = request.body(Body::empty()).map_err(|error| failed(&error))?;
        let response = self.router.call(request).await.unwrap_or_else(|never: Infallible| match never {});
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.map_err(|error| failed(&error))?;
        Ok((status, body))
    }
}
