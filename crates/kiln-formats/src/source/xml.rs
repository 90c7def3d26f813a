//! XML documents as streams of elements, with one element in memory at a time.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use encoding_rs::{Encoding, UTF_8};
use encoding_rs_io::DecodeReaderBytes;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::encoding::decode;
use super::read_error;
use super::table::{BatchSink, Nouns, PartResult, Request, Table, TableScan};
use super::values::{Value, ValueRows};
use kiln_core::error::{Error, Result};
use kiln_core::source::ReadOptions;
use kiln_core::source::batch::Batch;

/// An XML-based format.
pub(super) trait Grammar: 'static {
    /// The root element.
    const ROOT: &'static str;
    /// The columns that the schema always has.
    const COLUMNS: &'static [&'static str];

    /// Reads the points of `document` into `rows`; `fields` holds the values of the current row.
    fn read(document: &Document, fields: &mut Fields, rows: &mut ValueRows<'_>) -> PartResult;
}

/// The points of an XML document as a table: a row per point, with a column for each element that contains only text.
#[derive(Debug)]
pub(super) struct XmlTable<G> {
    document: Document,
    schema: Schema,
    grammar: PhantomData<fn(G)>,
}

impl<G: Grammar> XmlTable<G> {
    /// Opens the file at `path`. `name` is the name of the input in messages.
    pub(super) fn open(path: &Path, name: String, options: &ReadOptions) -> Result<Self> {
        let document = Document::open(path, name, G::ROOT, options)?;
        let columns = G::COLUMNS.iter().map(|&name| name.to_owned()).collect();
        let mut fields = Fields { requested: Vec::new(), sample: Some(columns) };
        let request = Request { columns: Vec::new(), workers: 1, time_range: None };
        let mut sink = SampleSink::default();
        // The sample sink stops the reading after the first rows.
        let _ = G::read(
            &document,
            &mut fields,
            &mut ValueRows::new(&document.name, &Schema::empty(), &request, &mut sink),
        )?;
        let column = |name: String| {
            let is_number = matches!(name.as_str(), "lon" | "lat" | "ele");
            Field::new(name, if is_number { DataType::Float64 } else { DataType::Utf8 }, true)
        };
        let columns: Vec<_> = fields.sample.unwrap_or_default().into_iter().map(column).collect();
        Ok(Self { document, schema: Schema::new(columns), grammar: PhantomData })
    }
}

impl<G: Grammar> Table for XmlTable<G> {
    fn name(&self) -> &str {
        &self.document.name
    }

    fn nouns(&self) -> Nouns {
        Nouns { row: "point", column: "element" }
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn is_open(&self) -> bool {
        true
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        Ok(Box::new(XmlScan { table: self, request }))
    }
}

struct XmlScan<'t, G> {
    table: &'t XmlTable<G>,
    request: &'t Request<'t>,
}

impl<G: Grammar> TableScan for XmlScan<'_, G> {
    fn parts(&self) -> usize {
        1
    }

    fn bytes(&self) -> u64 {
        self.table.document.bytes
    }

    fn read_part(&self, _: usize, rows: &mut dyn BatchSink) -> PartResult {
        let document = &self.table.document;
        let mut rows = ValueRows::new(&document.name, &self.table.schema, self.request, rows);
        if G::read(document, &mut Fields::requested(self.request), &mut rows)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        rows.flush()
    }
}

/// An XML document with an expected root element.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    name: String,
    root: &'static str,
    bytes: u64,
    encoding: &'static Encoding,
}

/// The callbacks for the elements of a document. Element names are without namespace prefixes.
pub(super) trait Visitor {
    /// Called at the start of an element.
    fn start(&mut self, name: &str, attributes: Attributes<'_>) -> PartResult;

    /// Called at the end of an element; `text` is its trimmed text, `None` if it has child elements.
    fn end(&mut self, name: &str, text: Option<&str>) -> PartResult;

    /// Called after `bytes` more have been read.
    fn advance(&mut self, bytes: u64);
}

/// The attributes of an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'e>(&'e BytesStart<'e>);

impl<'e> Attributes<'e> {
    /// The attribute called `name`.
    pub(super) fn get(self, name: &str) -> Option<Cow<'e, str>> {
        let mut attributes = self.0.attributes();
        let attribute = attributes.with_checks(false).flatten().find(|attribute| attribute.key.as_ref() == name)?;
        // Unknown entities are kept unresolved.
        Some(attribute.normalized_value(XmlVersion::Implicit1_0).unwrap_or(attribute.value))
    }
}

impl Document {
    const BUFFER_BYTES: usize = 1 << 16;
    /// Bytes at the start of a document that are searched for the encoding declaration.
    const DECLARATION_BYTES: u64 = 256;
    /// Bytes between two progress reports.
    const PROGRESS_BYTES: u64 = 1 << 20;
    /// The maximum length of a tag, comment or text; small in tests.
    const MAX_TEXT_BYTES: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };
    /// The maximum nesting of elements.
    const MAX_DEPTH: usize = 1000;

    /// Opens the document at `path` with the expected root element `root`. `name` is the name of the input in messages.
    fn open(path: &Path, name: String, root: &'static str, options: &ReadOptions) -> Result<Self> {
        let unreadable = |error| Error::io(&name, "read", error);
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let mut head = Vec::new();
        file.take(Self::DECLARATION_BYTES).read_to_end(&mut head).map_err(unreadable)?;
        // With an encoding in the options, the input has been converted to UTF-8 already.
        let encoding = if options.encoding.is_some() { UTF_8 } else { declared_encoding(&head) };
        Ok(Self { path: path.to_owned(), name, root, bytes, encoding })
    }

    /// Reads the document and calls `visitor` for its elements.
    ///
    /// # Errors
    /// If the document cannot be read, or is not well-formed.
    pub(super) fn read(&self, visitor: &mut impl Visitor) -> PartResult {
        let file = File::open(&self.path).map_err(|error| read_error(&self.name, error))?;
        let decoded = decode(file, self.encoding);
        let mut reader =
            Reader::from_reader(CountingReader::new(BufReader::with_capacity(Self::BUFFER_BYTES, decoded)));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        let (mut buffer, mut text, mut is_leaf, mut depth, mut reported) = (Vec::new(), String::new(), false, 0, 0);
        loop {
            buffer.clear();
            buffer.shrink_to(Self::BUFFER_BYTES);
            reader.get_mut().remaining = Self::MAX_TEXT_BYTES;
            let event = reader.read_event_into(&mut buffer);
            let source = reader.get_ref();
            let event = event.map_err(|error| self.xml_error(error, source.line))?;
            if source.bytes - reported >= Self::PROGRESS_BYTES || matches!(event, Event::Eof) {
                visitor.advance(source.bytes - reported);
                reported = source.bytes;
            }
            let mut flow = ControlFlow::Continue(());
            match event {
                Event::Start(element) => {
                    let name = element.local_name();
                    if depth == 0 && name.as_ref() != self.root {
                        return Err(self.unexpected(&format!("the root element is `{}`", name.as_ref())));
                    }
                    depth += 1;
                    if depth > Self::MAX_DEPTH {
                        let reason = format!("elements are nested more than {} levels deep", Self::MAX_DEPTH);
                        return Err(self.invalid(&reason, source.line));
                    }
                    is_leaf = true;
                    text.clear();
                    flow = visitor.start(name.as_ref(), Attributes(&element))?;
                }
                Event::End(element) => {
                    flow = visitor.end(element.local_name().as_ref(), is_leaf.then_some(text.trim()))?;
                    is_leaf = false;
                    depth -= 1;
                    if depth == 0 {
                        // Anything after the root element is ignored.
                        visitor.advance(self.bytes.saturating_sub(reported));
                        return Ok(flow);
                    }
                }
                Event::Eof if depth > 0 => {
                    return Err(self.invalid("it ends within an element; was the file truncated?", source.line));
                }
                Event::Eof => return Err(self.unexpected("it has no element")),
                event if is_leaf => push_text(&event, &mut text),
                _ => {}
            }
            if text.len() > Self::MAX_TEXT_BYTES {
                return Err(self.invalid(TOO_LONG, source.line));
            }
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    fn unexpected(&self, reason: &str) -> Error {
        Error::input(&self.name, format!("{reason}; expected the root element `{}`", self.root))
    }

    fn invalid(&self, reason: &str, line: u64) -> Error {
        Error::input(&self.name, format!("invalid XML at line {line}: {reason}"))
    }

    fn xml_error(&self, error: quick_xml::Error, line: u64) -> Error {
        match error {
            quick_xml::Error::Io(error) if error.kind() != io::ErrorKind::FileTooLarge => {
                read_error(&self.name, io::Error::new(error.kind(), error))
            }
            quick_xml::Error::Io(_) => self.invalid(TOO_LONG, line),
            error => self.invalid(&error.to_string(), line),
        }
    }
}

const TOO_LONG: &str = "a tag or text exceeds 64 MiB";

/// Appends the text of `event`, if it has one. Unknown entities are kept unresolved.
fn push_text(event: &Event<'_>, text: &mut String) {
    match event {
        Event::Text(part) => text.push_str(part),
        Event::CData(part) => text.push_str(part),
        Event::GeneralRef(reference) => match (reference.resolve_char_ref(), resolve_xml_entity(reference)) {
            (Ok(Some(character)), _) => text.push(character),
            (_, Some(entity)) => text.push_str(entity),
            _ => text.extend(["&", reference, ";"]),
        },
        _ => {}
    }
}

/// The encoding in the XML declaration, if it is ASCII-compatible; else UTF-8.
fn declared_encoding(head: &[u8]) -> &'static Encoding {
    let label = || {
        let declaration = str::from_utf8(head.split(|&byte| byte == b'>').next()?).ok()?;
        let value = declaration.strip_prefix("<?xml")?.split_once("encoding")?.1.trim_start().strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        Encoding::for_label(value.split(quote).nth(1)?.as_bytes())
    };
    label().filter(|encoding| encoding.is_ascii_compatible()).unwrap_or(UTF_8)
}

/// A reader that counts lines and bytes, and fails if a tag or text exceeds the limit.
struct CountingReader {
    source: BufReader<DecodeReaderBytes<File, Vec<u8>>>,
    line: u64,
    bytes: u64,
    remaining: usize,
}

impl CountingReader {
    fn new(source: BufReader<DecodeReaderBytes<File, Vec<u8>>>) -> Self {
        Self { source, line: 1, bytes: 0, remaining: 0 }
    }
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for CountingReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.remaining == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TOO_LONG));
        }
        self.source.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        let consumed = self.source.buffer().get(..bytes).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', consumed).count() as u64;
        self.bytes += bytes as u64;
        self.remaining = self.remaining.saturating_sub(bytes);
        self.source.consume(bytes);
    }
}

/// The values of the current row by column name. The first non-empty value of a name is used.
#[derive(Debug, Default)]
pub(super) struct Fields {
    requested: Vec<(String, String)>,
    /// The names of all values so far, while the schema is being detected.
    sample: Option<Vec<String>>,
}

impl Fields {
    /// The maximum number of columns in a detected schema.
    const MAX_COLUMNS: usize = 1000;

    /// An empty row with the columns of `request`.
    fn requested(request: &Request<'_>) -> Self {
        Self {
            requested: request.columns.iter().map(|column| (column.name.clone(), String::new())).collect(),
            sample: None,
        }
    }

    /// Sets the value of the column `name`, unless the value is empty or the column already has one.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        if let Some(sample) = &mut self.sample
            && sample.len() < Self::MAX_COLUMNS
            && !sample.iter().any(|known| known == name)
        {
            sample.push(name.to_owned());
        }
        for (column, text) in &mut self.requested {
            if column == name && text.is_empty() {
                text.push_str(value);
            }
        }
    }

    /// The value of the requested column at `index`.
    pub(super) fn get(&self, index: usize) -> Value<'_> {
        self.requested.get(index).map_or(Value::Null, |(_, text)| Value::Text(text))
    }

    /// The name of the requested column at `index`.
    pub(super) fn name(&self, index: usize) -> &str {
        self.requested.get(index).map_or("", |(name, _)| name)
    }

    /// Removes the values.
    pub(super) fn clear(&mut self) {
        self.requested.iter_mut().for_each(|(_, text)| text.clear());
    }
}

/// A sink that stops the reading after the first rows.
#[derive(Debug, Default)]
struct SampleSink {
    rows: usize,
}

impl SampleSink {
    fn count(&mut self, rows: usize) -> ControlFlow<()> {
        self.rows += rows;
        if self.rows < Batch::ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl BatchSink for SampleSink {
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        self.count(batch.num_rows())
    }

    fn reject(&mut self, _: &dyn Fn() -> String) -> ControlFlow<()> {
        self.count(1)
    }

    fn skip(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn advance(&mut self, _: u64) {}
}
