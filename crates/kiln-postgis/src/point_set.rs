//! Live tables as point sets.

use std::sync::atomic::AtomicBool;

use kiln_core::error::Result;
use kiln_core::geo::{Bounds, Canvas, Extent, fixed};
use kiln_core::matrix::{BinQuantity, MatrixRequest, PointMatrix};
use kiln_core::occupancy::{OccupancyGrid, OccupancyRequest};
use kiln_core::raster::{Cells, Reduction};
use kiln_core::source::{CategoryList, Comparison, Description, PointSet, Query, ScanReport, TableColumn, Totals};

use super::{LiveSnapshot, LiveSummary};

impl PointSet for LiveSnapshot {
    fn version(&self) -> String {
        self.version().to_owned()
    }

    fn extent(&self) -> &Extent {
        self.extent()
    }

    fn position_tolerance(&self) -> f64 {
        fixed::TOLERANCE_DEG
    }

    fn has_positions(&self) -> bool {
        self.relation.geometry.is_some()
    }

    fn points(&self) -> u64 {
        self.summary().points
    }

    fn is_weighted(&self) -> bool {
        self.weight().is_some()
    }

    fn description(&self) -> Description {
        self.relation.description()
    }

    fn report(&self) -> ScanReport {
        let LiveSummary { points, rejected, .. } = *self.summary();
        ScanReport { read: points + rejected, rejected, ..ScanReport::default() }
    }

    fn totals(&self) -> Option<Totals> {
        let LiveSummary { points, weight, time_us, .. } = *self.summary();
        Some(Totals { points, weight, time_us })
    }

    fn categories(&self, stop: Option<&AtomicBool>) -> Result<Option<CategoryList>> {
        let (first, total) = self.categories(stop)?;
        Ok(Some(CategoryList { first, total }))
    }

    fn is_aggregated(&self) -> bool {
        true
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn concurrency(&self, threads: usize) -> usize {
        threads.max(self.connections() / 2)
    }

    fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        reduction: Reduction,
        radius_px: f64,
        _threads: usize,
    ) -> Result<(Cells, ScanReport)> {
        self.cells(query, canvas, reduction, radius_px)
    }

    fn occupancy(&self, query: &Query<'_>, request: &OccupancyRequest, _threads: usize) -> Result<OccupancyGrid> {
        self.occupancy(query, request)
    }

    fn matrix(&self, query: &Query<'_>, request: &MatrixRequest, _threads: usize) -> Result<PointMatrix> {
        self.matrix(query, request)
    }

    fn table_columns(&self) -> Result<Vec<TableColumn>> {
        Ok(self.table_columns())
    }

    fn number_range(&self, query: &Query<'_>, quantity: &BinQuantity) -> Result<Option<[f64; 2]>> {
        match quantity {
            BinQuantity::Column(column) => self.column_range(query, column),
            // Axes have weights in single precision.
            BinQuantity::Weight => Ok(match (self.weight(), self.summary().weight) {
                (Some(_), weight) => weight.map(|[_, min, max]| [min, max].map(|weight| f64::from(weight as f32))),
                (None, _) => (self.points() > 0).then_some([1.0; 2]),
            }),
            BinQuantity::Lon | BinQuantity::Lat => {
                self.relation.require_positions()?;
                let range = |bounds: Bounds| match quantity {
                    BinQuantity::Lon => [bounds.west, bounds.east],
                    _ => [bounds.south, bounds.north],
                };
                Ok(self.extent().bounds(false).map(range))
            }
        }
    }

    fn sample(&self, query: &Query<'_>, count: usize, level: u32) -> Result<Vec<(f64, f64)>> {
        self.sample(query, count, level)
    }

    fn count(&self, query: &Query<'_>) -> Result<u64> {
        self.count(query)
    }

    fn check_comparison(&self, comparison: &Comparison) -> Result<()> {
        self.relation.check_comparison(comparison)
    }
}
