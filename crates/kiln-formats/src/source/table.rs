//! What a reader of a format is: a table, read in parts as Arrow record batches of the columns that are asked for.
//!
//! A new format implements [`Table`] in one file and gets a line in the list of formats. Everything that has to do with
//! points (which column is which, types, units, nulls, messages) is done for all formats by the adapter in
//! [`columns`](super::columns).

use std::ops::ControlFlow;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;

pub(super) use kiln_core::source::parts::PartResult;

use kiln_core::error::Result;
use kiln_core::parameter::Message;

/// An input as a table.
pub(super) trait Table: Send + Sync {
    /// What messages call the input.
    fn name(&self) -> &str;

    /// What messages call a row and a column. Default: `row` and `column`.
    fn nouns(&self) -> Nouns {
        Nouns::default()
    }

    /// The columns, with their Arrow types as far as they are known without reading rows.
    ///
    /// A column within a structure is listed by its dotted path, such as `place.lat`. A geometry has the field metadata of
    /// GeoArrow: `ARROW:extension:name` (`geoarrow.wkb`, `geoarrow.wkt`, `geoarrow.point`, `geoarrow.multipoint`) and, where
    /// the coordinate reference system is declared, `ARROW:extension:metadata` (`{"crs": …}`).
    fn schema(&self) -> &Schema;

    /// Whether the columns have no names of their own but stand for what they are by their order, as in a CSV without a
    /// header or in JSON rows that are lists. Default: `false`.
    fn is_positional(&self) -> bool {
        false
    }

    /// Whether rows may have columns that the schema does not list, as in JSON, whose schema is that of the first rows: a
    /// column that the user names is then requested although it is unknown. Default: `false`.
    fn is_open(&self) -> bool {
        false
    }

    /// How the input was read where that is not evident: an assumed encoding, quotes taken as text. Default: nothing.
    fn notices(&self) -> Vec<Message> {
        Vec::new()
    }

    /// Starts to read the requested columns.
    ///
    /// # Errors
    /// If the input has changed, or a column cannot be read at all.
    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>>;
}

/// One pass over a table, read by several threads.
pub(super) trait TableScan: Sync {
    /// The number of parts, which are read in any order and by any thread, but started in their order.
    fn parts(&self) -> usize;

    /// Bytes of the input that this pass reads in all, for the progress.
    fn bytes(&self) -> u64;

    /// Hands the rows of a part to `rows`, in order: each row is within a batch, rejected or skipped, exactly once.
    ///
    /// # Errors
    /// If the input cannot be read on. Single bad rows are [rejected](BatchSink::reject) instead.
    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult;
}

/// What takes the rows of a part.
pub(super) trait BatchSink {
    /// Takes rows: a column for each requested one, in the order of the request. The types may differ from batch to batch.
    /// About [`Batch::ROWS`](kiln_core::source::batch::Batch::ROWS) rows serve best.
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()>;

    /// Takes a row that cannot be read at all.
    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()>;

    /// Takes rows that the reader has not read because none of them is within [`Request::time_range`].
    fn skip(&mut self, rows: u64) -> ControlFlow<()>;

    /// Reports that `bytes` more of the input were read.
    fn advance(&mut self, bytes: u64);
}

/// What is to be read of a table.
#[derive(Debug)]
pub(super) struct Request<'q> {
    /// The columns, in the order in which batches have them.
    pub(super) columns: Vec<Requested>,
    /// The number of threads that will read.
    pub(super) workers: usize,
    /// A range of times within which rows are wanted, for readers that can skip others by statistics.
    pub(super) time_range: Option<TimeRange<'q>>,
}

impl Request<'_> {
    /// The places of the columns in the schema, for tables that are not [open](Table::is_open).
    pub(super) fn indexes(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().filter_map(|column| column.index)
    }
}

/// A column that is to be read.
#[derive(Clone, Debug)]
pub(super) struct Requested {
    /// Its place in the schema; `None` if it is not listed there, which only an [open](Table::is_open) table allows.
    pub(super) index: Option<usize>,
    /// Its name or path.
    pub(super) name: String,
    /// What it is read as, where the format leaves a choice.
    pub(super) form: Form,
}

/// What a column without types is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Numbers (`Float64`, null where a field is empty) as long as all fields of a batch are plain decimals, else texts.
    Number,
    /// Texts as they are written.
    Text,
}

/// Whether values from the first to the last, each an array of one, may be wanted.
pub(super) type MayHold<'q> = Box<dyn Fn(&ArrayRef, &ArrayRef) -> bool + Sync + 'q>;

/// The times that are wanted, and how to tell them from statistics.
pub(super) struct TimeRange<'q> {
    /// The time column among the requested ones.
    pub(super) column: usize,
    /// Whether rows whose times lie between two values, each an array of one, may hold a time within the range.
    pub(super) may_hold: MayHold<'q>,
}

impl std::fmt::Debug for TimeRange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TimeRange({})", self.column)
    }
}

/// What messages call the parts of a table.
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
