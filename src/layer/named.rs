//! Points under a name.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quick_cache::sync::Cache;

use super::origin::Origin;
use super::shading::{self, Shading};
use super::{Blend, Selection, Style, StyleOptions, Survey};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent};
use crate::postgis::{LiveSnapshot, LiveSummary};
use crate::source::{Columns, Ground, Inputs, Query, Resident, ScanReport, open};
use crate::store::{Snapshot, Summary};

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
    /// Columns that requests may compare, of a live table.
    pub comparable: Vec<String>,
    /// How it is drawn unless asked otherwise.
    pub style: StyleOptions,
}

/// Points under a name, as they are at one moment.
///
/// Those of a store are drawn from their sums. Those of inputs are held in memory, where a picture looks only at those
/// near to it; a query that filters by time or category goes back to the input, and inputs of more than
/// [`Self::MAX_RESIDENT`] points are read for each picture. Those of a live table are summed up by its database.
pub struct Layer {
    spec: LayerSpec,
    points: LayerPoints,
    version: String,
    extent: Extent,
    shadings: Cache<String, Arc<Shading>>,
    /// Places by which shadings are found, by filter.
    places: Cache<String, Arc<[(f64, f64)]>>,
}

/// What the points of a layer come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Points.
    pub points: u64,
    /// Sum, least and greatest of the weights; `None` where every point weighs 1, or there is none.
    pub weight: Option<[f64; 3]>,
    /// First and last instant in microseconds since 1970-01-01 UTC; `None` where no point has one.
    pub time_us: Option<[i64; 2]>,
}

enum LayerPoints {
    Inputs {
        inputs: Inputs,
        resident: Option<Box<Resident>>,
        report: ScanReport,
    },
    Stored(Arc<Snapshot>),
    Live(Arc<LiveSnapshot>),
    /// Some of another layer's, and how many of them there were when they were counted.
    Selected {
        of: Arc<Layer>,
        selection: Selection,
        points: u64,
    },
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
        Self::filtered(spec, inputs, &Query::default())
    }

    /// The layer of those points of inputs that pass the filters of `query`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn filtered(spec: LayerSpec, inputs: Inputs, query: &Query<'_>) -> Result<Self> {
        let query = Query { columns: spec.columns.clone(), ground: spec.ground, weights: true, ..query.clone() };
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
        let version = format!("{version:016x}");
        Ok(Self::with(spec, LayerPoints::Inputs { inputs, resident: resident.map(Box::new), report }, version, extent))
    }

    /// The layer of stored points; `spec` says what they are called.
    pub fn stored(spec: LayerSpec, snapshot: Arc<Snapshot>) -> Self {
        let (version, extent) = (snapshot.version(), snapshot.extent().clone());
        Self::with(spec, LayerPoints::Stored(snapshot), version, extent)
    }

    /// The layer of a live table; `spec` says what it is called.
    pub fn live(spec: LayerSpec, snapshot: Arc<LiveSnapshot>) -> Self {
        let (version, extent) = (snapshot.version().to_owned(), snapshot.extent().clone());
        Self::with(spec, LayerPoints::Live(snapshot), version, extent)
    }

    /// Some of a layer's points, of which there are `points`, under a name of their own. They are drawn as that layer is.
    pub fn selected(name: &str, of: Arc<Self>, selection: Selection, points: u64) -> Self {
        let spec = LayerSpec { name: name.to_owned(), title: Some(of.title().to_owned()), ..of.spec.clone() };
        let (version, extent) = (of.version.clone(), selection.extent(of.extent()));
        Self::with(spec, LayerPoints::Selected { of, selection, points }, version, extent)
    }

    fn with(spec: LayerSpec, points: LayerPoints, version: String, extent: Extent) -> Self {
        const MAX_SHADINGS: usize = 512;
        const MAX_FILTERS: usize = 64;
        let (shadings, places) = (Cache::new(MAX_SHADINGS), Cache::new(MAX_FILTERS));
        Self { spec, points, version, extent, shadings, places }
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
        let named = self.spec.columns.weight.as_deref();
        let weighted = match &self.points {
            LayerPoints::Inputs { resident, .. } => {
                resident.as_ref().map_or(named.is_some(), |resident| resident.is_weighted())
            }
            LayerPoints::Stored(snapshot) => snapshot.is_weighted(),
            LayerPoints::Live(snapshot) => return snapshot.weight(),
            LayerPoints::Selected { of, .. } => return of.weight(),
        };
        weighted.then(|| named.unwrap_or("weight"))
    }

    /// Valid points.
    pub fn points(&self) -> u64 {
        match &self.points {
            LayerPoints::Inputs { report, .. } => report.valid(),
            LayerPoints::Stored(snapshot) => snapshot.points(),
            LayerPoints::Live(snapshot) => snapshot.summary().points,
            LayerPoints::Selected { points, .. } => *points,
        }
    }

    /// Whether a picture costs no more the more points there are.
    pub fn has_sums(&self) -> bool {
        match &self.points {
            LayerPoints::Inputs { .. } => false,
            LayerPoints::Stored(_) | LayerPoints::Live(_) => true,
            LayerPoints::Selected { of, .. } => of.has_sums(),
        }
    }

    /// What the points come to, where that is known without looking at each.
    pub fn totals(&self) -> Option<Totals> {
        match &self.points {
            LayerPoints::Inputs { .. } | LayerPoints::Selected { .. } => None,
            LayerPoints::Stored(snapshot) => {
                let Summary { points, weight, time_us, .. } = snapshot.summary();
                Some(Totals { points, weight, time_us })
            }
            LayerPoints::Live(snapshot) => {
                let LiveSummary { points, weight, time_us, .. } = *snapshot.summary();
                Some(Totals { points, weight, time_us })
            }
        }
    }

    /// The first categories of the points in the order of the alphabet, and how many there are in all, where that is known
    /// without looking at each.
    ///
    /// # Errors
    /// If the database of a live table does not answer.
    pub fn categories(&self, stop: &AtomicBool) -> Result<Option<(Vec<String>, u64)>> {
        match &self.points {
            LayerPoints::Inputs { .. } | LayerPoints::Selected { .. } => Ok(None),
            LayerPoints::Stored(snapshot) => {
                let names = snapshot.summary().categories;
                let total = names.len() as u64;
                Ok(Some((names, total)))
            }
            LayerPoints::Live(snapshot) => snapshot.categories(Some(stop)).map(Some),
        }
    }

    /// The layer that this is a selection of, if it is one.
    pub fn selected_of(&self) -> Option<&Arc<Self>> {
        match &self.points {
            LayerPoints::Selected { of, .. } => Some(of),
            _ => None,
        }
    }

    /// The columns that requests may compare.
    pub fn comparable(&self) -> &[String] {
        &self.spec.comparable
    }

    /// What is known of the live table, if it is one.
    pub fn live_snapshot(&self) -> Option<&Arc<LiveSnapshot>> {
        match &self.points {
            LayerPoints::Live(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// Whether the inputs are read again for each picture: there are more points than are held in memory.
    pub fn is_reread(&self) -> bool {
        matches!(self.points, LayerPoints::Inputs { resident: None, .. })
    }

    /// The points as they are stored, if they are.
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        match &self.points {
            LayerPoints::Stored(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// What the reading of the inputs, or of the table, met; nothing for stored points.
    pub fn report(&self) -> ScanReport {
        match &self.points {
            LayerPoints::Inputs { report, .. } => report.clone(),
            LayerPoints::Stored(_) | LayerPoints::Selected { .. } => ScanReport::default(),
            LayerPoints::Live(snapshot) => {
                let LiveSummary { points, rejected, .. } = *snapshot.summary();
                ScanReport { read: points + rejected, rejected, ..ScanReport::default() }
            }
        }
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

    /// A query for the layer's points, with no other filter yet.
    pub fn query(&self) -> Query<'static> {
        if let LayerPoints::Selected { of, selection, .. } = &self.points {
            return selection.of(of.query());
        }
        Query { columns: self.spec.columns.clone(), ground: self.spec.ground, ..Query::default() }
    }

    /// Where `query` is answered the fastest.
    pub fn origin(&self, query: &Query<'_>) -> Origin<'_> {
        match &self.points {
            LayerPoints::Inputs { resident: Some(resident), .. } if resident.serves(query) => {
                Origin::Source(&**resident)
            }
            LayerPoints::Inputs { inputs, .. } => Origin::Source(inputs),
            LayerPoints::Stored(snapshot) => Origin::Stored(snapshot),
            LayerPoints::Live(snapshot) => Origin::Live(snapshot),
            LayerPoints::Selected { of, .. } => of.origin(query),
        }
    }

    /// What the colors of the layer's pictures mean at the scale of `canvas`: see [`Shading`]. `None` for the classic blend,
    /// whose colors are absolute, and on a plane, where each picture has its own.
    ///
    /// # Errors
    /// As [`render()`](super::render()).
    pub fn shading(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        style: &Style,
        threads: usize,
    ) -> Result<Option<Arc<Shading>>> {
        if style.blend == Blend::Classic || !canvas.projection().wraps() {
            return Ok(None);
        }
        if let Some(span) = style.known_span() {
            return Ok(Some(Arc::new(Shading::fixed(style, span))));
        }
        let (projection, steps, radius_px) = (canvas.projection(), Shading::steps(canvas), style.radius_px(canvas));
        let scale = canvas.scale();
        let sampled = Shading::scale_of(steps);
        let factor =
            if style.aggregation.is_additive() { sampled[0] * sampled[1] / (scale[0] * scale[1]) } else { 1.0 };
        let style = style.with_values_scaled(1.0 / factor);
        let key = shading::key(query, projection, steps, radius_px, &style);
        // Who asks first finds it, and the others wait: it is about them as well.
        let shading = self.shadings.get_or_insert_with(&key, || -> Result<Arc<Shading>> {
            // What all pictures need is found though who asked first may leave.
            let stop = query.stop.filter(|_| query.filters() || !matches!(self.points, LayerPoints::Live(_)));
            let query = &Query { stop, ..query.clone() };
            let origin = self.origin(query);
            let level = Shading::level(projection, steps);
            let (places, threads) = (self.places(query, level)?, origin.threads(threads));
            Shading::find(origin, query, &places, projection, steps, radius_px, &style, threads).map(Arc::new)
        })?;
        Ok(Some(if factor.to_bits() == 1f64.to_bits() { shading } else { Arc::new(shading.scaled(factor)) }))
    }

    /// Places of points that pass `query`, picked evenly; where it is dear to find them, only as well as the squares of a
    /// level tell them.
    fn places(&self, query: &Query<'_>, level: u32) -> Result<Arc<[(f64, f64)]>> {
        let mut key = shading::filter_key(query);
        if matches!(self.points, LayerPoints::Live(_)) {
            key = format!("{key}{level}");
        }
        self.places.get_or_insert_with(&key, || {
            let places = match self.origin(query) {
                Origin::Stored(snapshot) => snapshot.sample(query, Shading::SAMPLE)?,
                Origin::Live(snapshot) => snapshot.sample(query, Shading::SAMPLE, level)?,
                Origin::Source(source) => shading::places(source, query)?,
            };
            Ok(places.into())
        })
    }
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { spec, version, .. } = self;
        f.debug_struct("Layer").field("spec", spec).field("version", version).finish_non_exhaustive()
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
        let drawn = |query: &Query<'_>| {
            render(layer.origin(query).source(), query, &canvas, &Style::new().unwrap(), 1).unwrap().drawn
        };
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
