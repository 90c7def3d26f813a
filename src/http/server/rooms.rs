//! Rooms: named polygons of layers, from the config or from the store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::app::App;
use super::damaged_files::LayerFile;
use super::digest::keyed_digest;
use crate::config::{Config, LayerConfig};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::occupancy::Rooms;
use crate::source::CoordinateSpace;

/// The rooms of layers.
#[derive(Debug)]
pub(crate) struct LayerRooms {
    /// The rooms of the config, by layer.
    configured: BTreeMap<String, ConfiguredRooms>,
    /// The rooms of the store, by their text.
    parsed: Cache<u128, Arc<Rooms>, BySize>,
}

/// The rooms of a layer of the config. A stored layer is on a plane or on the globe as its points are, so rooms are kept
/// for both.
#[derive(Debug)]
struct ConfiguredRooms {
    plane: Arc<Rooms>,
    /// `None` if a position is not in degrees.
    globe: Option<Arc<Rooms>>,
}

impl ConfiguredRooms {
    fn read(layer: &LayerConfig, path: &Path) -> Result<Self> {
        let plane = Rooms::read(path, CoordinateSpace::Plane)?;
        let globe = Rooms::read(path, CoordinateSpace::Globe);
        // Those of a table are on the globe.
        let globe = if layer.table.is_some() || layer.sql.is_some() { Some(globe?) } else { globe.ok() };
        Ok(Self { plane: Arc::new(plane), globe: globe.map(Arc::new) })
    }

    fn of_space(&self, space: CoordinateSpace) -> Option<Arc<Rooms>> {
        if space.wraps() { self.globe.clone() } else { Some(Arc::clone(&self.plane)) }
    }
}

#[derive(Clone, Copy, Debug)]
struct BySize;

impl Weighter<u128, Arc<Rooms>> for BySize {
    fn weight(&self, _: &u128, rooms: &Arc<Rooms>) -> u64 {
        /// The memory of rooms is at most about this many times the size of their text.
        const FACTOR: usize = 8;
        (FACTOR * rooms.text().len()) as u64
    }
}

impl LayerRooms {
    /// The typical number of layers whose parsed rooms are kept in memory.
    const PARSED: usize = 64;
    /// The maximum size of parsed rooms that are kept in memory.
    const MAX_BYTES: u64 = 64 << 20;

    /// Reads the rooms that the config names.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Input`] if a file cannot be read, or has no rooms.
    pub(crate) fn open(config: &Config) -> Result<Self> {
        let layers = config.layers.iter().filter_map(|(name, layer)| Some((name, layer, layer.rooms.as_ref()?)));
        let read = layers.map(|(name, layer, path)| Ok((name.clone(), ConfiguredRooms::read(layer, path)?)));
        Ok(Self {
            configured: read.collect::<Result<_>>()?,
            parsed: Cache::with_weighter(Self::PARSED, Self::MAX_BYTES, BySize),
        })
    }

    /// Parses the rooms of a layer of the store.
    fn parse(&self, layer: &str, text: &str, space: CoordinateSpace) -> Result<Arc<Rooms>> {
        self.parsed.get_or_insert_with(&keyed_digest((text, space.wraps())), || {
            let rooms = Rooms::parse(text, space);
            rooms
                .map(Arc::new)
                .map_err(|error| Error::damaged(format!("{layer}/rooms.geojson"), error.into_message().with_keys()))
        })
    }
}

impl App {
    /// The rooms of a layer; a query has those of its layer. It may read a file.
    pub(crate) fn rooms_of(&self, layer: &Layer) -> Result<Option<Arc<Rooms>>> {
        let name = layer.parent().map_or(layer.name(), |parent| parent.name());
        if let Some(rooms) = self.rooms.configured.get(name) {
            return Ok(rooms.of_space(layer.coordinate_space()));
        }
        if self.is_input_layer(name) {
            return Ok(None);
        }
        let parse = |text: String| self.rooms.parse(name, &text, layer.coordinate_space());
        let rooms = self.store.rooms(name).and_then(|text| text.map(parse).transpose());
        self.damaged_files.record(name, LayerFile::Rooms, &rooms);
        rooms
    }
}
