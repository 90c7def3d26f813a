//! Cells and contour lines as `GeoJSON`.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::columns::columns;
use super::json::number;
use crate::error::{Error, Result};
use crate::occupancy::Grid;
use crate::occupancy::picture::ContourLine;

/// Writes the cells as a FeatureCollection of polygons with the properties `value` and `count`, those of a comparison,
/// and for hexagons `cell`, the H3 index.
///
/// The coordinates of a layer on a plane are meters, which the member `coordinate_space` of the collection states:
/// `"plane, in meters"`. That of a layer on the globe is `"WGS 84, in degrees"`.
///
/// # Errors
/// [`Error::Io`] if writing fails.
pub fn write_geojson(grid: &Grid, out: impl Write) -> Result<()> {
    let columns = columns(grid);
    let features = grid.cells.iter().map(|cell| {
        let ring = grid.system().polygon(cell.cell);
        let mut properties = Map::new();
        if let Some(name) = grid.system().name(cell.cell) {
            properties.insert("cell".into(), name.into());
        }
        for column in columns.iter().skip(2) {
            properties.insert(column.name.to_owned(), number((column.value)(cell)));
        }
        properties.insert("count".into(), cell.count.into());
        properties.extend(grid.system().name(cell.cell).map(|name| ("cell".to_owned(), name.into())));
        json!({
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": properties,
        })
    });
    write_collection(grid, features, out)
}

/// Writes contour lines as a FeatureCollection of lines with the property `value`; see [`write_geojson`] for the
/// coordinates.
///
/// # Errors
/// [`Error::Io`] if writing fails.
pub fn write_contours(grid: &Grid, lines: &[ContourLine], unit: &str, out: impl Write) -> Result<()> {
    let features = lines.iter().map(|line| {
        json!({
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": line.positions},
            "properties": {"value": line.value, "unit": unit},
        })
    });
    write_collection(grid, features, out)
}

fn write_collection(grid: &Grid, features: impl Iterator<Item = Value>, mut out: impl Write) -> Result<()> {
    let space = if grid.is_globe { "WGS 84, in degrees" } else { "plane, in meters" };
    let write = || -> std::io::Result<()> {
        write!(out, "{{\"type\":\"FeatureCollection\",\"coordinate_space\":\"{space}\",\"features\":[")?;
        for (index, feature) in features.enumerate() {
            out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut out, &feature)?;
        }
        out.write_all(b"\n]}\n")?;
        out.flush()
    };
    write().map_err(|error| Error::io("", "write", error))
}
