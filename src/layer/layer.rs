//! A layer: a named set of points.

use crate::parameter::Parameter;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::shading::{self, Shading};
use super::shading_cache::ShadingCache;
use super::{Blend, Style, StyleOptions, weight_label};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent, Points};
use crate::parameters::ParameterSet;
use crate::protection::Protection;
use crate::source::{
    CategoryList, Columns, CoordinateSpace, DamagedPoints, Description, Filter, PointSet, Query, ReadOptions,
    ScanReport, Totals,
};

/// The name, inputs and default style of a layer.
#[derive(Clone, Debug, Default)]
pub struct LayerSpec {
    /// The name in URLs.
    pub name: String,
    /// The input files, read in this order.
    pub inputs: Vec<String>,
    /// The display title. Default: the name.
    pub title: Option<String>,
    /// The attribution of the data.
    pub attribution: Option<String>,
    /// The names of the columns.
    pub columns: Columns,
    /// The options of the readers.
    pub read: ReadOptions,
    /// The coordinate space, which determines the valid coordinates.
    pub space: CoordinateSpace,
    /// The columns of a live table that requests may filter by.
    pub comparable: Vec<String>,
    /// The default style of requests.
    pub style: StyleOptions,
    /// The protection of the points by a minimum count. Default: none.
    pub protection: Option<Protection>,
}

impl LayerSpec {
    /// A query for all points of the layer.
    pub fn query(&self) -> Query<'static> {
        Query::default().with_names(self.columns.clone()).with_coordinate_space(self.space)
    }

    /// The specification of a layer `name` of a point set, from the description and the coordinate space of the set.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the description has an unknown style parameter, or an invalid value of one.
    pub fn described(name: &str, points: &dyn PointSet) -> Result<Self> {
        let Description { title, attribution, weight, comparable, style: parameters } = points.description();
        let mut style = StyleOptions::default();
        for (parameter, text) in &parameters {
            if !style.set(parameter, text)? {
                let message = format!("the style of the layer `{name}` has an unknown parameter `{parameter}`");
                return Err(Error::invalid(Parameter::STYLE, message));
            }
        }
        let columns = Columns { weight, ..Columns::default() };
        let (name, space) = (name.to_owned(), points.coordinate_space());
        Ok(Self { name, title, attribution, columns, space, comparable, style, ..Self::default() })
    }
}

/// A named snapshot of points, with the cached shadings of its pictures.
pub struct Layer {
    spec: LayerSpec,
    points: Arc<dyn PointSet>,
    /// The label of the weights, whether or not the points have any.
    weight: String,
    version: String,
    extent: Extent,
    selection: Option<Selection>,
    shadings: ShadingCache,
}

/// The points of another layer that pass a filter.
struct Selection {
    parent: Arc<Layer>,
    filter: Filter,
    /// The number of selected points when the selection was made.
    points: u64,
}

impl Layer {
    /// The layer of a point set.
    pub fn new(spec: LayerSpec, points: Arc<dyn PointSet>) -> Self {
        let (version, extent) = (points.version(), points.extent().clone());
        Self::with(spec, points, version, extent, None)
    }

    /// The layer `name` of a point set, specified by the description of the point set.
    ///
    /// # Errors
    /// As [`LayerSpec::described`].
    pub fn described(name: &str, points: Arc<dyn PointSet>) -> Result<Self> {
        LayerSpec::described(name, &*points).map(|spec| Self::new(spec, points))
    }

    /// The layer `name` of the points of `parent` that pass `filter`; `points` is their number. It has the style of
    /// `parent`.
    pub fn selected(name: &str, parent: Arc<Self>, filter: Filter, points: u64) -> Self {
        let spec = LayerSpec { name: name.to_owned(), title: Some(parent.title().to_owned()), ..parent.spec.clone() };
        let (version, extent) = (parent.version.clone(), selected_extent(&filter, parent.extent(), parent.spec.space));
        let all = Arc::clone(&parent.points);
        Self::with(spec, all, version, extent, Some(Selection { parent, filter, points }))
    }

    fn with(
        spec: LayerSpec,
        points: Arc<dyn PointSet>,
        version: String,
        extent: Extent,
        selection: Option<Selection>,
    ) -> Self {
        let column = spec.columns.weight.clone().or_else(|| points.report().weight);
        let weight = weight_label(column.as_deref()).to_owned();
        Self { spec, points, weight, version, extent, selection, shadings: ShadingCache::new() }
    }

    /// The name, the columns and the style.
    pub(super) fn spec(&self) -> &LayerSpec {
        &self.spec
    }

    /// The name in URLs.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The display title.
    pub fn title(&self) -> &str {
        self.spec.title.as_deref().unwrap_or(&self.spec.name)
    }

    /// The protection of the points by a minimum count, if the layer has one.
    pub fn protection(&self) -> Option<&Protection> {
        self.spec.protection.as_ref()
    }

    /// The attribution of the data.
    pub fn attribution(&self) -> Option<&str> {
        self.spec.attribution.as_deref()
    }

    /// The coordinate space of the points.
    pub fn coordinate_space(&self) -> CoordinateSpace {
        self.spec.space
    }

    /// The default style of requests.
    pub fn style(&self) -> &StyleOptions {
        &self.spec.style
    }

    /// The label of the weights; `None` if every point has a weight of 1.
    pub fn weight(&self) -> Option<&str> {
        self.points.is_weighted().then_some(&*self.weight)
    }

    /// The number of valid points.
    pub fn points(&self) -> u64 {
        self.selection.as_ref().map_or_else(|| self.points.points(), |selection| selection.points)
    }

    /// The point set of the layer. A selection has the point set of its parent, and its own [query](Self::query).
    pub fn point_set(&self) -> &Arc<dyn PointSet> {
        &self.points
    }

    /// Rejects a request for positions of a layer that has none.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `layer`.
    pub fn require_positions(&self) -> Result<()> {
        if self.points.has_positions() {
            return Ok(());
        }
        let message = format!("the table of `{}` has no geometry, so it has matrices only", self.name());
        Err(Error::invalid(Parameter::LAYER, message))
    }

    /// The level of the cells of a layer of bins, whose rows stand for many points each; `None` if each row is one point.
    pub fn bin_level(&self) -> Option<u32> {
        self.points.bin_level()
    }

    /// Of a layer of bins with times, the time in microseconds of which the begins of all buckets are multiples: see
    /// [`PointSet::bucket_us`].
    pub fn bucket_us(&self) -> Option<u64> {
        self.points.bucket_us()
    }

    /// Rejects a request that reads single points of a layer of bins. `needs` is what it computes, `instead` what such a
    /// layer has.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `layer`.
    pub fn require_single_points(&self, needs: &str, instead: &str) -> Result<()> {
        let Some(level) = self.bin_level() else { return Ok(()) };
        let message = format!(
            "`{}` has bins of level {level}, each the sum of several points; {needs} needs single points; use {instead}",
            self.name()
        );
        Err(Error::invalid(Parameter::LAYER, message))
    }

    /// The points of the layer, or of its parent, that are left out because their files are damaged.
    pub fn damage(&self) -> Option<DamagedPoints> {
        self.points.damage()
    }

    /// The totals of the points, if known without a scan.
    pub fn totals(&self) -> Option<Totals> {
        if self.selection.is_some() { None } else { self.points.totals() }
    }

    /// The categories of the points, if known without a scan.
    ///
    /// # Errors
    /// Those of a database; [`Error::Cancelled`] once `stop` is set.
    pub fn categories(&self, stop: &AtomicBool) -> Result<Option<CategoryList>> {
        if self.selection.is_some() { Ok(None) } else { self.points.categories(Some(stop)) }
    }

    /// The layer that a selection was made from; `None` for other layers.
    pub fn parent(&self) -> Option<&Arc<Self>> {
        self.selection.as_ref().map(|selection| &selection.parent)
    }

    /// The columns that requests may filter by.
    pub fn comparable(&self) -> &[String] {
        &self.spec.comparable
    }

    /// The report of the scan that read the points; empty for a selection.
    pub fn report(&self) -> ScanReport {
        if self.selection.is_some() { ScanReport::default() } else { self.points.report() }
    }

    /// The bounds of all points; across the antimeridian, `east` exceeds 180. Without points, those of the world, or on a
    /// plane the origin.
    pub fn bounds(&self) -> Bounds {
        const ORIGIN: Bounds = Bounds { west: 0.0, south: 0.0, east: 0.0, north: 0.0 };
        let wraps = self.spec.space.wraps();
        self.extent.bounds(wraps).unwrap_or(if wraps { Bounds::WORLD } else { ORIGIN })
    }

    /// The extent of the points.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// A text that changes with the points.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A query for all points of the layer.
    pub fn query(&self) -> Query<'static> {
        if let Some(Selection { parent, filter, .. }) = &self.selection {
            let query = parent.query();
            let filter = query.filter.clone().and(filter);
            return query.with_filter(filter);
        }
        self.spec.query()
    }

    /// Whether [`shading`](Self::shading) needs no sample of the points: it is cached, or known from the style.
    pub fn has_shading(&self, query: &Query<'_>, canvas: &Canvas, style: &Style) -> bool {
        if style.blend == Blend::Classic || style.known_span().is_some() {
            return true;
        }
        self.shadings.has_shading(&sampled_shading(query, canvas, style).key)
    }

    /// The [`Shading`] of the layer's pictures at the scale of `canvas`. `None` for the classic blend, whose colors are
    /// absolute.
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
        if style.blend == Blend::Classic {
            return Ok(None);
        }
        if let Some(span) = style.known_span() {
            return Ok(Some(Arc::new(Shading::fixed(style, span))));
        }
        let projection = canvas.projection();
        let SampledShading { key, style, log_scale, factor } = sampled_shading(query, canvas, style);
        // The first request computes it; concurrent requests wait for the result.
        let shading = self.shadings.shading(&key, || {
            // On a database, cancelling the first request does not cancel the shading, which all pictures need.
            let stop = query.scan.stop.filter(|_| query.filter.is_active() || !self.points.is_remote());
            let query = &query.clone().with_stop(stop);
            let level = Shading::level(projection, log_scale);
            let (sample, threads) = (self.sample(query, level)?, self.points.concurrency(threads));
            Shading::compute(&*self.points, query, &sample, projection, log_scale, &style, threads).map(Arc::new)
        })?;
        Ok(Some(if factor.to_bits() == 1f64.to_bits() { shading } else { Arc::new(shading.scaled(factor)) }))
    }

    /// The positions of a systematic sample of the points that pass `query`.
    fn sample(&self, query: &Query<'_>, level: u32) -> Result<Arc<[(f64, f64)]>> {
        let mut key = shading::filter_key(query);
        if self.points.is_remote() {
            key = format!("{key}{level}");
        }
        let sample = || -> Result<Arc<[(f64, f64)]>> {
            let sample = self.points.sample(query, Shading::SAMPLE_POINTS, level)?;
            // The flag may be set after the last batch of a scan, which then lacks points.
            if query.is_stopped() { Err(Error::Cancelled) } else { Ok(Arc::from(sample)) }
        };
        self.shadings.sample(&key, sample)
    }
}

/// A shading that is computed from a sample.
struct SampledShading {
    /// Its key in the cache of the layer.
    key: String,
    /// The style of the sample.
    style: Style,
    log_scale: [i32; 2],
    /// The factor from the values of the sample to those of the picture.
    factor: f64,
}

/// The shading at the scale of `canvas`.
fn sampled_shading(query: &Query<'_>, canvas: &Canvas, style: &Style) -> SampledShading {
    // Pictures of any density have the same colors: those of one pixel per CSS pixel.
    let ratio = style.pixel_ratio;
    let style = &Style { radius: style.radius.scaled(ratio.recip()), pixel_ratio: 1.0, ..style.clone() };
    let (projection, scale) = (canvas.projection(), canvas.scale().map(|scale| scale / ratio));
    let log_scale = Shading::log_scale(scale);
    let sample_scale = Shading::scale_of(log_scale);
    // Amounts per area are the same at the scale of the sample, and amounts per pixel are not.
    let factor =
        if style.is_per_pixel(projection) { sample_scale[0] * sample_scale[1] / (scale[0] * scale[1]) } else { 1.0 };
    let style = style.with_values_scaled(1.0 / factor);
    let key = shading::key(query, projection, log_scale, &style);
    SampledShading { key, style, log_scale, factor }
}

/// An extent that contains the points that pass `filter`, computed without a scan.
fn selected_extent(filter: &Filter, all: &Extent, space: CoordinateSpace) -> Extent {
    let intersection = || {
        let polygon = filter.polygon.as_ref()?.bounds();
        let all = all.bounds(space.wraps())?;
        let both = Bounds {
            west: polygon.west.max(all.west),
            south: polygon.south.max(all.south),
            east: polygon.east.min(all.east),
            north: polygon.north.min(all.north),
        };
        (both.west <= both.east && both.south <= both.north).then_some(both)
    };
    let Some(Bounds { west, south, east, north }) = intersection() else { return all.clone() };
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
        // Queries that filter read the file again, so it must not be deleted.
        let _ = file.keep().unwrap();
        Layer::open(LayerSpec { name: "stops".into(), inputs, ..LayerSpec::default() })
    }

    #[test]
    fn a_layer_renders_its_points_and_filters_by_reading_the_input_again() {
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
    fn a_layer_without_points_is_an_error_and_the_version_depends_on_the_points() {
        assert!(layer("lon,lat\nx,y\n").unwrap_err().to_string().contains("row 1"));
        let version = |text| layer(text).unwrap().version().to_owned();
        assert_eq!(version("lon,lat\n1,2\n"), version("lat,lon\n2,1\n"));
        assert_ne!(version("lon,lat\n1,2\n"), version("lon,lat\n1,3\n"));
    }
}
