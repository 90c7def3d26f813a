//! Points from CSV files.
//!
//! A file is read in parts of about a megabyte; a part holds the rows that start in it. Whether a part starts within
//! a quoted field is known once the parts before it have been looked over for quotes ([`quotes`]). Then the fields are
//! located many at a time ([`index`]), and their numbers read ([`rows`], [`number`]).

mod header;
mod index;
mod number;
mod quotes;
mod rows;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod wide;

use std::fs::File;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use self::header::{Layout, Wanted};
use self::index::Index;
use self::quotes::{Effect, Relay, first_row};
use self::rows::{RowReader, Rows};
use super::intake::Intake;
use super::parts::{PartResult, scan_parts};
use super::{Query, ScanReport, Sink, Source, read_error};
use kiln_core::error::{Error, Result};

/// A CSV file as a [`Source`].
///
/// - Fields are parted by `,` `;` tab or `|`, whichever the first line has most of, and may be quoted (RFC 4180).
/// - The first line names the columns. If it holds nothing but numbers, it is the first row, and the columns are
///   `x`, `y` and `weight`, in that order.
/// - Numbers are written with a decimal point. Spaces around them, blank lines and a byte order mark do not matter.
/// - Times are ISO 8601 or RFC 3339 (UTC where there is no offset), or Unix seconds, milliseconds or microseconds; an
///   empty time is none, and passes no time range.
/// - Categories are any text; an empty one is none.
///
/// A row whose numbers cannot be read, or whose time if times are wanted, is rejected, and so is one with an empty weight when weights are wanted,
/// or with more fields than there are columns (but for one that is empty behind the last). A column that is needed must
/// be the only one with its name.
#[derive(Debug)]
pub struct Csv {
    file: File,
    /// How long it was when it was opened: what is added later is not read.
    file_bytes: u64,
    name: String,
    layout: Layout,
    part_bytes: usize,
}

impl Csv {
    /// Large enough that opening a part costs nothing, small enough for the second-level cache.
    const PART_BYTES: usize = 1 << 20;
    /// Longest row: beyond it a quote was left open, more likely than not.
    const LONGEST_ROW_BYTES: usize = 4 << 20;

    /// Whether a file that starts with `head`, and `is_whole` if that is all of it, may be CSV; messages call it `name`.
    pub(super) fn check_head(head: &[u8], is_whole: bool, name: &str) -> Result<()> {
        Layout::of(name.as_ref(), head, is_whole).map(drop)
    }

    /// Opens `path` and reads its first line. `name` is what errors and reports call the file.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is empty, no regular file or not text.
    pub fn open(path: &Path, name: String) -> Result<Self> {
        let failed = |error| read_error(&name, error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::input(&name, "this is no regular file: name a file, or use - to read standard input"));
        }
        let file_bytes = metadata.len();
        let mut text = Text::default();
        for longest in [Self::PART_BYTES / 16, Layout::LONGEST_LINE_BYTES] {
            let is_whole = text.fill(&file, file_bytes, longest).map_err(failed)?;
            if let Some(layout) = Layout::of(name.as_ref(), text.filled(), is_whole)? {
                return Ok(Self { file, file_bytes, name, layout, part_bytes: Self::PART_BYTES });
            }
        }
        let limit = Layout::LONGEST_LINE_BYTES >> 20;
        Err(Error::input(&name, format!("the first line is longer than {limit} MiB: this does not look like CSV")))
    }
}

impl Source for Csv {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let wanted = Wanted::of(self.name.as_ref(), &self.layout, query)?;
        let Self { file, file_bytes, .. } = self;
        let failed = |error| read_error(&self.name, error);
        if file.metadata().map_err(failed)?.len() < *file_bytes {
            return Err(failed(ErrorKind::UnexpectedEof.into()));
        }
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(*file_bytes);
        }
        let rows_bytes = file_bytes.saturating_sub(self.layout.rows_start as u64);
        let parts = rows_bytes.div_ceil(self.part_bytes as u64) as usize;
        let scan = Scan {
            csv: self,
            reader: RowReader { layout: &self.layout, wanted },
            relay: Relay::new(parts),
            desks: Mutex::default(),
        };
        scan_parts(&self.name, parts, query, wanted.has(), sinks, |part, intake| scan.read_part(part, intake))
    }
}

/// One scan of a file.
struct Scan<'c> {
    csv: &'c Csv,
    reader: RowReader<'c>,
    relay: Relay,
    /// What the workers that are between two parts have laid down.
    desks: Mutex<Vec<Desk>>,
}

/// The memory a worker needs for a part.
struct Desk {
    text: Text,
    index: Index,
    rows: Rows,
}

impl Scan<'_> {
    /// Text indexed at a time: its index stays in the first-level cache.
    const WINDOW_BYTES: usize = 16 << 10;

    fn read_part(&self, part: usize, intake: &mut Intake<'_, '_>) -> PartResult {
        let desk = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let new = || Desk { text: Text::default(), index: Index::default(), rows: self.reader.rows() };
        let mut desk = desk.unwrap_or_else(new);
        let flow = self.read_part_at(&mut desk, part, intake);
        // A desk that was left in the middle of a part is not tidy.
        if matches!(flow, Ok(ControlFlow::Continue(()))) {
            self.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
        }
        flow
    }

    fn read_part_at(&self, desk: &mut Desk, part: usize, intake: &mut Intake<'_, '_>) -> PartResult {
        let Desk { text, index, rows } = desk;
        let Csv { file, file_bytes, name, layout, part_bytes } = self.csv;
        let failed = |error| read_error(name, error);
        let start = layout.rows_start as u64 + (part * part_bytes) as u64;
        let part_bytes = (*part_bytes as u64).min(file_bytes - start);

        // The byte before the part comes along: it tells whether a row, or a quoted field, starts with the part.
        text.restart(start, part == 0);
        let looked_over = text.fill(file, *file_bytes, part_bytes as usize + 1 + Text::BEHIND_BYTES).map(|is_whole| {
            let limit = text.filled().len().min(part_bytes as usize + 1);
            let (previous, own) = text.filled()[..limit].split_first().unwrap_or((&b'\n', &[]));
            self.relay.tell(part, Some(Effect::of(own, *previous, layout.delimiter)));
            (is_whole, limit)
        });
        if looked_over.is_err() {
            self.relay.tell(part, None);
        }
        let (mut is_whole, limit) = looked_over.map_err(failed)?;
        let quoting = self.relay.start_of(part).ok_or(Error::Cancelled)?;
        let (previous, own) = text.filled()[..limit].split_first().unwrap_or((&b'\n', &[]));
        let mut row_start = first_row(own, *previous, quoting, layout.delimiter).map_or(limit, |row| row + 1);

        let mut window_bytes = Self::WINDOW_BYTES;
        while row_start < limit {
            let filled = text.filled().len();
            let window_end = filled.min(row_start + window_bytes);
            index.build(text.padded(), row_start, window_end, layout.delimiter);
            if !index.row_ends().is_empty() {
                match self.reader.read(text.padded(), index, limit, rows, intake) {
                    ControlFlow::Continue(next) => row_start = next,
                    ControlFlow::Break(()) => return Ok(ControlFlow::Break(())),
                }
                window_bytes = Self::WINDOW_BYTES;
            } else if window_end < filled {
                window_bytes *= 4;
            } else if is_whole {
                if rows.flush(intake).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                intake.reject(|| "a quote (\") is left open until the end of the file".to_owned());
                break;
            } else if filled - row_start > Csv::LONGEST_ROW_BYTES {
                let (byte, limit) = (text.next - (filled - row_start) as u64, Csv::LONGEST_ROW_BYTES >> 20);
                let message = format!("the row at byte {byte} is longer than {limit} MiB: is a quote (\") left open?");
                return Err(Error::input(name, message));
            } else {
                is_whole = text.fill(file, *file_bytes, filled * 2).map_err(failed)?;
            }
        }
        let flow = rows.flush(intake);
        intake.advance(part_bytes + if part == 0 { layout.rows_start as u64 } else { 0 });
        Ok(flow)
    }
}

/// A stretch of a file in memory.
#[derive(Debug, Default)]
struct Text {
    /// The stretch, and room behind it.
    bytes: Vec<u8>,
    filled: usize,
    /// Where in the file the next byte comes from.
    next: u64,
}

impl Text {
    /// Bytes read beyond a part, so that the row that reaches out of it is there.
    const BEHIND_BYTES: usize = 4 << 10;

    /// Starts over with the byte before `start`, or with a line's end if there is none.
    fn restart(&mut self, start: u64, is_first: bool) {
        (self.filled, self.next) = (0, start);
        if is_first {
            self.reserve(1);
            self.bytes[0] = b'\n';
            self.filled = 1;
        } else {
            self.next -= 1;
        }
    }

    /// Reads until there are `wanted` bytes, and answers whether the end of the file, behind `file_bytes` bytes, came
    /// first. The last line of a file gets an end if it has none.
    fn fill(&mut self, file: &File, file_bytes: u64, wanted: usize) -> std::io::Result<bool> {
        self.reserve(wanted);
        while self.filled < wanted {
            let left = file_bytes.saturating_sub(self.next);
            if left == 0 {
                if self.filled().last().is_some_and(|&last| last != b'\n') {
                    self.bytes[self.filled] = b'\n';
                    self.filled += 1;
                }
                return Ok(true);
            }
            let end = wanted.min(self.filled.saturating_add(left as usize));
            match file.read_at(&mut self.bytes[self.filled..end], self.next) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.filled += read;
                    self.next += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// What was read.
    fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// What was read, and behind it the padding that the index and the numbers need.
    fn padded(&self) -> &[u8] {
        &self.bytes
    }

    fn reserve(&mut self, wanted: usize) {
        let room = wanted + 1 + index::PADDING_BYTES.max(number::PADDING_BYTES);
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
    }
}
