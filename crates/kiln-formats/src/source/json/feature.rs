//! GeoJSON features and bare geometries, and their positions.

use std::borrow::Cow;

use super::raw::{JsonValue, first, text};
use super::scanner::Flow;

/// The reason why a feature has no position.
pub(super) type Reason = Cow<'static, str>;

/// The maximum nesting depth of arrays and collections.
const MAX_DEPTH: usize = 16;

/// The reason for an invalid position.
pub(super) const INVALID_POSITION: &str = "the coordinates are not [longitude, latitude] as numbers";

/// A callback for a feature or bare geometry and the member `crs` that applies to it, of itself or of a parent
/// collection.
type FeatureHandler<'t> = dyn FnMut(&JsonValue<'_>, Option<&str>) -> Flow + 't;

/// Passes the features and bare geometries in a GeoJSON object, or in an array of them, to `take`.
pub(super) fn features(value: &JsonValue<'_>, take: &mut FeatureHandler<'_>) -> Flow {
    visit(value, None, MAX_DEPTH, take)
}

fn visit(value: &JsonValue<'_>, crs: Option<&str>, depth: usize, take: &mut FeatureHandler<'_>) -> Flow {
    let crs = value.get("crs").or(crs);
    let features = value.get("features").map(JsonValue::of);
    match features.as_ref().unwrap_or(value) {
        JsonValue::Array(array)
            if depth > 0 && (features.is_some() || (value.is_array_of_rows() && !array.is_empty())) =>
        {
            array.iter().try_for_each(|element| visit(&JsonValue::of(element), crs, depth - 1, take))
        }
        _ => take(value, crs),
    }
}

/// Appends the positions of a feature or geometry to `positions`; `None` for an invalid one.
///
/// # Errors
/// If it has no geometry, an empty one or one of another type than points.
pub(super) fn add_positions(value: &JsonValue<'_>, positions: &mut Vec<Option<[f64; 2]>>) -> Result<(), Reason> {
    if value.kind() == "Feature" {
        let geometry = value.get("geometry").ok_or("the feature has no geometry")?;
        add_geometry(&JsonValue::of(geometry), MAX_DEPTH, positions)?;
    } else {
        add_geometry(value, MAX_DEPTH, positions)?;
    }
    if positions.is_empty() { Err("the geometry is empty".into()) } else { Ok(()) }
}

fn add_geometry(geometry: &JsonValue<'_>, depth: usize, positions: &mut Vec<Option<[f64; 2]>>) -> Result<(), Reason> {
    match geometry {
        JsonValue::Object(_) => {}
        JsonValue::Array(ordinates) => {
            positions.push(position(ordinates.iter().copied()));
            return Ok(());
        }
        JsonValue::Plain("null") => return Err("null geometry; expected Point or MultiPoint".into()),
        JsonValue::Plain(other) => return Err(format!("{other} is not a GeoJSON object").into()),
    }
    match &*geometry.kind() {
        "Point" | "MultiPoint" => add_coordinates(geometry.get("coordinates").unwrap_or("null"), 0, positions),
        "GeometryCollection" => match geometry.get("geometries").map(JsonValue::of) {
            _ if depth == 0 => return Err("the geometry is nested too deeply".into()),
            Some(JsonValue::Array(array)) => {
                return array
                    .iter()
                    .try_for_each(|geometry| add_geometry(&JsonValue::of(geometry), depth - 1, positions));
            }
            _ => return Err("the GeometryCollection has no array `geometries`".into()),
        },
        "Feature" => return Err("the geometry is a Feature; expected Point or MultiPoint".into()),
        "FeatureCollection" => return Err("the FeatureCollection has no array `features`".into()),
        "" => return Err("the object has no GeoJSON type; expected Feature, Point or MultiPoint".into()),
        kind => return Err(not_a_point(kind)),
    }
    Ok(())
}

/// Appends the positions in the value of `coordinates` (`level` 0) or in a nested array of it.
fn add_coordinates(coordinates: &str, level: usize, positions: &mut Vec<Option<[f64; 2]>>) {
    let inner = coordinates.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    match inner.map(str::trim) {
        // Some writers use `null` for no coordinates.
        None if level == 0 && coordinates == "null" => {}
        Some("") if level == 0 => {}
        Some(inner) if level < 2 && inner.starts_with('[') => {
            if let JsonValue::Array(array) = JsonValue::of(coordinates) {
                for element in array {
                    add_coordinates(element, level + 1, positions);
                }
            }
        }
        // Commas in strings and arrays do not matter: those are invalid anyway.
        Some(inner) => positions.push(position(inner.split(','))),
        None => positions.push(None),
    }
}

/// Longitude and latitude; an altitude is ignored.
#[inline]
fn position<'o>(mut ordinates: impl Iterator<Item = &'o str>) -> Option<[f64; 2]> {
    let mut next = || fast_float2::parse(text(ordinates.next()?.trim()).trim()).ok();
    Some([next()?, next()?])
}

/// The reason for rejecting a geometry of another type, and how to convert it.
pub(super) fn not_a_point(kind: &str) -> Reason {
    if kind == "Topology" {
        return "TopoJSON is not supported; convert it to GeoJSON first, with topo2geo of topojson or with mapshaper"
            .into();
    }
    format!("{kind} is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices")
        .into()
}

/// Whether a value is GeoJSON, not a row that happens to have a member `type`.
pub(super) fn is_geojson(value: &JsonValue<'_>) -> bool {
    let has_parts = || value.get("coordinates").or_else(|| value.get("geometries")).is_some();
    let kind = value.kind();
    matches!(&*kind, "Feature" | "FeatureCollection") || (is_geometry(&kind) && has_parts())
}

/// Whether `kind` is a GeoJSON geometry type.
pub(super) fn is_geometry(kind: &str) -> bool {
    let simple = kind.strip_prefix("Multi").unwrap_or(kind);
    matches!(simple, "Point" | "LineString" | "Polygon") || kind == "GeometryCollection"
}

/// The name of the coordinate reference system in the member `crs` (GeoJSON 2008).
pub(super) fn crs_name(crs: &JsonValue<'_>) -> Option<String> {
    let properties = JsonValue::of(crs.get("properties")?);
    let named = |name| properties.get(name).filter(|name| first(name) != b'n').map(text);
    let code = || named("code").map(|code| format!("EPSG:{code}").into());
    named("name").or_else(code).or_else(|| named("href")).map(Cow::into_owned)
}
