//! Layers of the store, as requests change them.

use std::sync::Arc;

use super::app::App;
use super::problem::{Answer, Problem};
use crate::config::check_layer_name;
use crate::error::Error;
use crate::layer_name;
use crate::store::StoredLayer;

impl App {
    /// Rejects the name of a layer of inputs.
    pub(crate) fn not_of_inputs(&self, name: &str) -> Answer<()> {
        if self.input_layers.contains(name) {
            let why =
                format!("the layer `{name}` is one of the server's inputs, which it only reads; choose another name");
            return Err(Problem::conflict(why));
        }
        Ok(())
    }

    /// The layer `name` of the store.
    pub(crate) fn stored(&self, name: &str) -> Answer<Arc<StoredLayer>> {
        self.not_of_inputs(name)?;
        if layer_name::is_valid(name)
            && let Some(layer) = self.store.layer(name)?
        {
            return Ok(layer);
        }
        let problem = self.layer(name).err().unwrap_or_else(|| Problem::not_found("it was there a moment ago"));
        let may_be = check_layer_name(name).is_ok();
        Err(if may_be { Problem::not_found(format!("{}; PUT /{name} makes it", problem.detail())) } else { problem })
    }

    /// The problem of a layer that could not be changed.
    pub(crate) fn refused(&self, layer: &StoredLayer, error: Error) -> Box<Problem> {
        match error {
            Error::Input { .. } if matches!(self.store.layer(layer.name()), Ok(None)) => {
                Problem::not_found(format!("the layer `{}` was removed meanwhile", layer.name()))
            }
            error => error.into(),
        }
    }
}
