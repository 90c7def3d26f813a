//! Shapefiles as tables: points from a `.shp` file, with the columns of the `.dbf` file of the same name.
//!
//! The crates `shapefile` 0.9 and `dbase` 0.8 are not used because they assign wrong values to points: a deleted record
//! in the `.dbf` file shifts all records after it, and numbers of the type `F`, such as Unix times, are rounded to 32
//! bits. They also reject files whose date is zero or that have a column of an unknown type.

mod dbf;
mod shp;

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow_schema::{DataType, Field, Schema};

use super::geometry::decode::GeometryError;
use super::read_error;
use super::table::{BatchSink, Nouns, PartResult, Request, Table, TableScan};
use super::values::{Value, ValueRows, wkb_field};
use dbf::{Dbf, Records};
use kiln_core::error::{Error, Result};
use kiln_core::source::ReadOptions;
use shp::{Shape, Shapes};

/// A shapefile of points: a row per shape.
#[derive(Debug)]
pub(super) struct Shapefile {
    path: PathBuf,
    name: String,
    /// Size of the `.shp` file, as declared in its header.
    bytes: u64,
    dbf: Option<Dbf>,
    schema: Schema,
}

impl Shapefile {
    const GEOMETRY: &str = "geometry";
    /// The maximum number of bytes read from a `.prj` or `.cpg` file.
    const MAX_TEXT_BYTES: u64 = 1 << 16;

    /// Opens the `.shp` file at `path`, and its `.dbf`, `.cpg` and `.prj` files if they exist. `name` is the name of the
    /// input in messages. Text is decoded with the encoding of `options`; if unset, with that of the `.cpg` file, then
    /// that of the `.dbf` file.
    pub(super) fn open(path: &Path, name: String, options: &ReadOptions) -> Result<Self> {
        let failed = |error| Error::io(&name, "read", error);
        let file = File::open(path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let Some(bytes) = shp::declared_bytes(file).map_err(failed)? else {
            return Err(Error::input(&name, "not a shapefile: invalid or missing 100-byte file header"));
        };
        if bytes > file_bytes {
            let message = format!("truncated file: {file_bytes} bytes, but the header declares {bytes}");
            return Err(Error::input(&name, message));
        }
        let text = |extension| {
            let mut text = Vec::new();
            let file = File::open(sibling(path, extension)?).ok()?;
            file.take(Self::MAX_TEXT_BYTES).read_to_end(&mut text).ok()?;
            Some(String::from_utf8_lossy(&text).trim().to_owned())
        };
        let label = options.encoding.clone().or_else(|| text("cpg"));
        let encoding = label.and_then(|label| dbf::encoding_of_label(&label));
        let dbf = sibling(path, "dbf").map(|path| Dbf::open(path, encoding)).transpose()?;
        let mut fields = vec![wkb_field(Self::GEOMETRY, text("prj").as_deref())];
        let columns = dbf.iter().flat_map(Dbf::columns);
        fields.extend(columns.map(|(name, is_number)| {
            Field::new(name, if is_number { DataType::Float64 } else { DataType::Utf8 }, true)
        }));
        Ok(Self { path: path.to_owned(), name, bytes, dbf, schema: Schema::new(fields) })
    }
}

/// The existing file with the name of `path` and another extension, in lower or upper case.
fn sibling(path: &Path, extension: &str) -> Option<PathBuf> {
    let paths = [extension.to_owned(), extension.to_ascii_uppercase()].map(|extension| path.with_extension(extension));
    paths.into_iter().find(|path| path.is_file())
}

impl Table for Shapefile {
    fn name(&self) -> &str {
        &self.name
    }

    fn nouns(&self) -> Nouns {
        Nouns { row: "shape", column: "column" }
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        Ok(Box::new(ShapefileScan { shapefile: self, request }))
    }
}

struct ShapefileScan<'t> {
    shapefile: &'t Shapefile,
    request: &'t Request<'t>,
}

impl ShapefileScan<'_> {
    /// Bytes between two progress reports.
    const PROGRESS_BYTES: u64 = 1 << 20;
}

impl TableScan for ShapefileScan<'_> {
    fn parts(&self) -> usize {
        1
    }

    fn bytes(&self) -> u64 {
        self.shapefile.bytes
    }

    fn read_part(&self, _: usize, rows: &mut dyn BatchSink) -> PartResult {
        let Shapefile { path, name, bytes, dbf, schema } = self.shapefile;
        let mut rows = ValueRows::new(name, schema, self.request, rows);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => Error::input(name, error.to_string()),
            _ => read_error(name, error),
        };
        let mut shapes = Shapes::open(path, *bytes).map_err(failed)?;
        // The geometry is the first column.
        let mut records = dbf.as_ref().map(|dbf| Records::open(dbf, self.request, 1)).transpose()?;
        let mut reported = 0;
        loop {
            if shapes.offset() - reported >= Self::PROGRESS_BYTES {
                rows.advance(shapes.offset() - reported);
                reported = shapes.offset();
            }
            let Some(shape) = shapes.next().map_err(failed)? else { break };
            let is_deleted = records.as_mut().map_or(Ok(false), Records::next)?;
            let flow = match shape {
                _ if is_deleted => rows.reject(&|| "the record in the .dbf file is deleted".to_owned()),
                Shape::Other(kind) => rows.reject(&|| GeometryError::NotAPoint(kind.into()).to_string()),
                Shape::Null | Shape::Points(_) => rows.push(|index| match (&shape, &records) {
                    (Shape::Points(wkb), _) if self.request.columns[index].index == Some(0) => Value::Bytes(wkb),
                    (_, records) => records.as_ref().map_or(Value::Null, |records| records.get(index)),
                }),
            };
            if flow?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        rows.advance(bytes - reported);
        rows.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
