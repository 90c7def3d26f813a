//! JSON and GeoJSON as tables.
//!
//! A document is a stream of values ([`document`], [`scanner`]), of which one row at a time is in memory. Its rows are its
//! values, the elements of its lists, or those of a list somewhere within ([`layout`]). A row is taken apart as text
//! ([`raw`]), so that of all its members only the requested ones are read ([`record`]).

mod document;
mod feature;
mod layout;
mod raw;
mod record;
mod rows;
mod sample;
mod scanner;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::cell::Cell;
use std::path::Path;

use arrow_schema::{Field, Schema};

use self::document::Document;
use self::layout::{Layout, Shape};
use self::rows::Rows;
use self::sample::Sample;
use self::scanner::part_result;
use super::table::{BatchSink, Nouns, PartResult, Request, Table, TableScan};
use kiln_core::error::Result;
use kiln_core::parameter::Message;
use kiln_core::source::ReadOptions;

/// A JSON file as a [`Table`]: objects, lists of values, or GeoJSON, in a list or after each other, at the top or within.
///
/// Of GeoJSON, each position of a `Point` or `MultiPoint` is a row. Where the first value takes a line for itself, or the file
/// is named `.ndjson`, `.jsonl` or `.geojsonl`, a line that is not JSON is a rejected row.
#[derive(Debug)]
pub(super) struct Json {
    document: Document,
    layout: Layout,
    schema: Schema,
    /// Whether the coordinate reference system is the one that the document declares.
    declares_crs: bool,
}

/// What is known of a JSON file before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// JSON of any kind.
    Any,
    /// Each line has values of its own.
    Lines,
    /// GeoJSON.
    GeoJson,
}

impl Json {
    /// Opens the file at `path`, which messages call `name`, and looks at its first 1000 rows.
    ///
    /// # Errors
    /// [`Error::Io`](kiln_core::Error::Io) if it cannot be read; [`Error::Input`](kiln_core::Error::Input) if it is empty or
    /// begins with what is no JSON, or if it does not tell where its rows are.
    pub(super) fn open(path: &Path, name: String, dialect: Dialect, options: &ReadOptions) -> Result<Self> {
        let document = Document::open(path, name, dialect == Dialect::Lines)?;
        let records = options.records.as_deref().filter(|records| !records.is_empty());
        let mut layout = if document.in_lines {
            Layout::given(records)
        } else {
            Layout::find(&document.name, document.scanner(&Cell::default())?, records)?
        };
        if dialect == Dialect::GeoJson {
            layout.shape = Shape::Features;
        }
        let path = layout.path.clone();
        let mut sample = Sample::new(layout, records.is_some());
        let read = document.read(None, &path, &mut |event| sample.take(&document.name, event), &Cell::default());
        let _ = part_result(read)?;
        let (layout, schema) = sample.finish();
        Ok(Self { document, layout, schema, declares_crs: options.crs.is_none() })
    }

    /// The column of positions, the first one, if there is one.
    fn geometry(&self) -> Option<&Field> {
        (self.layout.shape == Shape::Features).then(|| self.schema.field(0))
    }
}

impl Table for Json {
    fn name(&self) -> &str {
        &self.document.name
    }

    fn nouns(&self) -> Nouns {
        match self.layout.shape {
            Shape::Features => Nouns { row: "feature", column: "property" },
            _ => Nouns { row: "row", column: "member" },
        }
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn is_positional(&self) -> bool {
        self.layout.shape == Shape::Lists && self.layout.names.is_none()
    }

    fn is_open(&self) -> bool {
        self.layout.shape != Shape::Lists
    }

    fn notices(&self) -> Vec<Message> {
        let is_evident = !self.layout.is_found || self.layout.shape == Shape::Features;
        let path = (!is_evident).then(|| format!("the rows are those at `{}`", self.layout.path.join(".")));
        path.into_iter().map(Message::from).collect()
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        Ok(Box::new(JsonScan { json: self, request }))
    }
}

/// One pass over a document.
struct JsonScan<'t> {
    json: &'t Json,
    request: &'t Request<'t>,
}

impl TableScan for JsonScan<'_> {
    fn parts(&self) -> usize {
        self.json.document.parts()
    }

    fn bytes(&self) -> u64 {
        self.json.document.bytes()
    }

    fn read_part(&self, part: usize, sink: &mut dyn BatchSink) -> PartResult {
        let Json { document, layout, .. } = self.json;
        let bytes = Cell::new(0);
        let mut rows = Rows::new(self, &bytes, sink);
        let read = document.read(Some(part), &layout.path, &mut |event| rows.take(event), &bytes);
        part_result(read.and_then(|()| rows.flush()))
    }
}
