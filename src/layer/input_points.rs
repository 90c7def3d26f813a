//! A point set from files or another source.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::protected_layers::log_released;
use super::{ExtentScan, Layer, LayerSpec};
use crate::error::{Error, Result};
use crate::geo::Extent;
use crate::protection::ProtectedPoints;
use crate::source::{Columns, Filter, PointSet, Query, ReadOptions, ResidentPoints, ScanReport, Sink, Source};

/// The points of a source, kept in memory, where a picture reads only the points near its bounds. The first query that
/// needs times, categories or tracks scans the source again; of up to [`Self::MAX_WITH_COLUMNS`] points, these columns
/// are then kept too. A source of more than [`Self::MAX_RESIDENT`] points is scanned for each picture.
pub struct InputPoints {
    all: Box<dyn Source>,
    resident: Option<ResidentPoints>,
    /// The points with times, categories or tracks, by whether times, categories, tracks and positions were read. Rows
    /// whose time is invalid are rejected only if times are read, and an input without coordinates has no positions.
    with_columns: Cache<[bool; 4], Arc<ResidentPoints>>,
    report: ScanReport,
    extent: Extent,
    version: String,
    /// Whether the query selects a weight column. Used if the points are not in memory.
    selects_weight: bool,
}

impl InputPoints {
    /// The maximum number of points kept in memory: 1 GB with weights.
    pub const MAX_RESIDENT: usize = 50_000_000;
    /// The maximum number of points kept in memory again with times, categories or tracks: up to 80 MB for each
    /// combination of these columns that queries need.
    pub const MAX_WITH_COLUMNS: usize = 2_000_000;

    /// Loads the points of `all` that pass `query`, from its columns; `names` are the names of the inputs in messages.
    ///
    /// # Errors
    /// If an input cannot be read, or has no valid point.
    pub fn load(all: Box<dyn Source>, names: &[String], query: &Query<'_>) -> Result<Self> {
        /// Far more entries than combinations of columns, so that none is evicted.
        const ENTRIES: usize = 64;
        let query = query.clone().with_weights(true);
        let resident = match ResidentPoints::load(&*all, &query, Self::MAX_RESIDENT) {
            Ok(resident) => Some(resident),
            Err(Error::Cancelled) => None,
            Err(error) => return Err(error),
        };
        let (extent, report, version) = if let Some(resident) = &resident {
            (resident.extent().clone(), resident.report(), resident.version())
        } else {
            let ExtentScan { extent, report, .. } = ExtentScan::of(&*all, &query, crate::available_threads())?;
            let version = format!("{:016x}", report.read);
            (extent, report, version)
        };
        report.require_points(names)?;
        let selects_weight = query.columns.names.weight.as_deref().is_some_and(|name| name != Columns::NO_COLUMN);
        let with_columns = Cache::new(ENTRIES);
        Ok(Self { all, resident, with_columns, report, extent, version, selects_weight })
    }

    /// The points in memory with the columns that `query` needs; `None` if there are too many, or no column to filter by.
    fn with_columns(&self, query: &Query<'_>) -> Result<Option<Arc<ResidentPoints>>> {
        if self.resident.as_ref().is_none_or(|resident| resident.len() > Self::MAX_WITH_COLUMNS) {
            return Ok(None);
        }
        let times = query.columns.times || query.filter.filters_time();
        let categories = query.columns.categories || query.filter.filters_category();
        let (tracks, positions) = (query.columns.tracks, !query.columns.without_positions);
        let all = query.clone().with_filter(Filter::default()).with_near(None).with_progress(None);
        let all = all.with_weights(true).with_required_times(false);
        let all = all.with_times(times).with_categories(categories);
        let load = || ResidentPoints::load(&*self.all, &all, usize::MAX).map(Arc::new);
        let points = self.with_columns.get_or_insert_with(&[times, categories, tracks, positions], load)?;
        Ok(Some(points).filter(|points| points.serves(query)))
    }
}

impl Source for InputPoints {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        if let Some(resident) = self.resident.as_ref().filter(|resident| resident.serves(query)) {
            return resident.scan(query, sinks);
        }
        match self.with_columns(query)? {
            Some(points) => points.scan(query, sinks),
            None => self.all.scan(query, sinks),
        }
    }
}

impl PointSet for InputPoints {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn extent(&self) -> &Extent {
        &self.extent
    }

    fn points(&self) -> u64 {
        self.report.valid()
    }

    fn is_weighted(&self) -> bool {
        self.resident.as_ref().map_or(self.selects_weight, PointSet::is_weighted)
    }

    fn report(&self) -> ScanReport {
        self.report.clone()
    }

    fn is_reread(&self) -> bool {
        self.resident.is_none()
    }
}

impl std::fmt::Debug for InputPoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputPoints").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Layer {
    /// Opens the layer of the files in `spec`.
    ///
    /// # Errors
    /// If an input cannot be read, or has no valid point.
    #[cfg(feature = "formats")]
    pub fn open(spec: LayerSpec) -> Result<Self> {
        let (inputs, names) = open_inputs(&spec)?;
        let spec = LayerSpec { inputs: names, ..spec };
        if spec.columns.time.is_some() {
            check_first_rows(&spec, &inputs)?;
        }
        Self::of_source(spec, Box::new(inputs))
    }

    /// Checks the columns of the files in `spec` by their first rows.
    ///
    /// # Errors
    /// If an input cannot be read, it lacks a column, or has no valid point.
    #[cfg(feature = "formats")]
    pub fn check_columns(spec: &LayerSpec) -> Result<()> {
        let (inputs, names) = open_inputs(spec)?;
        check_first_rows(&LayerSpec { inputs: names, ..spec.clone() }, &inputs)
    }

    /// The layer of the points of a source; `spec` has the names of the inputs for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of_source(spec: LayerSpec, source: Box<dyn Source>) -> Result<Self> {
        Self::filtered(spec, source, &Query::default())
    }

    /// The layer of the points of a source that pass the filter of `query`. With a [protection](LayerSpec::protection),
    /// it has the released points, and the source is read once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn filtered(spec: LayerSpec, source: Box<dyn Source>, query: &Query<'_>) -> Result<Self> {
        let query = query.clone().with_names(spec.columns.clone()).with_coordinate_space(spec.space);
        if let Some(protection) = &spec.protection {
            let threads = crate::available_threads();
            let (points, report) = ProtectedPoints::of_source(&*source, &query, protection, threads)?;
            report.require_points(&spec.inputs)?;
            log_released(&spec.name, &points);
            return Ok(Self::new(spec, Arc::new(points)));
        }
        let mut points = InputPoints::load(source, &spec.inputs, &query)?;
        // The version is a hash of positions and weights, which do not depend on how times, categories and tracks
        // are read.
        let describe = |columns: &Columns, read: &ReadOptions| {
            let Columns { time, category, track, .. } = columns;
            format!("{time:?} {category:?} {track:?} {read:?}")
        };
        let options = describe(&spec.columns, &spec.read);
        if options != describe(&Columns::default(), &ReadOptions::default()) {
            let mut hasher = DefaultHasher::new();
            options.hash(&mut hasher);
            points.version = format!("{}{:08x}", points.version, hasher.finish() as u32);
        }
        Ok(Self::new(spec, Arc::new(points)))
    }
}

/// Opens the inputs of a layer, and returns them with their names, in which patterns of objects are expanded.
#[cfg(feature = "formats")]
fn open_inputs(spec: &LayerSpec) -> Result<(crate::source::Inputs, Vec<String>)> {
    let mut names = Vec::new();
    for input in &spec.inputs {
        #[cfg(feature = "objects")]
        names.extend(crate::source::expand_objects(input)?);
        #[cfg(not(feature = "objects"))]
        names.push(input.clone());
    }
    let open = |input: &String| crate::source::open(input, &spec.read);
    Ok((crate::source::Inputs(names.iter().map(open).collect::<Result<_>>()?), names))
}

/// Reads each input up to its first valid points, with times if their column is named: of a layer of files, the queries
/// read the times later.
#[cfg(feature = "formats")]
fn check_first_rows(spec: &LayerSpec, inputs: &crate::source::Inputs) -> Result<()> {
    let query = Query::default().with_names(spec.columns.clone()).with_coordinate_space(spec.space);
    let query = query.with_weights(true).with_times(spec.columns.time.is_some());
    for (source, name) in inputs.0.iter().zip(&spec.inputs) {
        let mut stop = |_: crate::geo::Points<'_>| std::ops::ControlFlow::Break(());
        match source.scan(&query, &mut [&mut stop]) {
            // The sink has received valid points.
            Err(Error::Cancelled) => {}
            scanned => {
                let report = scanned?;
                if report.read > 0 {
                    report.require_points(std::slice::from_ref(name))?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::geo::{Categories, Points};
    use crate::source::{MemorySource, PointColumns};

    /// Points whose scans are counted.
    struct CountedSource {
        points: PointColumns,
        scans: Arc<AtomicUsize>,
    }

    impl Source for CountedSource {
        fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
            self.scans.fetch_add(1, Ordering::Relaxed);
            MemorySource(self.points.points()).scan(query, sinks)
        }
    }

    /// The points, and the number of scans of their source.
    fn load(points: Points<'_>) -> (InputPoints, Arc<AtomicUsize>) {
        let (mut columns, scans) = (PointColumns::default(), Arc::default());
        columns.add(points);
        let source = CountedSource { points: columns, scans: Arc::clone(&scans) };
        (InputPoints::load(Box::new(source), &[], &Query::default()).unwrap(), scans)
    }

    #[test]
    fn a_source_is_scanned_once_for_each_combination_of_columns() {
        let names = ["bus".into(), "tram".into()];
        let points = Points::new(&[1.0, 2.0, 3.0], &[0.0; 3]).unwrap().with_time(&[5, Points::NO_TIME, 7]).unwrap();
        let points = points.with_category(Categories { codes: &[0, 1, 1], names: &names }).unwrap();
        let (points, scans) = load(points);
        let count = |query: &Query<'_>| (points.count(query).unwrap(), scans.load(Ordering::Relaxed));
        assert_eq!(count(&Query::default()), (3, 1));
        let start = |start| Query::default().with_start(Some(start));
        assert_eq!([start(0), start(6), start(8)].map(|query| count(&query)), [(2, 2), (1, 2), (0, 2)]);
        let of = |query: Query<'static>, name: &str| query.with_category_filter(vec![name.to_owned()]);
        let queries = [of(Query::default(), "tram"), of(Query::default(), "bus"), of(start(0), "tram")];
        assert_eq!(queries.map(|query| count(&query)), [(2, 3), (1, 3), (1, 4)]);
        assert_eq!(count(&of(start(6), "bus")), (0, 4));
    }

    #[test]
    fn a_filter_by_a_column_that_the_source_lacks_is_an_error_of_the_source() {
        let (points, _) = load(Points::new(&[1.0], &[2.0]).unwrap().with_time(&[3]).unwrap());
        let query = Query::default().with_category_filter(vec!["bus".to_owned()]).with_start(Some(0));
        for _ in 0..2 {
            let message = points.count(&query).unwrap_err().to_string();
            assert_eq!(message, "points: these points in memory have no category to filter by");
        }
        assert_eq!(points.count(&Query::default().with_start(Some(0))).unwrap(), 1);
    }
}
