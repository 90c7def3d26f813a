//! Rooms: named polygons of layers, from the config or from the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::app::App;
use super::digest::keyed_digest;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::occupancy::Rooms;
use crate::source::CoordinateSpace;

/// The rooms of layers.
#[derive(Debug)]
pub(crate) struct LayerRooms {
    /// The rooms of the config, by layer.
    configured: BTreeMap<String, Arc<Rooms>>,
    /// The rooms of the store, by their text.
    parsed: Cache<u128, Arc<Rooms>>,
}

impl LayerRooms {
    /// The maximum number of layers whose parsed rooms are kept in memory.
    const MAX_PARSED: usize = 64;

    /// Reads the rooms that the config names.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Input`] if a file cannot be read, or has no rooms.
    pub(crate) fn open(config: &Config) -> Result<Self> {
        let layers = config.layers.iter().filter_map(|(name, layer)| Some((name, layer, layer.rooms.as_ref()?)));
        let read = layers.map(|(name, layer, path)| Ok((name.clone(), Arc::new(Rooms::read(path, layer.coordinate_space())?))));
        Ok(Self { configured: read.collect::<Result<_>>()?, parsed: Cache::new(Self::MAX_PARSED) })
    }

    /// Parses the rooms of a layer of the store.
    fn parse(&self, layer: &str, text: &str, space: CoordinateSpace) -> Result<Arc<Rooms>> {
        self.parsed.get_or_insert_with(&keyed_digest((text, space.wraps())), || {
            let rooms = Rooms::parse(text, space);
            rooms.map(Arc::new).map_err(|error| Error::input(format!("{layer}/rooms"), error.into_message().with_keys()))
        })
    }
}

impl App {
    /// The rooms of a layer; a query has those of its layer. It may read a file.
    pub(crate) fn rooms_of(&self, layer: &Layer) -> Result<Option<Arc<Rooms>>> {
        let name = layer.parent().map_or(layer.name(), |parent| parent.name());
        if let Some(rooms) = self.rooms.configured.get(name) {
            return Ok(Some(Arc::clone(rooms)));
        }
        if self.input_layers.contains(name) {
            return Ok(None);
        }
        let text = self.store.rooms(name)?;
        text.map(|text| self.rooms.parse(name, &text, layer.coordinate_space())).transpose()
    }
}
