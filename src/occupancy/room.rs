//! Rooms: named polygons.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::area::area_m2;
use crate::error::{Error, Result};
use crate::geo::Polygon;
use crate::parameter::Parameter;
use crate::source::CoordinateSpace;

/// A polygon or multipolygon with its rings, each a list of positions.
pub(super) type Polygons = Vec<Vec<Vec<[f64; 2]>>>;

/// A named area of a layer.
#[derive(Clone, Debug)]
pub struct Room {
    /// The name.
    pub name: String,
    /// The polygon, in the coordinates of the layer.
    pub polygon: Arc<Polygon>,
    /// The area in square meters of what is inside: exact on a plane, on the sphere otherwise. `None` if the rings
    /// are too complex to compute it.
    pub area_m2: Option<f64>,
}

/// The rooms of a layer, in order.
#[derive(Clone, Debug)]
pub struct Rooms {
    list: Vec<Room>,
    union: Arc<Polygon>,
    text: Arc<str>,
}

/// A GeoJSON feature.
#[derive(Deserialize)]
struct Feature {
    r#type: String,
    #[serde(default)]
    properties: Value,
    geometry: Option<Geometry>,
}

#[derive(Deserialize)]
struct Geometry {
    r#type: String,
    #[serde(default)]
    coordinates: Value,
}

impl Rooms {
    /// The maximum number of rooms.
    pub const MAX: usize = 256;

    /// Parses a GeoJSON `FeatureCollection` of polygons and multipolygons with `properties.name`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `polygons` if the text is not such a document, a name is missing or not unique, a polygon is
    /// invalid ([`Polygon::new`], [`Polygon::on_plane`]), or there are no rooms, or more than [`MAX`](Self::MAX).
    pub fn parse(text: &str, space: CoordinateSpace) -> Result<Self> {
        let expected = "expected a FeatureCollection of polygons with properties.name";
        let text = text.trim_start_matches('\u{FEFF}');
        let not_geojson = |error: &dyn std::fmt::Display| invalid(format!("not GeoJSON: {error}; {expected}"));
        let mut collection: Value = serde_json::from_str(text).map_err(|error| not_geojson(&error))?;
        match collection.get("type").and_then(Value::as_str) {
            Some("FeatureCollection") => {}
            Some(kind) => {
                let kind: String = kind.chars().take(40).collect();
                return Err(invalid(format!("{kind:?} is not a list of rooms; {expected}")));
            }
            None if collection.is_object() => return Err(not_geojson(&"the object has no type")),
            None => return Err(not_geojson(&"it is not an object")),
        }
        let features = match collection.get_mut("features").map(Value::take) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(features)) => features,
            Some(_) => return Err(not_geojson(&"the features are not a list")),
        };
        if features.is_empty() || features.len() > Self::MAX {
            let count = features.len();
            return Err(invalid(format!("there are {count} features; expected from 1 to {} rooms", Self::MAX)));
        }
        let (mut rooms, mut all, mut names) = (Vec::new(), Polygons::new(), BTreeSet::new());
        for (index, feature) in features.into_iter().enumerate() {
            let feature: Feature = serde_json::from_value(feature)
                .map_err(|_| not_geojson(&format!("feature {} is not a Feature with a geometry", index + 1)))?;
            let name = room_name(&feature.properties)
                .ok_or_else(|| invalid(format!("feature {} has no name in properties.name", index + 1)))?;
            let invalid = |detail: String| invalid(format!("room `{name}`: {detail}"));
            let polygons = feature.polygons().map_err(invalid)?;
            let polygon = new_polygon(&polygons, space).map_err(|error| invalid(error.into_message().with_keys()))?;
            if !names.insert(name.clone()) {
                return Err(invalid("the name is used twice".to_owned()));
            }
            rooms.push(Room { polygon: Arc::new(polygon), area_m2: area_m2(&polygons, space), name });
            all.extend(polygons);
        }
        let union = new_polygon(&all, space).map_err(|error| invalid(error.into_message().with_keys()))?;
        Ok(Self { list: rooms, union: Arc::new(union), text: text.into() })
    }

    /// Reads the rooms of a file of at most 64 MiB: see [`parse`](Self::parse).
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is too large or has no rooms.
    pub fn read(path: &Path, space: CoordinateSpace) -> Result<Self> {
        const MAX_BYTES: u64 = 64 << 20;
        let unreadable = |error: std::io::Error| Error::io(path, "read", error);
        let mut text = String::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(Error::input(path, format!("larger than {} MiB", MAX_BYTES >> 20)));
        }
        Self::parse(&text, space).map_err(|error| Error::input(path, error.into_message().with_keys()))
    }

    /// The rooms in order.
    pub fn rooms(&self) -> &[Room] {
        &self.list
    }

    /// The area of all rooms together: a point is inside if it is in at least one room.
    pub fn union(&self) -> &Arc<Polygon> {
        &self.union
    }

    /// The GeoJSON text, which identifies the rooms.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Feature {
    /// The polygons of the feature, or the reason why there are none.
    fn polygons(&self) -> Result<Polygons, String> {
        let expected = "expected a Polygon or a MultiPolygon";
        let Some(geometry) = self.geometry.as_ref().filter(|_| self.r#type == "Feature") else {
            return Err(format!("no feature with a geometry; {expected}"));
        };
        let polygons = match geometry.r#type.as_str() {
            "Polygon" => polygon(&geometry.coordinates).map(|polygon| vec![polygon]),
            "MultiPolygon" => geometry.coordinates.as_array().and_then(|all| all.iter().map(polygon).collect()),
            other => {
                return Err(format!("{:?} is not a polygon; {expected}", other.chars().take(40).collect::<String>()));
            }
        };
        polygons.ok_or_else(|| "the coordinates are not rings of positions [x, y]".to_owned())
    }
}

/// The rings of a GeoJSON polygon; `None` if a position is not two numbers or more.
fn polygon(coordinates: &Value) -> Option<Vec<Vec<[f64; 2]>>> {
    let position = |position: &Value| {
        let [x, y, ..] = position.as_array()?.as_slice() else { return None };
        Some([x.as_f64()?, y.as_f64()?])
    };
    let ring = |ring: &Value| ring.as_array()?.iter().map(position).collect();
    coordinates.as_array()?.iter().map(ring).collect()
}

fn room_name(properties: &Value) -> Option<String> {
    match properties.get("name")? {
        Value::String(name) if !name.trim().is_empty() => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn new_polygon(polygons: &Polygons, space: CoordinateSpace) -> Result<Polygon> {
    if space.wraps() { Polygon::new(polygons) } else { Polygon::on_plane(polygons) }
}

fn invalid(message: String) -> Error {
    Error::invalid(Parameter::POLYGONS, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::needless_pass_by_value)]
mod tests {
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "shorter calls")]
    fn feature(name: Value, rings: Value) -> Value {
        json!({"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": rings}})
    }

    fn square(west: f64, south: f64, side: f64) -> Value {
        let (east, north) = (west + side, south + side);
        json!([[west, south], [east, south], [east, north], [west, north], [west, south]])
    }

    #[allow(clippy::needless_pass_by_value, reason = "shorter calls")]
    fn parse(features: Value) -> Result<Rooms> {
        let text = json!({"type": "FeatureCollection", "features": features}).to_string();
        Rooms::parse(&text, CoordinateSpace::Plane)
    }

    #[test]
    fn rooms_have_names_areas_and_polygons() {
        let hole = json!([square(0.0, 100.0, 10.0), square(2.0, 102.0, 3.0)]);
        let rooms =
            parse(json!([feature(json!("Lab"), hole), feature(json!(12), json!([square(-5.0, -5.0, 2.5)]))])).unwrap();
        let names: Vec<_> = rooms.rooms().iter().map(|room| (room.name.as_str(), room.area_m2)).collect();
        assert_eq!(names, [("Lab", Some(91.0)), ("12", Some(6.25))]);
        assert!(rooms.rooms()[0].polygon.contains(1.0, 101.0) && !rooms.rooms()[0].polygon.contains(3.0, 103.0));
        assert!(rooms.union().contains(-5.0, -5.0) && !rooms.union().contains(-2.5, -2.5));
    }

    #[test]
    fn a_file_without_an_end_is_too_large() {
        let error = Rooms::read(Path::new("/dev/zero"), CoordinateSpace::Plane).unwrap_err().to_string();
        assert!(error.contains("larger than 64 MiB"), "{error}");
    }

    #[test]
    fn invalid_rooms_are_errors_with_the_name_of_the_room() {
        let far = json!([square(0.0, 0.0, 1e10)]);
        for (features, words) in [
            (json!([]), "0 features"),
            (json!([feature(json!(null), json!([square(0.0, 0.0, 1.0)]))]), "feature 1 has no name"),
            (json!([feature(json!("A"), json!([[[0, 0], [1, 1]]]))]), "room `A`: "),
            (json!([feature(json!("A"), json!([[[0, 0], [1, "x"], [1, 1], [0, 0]]]))]), "room `A`: the coordinates"),
            (json!([feature(json!("A"), far)]), "room `A`: "),
            (
                json!([{"type": "Feature", "properties": {"name": "A"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]),
                "\"Point\" is not a polygon",
            ),
            (
                json!([
                    feature(json!("A"), json!([square(0.0, 0.0, 1.0)])),
                    feature(json!("A"), json!([square(0.0, 0.0, 1.0)]))
                ]),
                "used twice",
            ),
        ] {
            let message = parse(features).unwrap_err().to_string();
            assert!(message.starts_with("polygons: ") && message.contains(words), "{message}");
        }
        for text in [
            "",
            "5",
            "true",
            "{}",
            "[]",
            "{\"type\": \"FeatureCollection\", \"features\": [5]}",
            "{\"type\": \"FeatureCollection\", \"features\": [NaN]}",
            "{\"type\": \"Polygon\"}",
        ] {
            let message = Rooms::parse(text, CoordinateSpace::Plane).unwrap_err().to_string();
            assert!(message.contains("expected a FeatureCollection") && !message.contains("struct"), "{message}");
        }
    }
}
