//! Tables of `GeoPackage` files and other `SQLite` databases.

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

/// A table of a GeoPackage or another `SQLite` database.
#[derive(Debug)]
pub(super) struct GeoPackage {
    path: PathBuf,
    name: String,
    bytes: u64,
    table: String,
    /// The name of the column of row IDs.
    row_id: &'static str,
    schema: Schema,
}

impl GeoPackage {
    /// Parts per worker, because row IDs may be distributed unevenly.
    const PARTS_PER_WORKER: usize = 4;
    /// The maximum size of a text or geometry.
    const MAX_VALUE_BYTES: i32 = 64 << 20;

    /// Opens the database at `path` to read the table that `options.records` names. Default: its only feature table, or
    /// its only table if it is not a GeoPackage. `name` is the name of the input in messages.
    pub(super) fn open(path: &Path, name: String, options: &ReadOptions) -> Result<Self> {
        let bytes = std::fs::metadata(path).map_err(|error| Error::io(&name, "read", error))?.len();
        let connection = connect(path).map_err(|error| database_error(&name, &error))?;
        let table = select_table(&connection, &name, options.records.as_deref())?;
        let columns = columns(&connection, &table).map_err(|error| database_error(&name, &error))?;
        let is_free = |id: &&str| !columns.iter().any(|column| column.name().eq_ignore_ascii_case(id));
        let Some(row_id) = ["rowid", "_rowid_", "oid"].into_iter().find(is_free) else {
            return Err(Error::input(
                &name,
                format!("the columns of table `{table}` use all names of the row ID: rowid, _rowid_ and oid"),
            ));
        };
        Ok(Self { path: path.to_owned(), name, bytes, table, row_id, schema: Schema::new(columns) })
    }

    /// Splits the row IDs into about `count` ranges.
    fn parts(&self, count: usize) -> rusqlite::Result<Vec<RangeInclusive<i64>>> {
        let (table, id) = (quote(&self.table), self.row_id);
        // Each of the two subqueries is one index lookup; min and max in one query would scan the table.
        let sql = format!("SELECT (SELECT min({id}) FROM {table}), (SELECT max({id}) FROM {table})");
        let range = connect(&self.path)?.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)): (Option<i64>, Option<i64>) = range else { return Ok(Vec::new()) };
        let rows = i128::from(last) - i128::from(first) + 1;
        let count = (count as i128).clamp(1, rows.max(1));
        // The boundary is between `first` and `last`, so it fits in 64 bits.
        let boundary = |part: i128| (i128::from(first) + rows * part / count) as i64;
        Ok((0..count)
            .map(|part| boundary(part)..=(if part + 1 < count { boundary(part + 1) - 1 } else { last }))
            .collect())
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
        let parts = self.parts(count).map_err(|error| database_error(&self.name, &error))?;
        Ok(Box::new(GeoPackageScan { source: self, request, parts }))
    }
}

struct GeoPackageScan<'t> {
    source: &'t GeoPackage,
    request: &'t Request<'t>,
    parts: Vec<RangeInclusive<i64>>,
}

impl GeoPackageScan<'_> {
    fn sql(&self) -> String {
        let GeoPackage { table, row_id, schema, .. } = self.source;
        let column = |index: Option<usize>| match index.and_then(|index| schema.fields().get(index)) {
            Some(field) => quote(field.name()),
            None => "NULL".to_owned(),
        };
        let columns = self.request.columns.iter().map(|requested| format!(", {}", column(requested.index)));
        let (columns, table) = (columns.collect::<String>(), quote(table));
        format!("SELECT {row_id}{columns} FROM {table} WHERE {row_id} BETWEEN ?1 AND ?2 ORDER BY {row_id}")
    }
}

impl TableScan for GeoPackageScan<'_> {
    fn parts(&self) -> usize {
        self.parts.len()
    }

    fn bytes(&self) -> u64 {
        self.source.bytes
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let Some(range) = self.parts.get(part) else { return Ok(ControlFlow::Continue(())) };
        let GeoPackage { path, name, bytes, schema, .. } = self.source;
        let failed = |error| database_error(name, &error);
        let connection = connect(path).map_err(failed)?;
        let mut statement = connection.prepare(&self.sql()).map_err(failed)?;
        let mut results = statement.query((range.start(), range.end())).map_err(failed)?;
        let mut rows = ValueRows::new(name, schema, self.request, rows);
        let mut last = None;
        while let Some(row) = results.next().map_err(failed)? {
            let id = row.get(0).map_err(failed)?;
            // The pages of a hostile database may form a cycle.
            if last.replace(id).is_some_and(|last: i64| last >= id) {
                return Err(Error::input(name, "the rows are out of order; is the file damaged?"));
            }
            if rows.push(|index| value(row, index + 1))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        rows.advance(bytes / self.parts.len() as u64);
        rows.flush()
    }
}

/// The value in a column of `row`. A text is truncated at the first byte that is not valid UTF-8.
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
fn database_error(name: &str, error: &rusqlite::Error) -> Error {
    Error::input(name, format!("the database cannot be read: {error}"))
}

/// Opens the database at `path` for reading, with views, triggers and unsafe functions of its schema disabled.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let has_file = |suffix: &str| {
        let mut path = OsString::from(path);
        path.push(suffix);
        std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
    };
    // Without these two files there is no writer, and neither locks nor shared memory are needed.
    let immutable = if has_file("-wal") || has_file("-journal") { "" } else { "&immutable=1" };
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

/// Quotes an identifier for SQL.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The maximum number of rows that are read of a metadata table.
const MAX_METADATA_ROWS: u32 = 100_000;

/// Selects the table to read: `named`, or the only candidate.
fn select_table(connection: &Connection, name: &str, named: Option<&str>) -> Result<String> {
    let list = |sql: &str| -> Result<Vec<String>> {
        let list = || -> rusqlite::Result<_> {
            connection.prepare(sql)?.query_map([MAX_METADATA_ROWS], |row| row.get(0))?.collect()
        };
        list().map_err(|error| database_error(name, &error))
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
        (Some(named), _) => message!(format!("there is no table `{named}`; expected {}", tables.join(", "))),
        (None, []) => message!("there is no table with points"),
        (None, _) => {
            message!(format!("there are several tables: {}; name one with ", tables.join(", ")), Parameter::RECORDS)
        }
    };
    Err(Error::input(name, message))
}

/// The columns of `table`.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Field>> {
    // The query fails if the database is not a GeoPackage.
    let geometry =
        "SELECT column_name, srs_id FROM (SELECT * FROM gpkg_geometry_columns LIMIT ?1) WHERE table_name = ?2";
    let geometry: Option<(String, i64)> = connection
        .query_row(geometry, (MAX_METADATA_ROWS, table), |row| Ok((row.get(0)?, row.get(1)?)))
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

/// The EPSG code or the WKT of a reference system; `None` if it is undefined.
fn reference_system(connection: &Connection, id: i64) -> Option<String> {
    let sql = "SELECT organization, organization_coordsys_id, definition \
               FROM (SELECT * FROM gpkg_spatial_ref_sys LIMIT ?1) WHERE srs_id = ?2";
    let row = connection.query_row(sql, (MAX_METADATA_ROWS, id), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
    });
    // The IDs 0 and -1 mean an undefined system.
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
