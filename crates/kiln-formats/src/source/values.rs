//! Batches built row by row from the values of typed formats.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::BinaryBuilder;
use arrow_schema::{DataType, Field, Schema};

use super::builder::{ColumnBuilder, send_batch};
use super::columns::{EXTENSION_METADATA, EXTENSION_NAME};
use super::table::{BatchSink, PartResult, Request, RequestedColumn, ValueType};
use kiln_core::source::batch::Batch;

/// A value of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    not(any(feature = "flatgeobuf", feature = "geopackage")),
    allow(dead_code, reason = "the other formats have text only")
)]
pub(super) enum Value<'v> {
    /// No value.
    Null,
    /// An integer, converted without loss if strings are requested.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A string. An empty one counts as null.
    Text(&'v str),
    /// Bytes, such as a geometry in WKB. Null in a column that the schema does not list as binary.
    Bytes(&'v [u8]),
}

/// Collects the rows of a part into batches of the requested columns and sends them to a [`BatchSink`].
pub(super) struct ValueRows<'r> {
    name: &'r str,
    requested: &'r [RequestedColumn],
    columns: Vec<Column>,
    rows: usize,
    sink: &'r mut dyn BatchSink,
}

enum Column {
    Values(ValueType, ColumnBuilder),
    Bytes(BinaryBuilder),
}

impl<'r> ValueRows<'r> {
    /// An empty batch of the columns of `request`, which are listed in `schema`. `name` is the input name for messages.
    pub(super) fn new(name: &'r str, schema: &Schema, request: &'r Request<'_>, sink: &'r mut dyn BatchSink) -> Self {
        let is_binary = |column: &RequestedColumn| {
            column
                .index
                .is_some_and(|index| schema.fields().get(index).is_some_and(|f| *f.data_type() == DataType::Binary))
        };
        let columns = request.columns.iter().map(|column| {
            if is_binary(column) {
                Column::Bytes(BinaryBuilder::new())
            } else {
                Column::Values(column.value_type, ColumnBuilder::new(column.value_type))
            }
        });
        Self { name, requested: &request.columns, columns: columns.collect(), rows: 0, sink }
    }

    /// Adds a row. `value` returns the value of a requested column by its index in the request.
    pub(super) fn push<'v>(&mut self, mut value: impl FnMut(usize) -> Value<'v>) -> PartResult {
        for (index, column) in self.columns.iter_mut().enumerate() {
            match (column, value(index)) {
                (Column::Bytes(column), Value::Bytes(bytes)) => column.append_value(bytes),
                (Column::Bytes(column), _) => column.append_null(),
                (Column::Values(_, column), Value::Null | Value::Bytes(_) | Value::Text("")) => column.push_null(),
                (Column::Values(ValueType::Text, column), Value::Integer(integer)) => {
                    column.push_text(&integer.to_string());
                }
                (Column::Values(ValueType::Number, column), Value::Integer(integer)) => {
                    column.push_number(integer as f64);
                }
                (Column::Values(_, column), Value::Number(number)) => column.push_number(number),
                (Column::Values(_, column), Value::Text(text)) => column.push_text(text),
            }
        }
        self.rows += 1;
        if self.rows >= Batch::ROWS { self.flush() } else { Ok(ControlFlow::Continue(())) }
    }

    /// Rejects a row, after sending the rows before it.
    pub(super) fn reject(&mut self, reason: &dyn Fn() -> String) -> PartResult {
        if self.flush()?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        Ok(self.sink.reject(reason))
    }

    /// Sends the buffered rows.
    pub(super) fn flush(&mut self) -> PartResult {
        let columns = self.requested.iter().zip(self.columns.iter_mut().map(Column::finish));
        send_batch(self.name, columns, std::mem::take(&mut self.rows), self.sink)
    }

    /// Reports that `bytes` more bytes of the input were read.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.sink.advance(bytes);
    }
}

impl Column {
    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Values(_, column) => column.finish(),
            Self::Bytes(column) => Arc::new(column.finish()),
        }
    }
}

/// The field of a WKB geometry column. `crs` is the name of the coordinate reference system or its definition in WKT.
pub(super) fn wkb_field(name: &str, crs: Option<&str>) -> Field {
    let mut metadata = HashMap::from([(EXTENSION_NAME.to_owned(), "geoarrow.wkb".to_owned())]);
    if let Some(crs) = crs {
        metadata.insert(EXTENSION_METADATA.to_owned(), serde_json::json!({ "crs": crs }).to_string());
    }
    Field::new(name, DataType::Binary, true).with_metadata(metadata)
}

/// Replaces the content of `wkb` with a `MultiPoint`, or with the first of `points` as a `Point`. Coordinates are
/// little-endian, x first.
pub(super) fn write_wkb(points: &[[u8; 16]], is_multiple: bool, wkb: &mut Vec<u8>) {
    wkb.clear();
    if is_multiple {
        wkb.extend([1, 4, 0, 0, 0]);
        wkb.extend((points.len() as u32).to_le_bytes());
    }
    for point in points.iter().take(if is_multiple { points.len() } else { 1 }) {
        wkb.extend([1, 1, 0, 0, 0]);
        wkb.extend(point);
    }
}
