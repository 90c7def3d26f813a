//! Assignment of columns to roles, by the names that the user gives or by common names.

use arrow_schema::{DataType, Field};

use super::EXTENSION_NAME;
use super::values::{is_number, is_text, values_type};
use crate::source::role::{Requirement, Role, position, quoted};
use crate::source::table::{RequestedColumn, Table, ValueType};
use crate::source::{Columns, Query};
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};

/// Finds the columns of a table by their roles.
pub(super) struct Finder<'t> {
    table: &'t dyn Table,
    names: Vec<&'t str>,
    columns: &'t Columns,
}

/// The columns that coordinates are in.
#[derive(Debug)]
pub(super) enum FoundCoordinates {
    /// A longitude and a latitude column.
    Columns { lon: RequestedColumn, lat: RequestedColumn },
    /// A geometry column.
    Geometry(RequestedColumn),
    /// The first of these columns whose values are geometries. The most likely is first.
    Candidates(Vec<RequestedColumn>),
    /// None, and none are needed.
    None,
}

/// Whether an input without coordinates is accepted: if none are needed, and none are named.
pub(super) fn may_lack_coordinates(query: &Query<'_>) -> bool {
    let Columns { lon, lat, geometry, .. } = &query.columns.names;
    let is_named = lon.is_some() || lat.is_some() || geometry.is_some();
    let is_near = query.filter.polygon.is_some() || query.scan.near.is_some();
    query.columns.without_positions && !is_named && !is_near
}

impl<'t> Finder<'t> {
    pub(super) fn new(table: &'t dyn Table, query: &'t Query<'_>) -> Self {
        let names = table.schema().fields().iter().map(|field| field.name().as_str()).collect();
        Self { table, names, columns: &query.columns.names }
    }

    /// The field of a column; `None` if the schema does not list it.
    pub(super) fn field(&self, column: &RequestedColumn) -> Option<&'t Field> {
        column.index.map(|index| self.table.schema().field(index))
    }

    fn requested(&self, index: usize, value_type: ValueType) -> RequestedColumn {
        RequestedColumn { index: Some(index), name: self.names[index].to_owned(), value_type }
    }

    /// The column that the user named for a role.
    ///
    /// # Errors
    /// If the column is missing or ambiguous, or has an unsuitable type for the role.
    pub(super) fn named(&self, role: Role) -> Result<Option<RequestedColumn>, Message> {
        let Some(name) = role.name_in(self.columns) else { return Ok(None) };
        let column = self.by_name(role, name)?;
        self.check(role, &column).map(|()| Some(column))
    }

    /// The column called `name`, or the column with that number, from 1.
    ///
    /// # Errors
    /// If the column is missing or ambiguous.
    pub(super) fn by_name(&self, role: Role, name: &str) -> Result<RequestedColumn, Message> {
        if let Some(index) = position(name, &self.names)? {
            return Ok(self.requested(index, value_type(role)));
        }
        let number = name.parse().ok().filter(|number| (1..=self.names.len()).contains(number));
        if let (Some(number), false) = (number, self.table.is_open()) {
            return Ok(self.requested(number - 1, value_type(role)));
        }
        if self.table.is_open() {
            return Ok(RequestedColumn { index: None, name: name.to_owned(), value_type: value_type(role) });
        }
        let column = self.table.nouns().column;
        let unknown = role.unknown(column, name, self.names.iter().copied());
        Err(message!(format!("{unknown}; name another with "), role.parameter()))
    }

    /// Checks the columns that the user named, but that `query` does not read, and returns those of them that the schema
    /// does not list.
    ///
    /// # Errors
    /// As [`named`](Self::named).
    pub(super) fn unread(&self, query: &Query<'_>) -> Result<Vec<RequestedColumn>, Message> {
        let mut columns = Vec::new();
        for role in [Role::Weight, Role::Time, Role::Category, Role::Track] {
            let name = role.name_in(self.columns).filter(|name| *name != Columns::NO_COLUMN);
            let Some(name) = name.filter(|_| role.requirement(query) == Requirement::Unused) else { continue };
            match name.split_once('+').filter(|_| role == Role::Time && !self.has_column(name)) {
                Some((date, time)) => columns.extend([self.by_name(role, date)?, self.by_name(role, time)?]),
                None => columns.extend(self.named(role)?),
            }
        }
        columns.retain(|column| column.index.is_none());
        Ok(columns)
    }

    /// The columns with a common name and a suitable type for a role, the most likely first.
    ///
    /// # Errors
    /// If several columns have the same common name.
    pub(super) fn usual(&self, role: Role) -> Result<Vec<RequestedColumn>, Message> {
        let mut found = Vec::new();
        for name in role.usual_names() {
            if let Some(index) = position(name, &self.names)? {
                let column = self.requested(index, value_type(role));
                if self.check(role, &column).is_ok() {
                    found.push(column);
                }
            }
        }
        Ok(found)
    }

    /// The error for a missing column: it lists the common names, or describes why a column with one is unsuitable.
    pub(super) fn missing_error(&self, role: Role) -> Message {
        let invalid_reason = |name: &&str| {
            let index = position(name, &self.names).ok()??;
            self.check(role, &self.requested(index, value_type(role))).err()
        };
        let is_number = |(index, name): (usize, &&str)| name.parse() == Ok(index + 1);
        if !self.names.is_empty() && self.names.iter().enumerate().all(is_number) {
            let text = "the first line is a row, not a header, so columns have no names; set the column number of the ";
            return message!(
                format!("{text}{} with ", role.word()),
                role.parameter(),
                format!(": 1 to {}", self.names.len())
            );
        }
        let unnamed = || role.unnamed(self.table.nouns().column, self.names.iter().copied());
        role.usual_names().iter().find_map(invalid_reason).unwrap_or_else(unnamed)
    }

    /// Checks that the type of a column is suitable for a role.
    fn check(&self, role: Role, column: &RequestedColumn) -> Result<(), Message> {
        let Some(field) = self.field(column) else { return Ok(()) };
        let data_type = field.data_type();
        let (is_suitable, expected) = match role {
            Role::Lon | Role::Lat | Role::Weight => (is_number(data_type) || is_text(data_type), "numbers"),
            Role::Time => (is_time(data_type), "times"),
            Role::Category => (is_category(data_type), "categories"),
            Role::Track => (is_category(data_type), "ids"),
            Role::Geometry => (is_geometry(field), "points"),
        };
        if is_suitable {
            return Ok(());
        }
        let (name, found) = (field.name(), type_name(data_type));
        let inner = match data_type {
            DataType::Struct(children) => {
                let inner = children.first().map_or("…", |child| child.name());
                format!(", such as `{name}.{inner}`,")
            }
            _ => String::new(),
        };
        let text = format!(
            "its {} `{name}` holds {found}, not {expected}; name another{inner} with ",
            self.table.nouns().column
        );
        Err(message!(text, role.parameter()))
    }

    /// The columns of the coordinates that `query` needs: see [`coordinates`](Self::coordinates).
    ///
    /// # Errors
    /// If they are missing or ambiguous, and the query needs them.
    pub(super) fn coordinates_for(&self, query: &Query<'_>) -> Result<FoundCoordinates, Message> {
        match self.coordinates() {
            Err(_) if may_lack_coordinates(query) => Ok(FoundCoordinates::None),
            coordinates => coordinates,
        }
    }

    /// Finds the coordinate columns.
    ///
    /// # Errors
    /// If they are missing or ambiguous.
    fn coordinates(&self) -> Result<FoundCoordinates, Message> {
        let Columns { lon, lat, geometry, .. } = self.columns;
        if let Some(geometry) = self.named(Role::Geometry)? {
            let other = if lon.is_some() { Some(Parameter::LON) } else { lat.as_ref().map(|_| Parameter::LAT) };
            return match other {
                Some(other) => Err(message!(Parameter::GEOMETRY, " and ", other, " cannot be combined")),
                None => Ok(FoundCoordinates::Geometry(geometry)),
            };
        }
        debug_assert!(geometry.is_none());
        if lon.is_some() || lat.is_some() {
            let find = |role| match self.named(role)? {
                Some(column) => Ok(column),
                None => self.other_axis(role)?.ok_or_else(|| self.missing_error(role)),
            };
            return Ok(FoundCoordinates::Columns { lon: find(Role::Lon)?, lat: find(Role::Lat)? });
        }
        if let Some(column) = self.declared_geometry() {
            return Ok(FoundCoordinates::Geometry(column));
        }
        let first = |role| Ok::<_, Message>(self.usual(role)?.into_iter().next());
        let (lon, lat) = (first(Role::Lon)?, first(Role::Lat)?);
        if let (Some(lon), Some(lat)) = (lon, lat) {
            return Ok(FoundCoordinates::Columns { lon, lat });
        }
        match &self.pairs()[..] {
            [] => {}
            [(lon, lat)] => {
                return Ok(FoundCoordinates::Columns {
                    lon: self.requested(*lon, ValueType::Number),
                    lat: self.requested(*lat, ValueType::Number),
                });
            }
            pairs => return Err(self.ambiguous_pairs(pairs)),
        }
        Ok(FoundCoordinates::Candidates(self.usual(Role::Geometry)?))
    }

    /// The coordinate column for `role` when the user names only the other one.
    fn other_axis(&self, role: Role) -> Result<Option<RequestedColumn>, Message> {
        let named = self.named(if role == Role::Lon { Role::Lat } else { Role::Lon })?;
        let named = named.and_then(|column| column.index);
        let paired = self.pairs().into_iter().find_map(|(lon, lat)| match role {
            Role::Lon => (Some(lat) == named).then_some(lon),
            _ => (Some(lon) == named).then_some(lat),
        });
        match paired {
            Some(index) => Ok(Some(self.requested(index, value_type(role)))),
            None => Ok(self.usual(role)?.into_iter().next()),
        }
    }

    /// Whether a column is called `name`.
    pub(super) fn has_column(&self, name: &str) -> bool {
        position(name, &self.names).is_ok_and(|found| found.is_some())
    }

    /// The columns with a common name for dates.
    pub(super) fn usual_dates(&self) -> Vec<RequestedColumn> {
        const NAMES: [&str; 5] = ["date", "day", "obs_date", "date_utc", "datum"];
        let found = NAMES.iter().filter_map(|name| position(name, &self.names).ok().flatten());
        found.map(|index| self.requested(index, ValueType::Text)).collect()
    }

    /// The hemisphere columns: N or S for latitudes, E or W for longitudes.
    pub(super) fn hemispheres(&self) -> Option<[RequestedColumn; 2]> {
        const NAMES: [[&str; 2]; 7] = [
            ["n/s", "e/w"],
            ["ns", "ew"],
            ["n_s", "e_w"],
            ["lat_hem", "lon_hem"],
            ["lat_dir", "lon_dir"],
            ["lat_hemisphere", "lon_hemisphere"],
            ["latitude_hemisphere", "longitude_hemisphere"],
        ];
        let column = |name: &str| Some(self.requested(position(name, &self.names).ok()??, ValueType::Text));
        NAMES.iter().find_map(|[ns, ew]| Some([column(ns)?, column(ew)?]))
    }

    /// The column with GeoArrow metadata.
    fn declared_geometry(&self) -> Option<RequestedColumn> {
        self.table.schema().fields().iter().enumerate().find_map(|(index, field)| {
            let extension = field.metadata().get(EXTENSION_NAME)?;
            extension.starts_with("geoarrow.").then(|| self.requested(index, ValueType::Text))
        })
    }

    /// Pairs of columns whose names differ only in `lon` and `lat`, such as `stop_lon` and `stop_lat`. Returns their
    /// indexes.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let is_suitable = |index: usize| self.check(Role::Lon, &self.requested(index, ValueType::Number)).is_ok();
        let stems = |words: &'static [&'static str]| {
            let names = self.names.iter().enumerate().filter(move |(index, _)| is_suitable(*index));
            names.filter_map(|(index, name)| Some((index, stem(name, words)?))).collect::<Vec<_>>()
        };
        let lats = stems(&["latitude", "lat"]);
        let pair =
            |(lon, stem): (usize, String)| lats.iter().find(|(_, other)| *other == stem).map(|&(lat, _)| (lon, lat));
        stems(&["longitude", "long", "lng", "lon"]).into_iter().filter_map(pair).collect()
    }

    fn ambiguous_pairs(&self, pairs: &[(usize, usize)]) -> Message {
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

/// The type to read the column of a role as, in formats without column types.
fn value_type(role: Role) -> ValueType {
    match role {
        Role::Lon | Role::Lat | Role::Weight => ValueType::Number,
        Role::Time | Role::Category | Role::Track | Role::Geometry => ValueType::Text,
    }
}

/// A name in lower case with the first match of `words` replaced by `*`; `None` if none matches as a separate word.
fn stem(name: &str, words: &[&str]) -> Option<String> {
    let lower = name.to_lowercase();
    // Case conversion may change the length in bytes.
    let name = if lower.len() == name.len() { name } else { &lower };
    words.iter().find_map(|word| {
        let at = lower.rfind(word)?;
        let (before, after) = (&name[..at], &name[at + word.len()..]);
        let starts = before.chars().next_back().is_none_or(|last| !last.is_alphanumeric())
            || word.len() > 4
            || (before.ends_with(|last: char| last.is_lowercase() || last.is_ascii_digit())
                && name[at..].starts_with(char::is_uppercase));
        let ends = after.chars().next().is_none_or(|next| !next.is_lowercase()) || after.eq_ignore_ascii_case("e7");
        (starts && ends).then(|| format!("{}*{}", &lower[..at], &lower[at + word.len()..]))
    })
}

fn is_time(data_type: &DataType) -> bool {
    let temporal = matches!(values_type(data_type), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
        || is_time_of_day_type(data_type);
    temporal || is_number(data_type) || is_text(data_type)
}

/// Whether values of a type are times of day.
pub(super) fn is_time_of_day_type(data_type: &DataType) -> bool {
    matches!(values_type(data_type), DataType::Time32(_) | DataType::Time64(_))
}

fn is_category(data_type: &DataType) -> bool {
    let data_type = values_type(data_type);
    // Some writers store strings as plain binary.
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

/// The first word of a type name, for messages.
fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string();
    name.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longitude_and_latitude_names_have_the_same_stem() {
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
