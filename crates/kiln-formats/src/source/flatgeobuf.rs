//! `FlatGeobuf` files as tables.
//!
//! The crate `flatgeobuf` verifies and reads the header and the features. Its file reader is not used: it allocates the
//! size that a feature declares, reads truncated files without an error, and panics on damaged properties.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use ::flatgeobuf::packed_r_tree::PackedRTree;
use ::flatgeobuf::{
    ColumnType, Crs, Feature, GeometryType, size_prefixed_root_as_feature, size_prefixed_root_as_header,
};
use arrow_schema::{DataType, Field, Schema};

use super::format::Format;
use super::geometry::decode::GeometryError;
use super::read_error;
use super::table::{BatchSink, Nouns, PartResult, Request, Table, TableScan};
use super::values::{Value, ValueRows, wkb_field, write_wkb};
use kiln_core::error::{Error, Result};

/// A `FlatGeobuf` file: a row per feature.
#[derive(Debug)]
pub(super) struct FlatGeobuf {
    path: PathBuf,
    name: String,
    bytes: u64,
    /// The offset of the first feature.
    start: u64,
    /// The number of features; 0 if it is unknown.
    features: u64,
    geometry_type: GeometryType,
    /// The types of the properties.
    types: Vec<ColumnType>,
    schema: Schema,
}

impl FlatGeobuf {
    /// Size of the magic number, including the patch level.
    const MAGIC_BYTES: u64 = 8;
    /// The maximum size of the header and of a feature.
    const MAX_MESSAGE_BYTES: u64 = 64 << 20;
    /// Size of a node of the spatial index.
    const NODE_BYTES: u64 = 40;

    /// Opens the file offset `path`. `name` is the name of the input in messages.
    pub(super) fn open(path: &Path, name: String) -> Result<Self> {
        let failed = |error| Error::io(&name, "read", error);
        let mut file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let damaged = |reason: &str| Error::input(&name, format!("{reason}; is the file damaged?"));
        let mut magic = Vec::new();
        file.by_ref().take(Self::MAGIC_BYTES).read_to_end(&mut magic).map_err(failed)?;
        Format::FlatGeobuf.check(&magic, &name)?;
        let mut messages =
            MessageReader { source: file, remaining: bytes.saturating_sub(Self::MAGIC_BYTES), message: Vec::new() };
        if !messages.next().map_err(|error| error.for_input(&name))? {
            return Err(damaged("the header is missing"));
        }
        let header = size_prefixed_root_as_header(&messages.message).map_err(|_| damaged("the header is invalid"))?;
        let (features, node_size) = (header.features_count(), header.index_node_size());
        let index_bytes = match (features, node_size) {
            (0, _) | (_, 0) => 0,
            (_, 1) => return Err(damaged("the spatial index is invalid")),
            // Each feature has a node, so this limit prevents an overflow of the number of nodes.
            _ if features > messages.remaining / Self::NODE_BYTES => {
                return Err(damaged("the spatial index exceeds the file"));
            }
            _ => PackedRTree::index_size(features as usize, node_size) as u64,
        };
        let start = (bytes - messages.remaining).checked_add(index_bytes).filter(|&start| start <= bytes);
        let start = start.ok_or_else(|| damaged("the spatial index exceeds the file"))?;
        let mut fields = vec![wkb_field("geometry", header.crs().and_then(reference_system).as_deref())];
        let mut types = Vec::new();
        for column in header.columns().iter().flatten() {
            fields.push(Field::new(column.name(), data_type(column.type_()), true));
            types.push(column.type_());
        }
        let (geometry_type, schema) = (header.geometry_type(), Schema::new(fields));
        Ok(Self { path: path.to_owned(), name, bytes, start, features, geometry_type, types, schema })
    }
}

impl Table for FlatGeobuf {
    fn name(&self) -> &str {
        &self.name
    }

    fn nouns(&self) -> Nouns {
        Nouns { row: "feature", column: "property" }
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        Ok(Box::new(FlatGeobufScan { file: self, request }))
    }
}

struct FlatGeobufScan<'t> {
    file: &'t FlatGeobuf,
    request: &'t Request<'t>,
}

impl TableScan for FlatGeobufScan<'_> {
    fn parts(&self) -> usize {
        1
    }

    fn bytes(&self) -> u64 {
        self.file.bytes - self.file.start
    }

    fn read_part(&self, _: usize, rows: &mut dyn BatchSink) -> PartResult {
        let FlatGeobuf { path, name, start, features, geometry_type, types, schema, .. } = self.file;
        let mut rows = ValueRows::new(name, schema, self.request, rows);
        let mut source = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(|e| read_error(name, e))?);
        source.seek_relative(*start as i64).map_err(|error| read_error(name, error))?;
        let mut messages = MessageReader { source, remaining: self.bytes(), message: Vec::new() };
        let (mut wkb, mut spans, mut count, mut reported) = (Vec::new(), Vec::new(), 0, messages.remaining);
        while (*features == 0 || count < *features) && messages.next().map_err(|error| error.for_input(name))? {
            count += 1;
            if reported - messages.remaining >= PROGRESS_BYTES {
                rows.advance(reported - messages.remaining);
                reported = messages.remaining;
            }
            let feature = size_prefixed_root_as_feature(&messages.message).ok();
            let properties = feature.and_then(|feature| feature.properties()).map_or(&[][..], |bytes| bytes.bytes());
            let geometry = feature.map(|feature| geometry(feature, *geometry_type, &mut wkb));
            let is_valid = find_values(properties, types, &mut spans).is_some();
            let flow = match geometry {
                None => rows.reject(&|| "the feature is invalid".to_owned()),
                Some(Err(kind)) => rows.reject(&|| GeometryError::NotAPoint(kind.into()).to_string()),
                Some(Ok(_)) if !is_valid => rows.reject(&|| "the properties are invalid".to_owned()),
                Some(Ok(has_geometry)) => {
                    rows.push(|index| match self.request.columns.get(index).and_then(|c| c.index) {
                        Some(0) if has_geometry => Value::Bytes(&wkb),
                        Some(column @ 1..) => {
                            let span = spans.get(column - 1).cloned().flatten();
                            span.and_then(|span| value(types[column - 1], properties.get(span)?)).unwrap_or(Value::Null)
                        }
                        _ => Value::Null,
                    })
                }
            };
            if flow?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if count < *features {
            let message = format!("it has {count} of {features} features; was the file truncated?");
            return Err(Error::input(name, message));
        }
        rows.advance(reported);
        rows.flush()
    }
}

const BUFFER_BYTES: usize = 1 << 18;

/// Bytes between two progress reports.
const PROGRESS_BYTES: u64 = 1 << 20;

/// Reads the size-prefixed messages of a file.
struct MessageReader<R> {
    source: R,
    remaining: u64,
    message: Vec<u8>,
}

/// An error of reading a message.
enum MessageError {
    Io(std::io::Error),
    Size(u64),
}

impl MessageError {
    /// Converts to the error for the input called `name`.
    fn for_input(self, name: &str) -> Error {
        match self {
            Self::Io(error) => read_error(name, error),
            Self::Size(size) => Error::input(
                name,
                format!("a message of {size} bytes exceeds the file or 64 MiB; was the file truncated?"),
            ),
        }
    }
}

impl<R: Read> MessageReader<R> {
    /// Reads the next message, including its size; returns `false` offset the end of the file.
    fn next(&mut self) -> std::result::Result<bool, MessageError> {
        let mut size = [0; 4];
        if self.remaining < size.len() as u64 {
            return Ok(false);
        }
        self.source.read_exact(&mut size).map_err(MessageError::Io)?;
        self.remaining -= size.len() as u64;
        let bytes = u64::from(u32::from_le_bytes(size));
        if bytes > self.remaining || bytes > FlatGeobuf::MAX_MESSAGE_BYTES {
            return Err(MessageError::Size(bytes));
        }
        self.message.resize(size.len() + bytes as usize, 0);
        let (prefix, rest) = self.message.split_at_mut(size.len());
        prefix.copy_from_slice(&size);
        self.source.read_exact(rest).map_err(MessageError::Io)?;
        self.remaining -= bytes;
        Ok(true)
    }
}

/// Writes the geometry of `feature` to `wkb` and returns whether it has one; the error is the name of another geometry
/// type.
fn geometry(
    feature: Feature<'_>,
    declared: GeometryType,
    wkb: &mut Vec<u8>,
) -> std::result::Result<bool, &'static str> {
    let Some(geometry) = feature.geometry() else { return Ok(false) };
    let kind = if declared == GeometryType::Unknown { geometry.type_() } else { declared };
    let is_multiple = match kind {
        GeometryType::Point => false,
        GeometryType::MultiPoint => true,
        kind => return Err(kind.variant_name().unwrap_or("an unknown geometry")),
    };
    let points = geometry.xy().map_or(&[][..], |xy| xy.bytes().as_chunks().0);
    write_wkb(points, is_multiple, wkb);
    Ok(is_multiple || !points.is_empty())
}

/// Finds the byte range of each property; `None` if the properties are invalid.
fn find_values(properties: &[u8], types: &[ColumnType], spans: &mut Vec<Option<Range<usize>>>) -> Option<()> {
    spans.clear();
    spans.resize(types.len(), None);
    let mut offset = 0;
    // Some writers append a byte.
    while let Some(column) = properties.get(offset..).and_then(<[u8]>::first_chunk) {
        let column = usize::from(u16::from_le_bytes(*column));
        offset += 2;
        let bytes = match *types.get(column)? {
            ColumnType::Byte | ColumnType::UByte | ColumnType::Bool => 1,
            ColumnType::Short | ColumnType::UShort => 2,
            ColumnType::Int | ColumnType::UInt | ColumnType::Float => 4,
            ColumnType::Long | ColumnType::ULong | ColumnType::Double => 8,
            ColumnType::String | ColumnType::Json | ColumnType::DateTime | ColumnType::Binary => {
                let bytes = u32::from_le_bytes(*properties.get(offset..)?.first_chunk()?);
                offset += 4;
                bytes as usize
            }
            _ => return None,
        };
        let end = offset.checked_add(bytes).filter(|&end| end <= properties.len())?;
        *spans.get_mut(column)? = Some(offset..end);
        offset = end;
    }
    Some(())
}

/// Decodes the value of a property; `None` for a text that is not valid UTF-8.
fn value(kind: ColumnType, bytes: &[u8]) -> Option<Value<'_>> {
    macro_rules! number {
        ($type:ty) => {
            <$type>::from_le_bytes(*bytes.first_chunk()?)
        };
    }
    Some(match kind {
        ColumnType::Byte => Value::Integer(number!(i8).into()),
        ColumnType::UByte => Value::Integer(number!(u8).into()),
        ColumnType::Bool => Value::Text(if bytes == [0] { "false" } else { "true" }),
        ColumnType::Short => Value::Integer(number!(i16).into()),
        ColumnType::UShort => Value::Integer(number!(u16).into()),
        ColumnType::Int => Value::Integer(number!(i32).into()),
        ColumnType::UInt => Value::Integer(number!(u32).into()),
        ColumnType::Long => Value::Integer(number!(i64)),
        ColumnType::ULong => {
            let number = number!(u64);
            i64::try_from(number).map_or(Value::Number(number as f64), Value::Integer)
        }
        ColumnType::Float => Value::Number(number!(f32).into()),
        ColumnType::Double => Value::Number(number!(f64)),
        ColumnType::String | ColumnType::Json | ColumnType::DateTime => Value::Text(str::from_utf8(bytes).ok()?),
        ColumnType::Binary => Value::Bytes(bytes),
        _ => return None,
    })
}

fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Float | ColumnType::Double | ColumnType::ULong => DataType::Float64,
        ColumnType::String | ColumnType::Json | ColumnType::DateTime | ColumnType::Bool => DataType::Utf8,
        ColumnType::Binary => DataType::Binary,
        _ => DataType::Int64,
    }
}

/// The EPSG code or the WKT of a reference system.
fn reference_system(crs: Crs<'_>) -> Option<String> {
    let is_epsg = crs.org().is_none_or(|organization| organization.eq_ignore_ascii_case("EPSG"));
    if is_epsg && crs.code() > 0 { Some(format!("EPSG:{}", crs.code())) } else { crs.wkt().map(str::to_owned) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
