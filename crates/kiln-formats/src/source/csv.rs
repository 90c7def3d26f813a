//! CSV files as tables.
//!
//! A file is read in parts of about a megabyte; a part has the rows that start in it. Whether a part starts within a
//! quoted field is known once the parts before it have been searched for quotes ([`quotes`]). `csv-core` then splits
//! the text into fields ([`record`]), and the requested fields are collected into batches.

mod header;
mod quotes;
mod record;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arrow_schema::{DataType, Field, Schema};
use memchr::memchr_iter;

use self::header::Header;
use self::quotes::{PartStarts, QuoteState, Transition, first_row, unbalanced_quote};
use self::record::Record;
use self::text::{TextBuffer, TextFile};
use super::builder::BatchBuilder;
use super::columns::DECIMAL_COMMA;
use super::read_error;
use super::table::{BatchSink, PartResult, Request, Table, TableScan};
use crate::source::role::quoted;
use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};
use kiln_core::source::{Quote, ReadOptions};

/// A CSV file.
///
/// - The delimiter is `,` `;` tab, `|` or spaces, detected from the first lines. Fields may be quoted (RFC 4180). A
///   tab-separated file in which a quoted field would contain a tab and a line end is read without quoting.
/// - The first line is the header, unless it looks like a row. A title, blank lines and comments (`#`) may precede it.
/// - A field that is empty, or missing at the end of a row, is null. A row with more fields than columns, or with a
///   quoted field that contains other rows, is rejected.
#[derive(Debug)]
pub(super) struct Csv {
    file: TextFile,
    name: String,
    header: Header,
    schema: Schema,
    part_bytes: usize,
    /// Whether the user has set that quotes enclose fields.
    is_quote_set: bool,
}

impl Csv {
    /// Large enough to make the overhead per part negligible, small enough for the L2 cache.
    const PART_BYTES: usize = 1 << 20;
    /// Bytes read beyond a part, for its last row, which may end in the next part.
    const LOOKAHEAD_BYTES: usize = 4 << 10;
    /// The maximum length of the first line.
    const MAX_HEAD_BYTES: usize = 1 << 20;
    /// The maximum length of a row. A longer one probably has an unclosed quote.
    const MAX_ROW_BYTES: usize = 4 << 20;

    /// Checks that a file that starts with `head` may be CSV. `is_complete`: `head` is the whole file.
    ///
    /// # Errors
    /// [`Error::Input`] if it is not CSV.
    pub(super) fn check_head(head: &[u8], is_complete: bool, name: &str, options: &ReadOptions) -> Result<()> {
        Header::of(name, head, is_complete, options.quote).map(drop)
    }

    /// Opens `path` and reads its first lines. `name` is the input name for messages.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is empty, not a regular file or not CSV.
    pub(super) fn open(path: &Path, name: String, options: &ReadOptions) -> Result<Self> {
        let failed = |error| read_error(&name, error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::input(&name, "it is not a regular file; expected a file, or `-` for standard input"));
        }
        let mut file = TextFile { file, bytes: metadata.len(), has_carriage_returns: false };
        let mut text = TextBuffer::default();
        let is_complete = text.fill(&file, Self::MAX_HEAD_BYTES).map_err(failed)?;
        let detect = |quote| Header::of(&name, text.filled(), is_complete, quote);
        let Some(mut header) = detect(options.quote)? else {
            let limit = Self::MAX_HEAD_BYTES >> 20;
            let message = format!("the first line is longer than {limit} MiB, which does not look like CSV");
            return Err(Error::input(&name, message));
        };
        file.has_carriage_returns = header.has_carriage_returns;
        let (start, lines, delimiter) = (header.rows_start as u64, header.lines, header.dialect.delimiter);
        if delimiter == b'\t'
            && options.quote.is_none()
            && let Some(line) = unbalanced_quote(&file, start, lines, delimiter, Self::PART_BYTES).map_err(failed)?
            && let Some(unquoted) = detect(Some(Quote::None))?
        {
            header = unquoted;
            let text = format!("quotes are read as text, because a quote in line {line} is unbalanced; set ");
            header.notices.push(message!(text, Parameter::QUOTE, " to `double` if they enclose fields"));
        }
        let invalid_utf8 = str::from_utf8(text.filled()).err().filter(|error| error.error_len().is_some());
        let has_notice =
            header.notices.iter().flat_map(Message::parameters).any(|parameter| parameter == Parameter::ENCODING);
        if invalid_utf8.is_some() && !has_notice {
            let text =
                "some text is not UTF-8, and invalid bytes are replaced; set the encoding, such as windows-1252, with ";
            header.notices.push(message!(text, Parameter::ENCODING));
        }
        let fields = header.names.iter().map(|name| Field::new(name, DataType::Utf8, true));
        let decimal_comma = header.decimal_comma.then(|| (DECIMAL_COMMA.to_owned(), String::new()));
        let schema =
            Schema::new_with_metadata(fields.collect::<Vec<_>>(), decimal_comma.into_iter().collect::<HashMap<_, _>>());
        Ok(Self {
            file,
            name,
            header,
            schema,
            part_bytes: Self::PART_BYTES,
            is_quote_set: options.quote == Some(Quote::Double),
        })
    }
}

impl Table for Csv {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn is_positional(&self) -> bool {
        self.header.is_positional
    }

    fn notices(&self) -> Vec<Message> {
        self.header.notices.clone()
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        let failed = |error| read_error(&self.name, error);
        if self.file.file.metadata().map_err(failed)?.len() < self.file.bytes {
            return Err(failed(ErrorKind::UnexpectedEof.into()));
        }
        let rows_bytes = self.file.bytes.saturating_sub(self.header.rows_start as u64);
        let parts = rows_bytes.div_ceil(self.part_bytes as u64) as usize;
        let starts = PartStarts::new(self.header.lines);
        Ok(Box::new(CsvScan { csv: self, request, parts, starts, scratch: Mutex::default() }))
    }
}

/// A scan of a file.
struct CsvScan<'t> {
    csv: &'t Csv,
    request: &'t Request<'t>,
    parts: usize,
    starts: PartStarts,
    /// The buffers that no worker is using.
    scratch: Mutex<Vec<ScratchBuffers>>,
}

/// The buffers of a worker, reused for each part.
struct ScratchBuffers {
    text: TextBuffer,
    record: Record,
    batch: BatchBuilder,
}

impl TableScan for CsvScan<'_> {
    fn parts(&self) -> usize {
        self.parts
    }

    fn bytes(&self) -> u64 {
        self.csv.file.bytes
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_else(|| {
            let (record, batch) = (Record::new(self.csv.header.dialect), BatchBuilder::new(&self.request.columns));
            ScratchBuffers { text: TextBuffer::default(), record, batch }
        });
        let flow = self.read_part_into(&mut scratch, part, rows);
        // After an error or a stop, the buffers may contain rows of an unfinished batch.
        if matches!(flow, Ok(ControlFlow::Continue(()))) {
            self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        }
        flow
    }
}

impl CsvScan<'_> {
    fn read_part_into(&self, scratch: &mut ScratchBuffers, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let ScratchBuffers { text, record, batch } = scratch;
        let Csv { file, name, header, part_bytes, .. } = self.csv;
        let failed = |error| read_error(name, error);
        let start = header.rows_start as u64 + (part * part_bytes) as u64;
        let part_bytes = (*part_bytes as u64).min(file.bytes - start);

        // The byte before a part is read too: it shows whether a row or a quoted field starts with the part.
        let before = u64::from(part > 0);
        let limit = (before + part_bytes) as usize;
        text.restart(start - before);
        let filled = text.fill(file, limit + Csv::LOOKAHEAD_BYTES);
        let (previous, part_text) = match text.filled() {
            [previous, rest @ ..] if part > 0 => (*previous, rest),
            rest => (b'\n', rest),
        };
        let part_text = &part_text[..part_text.len().min(part_bytes as usize)];
        // This is published even after a read error: readers of later parts wait for it.
        self.starts.publish(
            part,
            Transition::of(part_text, previous, header.dialect),
            memchr_iter(b'\n', part_text).count() as u64,
        );
        let mut is_complete = filled.map_err(failed)?;
        let part_start = self.starts.wait(part);
        let first_row = first_row(part_text, previous, part_start.state, header.dialect);
        let mut at = before as usize + first_row.unwrap_or(part_text.len());
        while at < limit {
            let rest = &text.filled()[at..];
            if rest[0] == b'\n' {
                at += 1;
                continue;
            }
            let line = || part_start.lines + 1 + memchr_iter(b'\n', &text.filled()[before as usize..at]).count() as u64;
            if let Some(length) = record.read(rest, is_complete) {
                let is_last = is_complete && length == rest.len();
                if self.push_record(record, &rest[..length], is_last, &line, batch, rows)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                at += length;
            } else if rest.len() > Csv::MAX_ROW_BYTES {
                let (line, limit) = (line(), Csv::MAX_ROW_BYTES >> 20);
                let text = format!(
                    "the row in line {line} is longer than {limit} MiB, maybe because of an unclosed quote (\"); set "
                );
                return Err(Error::input(name, message!(text, Parameter::QUOTE, " to `none` if quotes are text")));
            } else {
                is_complete = text.fill(file, text.filled().len() * 2).map_err(failed)?;
            }
        }
        let flow = batch.flush(name, rows)?;
        rows.advance(part_bytes + if part == 0 { header.rows_start as u64 } else { 0 });
        Ok(flow)
    }

    /// Adds a record with the text `raw` to the batch, or rejects it.
    fn push_record(
        &self,
        record: &Record,
        raw: &[u8],
        is_last: bool,
        line: &dyn Fn() -> u64,
        batch: &mut BatchBuilder,
        rows: &mut dyn BatchSink,
    ) -> PartResult {
        let Csv { name, header, .. } = self.csv;
        let columns = header.names.len();
        if record.is_blank() || (header.dialect.comments && raw[0] == b'#' && record.len() != columns) {
            return Ok(ControlFlow::Continue(()));
        }
        let mut reject = |reason: &dyn Fn() -> String| {
            Ok(match batch.flush(name, rows)? {
                ControlFlow::Continue(()) => rows.reject(reason),
                stopped @ ControlFlow::Break(()) => stopped,
            })
        };
        if header.dialect.quotes && (record.lines() > 1 || is_last) {
            let advice = "set `quote` to `none` if quotes are text, or to `double` if they enclose fields";
            let transition = Transition::of(raw, b'\n', header.dialect);
            if is_last && transition.apply(QuoteState::Outside) == QuoteState::Inside {
                let lines = record.lines();
                return reject(&|| {
                    let line = line();
                    format!(
                        "a quote (\") in line {line} is not closed until the end of the file, {lines} lines later; {advice}"
                    )
                });
            }
            if let Some(lines) = self.enclosed_rows(raw).filter(|_| !self.csv.is_quote_set) {
                return reject(&|| {
                    let line = line();
                    format!(
                        "a quoted field that begins in line {line} contains {lines} lines that look like rows; {advice}"
                    )
                });
            }
        }
        // With an extra field, it is unknown which fields are shifted.
        if record.len() > columns && record.len_without_trailing() > columns {
            return reject(&|| {
                let (fields, delimiter) = (record.len(), quoted(&char::from(header.dialect.delimiter).to_string()));
                format!(
                    "the row has {fields} fields for {columns} columns; maybe a field contains an unquoted {delimiter}"
                )
            });
        }
        batch.push(|column| column.index.map_or(&[], |index| record.field(index)));
        if batch.is_full() { batch.flush(name, rows) } else { Ok(ControlFlow::Continue(())) }
    }

    /// The number of lines after the first line of a record that look like rows; `None` if they are more likely the
    /// text of a quoted field.
    fn enclosed_rows(&self, raw: &[u8]) -> Option<usize> {
        let Header { dialect, names, usual_fields, .. } = &self.csv.header;
        let lines = raw.strip_suffix(b"\n").unwrap_or(raw).split(|&byte| byte == b'\n');
        let fields = lines.map(|line| dialect.fields_of(line));
        let is_row: Vec<bool> = fields.map(|fields| fields == names.len() || fields == *usual_fields).collect();
        let [_, inner @ .., _] = &is_row[..] else { return None };
        let rows = |lines: &[bool]| lines.iter().filter(|is_row| **is_row).count();
        let is_likely = rows(inner) >= 2 && rows(inner) * 2 >= inner.len() || rows(&is_row) == is_row.len();
        (names.len() >= 2 && is_likely).then(|| rows(&is_row[1..]))
    }
}
