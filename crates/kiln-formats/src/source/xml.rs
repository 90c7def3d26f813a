//! XML documents as streams of elements, of which no more than one is ever held.

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

/// A format within XML.
pub(super) trait Grammar: 'static {
    /// The root element.
    const ROOT: &'static str;
    /// The columns that each document has.
    const COLUMNS: &'static [&'static str];

    /// Reads the points of `document`, by way of `fields`, into `rows`.
    fn read(document: &Document, fields: &mut Fields, rows: &mut ValueRows<'_>) -> PartResult;
}

/// The points of an XML document: a row per point, with a column for each of its simple elements.
#[derive(Debug)]
pub(super) struct XmlTable<G> {
    document: Document,
    schema: Schema,
    grammar: PhantomData<fn(G)>,
}

impl<G: Grammar> XmlTable<G> {
    /// Opens the file at `path`, which messages call `name`.
    pub(super) fn open(path: &Path, name: String, options: &ReadOptions) -> Result<Self> {
        let document = Document::open(path, name, G::ROOT, options)?;
        let known = G::COLUMNS.iter().map(|&name| name.to_owned()).collect();
        let mut fields = Fields { requested: Vec::new(), sample: Some(known) };
        let request = Request { columns: Vec::new(), workers: 1, time_range: None };
        let mut sink = SampleSink::default();
        // A sample breaks off on purpose.
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
        Ok(Box::new(Scan { table: self, request }))
    }
}

struct Scan<'t, G> {
    table: &'t XmlTable<G>,
    request: &'t Request<'t>,
}

impl<G: Grammar> TableScan for Scan<'_, G> {
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

/// An XML document with a certain root element.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    name: String,
    root: &'static str,
    bytes: u64,
    encoding: &'static Encoding,
}

/// What a reader does with the elements of a document. Their names are without prefixes of namespaces.
pub(super) trait Visitor {
    /// Takes the start of an element.
    fn start(&mut self, name: &str, attributes: Attributes<'_>) -> PartResult;

    /// Takes the end of an element; `text` is its text without white space around it, `None` if it has elements in it.
    fn end(&mut self, name: &str, text: Option<&str>) -> PartResult;

    /// Takes note of `bytes` more that were read.
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
        // An unknown entity stays as it is written.
        Some(attribute.normalized_value(XmlVersion::Implicit1_0).unwrap_or(attribute.value))
    }
}

impl Document {
    const BUFFER_BYTES: usize = 1 << 16;
    /// Bytes at the beginning within which the declaration of the encoding ends.
    const DECLARATION_BYTES: u64 = 256;
    /// Bytes after which the progress is reported.
    const PROGRESS_BYTES: u64 = 1 << 20;
    /// Longest tag, comment or text. (The tests have small ones.)
    const MAX_TEXT_BYTES: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };
    /// Deepest nesting of elements.
    const MAX_DEPTH: usize = 1000;

    /// Opens the document at `path`, which messages call `name`, and whose root element is to be `root`.
    fn open(path: &Path, name: String, root: &'static str, options: &ReadOptions) -> Result<Self> {
        let unreadable = |error| Error::io(&name, "read", error);
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let mut head = Vec::new();
        file.take(Self::DECLARATION_BYTES).read_to_end(&mut head).map_err(unreadable)?;
        // From an encoding that the options name, it is converted by now.
        let encoding = if options.encoding.is_some() { UTF_8 } else { declared_encoding(&head) };
        Ok(Self { path: path.to_owned(), name, root, bytes, encoding })
    }

    /// Hands the elements to `visitor`.
    ///
    /// # Errors
    /// If the document cannot be read, or is not well-formed.
    pub(super) fn read(&self, visitor: &mut impl Visitor) -> PartResult {
        let file = File::open(&self.path).map_err(|error| read_error(&self.name, error))?;
        let decoded = decode(file, self.encoding);
        let mut reader = Reader::from_reader(Text::new(BufReader::with_capacity(Self::BUFFER_BYTES, decoded)));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        let (mut buffer, mut text, mut is_leaf, mut depth, mut reported) = (Vec::new(), String::new(), false, 0, 0);
        loop {
            buffer.clear();
            buffer.shrink_to(Self::BUFFER_BYTES);
            reader.get_mut().left = Self::MAX_TEXT_BYTES;
            let event = reader.read_event_into(&mut buffer);
            let source = reader.get_ref();
            let event = event.map_err(|error| self.failure(error, source.line))?;
            if source.bytes - reported >= Self::PROGRESS_BYTES || matches!(event, Event::Eof) {
                visitor.advance(source.bytes - reported);
                reported = source.bytes;
            }
            let mut flow = ControlFlow::Continue(());
            match event {
                Event::Start(element) => {
                    let name = element.local_name();
                    if depth == 0 && name.as_ref() != self.root {
                        return Err(self.unexpected(&format!("its root element is `{}`", name.as_ref())));
                    }
                    depth += 1;
                    if depth > Self::MAX_DEPTH {
                        let reason = format!("elements are nested more than {} deep", Self::MAX_DEPTH);
                        return Err(self.broken(&reason, source.line));
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
                        // What comes behind the root element is no part of the document.
                        visitor.advance(self.bytes.saturating_sub(reported));
                        return Ok(flow);
                    }
                }
                Event::Eof if depth > 0 => {
                    return Err(self.broken("it ends within an element; was the file cut off?", source.line));
                }
                Event::Eof => return Err(self.unexpected("it has no element")),
                event if is_leaf => push_text(&event, &mut text),
                _ => {}
            }
            if text.len() > Self::MAX_TEXT_BYTES {
                return Err(self.broken(TOO_LONG, source.line));
            }
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    fn unexpected(&self, what: &str) -> Error {
        Error::input(&self.name, format!("{what}; expected `{}`", self.root))
    }

    fn broken(&self, reason: &str, line: u64) -> Error {
        Error::input(&self.name, format!("broken XML at line {line}: {reason}"))
    }

    fn failure(&self, error: quick_xml::Error, line: u64) -> Error {
        match error {
            quick_xml::Error::Io(error) if error.kind() != io::ErrorKind::FileTooLarge => {
                read_error(&self.name, io::Error::new(error.kind(), error))
            }
            quick_xml::Error::Io(_) => self.broken(TOO_LONG, line),
            error => self.broken(&error.to_string(), line),
        }
    }
}

const TOO_LONG: &str = "a tag or text exceeds 64 MiB";

/// Adds the text of `event`, if it is one. An unknown entity stays as it is written.
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

/// The encoding that the declaration of a document names, if its ASCII characters are those of UTF-8; else UTF-8.
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

/// The text of a document, which counts lines and ends with an error where one tag or text goes on for too long.
struct Text {
    source: BufReader<DecodeReaderBytes<File, Vec<u8>>>,
    line: u64,
    bytes: u64,
    left: usize,
}

impl Text {
    fn new(source: BufReader<DecodeReaderBytes<File, Vec<u8>>>) -> Self {
        Self { source, line: 1, bytes: 0, left: 0 }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TOO_LONG));
        }
        self.source.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        let consumed = self.source.buffer().get(..bytes).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', consumed).count() as u64;
        self.bytes += bytes as u64;
        self.left = self.left.saturating_sub(bytes);
        self.source.consume(bytes);
    }
}

/// The values of the row at hand, by the names of their columns. The first of a name that is not empty counts.
#[derive(Debug, Default)]
pub(super) struct Fields {
    requested: Vec<(String, String)>,
    /// The names of all values, where they are to be found out.
    sample: Option<Vec<String>>,
}

impl Fields {
    /// Most columns that a sample finds.
    const MAX_COLUMNS: usize = 1000;

    /// No value of the columns of `request`.
    fn requested(request: &Request<'_>) -> Self {
        Self {
            requested: request.columns.iter().map(|column| (column.name.clone(), String::new())).collect(),
            sample: None,
        }
    }

    /// Sets the value of the columns called `name`, unless they have one or it is empty.
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

    /// The value of the requested column at `place`.
    pub(super) fn get(&self, place: usize) -> Value<'_> {
        self.requested.get(place).map_or(Value::Null, |(_, text)| Value::Text(text))
    }

    /// The name of the requested column at `place`.
    pub(super) fn name(&self, place: usize) -> &str {
        self.requested.get(place).map_or("", |(name, _)| name)
    }

    /// Forgets the values.
    pub(super) fn clear(&mut self) {
        self.requested.iter_mut().for_each(|(_, text)| text.clear());
    }
}

/// Breaks the reading off after the first rows.
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
