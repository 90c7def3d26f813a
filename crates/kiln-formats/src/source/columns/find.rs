//! Which column is which, by the names that the user gives or else by the usual ones.

use arrow_schema::{DataType, Field};

use super::EXTENSION_NAME;
use super::values::{is_number, is_text, values_type};
use crate::source::role::{Role, position, quoted};
use crate::source::table::{Form, Requested, Table};
use crate::source::{Columns, Query};
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};

/// The columns of a table, to be found by their roles.
pub(super) struct Finder<'t> {
    table: &'t dyn Table,
    names: Vec<&'t str>,
    columns: &'t Columns,
}

/// Where the coordinates are.
#[derive(Debug)]
pub(super) enum Place {
    /// Two columns, and how much their numbers are to be multiplied by.
    Columns { lon: Requested, lat: Requested },
    /// One column of geometries.
    Geometry(Requested),
    /// One of these columns, the likeliest first, if its values are geometries.
    Candidates(Vec<Requested>),
}

impl<'t> Finder<'t> {
    pub(super) fn new(table: &'t dyn Table, query: &'t Query<'_>) -> Self {
        let names = table.schema().fields().iter().map(|field| field.name().as_str()).collect();
        Self { table, names, columns: &query.columns.names }
    }

    /// The field of a column; `None` where it is not listed.
    pub(super) fn field(&self, column: &Requested) -> Option<&'t Field> {
        column.index.map(|index| self.table.schema().field(index))
    }

    fn requested(&self, index: usize, form: Form) -> Requested {
        Requested { index: Some(index), name: self.names[index].to_owned(), form }
    }

    /// The column that the user names for a role.
    ///
    /// # Errors
    /// If there is no such column, there are several, or it does not hold what the role needs.
    pub(super) fn named(&self, role: Role) -> Result<Option<Requested>, Message> {
        let Some(name) = role.name_in(self.columns) else { return Ok(None) };
        let column = self.by_name(role, name)?;
        self.check(role, &column).map(|()| Some(column))
    }

    /// The column called `name`, or with that number from 1 where none is.
    pub(super) fn by_name(&self, role: Role, name: &str) -> Result<Requested, Message> {
        if let Some(index) = position(name, &self.names)? {
            return Ok(self.requested(index, form(role)));
        }
        let number = name.parse().ok().filter(|number| (1..=self.names.len()).contains(number));
        if let (Some(number), false) = (number, self.table.is_open()) {
            return Ok(self.requested(number - 1, form(role)));
        }
        if self.table.is_open() {
            return Ok(Requested { index: None, name: name.to_owned(), form: form(role) });
        }
        let column = self.table.nouns().column;
        Err(role.unknown(column, name, self.names.iter().copied()).into())
    }

    /// The columns with a usual name that can hold what a role needs, the likeliest first.
    ///
    /// # Errors
    /// If several columns have the same usual name.
    pub(super) fn usual(&self, role: Role) -> Result<Vec<Requested>, Message> {
        let mut found = Vec::new();
        for name in role.usual_names() {
            if let Some(index) = position(name, &self.names)? {
                let column = self.requested(index, form(role));
                if self.check(role, &column).is_ok() {
                    found.push(column);
                }
            }
        }
        Ok(found)
    }

    /// Says that a column is missing: which names would be found, or what is wrong with the column that has one.
    pub(super) fn missing(&self, role: Role) -> Message {
        let unfit = |name: &&str| {
            let index = position(name, &self.names).ok()??;
            self.check(role, &self.requested(index, form(role))).err()
        };
        let is_number = |(index, name): (usize, &&str)| name.parse() == Ok(index + 1);
        if !self.names.is_empty() && self.names.iter().enumerate().all(is_number) {
            let text = "the first line is a row and no header, so that columns have no names; give the number of the one of the ";
            return message!(
                format!("{text}{} with ", role.word()),
                role.parameter(),
                format!(": 1 to {}", self.names.len())
            );
        }
        let unnamed = || role.unnamed(self.table.nouns().column, self.names.iter().copied());
        role.usual_names().iter().find_map(unfit).unwrap_or_else(unnamed)
    }

    /// Makes sure that a column can hold what a role needs.
    fn check(&self, role: Role, column: &Requested) -> Result<(), Message> {
        let Some(field) = self.field(column) else { return Ok(()) };
        let data_type = field.data_type();
        let (fits, needs) = match role {
            Role::Lon | Role::Lat | Role::Weight => (is_number(data_type) || is_text(data_type), "numbers"),
            Role::Time => (is_time(data_type), "times"),
            Role::Category => (is_category(data_type), "categories"),
            Role::Geometry => (is_geometry(field), "points"),
        };
        if fits {
            return Ok(());
        }
        let (name, held) = (field.name(), type_name(data_type));
        let inner = match data_type {
            DataType::Struct(children) => {
                let inner = children.first().map_or("…", |child| child.name());
                format!(", such as `{name}.{inner}`,")
            }
            _ => String::new(),
        };
        let text =
            format!("its {} `{name}` holds {held}, not {needs}; name another{inner} with ", self.table.nouns().column);
        Err(message!(text, role.parameter()))
    }

    /// Finds the coordinates.
    ///
    /// # Errors
    /// If they are not found, or more than one column could be meant.
    pub(super) fn place(&self) -> Result<Place, Message> {
        let Columns { lon, lat, geometry, .. } = self.columns;
        if let Some(geometry) = self.named(Role::Geometry)? {
            let other = if lon.is_some() { Some(Parameter::LON) } else { lat.as_ref().map(|_| Parameter::LAT) };
            return match other {
                Some(other) => Err(message!(Parameter::GEOMETRY, " and ", other, " exclude each other")),
                None => Ok(Place::Geometry(geometry)),
            };
        }
        debug_assert!(geometry.is_none());
        if lon.is_some() || lat.is_some() {
            let find = |role| match self.named(role)? {
                Some(column) => Ok(column),
                None => self.partner(role)?.ok_or_else(|| self.missing(role)),
            };
            return Ok(Place::Columns { lon: find(Role::Lon)?, lat: find(Role::Lat)? });
        }
        if let Some(column) = self.declared() {
            return Ok(Place::Geometry(column));
        }
        let first = |role| Ok::<_, Message>(self.usual(role)?.into_iter().next());
        let (lon, lat) = (first(Role::Lon)?, first(Role::Lat)?);
        if let (Some(lon), Some(lat)) = (lon, lat) {
            return Ok(Place::Columns { lon, lat });
        }
        match &self.pairs()[..] {
            [] => {}
            [(lon, lat)] => {
                return Ok(Place::Columns {
                    lon: self.requested(*lon, Form::Number),
                    lat: self.requested(*lat, Form::Number),
                });
            }
            pairs => return Err(self.several(pairs)),
        }
        Ok(Place::Candidates(self.usual(Role::Geometry)?))
    }

    /// The column of the other coordinate where the user names one of the two.
    fn partner(&self, role: Role) -> Result<Option<Requested>, Message> {
        let named = self.named(if role == Role::Lon { Role::Lat } else { Role::Lon })?;
        let named = named.and_then(|column| column.index);
        let paired = self.pairs().into_iter().find_map(|(lon, lat)| match role {
            Role::Lon => (Some(lat) == named).then_some(lon),
            _ => (Some(lon) == named).then_some(lat),
        });
        match paired {
            Some(index) => Ok(Some(self.requested(index, form(role)))),
            None => Ok(self.usual(role)?.into_iter().next()),
        }
    }

    /// Whether a column is called `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        position(name, &self.names).is_ok_and(|found| found.is_some())
    }

    /// Columns that usually hold dates.
    pub(super) fn usual_dates(&self) -> Vec<Requested> {
        const NAMES: [&str; 5] = ["date", "day", "obs_date", "date_utc", "datum"];
        let found = NAMES.iter().filter_map(|name| position(name, &self.names).ok().flatten());
        found.map(|index| self.requested(index, Form::Text)).collect()
    }

    /// The columns, of N or S and of E or W, that say in which direction coordinates count.
    pub(super) fn hemispheres(&self) -> Option<[Requested; 2]> {
        const NAMES: [[&str; 2]; 7] = [
            ["n/s", "e/w"],
            ["ns", "ew"],
            ["n_s", "e_w"],
            ["lat_hem", "lon_hem"],
            ["lat_dir", "lon_dir"],
            ["lat_hemisphere", "lon_hemisphere"],
            ["latitude_hemisphere", "longitude_hemisphere"],
        ];
        let column = |name: &str| Some(self.requested(position(name, &self.names).ok()??, Form::Text));
        NAMES.iter().find_map(|[ns, ew]| Some([column(ns)?, column(ew)?]))
    }

    /// The geometry that the input declares.
    fn declared(&self) -> Option<Requested> {
        self.table.schema().fields().iter().enumerate().find_map(|(index, field)| {
            let extension = field.metadata().get(EXTENSION_NAME)?;
            extension.starts_with("geoarrow.").then(|| self.requested(index, Form::Text))
        })
    }

    /// Pairs of columns whose names differ in that the one has `lon` where the other has `lat`.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let fits = |index: usize| self.check(Role::Lon, &self.requested(index, Form::Number)).is_ok();
        let of = |words: &'static [&'static str]| {
            let names = self.names.iter().enumerate().filter(move |(index, _)| fits(*index));
            names.filter_map(|(index, name)| Some((index, stem(name, words)?))).collect::<Vec<_>>()
        };
        let lats = of(&["latitude", "lat"]);
        let pair =
            |(lon, stem): (usize, String)| lats.iter().find(|(_, other)| *other == stem).map(|&(lat, _)| (lon, lat));
        of(&["longitude", "long", "lng", "lon"]).into_iter().filter_map(pair).collect()
    }

    fn several(&self, pairs: &[(usize, usize)]) -> Message {
        let (column, count) = (self.table.nouns().column, pairs.len());
        let mut text = message!(format!("{count} pairs of {column}s could hold the coordinates; name one with "));
        for (index, (lon, lat)) in pairs.iter().take(5).enumerate() {
            let or = if index > 0 { ", or " } else { "" };
            let (lon, lat) = (quoted(self.names[*lon]), quoted(self.names[*lat]));
            text = message!(text, or, Parameter::LON, format!(" {lon} and "), Parameter::LAT, format!(" {lat}"));
        }
        text
    }
}

/// What the column of a role is read as where the format leaves a choice.
fn form(role: Role) -> Form {
    match role {
        Role::Lon | Role::Lat | Role::Weight => Form::Number,
        Role::Time | Role::Category | Role::Geometry => Form::Text,
    }
}

/// A name without the one of `words` in it and without the unit behind it, in lower case; `None` where the word is missing or
/// just part of another one.
fn stem(name: &str, words: &[&str]) -> Option<String> {
    let lower = name.to_lowercase();
    // Lower case may take other bytes than upper case does.
    let name = if lower.len() == name.len() { name } else { &lower };
    words.iter().find_map(|word| {
        let at = lower.rfind(word)?;
        let (before, behind) = (&name[..at], &name[at + word.len()..]);
        let starts = before.chars().next_back().is_none_or(|last| !last.is_alphanumeric())
            || word.len() > 4
            || (before.ends_with(|last: char| last.is_lowercase() || last.is_ascii_digit())
                && name[at..].starts_with(char::is_uppercase));
        let ends = behind.chars().next().is_none_or(|next| !next.is_lowercase()) || behind.eq_ignore_ascii_case("e7");
        (starts && ends).then(|| format!("{}*{}", &lower[..at], &lower[at + word.len()..]))
    })
}

fn is_time(data_type: &DataType) -> bool {
    let temporal = matches!(values_type(data_type), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
        || is_of_day(data_type);
    temporal || is_number(data_type) || is_text(data_type)
}

/// Whether values of a type are times of day.
pub(super) fn is_of_day(data_type: &DataType) -> bool {
    matches!(values_type(data_type), DataType::Time32(_) | DataType::Time64(_))
}

fn is_category(data_type: &DataType) -> bool {
    let data_type = values_type(data_type);
    // Bytes are texts of writers that do not say so.
    let bytes = matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    bytes || is_text(data_type) || is_number(data_type) || matches!(data_type, DataType::Boolean | DataType::Date32)
}

fn is_geometry(field: &Field) -> bool {
    match field.data_type() {
        DataType::Struct(fields) => {
            let has = |name: &str| fields.iter().any(|field| field.name() == name && is_number(field.data_type()));
            has("x") && has("y")
        }
        DataType::FixedSizeList(values, 2..=4) => is_number(values.data_type()),
        DataType::List(values) | DataType::LargeList(values) => is_geometry(values) || is_number(values.data_type()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => true,
        other => is_text(other),
    }
}

/// A type for a message: its first word.
fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string();
    name.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_one_stem() {
        let lon = |name| stem(name, &["longitude", "long", "lng", "lon"]);
        let lat = |name| stem(name, &["latitude", "lat"]);
        for (x, y) in [
            ("stop_lon", "stop_lat"),
            ("decimalLongitude", "decimalLatitude"),
            ("startLng", "startLat"),
            ("longitude_deg", "latitude_deg"),
            ("Longitude (deg)", "Latitude (deg)"),
            ("longitudeE7", "latitudeE7"),
            ("lon_e7", "lat_e7"),
            ("ActionGeo_Long", "ActionGeo_Lat"),
            ("place.lon", "place.lat"),
            ("LON", "LAT"),
            ("pickup longitude", "pickup latitude"),
        ] {
            assert!(lon(x).is_some(), "{x}");
            assert_eq!(lon(x), lat(y), "{x} {y}");
        }
        for name in ["salon", "colony", "belong", "flat", "plate", "platform", "relation", "long_name_lonely"] {
            assert!(lon(name).is_none() || lon(name) != lat(name), "{name}");
        }
        for name in ["flat", "platform", "relation", "latency", "template"] {
            assert_eq!(lat(name), None, "{name}");
        }
    }
}
