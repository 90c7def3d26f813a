//! Render requests: a picture described by the parameters of a request.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::area::Area;
use super::canvas_parameters::coordinate_space_of;
use super::filter::Filter;
use super::layer_style::{LayerStyle, style_key};
use super::pixel_ratio::PixelRatio;
use crate::color::Scheme;
use crate::config::LimitsConfig;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent};
use crate::http::server::digest::keyed_digest;
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::{Blend, Layer, Radius, Style, StyleOptions, Units, check_cells};
use crate::raster::Aggregation;
use crate::source::{
    CoordinateSpace, PointOrder, PointSet, PointsWithin, Query, ResidentPoints, ScanReport, points_within_tolerance,
};

/// The points of a picture.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A layer of the catalog.
    Layer(Arc<Layer>),
    /// Points in the request body.
    Inline(Arc<ResidentPoints>),
}

impl Subject {
    /// The name in messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::Inline(_) => "points",
        }
    }

    /// The query for the points, without the filter of the request.
    pub(crate) fn query(&self) -> Query<'static> {
        match self {
            Self::Layer(layer) => layer.query(),
            Self::Inline(_) => Query::default(),
        }
    }

    /// The point set to render.
    pub(crate) fn point_set(&self) -> &dyn PointSet {
        match self {
            Self::Layer(layer) => &**layer.point_set(),
            Self::Inline(points) => &**points,
        }
    }

    /// The extent of the points.
    pub(crate) fn extent(&self) -> &Extent {
        match self {
            Self::Layer(layer) => layer.extent(),
            Self::Inline(points) => points.extent(),
        }
    }

    /// The layer; `None` for inline points.
    pub(crate) fn layer(&self) -> Option<Arc<Layer>> {
        match self {
            Self::Layer(layer) => Some(Arc::clone(layer)),
            Self::Inline(_) => None,
        }
    }

    /// Returns the points within `bounds` that pass `filter`, with their weights; if there are more than `max`, those that
    /// `order` selects.
    pub(crate) fn points_within(
        &self,
        filter: &Filter,
        space: CoordinateSpace,
        bounds: Bounds,
        (max, order): (usize, PointOrder),
        stop: &AtomicBool,
    ) -> Result<PointsWithin> {
        self.scan_within(filter, space, bounds, (max, order), false, stop)
    }

    /// Returns the points as [`points_within`](Self::points_within) does, also with their times and categories, if the
    /// input has them.
    pub(crate) fn points_with_columns_within(
        &self,
        filter: &Filter,
        space: CoordinateSpace,
        bounds: Bounds,
        selection: (usize, PointOrder),
        stop: &AtomicBool,
    ) -> Result<PointsWithin> {
        let scan = |with_columns| self.scan_within(filter, space, bounds, selection, with_columns, stop);
        match scan(true) {
            // Reading times rejects the rows whose time is invalid. A point without its time is better than none.
            Ok(found) if self.may_reject_more(&found.report) => {
                let plain = scan(false)?;
                Ok(if plain.total > found.total { plain } else { found })
            }
            Err(Error::Input { .. }) => scan(false),
            found => found,
        }
    }

    /// Whether a scan with more columns may have rejected points that the subject has.
    fn may_reject_more(&self, scanned: &ScanReport) -> bool {
        let all = self.point_set().report();
        // A database reads the rows near the bounds only.
        let reads_all = !self.point_set().is_remote();
        scanned.rejected > if reads_all { all.rejected } else { 0 } || (reads_all && scanned.read < all.valid())
    }

    fn scan_within(
        &self,
        filter: &Filter,
        space: CoordinateSpace,
        bounds: Bounds,
        (max, order): (usize, PointOrder),
        with_columns: bool,
        stop: &AtomicBool,
    ) -> Result<PointsWithin> {
        filter.check(&self.query())?;
        // The east of bounds that cross the antimeridian is greater than 180.
        let wrap = if space.wraps() && bounds.east < bounds.west { 360.0 } else { 0.0 };
        let bounds = Bounds { east: bounds.east + wrap, ..bounds };
        let query =
            filter.applied_to(self.query()).with_coordinate_space(space).with_weights(true).with_stop(Some(stop));
        let query = query.with_times(with_columns).with_categories(with_columns);
        let tolerance = self.point_set().position_tolerance();
        points_within_tolerance(self.point_set(), &query, bounds, tolerance, max, order)
            .map_err(|error| filter.request_error(error))
    }

    /// The number of points.
    pub(crate) fn points(&self) -> u64 {
        match self {
            Self::Layer(layer) => layer.points(),
            Self::Inline(points) => points.len() as u64,
        }
    }

    /// The name of the weights; `None` if the points have no weights.
    pub(crate) fn weight(&self) -> Option<&str> {
        match self {
            Self::Layer(layer) => layer.weight(),
            Self::Inline(points) => points.is_weighted().then_some("weight"),
        }
    }
}

/// A picture to render.
#[derive(Clone, Debug)]
pub(crate) struct RenderRequest {
    pub(crate) subject: Subject,
    pub(crate) filter: Filter,
    pub(crate) options: StyleOptions,
    pub(crate) scheme: Scheme,
    pub(crate) canvas: Canvas,
    pub(crate) ratio: PixelRatio,
}

impl LayerStyle {
    /// Creates the request for a picture of the layer on a canvas.
    pub(crate) fn on(self, limits: &LimitsConfig, layer: &Arc<Layer>, canvas: Canvas) -> HttpResult<RenderRequest> {
        let Self { options, scheme, filter, ratio, .. } = self;
        let request =
            RenderRequest { subject: Subject::Layer(Arc::clone(layer)), filter, options, scheme, canvas, ratio };
        request.check(limits)?;
        Ok(request)
    }
}

impl RenderRequest {
    /// Checks combinations of parameters: style and canvas, filter and subject.
    pub(crate) fn check(&self, limits: &LimitsConfig) -> HttpResult<()> {
        let style = self.style()?;
        let limit = limits.radius_px;
        let radius_px = style.min_radius_px(&self.canvas);
        if radius_px.is_nan() || radius_px > limit {
            let name = if matches!(style.radius, Radius::DotSize(_)) { "dot_size" } else { "radius" };
            let is_ground = matches!(style.radius, Radius::Meters(_)) && self.canvas.projection().wraps();
            let place = if is_ground { " at the equator" } else { "" };
            let detail = format!(
                "a radius of {} pixels{place} exceeds the limit of {limit}, limits.radius_px",
                rounded(radius_px)
            );
            return Err(Problem::parameter(name, detail));
        }
        check_cells(&self.canvas, &style.canvas_with_reach(&self.canvas)?, limits.pixels, limits.radius_px)?;
        self.filter.check(&self.subject.query())?;
        if let (Subject::Inline(_), false) = (&self.subject, self.filter.is_none()) {
            return Err(Problem::parameter(
                "points",
                "start, end, hours, weekdays, months, category and polygon apply to layers only, not to points in the request",
            ));
        }
        Ok(())
    }

    /// The style.
    pub(crate) fn style(&self) -> Result<Style> {
        let style = self.options.resolve(|_| Ok(self.scheme.clone()))?;
        Ok(Style { pixel_ratio: self.ratio.factor(), ..style })
    }

    /// The first rejected rows of inline points, with the reason.
    pub(crate) fn rejected(&self) -> Vec<String> {
        match &self.subject {
            Subject::Layer(_) => Vec::new(),
            Subject::Inline(points) => points
                .report()
                .rejections
                .iter()
                .map(|rejection| format!("row {}: {}", rejection.row, rejection.reason))
                .collect(),
        }
    }

    /// The canonical text of the picture. It is the same in every process, and differs for different pictures.
    pub(crate) fn key(&self) -> String {
        let subject = match &self.subject {
            Subject::Layer(layer) => format!("{}/{}", layer.name(), layer.version()),
            Subject::Inline(points) => format!("points/{:016x}", points.fingerprint()),
        };
        let ratio = match self.options.units {
            Some(Units::PerPx) => format!(" @{}", self.ratio.factor()),
            _ => String::new(),
        };
        format!("{subject}?{} {}{ratio}", style_key(&self.options, &self.filter, &self.scheme), self.canvas)
    }

    /// The key of the picture in the caches of this process. Clients cannot construct points or a polygon with the key
    /// of another picture.
    pub(crate) fn cache_key(&self) -> String {
        let points = match &self.subject {
            Subject::Layer(_) => 0,
            Subject::Inline(points) => keyed_digest(&**points),
        };
        let polygon = self.filter.area().map_or(0, Area::keyed_digest);
        format!("{}/{points:x}/{polygon:x}", self.key())
    }

    /// The query for the points.
    pub(crate) fn query<'a>(&'a self, style: &Style, stop: &'a AtomicBool) -> Query<'a> {
        let weights = style.aggregation != Aggregation::Count && style.blend == Blend::Add;
        let query = self.filter.applied_to(self.subject.query());
        query
            .with_coordinate_space(coordinate_space_of(self.canvas.projection()))
            .with_weights(weights)
            .with_stop(Some(stop))
    }

    /// The unit of the values.
    pub(crate) fn unit(&self, style: &Style) -> String {
        style.unit(self.canvas.projection(), self.subject.weight())
    }
}

/// A number of pixels in a message, without the many digits of a large one.
fn rounded(radius_px: f64) -> String {
    const LARGE_PX: f64 = 1e6;
    if radius_px > LARGE_PX { format!("more than {LARGE_PX}") } else { format!("{radius_px:.0}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Projection, TileCoord};
    use crate::http::parameters::fields::Fields;
    use crate::layer::LayerSpec;
    use crate::source::{ReadOptions, read};

    fn layer(csv: &[u8]) -> Arc<Layer> {
        let spec = LayerSpec { name: "trips".to_owned(), inputs: vec!["trips.csv".to_owned()], ..LayerSpec::default() };
        let source = read(csv, "trips.csv", &ReadOptions::default()).unwrap();
        Arc::new(Layer::of_source(spec, source).unwrap())
    }

    fn request(csv: &[u8], query: &str, canvas: Canvas) -> RenderRequest {
        let mut fields = Fields::from_query(query).unwrap();
        let options = fields.read().unwrap();
        let filter = Filter::read(&mut fields, &LimitsConfig::default()).unwrap();
        let scheme = Scheme::named("fire").unwrap();
        RenderRequest { subject: Subject::Layer(layer(csv)), filter, options, scheme, canvas, ratio: PixelRatio::ONE }
    }

    #[test]
    fn a_key_is_the_same_in_every_process_and_differs_for_different_pictures() {
        let csv = b"lon,lat,weight,category\n18.07,59.33,2,bus\n17.64,59.86,1,tram\n";
        let tile = Canvas::tile(TileCoord::new(3, 4, 2).unwrap(), 256).unwrap();
        let query = "radius=12.5&gradient=blue,red 60%25&category=bus&start=2024-05-01";
        let expected = "trips/e52a0fc0b73037fc?radius=12.5px&gradient=%230000ffff%200%25,%23ff0000ff%2060%25\
                        &start=2024-05-01T00:00:00Z&category=%5B%22bus%22%5D&colors=17b06acd7a007806dc7d929678703ab2 \
                        mercator 256x256+1024+512 2048x2048@0,0";
        assert_eq!(request(csv, query, tile).key(), expected);
        assert_eq!(
            request(csv, "start=1714521600&category=bus&gradient=blue,red+60%25&radius=12.5px", tile).key(),
            expected
        );
        let bounds = Bounds::new(-10.0, 40.0, 20.0, 60.0).unwrap();
        let other = Canvas::new(Projection::Mercator, bounds, 256, 256).unwrap();
        for key in [
            request(b"lon,lat\n18.07,59.33\n", query, tile).key(),
            request(csv, "radius=12.5&gradient=blue,red 60%25&category=bus", tile).key(),
            request(csv, "radius=12&gradient=blue,red 60%25&category=bus&start=2024-05-01", tile).key(),
            request(csv, query, other).key(),
            RenderRequest { scheme: Scheme::named("heat").unwrap(), ..request(csv, query, tile) }.key(),
        ] {
            assert_ne!(key, expected);
        }
    }
}
