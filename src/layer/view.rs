//! Views: layers of the points that a client may see.

use std::sync::Arc;

use super::protected_layers::log_released;
use super::{Layer, LayerSpec, Size, canvas_of};
use crate::error::Result;
use crate::geo::{Extent, Points, Projection};
use crate::protection::{ProtectedPoints, Protection};
use crate::raster::{Grid, Reduction};
use crate::source::{CoordinateSpace, Filter, FilteredPoints, PointDigest, PointSet, Query, scan_each};

/// What a client sees of a layer: the points that pass a filter, or groups of at least so many of them.
#[derive(Clone, Debug, Default)]
pub struct View {
    filter: Filter,
    protection: Option<Protection>,
    /// The canonical text, by which views are compared.
    text: String,
}

impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl View {
    /// The points that pass `filter`, with `protection` those of them that are released.
    pub fn new(filter: Filter, protection: Option<Protection>) -> Self {
        let text = format!("{filter}{protection:?}");
        Self { filter, protection, text }
    }

    /// The canonical text, which is the same for equal views.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether every point is seen.
    pub fn is_everything(&self) -> bool {
        !self.filter.is_active() && self.protection.is_none()
    }

    /// Makes the layer of the points of `all` that are seen. It has the name and the style of `all`, and a version of its
    /// own.
    ///
    /// # Errors
    /// If the points cannot be read, or lack a column that the filter needs.
    pub fn of(&self, all: &Layer, threads: usize) -> Result<Layer> {
        let spec = all.spec();
        let mut points = Arc::clone(all.point_set());
        if self.filter.is_active() {
            let query = spec.query().with_filter(self.filter.clone());
            let Seen { count, extent, digest } = Seen::of(&*points, &query, threads)?;
            points = Arc::new(FilteredPoints::new(points, self.filter.clone(), count, extent, digest));
        }
        let Some(protection) = &self.protection else { return Ok(Layer::new(spec.clone(), points)) };
        let released = ProtectedPoints::of(&*points, &spec.query(), protection, threads)?;
        log_released(&spec.name, &released);
        Ok(Layer::new(LayerSpec { protection: self.protection, ..spec.clone() }, Arc::new(released)))
    }
}

/// What is known of the points that pass a filter.
struct Seen {
    count: u64,
    extent: Extent,
    /// `None` in a database, which computes none, and of bins.
    digest: Option<PointDigest>,
}

impl Seen {
    /// Scans the points that pass `query`.
    fn of(points: &dyn PointSet, query: &Query<'_>, threads: usize) -> Result<Self> {
        // The digest of bins would need their numbers and sums.
        if points.is_remote() || points.bin_level().is_some() {
            let count = points.count(query)?;
            let extent = if points.has_positions() { occupied_extent(points, query)? } else { Extent::default() };
            return Ok(Self { count, extent, digest: None });
        }
        // The columns that responses show.
        let query = query.clone().with_weights(true).with_times(true).with_required_times(false);
        let query = query.with_categories(true).with_tracks(true);
        let mut parts = vec![(0, Extent::default(), PointDigest::default()); points.concurrency(threads).max(1)];
        // The report of a store counts all points of the parts that it reads.
        scan_each(points, &query, &mut parts, |(count, extent, digest), points| {
            *count += points.len() as u64;
            extent.add(points);
            digest.add(points);
            query.flow()
        })?;
        let (mut count, mut extent, mut digest) = (0, Extent::default(), PointDigest::default());
        for (part_count, part_extent, part_digest) in &parts {
            count += part_count;
            extent.merge(part_extent);
            digest.merge(*part_digest);
        }
        Ok(Self { count, extent, digest: Some(digest) })
    }
}

/// The extent of the occupied pixels of a picture of the points. A database sums its points in milliseconds, and sends them
/// in seconds.
fn occupied_extent(points: &dyn PointSet, query: &Query<'_>) -> Result<Extent> {
    const SIDE_PX: u32 = 512;
    let mut extent = Extent::default();
    let space = query.columns.space;
    let Some(bounds) = points.extent().bounds(space.wraps()) else { return Ok(extent) };
    let projection = if space == CoordinateSpace::Plane { Projection::Plane } else { Projection::Mercator };
    // Points on one line, or a single one.
    if bounds.west >= bounds.east || bounds.south >= bounds.north {
        return Ok(points.extent().clone());
    }
    // One more pixel on each side, for points on the edge.
    let canvas = canvas_of(projection, bounds, Size::Longest(SIDE_PX))?.grow(1);
    let (cells, _) = points.cells(query, &canvas, Reduction::Count, 0.0, 1)?;
    let counts = cells.counts.unwrap_or_else(|| Grid::filled(0, 0, 0.0));
    for (index, _) in counts.cells().iter().enumerate().filter(|(_, count)| **count > 0.0) {
        let (column, row) = ((index % cells.width) as f64, (index / cells.width) as f64);
        for [x, y] in [canvas.world_at(column, row), canvas.world_at(column + 1.0, row + 1.0)] {
            let (lon, lat) = projection.inverse(x, y);
            extent.add(Points::new(&[lon], &[lat])?);
        }
    }
    Ok(extent)
}
