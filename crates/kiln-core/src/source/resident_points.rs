//! The points of an input, cached in memory.

use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use twox_hash::XxHash64;

use super::memory_source::{check_filters, row_fields};
use super::parts::scan_parts;
use super::{ColumnSelection, PointColumns, PointSet, Query, ScanReport, Sink, Source};
use crate::error::Result;
use crate::geo::{Categories, Extent, Points};
use crate::parallel;

/// The points of an input in memory, in input order: 16 bytes per point, plus 4 for weights, 8 for times, 4 for
/// categories and 8 for tracks.
///
/// They have times, categories and tracks if the query that loaded them selects these. A query that filters by a missing
/// column is an error, and must be answered from the input itself: see [`serves`](Self::serves).
#[derive(Debug, Default)]
pub struct ResidentPoints {
    points: PointColumns,
    /// The bounding box of each block of points. Nearby points are often consecutive in an input.
    blocks: Vec<Extent>,
    block_points: usize,
    extent: Extent,
    report: ScanReport,
    /// The columns that the loading query selected.
    selected: ColumnSelection,
}

impl ResidentPoints {
    /// The minimum number of points per block. Blocks are larger if there would be more than
    /// [`MAX_BLOCKS`](Self::MAX_BLOCKS).
    const BLOCK_POINTS: usize = 256;
    /// The maximum number of blocks, which bounds the time to test all of them.
    const MAX_BLOCKS: usize = 1 << 14;

    /// Loads all points of `source` that match `query`.
    ///
    /// # Errors
    /// If the input cannot be read; [`Error::Cancelled`](crate::Error::Cancelled) once there are more than
    /// `max_points`.
    pub fn load(source: &dyn Source, query: &Query<'_>, max_points: usize) -> Result<Self> {
        let mut points = PointColumns::default();
        let mut sink = |batch: Points<'_>| {
            if points.len() + batch.len() > max_points {
                return ControlFlow::Break(());
            }
            points.add(batch);
            ControlFlow::Continue(())
        };
        let report = source.scan(query, &mut [&mut sink])?;
        Ok(Self::with_report(points, report, query, 1))
    }

    /// The points of columns, as if `query` had loaded all of them from memory.
    pub fn of_columns(points: PointColumns, query: &Query<'_>, threads: usize) -> Self {
        let all = points.points();
        let count = all.len() as u64;
        let wrapped = || all.lon().iter().filter(|lon| lon.abs() > 180.0).count() as u64;
        let report = ScanReport {
            read: count,
            unweighted: if query.columns.weights && !points.is_weighted() { count } else { 0 },
            wrapped: if query.columns.space.wraps() { wrapped() } else { 0 },
            ..ScanReport::default()
        };
        Self::with_report(points, report, query, threads)
    }

    fn with_report(points: PointColumns, report: ScanReport, query: &Query<'_>, threads: usize) -> Self {
        let block_points = (points.len() / Self::MAX_BLOCKS).max(Self::BLOCK_POINTS);
        let blocks = parallel::map((0..points.len()).step_by(block_points), threads, |start| {
            let mut block = Extent::default();
            block.add(points.slice(start..points.len().min(start + block_points)));
            block
        });
        let mut extent = Extent::default();
        for block in &blocks {
            extent.merge(block);
        }
        Self { points, blocks, block_points, extent, report, selected: query.columns.clone() }
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are no points.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Whether a scan for `query` returns the same points as a scan of the input: whether the columns that it requires
    /// were loaded, and the input has those that it filters by.
    pub fn serves(&self, query: &Query<'_>) -> bool {
        let (points, filter) = (self.points.points(), &query.filter);
        let has_times = points.time_us().is_some() || !(filter.filters_time() || query.columns.requires_times);
        let has_categories = points.category().is_some() || !filter.filters_category();
        has_times
            && has_categories
            && (self.selected.times || !query.columns.times)
            && (self.selected.categories || !query.columns.categories)
            && (self.selected.tracks || !query.columns.tracks)
    }

    /// A hash of the points, which is the same in every process.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = XxHash64::with_seed(0);
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl Hash for ResidentPoints {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let points = self.points.points();
        for (lon, lat) in points.lon().iter().zip(points.lat()) {
            hasher.write_u64(lon.to_bits());
            hasher.write_u64(lat.to_bits());
        }
        for weight in points.weight().into_iter().flatten() {
            hasher.write_u32(weight.to_bits());
        }
        points.time_us().hash(hasher);
        if let Some(Categories { codes, names }) = points.category() {
            (codes, names).hash(hasher);
        }
        points.track().into_iter().for_each(|track| track.hash(hasher));
    }
}

impl Source for ResidentPoints {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        /// Blocks that a worker scans at a time.
        const PART_BLOCKS: usize = 256;
        let all = self.points.points();
        check_filters(all, query)?;
        let all = if query.columns.weights { all } else { all.without_weight() };
        let near =
            |block: &Extent| query.scan.near.is_none_or(|bounds| block.intersects(bounds, query.columns.space.wraps()));
        let near: Vec<usize> = (0..self.blocks.len()).filter(|index| near(&self.blocks[*index])).collect();
        let parts: Vec<&[usize]> = near.chunks(PART_BLOCKS).collect();
        let mut report = scan_parts("", parts.len(), query, row_fields(all), sinks, |part, row_sink| {
            let mut rest = parts[part];
            while let Some(&first) = rest.first() {
                // Consecutive blocks are passed on together.
                let count = rest.iter().enumerate().take_while(|(i, index)| **index == first + i).count();
                rest = &rest[count..];
                let (start, end) = (first * self.block_points, (first + count) * self.block_points);
                if row_sink.columns(all.slice(start..end)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        // Points of skipped blocks count as read.
        report.read = self.len() as u64;
        Ok(report)
    }
}

impl PointSet for ResidentPoints {
    fn version(&self) -> String {
        format!("{:016x}", self.fingerprint())
    }

    fn extent(&self) -> &Extent {
        &self.extent
    }

    fn points(&self) -> u64 {
        self.len() as u64
    }

    fn is_weighted(&self) -> bool {
        self.points.is_weighted()
    }

    fn report(&self) -> ScanReport {
        self.report.clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::geo::Bounds;
    use crate::source::{CoordinateSpace, MemorySource};

    fn resident(lon: &[f64], lat: &[f64]) -> ResidentPoints {
        ResidentPoints::load(&MemorySource(Points::new(lon, lat).unwrap()), &Query::default(), usize::MAX).unwrap()
    }

    fn scanned(points: &ResidentPoints, query: &Query<'_>) -> (usize, ScanReport) {
        let mut count = 0;
        let mut sink = |batch: Points<'_>| {
            count += batch.len();
            ControlFlow::Continue(())
        };
        let report = points.scan(query, &mut [&mut sink]).unwrap();
        (count, report)
    }

    #[test]
    fn columns_are_the_same_points_as_those_of_a_scan() {
        let (lon, lat) = ((0..1000).map(|i| f64::from(i) / 2.5 - 190.0).collect::<Vec<_>>(), vec![10.0; 1000]);
        let query = Query::default().with_weights(true).with_times(true);
        for points in
            [Points::new(&lon, &lat).unwrap(), Points::new(&lon, &lat).unwrap().with_weight(&[2.0; 1000]).unwrap()]
        {
            let loaded = ResidentPoints::load(&MemorySource(points), &query, usize::MAX).unwrap();
            let mut columns = PointColumns::default();
            columns.add(points);
            let found = ResidentPoints::of_columns(columns, &query, 3);
            assert_eq!((found.report(), found.version()), (loaded.report(), loaded.version()));
            assert!(found.report().wrapped > 0);
            let shape = |points: &ResidentPoints| format!("{:?} {:?}", points.extent, points.blocks);
            assert_eq!(shape(&found), shape(&loaded));
            assert_eq!((found.block_points, found.selected.times), (loaded.block_points, true));
        }
    }

    #[test]
    fn only_blocks_near_the_bounds_are_scanned() {
        let lon: Vec<f64> = (0..36_000).map(|i| f64::from(i) / 100.0 - 180.0).collect();
        let points = resident(&lon, &vec![10.0; lon.len()]);
        assert_eq!(scanned(&points, &Query::default()).0, 36_000);
        let near = |west, south, east, north| Query::default().with_near(Some(Bounds { west, south, east, north }));
        for (west, east) in [(10.0, 12.0), (370.0, 372.0), (-350.0, -348.0)] {
            let (count, report) = scanned(&points, &near(west, 0.0, east, 20.0));
            assert!((200..=3 * 256).contains(&count), "{count}");
            assert_eq!(report.read, 36_000);
        }
        assert_eq!(scanned(&points, &near(10.0, 20.0, 12.0, 30.0)).0, 0);
        let across = scanned(&points, &near(179.0, 0.0, 181.0, 20.0)).0;
        assert!((200..=3 * 256).contains(&across), "{across}");
        assert_eq!(scanned(&points, &near(-300.0, 0.0, 300.0, 20.0)).0, 36_000);
        let plane = near(370.0, 0.0, 372.0, 20.0).with_coordinate_space(CoordinateSpace::Plane);
        assert_eq!(scanned(&points, &plane).0, 0);
    }

    #[test]
    fn times_and_categories_are_kept_if_selected() {
        let names = ["bus".into(), "tram".into()];
        let points = Points::new(&[1.0, 2.0, 3.0], &[0.0; 3]).unwrap().with_time(&[5, Points::NO_TIME, 7]).unwrap();
        let points = points.with_category(Categories { codes: &[0, 1, 1], names: &names }).unwrap();
        let query = Query::default().with_times(true).with_categories(true);
        let resident = ResidentPoints::load(&MemorySource(points), &query, 9).unwrap();
        let trams = Query::default().with_category_filter(vec!["tram".to_owned()]);
        let (count, report) = scanned(&resident, &trams);
        assert_eq!((count, report.filtered), (2, 1));
        assert_eq!(scanned(&resident, &trams.clone().with_start(Some(6))).0, 1);
        let bare = ResidentPoints::load(&MemorySource(points), &Query::default(), 9).unwrap();
        let with_all = trams.clone().with_times(true);
        assert!(resident.serves(&with_all) && bare.serves(&Query::default()));
        assert!(!bare.serves(&with_all) && !bare.serves(&trams));
        assert_ne!(bare.fingerprint(), resident.fingerprint());
        let mut sink = |_: Points<'_>| ControlFlow::Continue(());
        let error = bare.scan(&Query::default().with_end(Some(6)), &mut [&mut sink]).unwrap_err();
        assert_eq!(error.to_string(), "points: these points in memory have no time to filter by");
    }

    #[test]
    fn too_many_points_are_an_error_and_different_points_have_different_fingerprints() {
        let (lon, lat) = ([1.0, 2.0], [3.0, 4.0]);
        let source = MemorySource(Points::new(&lon, &lat).unwrap());
        assert!(matches!(ResidentPoints::load(&source, &Query::default(), 1), Err(Error::Cancelled)));
        assert_ne!(resident(&lon, &lat).fingerprint(), resident(&lat, &lon).fingerprint());
        assert_eq!(resident(&lon, &lat).fingerprint(), resident(&lon, &lat).fingerprint());
    }
}
