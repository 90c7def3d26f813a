//! The points of a set that pass a filter, as a set of their own.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use twox_hash::XxHash3_128;

use super::{
    CategoryList, Comparison, CoordinateSpace, DamagedPoints, Description, Filter, PointDigest, PointSet, Query,
    ScanReport, Sink, Source, TableColumn, Totals, scan_range,
};
use crate::cell_bins::{BinChunk, BinsRequest};
use crate::error::{Error, Result};
use crate::geo::{Canvas, Extent};
use crate::keyed_digest::keyed_digest;
use crate::matrix::{BinQuantity, MatrixRequest, PointMatrix};
use crate::occupancy::{OccupancyGrid, OccupancyRequest};
use crate::parameter::Parameter;
use crate::raster::{Cells, Reduction};

/// The points of a set that pass a filter, without a trace of the other points: every query is limited by the filter,
/// and number, extent and report are those of the points that pass.
///
/// Its version changes with the points that pass, the filter and the description, and says nothing of the other points, not
/// even that they have changed. That of a set whose points are not read, which is in a database, changes with all points.
#[derive(Debug)]
pub struct FilteredPoints {
    all: Arc<dyn PointSet>,
    filter: Filter,
    extent: Extent,
    points: u64,
    version: String,
}

impl FilteredPoints {
    /// The points of `all` that pass `filter`; `points`, `extent` and `digest` are their number, bounding box and digest.
    ///
    /// Without a digest, the version is one of this process: it is a hash of that of `all` under a random key, so that clients
    /// cannot count the changes.
    pub fn new(
        all: Arc<dyn PointSet>,
        filter: Filter,
        points: u64,
        extent: Extent,
        digest: Option<PointDigest>,
    ) -> Self {
        let version = match digest {
            Some(digest) => {
                let text = format!("\n{points}\n{filter}\n{:?}", all.description());
                XxHash3_128::oneshot(&[&digest.to_bytes(), text.as_bytes()].concat())
            }
            None => keyed_digest((all.version(), filter.to_string())),
        };
        Self { all, filter, extent, points, version: format!("{version:032x}") }
    }

    /// Returns `query` with the filter added.
    fn limited<'q>(&self, query: &Query<'q>) -> Result<Query<'q>> {
        if query.filter.polygon.is_some() && self.filter.polygon.is_some() {
            let message = "the access to this layer is already limited to an area; omit the polygon";
            return Err(Error::invalid(Parameter::POLYGON, message));
        }
        let filter = query.filter.clone().and(&self.filter);
        Ok(query.clone().with_filter(filter))
    }

    /// The report of a scan without the points that do not pass, which the report of a store counts, and without rejected
    /// rows, which have no category.
    fn passed(&self, report: ScanReport) -> ScanReport {
        ScanReport { read: report.valid().min(self.points), weight: report.weight, ..ScanReport::default() }
    }
}

impl Source for FilteredPoints {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let query = self.limited(query)?.with_max_rejections(0).with_progress(None);
        self.all.scan(&query, sinks).map(|report| self.passed(report))
    }
}

impl PointSet for FilteredPoints {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn extent(&self) -> &Extent {
        &self.extent
    }

    fn has_positions(&self) -> bool {
        self.all.has_positions()
    }

    fn position_tolerance(&self) -> f64 {
        self.all.position_tolerance()
    }

    fn coordinate_space(&self) -> CoordinateSpace {
        self.all.coordinate_space()
    }

    fn points(&self) -> u64 {
        self.points
    }

    fn is_weighted(&self) -> bool {
        self.all.is_weighted()
    }

    fn bin_level(&self) -> Option<u32> {
        self.all.bin_level()
    }

    fn bucket_us(&self) -> Option<u64> {
        self.all.bucket_us()
    }

    fn description(&self) -> Description {
        self.all.description()
    }

    fn report(&self) -> ScanReport {
        ScanReport { read: self.points, weight: self.all.report().weight, ..ScanReport::default() }
    }

    /// Their number is that of all points.
    fn damage(&self) -> Option<DamagedPoints> {
        self.all.damage().map(|damage| DamagedPoints { points: None, ..damage })
    }

    // Those of the set include the other points, so they are computed by a scan.
    fn totals(&self) -> Option<Totals> {
        None
    }

    fn categories(&self, _stop: Option<&AtomicBool>) -> Result<Option<CategoryList>> {
        Ok(None)
    }

    // Filtered queries read the points.
    fn is_aggregated(&self) -> bool {
        self.all.is_aggregated()
    }

    fn is_reread(&self) -> bool {
        self.all.is_reread()
    }

    fn is_remote(&self) -> bool {
        self.all.is_remote()
    }

    fn concurrency(&self, threads: usize) -> usize {
        self.all.concurrency(threads)
    }

    fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        reduction: Reduction,
        radius_px: f64,
        threads: usize,
    ) -> Result<(Cells, ScanReport)> {
        let (cells, report) = self.all.cells(&self.limited(query)?, canvas, reduction, radius_px, threads)?;
        Ok((cells, self.passed(report)))
    }

    fn occupancy(&self, query: &Query<'_>, request: &OccupancyRequest, threads: usize) -> Result<OccupancyGrid> {
        let grid = self.all.occupancy(&self.limited(query)?, request, threads)?;
        Ok(OccupancyGrid { report: self.passed(grid.report.clone()), ..grid })
    }

    fn matrix(&self, query: &Query<'_>, request: &MatrixRequest, threads: usize) -> Result<PointMatrix> {
        let matrix = self.all.matrix(&self.limited(query)?, request, threads)?;
        Ok(PointMatrix { report: self.passed(matrix.report.clone()), ..matrix })
    }

    fn table_columns(&self) -> Result<Vec<TableColumn>> {
        self.all.table_columns()
    }

    fn number_range(&self, query: &Query<'_>, quantity: &BinQuantity) -> Result<Option<[f64; 2]>> {
        match quantity {
            BinQuantity::Column(_) => self.all.number_range(&self.limited(query)?, quantity),
            // Those that the set knows without a scan are those of all points.
            BinQuantity::Weight | BinQuantity::Lon | BinQuantity::Lat => {
                // Those of a layer of these points alone would not depend on the filter of the query either.
                let is_known =
                    *quantity == BinQuantity::Weight && self.all.totals().is_some_and(|all| all.weight.is_some());
                let query = if is_known { query.clone().with_filter(Filter::default()) } else { query.clone() };
                scan_range(self, &query, quantity)
            }
        }
    }

    fn sample(&self, query: &Query<'_>, count: usize, level: u32) -> Result<Vec<(f64, f64)>> {
        self.all.sample(&self.limited(query)?, count, level)
    }

    fn cell_bins(
        &self,
        query: &Query<'_>,
        request: &BinsRequest,
        threads: usize,
        take: &mut dyn FnMut(BinChunk<'_>) -> Result<()>,
    ) -> Result<Option<ScanReport>> {
        let report = self.all.cell_bins(&self.limited(query)?, request, threads, take)?;
        Ok(report.map(|report| self.passed(report)))
    }

    fn count(&self, query: &Query<'_>) -> Result<u64> {
        self.all.count(&self.limited(query)?)
    }

    fn check_comparison(&self, comparison: &Comparison) -> Result<()> {
        self.all.check_comparison(comparison)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Categories, Points, Polygon};
    use crate::source::{MemorySource, ResidentPoints};

    /// Points of the categories a, a, b, of which those of a are seen.
    fn seen() -> FilteredPoints {
        let names: [Box<str>; 2] = ["a".into(), "b".into()];
        let points = Points::new(&[1.0, 2.0, 30.0], &[1.0, 2.0, 30.0]).unwrap();
        let points = points.with_weight(&[1.0, 2.0, 99.0]).unwrap();
        let points = points.with_category(Categories { codes: &[0, 0, 1], names: &names }).unwrap();
        let query = Query::default().with_weights(true).with_categories(true);
        let all = ResidentPoints::load(&MemorySource(points), &query, usize::MAX).unwrap();
        let filter = Filter { categories: vec!["a".to_owned()].into(), ..Filter::default() };
        let mut extent = Extent::default();
        extent.add(Points::new(&[1.0, 2.0], &[1.0, 2.0]).unwrap());
        FilteredPoints::new(Arc::new(all), filter, 2, extent, Some(PointDigest::default()))
    }

    #[test]
    fn no_query_reaches_the_other_points() {
        let seen = seen();
        let query = Query::default();
        assert_eq!(seen.count(&query).unwrap(), 2);
        assert_eq!(seen.sample(&query, 10, 0).unwrap().len(), 2);
        assert_eq!(seen.number_range(&query, &BinQuantity::Weight).unwrap(), Some([1.0, 2.0]));
        assert_eq!(seen.number_range(&query, &BinQuantity::Lat).unwrap(), Some([1.0, 2.0]));
        for (names, points) in [(&["b"][..], 0), (&["a", "b"], 2)] {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(seen.count(&query.clone().with_category_filter(names)).unwrap(), points);
        }
        let mut scanned = 0;
        let mut sink = |points: Points<'_>| {
            scanned += points.len();
            std::ops::ControlFlow::Continue(())
        };
        let report = seen.scan(&query, &mut [&mut sink]).unwrap();
        assert_eq!((scanned, report.read, report.filtered), (2, 2, 0));
        assert_eq!((seen.points(), seen.report().read, seen.totals()), (2, 2, None));
    }

    #[test]
    fn a_second_polygon_is_rejected_rather_than_replacing_the_first() {
        let polygon = |east: f64| {
            let ring = vec![[0.0, 0.0], [east, 0.0], [east, 60.0], [0.0, 0.0]];
            Polygon::new(&[vec![ring]]).map(Arc::new).ok()
        };
        let seen = FilteredPoints { filter: Filter { polygon: polygon(9.0), ..Filter::default() }, ..seen() };
        assert!(seen.count(&Query::default()).is_ok());
        let error = seen.count(&Query::default().with_polygon(polygon(60.0))).unwrap_err();
        assert!(matches!(error, Error::Invalid { parameter: Parameter::POLYGON, .. }), "{error}");
    }

    #[test]
    fn the_version_depends_on_the_points_and_on_the_filter() {
        let (one, same) = (seen(), seen());
        assert_eq!(one.version(), same.version());
        assert_ne!(one.version(), one.all.version());
        let of = |filter: &Filter, digest| {
            FilteredPoints::new(Arc::clone(&one.all), filter.clone(), 2, Extent::default(), digest).version()
        };
        let mut digest = PointDigest::default();
        assert_eq!(of(&one.filter, Some(digest)), one.version());
        assert_ne!(of(&Filter::default(), Some(digest)), one.version());
        digest.add(Points::new(&[1.0], &[1.0]).unwrap());
        assert_ne!(of(&one.filter, Some(digest)), one.version());
        // Without a digest, they depend on the version of the set.
        assert_eq!(of(&one.filter, None), of(&one.filter, None));
        assert_ne!(of(&one.filter, None), of(&Filter::default(), None));
    }
}
