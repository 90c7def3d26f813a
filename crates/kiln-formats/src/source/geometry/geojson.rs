//! Points in a GeoJSON geometry, feature or position.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::decode::GeometryError;

/// A geometry or a feature. Its coordinates are parsed only if its type consists of points.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    coordinates: Option<&'a RawValue>,
    #[serde(borrow, default)]
    geometries: Vec<Object<'a>>,
    #[serde(borrow)]
    geometry: Option<Box<Object<'a>>>,
}

/// Adds the points of a geometry or feature to `out`. GeoJSON has no SRID.
pub(super) fn read(text: &str, out: &mut Vec<[f64; 2]>) -> Result<Option<u32>, GeometryError> {
    parse::<Object>(text)?.read(out).map(|()| None)
}

/// Adds the position `[longitude, latitude]` to `out`; further numbers are ignored.
pub(super) fn read_position(text: &str, out: &mut Vec<[f64; 2]>) -> Result<Option<u32>, GeometryError> {
    add(&parse::<Vec<f64>>(text)?, out).map(|()| None)
}

impl Object<'_> {
    /// Adds the points. The recursion limit of `serde_json` bounds the nesting of collections.
    fn read(&self, out: &mut Vec<[f64; 2]>) -> Result<(), GeometryError> {
        let coordinates = || self.coordinates.map_or("[]", RawValue::get);
        match &*self.kind {
            "Point" => add(&parse::<Vec<f64>>(coordinates())?, out),
            "MultiPoint" => parse::<Vec<Vec<f64>>>(coordinates())?.iter().try_for_each(|position| add(position, out)),
            "GeometryCollection" => self.geometries.iter().try_for_each(|geometry| geometry.read(out)),
            "Feature" => self.geometry.as_ref().ok_or(GeometryError::Null)?.read(out),
            "" => Err(GeometryError::GeoJson("missing type; expected Point or MultiPoint".to_owned())),
            other => Err(GeometryError::NotAPoint(other.to_owned().into())),
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, GeometryError> {
    serde_json::from_str(text).map_err(|error| GeometryError::GeoJson(error.to_string()))
}

fn add(position: &[f64], out: &mut Vec<[f64; 2]>) -> Result<(), GeometryError> {
    match *position {
        // The position of an empty point.
        [] => {}
        [x, y, ..] => out.push([x, y]),
        [_] => return Err(GeometryError::GeoJson("one coordinate; expected [longitude, latitude]".to_owned())),
    }
    Ok(())
}
