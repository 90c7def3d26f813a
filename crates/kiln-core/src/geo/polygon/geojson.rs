//! Parsing of polygons in GeoJSON.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::invalid;
use crate::error::Result;

/// The rings of a polygon.
type Rings<P> = Vec<Vec<P>>;

/// A GeoJSON object of any type, with the members that polygons need.
#[derive(Deserialize)]
struct Object<'t> {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Parsed once the type is known, as `type` may follow.
    #[serde(borrow)]
    coordinates: Option<&'t RawValue>,
    #[serde(borrow)]
    geometry: Option<Box<Object<'t>>>,
    #[serde(borrow)]
    features: Option<Vec<Object<'t>>>,
}

/// Longitude and latitude; an altitude is ignored.
struct Position([f64; 2]);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Position;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[longitude, latitude]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Position, A::Error> {
                let missing = |count| serde::de::Error::invalid_length(count, &self);
                let lon = list.next_element()?.ok_or_else(|| missing(0))?;
                let lat = list.next_element()?.ok_or_else(|| missing(1))?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Position([lon, lat]))
            }
        }
        value.deserialize_seq(Numbers)
    }
}

/// Parses the polygons in `text`, each a list of rings.
pub(super) fn polygons(text: &str) -> Result<Vec<Rings<[f64; 2]>>> {
    let object = serde_json::from_str(text.trim_start_matches('\u{FEFF}'));
    let object: Object<'_> = object.map_err(|error| invalid(format!("it is not GeoJSON: {error}")))?;
    let mut polygons = Vec::new();
    object.add_to(&mut polygons)?;
    Ok(polygons)
}

impl Object<'_> {
    fn add_to(&self, polygons: &mut Vec<Rings<[f64; 2]>>) -> Result<()> {
        const EXPECTED: &str = "expected Polygon, MultiPolygon, or a Feature or FeatureCollection of these";
        match self.kind.as_deref() {
            Some("Polygon") => polygons.push(unwrapped(self.read::<Rings<Position>>()?)),
            Some("MultiPolygon") => polygons.extend(self.read::<Vec<Rings<Position>>>()?.into_iter().map(unwrapped)),
            Some("Feature") => match &self.geometry {
                Some(geometry) => geometry.add_to(polygons)?,
                None => return Err(invalid(format!("a feature has no geometry; {EXPECTED}"))),
            },
            Some("FeatureCollection") => match &self.features {
                Some(features) => features.iter().try_for_each(|feature| feature.add_to(polygons))?,
                None => return Err(invalid("the FeatureCollection has no features".to_owned())),
            },
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                return Err(invalid(format!("{other:?} is not a polygon; {EXPECTED}")));
            }
            None => return Err(invalid(format!("an object has no GeoJSON type; {EXPECTED}"))),
        }
        Ok(())
    }

    fn read<'t, T: Deserialize<'t>>(&'t self) -> Result<T> {
        let text = self.coordinates.map_or("null", RawValue::get);
        serde_json::from_str(text).map_err(|error| invalid(format!("the coordinates are invalid: {error}")))
    }
}

fn unwrapped(rings: Rings<Position>) -> Rings<[f64; 2]> {
    rings.into_iter().map(|ring| ring.into_iter().map(|position| position.0).collect()).collect()
}
