//! Which columns the points are made of.

use arrow_schema::{DataType, Schema};

use crate::source::Query;
use crate::source::batch::Has;
use crate::source::role::{Need, Role, first_found, position};
use kiln_core::message;
use kiln_core::parameter::Message;

/// Places of columns in the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) lon: usize,
    pub(super) lat: usize,
    pub(super) weight: Option<usize>,
    pub(super) time: Option<usize>,
    pub(super) category: Option<usize>,
}

impl Wanted {
    /// Finds what `query` needs. The error says what is missing, which columns there are, and which parameter names one.
    pub(super) fn find(schema: &Schema, query: &Query<'_>) -> Result<Self, Message> {
        let columns = Columns { schema, query };
        Ok(Self {
            lon: columns.must(Role::Lon)?,
            lat: columns.must(Role::Lat)?,
            weight: columns.find_needed(Role::Weight)?,
            time: columns.find_needed(Role::Time)?,
            category: columns.find_needed(Role::Category)?,
        })
    }

    /// What every row has.
    pub(super) fn has(&self) -> Has {
        Has { weight: self.weight.is_some(), time: self.time.is_some(), category: self.category.is_some() }
    }

    /// The columns in the order in which they are read.
    pub(super) fn places(&self) -> Vec<usize> {
        [Some(self.lon), Some(self.lat), self.weight, self.time, self.category].into_iter().flatten().collect()
    }
}

struct Columns<'a> {
    schema: &'a Schema,
    query: &'a Query<'a>,
}

impl Columns<'_> {
    fn names(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    fn find_needed(&self, role: Role) -> Result<Option<usize>, Message> {
        match role.need(self.query) {
            Need::No => Ok(None),
            Need::IfThere => self.find(role),
            Need::Must => self.must(role).map(Some),
        }
    }

    /// The column that the query names, or else the first that has a usual name and holds what is wanted.
    fn find(&self, role: Role) -> Result<Option<usize>, Message> {
        let names = self.names();
        let Some(name) = role.named(&self.query.columns.names) else {
            return first_found(
                role.usual_names()
                    .iter()
                    .map(|name| Ok(position(name, &names)?.filter(|&place| self.check(role, place).is_ok()))),
            );
        };
        let place = position(name, &names)?.ok_or_else(|| role.unknown("column", name, names.iter().copied()))?;
        self.check(role, place).map(|()| Some(place))
    }

    fn must(&self, role: Role) -> Result<usize, Message> {
        let names = self.names();
        self.find(role)?.ok_or_else(|| {
            // A column with a usual name is there, but holds something else.
            let unfit = |name: &&str| match position(name, &names) {
                Ok(Some(place)) => self.check(role, place).err(),
                _ => None,
            };
            let unnamed = || role.unnamed("column", names.iter().copied());
            role.usual_names().iter().find_map(unfit).unwrap_or_else(unnamed)
        })
    }

    /// Makes sure that the column at `place` holds what `role` takes.
    fn check(&self, role: Role, place: usize) -> Result<(), Message> {
        let field = self.schema.field(place);
        let (fits, wants) = match role {
            Role::Lon | Role::Lat | Role::Weight => (is_number(field.data_type()), "numbers"),
            Role::Time => (is_time(field.data_type()), "instants"),
            Role::Category | Role::Geometry => (is_label(field.data_type()), "labels"),
        };
        if fits {
            return Ok(());
        }
        let (name, held, named_by) = (field.name(), type_name(field.data_type()), role.parameter());
        Err(message!(format!("its column `{name}` holds {held}, not {wants}; name another with "), named_by))
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating()
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_time(data_type: &DataType) -> bool {
    let is_instant = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    is_instant || is_number(data_type) || is_text(data_type)
}

fn is_label(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::Boolean => true,
        other => other.is_integer() || is_text(other),
    }
}

/// A type, as people call it.
fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string();
    // The first word of `Struct(…)` says enough.
    name.split(['(', ' ']).next().unwrap_or_default().to_owned()
}
