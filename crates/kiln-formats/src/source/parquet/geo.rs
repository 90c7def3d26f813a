//! What a file says of its geometry: the `geo` metadata of `GeoParquet` and Parquet's own geometry types.

use parquet::basic::{LogicalType, Type};
use parquet::file::metadata::KeyValue;
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;

use super::schema::{Position, leaf};
use crate::source::role::first_found;

/// Names a geometry column has where nothing else says which one it is.
const USUAL_NAMES: [&str; 5] = ["geometry", "geom", "wkb", "wkb_geometry", "the_geom"];

/// The column that holds the geometry.
pub(super) struct Geometry {
    pub(super) position: Position,
    /// The name of the coordinate reference system, if it is another than WGS 84 longitude and latitude.
    pub(super) foreign_crs: Option<String>,
}

impl Geometry {
    /// Finds the geometry column: by the metadata, by its type, by its usual names.
    pub(super) fn find(schema: &SchemaDescriptor, metadata: &[KeyValue]) -> Result<Option<Self>, String> {
        if let Some(text) = value(metadata, "geo") {
            return Self::declared(schema, text).map(Some);
        }
        let crs_value = |crs: &str| {
            let text = crs.strip_prefix("projjson:").and_then(|key| value(metadata, key)).unwrap_or(crs);
            serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or_else(|| Value::from(text))
        };
        for (index, column) in schema.columns().iter().enumerate() {
            let crs = match column.logical_type_ref() {
                Some(LogicalType::Geometry(geometry)) => &geometry.crs,
                Some(LogicalType::Geography(geography)) => &geography.crs,
                _ => continue,
            };
            let foreign_crs = crs.as_deref().and_then(|crs| foreign(&crs_value(crs)));
            return Ok(Some(Self { position: Position::Wkb(index), foreign_crs }));
        }
        let found = first_found(USUAL_NAMES.iter().map(|name| Self::position(schema, name)));
        Ok(found?.map(|position| Self { position, foreign_crs: None }))
    }

    /// The primary column of `GeoParquet` metadata.
    fn declared(schema: &SchemaDescriptor, text: &str) -> Result<Self, String> {
        let geo: Value =
            serde_json::from_str(text).map_err(|error| format!("its `geo` metadata is not JSON: {error}"))?;
        let name = geo["primary_column"].as_str().unwrap_or("geometry");
        let column = &geo["columns"][name];
        let encoding = column["encoding"].as_str().unwrap_or("WKB");
        if !(encoding.eq_ignore_ascii_case("WKB") || encoding == "point") {
            return Err(format!("its geometry `{name}` is encoded as {encoding}; points or WKB can be read"));
        }
        let position = Self::position(schema, name)?
            .ok_or_else(|| format!("its `geo` metadata names a geometry `{name}`, but no such column can be read"))?;
        // Without a `crs` it is OGC:CRS84; with `null` it is unknown, and the coordinates are taken as they are.
        Ok(Self { position, foreign_crs: column.get("crs").and_then(foreign) })
    }

    /// Where the geometry `name` has its coordinates: WKB, or the x and y of a `GeoArrow` point.
    fn position(schema: &SchemaDescriptor, name: &str) -> Result<Option<Position>, String> {
        let single = |name: &str| {
            let found = leaf(schema, name)?;
            Ok::<_, String>(found.filter(|&index| schema.column(index).max_rep_level() == 0))
        };
        if let Some(index) = single(name)? {
            return Ok((schema.column(index).physical_type() == Type::BYTE_ARRAY).then_some(Position::Wkb(index)));
        }
        let (lon, lat) = (single(&format!("{name}.x"))?, single(&format!("{name}.y"))?);
        Ok(lon.zip(lat).map(|(lon, lat)| Position::Columns { lon, lat }))
    }
}

fn value<'m>(metadata: &'m [KeyValue], key: &str) -> Option<&'m str> {
    metadata.iter().find(|pair| pair.key == key)?.value.as_deref()
}

/// The name of a coordinate reference system (PROJJSON, `authority:code` or WKT) that is not WGS 84 longitude and
/// latitude.
fn foreign(crs: &Value) -> Option<String> {
    let name = match crs {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let id = other.get("id").map(|id| format!("{}:{}", text(&id["authority"]), text(&id["code"])));
            let name = other.get("name").map(text);
            match (id, name) {
                (Some(id), _) if is_wgs84(&id) => return None,
                (Some(id), Some(name)) => format!("{id} ({name})"),
                (id, name) => id.or(name).unwrap_or_else(|| "an unnamed reference system".to_owned()),
            }
        }
    };
    (!is_wgs84(&name)).then_some(name)
}

/// Whether a name or WKT stands for WGS 84 in degrees; files have longitude first whatever the authority says.
fn is_wgs84(name: &str) -> bool {
    let known = ["OGC:CRS84", "OGC:CRS84H", "EPSG:4326", "EPSG:4979", "SRID:4326", "WGS 84", "WGS 84 (CRS84)"];
    let upper = name.trim().to_ascii_uppercase();
    known.contains(&upper.as_str())
        || ["GEOGCRS[\"WGS 84", "GEOGCS[\"WGS 84"].iter().any(|start| upper.starts_with(start))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reference_systems_are_told_apart() {
        let crs = |text: &str| foreign(&serde_json::from_str(text).unwrap());
        for same in [
            "null",
            r#""EPSG:4326""#,
            r#"{"type": "GeographicCRS", "name": "WGS 84 (CRS84)", "id": {"authority": "OGC", "code": "CRS84"}}"#,
            r#"{"name": "WGS 84", "id": {"authority": "EPSG", "code": 4326}}"#,
            r#"{"name": "WGS 84"}"#,
            r#""GEOGCRS[\"WGS 84 (CRS84)\",DATUM[]]""#,
        ] {
            assert_eq!(crs(same), None, "{same}");
        }
        let mercator = r#"{"name": "WGS 84 / Pseudo-Mercator", "id": {"authority": "EPSG", "code": 3857}}"#;
        assert_eq!(crs(mercator).unwrap(), "EPSG:3857 (WGS 84 / Pseudo-Mercator)");
        assert_eq!(crs(r#"{"name": "Amersfoort / RD New"}"#).unwrap(), "Amersfoort / RD New");
    }
}
