//! The rows of one part, as batches.

use std::cell::Cell;
use std::ops::ControlFlow;

use super::feature::{NO_POSITION, add_positions, crs_name, features};
use super::layout::Shape;
use super::raw::{Value, first, text};
use super::record::Record;
use super::scanner::{Event, Flow, Halt};
use super::{Json, JsonScan};
use crate::source::batch::Batch;
use crate::source::role::quoted;
use crate::source::table::BatchSink;
use kiln_core::error::Error;
use kiln_core::message;
use kiln_core::parameter::Parameter;

/// Turns the rows of one part into batches.
pub(super) struct Rows<'r> {
    json: &'r Json,
    scan: &'r JsonScan<'r>,
    record: Record,
    positions: Vec<Option<[f64; 2]>>,
    /// The bytes read that have not been reported.
    bytes: &'r Cell<u64>,
    sink: &'r mut dyn BatchSink,
}

impl<'r> Rows<'r> {
    /// No rows yet of a part.
    pub(super) fn new(scan: &'r JsonScan<'r>, bytes: &'r Cell<u64>, sink: &'r mut dyn BatchSink) -> Self {
        let record = Record::new(scan.request, scan.json.geometry());
        Self { json: scan.json, scan, record, positions: Vec::new(), bytes, sink }
    }

    /// Takes what is found in the document.
    pub(super) fn take(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Row(row) => self.row(row),
            Event::Broken(reason) => self.reject(&|| reason.to_owned()),
            Event::NoRows => self.reject(&|| format!("there is nothing at `{}`", self.json.layout.path.join("."))),
            Event::Crs(crs) => match self.other_crs(crs) {
                Some(crs) => {
                    let late = format!(
                        "its member `crs` ({crs}) is behind the features; move it before them, or name it with "
                    );
                    Err(Error::input(&self.json.document.name, message!(late, Parameter::CRS)).into())
                }
                None => Ok(()),
            },
            Event::Columns(_) => Ok(()),
        }
    }

    /// Hands over the rows so far.
    pub(super) fn flush(&mut self) -> Flow {
        self.sink.advance(self.bytes.take());
        if self.record.rows() == 0 {
            return Ok(());
        }
        let batch = self.record.finish();
        let batch = batch.map_err(|error| Error::input(&self.json.document.name, error.to_string()))?;
        flow(self.sink.batch(&batch))
    }

    fn push<'v>(&mut self, values: impl Iterator<Item = Option<&'v str>>, position: [f64; 2]) -> Flow {
        self.record.push(values, position);
        if self.record.rows() < Batch::ROWS { Ok(()) } else { self.flush() }
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> Flow {
        self.flush()?;
        flow(self.sink.reject(reason))
    }

    fn row(&mut self, row: &Value<'_>) -> Flow {
        let columns = &self.scan.request.columns;
        match (self.json.layout.shape, row) {
            (Shape::Features, _) => features(row, &mut |feature, crs| self.feature(feature, crs)),
            (Shape::Lists, Value::List(values)) => self.list(values),
            (Shape::Objects, Value::Object(_)) => {
                self.push(columns.iter().map(|requested| row.find(&requested.name)), [0.0; 2])
            }
            (_, Value::Object(_)) => self.reject(&|| "an object, where other rows are lists".to_owned()),
            (_, Value::List(_)) => self.reject(&|| "a list, where other rows are objects".to_owned()),
            (_, Value::Plain(value)) => {
                let found = if first(value) == b'"' { quoted(&text(value)) } else { (*value).to_owned() };
                self.reject(&|| format!("{found} is not a row; a row is [x, y], [x, y, weight] or an object"))
            }
        }
    }

    fn list(&mut self, values: &[&str]) -> Flow {
        let length = values.len();
        if length < 2 && self.json.layout.names.is_none() {
            return self.reject(&|| format!("a list of {length}; a row is [x, y] or [x, y, weight]"));
        }
        let columns = self.scan.request.columns.iter();
        self.push(columns.map(|requested| values.get(requested.index?).copied()), [0.0; 2])
    }

    fn feature(&mut self, feature: &Value<'_>, crs: Option<&str>) -> Flow {
        if let Some(crs) = crs.and_then(|crs| self.other_crs(&Value::of(crs))) {
            let first = self.json.layout.crs.as_deref().unwrap_or("WGS 84");
            return self.reject(&|| format!("the coordinates are in {crs}, those of the first feature in {first}"));
        }
        let properties = Value::of(feature.get("properties").unwrap_or("null"));
        let outer = |name| feature.find(name).filter(|_| !is_defined(name));
        let columns = self.scan.request.columns.iter();
        let values = columns.map(|requested| properties.find(&requested.name).or_else(|| outer(&requested.name)));
        if !self.record.has_positions() {
            return self.push(values, [0.0; 2]);
        }
        let values: Vec<_> = values.collect();
        let mut positions = std::mem::take(&mut self.positions);
        positions.clear();
        let flow = match add_positions(feature, &mut positions) {
            Err(reason) => self.reject(&|| reason.clone().into_owned()),
            Ok(()) => positions.iter().try_for_each(|position| match position {
                Some(position) => self.push(values.iter().copied(), *position),
                None => self.reject(&|| NO_POSITION.to_owned()),
            }),
        };
        self.positions = positions;
        flow
    }

    /// The name of a coordinate reference system that is not the one in the schema.
    fn other_crs(&self, crs: &Value<'_>) -> Option<String> {
        let Json { layout, declares_crs, .. } = self.json;
        let is_read = layout.shape == Shape::Features && *declares_crs;
        crs_name(crs).filter(|crs| is_read && Some(crs) != layout.crs.as_ref())
    }
}

/// Whether GeoJSON defines the member of a feature or geometry that is called `name`.
pub(super) fn is_defined(name: &str) -> bool {
    matches!(name, "type" | "properties" | "geometry" | "geometries" | "coordinates" | "bbox" | "crs")
}

fn flow(answer: ControlFlow<()>) -> Flow {
    if answer.is_break() { Err(Halt::Enough) } else { Ok(()) }
}
