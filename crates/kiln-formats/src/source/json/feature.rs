//! GeoJSON: features and bare geometries, and their positions.

use std::borrow::Cow;

use super::raw::{Value, first, text};
use super::scanner::Flow;

/// Why there is no position.
pub(super) type Reason = Cow<'static, str>;

/// Nested lists and collections that are looked into.
const MOST_LEVELS: usize = 16;

/// The reason for a position that is none.
pub(super) const NO_POSITION: &str = "the coordinates are not [longitude, latitude] as numbers";

/// What takes a feature or a bare geometry, and the member `crs` of it or of a collection around it.
type TakeFeature<'t> = dyn FnMut(&Value<'_>, Option<&str>) -> Flow + 't;

/// Hands the features and bare geometries in a GeoJSON object, or in a list of them, to `take`.
pub(super) fn features(value: &Value<'_>, take: &mut TakeFeature<'_>) -> Flow {
    visit(value, None, MOST_LEVELS, take)
}

fn visit(value: &Value<'_>, crs: Option<&str>, levels: usize, take: &mut TakeFeature<'_>) -> Flow {
    let crs = value.get("crs").or(crs);
    let features = value.get("features").map(Value::of);
    match features.as_ref().unwrap_or(value) {
        Value::List(list) if levels > 0 && (features.is_some() || (value.is_list_of_rows() && !list.is_empty())) => {
            list.iter().try_for_each(|element| visit(&Value::of(element), crs, levels - 1, take))
        }
        _ => take(value, crs),
    }
}

/// Adds the positions of a feature or a geometry to `positions`; `None` is one that is not two numbers.
pub(super) fn add_positions(value: &Value<'_>, positions: &mut Vec<Option<[f64; 2]>>) -> Result<(), Reason> {
    if value.kind() == "Feature" {
        let geometry = value.get("geometry").ok_or("the feature has no geometry")?;
        add_geometry(&Value::of(geometry), MOST_LEVELS, positions)?;
    } else {
        add_geometry(value, MOST_LEVELS, positions)?;
    }
    if positions.is_empty() { Err("the geometry is empty".into()) } else { Ok(()) }
}

fn add_geometry(geometry: &Value<'_>, levels: usize, positions: &mut Vec<Option<[f64; 2]>>) -> Result<(), Reason> {
    match geometry {
        Value::Object(_) => {}
        Value::List(ordinates) => {
            positions.push(position(ordinates.iter().copied()));
            return Ok(());
        }
        Value::Plain("null") => return Err("null geometry; expected Point or MultiPoint".into()),
        Value::Plain(other) => return Err(format!("{other} is not a GeoJSON object").into()),
    }
    match &*geometry.kind() {
        "Point" | "MultiPoint" => add_coordinates(geometry.get("coordinates").unwrap_or("null"), 0, positions),
        "GeometryCollection" => match geometry.get("geometries").map(Value::of) {
            _ if levels == 0 => return Err("it is nested too deeply".into()),
            Some(Value::List(list)) => {
                return list.iter().try_for_each(|geometry| add_geometry(&Value::of(geometry), levels - 1, positions));
            }
            _ => return Err("the GeometryCollection has no list of geometries".into()),
        },
        "Feature" => return Err("the geometry is a feature itself".into()),
        "FeatureCollection" => return Err("the FeatureCollection has no list of features".into()),
        "" => return Err("the object has no GeoJSON type; expected Feature, Point or MultiPoint".into()),
        kind => return Err(not_a_point(kind)),
    }
    Ok(())
}

/// Adds the positions in the value of `coordinates`, or in an element of it at a `level` above 0.
fn add_coordinates(coordinates: &str, level: usize, positions: &mut Vec<Option<[f64; 2]>>) {
    let inner = coordinates.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    match inner.map(str::trim) {
        // `null` is what some write for no coordinates.
        None if level == 0 && coordinates == "null" => {}
        Some("") if level == 0 => {}
        Some(inner) if level < 2 && inner.starts_with('[') => {
            if let Value::List(list) = Value::of(coordinates) {
                for element in list {
                    add_coordinates(element, level + 1, positions);
                }
            }
        }
        // A comma within a text or a list spoils what is no number anyway.
        Some(inner) => positions.push(position(inner.split(','))),
        None => positions.push(None),
    }
}

/// Longitude and latitude, behind which there may be an altitude.
#[inline]
fn position<'o>(mut ordinates: impl Iterator<Item = &'o str>) -> Option<[f64; 2]> {
    let mut next = || fast_float2::parse(text(ordinates.next()?.trim()).trim()).ok();
    Some([next()?, next()?])
}

/// What to do with a geometry of another type.
pub(super) fn not_a_point(kind: &str) -> Reason {
    if kind == "Topology" {
        return "TopoJSON is not read; turn it into GeoJSON first, with topo2geo of topojson or with mapshaper".into();
    }
    format!("{kind} is not a point; turn it into Point or MultiPoint first, for example its centroid or its vertices")
        .into()
}

/// Whether a value is GeoJSON rather than a row that has a member `type` too.
pub(super) fn is_geojson(value: &Value<'_>) -> bool {
    let has_parts = || value.get("coordinates").or_else(|| value.get("geometries")).is_some();
    let kind = value.kind();
    matches!(&*kind, "Feature" | "FeatureCollection") || (is_geometry(&kind) && has_parts())
}

/// Whether `kind` is a type of geometries.
pub(super) fn is_geometry(kind: &str) -> bool {
    let simple = kind.strip_prefix("Multi").unwrap_or(kind);
    matches!(simple, "Point" | "LineString" | "Polygon") || kind == "GeometryCollection"
}

/// The name of the coordinate reference system that the member `crs` of old GeoJSON gives.
pub(super) fn crs_name(crs: &Value<'_>) -> Option<String> {
    let properties = Value::of(crs.get("properties")?);
    let named = |name| properties.get(name).filter(|name| first(name) != b'n').map(text);
    let code = || named("code").map(|code| format!("EPSG:{code}").into());
    named("name").or_else(code).or_else(|| named("href")).map(Cow::into_owned)
}
