//! Which columns of a file the points are made of.

use parquet::file::metadata::KeyValue;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::cells::{Clock, Label, Number};
use super::geo::Geometry;
use crate::source::{Ground, Query};

const LON_NAMES: [&str; 5] = ["lon", "lng", "long", "longitude", "x"];
const LAT_NAMES: [&str; 3] = ["lat", "latitude", "y"];
const WEIGHT_NAMES: [&str; 4] = ["weight", "value", "w", "count"];
const TIME_NAMES: [&str; 4] = ["time", "timestamp", "date", "datetime"];
const CATEGORY_NAMES: [&str; 4] = ["category", "type", "class", "kind"];

/// Columns named in a message.
const LISTED_COLUMNS: usize = 30;

/// Where the coordinates are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Position {
    /// Two columns of numbers.
    Columns { lon: usize, lat: usize },
    /// One column of well-known binary.
    Wkb(usize),
}

/// The columns to read, as indexes of leaves of the schema, with how they store what they hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) weight: Option<(usize, Number)>,
    pub(super) time: Option<(usize, Clock)>,
    pub(super) category: Option<(usize, Label)>,
}

/// A [`Position`] with how it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Columns { lon: (usize, Number), lat: (usize, Number) },
    Wkb(usize),
}

impl Wanted {
    /// Finds what `query` needs. The error says what is missing, which columns there are, and which flag names one.
    pub(super) fn find(schema: &SchemaDescriptor, metadata: &[KeyValue], query: &Query<'_>) -> Result<Self, String> {
        let columns = &query.columns;
        let time = if query.start_us.is_some() || query.end_us.is_some() {
            let role = Role { word: "time", flag: "", wants: "instants", usual: &TIME_NAMES, reads: Clock::of };
            Some(role.find(schema, columns.time.as_deref())?.ok_or_else(|| role.missing(schema))?)
        } else {
            None
        };
        let category = if query.categories.is_empty() {
            None
        } else {
            let role = Role { word: "category", flag: "", wants: "labels", usual: &CATEGORY_NAMES, reads: Label::of };
            Some(role.find(schema, columns.category.as_deref())?.ok_or_else(|| role.missing(schema))?)
        };
        let weight = if query.weights {
            let role = number("weight", "--weight", &WEIGHT_NAMES);
            role.find(schema, columns.weight.as_deref())?
        } else {
            None
        };
        Ok(Self { place: Place::find(schema, metadata, query)?, weight, time, category })
    }

    /// The leaves to read.
    pub(super) fn leaves(&self) -> impl Iterator<Item = usize> {
        let place = match self.place {
            Place::Columns { lon, lat } => [Some(lon.0), Some(lat.0)],
            Place::Wkb(index) => [Some(index), None],
        };
        let rest = [self.weight.map(|(i, _)| i), self.time.map(|(i, _)| i), self.category.map(|(i, _)| i)];
        place.into_iter().chain(rest).flatten()
    }
}

impl Place {
    fn find(schema: &SchemaDescriptor, metadata: &[KeyValue], query: &Query<'_>) -> Result<Self, String> {
        let columns = &query.columns;
        let (lon_role, lat_role) = (number("longitude", "--lon", &LON_NAMES), number("latitude", "--lat", &LAT_NAMES));
        let lon = lon_role.find(schema, columns.lon.as_deref())?;
        let lat = lat_role.find(schema, columns.lat.as_deref())?;
        if let (Some(lon), Some(lat)) = (lon, lat) {
            return Ok(Self::Columns { lon, lat });
        }
        let named = columns.lon.is_some() || columns.lat.is_some();
        let geometry = if named { None } else { Geometry::find(schema, metadata)? };
        let Some(geometry) = geometry else {
            return Err(if lon.is_none() { lon_role.missing(schema) } else { lat_role.missing(schema) });
        };
        if let (Some(crs), Ground::Globe) = (geometry.foreign_crs, query.ground) {
            return Err(format!(
                "its geometry is in {crs}, not in longitude and latitude; \
                 reproject it first, for instance with `ogr2ogr -t_srs EPSG:4326 out.parquet in.parquet`"
            ));
        }
        Ok(match geometry.position {
            Position::Wkb(index) => Self::Wkb(index),
            Position::Columns { lon, lat } => {
                Self::Columns { lon: (lon, lon_role.read(schema, lon)?), lat: (lat, lat_role.read(schema, lat)?) }
            }
        })
    }
}

/// What a column is to the points, and how columns that can be it are told.
struct Role<R: 'static> {
    word: &'static str,
    /// The flag that names the column; empty if it is not said.
    flag: &'static str,
    /// What the column has to hold.
    wants: &'static str,
    usual: &'static [&'static str],
    reads: fn(&ColumnDescriptor) -> Option<R>,
}

fn number(word: &'static str, flag: &'static str, usual: &'static [&'static str]) -> Role<Number> {
    Role { word, flag, wants: "numbers", usual, reads: Number::of }
}

impl<R> Role<R> {
    /// The column called `name`, or else the first that has a usual name and holds what is wanted.
    fn find(&self, schema: &SchemaDescriptor, name: Option<&str>) -> Result<Option<(usize, R)>, String> {
        if let Some(name) = name {
            let unfound =
                || nested(schema, name).unwrap_or_else(|| format!("no column `{name}` among {}", listing(schema)));
            let index = leaf(schema, name).ok_or_else(unfound)?;
            return Ok(Some((index, self.read(schema, index)?)));
        }
        let usual = || self.usual.iter().filter_map(|name| leaf(schema, name));
        Ok(usual().find_map(|index| Some((index, self.read(schema, index).ok()?))))
    }

    /// How the column at `index` stores what is wanted.
    fn read(&self, schema: &SchemaDescriptor, index: usize) -> Result<R, String> {
        let column = schema.column(index);
        let name = column.path().string();
        if column.max_rep_level() > 0 {
            return Err(format!("its column `{name}` is a list; there has to be one {} per row", self.word));
        }
        (self.reads)(&column).ok_or_else(|| {
            let hint = if self.flag.is_empty() { String::new() } else { format!("; name another with {}", self.flag) };
            format!("its column `{name}` holds {}, not {}{hint}", type_name(&column), self.wants)
        })
    }

    /// Says that no column has a usual name, or what is wrong with the one that has.
    fn missing(&self, schema: &SchemaDescriptor) -> String {
        let unfit = |name: &&str| match leaf(schema, name) {
            Some(index) => self.read(schema, index).err(),
            None => nested(schema, name),
        };
        if let Some(flaw) = self.usual.iter().find_map(unfit) {
            return flaw;
        }
        let how = if self.flag.is_empty() { String::new() } else { format!(" with {}", self.flag) };
        let (word, usual) = (self.word, self.usual.join(", "));
        format!("no column is called as a {word} usually is ({usual}); name one{how}: {}", listing(schema))
    }
}

/// The leaf with the dotted path `name`, exactly or else in any case.
pub(super) fn leaf(schema: &SchemaDescriptor, name: &str) -> Option<usize> {
    let find = |same: &dyn Fn(&str) -> bool| schema.columns().iter().position(|column| same(&column.path().string()));
    find(&|path| path == name).or_else(|| find(&|path| path.eq_ignore_ascii_case(name)))
}

/// What is wrong with the column `name` if it is a list or a structure.
fn nested(schema: &SchemaDescriptor, name: &str) -> Option<String> {
    let is_below = |parts: &[String]| parts.len() > 1 && parts[0].eq_ignore_ascii_case(name);
    let leaf = schema.columns().iter().find(|column| is_below(column.path().parts()))?;
    let path = leaf.path().string();
    Some(if leaf.max_rep_level() > 0 {
        format!("its column `{name}` is a list (`{path}`); there has to be one value per row")
    } else {
        format!("its column `{name}` has fields; name one of them, such as `{path}`")
    })
}

fn listing(schema: &SchemaDescriptor) -> String {
    let columns = schema.columns();
    let mut names: Vec<String> = columns.iter().take(LISTED_COLUMNS).map(|column| column.path().string()).collect();
    if columns.len() > LISTED_COLUMNS {
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// A column's type, as people call it.
fn type_name(column: &ColumnDescriptor) -> String {
    let stored = column.physical_type();
    match column.logical_type_ref() {
        // The first word of `Timestamp(…)` says enough.
        Some(logical) => {
            let logical = format!("{logical:?}");
            format!("{} ({stored})", logical.split('(').next().unwrap_or_default())
        }
        None => stored.to_string(),
    }
}
