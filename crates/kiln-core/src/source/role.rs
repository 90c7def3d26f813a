//! What a column, a property or a member is to the point, and how it is found by name.

use super::{Columns, Query};
use crate::message;
use crate::parameter::{Message, Parameter};
use crate::spelling::nearest_first;

/// What a column is to the point.
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
    /// Geometry, in place of longitude and latitude.
    Geometry,
}

/// How much a query needs a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// It is not to be read.
    Unused,
    /// It is to be read if it is there; if the user named it, it has to be.
    Optional,
    /// It has to be there.
    Required,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [Self::Lon, Self::Lat, Self::Weight, Self::Time, Self::Category];

    /// The names it usually has, the likeliest first.
    pub fn usual_names(self) -> &'static [&'static str] {
        match self {
            Self::Lon => &["lon", "lng", "long", "longitude", "x"],
            Self::Lat => &["lat", "latitude", "y"],
            Self::Weight => &["weight", "value", "w", "count"],
            Self::Time => &["time", "timestamp", "datetime", "date"],
            Self::Category => &["category", "type", "class", "kind"],
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

    /// The noun for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lon => "longitude",
            Self::Lat => "latitude",
            Self::Weight => "weight",
            Self::Time => "time",
            Self::Category => "category",
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
            Self::Geometry => Parameter::GEOMETRY,
        }
    }

    /// How much `query` needs the column.
    pub fn requirement(self, query: &Query<'_>) -> Requirement {
        let is_none = self.name_in(&query.columns.names) == Some(Columns::NO_COLUMN);
        if is_none && !matches!(self, Self::Lon | Self::Lat) {
            return Requirement::Unused;
        }
        let (must, if_there) = match self {
            Self::Lon | Self::Lat | Self::Geometry => (true, true),
            Self::Weight => (false, query.columns.weights),
            Self::Time => (query.filter.filters_time(), query.columns.times),
            Self::Category => (query.filter.filters_category(), query.columns.categories),
        };
        match (must, if_there) {
            (true, _) => Requirement::Required,
            (false, true) => Requirement::Optional,
            (false, false) => Requirement::Unused,
        }
    }

    /// The name that the user gave.
    pub fn name_in(self, columns: &Columns) -> Option<&str> {
        match self {
            Self::Lon => &columns.lon,
            Self::Lat => &columns.lat,
            Self::Weight => &columns.weight,
            Self::Time => &columns.time,
            Self::Category => &columns.category,
            Self::Geometry => &columns.geometry,
        }
        .as_deref()
    }

    /// Says that none of the columns called `known` has the name that the user gave; `what` is `column` or the like.
    pub fn unknown<'n>(self, what: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
        let (name, known) = (quoted(name), list_names(nearest_first(name, known)));
        format!("there is no {what} {name} for the {}; there are {known}", self.word())
    }

    /// Says that none of the columns called `known` has a usual name; `what` is `column` or the like.
    pub fn unnamed<'n>(self, what: &str, known: impl IntoIterator<Item = &'n str>) -> Message {
        let (word, usual) = (self.word(), self.usual_names().join(", "));
        let unnamed = format!("no {what} is called as a {word} usually is ({usual}); name one with ");
        message!(unnamed, self.parameter(), format!(": {}", list_names(known)))
    }
}

/// Where among the columns called `known` the one called `name` is, exactly or else in any case.
///
/// # Errors
/// Says that several columns have this name.
pub fn position(name: &str, known: &[impl AsRef<str>]) -> Result<Option<usize>, String> {
    let places = |is_it: fn(&str, &str) -> bool| -> Vec<usize> {
        (0..known.len()).filter(|&place| is_it(known[place].as_ref(), name)).collect()
    };
    let exact = places(|known, name| known == name);
    if exact.len() > 1 {
        return Err(format!("more than one column is called {}; rename all but the one that is meant", quoted(name)));
    }
    let found = if exact.is_empty() { places(str::eq_ignore_ascii_case) } else { exact };
    match found[..] {
        [] => Ok(None),
        [place] => Ok(Some(place)),
        _ => {
            let names = list_names(found.iter().map(|&place| known[place].as_ref()));
            Err(format!("more than one column is called {}, in upper or lower case: {names}; name one", quoted(name)))
        }
    }
}

/// The first place that a search for one name after another found.
///
/// # Errors
/// The first error of a search before that.
pub fn first_found<T, E>(mut searches: impl Iterator<Item = Result<Option<T>, E>>) -> Result<Option<T>, E> {
    searches.find_map(Result::transpose).transpose()
}

/// Names for a message, not too many.
pub fn list_names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MOST: usize = 20;
    let mut names = names.into_iter();
    let mut listed: Vec<String> = names.by_ref().take(MOST).map(quoted).collect();
    let more = names.count();
    if more > 0 {
        listed.push(format!("… ({} in all)", MOST + more));
    }
    listed.join(", ")
}

/// A piece of an input in quotes, on one line and not too long.
pub fn quoted(text: &str) -> String {
    const MOST: usize = 40;
    let start: String = text.chars().take(MOST).collect();
    format!("{:?}{}", start, if start.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_column() {
        assert_eq!(position("lat", &["LAT", "x", "lat"]), Ok(Some(2)));
        assert_eq!(position("lat", &["x", "Lat"]), Ok(Some(1)));
        assert_eq!(position("lat", &["x", "latitude"]), Ok(None));
        assert_eq!(
            position("lat", &["lat", "LAT", "lat"]).unwrap_err(),
            "more than one column is called \"lat\"; rename all but the one that is meant"
        );
        assert_eq!(
            position("lat", &["Lat", "x", "LAT", "LAT"]).unwrap_err(),
            "more than one column is called \"lat\", in upper or lower case: \"Lat\", \"LAT\", \"LAT\"; name one"
        );
    }

    #[test]
    fn messages_list_the_names_there_are() {
        let names = ["id", "population", "time"];
        assert_eq!(
            Role::Weight.unknown("column", "pop", names),
            "there is no column \"pop\" for the weight; there are \"population\", \"id\", \"time\""
        );
        assert_eq!(
            Role::Category.unnamed("property", names).to_string(),
            "no property is called as a category usually is (category, type, class, kind); name one with \
             category_column: \"id\", \"population\", \"time\""
        );
        assert!(list_names(["a"; 500]).ends_with("\"a\", … (500 in all)"));
        assert_eq!(quoted(&"é".repeat(100)), format!("\"{}\"…", "é".repeat(40)));
    }
}
