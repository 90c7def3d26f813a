//! Inputs by their names: files, standard input, and tables of databases.

use crate::error::{Error, Result};
use crate::message;
use crate::parameter::Parameter;
use crate::postgis::{Address, Database, DatabaseOptions, Export, TableSpec};
use crate::source::time::TimeFormat;
use crate::source::{Columns, Inputs, ReadOptions, open};

/// Inputs that are open.
#[derive(Debug)]
pub struct OpenInputs {
    /// Their points.
    pub inputs: Inputs,
    /// What messages call them: a file's path, or a table.
    pub names: Vec<String>,
    /// The column of the weight, where a table has one.
    pub weight: Option<String>,
}

impl OpenInputs {
    /// Opens files, `-` for standard input, or the table of a database that is named in their place:
    /// `postgres://user@host/name?table=stops`, or without a table where there is only one.
    ///
    /// # Errors
    /// If an input cannot be opened, a database is named beside others, it has no such table with such columns, or one of the
    /// `options` has no meaning for a table.
    pub fn open(inputs: &[String], columns: &Columns, options: &ReadOptions) -> Result<Self> {
        if let Some(database) = inputs.iter().find(|input| Address::is_database_url(input)) {
            if inputs.len() > 1 {
                return Err(Error::invalid(Parameter::INPUT, "a database is read by itself, without other inputs"));
            }
            check_table(columns, options)?;
            let export = table(&database.parse()?, columns)?;
            let (names, weight) = (vec![export.label().to_owned()], export.weight().map(str::to_owned));
            return Ok(Self { inputs: Inputs(vec![Box::new(export)]), names, weight });
        }
        let open = Inputs(inputs.iter().map(|input| open(input, options)).collect::<Result<_>>()?);
        Ok(Self { inputs: open, names: inputs.to_vec(), weight: None })
    }
}

/// Rejects what a table of a database does not have.
fn check_table(columns: &Columns, options: &ReadOptions) -> Result<()> {
    let ReadOptions { crs, order, time_format, day_first, encoding, quote, records } = options;
    for (parameter, column) in [(Parameter::LON, &columns.lon), (Parameter::LAT, &columns.lat)] {
        if column.is_some() {
            let why = "a table of a database has its places in one column; name it with ";
            return Err(Error::invalid(parameter, message!(why, Parameter::GEOMETRY)));
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
        Some((parameter, _)) => Err(Error::invalid(
            parameter,
            "a table of a database declares its types and its SRID; only files have this",
        )),
        None => Ok(()),
    }
}

/// The table of a database that an address names, or the only one that there is.
fn table(address: &Address, columns: &Columns) -> Result<Export> {
    let database = Database::open(address, &DatabaseOptions::default())?;
    let table = if let Some(table) = address.table() {
        table.to_owned()
    } else {
        let found = database.discover()?.found;
        let mut tables: Vec<String> = found.iter().filter_map(|(_, relation)| relation.quoted_name()).collect();
        tables.dedup();
        match &tables[..] {
            [only] => only.clone(),
            [] => return Err(Error::input(database.name(), "there is no table of points that can be read")),
            _ => {
                let why = format!("name a table of points by ?table=: {}", tables.join(", "));
                return Err(Error::input(database.name(), why));
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
    Export::new(&database, database.relation(&label, &spec)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_a_database_rejects_what_only_files_have() {
        let refused = |columns: Columns, options: ReadOptions| {
            let error = OpenInputs::open(&["postgres://h/d?table=t".to_owned()], &columns, &options).unwrap_err();
            assert!(error.is_usage(), "{error}");
            error.to_string()
        };
        let crs = ReadOptions { crs: Some("EPSG:25832".into()), ..ReadOptions::default() };
        assert!(refused(Columns::default(), crs).starts_with("crs: "));
        let day_first = ReadOptions { day_first: Some(false), ..ReadOptions::default() };
        assert!(refused(Columns::default(), day_first).starts_with("day_first: "));
        let lat = Columns { lat: Some("y".into()), ..Columns::default() };
        let why = refused(lat, ReadOptions::default());
        assert!(why.starts_with("lat: ") && why.ends_with("name it with geometry"), "{why}");
    }
}
