//! Access of write requests to the layers of the store.

use std::sync::Arc;

use super::app::App;
use super::problem::{HttpResult, Problem};
use super::session::Session;
use crate::config::check_layer_name;
use crate::error::Error;
use crate::layer_name;
use crate::store::StoredLayer;

impl Session {
    /// Rejects the name of a layer that is read from input files.
    pub(crate) fn check_not_input_layer(&self, name: &str) -> HttpResult<()> {
        if self.is_input_layer(name) {
            let detail = format!(
                "the layer `{name}` is read from input files, which the server does not change; choose another name"
            );
            return Err(Problem::conflict(detail));
        }
        Ok(())
    }

    /// Checks that requests can change a property of the layer `name` of the store: `key` is its key in the section of a
    /// layer of the configuration, where layers of input files have it.
    pub(crate) fn check_stored(&self, name: &str, key: &str) -> HttpResult<()> {
        if self.is_input_layer(name) {
            let detail = format!("the layer `{name}` is read from input files; set layers.{name}.{key} of the config");
            return Err(Problem::conflict(detail));
        }
        self.stored_layer(name).map(drop)
    }

    /// Returns the layer `name` of the store.
    pub(crate) fn stored_layer(&self, name: &str) -> HttpResult<Arc<StoredLayer>> {
        self.check_not_input_layer(name)?;
        if layer_name::is_valid(name)
            && let Some(layer) = self.store.layer(name)?
        {
            return Ok(layer);
        }
        let removed = || Problem::not_found(format!("the layer `{name}` was removed"));
        let problem = self.layer(name).err().unwrap_or_else(removed);
        let can_create = check_layer_name(name).is_ok();
        let hint = || Problem::not_found(format!("{}; PUT /{name} creates it", problem.detail()));
        Err(if can_create { hint() } else { problem })
    }
}

impl App {
    /// The number of points and the version of a layer of the store, as they are published: those of its released
    /// points if it is protected.
    pub(crate) fn published(&self, layer: &StoredLayer) -> HttpResult<(u64, String)> {
        if self.catalog.is_protected(layer.name())
            && let Some(published) = self.catalog.find(layer.name())?
        {
            return Ok((published.points(), published.version().to_owned()));
        }
        let snapshot = layer.snapshot();
        Ok((snapshot.points(), snapshot.version()))
    }

    /// The problem of a failed change of a layer.
    pub(crate) fn change_problem(&self, layer: &StoredLayer, error: Error) -> Box<Problem> {
        match error {
            Error::Input { .. } if matches!(self.store.layer(layer.name()), Ok(None)) => {
                Problem::not_found(format!("the layer `{}` was removed", layer.name()))
            }
            error => error.into(),
        }
    }
}
