//! Opens inputs by name: files, objects, standard input, and database tables.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::message;
use crate::objects::input_name;
use crate::parameter::Parameter;
use crate::postgis::{Address, Database, DatabaseOptions, Export, LiveSnapshot, Relation, TableSpec};
use crate::source::time::TimeFormat;
use crate::source::{Columns, Inputs, ReadOptions, expand_objects, open};

/// Opened inputs.
#[derive(Debug)]
pub struct OpenInputs {
    /// The sources of the points.
    pub inputs: Inputs,
    /// The names of the inputs in messages: the path of a file, or the name of a table.
    pub names: Vec<String>,
    /// The weight column of a database table, if it has one.
    pub weight: Option<String>,
}

impl OpenInputs {
    /// Opens files, `-` for standard input, objects with URLs, folders and patterns of them, or one database table,
    /// `postgres://user@host/name?table=stops`. The table can be omitted if the database has only one table of points.
    ///
    /// # Errors
    /// If an input cannot be opened, a database is combined with other inputs, it has no such table or columns, or
    /// `options` has an option that applies to files only.
    pub fn open(inputs: &[String], columns: &Columns, options: &ReadOptions) -> Result<Self> {
        if let Some(database) = inputs.iter().find(|input| Address::is_database_url(input)) {
            if inputs.len() > 1 {
                return Err(Error::invalid(Parameter::INPUT, "a database cannot be combined with other inputs"));
            }
            check_table(columns, options)?;
            let (database, relation) = relation(&database.parse()?, columns)?;
            let export = Export::new(&database, relation)?;
            let (names, weight) = (vec![export.label().to_owned()], export.weight().map(str::to_owned));
            return Ok(Self { inputs: Inputs(vec![Box::new(export)]), names, weight });
        }
        let mut all = Vec::new();
        for input in inputs {
            all.extend(expand_objects(input)?);
        }
        let open = Inputs(all.iter().map(|input| open(input, options)).collect::<Result<_>>()?);
        let names = all.iter().map(|input| input_name(input)).collect();
        Ok(Self { inputs: open, names, weight: None })
    }
}

/// Opens the table that `address` selects, or the only table of points in the database, as a point set. All of its
/// columns can be axes and values of matrices. With [`Columns::NO_COLUMN`] as the geometry, it is a table without
/// positions, which the address must select.
///
/// # Errors
/// If the database has no such table or columns, or `options` has an option that applies to files only.
pub fn open_table(address: &Address, columns: &Columns, options: &ReadOptions) -> Result<LiveSnapshot> {
    check_table(columns, options)?;
    let (database, relation) = relation(address, columns)?;
    LiveSnapshot::of(&database, relation.with_all_columns(), None)
}

/// Rejects options that do not apply to a database table.
fn check_table(columns: &Columns, options: &ReadOptions) -> Result<()> {
    let ReadOptions { crs, order, time_format, day_first, encoding, quote, records } = options;
    for (parameter, column) in [(Parameter::LON, &columns.lon), (Parameter::LAT, &columns.lat)] {
        if column.is_some() {
            let detail = "a database table has its points in a geometry column; select it with ";
            return Err(Error::invalid(parameter, message!(detail, Parameter::GEOMETRY)));
        }
    }
    let given = [
        (Parameter::CRS, crs.is_some()),
        (Parameter::ORDER, order.is_some()),
        (Parameter::TIME_FORMAT, *time_format != TimeFormat::default()),
        (Parameter::DAY_FIRST, day_first.is_some()),
        (Parameter::ENCODING, encoding.is_some()),
        (Parameter::QUOTE, quote.is_some()),
        (Parameter::RECORDS, records.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((parameter, _)) => {
            Err(Error::invalid(parameter, "only for files: a database table declares its types and its SRID"))
        }
        None => Ok(()),
    }
}

/// Resolves the table in a database URL, or the only table of points in the database.
fn relation(address: &Address, columns: &Columns) -> Result<(Arc<Database>, Relation)> {
    let database = Database::open(address, &DatabaseOptions::default())?;
    let table = if let Some(table) = address.table() {
        table.to_owned()
    } else if columns.geometry.as_deref() == Some(Columns::NO_COLUMN) {
        let message = "add ?table= to the URL to select a table: one without positions is not found by itself";
        return Err(Error::input(database.name(), message));
    } else {
        let found = database.discover()?.found;
        let mut tables: Vec<String> = found.iter().filter_map(|table| table.relation.quoted_name()).collect();
        tables.dedup();
        match &tables[..] {
            [only] => only.clone(),
            [] => return Err(Error::input(database.name(), "the database has no readable table of points")),
            _ => {
                let message = format!("add ?table= to the URL to select a table of points: {}", tables.join(", "));
                return Err(Error::input(database.name(), message));
            }
        }
    };
    let label = table.replace('"', "");
    let spec = TableSpec {
        table: Some(table),
        geometry: columns.geometry.clone(),
        weight: columns.weight.clone(),
        time: columns.time.clone(),
        category: columns.category.clone(),
        ..TableSpec::default()
    };
    let relation = database.relation(&label, &spec)?;
    Ok((database, relation))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_database_table_rejects_options_for_files() {
        let rejected = |columns: Columns, options: ReadOptions| {
            let error = OpenInputs::open(&["postgres://h/d?table=t".to_owned()], &columns, &options).unwrap_err();
            assert!(error.is_usage(), "{error}");
            error.to_string()
        };
        let crs = ReadOptions { crs: Some("EPSG:25832".into()), ..ReadOptions::default() };
        assert!(rejected(Columns::default(), crs).starts_with("crs: "));
        let day_first = ReadOptions { day_first: Some(false), ..ReadOptions::default() };
        assert!(rejected(Columns::default(), day_first).starts_with("day_first: "));
        let lat = Columns { lat: Some("y".into()), ..Columns::default() };
        let message = rejected(lat, ReadOptions::default());
        assert!(message.starts_with("lat: ") && message.ends_with("select it with geometry"), "{message}");
    }
}
