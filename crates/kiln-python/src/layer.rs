//! Layers: points for many pictures and tiles.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kiln::geo::{Bounds, Canvas, PlaneTile, Points, Projection, TileCoord};
use kiln::layer::{
    Catalog, Layer as PointLayer, LayerSpec, PlaneView, Style, StyleOptions, canvas_for, canvas_of, center,
    render_shaded,
};
use kiln::source::{PointColumns, Query, ResidentPoints, ScanReport, in_spatial_order};
use kiln::store::Store;
use kiln::{Error, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::exception;
use crate::image::{Image, Png, draw_legend};
use crate::keywords::{Group, Keywords, needs_weights, resolve};
use crate::remarks::Remarks;
use crate::source::Source;
use crate::work;

/// Points for many pictures and tiles, which all have the same colors for the same values at a zoom.
#[pyclass(frozen, module = "kiln._kiln")]
pub(crate) struct Layer {
    layer: Arc<PointLayer>,
    remarks: Remarks,
}

/// A style with the query and the threads of a request.
struct Request {
    style: Style,
    query: Query<'static>,
    threads: usize,
}

impl Layer {
    /// The request of keywords. Those that are not given are the ones of the layer.
    fn request(&self, keywords: &Keywords) -> PyResult<Request> {
        let reason = "it applies when points are read, and this layer has its points";
        keywords.reject(&[Group::Rows], reason)?;
        let (options, filter) = (keywords.style.clone(), keywords.filter.filter().map_err(exception)?);
        let style = resolve(&options.or(self.layer.style().clone())).map_err(exception)?;
        let query = self.layer.query();
        let filter = query.filter.clone().and(&filter);
        let query = query.with_filter(filter).with_weights(needs_weights(&style));
        Ok(Request { style, query, threads: keywords.threads() })
    }

    /// Draws on a canvas, with the colors that all pictures at its scale share.
    fn draw(&self, request: Request, canvas: &Canvas, stop: &AtomicBool) -> Result<Image> {
        let Request { style, query, threads } = request;
        let query = query.with_stop(Some(stop));
        let shading = self.layer.shading(&query, canvas, &style, threads)?;
        let heat = render_shaded(&**self.layer.point_set(), &query, canvas, &style, shading.as_deref(), threads)?;
        let unit = self.unit(&style, canvas.projection());
        Ok(Image::new(heat, style, unit, self.layer.title().to_owned(), Remarks::default()))
    }

    fn unit(&self, style: &Style, projection: Projection) -> String {
        style.unit(projection, self.layer.weight())
    }

    fn is_plane(&self) -> bool {
        !self.layer.coordinate_space().wraps()
    }

    /// The canvas of a tile of 256 pixels times `ratio`.
    fn tile_canvas(&self, zoom: i64, x: i64, y: i64, ratio: u32) -> Result<Canvas> {
        const SIDE_PX: u32 = 256;
        if self.is_plane() {
            let zoom = i8::try_from(zoom).unwrap_or(if zoom < 0 { i8::MIN } else { i8::MAX });
            return Canvas::plane_tile(PlaneTile::new(zoom, x, y)?, SIDE_PX * ratio);
        }
        let index = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let zoom = u8::try_from(zoom).unwrap_or(u8::MAX);
        Canvas::tile(TileCoord::new(zoom, index(x), index(y))?, SIDE_PX * ratio)
    }

    /// The zoom, and the center, at which the layer fits into about 1024 pixels.
    fn center(&self) -> (f64, f64, i64) {
        let bounds = self.layer.bounds();
        if self.is_plane() {
            let PlaneView { center: [x, y], zoom, .. } = PlaneView::of(bounds, 256);
            return (x, y, zoom.into());
        }
        let (lon, lat, zoom) = center(bounds, 256, TileCoord::MAX_ZOOM);
        (lon, lat, zoom.into())
    }
}

/// The column and row of the pixel at a position, in the grid of a canvas.
fn pixel_at(canvas: &Canvas, lon: f64, lat: f64) -> [i64; 2] {
    let (x, y) = canvas.projection().forward(lon, lat);
    let x = if canvas.projection().wraps() { x.rem_euclid(1.0) } else { x };
    let ([left, top], [across, down], [column, row]) = (canvas.origin(), canvas.scale(), canvas.offset());
    [((x - left) * across).floor() as i64 - column, ((y - top) * down).floor() as i64 - row]
}

/// Reads points to memory, in spatial order.
fn load(source: &Source, keywords: &Keywords, stop: &AtomicBool) -> Result<(ResidentPoints, ScanReport)> {
    let query = source.query().with_filter(keywords.filter.filter()?).with_stop(Some(stop));
    let query = query.with_weights(true).with_times(true).with_categories(true);
    let mut columns = PointColumns::default();
    let mut sink = |batch: Points<'_>| {
        columns.add(batch);
        query.flow()
    };
    let report = source.points.scan(&query, &mut [&mut sink])?;
    report.require_points(&source.names)?;
    if columns.is_empty() {
        return Err(Error::input(source.names.join(", "), "no row passes the filters"));
    }
    let all = Query::default().with_coordinate_space(source.space).with_stop(Some(stop));
    let all = all.with_weights(true).with_times(true).with_categories(true);
    let threads = keywords.threads();
    let ordered = in_spatial_order(columns.points(), &all, threads)?;
    drop(columns);
    let resident = ResidentPoints::of_columns(ordered, &all, threads);
    Ok((resident, report))
}

#[pymethods]
impl Layer {
    /// The layer of the points of a source, in memory. The style of `keywords` is the default of its pictures.
    #[staticmethod]
    fn of_source(py: Python<'_>, source: &Source, name: &str, keywords: &Bound<'_, PyDict>) -> PyResult<Self> {
        let keywords = Keywords::read(keywords)?;
        keywords.reject(&[Group::View], "it is that of a picture; give it to render()")?;
        resolve(&keywords.style).map_err(exception)?;
        let (points, report) = work::run(py, |stop| load(source, &keywords, stop))?;
        let mut columns = source.columns.clone();
        columns.weight = source.weight.clone().or_else(|| report.weight.clone());
        let spec = LayerSpec {
            name: name.to_owned(),
            inputs: source.names.clone(),
            columns,
            space: source.space,
            style: keywords.style.clone(),
            ..LayerSpec::default()
        };
        let remarks = Remarks::of(&report);
        Ok(Self { layer: Arc::new(PointLayer::new(spec, Arc::new(points))), remarks })
    }

    /// The layer `name` of a store in a folder. Without a name, the only layer of the store.
    #[staticmethod]
    fn stored(py: Python<'_>, folder: &str, name: Option<&str>) -> PyResult<Self> {
        let opened = work::run(py, |_| {
            let store = Arc::new(Store::open(Path::new(folder))?);
            let names = store.names()?;
            let name = match (name, &names[..]) {
                (Some(name), _) => name,
                (None, [only]) => only,
                (None, _) => return Ok(Err(names)),
            };
            let layer = Catalog::new([]).with_provider(Arc::<Store>::clone(&store)).find(name)?;
            Ok(layer.ok_or(names))
        })?;
        let layer = opened.map_err(|names| {
            let which =
                name.map_or_else(|| "name one of its layers".to_owned(), |name| format!("there is no layer `{name}`"));
            let known =
                if names.is_empty() { "it has no layers".to_owned() } else { format!("it has {}", names.join(", ")) };
            PyValueError::new_err(format!("{folder}: {which}; {known}"))
        })?;
        let remarks = Remarks::of(&layer.report());
        Ok(Self { layer, remarks })
    }

    /// Renders bounds, or without them all points, to an image.
    fn render(&self, py: Python<'_>, keywords: &Bound<'_, PyDict>) -> PyResult<Image> {
        let keywords = Keywords::read(keywords)?;
        let request = self.request(&keywords)?;
        work::run(py, |stop| {
            let projection = keywords.projection(self.layer.coordinate_space())?;
            let size = keywords.size.unwrap_or_default();
            let canvas = if let Some(bounds) = keywords.bounds {
                canvas_of(projection, bounds, size)?
            } else {
                let fit = keywords.fit.unwrap_or_default();
                canvas_for(projection, self.layer.extent(), size, &request.style, fit)?
            };
            self.draw(request, &canvas, stop)
        })
    }

    /// Renders a tile of 256 pixels times `pixel_ratio`, 1 to 4.
    fn tile(
        &self,
        py: Python<'_>,
        z: i64,
        x: i64,
        y: i64,
        pixel_ratio: u32,
        keywords: &Bound<'_, PyDict>,
    ) -> PyResult<Image> {
        let keywords = Keywords::read(keywords)?;
        keywords.reject(&[Group::View], "a tile has its own bounds and size")?;
        if !(1..=4).contains(&pixel_ratio) {
            return Err(PyValueError::new_err(format!("pixel_ratio: {pixel_ratio} is not a whole number from 1 to 4")));
        }
        let mut request = self.request(&keywords)?;
        let ratio = f64::from(pixel_ratio);
        request.style.radius = request.style.radius.scaled(ratio);
        request.style.pixel_ratio = ratio;
        let canvas = self.tile_canvas(z, x, y, pixel_ratio).map_err(exception)?;
        work::run(py, |stop| self.draw(request, &canvas, stop))
    }

    /// The legend of the tiles of a zoom. Default: the one at which the layer fits into about 1024 pixels.
    fn legend(
        &self,
        py: Python<'_>,
        zoom: Option<i64>,
        title: Option<&str>,
        pixel_ratio: f32,
        keywords: &Bound<'_, PyDict>,
    ) -> PyResult<Png> {
        let keywords = Keywords::read(keywords)?;
        keywords.reject(&[Group::View], "the view is that of the zoom")?;
        let Request { style, query, threads } = self.request(&keywords)?;
        let canvas = self.tile_canvas(zoom.unwrap_or_else(|| self.center().2), 0, 0, 1).map_err(exception)?;
        let bytes = work::run(py, |stop| {
            let shading = self.layer.shading(&query.with_stop(Some(stop)), &canvas, &style, threads)?;
            let span = shading.as_ref().map(|shading| (shading.span, &shading.quantizer));
            let title = title.unwrap_or(self.layer.title());
            draw_legend(&style, span, &self.unit(&style, canvas.projection()), title, pixel_ratio)
        })?;
        Ok(Png::new(bytes))
    }

    /// The value at a position on the tiles of a zoom: `value`, `unit`, and `rank`, the share of the pixels of the map with
    /// at most this value.
    fn value<'py>(
        &self,
        py: Python<'py>,
        lon: f64,
        lat: f64,
        zoom: Option<i64>,
        keywords: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let keywords = Keywords::read(keywords)?;
        keywords.reject(&[Group::View], "the view is that of the zoom")?;
        let Request { style, query, threads } = self.request(&keywords)?;
        let tile = self.tile_canvas(zoom.unwrap_or_else(|| self.center().2), 0, 0, 1).map_err(exception)?;
        let unit = self.unit(&style, tile.projection());
        let (value, rank) = work::run(py, |stop| {
            let query = query.with_stop(Some(stop));
            let shading = self.layer.shading(&query, &tile, &style, threads)?;
            let [column, row] = pixel_at(&tile, lon, lat);
            let canvas = tile.window(column, row, 1, 1)?;
            let points = &**self.layer.point_set();
            let heat = render_shaded(points, &query, &canvas, &style, shading.as_deref(), threads)?;
            let value = heat.values.map(|values| f64::from(values.density.cells()[0])).filter(|value| !value.is_nan());
            Ok((value, value.and_then(|value| shading?.rank(value))))
        })?;
        let found = PyDict::new(py);
        found.set_item("value", value)?;
        found.set_item("unit", unit)?;
        found.set_item("rank", rank)?;
        Ok(found)
    }

    /// The name.
    #[getter]
    fn name(&self) -> &str {
        self.layer.name()
    }

    /// The title of legends.
    #[getter]
    fn title(&self) -> &str {
        self.layer.title()
    }

    /// The number of points.
    #[getter]
    fn points(&self) -> u64 {
        self.layer.points()
    }

    /// West, south, east and north of the points.
    #[getter]
    fn bounds(&self) -> (f64, f64, f64, f64) {
        let Bounds { west, south, east, north } = self.layer.bounds();
        (west, south, east, north)
    }

    /// Longitude, latitude and zoom of a map on which all points are visible.
    #[getter(center)]
    fn center_of_points(&self) -> (f64, f64, i64) {
        self.center()
    }

    /// The name of the weights; `None` if every point has a weight of 1.
    #[getter]
    fn weight(&self) -> Option<&str> {
        self.layer.weight()
    }

    /// Whether the points are on a plane, in meters, rather than on the globe.
    #[getter(is_plane)]
    fn is_on_plane(&self) -> bool {
        self.is_plane()
    }

    /// The default style of pictures: names and values.
    #[getter]
    fn style(&self) -> Vec<(&'static str, String)> {
        style_pairs(self.layer.style())
    }

    /// A text that changes with the points.
    #[getter]
    fn version(&self) -> &str {
        self.layer.version()
    }

    /// Remarks on the points, such as rows that were rejected.
    #[getter]
    fn remarks(&self) -> Vec<String> {
        self.remarks.all.clone()
    }

    /// Remarks on values that were dropped or changed.
    #[getter]
    fn losses(&self) -> Vec<String> {
        self.remarks.losses.clone()
    }
}

fn style_pairs(options: &StyleOptions) -> Vec<(&'static str, String)> {
    kiln::parameters::ParameterSet::pairs(options)
}
