//! Arrow IPC files (Feather version 2) and streams as tables.
//!
//! Only the requested columns of a record batch are read, one batch at a time. A part is a range of record batches; a
//! stream that replaces a dictionary is one part.

mod body;
mod error;
mod layout;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use arrow_schema::{DataType, Field, Schema};

use self::body::{Dictionaries, add_dictionary, read_batch};
use self::error::{ArrowReadError, catch_panic};
use self::layout::{CONTINUATION, Layout, MAGIC};
use super::nested::{Nested, select};
use super::read_at::read_exact_at;
use super::read_error;
use super::table::{BatchSink, PartResult, Request, Table, TableScan};
use kiln_core::error::{Error, Result};

/// An Arrow IPC file, in the file format or in the streaming format.
#[derive(Debug)]
pub(super) struct Arrow {
    path: PathBuf,
    name: String,
    file_bytes: u64,
    layout: Layout,
    columns: Nested,
}

impl Arrow {
    /// The minimum size of the record batches of a part, except for the last one.
    const MIN_PART_BYTES: u64 = 1 << 20;

    /// Whether a file that starts with `head` is in an Arrow IPC format.
    pub(super) fn has_magic(head: &[u8]) -> bool {
        head.starts_with(MAGIC) || head.starts_with(CONTINUATION)
    }

    /// Opens the file at `path` and locates its record batches. `name` is the name of the input in messages.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is not a complete Arrow IPC file or stream.
    pub(super) fn open(path: &Path, name: String) -> Result<Self> {
        let failed = |error| read_error(&name, error);
        let file = File::open(path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let mut head = [0; MAGIC.len()];
        let is_file = file_bytes >= head.len() as u64 && {
            read_exact_at(&file, &mut head, 0).map_err(failed)?;
            head == MAGIC
        };
        let layout = catch_panic(|| {
            if is_file { Layout::of_file(&file, file_bytes) } else { Layout::of_stream(&file, file_bytes) }
        });
        let layout = layout.map_err(|error| error.for_input(&name))?;
        let columns = Nested::of(&layout.schema);
        Ok(Self { path: path.to_owned(), name, file_bytes, layout, columns })
    }

    /// The record batches of each part; one part with all of them if `is_single`.
    fn parts(&self, is_single: bool) -> Vec<Range<usize>> {
        let batches = &self.layout.batches;
        let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
        for (index, batch) in batches.iter().enumerate() {
            bytes += batch.message.body_bytes;
            let is_last = index + 1 == batches.len();
            if is_last || (bytes >= Self::MIN_PART_BYTES && !is_single) {
                parts.push(start..index + 1);
                (start, bytes) = (index + 1, 0);
            }
        }
        parts
    }

    /// Opens the file again and checks that its size is unchanged.
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
        let has_changes = batches.windows(2).any(|pair| pair[0].dictionaries != pair[1].dictionaries);
        let parts = self.parts(has_changes && !dictionaries.is_empty());
        // All record batches have the same dictionaries, or there is a single part that starts without dictionaries.
        let initial = if parts.len() > 1 { batches[0].dictionaries } else { 0 };
        let mut scan = ArrowScan {
            arrow: self,
            file: self.reopen()?,
            paths,
            roots,
            dictionaries,
            parts,
            initial_dictionaries: initial,
            shared: Dictionaries::new(),
        };
        let mut shared = Dictionaries::new();
        scan.add_dictionaries(0..initial, &mut shared)?;
        scan.shared = shared;
        Ok(Box::new(scan))
    }
}

/// Adds the IDs of the dictionaries that a column uses.
#[allow(deprecated, reason = "there is no other way to get the IDs")]
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

/// A scan of the requested columns.
struct ArrowScan<'a> {
    arrow: &'a Arrow,
    file: File,
    paths: Vec<&'a [String]>,
    /// The top-level columns that contain the requested ones, in the order of the schema.
    roots: Vec<usize>,
    /// The IDs of the dictionaries that these columns use.
    dictionaries: Vec<i64>,
    parts: Vec<Range<usize>>,
    /// The number of the file's dictionaries that are read before any part, and these dictionaries.
    initial_dictionaries: usize,
    shared: Dictionaries,
}

impl ArrowScan<'_> {
    /// Reads the dictionaries in `range` that the requested columns use.
    fn add_dictionaries(&self, range: Range<usize>, dictionaries: &mut Dictionaries) -> Result<()> {
        let Layout { schema, dictionaries: messages, .. } = &self.arrow.layout;
        if self.dictionaries.is_empty() {
            return Ok(());
        }
        for message in &messages[range] {
            catch_panic(|| add_dictionary(&self.file, message, schema, &self.dictionaries, dictionaries))
                .map_err(|error| self.to_error(error))?;
        }
        Ok(())
    }

    fn to_error(&self, error: ArrowReadError) -> Error {
        error.for_input(&self.arrow.name)
    }
}

impl TableScan for ArrowScan<'_> {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn bytes(&self) -> u64 {
        self.arrow.layout.batches.iter().map(|batch| batch.message.body_bytes).sum()
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let Layout { schema, batches, .. } = &self.arrow.layout;
        let (mut dictionaries, mut known) = (self.shared.clone(), self.initial_dictionaries);
        for batch in &batches[self.parts[part].clone()] {
            self.add_dictionaries(known..batch.dictionaries, &mut dictionaries)?;
            known = batch.dictionaries;
            let read = || {
                let roots = read_batch(&self.file, &batch.message, schema, &self.roots, &dictionaries)?;
                Ok(select(&roots, &self.paths)?)
            };
            let columns = catch_panic(read).map_err(|error| self.to_error(error))?;
            if rows.batch(&columns).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            rows.advance(batch.message.body_bytes);
        }
        Ok(ControlFlow::Continue(()))
    }
}
