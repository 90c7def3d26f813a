//! The price of a request: an estimate of its processor time, before it is started.
//!
//! The formula and its factors were measured with a release build on one x86-64 core with AVX-512; the table in
//! `docs/server.md` has the measurements. A price is an upper estimate, since the position of the points in the picture is
//! not known: it orders requests and limits them, and is no promise of a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::geo::Canvas;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::render_request::{RenderRequest, Subject};
use crate::layer::{Blend, Layer, Style};
use crate::raster::{Aggregation, Shape};
use crate::source::{self, PointSet};

tokio::task_local! {
    /// The prices of the work of the request that the task serves.
    static WORK: WorkPrices;
}

/// The sum of the prices of the work of a request, for the log and the metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkPrices(Arc<AtomicU64>);

impl WorkPrices {
    /// Runs `future`, and adds the prices of its work.
    pub(crate) async fn scope<F: Future>(&self, future: F) -> F::Output {
        WORK.scope(self.clone(), future).await
    }

    /// The sum in milliseconds; `None` without work, as in a response of the cache.
    pub(crate) fn sum_ms(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }
}

/// An estimate of processor time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Price(u64);

impl Price {
    /// The price of work that is cheap for all requests that the other limits admit.
    pub(crate) const LIGHT: Self = Self(1);
    /// The maximum price of light work.
    const MAX_LIGHT: u64 = 300;

    /// A price of this many milliseconds, at least 1.
    pub(crate) fn of_ms(ms: f64) -> Self {
        // A cast saturates.
        Self(ms.ceil().max(1.0) as u64)
    }

    /// The price in milliseconds.
    pub(crate) fn ms(self) -> u64 {
        self.0
    }

    /// Adds the price to those of the current request, if there is one.
    pub(super) fn record(self) {
        let _ = WORK.try_with(|WorkPrices(sum)| {
            let add = |ms: u64| Some(ms.saturating_add(self.0));
            let _ = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        });
    }

    /// Whether the work is heavy: only a part of the threads run such work.
    pub(crate) fn is_heavy(self) -> bool {
        self.0 > Self::MAX_LIGHT
    }

    /// The price of a scan of the points of `layer` that pass `filter`.
    pub(crate) fn of_scan(layer: &Layer, filter: &Filter) -> Self {
        Self::of_filter(layer, &filter.applied_to(layer.query()).filter)
    }

    /// The price of a scan of the points of `layer` that pass a filter, which includes that of the layer.
    pub(crate) fn of_filter(layer: &Layer, filter: &source::Filter) -> Self {
        Self::of_ms(scan_ms(&**layer.point_set(), layer.points(), filter))
    }
}

/// Multiply-adds of a separable convolution per millisecond.
const SEPARABLE_PER_MS: f64 = 6e6;
/// Products of a cell and a pixel around it per millisecond, if they are scattered cell by cell.
const SCATTER_PER_MS: f64 = 2e7;
/// Products of a cell and a pixel around it per millisecond, if they are gathered pixel by pixel.
const GATHER_PER_MS: f64 = 4e7;
/// Pixels that are quantized and encoded per millisecond.
pub(super) const PIXELS_PER_MS: f64 = 5e4;
/// Points in memory that are summed per millisecond.
const POINTS_PER_MS: f64 = 1e5;
/// Points that are read and compared with a filter per millisecond.
pub(super) const FILTERED_PER_MS: f64 = 5e3;
/// Comparisons of a point and an edge of a polygon per millisecond.
const EDGES_PER_MS: f64 = 7e5;
/// The sample tiles of a shading, and their side in pixels.
const SAMPLE_TILES: f64 = 32.0;
const SAMPLE_SIDE_PX: f64 = 128.0;

impl RenderRequest {
    /// The price of the picture: its scan, its kernel and its pixels, and those of the shading if it is not cached.
    pub(crate) fn price(&self) -> Price {
        let Ok(style) = self.style() else { return Price::LIGHT };
        let stop = AtomicBool::new(false);
        let query = self.query(&style, &stop);
        let points = self.subject.points();
        let scan = scan_ms(self.subject.point_set(), points, &query.filter);
        let halo = halo_px(&style, &self.canvas);
        let (width, height) = (f64::from(self.canvas.width()), f64::from(self.canvas.height()));
        let picture = kernel_ms(&style, points as f64, halo, width, height) + width * height / PIXELS_PER_MS;
        let shading = match &self.subject {
            // The key of the cache has all edges of a polygon, which takes long.
            Subject::Layer(layer)
                if query.filter.polygon.is_some() || !layer.has_shading(&query, &self.canvas, &style) =>
            {
                let tile = kernel_ms(&style, points as f64, halo, SAMPLE_SIDE_PX, SAMPLE_SIDE_PX);
                scan + SAMPLE_TILES * tile
            }
            _ => 0.0,
        };
        Price::of_ms(scan + picture + shading)
    }
}

impl Subject {
    /// The price of a scan of the points that pass `filter`.
    pub(crate) fn price(&self, filter: &Filter) -> Price {
        match self {
            Self::Layer(layer) => Price::of_scan(layer, filter),
            Self::Inline(_) => Price::LIGHT,
        }
    }
}

/// The pixels by which the cells exceed the picture on each side.
pub(super) fn halo_px(style: &Style, canvas: &Canvas) -> f64 {
    let Ok(grown) = style.canvas_with_reach(canvas) else { return 0.0 };
    let columns = grown.width().saturating_sub(canvas.width());
    let rows = grown.height().saturating_sub(canvas.height());
    f64::from(columns.max(rows)) / 2.0
}

/// The time of the convolutions of a picture.
pub(super) fn kernel_ms(style: &Style, points: f64, halo: f64, width: f64, height: f64) -> f64 {
    let (cell_columns, cell_rows) = (width + 2.0 * halo, height + 2.0 * halo);
    let dot_px = std::f64::consts::PI * halo * halo;
    let spread = {
        let scattered = points.min(cell_columns * cell_rows) * dot_px / SCATTER_PER_MS;
        scattered.min(width * height * dot_px / GATHER_PER_MS)
    };
    if style.blend == Blend::Classic {
        return spread;
    }
    let is_separable = matches!(style.shape, Shape::Gaussian | Shape::Triangular);
    let separable = (cell_columns + width) * height * (2.0 * halo + 1.0) / SEPARABLE_PER_MS;
    let sum = if is_separable { separable } else { spread };
    match style.aggregation {
        Aggregation::Sum | Aggregation::Count => sum,
        Aggregation::Mean => 2.0 * sum + spread,
        Aggregation::Max => spread,
    }
}

/// The time of reading the points that pass `filter`.
pub(super) fn scan_ms(set: &dyn PointSet, points: u64, filter: &source::Filter) -> f64 {
    // A database computes on its own processors.
    if set.is_remote() {
        return 0.0;
    }
    let points = points as f64;
    let edges = filter.polygon.as_ref().map_or(0, |polygon| polygon.edges().count());
    let polygon = points * edges as f64 / EDGES_PER_MS;
    let is_filtered = filter.is_active();
    let scan = if set.is_reread() || is_filtered {
        points / FILTERED_PER_MS
    } else if set.is_aggregated() {
        0.0
    } else {
        points / POINTS_PER_MS
    };
    scan + polygon
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::Radius;

    fn style(shape: Shape, aggregation: Aggregation) -> Style {
        Style { shape, aggregation, radius: Radius::Pixels(512.0), ..Style::new().unwrap() }
    }

    #[test]
    fn a_price_grows_with_the_pixels_the_radius_and_the_points() {
        for shape in [Shape::Gaussian, Shape::Cone] {
            for aggregation in [Aggregation::Sum, Aggregation::Mean] {
                let style = style(shape, aggregation);
                let at = |points: f64, halo: f64, side: f64| kernel_ms(&style, points, halo, side, side);
                let least = at(1e7, 10.0, 256.0);
                assert!(least > 0.0 && at(1e7, 10.0, 4096.0) > least && at(1e7, 512.0, 256.0) > least);
                assert!(at(1e3, 10.0, 256.0) <= least, "{shape} {aggregation}");
                // The cells with points are not more than all cells: a billion points are no million times as dear.
                assert!(at(1e12, 512.0, 256.0) <= at(1e9, 512.0, 256.0));
            }
        }
    }

    #[tokio::test]
    async fn the_prices_of_a_request_are_added() {
        let [work, other] = [WorkPrices::default(), WorkPrices::default()];
        Price(9).record();
        work.scope(async { Price(300).record() }).await;
        work.scope(async { Price(u64::MAX).record() }).await;
        assert_eq!((work.sum_ms(), other.sum_ms()), (Some(u64::MAX), None));
    }

    #[test]
    fn prices_up_to_300_ms_are_light() {
        assert!([1, 150, 300].into_iter().all(|ms| !Price(ms).is_heavy()) && !Price::LIGHT.is_heavy());
        assert!([301, 5000, u64::MAX].into_iter().all(|ms| Price(ms).is_heavy()));
        assert!(Price::of_ms(f64::INFINITY).is_heavy());
        assert_eq!(Price::of_ms(0.0), Price::LIGHT);
    }
}
