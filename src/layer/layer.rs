//! A layer: points under a name.

use crate::parameter::Parameter;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quick_cache::sync::Cache;

use super::shading::{self, Shading};
use super::{Blend, Style, StyleOptions, Unit};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent, Points};
use crate::parameters::ParameterSet;
use crate::source::{
    CategoryList, Columns, CoordinateSpace, Description, Filter, PointSet, Query, ReadOptions, ScanReport, Totals,
};

/// How a layer is named, read and drawn.
#[derive(Clone, Debug, Default)]
pub struct LayerSpec {
    /// Its name in URLs.
    pub name: String,
    /// Files, read in turn.
    pub inputs: Vec<String>,
    /// The title for people. Default: its name.
    pub title: Option<String>,
    /// The attribution of the points.
    pub attribution: Option<String>,
    /// The columns by name.
    pub columns: Columns,
    /// How the inputs are read.
    pub read: ReadOptions,
    /// Which coordinates are valid.
    pub space: CoordinateSpace,
    /// Columns that requests may compare, of a live table.
    pub comparable: Vec<String>,
    /// The style where a request gives none.
    pub style: StyleOptions,
}

impl LayerSpec {
    /// The specification of a layer `name` of points on the globe, from the description of its points.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the description has a style parameter that is unknown, or has an invalid value.
    pub fn described(name: &str, description: Description) -> Result<Self> {
        let Description { title, attribution, weight, comparable, style: parameters } = description;
        let mut style = StyleOptions::default();
        for (parameter, text) in &parameters {
            if !style.set(parameter, text)? {
                let why = format!("the layer `{name}` has a style with an unknown `{parameter}`");
                return Err(Error::invalid(Parameter::STYLE, why));
            }
        }
        let columns = Columns { weight, ..Columns::default() };
        Ok(Self { name: name.to_owned(), title, attribution, columns, comparable, style, ..Self::default() })
    }
}

/// Points under a name, as they are at one moment, and the colors of their pictures.
pub struct Layer {
    spec: LayerSpec,
    points: Arc<dyn PointSet>,
    /// What the weights count, if there are any.
    weight: String,
    version: String,
    extent: Extent,
    selection: Option<Selection>,
    shadings: Cache<String, Arc<Shading>>,
    /// Positions by which shadings are found, by filter.
    samples: Cache<String, Arc<[(f64, f64)]>>,
}

/// Some of another layer's points.
struct Selection {
    of: Arc<Layer>,
    filter: Filter,
    /// How many there were when they were counted.
    points: u64,
}

impl Layer {
    /// The layer of a point set.
    pub fn new(spec: LayerSpec, points: Arc<dyn PointSet>) -> Self {
        let (version, extent) = (points.version(), points.extent().clone());
        Self::with(spec, points, version, extent, None)
    }

    /// The layer `name` of a point set that describes itself.
    ///
    /// # Errors
    /// As [`LayerSpec::described`].
    pub fn described(name: &str, points: Arc<dyn PointSet>) -> Result<Self> {
        LayerSpec::described(name, points.description()).map(|spec| Self::new(spec, points))
    }

    /// The points of the layer `of` that pass `filter`, of which there are `points`, under a name of their own. They are
    /// drawn as that layer is.
    pub fn selected(name: &str, of: Arc<Self>, filter: Filter, points: u64) -> Self {
        let spec = LayerSpec { name: name.to_owned(), title: Some(of.title().to_owned()), ..of.spec.clone() };
        let (version, extent) = (of.version.clone(), selected_extent(&filter, of.extent()));
        let all = Arc::clone(&of.points);
        Self::with(spec, all, version, extent, Some(Selection { of, filter, points }))
    }

    fn with(
        spec: LayerSpec,
        points: Arc<dyn PointSet>,
        version: String,
        extent: Extent,
        selection: Option<Selection>,
    ) -> Self {
        const MAX_SHADINGS: usize = 512;
        const MAX_FILTERS: usize = 64;
        let (shadings, samples) = (Cache::new(MAX_SHADINGS), Cache::new(MAX_FILTERS));
        let column = spec.columns.weight.clone().or_else(|| points.report().weight);
        let weight = Unit::weight_label(column.as_deref()).to_owned();
        Self { spec, points, weight, version, extent, selection, shadings, samples }
    }

    /// Its name in URLs.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The title for people.
    pub fn title(&self) -> &str {
        self.spec.title.as_deref().unwrap_or(&self.spec.name)
    }

    /// The attribution of the points.
    pub fn attribution(&self) -> Option<&str> {
        self.spec.attribution.as_deref()
    }

    /// Which coordinates are valid.
    pub fn coordinate_space(&self) -> CoordinateSpace {
        self.spec.space
    }

    /// The style where a request gives none.
    pub fn style(&self) -> &StyleOptions {
        &self.spec.style
    }

    /// What the weights count; `None` where every point weighs 1.
    pub fn weight(&self) -> Option<&str> {
        self.points.is_weighted().then_some(&*self.weight)
    }

    /// The number of valid points.
    pub fn points(&self) -> u64 {
        self.selection.as_ref().map_or_else(|| self.points.points(), |selection| selection.points)
    }

    /// The point set that the layer is drawn from. A selection is drawn from that of its layer, by its own [query](Self::query).
    pub fn point_set(&self) -> &Arc<dyn PointSet> {
        &self.points
    }

    /// Totals of the points, where they are known without a scan.
    pub fn totals(&self) -> Option<Totals> {
        if self.selection.is_some() { None } else { self.points.totals() }
    }

    /// The categories of the points, where they are known without a scan.
    ///
    /// # Errors
    /// Those of a database; [`Error::Cancelled`] once `stop` is set.
    pub fn categories(&self, stop: &AtomicBool) -> Result<Option<CategoryList>> {
        if self.selection.is_some() { Ok(None) } else { self.points.categories(Some(stop)) }
    }

    /// The layer that this is a selection of, if it is one.
    pub fn parent(&self) -> Option<&Arc<Self>> {
        self.selection.as_ref().map(|selection| &selection.of)
    }

    /// The columns that requests may compare.
    pub fn comparable(&self) -> &[String] {
        &self.spec.comparable
    }

    /// What the reading of the points found; nothing for a selection.
    pub fn report(&self) -> ScanReport {
        if self.selection.is_some() { ScanReport::default() } else { self.points.report() }
    }

    /// The smallest rectangle that holds all points; across the antimeridian its `east` is beyond 180.
    pub fn bounds(&self) -> Bounds {
        self.extent.bounds(self.spec.space.wraps()).unwrap_or(Bounds::WORLD)
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
        if let Some(Selection { of, filter, .. }) = &self.selection {
            let query = of.query();
            let filter = query.filter.clone().and(filter);
            return query.with_filter(filter);
        }
        Query::default().with_names(self.spec.columns.clone()).with_coordinate_space(self.spec.space)
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
        // The first request finds it, and concurrent ones wait for it.
        let shading = self.shadings.get_or_insert_with(&key, || -> Result<Arc<Shading>> {
            // A database goes on with what all pictures need, though the first request may be cancelled.
            let stop = query.scan.stop.filter(|_| query.filter.is_active() || !self.points.is_remote());
            let query = &query.clone().with_stop(stop);
            let level = Shading::level(projection, steps);
            let (sample, threads) = (self.sample(query, level)?, self.points.concurrency(threads));
            Shading::find(&*self.points, query, &sample, projection, steps, radius_px, &style, threads).map(Arc::new)
        })?;
        Ok(Some(if factor.to_bits() == 1f64.to_bits() { shading } else { Arc::new(shading.scaled(factor)) }))
    }

    /// Positions of points that pass `query`, picked evenly.
    fn sample(&self, query: &Query<'_>, level: u32) -> Result<Arc<[(f64, f64)]>> {
        let mut key = shading::filter_key(query);
        if self.points.is_remote() {
            key = format!("{key}{level}");
        }
        let sample = || self.points.sample(query, Shading::SAMPLE, level).map(Arc::from);
        self.samples.get_or_insert_with(&key, sample)
    }
}

/// The extent of the points that pass `filter`, as far as it is known without a scan.
fn selected_extent(filter: &Filter, all: &Extent) -> Extent {
    let within = || {
        let own = filter.polygon.as_ref()?.bounds();
        let all = all.bounds(true)?;
        let both = Bounds {
            west: own.west.max(all.west),
            south: own.south.max(all.south),
            east: own.east.min(all.east),
            north: own.north.min(all.north),
        };
        (both.west <= both.east && both.south <= both.north).then_some(both)
    };
    let Some(Bounds { west, south, east, north }) = within() else { return all.clone() };
    let mut extent = Extent::default();
    extent.add(Points::new(&[west, east], &[south, north]).unwrap_or_default());
    extent
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
        let drawn =
            |query: &Query<'_>| render(&**layer.point_set(), query, &canvas, &Style::new().unwrap(), 1).unwrap().drawn;
        assert_eq!(drawn(&layer.query()), 2);
        assert_eq!(drawn(&layer.query().with_category_filter(vec!["tram".into()])), 1);
    }

    #[test]
    fn a_layer_without_points_is_an_error_and_its_version_follows_its_points() {
        assert!(layer("lon,lat\nx,y\n").unwrap_err().to_string().contains("row 1"));
        let version = |text| layer(text).unwrap().version().to_owned();
        assert_eq!(version("lon,lat\n1,2\n"), version("lat,lon\n2,1\n"));
        assert_ne!(version("lon,lat\n1,2\n"), version("lon,lat\n1,3\n"));
    }
}
