//! Points from Arrow IPC: files (Feather version 2) and streams.
//!
//! Of each record batch the wanted columns are read, so one batch of them is held in memory. A part is some record batches
//! after each other; where a stream replaces the dictionary of its categories as it goes, all of it is one part.

mod body;
mod cells;
mod columns;
mod flaw;
mod layout;
mod rows;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use arrow_schema::DataType;

use self::body::{Dictionaries, add_dictionary, read_batch};
use self::columns::Wanted;
use self::flaw::{Flaw, guarded};
use self::layout::{CONTINUATION, Layout, MAGIC};
use self::rows::Rows;
use super::intake::Intake;
use super::parts::{PartResult, scan_parts};
use super::{Query, ScanReport, Sink, Source, read_error};
use kiln_core::error::{Error, Result};

/// A file of Arrow IPC as a [`Source`], in the file format or in the streaming format.
///
/// Longitude, latitude and weight are columns of integers or floats; a time is a timestamp of any unit, a date, a number of
/// Unix seconds, milliseconds, microseconds or nanoseconds, or a text in ISO 8601; a category is a text, a dictionary of
/// texts, an integer or a truth value. A row with a null for a coordinate or a weight is rejected, and so is one with a time
/// that cannot be read; a null for a time or a category is none.
#[derive(Debug)]
pub struct Arrow {
    path: PathBuf,
    name: String,
    file_bytes: u64,
    layout: Layout,
}

impl Arrow {
    /// Bytes of record batches that are worth a part of their own.
    const PART_BYTES: u64 = 1 << 20;

    /// Whether a file that starts with `head` is one.
    pub(super) fn begins(head: &[u8]) -> bool {
        head.starts_with(MAGIC) || head.starts_with(CONTINUATION)
    }

    /// Opens the file at `path` and looks at where its record batches are. Messages call it `name`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is not a whole file or stream of Arrow IPC.
    pub fn open(path: &Path, name: String) -> Result<Self> {
        let failed = |error| read_error(&name, error);
        let file = File::open(path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let mut head = [0; MAGIC.len()];
        let is_file = file_bytes >= head.len() as u64 && {
            file.read_exact_at(&mut head, 0).map_err(failed)?;
            head == MAGIC
        };
        let layout =
            guarded(|| if is_file { Layout::of_file(&file, file_bytes) } else { Layout::of_stream(&file, file_bytes) });
        let layout = layout.map_err(|flaw| flaw.of(&name))?;
        Ok(Self { path: path.to_owned(), name, file_bytes, layout })
    }

    /// The number of the dictionary that the categories are in, if they are.
    #[allow(deprecated)] // There is no other way to it.
    fn dictionary(&self, wanted: &Wanted) -> Option<i64> {
        let field = self.layout.schema.field(wanted.category?);
        if matches!(field.data_type(), DataType::Dictionary(..)) { field.dict_id() } else { None }
    }

    /// Record batches that follow each other and are worth a part, all of them if `together`.
    fn parts(&self, together: bool) -> Vec<Range<usize>> {
        let batches = &self.layout.batches;
        let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
        for (index, batch) in batches.iter().enumerate() {
            bytes += batch.message.body_bytes;
            let is_last = index + 1 == batches.len();
            if is_last || (bytes >= Self::PART_BYTES && !together) {
                parts.push(start..index + 1);
                (start, bytes) = (index + 1, 0);
            }
        }
        parts
    }

    /// The file with a handle of its own, if it is still what it was.
    fn reopen(&self) -> Result<File> {
        let failed = |error| read_error(&self.name, error);
        let file = File::open(&self.path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == self.file_bytes {
            return Ok(file);
        }
        Err(Error::input(&self.name, "the file changed while it was read"))
    }
}

impl Source for Arrow {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let Layout { schema, batches, .. } = &self.layout;
        let wanted = Wanted::find(schema, query).map_err(|message| Error::input(&self.name, message))?;
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(batches.iter().map(|batch| batch.message.body_bytes).sum());
        }
        let scan = Scan {
            arrow: self,
            file: self.reopen()?,
            wanted,
            places: wanted.places(),
            dictionary: self.dictionary(&wanted),
        };
        let changes = batches.windows(2).any(|pair| pair[0].dictionaries != pair[1].dictionaries);
        let parts = self.parts(changes && scan.dictionary.is_some());
        // All record batches of a part have the same dictionaries, or there is just one part that begins without any.
        let first = if parts.len() > 1 { batches[0].dictionaries } else { 0 };
        let mut shared = Dictionaries::new();
        scan.add_dictionaries(0..first, &mut shared)?;
        scan_parts(&self.name, parts.len(), query, wanted.has(), sinks, |part, intake| {
            scan.read_part(&parts[part], shared.clone(), first, intake)
        })
    }
}

/// One scan of a file.
struct Scan<'a> {
    arrow: &'a Arrow,
    file: File,
    wanted: Wanted,
    places: Vec<usize>,
    dictionary: Option<i64>,
}

impl Scan<'_> {
    /// Reads those of the file's dictionaries in `range` that are wanted.
    fn add_dictionaries(&self, range: Range<usize>, dictionaries: &mut Dictionaries) -> Result<()> {
        let (Layout { schema, dictionaries: messages, .. }, Some(id)) = (&self.arrow.layout, self.dictionary) else {
            return Ok(());
        };
        for message in &messages[range] {
            guarded(|| add_dictionary(&self.file, message, schema, id, dictionaries))
                .map_err(|flaw| self.failed(flaw))?;
        }
        Ok(())
    }

    /// Reads the record batches in `part`; `known` of the file's dictionaries are in `dictionaries` already.
    fn read_part(
        &self,
        part: &Range<usize>,
        mut dictionaries: Dictionaries,
        mut known: usize,
        intake: &mut Intake<'_, '_>,
    ) -> PartResult {
        let Layout { schema, batches, .. } = &self.arrow.layout;
        let mut rows = Rows::default();
        for batch in &batches[part.clone()] {
            self.add_dictionaries(known..batch.dictionaries, &mut dictionaries)?;
            known = batch.dictionaries;
            let read = guarded(|| read_batch(&self.file, &batch.message, schema, &self.places, &dictionaries));
            let read = read.map_err(|flaw| self.failed(flaw))?;
            if rows.tell(&read, &self.wanted, intake).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            intake.advance(batch.message.body_bytes);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn failed(&self, flaw: Flaw) -> Error {
        flaw.of(&self.arrow.name)
    }
}
