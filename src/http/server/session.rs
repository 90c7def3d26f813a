//! The application state as the client of a request may use it.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::app::App;
use super::auth::WriteAccess;
use super::keys::Access;
use super::problem::{HttpResult, Problem};
use crate::config::{ROUTES, Right};
use crate::error::{Error, Result};
use crate::layer::{Layer, SelectedEntry, SelectionLimits, SelectionOwner};
use crate::spelling::{did_you_mean, nearest_of};
use crate::store::Store;

/// The application state on behalf of the client of a request. All handlers find layers through it, and not through the
/// catalog, so that none of them can return a layer that the client may not read.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    app: Arc<App>,
    access: Access,
}

impl Deref for Session {
    type Target = Arc<App>;

    fn deref(&self) -> &Arc<App> {
        &self.app
    }
}

impl FromRequestParts<Arc<App>> for Session {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let access = parts.extensions.get::<Access>().cloned();
        let access = access.unwrap_or_else(|| if app.keys.has_keys() { Access::Nobody } else { Access::NoKeys });
        Ok(Self { app: Arc::clone(app), access })
    }
}

impl Session {
    /// The layers that the client may see, sorted by name.
    pub(crate) fn layers(&self) -> Vec<Arc<Layer>> {
        let layers = self.app.catalog.layers();
        if self.access.is_unlimited() {
            return layers;
        }
        layers.iter().filter_map(|layer| self.view_of(layer).ok()?).collect()
    }

    /// What the client sees of a layer; `None`: nothing. Points that cannot be limited are not seen, and the reason is logged.
    fn view_of(&self, layer: &Arc<Layer>) -> Result<Option<Arc<Layer>>> {
        let Some(key) = self.access.key().filter(|key| key.sees(layer.name())) else { return Ok(None) };
        let Some(view) = key.view(layer.coordinate_space()) else { return Ok(None) };
        match self.app.catalog.view(layer, view) {
            Err(error @ (Error::Input { .. } | Error::Invalid { .. })) => {
                tracing::warn!(key = key.name, layer = layer.name(), %error, "the key sees no points of the layer");
                Ok(None)
            }
            view => view.map(Some),
        }
    }

    /// The first layer by name.
    pub(crate) fn first_layer(&self) -> Option<Arc<Layer>> {
        self.layers().into_iter().next()
    }

    /// The layer or query `name`; `None` if there is none, or the client may not see it.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Arc<Layer>>> {
        if self.access.is_unlimited() {
            return self.app.catalog.find(name);
        }
        if self.access.sees(name)
            && let Some(layer) = self.app.catalog.find(name)?.filter(|layer| layer.parent().is_none())
        {
            return self.view_of(&layer);
        }
        // A query is that of its client, as long as the client sees the same points of its layer.
        let Some(SelectedEntry { parent, owner: Some(owner), .. }) = self.app.catalog.selection(name) else {
            return Ok(None);
        };
        let is_own = self.owner_of_selections(&parent).is_some_and(|own| own == owner) && self.access.sees(&parent);
        if is_own { self.app.catalog.find(name) } else { Ok(None) }
    }

    /// The owner of queries of the layer `parent` that the client creates; `None` on a server without keys.
    pub(crate) fn owner_of_selections(&self, parent: &str) -> Option<SelectionOwner> {
        let key = self.access.key()?;
        let layer = self.app.catalog.find(parent).ok()??;
        let view = key.view(layer.coordinate_space())?.clone();
        Some(SelectionOwner { key: key.name.clone(), view: (!view.is_everything()).then_some(view) })
    }

    /// The access of the request.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The layer or query `name`.
    pub(crate) fn layer(&self, name: &str) -> HttpResult<Arc<Layer>> {
        self.find(name)?.ok_or_else(|| {
            // A longer name cannot be a layer name: it is not compared with others, nor repeated in the message.
            const MAX_BYTES: usize = 64;
            if let Err(problem) = self.check_replica() {
                return problem;
            }
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
    pub(crate) fn writable_store(&self, headers: &HeaderMap, name: &str) -> HttpResult<&Store> {
        let Some(key) = self.access.key() else { return self.app.writable_store(headers) };
        // The same for a layer that exists, and for one that does not.
        if !key.may(Right::Write) || !key.sees(name) {
            return Err(Problem::forbidden(format!("the key `{}` may not change a layer of this name", key.name)));
        }
        self.app.claimed_store()
    }

    /// Checks that the client may do what is not a change of a layer, such as to run a job. The middleware has checked the
    /// right of a key.
    pub(crate) fn authorize_write(&self, headers: &HeaderMap) -> HttpResult<()> {
        if self.access.key().is_some() { Ok(()) } else { self.app.authorize_write(headers) }
    }

    /// Whether the client can change the store.
    pub(crate) fn write_access(&self, headers: &HeaderMap) -> WriteAccess {
        match self.access.key() {
            None => self.app.write_access(headers),
            Some(_) if self.config.store.is_read_only() => self.app.write_access(headers),
            // Its owner sends the token.
            Some(key) if key.is_anonymous() => self.app.write_access(headers),
            Some(key) if key.may(Right::Write) => WriteAccess::Open,
            Some(_) => WriteAccess::Closed("the key does not have the right to write"),
        }
    }

    /// Whether the client may use a job, by the layer of the job; `None` if it reads other points.
    pub(crate) fn sees_job(&self, layer: Option<&str>) -> bool {
        let Some(key) = self.access.key() else { return true };
        layer.map_or_else(|| key.sees_all_layers(), |layer| key.sees(layer))
    }

    /// Adds the query `id`, and removes the expired ones.
    pub(crate) fn select(&self, id: &str, entry: SelectedEntry, now_s: u64) {
        let queries = &self.config.queries;
        let limits = SelectionLimits { max_count: queries.max_count, max_bytes: queries.max_size.bytes() };
        self.app.catalog.select(id, entry, now_s, limits);
    }
}
