//! Snapshots of stored layers as point sets, and the store as their provider.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kiln_core::cell_bins::{BinChunk, BinsRequest};
use kiln_core::error::Result;
use kiln_core::geo::{Canvas, Extent, Frame, fixed};
use kiln_core::layer_name;
use kiln_core::matrix::{MatrixRequest, PointMatrix};
use kiln_core::occupancy::{OccupancyGrid, OccupancyRequest};
use kiln_core::raster::{Cells, Reduction};
use kiln_core::source::{
    self, CategoryList, CoordinateSpace, DamagedPoints, PointSet, Provider, Query, ScanReport, Totals,
};

use super::{Description, Snapshot, Store, Summary};

impl PointSet for Snapshot {
    fn version(&self) -> String {
        self.version()
    }

    fn extent(&self) -> &Extent {
        self.extent()
    }

    fn position_tolerance(&self) -> f64 {
        match self.frame() {
            Frame::Mercator => fixed::TOLERANCE_DEG,
            // Positions on a plane are exact.
            Frame::Plane(_) => 0.0,
        }
    }

    fn coordinate_space(&self) -> CoordinateSpace {
        self.coordinate_space()
    }

    fn points(&self) -> u64 {
        self.points()
    }

    fn is_weighted(&self) -> bool {
        self.is_weighted()
    }

    fn description(&self) -> source::Description {
        let Description { title, attribution, weight, style, .. } = self.description().clone();
        source::Description { title, attribution, weight, comparable: Vec::new(), style }
    }

    fn damage(&self) -> Option<DamagedPoints> {
        let damaged = self.damaged();
        (!damaged.is_empty()).then(|| DamagedPoints {
            segments: damaged.len() as u64,
            points: Some(damaged.iter().fold(0, |sum: u64, damage| sum.saturating_add(damage.points))),
            reasons: damaged.iter().map(|damage| damage.public_reason.clone()).collect(),
        })
    }

    fn totals(&self) -> Option<Totals> {
        let Summary { points, weight, time_us, .. } = self.summary();
        Some(Totals { points, weight, time_us })
    }

    fn categories(&self, _stop: Option<&AtomicBool>) -> Result<Option<CategoryList>> {
        self.segments.iter().for_each(|segment| segment.before_read());
        self.check_damage()?;
        let first = self.summary().categories;
        let total = first.len() as u64;
        Ok(Some(CategoryList { first, total }))
    }

    fn is_aggregated(&self) -> bool {
        true
    }

    fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        reduction: Reduction,
        radius_px: f64,
        threads: usize,
    ) -> Result<(Cells, ScanReport)> {
        self.cells(query, canvas, reduction, radius_px, threads)
    }

    fn occupancy(&self, query: &Query<'_>, request: &OccupancyRequest, threads: usize) -> Result<OccupancyGrid> {
        self.occupancy(query, request, threads)
    }

    fn matrix(&self, query: &Query<'_>, request: &MatrixRequest, threads: usize) -> Result<PointMatrix> {
        self.matrix(query, request, threads)
    }

    fn count(&self, query: &Query<'_>) -> Result<u64> {
        if self.level().is_none() { source::scan_count(self, query) } else { self.count_points(query) }
    }

    fn bin_level(&self) -> Option<u32> {
        self.level()
    }

    fn bucket_us(&self) -> Option<u64> {
        self.bucket_us()
    }

    fn sample(&self, query: &Query<'_>, count: usize, _level: u32) -> Result<Vec<(f64, f64)>> {
        self.sample(query, count)
    }

    fn cell_bins(
        &self,
        query: &Query<'_>,
        request: &BinsRequest,
        threads: usize,
        take: &mut dyn FnMut(BinChunk<'_>) -> Result<()>,
    ) -> Result<Option<ScanReport>> {
        self.cell_bins(query, request, threads, take).map(Some)
    }
}

impl Provider for Store {
    fn names(&self) -> Result<Vec<String>> {
        self.names()
    }

    fn find(&self, name: &str) -> Result<Option<Arc<dyn PointSet>>> {
        if !layer_name::is_valid(name) {
            return Ok(None);
        }
        Ok(self.layer(name)?.map(|layer| layer.snapshot() as Arc<dyn PointSet>))
    }
}
