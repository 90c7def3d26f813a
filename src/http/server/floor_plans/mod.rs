//! Floor plans: the pictures below layers on a plane, from the config or from the store.

mod plan;
mod stored;

use std::collections::BTreeMap;
use std::io::Read;

use axum::body::Bytes;

use super::app::App;
use super::damaged_files::LayerFile;
use crate::config::{Config, FloorPlanConfig};
use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::layer::{Catalog, Layer};

pub(crate) use plan::{FloorPlan, ImageFormat, PlanError, check_bounds};

/// The floor plans of the config by layer, each with its image.
pub(crate) type ConfiguredPlans = BTreeMap<String, (FloorPlan, Bytes)>;

/// Reads and checks the floor plans of the config.
///
/// # Errors
/// [`Error::Config`] with the key, if an image is missing, invalid or too large, or bounds are empty.
pub(crate) fn open(config: &Config) -> Result<ConfiguredPlans> {
    let plans = config.layers.iter().filter_map(|(name, layer)| Some((name, layer.floorplan.as_ref()?)));
    let open = |(name, plan): (&String, &FloorPlanConfig)| {
        let invalid = |key: &str, why: String| config.error(format!("layers.{name}.floorplan.{key}"), why);
        let [west, south, east, north] = plan.bounds.unwrap_or_default();
        let bounds = Bounds { west, south, east, north };
        check_bounds(bounds).map_err(|why| invalid("bounds", why))?;
        let unreadable = |error: std::io::Error| invalid("image", format!("cannot read the file: {error}"));
        let max_bytes = config.limits.floorplan_body.bytes();
        let mut bytes = Vec::new();
        let mut file = std::fs::File::open(&plan.image).map_err(unreadable)?.take(max_bytes + 1);
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        let checked = FloorPlan::of_image(&bytes, bounds, &config.limits);
        let plan = checked.map_err(|error| invalid("image", error.to_string()))?;
        Ok((name.clone(), (plan, Bytes::from(bytes))))
    };
    plans.map(open).collect()
}

/// Checks that the layers with a floor plan in the config are on a plane. A layer of the store may be created later.
///
/// # Errors
/// [`Error::Config`] with the key of the first one that is not.
pub(crate) fn check(config: &Config, plans: &ConfiguredPlans, catalog: &Catalog) -> Result<()> {
    let is_on_globe = |name: &str| {
        // Tables are on the globe; finding one would query the database.
        let is_table = config.layers.get(name).is_some_and(|layer| layer.table.is_some() || layer.sql.is_some());
        // A damaged layer does not stop the server.
        is_table || matches!(catalog.find(name), Ok(Some(layer)) if layer.coordinate_space().wraps())
    };
    match plans.keys().find(|name| is_on_globe(name)) {
        Some(name) => Err(config.error(
            format!("layers.{name}.floorplan"),
            "the layer is on the globe; only a layer on a plane has a floor plan",
        )),
        None => Ok(()),
    }
}

impl App {
    /// The floor plan of a layer; a query has that of its layer. It may read the start of a file.
    pub(crate) fn floor_plan(&self, layer: &Layer) -> Result<Option<FloorPlan>> {
        let Some(name) = plan_layer(layer) else { return Ok(None) };
        if let Some((plan, _)) = self.floor_plans.get(name) {
            return Ok(Some(plan.clone()));
        }
        if self.is_input_layer(name) {
            return Ok(None);
        }
        let file = self.store.floor_plan(name)?;
        let plan = file.map(|file| stored::read_plan(name, &mut std::io::BufReader::new(file))).transpose();
        self.damaged_files.record(name, LayerFile::FloorPlan, &plan);
        plan
    }

    /// The floor plan of a layer with its image. It may read a file.
    pub(crate) fn floor_plan_image(&self, layer: &Layer) -> Result<Option<(FloorPlan, Bytes)>> {
        let Some(name) = plan_layer(layer) else { return Ok(None) };
        if let Some(plan) = self.floor_plans.get(name) {
            return Ok(Some(plan.clone()));
        }
        if self.is_input_layer(name) {
            return Ok(None);
        }
        let plan = self.store.floor_plan(name)?.map(|file| stored::read_image(name, file)).transpose();
        self.damaged_files.record(name, LayerFile::FloorPlan, &plan);
        plan
    }

    /// Stores the floor plan of a layer of the store. Returns whether the layer had one; `None` if it was removed.
    pub(crate) fn store_floor_plan(&self, layer: &str, plan: &FloorPlan, image: &[u8]) -> Result<Option<bool>> {
        let header = stored::header(plan, image).map_err(|error| Error::input(layer, error.to_string()))?;
        self.store.set_floor_plan(layer, &[header.as_bytes(), image])
    }
}

/// The name of the layer whose floor plan is that of `layer`; `None` on the globe.
fn plan_layer(layer: &Layer) -> Option<&str> {
    (!layer.coordinate_space().wraps()).then(|| layer.parent().map_or(layer.name(), |parent| parent.name()))
}
