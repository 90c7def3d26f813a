//! Points from Parquet files: columns of numbers, or the WKB and `GeoArrow` points of `GeoParquet`.
//!
//! The columns that the query needs are read side by side, a few thousand rows at a time and one page each in memory,
//! so that the memory does not grow with the file. Parts are row groups, or runs of pages of a row group where there
//! are fewer groups than the workers can share fairly.

mod cells;
mod geo;
mod pages;
mod part;
mod schema;
#[cfg(test)]
mod tests;
mod wkb;

use std::fs::File;
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

use self::pages::Pages;
use self::part::PartReader;
use self::schema::Wanted;
use super::batch::{Batch, Row};
use super::intake::Intake;
use super::parts::{PartResult, scan_parts};
use super::{Query, ScanReport, Sink, Source};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Message;

/// A Parquet file as a [`Source`].
#[derive(Debug)]
pub struct Parquet {
    path: PathBuf,
    name: String,
    file_bytes: u64,
    metadata: ParquetMetaData,
}

/// Some rows of a row group.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    group: usize,
    rows: Range<u64>,
    /// What the wanted columns of these rows take in the file.
    bytes: u64,
}

impl Parquet {
    /// Parts that each worker is to find at least, so that none waits long for the last one.
    const PARTS_PER_WORKER: usize = 4;
    /// Rows below which a part is not worth its own start.
    const PART_ROWS: u64 = 1 << 16;

    /// Opens a file and reads its footer. Messages call it `name`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is not a whole Parquet file.
    pub fn open(path: &Path, name: String) -> Result<Self> {
        let unreadable = |error| Error::io(path, "read", error);
        let mut file = File::open(path).map_err(unreadable)?;
        let file_bytes = file.metadata().map_err(unreadable)?.len();
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
        match &magic[..] {
            b"PAR1" => {}
            b"PARE" => return Err(Error::input(name, "is encrypted; write it again without encryption")),
            _ => return Err(Error::input(name, "not a Parquet file: it does not begin with `PAR1`")),
        }
        let metadata = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&file)).map_err(|reason| {
            let message = format!("not a complete Parquet file: {reason}; was it still being written?");
            Error::input(&name, message)
        })?;
        Ok(Self { path: path.to_owned(), name, file_bytes, metadata })
    }

    fn input_error(&self, message: impl Into<Message>) -> Error {
        Error::input(&self.name, message)
    }

    /// The columns that `query` needs, in a file from which they can be read.
    fn wanted(&self, query: &Query<'_>) -> Result<Wanted> {
        let file = self.metadata.file_metadata();
        let pairs = file.key_value_metadata().map_or(&[][..], Vec::as_slice);
        let wanted = Wanted::find(file.schema_descr(), pairs, query).map_err(|message| self.input_error(message))?;
        for (group, leaf) in self.metadata.row_groups().iter().flat_map(|g| wanted.leaves().map(move |leaf| (g, leaf)))
        {
            let chunk = group.column(leaf);
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
            let in_file = start >= 0
                && chunk.compressed_size() >= 0
                && group.num_rows() >= 0
                && end.is_some_and(|end| end as u64 <= self.file_bytes);
            if !in_file {
                return Err(self.input_error(format!(
                    "its footer places column `{column}` outside of the file; was the file cut or overwritten?"
                )));
            }
        }
        Ok(wanted)
    }

    /// Shares the file out: the row groups, cut between pages where there are few of them.
    fn parts(&self, wanted: &Wanted, workers: usize) -> Result<Vec<Part>> {
        let groups = self.metadata.row_groups();
        let pieces = if workers > 1 { (workers * Self::PARTS_PER_WORKER).div_ceil(groups.len().max(1)) } else { 1 };
        let mut parts = Vec::new();
        for (index, group) in groups.iter().enumerate().filter(|(_, group)| group.num_rows() > 0) {
            let rows = group.num_rows() as u64;
            let bytes: u64 = wanted.leaves().map(|leaf| group.column(leaf).compressed_size() as u64).sum();
            let pieces = (pieces as u64).min(rows / Self::PART_ROWS);
            let cuts = if pieces > 1 { self.cuts(index, group, wanted, pieces)? } else { vec![0, rows] };
            parts.extend(cuts.windows(2).map(|cut| {
                let share = (cut[1] - cut[0]) as f64 / rows as f64;
                Part { group: index, rows: cut[0]..cut[1], bytes: (bytes as f64 * share) as u64 }
            }));
        }
        Ok(parts)
    }

    /// Rows at which to cut a row group into about `pieces`, from 0 to the group's end. They are starts of pages of the
    /// first wanted column, so that few pages are unpacked twice.
    fn cuts(&self, index: usize, group: &RowGroupMetaData, wanted: &Wanted, pieces: u64) -> Result<Vec<u64>> {
        let rows = group.num_rows() as u64;
        let Some(leaf) = wanted.leaves().next() else { return Ok(vec![0, rows]) };
        let file = self.reopen()?;
        let starts = guarded(|| Pages::open(&file, group.column(leaf), rows as usize)?.starts());
        let starts = starts.map_err(|reason| self.flaw(index, reason))?;
        let mut cuts: Vec<u64> = (1..pieces)
            .filter_map(|piece| starts.get(starts.partition_point(|&start| start < rows * piece / pieces)).copied())
            .chain([0, rows])
            .filter(|&cut| cut <= rows)
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        Ok(cuts)
    }

    fn flaw(&self, group: usize, reason: impl std::fmt::Display) -> Error {
        self.input_error(format!("row group {group} cannot be read: {reason}; is the file damaged?"))
    }

    /// The file with a position of its own, for one worker: duplicates of one handle would share theirs.
    fn reopen(&self) -> Result<Arc<File>> {
        let unreadable = |error| Error::io(&self.path, "read", error);
        let file = File::open(&self.path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() != self.file_bytes {
            return Err(self.input_error("the file changed while it was read"));
        }
        Ok(Arc::new(file))
    }

    fn read_part(&self, wanted: &Wanted, part: &Part, query: &Query<'_>, intake: &mut Intake<'_, '_>) -> PartResult {
        let group = self.metadata.row_group(part.group);
        if is_out_of_time(group, wanted, query) {
            for _ in part.rows.clone() {
                // A row without a time passes no time range.
                if intake.row(Row::default()).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            intake.advance(part.bytes);
            return Ok(ControlFlow::Continue(()));
        }
        let flaw = |reason: String| self.flaw(part.group, reason);
        let mut reader = PartReader::open(&self.reopen()?, group, wanted, part.rows.start).map_err(flaw)?;
        let rows = part.rows.end - part.rows.start;
        let (mut done, mut told_bytes) = (0, 0);
        while done < rows {
            let batch = (Batch::ROWS as u64).min(rows - done);
            reader.fill(batch as usize).map_err(flaw)?;
            if reader.tell(intake).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            done += batch;
            let bytes = (part.bytes as f64 * (done as f64 / rows as f64)) as u64;
            intake.advance(bytes - told_bytes);
            told_bytes = bytes;
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Source for Parquet {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let wanted = self.wanted(query)?;
        let parts = self.parts(&wanted, sinks.len())?;
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(parts.iter().map(|part| part.bytes).sum());
        }
        scan_parts(&self.name, parts.len(), query, wanted.has(), sinks, |part, intake| {
            self.read_part(&wanted, &parts[part], query, intake)
        })
    }
}

/// Whether the statistics of a row group say that no row of it is in the query's time range.
fn is_out_of_time(group: &RowGroupMetaData, wanted: &Wanted, query: &Query<'_>) -> bool {
    let range = wanted.time.and_then(|(leaf, clock)| clock.range_us(group.column(leaf).statistics()?));
    let Some((first, last)) = range else { return false };
    query.filter.start_us.is_some_and(|start| last < start) || query.filter.end_us.is_some_and(|end| first >= end)
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
