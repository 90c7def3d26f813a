//! Layers by name: inputs whose points are at hand for pictures of any place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{StyleOptions, Survey};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Extent};
use crate::source::{Columns, Ground, Inputs, Query, Resident, ScanReport, Source, open};

/// What a layer is made of.
#[derive(Clone, Debug, Default)]
pub struct LayerSpec {
    /// Its name in addresses.
    pub name: String,
    /// Files, read in turn.
    pub inputs: Vec<String>,
    /// What people call it. Default: its name.
    pub title: Option<String>,
    /// Whom to thank for the points.
    pub attribution: Option<String>,
    /// Where the columns are.
    pub columns: Columns,
    /// Which coordinates are valid.
    pub ground: Ground,
    /// How it is drawn unless asked otherwise.
    pub style: StyleOptions,
}

/// Points under a name.
///
/// They are held in memory, where a picture looks only at those near to it; a query that asks for times or categories, or
/// filters by them, goes back to the input. Layers of more than [`Self::MAX_RESIDENT`] points stay in their input altogether.
#[derive(Debug)]
pub struct Layer {
    spec: LayerSpec,
    inputs: Inputs,
    resident: Option<Resident>,
    extent: Extent,
    report: ScanReport,
    version: String,
}

impl Layer {
    /// The most points that are held in memory: 1 GB with weights.
    pub const MAX_RESIDENT: usize = 50_000_000;

    /// Reads the points of a layer.
    ///
    /// # Errors
    /// If an input cannot be read, or holds no valid point.
    pub fn open(spec: LayerSpec) -> Result<Self> {
        let inputs = Inputs(spec.inputs.iter().map(|input| open(input)).collect::<Result<_>>()?);
        Self::new(spec, inputs)
    }

    /// The layer of inputs that are open already; `spec` only says what they are called.
    ///
    /// # Errors
    /// If an input cannot be read, or holds no valid point.
    pub fn new(spec: LayerSpec, inputs: Inputs) -> Result<Self> {
        let query = Query { columns: spec.columns.clone(), ground: spec.ground, weights: true, ..Query::default() };
        let resident = match Resident::load(&inputs, &query, Self::MAX_RESIDENT) {
            Ok(resident) => Some(resident),
            Err(Error::Cancelled) => None,
            Err(error) => return Err(error),
        };
        let (extent, report, version) = if let Some(resident) = &resident {
            (resident.extent().clone(), resident.report().clone(), resident.fingerprint())
        } else {
            let Survey { extent, report, .. } = Survey::of(&inputs, &query, crate::available_threads())?;
            let version = report.read;
            (extent, report, version)
        };
        report.require_points(&spec.inputs)?;
        Ok(Self { spec, inputs, resident, extent, report, version: format!("{version:016x}") })
    }

    /// Its name in addresses.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        self.spec.title.as_deref().unwrap_or(&self.spec.name)
    }

    /// Whom to thank for the points.
    pub fn attribution(&self) -> Option<&str> {
        self.spec.attribution.as_deref()
    }

    /// Which coordinates are valid.
    pub fn ground(&self) -> Ground {
        self.spec.ground
    }

    /// How it is drawn unless asked otherwise.
    pub fn style(&self) -> &StyleOptions {
        &self.spec.style
    }

    /// What its weights count; `None` where every point weighs 1.
    pub fn weight(&self) -> Option<&str> {
        let weighted = self.resident.as_ref().map_or(self.spec.columns.weight.is_some(), Resident::is_weighted);
        weighted.then(|| self.spec.columns.weight.as_deref().unwrap_or("weight"))
    }

    /// Valid points.
    pub fn points(&self) -> u64 {
        self.report.valid()
    }

    /// What the reading of the inputs met.
    pub fn report(&self) -> &ScanReport {
        &self.report
    }

    /// The smallest rectangle that holds all points; across the antimeridian its `east` is beyond 180.
    pub fn bounds(&self) -> Bounds {
        self.extent.bounds(self.spec.ground.wraps()).unwrap_or(Bounds::WORLD)
    }

    /// Where the points are.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// A text that changes with the points.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A query for the layer's points, with no filter yet.
    pub fn query(&self) -> Query<'static> {
        Query { columns: self.spec.columns.clone(), ground: self.spec.ground, ..Query::default() }
    }

    /// Where `query` is answered the fastest.
    pub fn source(&self, query: &Query<'_>) -> &dyn Source {
        match &self.resident {
            Some(resident) if resident.serves(query) => resident,
            _ => &self.inputs,
        }
    }
}

/// All layers.
#[derive(Debug, Default)]
pub struct Catalog {
    layers: BTreeMap<String, Arc<Layer>>,
}

impl Catalog {
    /// The layers, of which each has a name of its own.
    pub fn new(layers: impl IntoIterator<Item = Layer>) -> Self {
        Self { layers: layers.into_iter().map(|layer| (layer.name().to_owned(), Arc::new(layer))).collect() }
    }

    /// All layers, by name.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.values().map(|layer| &**layer)
    }

    /// The layer `name`.
    pub fn find(&self, name: &str) -> Option<&Arc<Layer>> {
        self.layers.get(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Projection;
    use crate::layer::{Size, Style, canvas_of, render};

    fn layer(text: &str) -> Result<Layer> {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let inputs = vec![file.path().to_str().unwrap().to_owned()];
        // The file is kept for the queries that filter.
        let _ = file.keep().unwrap();
        Layer::open(LayerSpec { name: "stops".into(), inputs, ..LayerSpec::default() })
    }

    #[test]
    fn a_layer_draws_its_points_and_filters_by_going_back_to_the_input() {
        let layer = layer("lon,lat,weight,kind\n10,50,2,bus\n11,51,3,tram\n12,abc,1,bus\n").unwrap();
        assert_eq!((layer.points(), layer.report().rejected, layer.weight()), (2, 1, Some("weight")));
        assert_eq!(layer.bounds(), Bounds { west: 10.0, south: 50.0, east: 11.0, north: 51.0 });
        let canvas =
            canvas_of(Projection::Mercator, Bounds::new(9.0, 49.0, 12.0, 52.0).unwrap(), Size::Longest(64)).unwrap();
        let drawn =
            |query: &Query<'_>| render(layer.source(query), query, &canvas, &Style::new().unwrap(), 1).unwrap().drawn;
        assert_eq!(drawn(&layer.query()), 2);
        assert_eq!(drawn(&Query { in_categories: vec!["tram".into()], ..layer.query() }), 1);
    }

    #[test]
    fn a_layer_without_points_is_an_error_and_its_version_follows_its_points() {
        assert!(layer("lon,lat\nx,y\n").unwrap_err().to_string().contains("row 1"));
        let version = |text| layer(text).unwrap().version().to_owned();
        assert_eq!(version("lon,lat\n1,2\n"), version("lat,lon\n2,1\n"));
        assert_ne!(version("lon,lat\n1,2\n"), version("lon,lat\n1,3\n"));
    }
}
