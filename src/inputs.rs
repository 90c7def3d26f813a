//! Inputs by their names: files, standard input, and tables of databases.

use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::postgis::{Address, Database, DatabaseOptions, Export, TableSpec};
use crate::source::{Columns, Inputs, open};

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
    /// If an input cannot be opened, a database is named beside others, or it has no such table with such columns.
    pub fn open(inputs: &[String], columns: &Columns) -> Result<Self> {
        if let Some(database) = inputs.iter().find(|input| Address::is_meant(input)) {
            if inputs.len() > 1 {
                return Err(Error::invalid(Parameter::INPUT, "a database is read by itself, without other inputs"));
            }
            let export = table(&database.parse()?, columns)?;
            let (names, weight) = (vec![export.label().to_owned()], export.weight().map(str::to_owned));
            return Ok(Self { inputs: Inputs(vec![Box::new(export)]), names, weight });
        }
        let open = Inputs(inputs.iter().map(|input| open(input)).collect::<Result<_>>()?);
        Ok(Self { inputs: open, names: inputs.to_vec(), weight: None })
    }
}

/// The table of a database that an address names, or the only one that there is.
fn table(address: &Address, columns: &Columns) -> Result<Export> {
    for (parameter, column) in [(Parameter::LON, &columns.lon), (Parameter::LAT, &columns.lat)] {
        if column.is_some() {
            return Err(Error::invalid(parameter, "a table of a database has its places in one column"));
        }
    }
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
        weight: columns.weight.clone(),
        time: columns.time.clone(),
        category: columns.category.clone(),
        ..TableSpec::default()
    };
    Export::new(&database, database.relation(&label, &spec)?)
}
