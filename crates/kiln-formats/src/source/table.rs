//! The interface of a format reader: a table, read in parts as Arrow record batches of the requested columns.
//!
//! A new format implements [`Table`] in one file and adds a line to the list of formats. The adapter in
//! [`columns`](super::columns) does the rest for all formats: column roles, types, units, nulls and messages.

use std::ops::ControlFlow;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;

pub(super) use kiln_core::source::parts::PartResult;

use kiln_core::error::Result;
use kiln_core::parameter::Message;

/// An input as a table.
pub(super) trait Table: Send + Sync {
    /// The name of the input in messages.
    fn name(&self) -> &str;

    /// The words for a row and a column in messages. Default: `row` and `column`.
    fn nouns(&self) -> Nouns {
        Nouns::default()
    }

    /// The columns, with the Arrow types that are known without reading rows.
    ///
    /// A field of a struct column is listed by its dotted path, such as `place.lat`. A geometry has the field metadata
    /// of GeoArrow: `ARROW:extension:name` (`geoarrow.wkb`, `geoarrow.wkt`, `geoarrow.point`, `geoarrow.multipoint`)
    /// and, if the coordinate reference system is declared, `ARROW:extension:metadata` (`{"crs": …}`).
    fn schema(&self) -> &Schema;

    /// Whether the columns have no names and are identified by their position, as in a CSV file without a header or in
    /// JSON rows that are arrays. Default: `false`.
    fn is_positional(&self) -> bool {
        false
    }

    /// Whether rows may have columns that the schema does not list, as in JSON, where the schema is inferred from the
    /// first rows. A column that the user names is then requested even if it is unknown. Default: `false`.
    fn is_open(&self) -> bool {
        false
    }

    /// Assumptions to report to the user, such as a guessed encoding or quotes read as text. Default: none.
    fn notices(&self) -> Vec<Message> {
        Vec::new()
    }

    /// The minimum and the maximum of a column by the statistics of the file, each an array of length 1. Default: `None`.
    fn extent(&self, _column: usize) -> Option<[ArrayRef; 2]> {
        None
    }

    /// Starts a scan of the requested columns.
    ///
    /// # Errors
    /// If the input has changed or a column has an unsupported type.
    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>>;
}

/// A scan of a table, shared by several threads.
pub(super) trait TableScan: Sync {
    /// The number of parts. Any thread may read any part; parts are started in order but may finish in any order.
    fn parts(&self) -> usize;

    /// The total number of input bytes that the scan reads, for progress reports.
    fn bytes(&self) -> u64;

    /// Passes the rows of a part to `rows` in order. Each row is in a batch, rejected or skipped, exactly once.
    ///
    /// # Errors
    /// If the rest of the part cannot be read. Single invalid rows are [rejected](BatchSink::reject) instead.
    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult;
}

/// The receiver of the rows of a part.
pub(super) trait BatchSink {
    /// Receives rows: the requested columns, in the order of the request. The types may differ from batch to batch.
    /// A batch should have about [`Batch::ROWS`](kiln_core::source::batch::Batch::ROWS) rows.
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()>;

    /// Records a row that cannot be read, with the reason.
    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()>;

    /// Records `rows` rows that were not read because none of them is within [`Request::time_range`].
    fn skip(&mut self, rows: u64) -> ControlFlow<()>;

    /// Reports that `bytes` more bytes of the input were read.
    fn advance(&mut self, bytes: u64);
}

/// The selection of a scan: columns and time range.
#[derive(Debug)]
pub(super) struct Request<'q> {
    /// The columns, in the order that batches must have.
    pub(super) columns: Vec<RequestedColumn>,
    /// The number of threads that will read.
    pub(super) workers: usize,
    /// The time range of the query, for readers that can skip row groups by their statistics.
    pub(super) time_range: Option<TimeRange<'q>>,
}

impl Request<'_> {
    /// The schema indexes of the columns, for tables that are not [open](Table::is_open).
    pub(super) fn indexes(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().filter_map(|column| column.index)
    }
}

/// A column to read.
#[derive(Clone, Debug)]
pub(super) struct RequestedColumn {
    /// Its index in the schema; `None` if it is not listed there, which only an [open](Table::is_open) table allows.
    pub(super) index: Option<usize>,
    /// Its name or dotted path.
    pub(super) name: String,
    /// The type to read it as, for formats without column types.
    pub(super) value_type: ValueType,
}

/// The type to read a column as in a format without column types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    /// `Float64` (null for an empty field) if all fields of a batch are numbers, otherwise strings.
    Number,
    /// Strings, unchanged.
    Text,
}

/// A predicate on the minimum and maximum of a row group, each an array of length 1: whether any value may match.
pub(super) type MayMatch<'q> = Box<dyn Fn(&ArrayRef, &ArrayRef) -> bool + Sync + 'q>;

/// The time range of a query, tested against column statistics.
pub(super) struct TimeRange<'q> {
    /// The index of the time column in the request.
    pub(super) column: usize,
    /// Whether rows with times between a minimum and a maximum may include a time within the range.
    pub(super) may_match: MayMatch<'q>,
}

impl std::fmt::Debug for TimeRange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TimeRange({})", self.column)
    }
}

/// The words for the parts of a table in messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nouns {
    /// `row`, `feature`.
    pub(super) row: &'static str,
    /// `column`, `property`, `member`.
    pub(super) column: &'static str,
}

impl Default for Nouns {
    fn default() -> Self {
        Self { row: "row", column: "column" }
    }
}
