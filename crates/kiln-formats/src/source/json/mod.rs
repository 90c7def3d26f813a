//! JSON and GeoJSON as tables.
//!
//! A document is a stream of values ([`document`], [`scanner`]); one row at a time is in memory. The rows are the
//! top-level values, the elements of top-level arrays, or those of a nested array ([`layout`]). A row is split into
//! text slices ([`raw`]), of which only the requested members are parsed ([`batch_builder`]).

mod batch_builder;
mod document;
mod feature;
mod layout;
mod raw;
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
use self::rows::RowBatcher;
use self::sample::SchemaSample;
use self::scanner::part_result;
use super::table::{BatchSink, Nouns, PartResult, Request, Table, TableScan};
use kiln_core::error::Result;
use kiln_core::parameter::Message;
use kiln_core::source::ReadOptions;

/// A JSON file as a [`Table`]. Rows are objects, arrays of values or GeoJSON, in an array or concatenated, at the top
/// level or nested.
///
/// In GeoJSON, each position of a `Point` or `MultiPoint` is a row. If the first value is alone on its line, or the
/// extension is `.ndjson`, `.jsonl` or `.geojsonl`, an invalid line is a rejected row.
#[derive(Debug)]
pub(super) struct Json {
    document: Document,
    layout: Layout,
    schema: Schema,
    /// Whether to use the coordinate reference system that the document declares.
    uses_declared_crs: bool,
}

/// The kind of a JSON file, by its extension or media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonKind {
    /// Any JSON.
    Any,
    /// Newline-delimited JSON.
    Lines,
    /// GeoJSON.
    GeoJson,
}

impl Json {
    /// Opens the file at `path` and infers the schema from its first 1000 rows. `name` is the input name for messages.
    ///
    /// # Errors
    /// [`Error::Io`](kiln_core::Error::Io) if it cannot be read; [`Error::Input`](kiln_core::Error::Input) if it is
    /// empty or starts with invalid JSON, or if its rows are not found or ambiguous.
    pub(super) fn open(path: &Path, name: String, dialect: JsonKind, options: &ReadOptions) -> Result<Self> {
        let document = Document::open(path, name, dialect == JsonKind::Lines)?;
        let records = options.records.as_deref().filter(|records| !records.is_empty());
        let mut layout = if document.is_line_delimited {
            Layout::at_path(records)
        } else {
            Layout::detect(&document.name, document.scanner(&Cell::default())?, records)?
        };
        if dialect == JsonKind::GeoJson {
            layout.shape = Shape::Features;
        }
        let path = layout.path.clone();
        let mut sample = SchemaSample::new(layout, records.is_some());
        let read = document.read(None, &path, &mut |event| sample.handle(&document.name, event), &Cell::default());
        let _ = part_result(read)?;
        let (layout, schema) = sample.finish();
        Ok(Self { document, layout, schema, uses_declared_crs: options.crs.is_none() })
    }

    /// The geometry column, which is the first one, if the rows are GeoJSON.
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
        self.layout.shape == Shape::Arrays && self.layout.names.is_none()
    }

    fn is_open(&self) -> bool {
        self.layout.shape != Shape::Arrays
    }

    fn notices(&self) -> Vec<Message> {
        let is_obvious = !self.layout.is_detected || self.layout.shape == Shape::Features;
        let path = (!is_obvious).then(|| format!("the rows are read from `{}`", self.layout.path.join(".")));
        path.into_iter().map(Message::from).collect()
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        Ok(Box::new(JsonScan { json: self, request }))
    }
}

/// A scan of a document.
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
        let mut rows = RowBatcher::new(self, &bytes, sink);
        let read = document.read(Some(part), &layout.path, &mut |event| rows.handle(event), &bytes);
        part_result(read.and_then(|()| rows.flush()))
    }
}
