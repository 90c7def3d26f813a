//! Parquet files as tables.
//!
//! The columns that are asked for are read side by side, a few thousand rows at a time, so that memory does not grow with
//! the file. Parts are row groups, or runs of rows of a row group where there are fewer groups than the workers can share
//! fairly.

mod geo;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;

use super::nested::{Nested, select};
use super::table::{BatchSink, PartResult, Request, Table, TableScan, TimeRange};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Message;
use kiln_core::source::batch::Batch;

/// A Parquet file.
#[derive(Debug)]
pub(super) struct Parquet {
    path: PathBuf,
    name: String,
    file_bytes: u64,
    metadata: ArrowReaderMetadata,
    columns: Nested,
}

impl Parquet {
    /// Parts that each worker is to find at least, so that none waits long for the last one.
    const PARTS_PER_WORKER: u64 = 4;
    /// Rows below which a part is not worth its own start.
    const PART_ROWS: u64 = 1 << 16;

    /// Opens a file and reads its footer. Messages call it `name`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is not a whole Parquet file.
    pub(super) fn open(path: &Path, name: String) -> Result<Self> {
        let unreadable = |error| Error::io(path, "read", error);
        let mut file = File::open(path).map_err(unreadable)?;
        let file_bytes = file.metadata().map_err(unreadable)?.len();
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
        match &magic[..] {
            b"PAR1" => {}
            b"PARE" => return Err(Error::input(name, "it is encrypted; write it again without encryption")),
            _ => return Err(Error::input(name, "not a Parquet file: it does not begin with `PAR1`")),
        }
        let load = |options| guarded(|| ArrowReaderMetadata::load(&file, options));
        // The schema that Arrow writers add may contradict the file's own, which then counts alone.
        let own = || load(ArrowReaderOptions::new().with_skip_arrow_metadata(true));
        let metadata = load(ArrowReaderOptions::new()).or_else(|_| own()).map_err(|reason| {
            let message = format!("not a complete Parquet file: {reason}; was it still being written?");
            Error::input(&name, message)
        })?;
        let mut columns = Nested::of(metadata.schema());
        geo::declare(&mut columns, metadata.metadata().file_metadata()).map_err(|why| Error::input(&name, why))?;
        Ok(Self { path: path.to_owned(), name, file_bytes, metadata, columns })
    }

    fn input_error(&self, message: impl Into<Message>) -> Error {
        Error::input(&self.name, message)
    }

    fn row_groups(&self) -> &[RowGroupMetaData] {
        self.metadata.metadata().row_groups()
    }

    /// Makes sure that the columns in `mask` can be read, as far as the footer tells.
    fn check(&self, mask: &ProjectionMask) -> Result<()> {
        for chunk in self.row_groups().iter().flat_map(|group| included(group, mask)) {
            let column = chunk.column_path().string();
            if let codec @ (Compression::BROTLI(_) | Compression::LZO) = chunk.compression() {
                let codec = if codec == Compression::LZO { "LZO" } else { "Brotli" };
                return Err(self.input_error(format!(
                    "its column `{column}` is compressed with {codec}, which cannot be read; \
                     write it again with zstd, snappy, gzip, lz4 or no compression"
                )));
            }
            let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            let in_file =
                start >= 0 && chunk.compressed_size() >= 0 && end.is_some_and(|end| end as u64 <= self.file_bytes);
            if !in_file {
                return Err(self.input_error(format!(
                    "its footer places column `{column}` outside of the file; was the file cut or overwritten?"
                )));
            }
        }
        Ok(())
    }

    /// The file with a position of its own, for one worker.
    fn reopen(&self) -> Result<File> {
        let unreadable = |error| Error::io(&self.path, "read", error);
        let file = File::open(&self.path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() != self.file_bytes {
            return Err(self.input_error("the file changed while it was read"));
        }
        Ok(file)
    }

    /// Which row groups may hold rows that are wanted, by the statistics of their times.
    fn are_wanted(&self, range: &TimeRange<'_>, path: &[String]) -> Option<Vec<bool>> {
        // Statistics are found by the name of a column at the top.
        let [name] = path else { return None };
        let groups = self.row_groups();
        guarded(|| {
            let converter = StatisticsConverter::try_new(name, self.metadata.schema(), self.metadata.parquet_schema())?;
            let (first, last) = (converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?);
            Ok((0..groups.len())
                .map(|group| (range.may_match)(&first.slice(group, 1), &last.slice(group, 1)))
                .collect())
        })
        .ok()
    }
}

impl Table for Parquet {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> &Schema {
        &self.columns.schema
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        let paths: Vec<&[String]> = request.indexes().map(|index| &self.columns.paths[index][..]).collect();
        let leaves = self.metadata.parquet_schema().columns().iter().enumerate();
        let is_requested = |parts: &[String]| paths.iter().any(|path| parts.starts_with(path));
        let leaves = leaves.filter(|(_, leaf)| is_requested(leaf.path().parts())).map(|(index, _)| index);
        let mask = ProjectionMask::leaves(self.metadata.parquet_schema(), leaves);
        self.check(&mask)?;
        let are_wanted = request.time_range.as_ref().and_then(|range| self.are_wanted(range, paths[range.column]));
        let groups = self.row_groups();
        let workers = request.workers as u64;
        let pieces =
            if workers > 1 { (workers * Self::PARTS_PER_WORKER).div_ceil(groups.len().max(1) as u64) } else { 1 };
        let mut parts = Vec::new();
        for (index, group) in groups.iter().enumerate().filter(|(_, group)| group.num_rows() > 0) {
            let rows = group.num_rows() as u64;
            let bytes: u64 = included(group, &mask).map(|chunk| chunk.compressed_size() as u64).sum();
            let is_wanted = are_wanted.as_ref().is_none_or(|wanted| wanted[index]);
            let pieces = if is_wanted { pieces.min(rows / Self::PART_ROWS).max(1) } else { 1 };
            parts.extend((0..pieces).map(|piece| Part {
                group: index,
                rows: rows * piece / pieces..rows * (piece + 1) / pieces,
                bytes: bytes / pieces,
                is_wanted,
            }));
        }
        Ok(Box::new(Scan { parquet: self, paths, mask, parts }))
    }
}

/// The column chunks of a row group that are to be read.
fn included<'g>(
    group: &'g RowGroupMetaData,
    mask: &'g ProjectionMask,
) -> impl Iterator<Item = &'g parquet::file::metadata::ColumnChunkMetaData> {
    group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)).map(|(_, chunk)| chunk)
}

/// Some rows of a row group.
#[derive(Debug)]
struct Part {
    group: usize,
    rows: Range<u64>,
    /// What the columns of these rows take in the file.
    bytes: u64,
    /// Whether any of the rows may be within the range of times.
    is_wanted: bool,
}

/// One pass over some columns.
struct Scan<'p> {
    parquet: &'p Parquet,
    paths: Vec<&'p [String]>,
    mask: ProjectionMask,
    parts: Vec<Part>,
}

impl Scan<'_> {
    fn reader(&self, file: File, part: &Part) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>>, String> {
        let rows = (part.rows.end - part.rows.start) as usize;
        guarded(|| {
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.parquet.metadata.clone());
            let reader = reader.with_projection(self.mask.clone()).with_row_groups(vec![part.group]);
            let reader = reader.with_batch_size(Batch::ROWS.min(rows));
            if rows as i64 == self.parquet.row_groups()[part.group].num_rows() {
                return reader.build();
            }
            reader.with_offset(part.rows.start as usize).with_limit(rows).build()
        })
    }
}

impl TableScan for Scan<'_> {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let part = &self.parts[part];
        let count = part.rows.end - part.rows.start;
        if !part.is_wanted {
            rows.advance(part.bytes);
            return Ok(rows.skip(count));
        }
        let flaw = |reason: String| {
            let message = format!("row group {} cannot be read: {reason}; is the file damaged?", part.group);
            self.parquet.input_error(message)
        };
        let mut reader = self.reader(self.parquet.reopen()?, part).map_err(flaw)?;
        let (mut read, mut read_bytes) = (0, 0);
        while let Some(batch) = guarded(|| reader.next().transpose().map_err(ParquetError::from)).map_err(flaw)? {
            let batch = select(&batch, &self.paths).map_err(|error| flaw(error.to_string()))?;
            if rows.batch(&batch).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            read += batch.num_rows() as u64;
            let bytes = (part.bytes as f64 * (read as f64 / count as f64)) as u64;
            rows.advance(bytes.saturating_sub(read_bytes));
            read_bytes = bytes;
        }
        if read < count {
            return Err(flaw(format!("it has {read} of its {count} rows")));
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// What the Parquet library makes of `read`. It panics on some damaged files; as it is not used again after that, this
/// is one more reason why the file cannot be read.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(ParquetError::General(reason) | ParquetError::EOF(reason) | ParquetError::NYI(reason))) => Err(reason),
        Ok(Err(ParquetError::External(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its bytes contradict each other".to_owned()),
    }
}
