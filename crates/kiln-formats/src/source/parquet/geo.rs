//! Geometry columns: converts the `geo` metadata of `GeoParquet` and Parquet's own geometry types to the field metadata
//! of GeoArrow.

use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema};
use parquet::basic::LogicalType;
use parquet::file::metadata::FileMetaData;
use serde_json::{Value, json};

use crate::source::columns::{EXTENSION_METADATA, EXTENSION_NAME};
use crate::source::nested::Nested;

/// Adds the GeoArrow metadata of the geometry columns of a file to their fields.
///
/// # Errors
/// If the `geo` metadata is invalid, or the encoding of the geometry is not supported.
pub(super) fn declare(columns: &mut Nested, file: &FileMetaData) -> Result<(), String> {
    let pairs = file.key_value_metadata().map_or(&[][..], Vec::as_slice);
    let value = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
    if let Some(text) = value("geo") {
        return declare_primary_column(columns, text);
    }
    for leaf in file.schema_descr().columns() {
        let crs = match leaf.logical_type_ref() {
            Some(LogicalType::Geometry(geometry)) => &geometry.crs,
            Some(LogicalType::Geography(geography)) => &geography.crs,
            _ => continue,
        };
        let crs = crs.as_deref().map(|crs| {
            let text = crs.strip_prefix("projjson:").and_then(value).unwrap_or(crs);
            serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or_else(|| Value::from(text))
        });
        if let Some(index) = columns.paths.iter().position(|path| path == leaf.path().parts()) {
            set_metadata(columns, index, "geoarrow.wkb", crs.as_ref());
        }
    }
    Ok(())
}

/// Adds the GeoArrow metadata of the primary column of `GeoParquet`.
fn declare_primary_column(columns: &mut Nested, text: &str) -> Result<(), String> {
    let geo: Value =
        serde_json::from_str(text).map_err(|error| format!("the `geo` metadata is not valid JSON: {error}"))?;
    let name = geo["primary_column"].as_str().unwrap_or("geometry");
    let column = &geo["columns"][name];
    let encoding = column["encoding"].as_str().unwrap_or("WKB");
    let extension = match encoding.to_ascii_lowercase().as_str() {
        "wkb" => "geoarrow.wkb",
        "point" => "geoarrow.point",
        "multipoint" => "geoarrow.multipoint",
        _ => {
            return Err(format!(
                "unsupported encoding {encoding} of the geometry `{name}`; expected WKB, point or multipoint"
            ));
        }
    };
    let index = columns.paths.iter().position(|path| path.len() == 1 && path[0].eq_ignore_ascii_case(name));
    let index =
        index.ok_or_else(|| format!("the `geo` metadata names the geometry `{name}`, but there is no such column"))?;
    // A missing `crs` means OGC:CRS84; `null` means unknown, and the coordinates are used unchanged.
    set_metadata(columns, index, extension, column.get("crs").filter(|crs| !crs.is_null()));
    Ok(())
}

fn set_metadata(columns: &mut Nested, index: usize, extension: &str, crs: Option<&Value>) {
    let with_metadata = |field: &Field| {
        let mut metadata = field.metadata().clone();
        metadata.insert(EXTENSION_NAME.to_owned(), extension.to_owned());
        if let Some(crs) = crs {
            metadata.insert(EXTENSION_METADATA.to_owned(), json!({ "crs": crs }).to_string());
        }
        Arc::new(field.clone().with_metadata(metadata))
    };
    let fields = columns.schema.fields().iter().enumerate();
    let fields: Vec<FieldRef> = fields
        .map(|(position, field)| if position == index { with_metadata(field) } else { Arc::clone(field) })
        .collect();
    columns.schema = Schema::new_with_metadata(fields, columns.schema.metadata().clone());
}
