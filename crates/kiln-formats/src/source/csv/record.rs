//! The dialect of a file and the reader of its records.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use memchr::{memchr_iter, memchr3_iter};

/// The rules that split text into records and fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The field delimiter. A space means any number of spaces.
    pub(super) delimiter: u8,
    /// Whether quotes enclose fields.
    pub(super) quotes: bool,
    /// Whether lines that begin with `#` are comments.
    pub(super) comments: bool,
}

impl Dialect {
    /// The delimiter for a file with one column: the ASCII unit separator.
    pub(super) const ONE_COLUMN: u8 = 0x1F;

    /// The number of fields of a line, ignoring quotes.
    pub(super) fn fields_of(self, line: &[u8]) -> usize {
        if self.delimiter == b' ' {
            return line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
        }
        memchr_iter(self.delimiter, line).count() + 1
    }
}

/// A reader of records that owns the current one.
#[derive(Debug)]
pub(super) struct Record {
    reader: Reader,
    dialect: Dialect,
    /// The concatenated fields, separated by `gap` bytes. The rest of the buffer is unused.
    text: Vec<u8>,
    gap: usize,
    /// A zero and the end offset of each field in `text`.
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

    /// Reads the record at the start of `text`, which must not be a line end, and returns its length including the line
    /// end. Returns `None` if the text ends before the record does, unless `is_complete` is set (the end of the file).
    pub(super) fn read(&mut self, text: &[u8], is_complete: bool) -> Option<usize> {
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
                // The next call has empty input, which ends the record.
                ReadRecordResult::InputEmpty if is_complete => {}
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

    /// A fast path, in half of the time, for records of one line without quotes, which most are.
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

    /// Resets the reader. It then reads a line end, because a reader at the start of its input drops a byte order mark.
    pub(super) fn restart(&mut self) {
        self.reader.reset();
        self.reader.read_record(b"\n", &mut [0], &mut [0]);
    }

    /// Drops empty fields, and a last field of white space only.
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

    /// The number of line ends in the record, including the last.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// A field without its quotes; empty if the record is shorter.
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

    /// The number of fields, excluding an empty one at the end: some writers add a delimiter after the last field.
    pub(super) fn len_without_trailing(&self) -> usize {
        let has_trailing = self.len > 1 && self.field(self.len - 1).trim_ascii().is_empty();
        self.len - usize::from(has_trailing)
    }
}
