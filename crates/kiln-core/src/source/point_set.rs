//! Point sets, from which pictures are rendered.

use crate::parameter::Parameter;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Comparison, CoordinateSpace, DamagedPoints, Query, ScanReport, Sink, Source};
use crate::cell_bins::{BinChunk, BinsRequest};
use crate::error::{Error, Result};
use crate::geo::{Canvas, Extent, Points, SystematicSample};
use crate::matrix::{BinQuantity, MatrixRequest, PointMatrix, scan_matrix};
use crate::occupancy::{OccupancyGrid, OccupancyRequest, scan_occupancy};
use crate::raster::{Bins, Cells, Reduction};

/// A set of points from which pictures are rendered, at one point in time: files, memory, a snapshot of a stored layer,
/// or a live table.
///
/// Only the properties of the set are required methods. The data for a picture is computed by a scan, unless the set
/// overrides that with a faster implementation, such as precomputed sums per cell.
pub trait PointSet: Source + Debug {
    /// A version that changes whenever the points change.
    fn version(&self) -> String;

    /// The bounding box of the points.
    fn extent(&self) -> &Extent;

    /// Whether the points have positions. Without them, they have matrices and totals, and scans that need no positions.
    /// Default: `true`.
    fn has_positions(&self) -> bool {
        true
    }

    /// The maximum difference of a coordinate from that of the input, by the rounding of stored positions, in degrees or
    /// meters. Default: 0.
    fn position_tolerance(&self) -> f64 {
        0.0
    }

    /// The coordinate space of the points, if the set determines it: stored layers do, files are in the space of the
    /// query that reads them. Default: the globe.
    fn coordinate_space(&self) -> CoordinateSpace {
        CoordinateSpace::Globe
    }

    /// The number of points.
    fn points(&self) -> u64;

    /// Whether points have weights. Without weights, the weight of every point is 1.
    fn is_weighted(&self) -> bool;

    /// The level of the cells of a set of bins, whose rows stand for many points each: the world is a square of 2^level ×
    /// 2^level cells. The set has no single points then. Default: `None`.
    fn bin_level(&self) -> Option<u32> {
        None
    }

    /// Of a set of bins with times, the time in microseconds of which the begins of all buckets are multiples: a day, an
    /// hour, a minute or a second. A filter by times must not cut it. Default: `None`.
    fn bucket_us(&self) -> Option<u64> {
        None
    }

    /// The description of a layer of the points. Default: empty.
    fn description(&self) -> Description {
        Description::default()
    }

    /// The report of the scan that read the points. Default: empty.
    fn report(&self) -> ScanReport {
        ScanReport::default()
    }

    /// The points that are left out because their files are damaged. Default: `None`.
    fn damage(&self) -> Option<DamagedPoints> {
        None
    }

    /// Totals of the points, if they are known without a scan. Default: `None`.
    fn totals(&self) -> Option<Totals> {
        None
    }

    /// The categories of the points, if they are known without a scan. Default: `None`.
    ///
    /// # Errors
    /// [`Error::Database`] if a query fails; [`Error::Cancelled`] once `stop` is set.
    fn categories(&self, _stop: Option<&AtomicBool>) -> Result<Option<CategoryList>> {
        Ok(None)
    }

    /// Whether the cost of rendering depends on the number of pixels, not of points. Default: `false`.
    fn is_aggregated(&self) -> bool {
        false
    }

    /// Whether rendering a picture reads the whole input again. Default: `false`.
    fn is_reread(&self) -> bool {
        false
    }

    /// Whether rendering waits for another process, such as a database. Default: `false`.
    fn is_remote(&self) -> bool {
        false
    }

    /// The best number of pictures to render concurrently on `threads` threads. Default: `threads`.
    fn concurrency(&self, threads: usize) -> usize {
        threads
    }

    /// Reduces the points that match `query` per cell of `canvas`, which a kernel of `radius_px` pixels will smooth.
    ///
    /// # Errors
    /// If the points cannot be read, or lack a column that `query` filters by; [`Error::Cancelled`] if the query is
    /// cancelled.
    fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        reduction: Reduction,
        radius_px: f64,
        threads: usize,
    ) -> Result<(Cells, ScanReport)> {
        let _ = radius_px;
        scan_cells(self, query, canvas, reduction, threads)
    }

    /// Groups the points that match `query` as `request` describes.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`] for `resolution` if there are more groups than the request
    /// allows.
    fn occupancy(&self, query: &Query<'_>, request: &OccupancyRequest, threads: usize) -> Result<OccupancyGrid> {
        scan_occupancy(self, query, request, self.extent().bounds(false), threads)
    }

    /// Groups the points that match `query` by the axes of `request`.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`] for `x` if there are more cells than the request allows, and for
    /// `x`, `y` or `value` if it is a column that the set does not have.
    fn matrix(&self, query: &Query<'_>, request: &MatrixRequest, threads: usize) -> Result<PointMatrix> {
        scan_matrix(self, query, request, threads)
    }

    /// The lowest and highest of the numbers of `quantity`, from which the bins of a matrix are derived; `None` if there
    /// are none. Weights that are known without a scan are those of all points, others those that match `query`.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`] for `x` if the quantity is a column that the set does not have.
    fn number_range(&self, query: &Query<'_>, quantity: &BinQuantity) -> Result<Option<[f64; 2]>> {
        let weights = self.totals().and_then(|totals| totals.weight);
        match (quantity, weights) {
            (BinQuantity::Weight, Some([_, min, max])) => Ok(Some([min, max])),
            _ => scan_range(self, query, quantity),
        }
    }

    /// The columns of a live table that axes and values of a matrix may select. Default: none.
    ///
    /// # Errors
    /// [`Error::Database`] if a query fails.
    fn table_columns(&self) -> Result<Vec<TableColumn>> {
        Ok(Vec::new())
    }

    /// The longitudes and latitudes in degrees of a systematic sample of up to `count` points that match `query`. If
    /// exact positions are expensive, they may be rounded to the squares of a quadtree level, `level`, 0 to 32.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    fn sample(&self, query: &Query<'_>, count: usize, level: u32) -> Result<Vec<(f64, f64)>> {
        let _ = level;
        scan_sample(self, query, count)
    }

    /// Sums the points that match `query` per group of `request`, and passes the sums to `take` in Z-order, if the set stores
    /// its points in that order. Of points outside the bounds of interest of the query, any may be summed. Default: `None`;
    /// the caller scans and sorts the points.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and the first error of `take`.
    fn cell_bins(
        &self,
        _query: &Query<'_>,
        _request: &BinsRequest,
        _threads: usize,
        _take: &mut dyn FnMut(BinChunk<'_>) -> Result<()>,
    ) -> Result<Option<ScanReport>> {
        Ok(None)
    }

    /// The number of points that match `query`.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    fn count(&self, query: &Query<'_>) -> Result<u64> {
        scan_count(self, query)
    }

    /// Whether points can be filtered by `comparison`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the parameter `where` if not, which is the default.
    fn check_comparison(&self, _comparison: &Comparison) -> Result<()> {
        Err(Error::invalid(Parameter::WHERE, "only the columns of a live table can be compared"))
    }
}

/// A dynamic set of named point sets: the layers of a store, or the tables of a database.
pub trait Provider: Send + Sync + Debug {
    /// The names of the point sets.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn names(&self) -> Result<Vec<String>>;

    /// The current point set `name`; `None` if it does not exist. Returns the same `Arc` while the points do not
    /// change.
    ///
    /// # Errors
    /// If it cannot be read.
    fn find(&self, name: &str) -> Result<Option<Arc<dyn PointSet>>>;

    /// Updates `name`, so that the next [`find`](Self::find) returns its latest points. Default: no operation, as
    /// `find` always does.
    ///
    /// # Errors
    /// If the points cannot be read; [`Error::Cancelled`] once `stop` is set.
    fn refresh(&self, _name: &str, _stop: &AtomicBool) -> Result<()> {
        Ok(())
    }
}

/// The title, attribution and style of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The display title. Default: the name of the layer.
    pub title: Option<String>,
    /// The attribution of the data.
    pub attribution: Option<String>,
    /// The quantity of the weights, such as `population`. Default: `weight`.
    pub weight: Option<String>,
    /// The columns that the parameter `where` may compare.
    pub comparable: Vec<String>,
    /// The defaults of style parameters, by name.
    pub style: BTreeMap<String, String>,
}

/// A column of a live table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// The name.
    pub name: String,
    /// Whether its values are numbers.
    pub is_numeric: bool,
}

/// Totals of a set of points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// The number of points.
    pub points: u64,
    /// Sum, minimum and maximum of the weights; `None` without weights or points.
    pub weight: Option<[f64; 3]>,
    /// Minimum and maximum time in microseconds since 1970-01-01 UTC; `None` if no point has a time.
    pub time_us: Option<[i64; 2]>,
}

/// The first categories in alphabetical order, and their total number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoryList {
    /// The first names.
    pub first: Vec<String>,
    /// The total number of categories.
    pub total: u64,
}

/// Scans `source` with one worker thread per state, and passes each batch with the state of its worker to `take`.
///
/// # Errors
/// As [`Source::scan`].
pub fn scan_each<S: Send>(
    source: &(impl Source + ?Sized),
    query: &Query<'_>,
    states: &mut [S],
    take: impl Fn(&mut S, Points<'_>) -> ControlFlow<()> + Sync,
) -> Result<ScanReport> {
    let take = &take;
    let mut sinks: Vec<_> = states.iter_mut().map(|state| move |points: Points<'_>| take(state, points)).collect();
    let mut sinks: Vec<&mut Sink<'_>> = sinks.iter_mut().map(|sink| sink as &mut Sink<'_>).collect();
    source.scan(query, &mut sinks)
}

/// Implements [`PointSet::cells`] by a scan of `source`. Each worker has its own bins; the number of workers is limited
/// by their memory.
///
/// # Errors
/// As [`Source::scan`].
pub fn scan_cells(
    source: &(impl Source + ?Sized),
    query: &Query<'_>,
    canvas: &Canvas,
    reduction: Reduction,
    threads: usize,
) -> Result<(Cells, ScanReport)> {
    /// The limit of the memory of all bins, unless those of a single worker exceed it.
    const MAX_BYTES: u64 = 1 << 30;
    let bytes = u64::from(canvas.width()) * u64::from(canvas.height()) * reduction.bytes_per_cell();
    let workers = (threads as u64).min(MAX_BYTES / bytes.max(1)).max(1);
    let mut workers: Vec<Bins> = (0..workers).map(|_| Bins::new(canvas, reduction)).collect();
    // One more pixel on each side, for rounding.
    let query = query.clone().with_near(Some(canvas.grow(1).bounds()));
    let report = scan_each(source, &query, &mut workers, |bins, points| {
        bins.add(points);
        query.flow()
    })?;
    let mut workers = workers.into_iter();
    let mut bins = workers.next().unwrap_or_else(|| Bins::new(canvas, reduction));
    for worker in workers {
        bins.merge(worker)?;
    }
    Ok((bins.into_cells(), report))
}

/// Implements [`PointSet::sample`] by a scan of `source`.
///
/// # Errors
/// As [`Source::scan`].
pub fn scan_sample(source: &(impl Source + ?Sized), query: &Query<'_>, count: usize) -> Result<Vec<(f64, f64)>> {
    let mut sample = SystematicSample::new(count);
    let mut sink = |points: Points<'_>| {
        points.lon().iter().copied().zip(points.lat().iter().copied()).for_each(|position| sample.push(position));
        query.flow()
    };
    source.scan(query, &mut [&mut sink])?;
    Ok(sample.items())
}

/// Implements [`PointSet::number_range`] by a scan of `source`.
///
/// # Errors
/// As [`Source::scan`], and [`Error::Invalid`] for `x` if the quantity is a column of a table.
pub fn scan_range(
    source: &(impl Source + ?Sized),
    query: &Query<'_>,
    quantity: &BinQuantity,
) -> Result<Option<[f64; 2]>> {
    if let BinQuantity::Column(column) = quantity {
        let message = format!("`{column}` is unknown; only live tables have columns of any name");
        return Err(Error::invalid(Parameter::X, message));
    }
    let is_weight = *quantity == BinQuantity::Weight;
    let query = query.clone().with_weights(is_weight).with_positions(!is_weight);
    let mut range: Option<[f64; 2]> = None;
    let mut add = |number: f64| {
        let [min, max] = range.unwrap_or([number; 2]);
        range = Some([min.min(number), max.max(number)]);
    };
    let mut sink = |points: Points<'_>| {
        match quantity {
            BinQuantity::Lon => points.lon().iter().copied().for_each(&mut add),
            BinQuantity::Lat => points.lat().iter().copied().for_each(&mut add),
            _ => match points.weight() {
                Some(weights) => weights.iter().copied().map(f64::from).for_each(&mut add),
                None if points.is_empty() => {}
                None => add(1.0),
            },
        }
        query.flow()
    };
    source.scan(&query, &mut [&mut sink])?;
    Ok(range)
}

/// Implements [`PointSet::count`] by a scan of `source`.
///
/// # Errors
/// As [`Source::scan`].
pub fn scan_count(source: &(impl Source + ?Sized), query: &Query<'_>) -> Result<u64> {
    let mut count = 0;
    let mut sink = |points: Points<'_>| {
        count += points.len() as u64;
        query.flow()
    };
    source.scan(query, &mut [&mut sink])?;
    Ok(count)
}
