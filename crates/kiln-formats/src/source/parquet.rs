//! Parquet files as tables.
//!
//! The requested columns are read together, a few thousand rows at a time, so that memory use does not grow with the
//! file. Parts are row groups, or ranges of rows of a row group if there are too few row groups to balance the workers.

mod fields;
mod footer;
mod geo;
mod pages;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;

use self::pages::PageFile;
use super::nested::{Nested, select};
#[cfg(feature = "objects")]
use super::ranged_file::{RangedFile, ReadAhead};
use super::table::{BatchSink, PartResult, Request, Table, TableScan, TimeRange};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Message;
use kiln_core::source::batch::Batch;
use kiln_core::unwind::quietly;

/// A Parquet file.
#[derive(Debug)]
pub(super) struct Parquet {
    path: PathBuf,
    name: String,
    file_bytes: u64,
    metadata: ArrowReaderMetadata,
    /// The positions at which column chunks start.
    chunk_starts: Arc<HashSet<u64>>,
    columns: Nested,
    /// The object that the file at `path` is a partial copy of.
    #[cfg(feature = "objects")]
    object: Option<Arc<RangedFile>>,
}

impl Parquet {
    /// The minimum number of parts per worker, so that none waits long for the last part.
    const MIN_PARTS_PER_WORKER: u64 = 4;
    /// The minimum number of rows of a part, which outweighs the cost of starting it.
    const MIN_PART_ROWS: u64 = 1 << 16;

    /// Opens a file and reads its footer. `name` is the name of the input in messages.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is not a complete Parquet file.
    pub(super) fn open(path: &Path, name: String) -> Result<Self> {
        let unreadable = |error| Error::io(path, "read", error);
        let mut file = File::open(path).map_err(unreadable)?;
        let file_bytes = file.metadata().map_err(unreadable)?.len();
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
        match &magic[..] {
            b"PAR1" => {}
            b"PARE" => {
                return Err(Error::input(
                    name,
                    "encrypted Parquet files are not supported; rewrite it without encryption",
                ));
            }
            _ => return Err(Error::input(name, "not a Parquet file: it does not begin with `PAR1`")),
        }
        if !footer::is_bounded(&mut file, file_bytes).map_err(unreadable)? {
            return Err(Error::input(name, "not a complete Parquet file: its footer is damaged"));
        }
        let load = |options| catch_panic(|| ArrowReaderMetadata::load(&file, options));
        // The schema that Arrow writers add may contradict the Parquet schema, which then takes precedence.
        let load_without_arrow_schema = || load(ArrowReaderOptions::new().with_skip_arrow_metadata(true));
        let metadata = load(ArrowReaderOptions::new()).or_else(|_| load_without_arrow_schema()).map_err(|reason| {
            let message = format!("not a complete Parquet file: {reason}; was it still being written?");
            Error::input(&name, message)
        })?;
        let mut columns = Nested::of(metadata.schema());
        geo::declare(&mut columns, metadata.metadata().file_metadata())
            .map_err(|reason| Error::input(&name, reason))?;
        let chunk_starts = Arc::new(chunk_starts(metadata.metadata().row_groups()));
        Ok(Self {
            path: path.to_owned(),
            name,
            file_bytes,
            metadata,
            chunk_starts,
            columns,
            #[cfg(feature = "objects")]
            object: None,
        })
    }

    /// Opens an object, of which only the footer is read now, and the columns of each scan during the scan.
    ///
    /// # Errors
    /// As [`open`](Self::open), and those of the object.
    #[cfg(feature = "objects")]
    pub(super) fn open_object(file: RangedFile, name: String) -> Result<Self> {
        /// The bytes at the end that are read at first; the footer of a file of some thousand column chunks.
        const TAIL_BYTES: u64 = 128 << 10;
        let size = file.size();
        let tail = size.saturating_sub(TAIL_BYTES);
        file.ensure(&[0..size.min(4), tail..size])?;
        let footer = footer::start(&mut file.reopen()?, size).map_err(|error| Error::io(&name, "read", error))?;
        if let Some(start) = footer.filter(|start| *start < tail) {
            let rest = start..tail;
            file.ensure(std::slice::from_ref(&rest))?;
        }
        let opened = Self::open(file.path(), name)?;
        Ok(Self { object: Some(Arc::new(file)), ..opened })
    }

    /// The ranges of the columns in `mask` of a row group.
    #[cfg(feature = "objects")]
    fn chunks(&self, group: usize, mask: &ProjectionMask) -> Vec<Range<u64>> {
        let Some(group) = self.row_groups().get(group) else { return Vec::new() };
        let range = |chunk: &parquet::file::metadata::ColumnChunkMetaData| {
            let (start, length) = chunk.byte_range();
            start..start.saturating_add(length).min(self.file_bytes)
        };
        selected_chunks(group, mask).map(range).filter(|range| !range.is_empty()).collect()
    }

    fn input_error(&self, message: impl Into<Message>) -> Error {
        Error::input(&self.name, message)
    }

    fn row_groups(&self) -> &[RowGroupMetaData] {
        self.metadata.metadata().row_groups()
    }

    /// Checks against the footer that the codecs and the locations of the columns in `mask` are valid.
    fn check(&self, mask: &ProjectionMask) -> Result<()> {
        for chunk in self.row_groups().iter().flat_map(|group| selected_chunks(group, mask)) {
            let column = chunk.column_path().string();
            if let codec @ (Compression::BROTLI(_) | Compression::LZO) = chunk.compression() {
                let codec = if codec == Compression::LZO { "LZO" } else { "Brotli" };
                return Err(self.input_error(format!(
                    "column `{column}` is compressed with {codec}, which is not supported; \
                     rewrite the file with zstd, snappy, gzip, lz4 or no compression"
                )));
            }
            let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            let in_file =
                start >= 0 && chunk.compressed_size() >= 0 && end.is_some_and(|end| end as u64 <= self.file_bytes);
            if !in_file {
                return Err(self.input_error(format!(
                    "column `{column}` is outside of the file according to the footer; \
                     was the file truncated or overwritten?"
                )));
            }
        }
        Ok(())
    }

    /// Opens the file again, for one worker, and checks that its size is unchanged.
    fn reopen(&self) -> Result<PageFile> {
        let unreadable = |error| Error::io(&self.path, "read", error);
        let file = File::open(&self.path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() != self.file_bytes {
            return Err(self.input_error("the file changed while it was read"));
        }
        Ok(PageFile::new(file, self.file_bytes, Arc::clone(&self.chunk_starts)))
    }

    /// Whether each row group may have rows within `range`, by its statistics; `None` if there are no usable
    /// statistics.
    fn overlapping_groups(&self, range: &TimeRange<'_>, path: &[String]) -> Option<Vec<bool>> {
        // The converter supports only top-level columns.
        let [name] = path else { return None };
        let groups = self.row_groups();
        catch_panic(|| {
            let converter = StatisticsConverter::try_new(name, self.metadata.schema(), self.metadata.parquet_schema())?;
            let (mins, maxes) = (converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?);
            Ok((0..groups.len())
                .map(|group| (range.may_match)(&mins.slice(group, 1), &maxes.slice(group, 1)))
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

    fn extent(&self, column: usize) -> Option<[ArrayRef; 2]> {
        // The converter supports only top-level columns.
        let [name] = &self.columns.paths.get(column)?[..] else { return None };
        let group = self.row_groups().get(..1)?;
        catch_panic(|| {
            let converter = StatisticsConverter::try_new(name, self.metadata.schema(), self.metadata.parquet_schema())?;
            Ok([converter.row_group_mins(group)?, converter.row_group_maxes(group)?])
        })
        .ok()
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        let paths: Vec<&[String]> = request.indexes().map(|index| &self.columns.paths[index][..]).collect();
        let leaves = self.metadata.parquet_schema().columns().iter().enumerate();
        let is_requested = |parts: &[String]| paths.iter().any(|path| parts.starts_with(path));
        let leaves = leaves.filter(|(_, leaf)| is_requested(leaf.path().parts())).map(|(index, _)| index);
        let mask = ProjectionMask::leaves(self.metadata.parquet_schema(), leaves);
        self.check(&mask)?;
        let overlapping_groups =
            request.time_range.as_ref().and_then(|range| self.overlapping_groups(range, paths[range.column]));
        let groups = self.row_groups();
        let workers = request.workers as u64;
        let parts_per_group =
            if workers > 1 { (workers * Self::MIN_PARTS_PER_WORKER).div_ceil(groups.len().max(1) as u64) } else { 1 };
        let mut parts = Vec::new();
        for (index, group) in groups.iter().enumerate().filter(|(_, group)| group.num_rows() > 0) {
            let rows = group.num_rows() as u64;
            let bytes: u64 = selected_chunks(group, &mask).map(|chunk| chunk.compressed_size() as u64).sum();
            let may_overlap = overlapping_groups.as_ref().is_none_or(|overlapping| overlapping[index]);
            let parts_per_group = if may_overlap { parts_per_group.min(rows / Self::MIN_PART_ROWS).max(1) } else { 1 };
            parts.extend((0..parts_per_group).map(|part| RowGroupPart {
                group: index,
                rows: rows * part / parts_per_group..rows * (part + 1) / parts_per_group,
                bytes: bytes / parts_per_group,
                may_overlap,
            }));
        }
        #[cfg(feature = "objects")]
        let read_ahead = self.object.as_ref().map(|object| {
            let mut groups: Vec<usize> = parts.iter().filter(|part| part.may_overlap).map(|part| part.group).collect();
            groups.dedup();
            ReadAhead::start(object, groups.into_iter().map(|group| self.chunks(group, &mask)).collect())
        });
        Ok(Box::new(ParquetScan {
            parquet: self,
            paths,
            mask,
            parts,
            #[cfg(feature = "objects")]
            _read_ahead: read_ahead,
        }))
    }
}

/// The column chunks of a row group that are read.
fn selected_chunks<'g>(
    group: &'g RowGroupMetaData,
    mask: &'g ProjectionMask,
) -> impl Iterator<Item = &'g parquet::file::metadata::ColumnChunkMetaData> {
    group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)).map(|(_, chunk)| chunk)
}

/// A range of rows of a row group.
#[derive(Debug)]
struct RowGroupPart {
    group: usize,
    rows: Range<u64>,
    /// The estimated size of the columns of these rows in the file.
    bytes: u64,
    /// Whether any of the rows may be within the time range.
    may_overlap: bool,
}

/// A scan of the requested columns.
struct ParquetScan<'p> {
    parquet: &'p Parquet,
    paths: Vec<&'p [String]>,
    mask: ProjectionMask,
    parts: Vec<RowGroupPart>,
    #[cfg(feature = "objects")]
    _read_ahead: Option<ReadAhead>,
}

impl ParquetScan<'_> {
    fn reader(
        &self,
        file: PageFile,
        part: &RowGroupPart,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>>, String> {
        let rows = (part.rows.end - part.rows.start) as usize;
        catch_panic(|| {
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

impl TableScan for ParquetScan<'_> {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let part = &self.parts[part];
        let count = part.rows.end - part.rows.start;
        if !part.may_overlap {
            rows.advance(part.bytes);
            return Ok(rows.skip(count));
        }
        let to_error = |reason: String| {
            let message = format!("row group {} cannot be read: {reason}; is the file damaged?", part.group);
            self.parquet.input_error(message)
        };
        #[cfg(feature = "objects")]
        if let Some(object) = &self.parquet.object {
            object.ensure(&self.parquet.chunks(part.group, &self.mask))?;
        }
        let mut reader = self.reader(self.parquet.reopen()?, part).map_err(to_error)?;
        let (mut read, mut read_bytes) = (0, 0);
        while let Some(batch) =
            catch_panic(|| reader.next().transpose().map_err(ParquetError::from)).map_err(to_error)?
        {
            let batch = select(&batch, &self.paths).map_err(|error| to_error(error.to_string()))?;
            if rows.batch(&batch).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            read += batch.num_rows() as u64;
            let bytes = (part.bytes as f64 * (read as f64 / count as f64)) as u64;
            rows.advance(bytes.saturating_sub(read_bytes));
            read_bytes = bytes;
        }
        if read < count {
            return Err(to_error(format!("it has {read} of {count} rows")));
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The positions at which the library may read the first page header of a column chunk.
fn chunk_starts(groups: &[RowGroupMetaData]) -> HashSet<u64> {
    let chunks = groups.iter().flat_map(RowGroupMetaData::columns);
    let starts = chunks.flat_map(|chunk| [chunk.dictionary_page_offset(), Some(chunk.data_page_offset())]);
    starts.flatten().filter_map(|start| u64::try_from(start).ok()).collect()
}

/// Calls the Parquet library and turns its errors, and its panics on some damaged files, into messages. The library's
/// state is not used after a panic.
fn catch_panic<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match quietly(read) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(ParquetError::General(reason) | ParquetError::EOF(reason) | ParquetError::NYI(reason))) => Err(reason),
        Ok(Err(ParquetError::External(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its contents are inconsistent".to_owned()),
    }
}
