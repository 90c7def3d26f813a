//! The dialect of a file, and records split by it.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use memchr::{memchr_iter, memchr3_iter};

/// How the text of a file is split into records and fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// What separates fields; a space stands for any number of spaces.
    pub(super) delimiter: u8,
    /// Whether quotes enclose fields.
    pub(super) quotes: bool,
    /// Whether lines that begin with `#` are comments.
    pub(super) comments: bool,
}

impl Dialect {
    /// The delimiter of a file with one column: the unit separator of ASCII.
    pub(super) const ONE_COLUMN: u8 = 0x1F;

    /// The number of fields of a line in which quotes mean nothing.
    pub(super) fn fields_of(self, line: &[u8]) -> usize {
        if self.delimiter == b' ' {
            return line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
        }
        memchr_iter(self.delimiter, line).count() + 1
    }
}

/// A record, and what reads one after the other.
#[derive(Debug)]
pub(super) struct Record {
    reader: Reader,
    dialect: Dialect,
    /// The fields after each other, `gap` bytes apart, with room behind them.
    text: Vec<u8>,
    gap: usize,
    /// Where in `text` each field ends, behind a zero.
    ends: Vec<usize>,
    len: usize,
    lines: u64,
}

impl Record {
    /// No record yet.
    pub(super) fn new(dialect: Dialect) -> Self {
        let Dialect { delimiter, quotes, .. } = dialect;
        let terminator = Terminator::Any(b'\n');
        let reader = ReaderBuilder::new().delimiter(delimiter).quoting(quotes).terminator(terminator).build();
        let (text, ends) = (vec![0; 1 << 10], vec![0; 1 << 6]);
        let mut record = Self { reader, dialect, text, gap: 0, ends, len: 0, lines: 0 };
        record.restart();
        record
    }

    /// Reads the record at the start of `text`, which is not a line end, and returns its length with the line end; `None`:
    /// the text ends before the record does and `is_whole` does not say that the file ends there.
    pub(super) fn read(&mut self, text: &[u8], is_whole: bool) -> Option<usize> {
        if let Some(length) = self.read_unquoted(text) {
            return Some(length);
        }
        let (mut read, mut written) = (0, 0);
        (self.len, self.gap) = (0, 0);
        self.reader.set_line(0);
        loop {
            let (output, ends) = (&mut self.text[written..], &mut self.ends[self.len + 1..]);
            let (result, new_read, new_written, new_fields) = self.reader.read_record(&text[read..], output, ends);
            (read, written, self.len) = (read + new_read, written + new_written, self.len + new_fields);
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                // The next call, without a text, ends the record.
                ReadRecordResult::InputEmpty if is_whole => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    self.restart();
                    return None;
                }
            }
        }
        self.lines = self.reader.line();
        if self.dialect.delimiter == b' ' {
            self.join_spaces();
        }
        Some(read)
    }

    /// Reads a record that is one line without a quote, which most are, in half of the time.
    #[inline]
    fn read_unquoted(&mut self, text: &[u8]) -> Option<usize> {
        let Dialect { delimiter, quotes, .. } = self.dialect;
        if delimiter == b' ' {
            return None;
        }
        self.len = 0;
        for at in memchr3_iter(delimiter, b'\n', b'"', text) {
            let byte = text[at];
            if byte == b'"' && delimiter != b'"' {
                if quotes {
                    return None;
                }
                continue;
            }
            self.len += 1;
            if self.ends.len() <= self.len {
                self.ends.resize(2 * self.len, 0);
            }
            self.ends[self.len] = at;
            if byte == b'\n' {
                if self.text.len() < at {
                    self.text.resize(2 * at, 0);
                }
                self.text[..at].copy_from_slice(&text[..at]);
                (self.gap, self.lines) = (1, 1);
                return Some(at + 1);
            }
        }
        None
    }

    /// Forgets where the reader is. A line end comes first, because a reader at its start drops a byte order mark.
    pub(super) fn restart(&mut self) {
        self.reader.reset();
        self.reader.read_record(b"\n", &mut [0], &mut [0]);
    }

    /// Drops empty fields, and a last one that is but white space.
    fn join_spaces(&mut self) {
        let mut kept = 0;
        for field in 1..=self.len {
            if self.ends[field] > self.ends[kept] {
                kept += 1;
                self.ends[kept] = self.ends[field];
            }
        }
        self.len = kept;
        if self.len > 0 && self.field(self.len - 1).trim_ascii().is_empty() {
            self.len -= 1;
        }
    }

    /// The number of fields.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number of line ends in the record, with its own.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// A field without its quotes; empty beyond the last one.
    #[inline]
    pub(super) fn field(&self, index: usize) -> &[u8] {
        if index >= self.len {
            return &[];
        }
        let gap = if index == 0 { 0 } else { self.gap };
        &self.text[self.ends[index] + gap..self.ends[index + 1]]
    }

    /// Whether the line is blank.
    pub(super) fn is_blank(&self) -> bool {
        self.len == 0 || self.len == 1 && self.field(0).trim_ascii().is_empty()
    }

    /// The number of fields without an empty one at the end: a delimiter behind the last field is but a habit of writers.
    pub(super) fn len_without_trailing(&self) -> usize {
        let has_trailing = self.len > 1 && self.field(self.len - 1).trim_ascii().is_empty();
        self.len - usize::from(has_trailing)
    }
}
