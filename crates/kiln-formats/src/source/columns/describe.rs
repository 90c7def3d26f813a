//! Description of the columns of a table: their first values, and the roles that the readers give them.

use super::bins::BinTable;
use super::coordinates::CoordinateColumns;
use super::find::{Finder, FoundCoordinates};
use super::plan::Plan;
use super::sample::read_strings;
use super::values::{decoded, is_blank, is_text, value_text};
use crate::source::role::Role;
use crate::source::table::{RequestedColumn, Table, ValueType};
use crate::source::{Query, ReadOptions};
use arrow_array::{Array, RecordBatch};
use kiln_core::error::Error;
use kiln_core::parameter::Message;

/// A column of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedColumn {
    /// Its name, the dotted path of a nested one, or its number if the columns have no names.
    pub name: String,
    /// What it is read as; `None` if it is not read.
    pub role: Option<Role>,
    /// The first different values as text, or their range if they are beyond the known part of the file.
    pub values: Vec<String>,
}

/// The columns of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct TableDescription {
    pub(in crate::source) columns: Vec<DescribedColumn>,
    /// Assumptions of the readers.
    pub(in crate::source) notices: Vec<Message>,
    /// Why the points cannot be read with these columns.
    pub(in crate::source) problem: Option<Message>,
}

/// The maximum number of columns that are described.
const MAX_COLUMNS: usize = 200;
/// The number of values of a column, of at most this many characters, among the first rows.
const VALUES: usize = 3;
const VALUE_CHARS: usize = 60;
const ROWS: usize = 200;

/// Describes the columns of `table` as `query` reads them. Values that cannot be read are omitted: the table may be only
/// the start of a file.
pub(in crate::source) fn describe(table: &dyn Table, options: &ReadOptions, query: &Query<'_>) -> TableDescription {
    let fields = table.schema().fields();
    let requested = fields.iter().enumerate().take(MAX_COLUMNS).map(|(index, field)| RequestedColumn {
        index: Some(index),
        name: field.name().clone(),
        value_type: ValueType::Text,
    });
    let requested: Vec<RequestedColumn> = requested.collect();
    let bins = BinTable::find(table, query);
    let planned = match &bins {
        Ok(Some(_)) => BinTable::plan(table, options, query),
        _ => Plan::of(table, options, query),
    };
    // A table that lacks a column of bins.
    let planned = bins.as_ref().map_or_else(|error| Err(error.duplicate()), |_| planned);
    let (mut roles, notices, problem) = match planned {
        Ok(plan) => (planned_roles(&plan), plan.notices().into_iter().map(|notice| notice.message).collect(), None),
        Err(error) => {
            let message = match error {
                Error::Input { message, .. } | Error::Invalid { message, .. } => message,
                error => error.to_string().into(),
            };
            (usual_roles(table, query), table.notices(), Some(message))
        }
    };
    if let Ok(Some(bins)) = &bins {
        roles.extend(bins.weight_index().map(|index| (index, Role::Weight)));
    }
    let mut values = first_values(table, &requested);
    if values.iter().all(Vec::is_empty) && requested.len() > 1 {
        // Some columns may be beyond the part of the file that is known.
        values = requested.iter().flat_map(|column| first_values(table, std::slice::from_ref(column))).collect();
    }
    let role = |index: usize| roles.iter().find(|(column, _)| *column == index).map(|(_, role)| *role);
    let columns = requested.into_iter().zip(values).enumerate();
    let columns = columns.map(|(index, (RequestedColumn { name, .. }, mut values))| {
        let name = if table.is_positional() && name.is_empty() { (index + 1).to_string() } else { name };
        if values.is_empty() {
            values.extend(extent(table, index));
        }
        DescribedColumn { name, role: role(index), values }
    });
    TableDescription { columns: columns.collect(), notices, problem }
}

/// The columns that a plan reads, by their index in the schema.
fn planned_roles(plan: &Plan) -> Vec<(usize, Role)> {
    let mut roles = match &plan.coordinates.columns {
        CoordinateColumns::Axes { lon, lat } => vec![(lon.column, Role::Lon), (lat.column, Role::Lat)],
        CoordinateColumns::Geometry(geometry) => vec![(geometry.column, Role::Geometry)],
        CoordinateColumns::None => Vec::new(),
    };
    roles.extend(plan.weight.as_ref().map(|weight| (weight.column, Role::Weight)));
    roles.extend(plan.time.as_ref().map(|time| (time.column, Role::Time)));
    roles.extend(plan.category.map(|column| (column, Role::Category)));
    roles.extend(plan.track.map(|column| (column, Role::Track)));
    roles.into_iter().filter_map(|(column, role)| Some((plan.columns.get(column)?.index?, role))).collect()
}

/// The columns that have a usual name of a role, where the coordinates are not complete.
fn usual_roles(table: &dyn Table, query: &Query<'_>) -> Vec<(usize, Role)> {
    let finder = Finder::new(table, query);
    let mut roles = match finder.coordinates_for(query) {
        Ok(FoundCoordinates::Columns { lon, lat }) => vec![(lon.index, Role::Lon), (lat.index, Role::Lat)],
        Ok(FoundCoordinates::Geometry(column)) => vec![(column.index, Role::Geometry)],
        Ok(_) | Err(_) => Vec::new(),
    };
    for role in Role::ALL {
        if roles.iter().all(|(_, known)| *known != role) {
            let named = finder.named(role).ok().flatten();
            let found = named.or_else(|| finder.usual(role).ok()?.into_iter().next());
            roles.extend(found.map(|column| (column.index, role)));
        }
    }
    roles.into_iter().filter_map(|(index, role)| Some((index?, role))).collect()
}

/// The first different values of each of `columns` in the rows that can be read.
fn first_values(table: &dyn Table, columns: &[RequestedColumn]) -> Vec<Vec<String>> {
    let mut values = vec![Vec::new(); columns.len()];
    let mut rows = 0;
    // What was read before an error is shown.
    let _ = read_strings(table, columns.to_vec(), |batch: &RecordBatch| {
        for (array, values) in batch.columns().iter().zip(&mut values) {
            let array = decoded(array);
            if is_text(array.data_type())
                || !array.data_type().is_nested() && !is_binary(array.data_type())
                || is_pair(array.data_type())
            {
                let is_known = |row: &usize| !is_blank(&array, *row);
                for row in (0..array.len().min(ROWS)).filter(is_known) {
                    let value = shortened(value_text(&array, row).trim());
                    if values.len() < VALUES && !values.contains(&value) {
                        values.push(value);
                    }
                }
            }
        }
        rows += batch.num_rows();
        rows >= ROWS
    });
    values
}

/// The range of a column by the statistics of the file, as text.
fn extent(table: &dyn Table, column: usize) -> Option<String> {
    let ends = table.extent(column)?;
    if ends.iter().any(|end| end.is_empty() || is_blank(end, 0) || is_binary(end.data_type())) {
        return None;
    }
    let [first, last] = ends.map(|end| shortened(value_text(&end, 0).trim()));
    Some(format!("{first} to {last}"))
}

/// Whether values are bytes, such as WKB.
fn is_binary(data_type: &arrow_schema::DataType) -> bool {
    use arrow_schema::DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(data_type, Binary | BinaryView | FixedSizeBinary(_) | LargeBinary)
}

/// Whether values are coordinates, such as those of GeoJSON.
fn is_pair(data_type: &arrow_schema::DataType) -> bool {
    matches!(data_type, arrow_schema::DataType::FixedSizeList(_, 2..=4))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
