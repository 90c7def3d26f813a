//! Points in: what every source of points is, and those in memory.
//!
//! A [`Source`] is scanned by as many worker threads as it is given sinks. Each sink belongs to one worker, so a sink
//! needs no lock; with a single sink the points come in the order of the input. A sink that answers
//! [`ControlFlow::Break`] stops the scan.

pub mod batch;
mod comparison;
mod gathered;
pub mod intake;
pub mod labels;
mod memory;
mod narrow;
pub mod parts;
mod resident;
pub mod role;
#[cfg(test)]
#[allow(clippy::unwrap_used, dead_code, reason = "the tests of the readers in kiln-formats use the same file")]
mod testing;
pub mod time;

pub use comparison::{Comparison, Operand, Operator};
pub use gathered::Gathered;
pub use memory::Memory;
pub use resident::{PointWithin, Resident, points_within};
pub use role::Role;
pub use time::parse_time_us;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::geo::{Bounds, Points, Polygon};

/// What takes the batches of one worker thread.
pub type Sink<'s> = dyn FnMut(Points<'_>) -> ControlFlow<()> + Send + 's;

/// Where points come from.
pub trait Source: Send + Sync {
    /// Pushes every valid point that passes `query` into `sinks`, one worker thread per sink.
    ///
    /// Points that are pushed have passed the check of `query.ground`; the others are counted in the report.
    ///
    /// # Errors
    /// If the input cannot be read or does not hold what `query` needs. Single bad rows are no error: they are
    /// counted and the first of them are explained in the [`ScanReport`].
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport>;
}

/// Which coordinates are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ground {
    /// Degrees: |latitude| ≤ 90, |longitude| ≤ 360, both finite.
    #[default]
    Globe,
    /// Plane units: any finite number.
    Plane,
}

impl Ground {
    /// Whether x comes around to where it began.
    pub fn wraps(self) -> bool {
        self == Self::Globe
    }
}

/// What a scan is to deliver.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Columns by name; `None` means: found by its usual names.
    pub columns: Columns,
    /// Which coordinates are valid.
    pub ground: Ground,
    /// Whether weights are wanted. If not, no weight column is read and batches carry none.
    pub weights: bool,
    /// Whether times are wanted, where the input has them: it is no error if it has none, unless `columns` names one. A
    /// row with a time that cannot be read is rejected; one without a time has [`Points::NO_TIME`].
    pub times: bool,
    /// Whether categories are wanted, where the input has them: it is no error if it has none, unless `columns` names
    /// one.
    pub categories: bool,
    /// First instant that passes, in microseconds since 1970-01-01 UTC; `None`: no lower end.
    pub start_us: Option<i64>,
    /// First instant that no longer passes, in microseconds since 1970-01-01 UTC; `None`: no upper end.
    pub end_us: Option<i64>,
    /// Categories that pass; empty: all of them.
    pub in_categories: Vec<String>,
    /// The area whose points pass, on the globe; `None`: all of it. On a plane it is an error.
    pub polygon: Option<Arc<Polygon>>,
    /// What columns of a live table have to be; other sources have none.
    pub comparisons: Vec<Comparison>,
    /// The ground that is looked at. Points beyond it may be left out; they count as read.
    pub near: Option<Bounds>,
    /// How many rejected rows the report is to keep with their reasons, the first ones; 5 by default. All are counted.
    pub max_rejections: usize,
    /// Where the scan says how far it is.
    pub progress: Option<&'a Progress>,
    /// Where the caller says that it wants no more: the work then ends with [`Error::Cancelled`].
    pub stop: Option<&'a AtomicBool>,
}

impl Default for Query<'_> {
    fn default() -> Self {
        Self {
            columns: Columns::default(),
            ground: Ground::default(),
            weights: false,
            times: false,
            categories: false,
            start_us: None,
            end_us: None,
            in_categories: Vec::new(),
            polygon: None,
            comparisons: Vec::new(),
            near: None,
            max_rejections: 5,
            progress: None,
            stop: None,
        }
    }
}

impl Query<'_> {
    /// Whether the caller wants no more.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Whether rows are to be left out by their time, category or place.
    pub fn filters(&self) -> bool {
        self.filters_time() || self.filters_category() || self.polygon.is_some() || !self.comparisons.is_empty()
    }

    fn filters_time(&self) -> bool {
        self.start_us.is_some() || self.end_us.is_some()
    }

    fn filters_category(&self) -> bool {
        !self.in_categories.is_empty()
    }
}

/// The names of the columns (CSV headers, Parquet columns, GeoJSON properties); `None` means: found by its usual names.
///
/// In JSON and GeoJSON the usual names are looked for in the first 1000 rows; a member that comes later has to be named.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Longitude or x: `lon`, `lng`, `long`, `longitude`, `x`.
    pub lon: Option<String>,
    /// Latitude or y: `lat`, `latitude`, `y`.
    pub lat: Option<String>,
    /// Weight: `weight`, `value`, `w`, `count`.
    pub weight: Option<String>,
    /// Time: `time`, `timestamp`, `date`, `datetime`.
    pub time: Option<String>,
    /// Category: `category`, `type`, `class`, `kind`.
    pub category: Option<String>,
}

/// How far a scan is, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    total_bytes: AtomicU64,
    done_bytes: AtomicU64,
    points: AtomicU64,
}

impl Progress {
    /// Announces `bytes` more to read.
    pub fn expect_bytes(&self, bytes: u64) {
        self.total_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reports `bytes` more read, which held `points` more points.
    pub fn advance(&self, bytes: u64, points: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.points.fetch_add(points, Ordering::Relaxed);
    }

    /// Bytes to read in all, bytes read, points read.
    pub fn snapshot(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.total_bytes), read(&self.done_bytes), read(&self.points))
    }
}

/// What a scan met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Rows read, whatever became of them.
    pub read: u64,
    /// Rows that the time range, the categories or the polygon kept out.
    pub filtered: u64,
    /// Rows that hold no valid point.
    pub rejected: u64,
    /// Points of inputs without weights, although weights were wanted: each weighs 1.
    pub unweighted: u64,
    /// The first rejected rows, at most [`Query::max_rejections`], in order.
    pub rejections: Vec<Rejection>,
}

impl ScanReport {
    /// Rows that hold a valid point and passed the query.
    pub fn valid(&self) -> u64 {
        self.read - self.filtered - self.rejected
    }

    /// Makes sure that `inputs` held points at all. Rows that just do not pass the filters are enough.
    ///
    /// # Errors
    /// [`Error::Input`] with the first row at fault.
    pub fn require_points(&self, inputs: &[String]) -> Result<()> {
        if self.read == 0 {
            return Err(Error::input(inputs.join(", "), "there are no rows in it"));
        }
        if self.rejected < self.read {
            return Ok(());
        }
        let first = self.rejections.first().map(|rejection| {
            // One file is named already.
            let file = if inputs.len() > 1 { format!("{} ", rejection.input) } else { String::new() };
            format!("; {file}row {}: {}", rejection.row, rejection.reason)
        });
        let first = first.unwrap_or_default();
        Err(Error::input(inputs.join(", "), format!("none of the {} rows holds a valid point{first}", self.read)))
    }

    /// Puts the report of what follows behind this one: `next` counts its rows from 1, and belongs to `input`.
    pub fn append(&mut self, mut next: Self, input: &str, query: &Query<'_>) {
        for rejection in &mut next.rejections {
            input.clone_into(&mut rejection.input);
            rejection.row += self.read;
        }
        self.join(next, query);
    }

    /// Puts the report of another input behind this one: its rejections keep their input and row.
    pub fn join(&mut self, next: Self, query: &Query<'_>) {
        let room = query.max_rejections.saturating_sub(self.rejections.len());
        self.rejections.extend(next.rejections.into_iter().take(room));
        self.read += next.read;
        self.filtered += next.filtered;
        self.rejected += next.rejected;
        self.unweighted += next.unweighted;
    }
}

/// Why a row holds no valid point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which input, as the user named it; empty for points in memory.
    pub input: String,
    /// The row or feature, counted from 1 (a CSV header is not counted).
    pub row: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What an error while `name` is read means: a file that ends too early has changed.
pub fn read_error(name: &str, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return Error::input(name, "the file changed while it was read");
    }
    Error::io(name, "read", error)
}
