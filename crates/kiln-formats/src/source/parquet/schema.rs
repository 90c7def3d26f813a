//! Which columns of a file the points are made of.

use parquet::file::metadata::KeyValue;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::cells::{Clock, Label, Number};
use super::geo::Geometry;
use crate::source::batch::Has;
use crate::source::role::{Need, Role, first_found, position};
use crate::source::{Ground, Query};
use kiln_core::message;
use kiln_core::parameter::Message;

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
    /// Finds what `query` needs. The error says what is missing, which columns there are, and which parameter names one.
    pub(super) fn find(schema: &SchemaDescriptor, metadata: &[KeyValue], query: &Query<'_>) -> Result<Self, Message> {
        let time = Search { role: Role::Time, wants: "instants", reads: Clock::of }.find_needed(schema, query)?;
        let category = Search { role: Role::Category, wants: "labels", reads: Label::of }.find_needed(schema, query)?;
        let weight = number(Role::Weight).find_needed(schema, query)?;
        Ok(Self { place: Place::find(schema, metadata, query)?, weight, time, category })
    }

    /// What every row has.
    pub(super) fn has(&self) -> Has {
        Has { weight: self.weight.is_some(), time: self.time.is_some(), category: self.category.is_some() }
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
    fn find(schema: &SchemaDescriptor, metadata: &[KeyValue], query: &Query<'_>) -> Result<Self, Message> {
        let (lon_search, lat_search) = (number(Role::Lon), number(Role::Lat));
        let lon = lon_search.find(schema, query)?;
        let lat = lat_search.find(schema, query)?;
        if let (Some(lon), Some(lat)) = (lon, lat) {
            return Ok(Self::Columns { lon, lat });
        }
        let named = query.columns.names.lon.is_some() || query.columns.names.lat.is_some();
        let geometry = if named { None } else { Geometry::find(schema, metadata)? };
        let Some(geometry) = geometry else {
            return Err(if lon.is_none() { lon_search.missing(schema) } else { lat_search.missing(schema) });
        };
        if let (Some(crs), Ground::Globe) = (geometry.foreign_crs, query.columns.ground) {
            return Err(format!(
                "its geometry is in {crs}, not in longitude and latitude; \
                 reproject it first, for instance with `ogr2ogr -t_srs EPSG:4326 out.parquet in.parquet`"
            )
            .into());
        }
        Ok(match geometry.position {
            Position::Wkb(index) => Self::Wkb(index),
            Position::Columns { lon, lat } => {
                Self::Columns { lon: (lon, lon_search.read(schema, lon)?), lat: (lat, lat_search.read(schema, lat)?) }
            }
        })
    }
}

/// The search for the column of a role, and how columns that can be it are told.
struct Search<R> {
    role: Role,
    /// What the column has to hold.
    wants: &'static str,
    reads: fn(&ColumnDescriptor) -> Option<R>,
}

fn number(role: Role) -> Search<Number> {
    Search { role, wants: "numbers", reads: Number::of }
}

impl<R> Search<R> {
    /// The column that `query` names, or else the first that has a usual name and holds what is wanted.
    fn find(&self, schema: &SchemaDescriptor, query: &Query<'_>) -> Result<Option<(usize, R)>, Message> {
        let Some(name) = self.role.named(&query.columns.names) else {
            return first_found(self.role.usual_names().iter().map(|name| {
                let index = leaf(schema, name)?;
                Ok(index.and_then(|index| Some((index, self.read(schema, index).ok()?))))
            }));
        };
        let unfound = || {
            let paths = paths(schema);
            nested(schema, name).unwrap_or_else(|| self.role.unknown("column", name, paths.iter().map(String::as_str)))
        };
        let index = leaf(schema, name)?.ok_or_else(unfound)?;
        Ok(Some((index, self.read(schema, index)?)))
    }

    /// The same, as far as `query` needs it.
    fn find_needed(&self, schema: &SchemaDescriptor, query: &Query<'_>) -> Result<Option<(usize, R)>, Message> {
        match self.role.need(query) {
            Need::No => Ok(None),
            Need::IfThere => self.find(schema, query),
            Need::Must => self.find(schema, query)?.ok_or_else(|| self.missing(schema)).map(Some),
        }
    }

    /// How the column at `index` stores what is wanted.
    fn read(&self, schema: &SchemaDescriptor, index: usize) -> Result<R, Message> {
        let column = schema.column(index);
        let name = column.path().string();
        if column.max_rep_level() > 0 {
            return Err(
                format!("its column `{name}` is a list; there has to be one {} per row", self.role.word()).into()
            );
        }
        (self.reads)(&column).ok_or_else(|| {
            let (held, wants) = (type_name(&column), self.wants);
            let unfit = format!("its column `{name}` holds {held}, not {wants}; name another with ");
            message!(unfit, self.role.parameter())
        })
    }

    /// Says that no column has a usual name, or what is wrong with the one that has.
    fn missing(&self, schema: &SchemaDescriptor) -> Message {
        let unfit = |name: &&str| match leaf(schema, name) {
            Ok(Some(index)) => self.read(schema, index).err(),
            Ok(None) => nested(schema, name).map(Message::from),
            Err(several) => Some(several.into()),
        };
        let unnamed = || self.role.unnamed("column", paths(schema).iter().map(String::as_str));
        self.role.usual_names().iter().find_map(unfit).unwrap_or_else(unnamed)
    }
}

/// The leaf with the dotted path `name`, exactly or else in any case.
pub(super) fn leaf(schema: &SchemaDescriptor, name: &str) -> Result<Option<usize>, String> {
    position(name, &paths(schema))
}

/// The dotted paths of all leaves.
fn paths(schema: &SchemaDescriptor) -> Vec<String> {
    schema.columns().iter().map(|column| column.path().string()).collect()
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
