//! The rooms that the configuration names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config;
use crate::error::Result;
use crate::layer::Layer;
use crate::occupancy::Rooms;
use crate::source::CoordinateSpace;

/// The rooms of layers that the configuration names. A stored layer is on a plane or on the globe as its points are, so
/// rooms are kept for both.
#[derive(Debug)]
pub(crate) struct ConfiguredRooms(BTreeMap<String, RoomsOfLayer>);

#[derive(Debug)]
struct RoomsOfLayer {
    plane: Arc<Rooms>,
    /// `None` if a position is not in degrees.
    globe: Option<Arc<Rooms>>,
}

impl ConfiguredRooms {
    /// Reads the files.
    pub(crate) fn read(config: &Config) -> Result<Self> {
        let mut all = BTreeMap::new();
        for (name, layer) in &config.layers {
            let Some(path) = &layer.rooms else { continue };
            let plane = Rooms::read(path, CoordinateSpace::Plane)?;
            let globe = Rooms::read(path, CoordinateSpace::Globe);
            // Those of a table are on the globe.
            let globe = if layer.table.is_some() || layer.sql.is_some() { Some(globe?) } else { globe.ok() };
            all.insert(name.clone(), RoomsOfLayer { plane: Arc::new(plane), globe: globe.map(Arc::new) });
        }
        Ok(Self(all))
    }

    /// The rooms of a layer.
    pub(crate) fn of_layer(&self, layer: &Layer) -> Option<&Arc<Rooms>> {
        let rooms = self.0.get(layer.name())?;
        if layer.coordinate_space().wraps() { rooms.globe.as_ref() } else { Some(&rooms.plane) }
    }
}
