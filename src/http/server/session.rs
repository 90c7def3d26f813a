//! The application state as the client of a request may use it.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::app::App;
use super::problem::{HttpResult, Problem};
use crate::config::ROUTES;
use crate::error::Result;
use crate::layer::{Layer, SelectedEntry, SelectionLimits};
use crate::spelling::{did_you_mean, nearest_of};
use crate::store::Store;

/// The application state on behalf of the client of a request. All handlers find layers through it, and not through the
/// catalog, so that none of them can return a layer that the client may not read.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    app: Arc<App>,
}

impl Deref for Session {
    type Target = Arc<App>;

    fn deref(&self) -> &Arc<App> {
        &self.app
    }
}

impl FromRequestParts<Arc<App>> for Session {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self { app: Arc::clone(app) })
    }
}

impl Session {
    /// The layers, sorted by name.
    pub(crate) fn layers(&self) -> Vec<Arc<Layer>> {
        self.app.catalog.layers()
    }

    /// The first layer by name.
    pub(crate) fn first_layer(&self) -> Option<Arc<Layer>> {
        self.layers().into_iter().next()
    }

    /// The layer or query `name`; `None` if there is none.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Arc<Layer>>> {
        self.app.catalog.find(name)
    }

    /// The layer or query `name`.
    pub(crate) fn layer(&self, name: &str) -> HttpResult<Arc<Layer>> {
        self.find(name)?.ok_or_else(|| {
            // A longer name cannot be a layer name: it is not compared with others, nor repeated in the message.
            const MAX_BYTES: usize = 64;
            if name.len() > MAX_BYTES {
                return Problem::not_found(format!("there is no such layer; a name has at most {MAX_BYTES} bytes"));
            }
            let layers = self.layers();
            let near = nearest_of(name, ROUTES, layers.iter().map(|layer| layer.name()));
            // The slash tells a route from a layer.
            let near: Vec<String> = near
                .into_iter()
                .map(|near| if ROUTES.contains(&near) { format!("/{near}") } else { near.to_owned() })
                .collect();
            let hint = did_you_mean(&near.iter().map(String::as_str).collect::<Vec<_>>());
            Problem::not_found(format!("there is no layer `{name}`; {hint}/catalog lists all"))
        })
    }

    /// The store, if the client may change the layer `name` of it.
    pub(crate) fn writable_store(&self, headers: &HeaderMap, _name: &str) -> HttpResult<&Store> {
        self.app.writable_store(headers)
    }

    /// Adds the query `id`, and removes the expired ones.
    pub(crate) fn select(&self, id: &str, entry: SelectedEntry, now_s: u64) {
        let queries = &self.config.queries;
        let limits = SelectionLimits { max_count: queries.max_count, max_bytes: queries.max_size.bytes() };
        self.app.catalog.select(id, entry, now_s, limits);
    }
}
