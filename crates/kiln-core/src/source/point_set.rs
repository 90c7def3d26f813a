//! What pictures are drawn from.

use crate::parameter::Parameter;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Comparison, Query, ScanReport, Sink, Source};
use crate::error::{Error, Result};
use crate::geo::{Canvas, Extent, Points, SystematicSample};
use crate::raster::{Bins, Cells, Reduction};

/// A set of points that pictures are drawn from, as it is at one moment: files, memory, a snapshot of a stored layer, a
/// live table.
///
/// Only the facts are required. Whatever a picture needs is computed by a scan unless the set has a cheaper way, such as
/// sums per cell.
pub trait PointSet: Source + Debug {
    /// A text that changes whenever the points do.
    fn version(&self) -> String;

    /// Where the points are.
    fn extent(&self) -> &Extent;

    /// The number of points.
    fn points(&self) -> u64;

    /// Whether any point has a weight; else each weighs 1.
    fn is_weighted(&self) -> bool;

    /// How a layer of the points is named and drawn. Default: nothing is said.
    fn description(&self) -> Description {
        Description::default()
    }

    /// What the reading of the points found. Default: nothing was rejected.
    fn report(&self) -> ScanReport {
        ScanReport::default()
    }

    /// Totals of the points, where they are known without a scan. Default: `None`.
    fn totals(&self) -> Option<Totals> {
        None
    }

    /// The categories of the points, where they are known without a scan. Default: `None`.
    ///
    /// # Errors
    /// Those of a database; [`Error::Cancelled`] once `stop` is set.
    fn categories(&self, _stop: Option<&AtomicBool>) -> Result<Option<CategoryList>> {
        Ok(None)
    }

    /// Whether the cost of a picture follows its pixels, not the number of points. Default: `false`.
    fn is_aggregated(&self) -> bool {
        false
    }

    /// Whether each picture reads an input from its beginning. Default: `false`.
    fn is_reread(&self) -> bool {
        false
    }

    /// Whether a picture waits for another process, such as a database. Default: `false`.
    fn is_remote(&self) -> bool {
        false
    }

    /// How many pictures are best drawn at the same time on a machine of `threads` threads. Default: as many.
    fn concurrency(&self, threads: usize) -> usize {
        threads
    }

    /// The points that pass `query`, summed per cell of `canvas`, which a kernel of `radius_px` pixels will smooth.
    ///
    /// # Errors
    /// If the points cannot be read, or lack what `query` filters by; [`Error::Cancelled`].
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

    /// The positions, in degrees of longitude and latitude, of up to `count` points that pass `query`, picked evenly; where
    /// exact positions are expensive, only as exact as the squares of a level of the quadtree, 0 to 32.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    fn sample(&self, query: &Query<'_>, count: usize, level: u32) -> Result<Vec<(f64, f64)>> {
        let _ = level;
        scan_sample(self, query, count)
    }

    /// The number of points that pass `query`.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    fn count(&self, query: &Query<'_>) -> Result<u64> {
        scan_count(self, query)
    }

    /// Whether points can be filtered by `comparison`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `where` if not, which is the default.
    fn check_comparison(&self, _comparison: &Comparison) -> Result<()> {
        Err(Error::invalid(Parameter::WHERE, "only the columns of a live table can be compared"))
    }
}

/// Point sets by name that come, change and go: the layers of a store, the tables of a database.
pub trait Provider: Send + Sync + Debug {
    /// The names of its point sets.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn names(&self) -> Result<Vec<String>>;

    /// The point set `name` as it is now; `None` if there is none. As long as it does not change it is the same one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn find(&self, name: &str) -> Result<Option<Arc<dyn PointSet>>>;

    /// Makes sure that the next [`find`](Self::find) of `name` returns the newest points. Default: it always does.
    ///
    /// # Errors
    /// If the points cannot be read; [`Error::Cancelled`] once `stop` is set.
    fn refresh(&self, _name: &str, _stop: &AtomicBool) -> Result<()> {
        Ok(())
    }
}

/// How a layer of a point set is named and drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The title for people. Default: the layer's name.
    pub title: Option<String>,
    /// The attribution of the points.
    pub attribution: Option<String>,
    /// What the weights count, such as `population`. Default: `weight`.
    pub weight: Option<String>,
    /// Columns that requests may compare.
    pub comparable: Vec<String>,
    /// Style parameters by name, where a request gives none.
    pub style: BTreeMap<String, String>,
}

/// Totals of a set of points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// The number of points.
    pub points: u64,
    /// Sum, minimum and maximum of the weights; `None` where every point weighs 1, or there is none.
    pub weight: Option<[f64; 3]>,
    /// First and last instant in microseconds since 1970-01-01 UTC; `None` where no point has one.
    pub time_us: Option<[i64; 2]>,
}

/// The first categories in alphabetical order, and the number of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoryList {
    /// The first names.
    pub first: Vec<String>,
    /// The number of categories in all.
    pub total: u64,
}

/// Scans `source` with one worker thread per state, each of which takes its worker's batches.
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

/// [`PointSet::cells`] by a scan of `source`: each worker sums in bins of its own, of which there are fewer where they are
/// large.
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
    /// Memory that the workers' bins may take together, unless one worker alone needs more.
    const MAX_BYTES: u64 = 1 << 30;
    let bytes = u64::from(canvas.width()) * u64::from(canvas.height()) * reduction.bytes_per_cell();
    let workers = (threads as u64).min(MAX_BYTES / bytes.max(1)).max(1);
    let mut workers: Vec<Bins> = (0..workers).map(|_| Bins::new(canvas, reduction)).collect();
    // One pixel more, for what rounding brings in.
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

/// [`PointSet::sample`] by a scan of `source`.
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

/// [`PointSet::count`] by a scan of `source`.
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
