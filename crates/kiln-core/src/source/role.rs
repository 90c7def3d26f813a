//! Roles of columns, and the lookup of columns by name.

use std::collections::BTreeSet;

use super::{Columns, Query};
use crate::message;
use crate::parameter::{Message, Parameter};
use crate::spelling::nearest_first;

/// The role of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Longitude in degrees, or x.
    Lon,
    /// Latitude in degrees, or y.
    Lat,
    /// Weight.
    Weight,
    /// Time.
    Time,
    /// Category.
    Category,
    /// Track: the id of a person or device.
    Track,
    /// Geometry, in place of longitude and latitude.
    Geometry,
}

/// The requirement of a query for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The column is not read.
    Unused,
    /// The column is read if it exists. If the user named it, it must exist.
    Optional,
    /// The column must exist.
    Required,
}

impl Role {
    /// All roles except [`Geometry`](Self::Geometry).
    pub const ALL: [Self; 6] = [Self::Lon, Self::Lat, Self::Weight, Self::Time, Self::Category, Self::Track];

    /// The usual names of the column, the most likely first.
    pub fn usual_names(self) -> &'static [&'static str] {
        match self {
            Self::Lon => &["lon", "lng", "long", "longitude", "x"],
            Self::Lat => &["lat", "latitude", "y"],
            Self::Weight => &["weight", "value", "w", "count", "population", "pop", "magnitude", "mag", "intensity"],
            Self::Time => &["time", "timestamp", "datetime", "date"],
            Self::Category => &["category", "type", "class", "kind", "space_id", "space"],
            Self::Track => &["track", "track_id", "trajectory", "object_id", "person_id", "device_id"],
            Self::Geometry => &[
                "geometry",
                "geom",
                "the_geom",
                "wkt",
                "wkb",
                "wkb_geometry",
                "geojson",
                "shape",
                "point",
                "location",
                "latlng",
                "lat_lng",
                "latlon",
                "lat_lon",
                "coordinates",
                "coords",
                "geo_point",
                "geo",
            ],
        }
    }

    /// Whether a column of this name can only be a weight. The other usual names are quantities that may be meant otherwise.
    pub fn is_plain_weight(name: &str) -> bool {
        Self::Weight.usual_names().iter().take(4).any(|plain| name.eq_ignore_ascii_case(plain))
    }

    /// The noun for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lon => "longitude",
            Self::Lat => "latitude",
            Self::Weight => "weight",
            Self::Time => "time",
            Self::Category => "category",
            Self::Track => "track",
            Self::Geometry => "geometry",
        }
    }

    /// The parameter that names the column.
    pub fn parameter(self) -> Parameter {
        match self {
            Self::Lon => Parameter::LON,
            Self::Lat => Parameter::LAT,
            Self::Weight => Parameter::WEIGHT,
            Self::Time => Parameter::TIME,
            Self::Category => Parameter::CATEGORY_COLUMN,
            Self::Track => Parameter::TRACK,
            Self::Geometry => Parameter::GEOMETRY,
        }
    }

    /// The requirement of `query` for the column.
    pub fn requirement(self, query: &Query<'_>) -> Requirement {
        let is_none = self.name_in(&query.columns.names) == Some(Columns::NO_COLUMN);
        if is_none && !matches!(self, Self::Lon | Self::Lat) {
            return Requirement::Unused;
        }
        let (required, optional) = match self {
            Self::Lon | Self::Lat | Self::Geometry => (true, true),
            Self::Weight => (false, query.columns.weights),
            Self::Time => (query.filter.filters_time() || query.columns.requires_times, query.columns.times),
            Self::Category => (query.filter.filters_category(), query.columns.categories),
            Self::Track => (false, query.columns.tracks),
        };
        match (required, optional) {
            (true, _) => Requirement::Required,
            (false, true) => Requirement::Optional,
            (false, false) => Requirement::Unused,
        }
    }

    /// The name that the user gave for the column.
    pub fn name_in(self, columns: &Columns) -> Option<&str> {
        match self {
            Self::Lon => &columns.lon,
            Self::Lat => &columns.lat,
            Self::Weight => &columns.weight,
            Self::Time => &columns.time,
            Self::Category => &columns.category,
            Self::Track => &columns.track,
            Self::Geometry => &columns.geometry,
        }
        .as_deref()
    }

    /// The error message for a `name` that is not among the `known` columns; `noun` is `column` or a synonym.
    pub fn unknown<'n>(self, noun: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
        let known: Vec<&str> = known.into_iter().collect();
        // Of many names, the nearest are listed; all are in the order of the input.
        let nearest: BTreeSet<&str> = nearest_first(name, known.iter().copied()).into_iter().take(MAX_NAMES).collect();
        let (listed, more): (Vec<&str>, Vec<&str>) = known.into_iter().partition(|known| nearest.contains(known));
        let (name, known) = (quoted(name), list_names(listed.into_iter().chain(more)));
        format!("there is no {noun} {name} for the {}; there are {known}", self.word())
    }

    /// The error message if none of the `known` columns has a usual name; `noun` is `column` or a synonym.
    pub fn unnamed<'n>(self, noun: &str, known: impl IntoIterator<Item = &'n str>) -> Message {
        let (word, usual) = (self.word(), self.usual_names().join(", "));
        let unnamed = format!("no {noun} has a usual name for the {word} ({usual}); name one with ");
        message!(unnamed, self.parameter(), format!(": {}", list_names(known)))
    }
}

/// The index of the column `name` among the `known` names: an exact match, or otherwise one that ignores case.
///
/// # Errors
/// A message if several columns have this name.
pub fn position(name: &str, known: &[impl AsRef<str>]) -> Result<Option<usize>, String> {
    let matches = |is_match: fn(&str, &str) -> bool| -> Vec<usize> {
        (0..known.len()).filter(|&index| is_match(known[index].as_ref(), name)).collect()
    };
    let exact = matches(|known, name| known == name);
    if exact.len() > 1 {
        return Err(format!("more than one column is called {}; rename all but one of them", quoted(name)));
    }
    let found = if exact.is_empty() { matches(str::eq_ignore_ascii_case) } else { exact };
    match found[..] {
        [] => Ok(None),
        [index] => Ok(Some(index)),
        _ => {
            let names = list_names(found.iter().map(|&index| known[index].as_ref()));
            Err(format!("more than one column is called {}, in upper or lower case: {names}; name one", quoted(name)))
        }
    }
}

/// The first result of a sequence of searches.
///
/// # Errors
/// The first error of a search before that result.
pub fn first_found<T, E>(mut searches: impl Iterator<Item = Result<Option<T>, E>>) -> Result<Option<T>, E> {
    searches.find_map(Result::transpose).transpose()
}

/// The maximum number of names in a message.
const MAX_NAMES: usize = 20;

/// Lists up to 20 names for a message.
pub fn list_names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names = names.into_iter();
    let mut listed: Vec<String> = names.by_ref().take(MAX_NAMES).map(quoted).collect();
    let more = names.count();
    if more > 0 {
        listed.push(format!("… ({} in all)", MAX_NAMES + more));
    }
    listed.join(", ")
}

/// Quotes and escapes a text for a message, truncated to 40 characters.
pub fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    let start: String = text.chars().take(MAX_CHARS).collect();
    format!("{:?}{}", start, if start.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_denotes_one_column() {
        assert_eq!(position("lat", &["LAT", "x", "lat"]), Ok(Some(2)));
        assert_eq!(position("lat", &["x", "Lat"]), Ok(Some(1)));
        assert_eq!(position("lat", &["x", "latitude"]), Ok(None));
        assert_eq!(
            position("lat", &["lat", "LAT", "lat"]).unwrap_err(),
            "more than one column is called \"lat\"; rename all but one of them"
        );
        assert_eq!(
            position("lat", &["Lat", "x", "LAT", "LAT"]).unwrap_err(),
            "more than one column is called \"lat\", in upper or lower case: \"Lat\", \"LAT\", \"LAT\"; name one"
        );
    }

    #[test]
    fn messages_list_the_known_names() {
        let names = ["id", "population", "time"];
        assert_eq!(
            Role::Weight.unknown("column", "pop", names),
            "there is no column \"pop\" for the weight; there are \"id\", \"population\", \"time\""
        );
        let many: Vec<String> =
            (1..=40).map(|number| format!("column_{number}")).chain(["population".into()]).collect();
        let unknown = Role::Weight.unknown("column", "popolation", many.iter().map(String::as_str));
        assert!(unknown.contains("\"population\", … (41 in all)"), "{unknown}");
        assert_eq!(
            Role::Category.unnamed("property", names).to_string(),
            "no property has a usual name for the category (category, type, class, kind, space_id, space); name \
             one with category_column: \"id\", \"population\", \"time\""
        );
        assert!(list_names(["a"; 500]).ends_with("\"a\", … (500 in all)"));
        assert_eq!(quoted(&"é".repeat(100)), format!("\"{}\"…", "é".repeat(40)));
    }
}
