//! GeoPackage, and other `SQLite` databases: points from one of their tables.

use std::ffi::OsString;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};

use arrow_schema::{DataType, Field, Schema};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

use super::table::{BatchSink, PartResult, Request, Table, TableScan};
use super::values::{Value, ValueRows, wkb_field};
use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parameter::Parameter;
use kiln_core::source::ReadOptions;

/// A table of a GeoPackage, or of another `SQLite` database.
#[derive(Debug)]
pub(super) struct GeoPackage {
    path: PathBuf,
    name: String,
    bytes: u64,
    table: String,
    /// The name that stands for the number of a row.
    row_id: &'static str,
    schema: Schema,
}

impl GeoPackage {
    /// Parts per worker, as rows may lie unevenly.
    const PARTS_PER_WORKER: usize = 4;
    /// Longest text or geometry that is read.
    const MAX_VALUE_BYTES: i32 = 64 << 20;

    /// Opens the database at `path`, which messages call `name`, to read the table whose name the options have for `records`.
    /// Default: its only table of features, or its only table if it is no GeoPackage.
    pub(super) fn open(path: &Path, name: String, options: &ReadOptions) -> Result<Self> {
        let bytes = std::fs::metadata(path).map_err(|error| Error::io(&name, "read", error))?.len();
        let connection = connect(path).map_err(|error| broken(&name, &error))?;
        let table = choose(&connection, &name, options.records.as_deref())?;
        let columns = columns(&connection, &table).map_err(|error| broken(&name, &error))?;
        let is_free = |id: &&str| !columns.iter().any(|column| column.name().eq_ignore_ascii_case(id));
        let Some(row_id) = ["rowid", "_rowid_", "oid"].into_iter().find(is_free) else {
            return Err(Error::input(&name, format!("the columns of table `{table}` hide its row numbers")));
        };
        Ok(Self { path: path.to_owned(), name, bytes, table, row_id, schema: Schema::new(columns) })
    }

    /// Ranges of row numbers, about `count` of them.
    fn parts(&self, count: usize) -> rusqlite::Result<Vec<RangeInclusive<i64>>> {
        let (table, id) = (quoted(&self.table), self.row_id);
        // Each of the two is one look-up; asked for together they would be a pass over the table.
        let sql = format!("SELECT (SELECT min({id}) FROM {table}), (SELECT max({id}) FROM {table})");
        let range = connect(&self.path)?.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)): (Option<i64>, Option<i64>) = range else { return Ok(Vec::new()) };
        let rows = i128::from(last) - i128::from(first) + 1;
        let count = (count as i128).clamp(1, rows.max(1));
        // The quotient is within the range, and so are 64 bits.
        let cut = |part: i128| (i128::from(first) + rows * part / count) as i64;
        Ok((0..count).map(|part| cut(part)..=(if part + 1 < count { cut(part + 1) - 1 } else { last })).collect())
    }
}

impl Table for GeoPackage {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> Result<Box<dyn TableScan + 't>> {
        let count = if request.workers > 1 { request.workers * Self::PARTS_PER_WORKER } else { 1 };
        let parts = self.parts(count).map_err(|error| broken(&self.name, &error))?;
        Ok(Box::new(Scan { source: self, request, parts }))
    }
}

struct Scan<'t> {
    source: &'t GeoPackage,
    request: &'t Request<'t>,
    parts: Vec<RangeInclusive<i64>>,
}

impl Scan<'_> {
    fn sql(&self) -> String {
        let GeoPackage { table, row_id, schema, .. } = self.source;
        let column = |index: Option<usize>| match index.and_then(|index| schema.fields().get(index)) {
            Some(field) => quoted(field.name()),
            None => "NULL".to_owned(),
        };
        let columns = self.request.columns.iter().map(|requested| format!(", {}", column(requested.index)));
        let (columns, table) = (columns.collect::<String>(), quoted(table));
        format!("SELECT {row_id}{columns} FROM {table} WHERE {row_id} BETWEEN ?1 AND ?2 ORDER BY {row_id}")
    }
}

impl TableScan for Scan<'_> {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn bytes(&self) -> u64 {
        self.source.bytes
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let Some(range) = self.parts.get(part) else { return Ok(ControlFlow::Continue(())) };
        let GeoPackage { path, name, bytes, schema, .. } = self.source;
        let failed = |error| broken(name, &error);
        let connection = connect(path).map_err(failed)?;
        let mut statement = connection.prepare(&self.sql()).map_err(failed)?;
        let mut found = statement.query((range.start(), range.end())).map_err(failed)?;
        let mut rows = ValueRows::new(name, schema, self.request, rows);
        let mut last = None;
        while let Some(row) = found.next().map_err(failed)? {
            let id = row.get(0).map_err(failed)?;
            // The pages of a hostile database may lead in circles.
            if last.replace(id).is_some_and(|last: i64| last >= id) {
                return Err(Error::input(name, "its rows are out of order; is the file damaged?"));
            }
            if rows.push(|place| value(row, place + 1))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        rows.advance(bytes / self.parts.len() as u64);
        rows.flush()
    }
}

/// The value in a column of `row`. A text ends where it is no longer UTF-8.
fn value<'r>(row: &'r Row<'_>, column: usize) -> Value<'r> {
    match row.get_ref(column) {
        Ok(ValueRef::Integer(integer)) => Value::Integer(integer),
        Ok(ValueRef::Real(number)) => Value::Number(number),
        Ok(ValueRef::Text(text)) => Value::Text(text.utf8_chunks().next().map_or("", |chunk| chunk.valid())),
        Ok(ValueRef::Blob(bytes)) => Value::Bytes(bytes),
        Ok(ValueRef::Null) | Err(_) => Value::Null,
    }
}

/// The error of the input called `name`.
fn broken(name: &str, error: &rusqlite::Error) -> Error {
    Error::input(name, format!("the database cannot be read: {error}"))
}

/// Opens the database at `path` for reading. Views, triggers and unsafe functions of its schema are out of use.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let has = |ending: &str| {
        let mut path = OsString::from(path);
        path.push(ending);
        std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
    };
    // Without these two files there is no writer, and neither a lock nor a file of shared memory is needed.
    let immutable = if has("-wal") || has("-journal") { "" } else { "&immutable=1" };
    let path = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{path}?mode=ro{immutable}"), flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    for config in [
        DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
        DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
    ] {
        connection.set_db_config(config, false)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, GeoPackage::MAX_VALUE_BYTES)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// A name within SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Rows that are read of a table that describes others.
const MAX_DESCRIPTIONS: u32 = 100_000;

/// The table to read: the one that is `named`, or the only one that can be meant.
fn choose(connection: &Connection, name: &str, named: Option<&str>) -> Result<String> {
    let list = |sql: &str| -> Result<Vec<String>> {
        let list = || -> rusqlite::Result<_> {
            connection.prepare(sql)?.query_map([MAX_DESCRIPTIONS], |row| row.get(0))?.collect()
        };
        list().map_err(|error| broken(name, &error))
    };
    let mut tables = list("SELECT name FROM sqlite_master WHERE type = 'table' LIMIT ?1")?;
    if let Some(named) = named.filter(|named| tables.iter().any(|table| table == named)) {
        return Ok(named.to_owned());
    }
    let is_package = tables.iter().any(|table| table == "gpkg_geometry_columns");
    if is_package {
        tables = list("SELECT table_name FROM gpkg_geometry_columns LIMIT ?1")?;
    } else {
        tables.retain(|table| {
            ![
                "sqlite_",
                "gpkg_",
                "rtree_",
                "idx_",
                "geometry_columns",
                "spatial_ref_sys",
                "views_geometry",
                "virts_geometry",
                "spatialite_",
                "spatialindex",
                "elementarygeometries",
                "sql_statements_log",
                "vector_layers",
                "raster_coverages",
                "data_licenses",
                "knn",
            ]
            .iter()
            .any(|prefix| table.to_lowercase().starts_with(prefix))
        });
    }
    let message = match (named, tables.as_slice()) {
        (None, [table]) => return Ok(table.clone()),
        (Some(named), _) => message!(format!("it has no table `{named}`; expected {}", tables.join(", "))),
        (None, []) => message!("it has no table with points"),
        (None, _) => {
            message!(format!("it has several tables: {}; name one with ", tables.join(", ")), Parameter::RECORDS)
        }
    };
    Err(Error::input(name, message))
}

/// The columns of `table`.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Field>> {
    // The look-ups fail where the database is no GeoPackage.
    let geometry =
        "SELECT column_name, srs_id FROM (SELECT * FROM gpkg_geometry_columns LIMIT ?1) WHERE table_name = ?2";
    let geometry: Option<(String, i64)> = connection
        .query_row(geometry, (MAX_DESCRIPTIONS, table), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .unwrap_or_default();
    let mut statement = connection.prepare("SELECT name, type FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let field = |(name, declared): (String, String)| {
        let declared = declared.to_ascii_uppercase();
        let contains = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        let data_type = match geometry.as_ref().filter(|geometry| geometry.0.eq_ignore_ascii_case(&name)) {
            Some((_, system)) => return wkb_field(&name, reference_system(connection, *system).as_deref()),
            None if declared == "BLOB" => DataType::Binary,
            None if contains(&["INT", "BOOL"]) => DataType::Int64,
            None if contains(&["REAL", "FLOA", "DOUB", "NUM", "DEC"]) => DataType::Float64,
            None => DataType::Utf8,
        };
        Field::new(name, data_type, true)
    };
    columns.map(|column| column.map(field)).collect()
}

/// The code or the definition of a reference system; `None` if it is undefined.
fn reference_system(connection: &Connection, id: i64) -> Option<String> {
    let sql = "SELECT organization, organization_coordsys_id, definition \
               FROM (SELECT * FROM gpkg_spatial_ref_sys LIMIT ?1) WHERE srs_id = ?2";
    let row = connection.query_row(sql, (MAX_DESCRIPTIONS, id), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
    });
    // Ids of 0 and -1 stand for no system.
    let Ok((organization, code, definition)) = row else { return (id > 0).then(|| format!("EPSG:{id}")) };
    match organization.to_ascii_uppercase().as_str() {
        "EPSG" if code > 0 => Some(format!("EPSG:{code}")),
        _ if definition.contains('[') => Some(definition),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
