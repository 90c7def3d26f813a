//! Arrow IPC as tables: files (Feather version 2) and streams.
//!
//! Of each record batch the requested columns are read, so one batch of them is held in memory. A part is some record
//! batches after each other; where a stream replaces a dictionary as it goes, all of it is one part.

mod body;
mod flaw;
mod layout;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use arrow_schema::{DataType, Field, Schema};

use self::body::{Dictionaries, add_dictionary, read_batch};
use self::flaw::{Flaw, guarded};
use self::layout::{CONTINUATION, Layout, MAGIC};
use super::nested::{Nested, select};
use super::read_error;
use super::table::{BatchSink, PartResult, Request, Table, TableScan};
use kiln_core::error::{Error, Result};

/// A file of Arrow IPC, in the file format or in the streaming format.
#[derive(Debug)]
pub(super) struct Arrow {
    path: PathBuf,
    name: String,
    file_bytes: u64,
    layout: Layout,
    columns: Nested,
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
    pub(super) fn open(path: &Path, name: String) -> Result<Self> {
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
        let columns = Nested::of(&layout.schema);
        Ok(Self { path: path.to_owned(), name, file_bytes, layout, columns })
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

impl Table for Arrow {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> &Schema {
        &self.columns.schema
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        let paths: Vec<&[String]> = request.indexes().map(|index| &self.columns.paths[index][..]).collect();
        let Layout { schema, batches, .. } = &self.layout;
        let mut roots: Vec<usize> = paths.iter().filter_map(|path| schema.index_of(&path[0]).ok()).collect();
        roots.sort_unstable();
        roots.dedup();
        let mut dictionaries = Vec::new();
        for root in &roots {
            dictionary_ids(schema.field(*root), &mut dictionaries);
        }
        let changes = batches.windows(2).any(|pair| pair[0].dictionaries != pair[1].dictionaries);
        let parts = self.parts(changes && !dictionaries.is_empty());
        // All record batches of a part have the same dictionaries, or there is just one part that begins without any.
        let first = if parts.len() > 1 { batches[0].dictionaries } else { 0 };
        let mut scan = Scan {
            arrow: self,
            file: self.reopen()?,
            paths,
            roots,
            dictionaries,
            parts,
            first,
            shared: Dictionaries::new(),
        };
        let mut shared = Dictionaries::new();
        scan.add_dictionaries(0..first, &mut shared)?;
        scan.shared = shared;
        Ok(Box::new(scan))
    }
}

/// Adds the numbers of the dictionaries that a column uses.
#[allow(deprecated, reason = "there is no other way to them")]
fn dictionary_ids(field: &Field, ids: &mut Vec<i64>) {
    ids.extend(field.dict_id());
    match field.data_type() {
        DataType::Struct(children) => children.iter().for_each(|child| dictionary_ids(child, ids)),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _)
        | DataType::RunEndEncoded(_, child) => dictionary_ids(child, ids),
        _ => {}
    }
}

/// One pass over some columns.
struct Scan<'a> {
    arrow: &'a Arrow,
    file: File,
    paths: Vec<&'a [String]>,
    /// The columns at the top that hold them, in the order of the schema.
    roots: Vec<usize>,
    /// The numbers of the dictionaries that these columns use.
    dictionaries: Vec<i64>,
    parts: Vec<Range<usize>>,
    /// How many of the file's dictionaries every part begins with, and these.
    first: usize,
    shared: Dictionaries,
}

impl Scan<'_> {
    /// Reads those of the file's dictionaries in `range` that are used.
    fn add_dictionaries(&self, range: Range<usize>, dictionaries: &mut Dictionaries) -> Result<()> {
        let Layout { schema, dictionaries: messages, .. } = &self.arrow.layout;
        if self.dictionaries.is_empty() {
            return Ok(());
        }
        for message in &messages[range] {
            guarded(|| add_dictionary(&self.file, message, schema, &self.dictionaries, dictionaries))
                .map_err(|flaw| self.failed(flaw))?;
        }
        Ok(())
    }

    fn failed(&self, flaw: Flaw) -> Error {
        flaw.of(&self.arrow.name)
    }
}

impl TableScan for Scan<'_> {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn bytes(&self) -> u64 {
        self.arrow.layout.batches.iter().map(|batch| batch.message.body_bytes).sum()
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let Layout { schema, batches, .. } = &self.arrow.layout;
        let (mut dictionaries, mut known) = (self.shared.clone(), self.first);
        for batch in &batches[self.parts[part].clone()] {
            self.add_dictionaries(known..batch.dictionaries, &mut dictionaries)?;
            known = batch.dictionaries;
            let read = || {
                let read = read_batch(&self.file, &batch.message, schema, &self.roots, &dictionaries)?;
                Ok(select(&read, &self.paths)?)
            };
            let read = guarded(read).map_err(|flaw| self.failed(flaw))?;
            if rows.batch(&read).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            rows.advance(batch.message.body_bytes);
        }
        Ok(ControlFlow::Continue(()))
    }
}
