//! Conversion of the rows of a part to batches.

use std::cell::Cell;
use std::ops::ControlFlow;

use super::batch_builder::JsonBatchBuilder;
use super::feature::{INVALID_POSITION, add_positions, crs_name, features};
use super::layout::Shape;
use super::raw::{JsonValue, first, text};
use super::scanner::{Event, Flow, Halt};
use super::{Json, JsonScan};
use crate::source::batch::Batch;
use crate::source::role::quoted;
use crate::source::table::BatchSink;
use kiln_core::error::Error;
use kiln_core::message;
use kiln_core::parameter::Parameter;

/// Converts the rows of one part to batches.
pub(super) struct RowBatcher<'r> {
    json: &'r Json,
    scan: &'r JsonScan<'r>,
    batch: JsonBatchBuilder,
    positions: Vec<Option<[f64; 2]>>,
    /// The number of bytes read since the last progress report.
    bytes: &'r Cell<u64>,
    sink: &'r mut dyn BatchSink,
}

impl<'r> RowBatcher<'r> {
    /// Creates a converter with an empty batch.
    pub(super) fn new(scan: &'r JsonScan<'r>, bytes: &'r Cell<u64>, sink: &'r mut dyn BatchSink) -> Self {
        let batch = JsonBatchBuilder::new(scan.request, scan.json.geometry());
        Self { json: scan.json, scan, batch, positions: Vec::new(), bytes, sink }
    }

    /// Handles an event of the scan.
    pub(super) fn handle(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Row(row) => self.row(row),
            Event::Invalid(reason) => self.reject(&|| reason.to_owned()),
            Event::NoRows => self.reject(&|| format!("no value at `{}`", self.json.layout.path.join("."))),
            Event::Crs(crs) => match self.other_crs(crs) {
                Some(crs) => {
                    let text =
                        format!("the member `crs` ({crs}) is after the features; move it before them, or set it with ");
                    Err(Error::input(&self.json.document.name, message!(text, Parameter::CRS)).into())
                }
                None => Ok(()),
            },
            Event::Columns(_) => Ok(()),
        }
    }

    /// Sends the buffered rows and reports the progress.
    pub(super) fn flush(&mut self) -> Flow {
        self.sink.advance(self.bytes.take());
        if self.batch.rows() == 0 {
            return Ok(());
        }
        let batch = self.batch.finish();
        let batch = batch.map_err(|error| Error::input(&self.json.document.name, error.to_string()))?;
        flow(self.sink.batch(&batch))
    }

    fn push<'v>(&mut self, values: impl Iterator<Item = Option<&'v str>>, position: [f64; 2]) -> Flow {
        self.batch.push(values, position);
        if self.batch.rows() < Batch::ROWS { Ok(()) } else { self.flush() }
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> Flow {
        self.flush()?;
        flow(self.sink.reject(reason))
    }

    fn row(&mut self, row: &JsonValue<'_>) -> Flow {
        let columns = &self.scan.request.columns;
        match (self.json.layout.shape, row) {
            (Shape::Features, _) => features(row, &mut |feature, crs| self.feature(feature, crs)),
            (Shape::Arrays, JsonValue::Array(values)) => self.array(values),
            (Shape::Objects, JsonValue::Object(_)) => {
                self.push(columns.iter().map(|requested| row.find(&requested.name)), [0.0; 2])
            }
            (_, JsonValue::Object(_)) => self.reject(&|| "an object, but other rows are arrays".to_owned()),
            (_, JsonValue::Array(_)) => self.reject(&|| "an array, but other rows are objects".to_owned()),
            (_, JsonValue::Plain(value)) => {
                let found = if first(value) == b'"' { quoted(&text(value)) } else { (*value).to_owned() };
                self.reject(&|| format!("{found} is not a row; expected [x, y], [x, y, weight] or an object"))
            }
        }
    }

    fn array(&mut self, values: &[&str]) -> Flow {
        let length = values.len();
        if length < 2 && self.json.layout.names.is_none() {
            return self.reject(&|| format!("an array of length {length}; expected [x, y] or [x, y, weight]"));
        }
        let columns = self.scan.request.columns.iter();
        self.push(columns.map(|requested| values.get(requested.index?).copied()), [0.0; 2])
    }

    fn feature(&mut self, feature: &JsonValue<'_>, crs: Option<&str>) -> Flow {
        if let Some(crs) = crs.and_then(|crs| self.other_crs(&JsonValue::of(crs))) {
            let first = self.json.layout.crs.as_deref().unwrap_or("WGS 84");
            return self.reject(&|| format!("the coordinates are in {crs}, those of the first feature in {first}"));
        }
        let properties = JsonValue::of(feature.get("properties").unwrap_or("null"));
        let outer = |name| feature.find(name).filter(|_| !is_defined(name));
        let columns = self.scan.request.columns.iter();
        let values = columns.map(|requested| properties.find(&requested.name).or_else(|| outer(&requested.name)));
        if !self.batch.has_positions() {
            return self.push(values, [0.0; 2]);
        }
        let values: Vec<_> = values.collect();
        let mut positions = std::mem::take(&mut self.positions);
        positions.clear();
        let flow = match add_positions(feature, &mut positions) {
            Err(reason) => self.reject(&|| reason.clone().into_owned()),
            Ok(()) => positions.iter().try_for_each(|position| match position {
                Some(position) => self.push(values.iter().copied(), *position),
                None => self.reject(&|| INVALID_POSITION.to_owned()),
            }),
        };
        self.positions = positions;
        flow
    }

    /// The name of a coordinate reference system if it differs from that of the schema.
    fn other_crs(&self, crs: &JsonValue<'_>) -> Option<String> {
        let Json { layout, uses_declared_crs, .. } = self.json;
        let is_used = layout.shape == Shape::Features && *uses_declared_crs;
        crs_name(crs).filter(|crs| is_used && Some(crs) != layout.crs.as_ref())
    }
}

/// Whether `name` is a member that the GeoJSON specification defines for features or geometries.
pub(super) fn is_defined(name: &str) -> bool {
    matches!(name, "type" | "properties" | "geometry" | "geometries" | "coordinates" | "bbox" | "crs")
}

fn flow(control_flow: ControlFlow<()>) -> Flow {
    if control_flow.is_break() { Err(Halt::Stopped) } else { Ok(()) }
}
