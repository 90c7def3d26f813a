//! Inputs as they are named on the command line: files, patterns of files, and standard input.

use std::path::{Path, PathBuf};

use super::rows::RowArgs;
use crate::error::{Error, Result};
use crate::postgis::{Address, Database, DatabaseOptions, Export, TableSpec};
use crate::source::{Inputs, Source, open};

/// Inputs that are open.
pub(super) struct Opened {
    pub(super) source: Box<dyn Source>,
    /// What messages call them: a file's path, or a table.
    pub(super) names: Vec<String>,
    /// The column of the weight, where a table has one.
    pub(super) weight: Option<String>,
}

/// Opens files, or the table of a database that is named in their place.
///
/// # Errors
/// If an input cannot be opened, or a database is named beside others.
pub(super) fn opened(inputs: &[String], rows: &RowArgs) -> Result<Opened> {
    if let Some(database) = inputs.iter().find(|input| Address::is_meant(input)) {
        if inputs.len() > 1 {
            return Err(Error::invalid("input", "a database is read by itself, without other inputs"));
        }
        let export = table(&database.parse()?, rows)?;
        let (names, weight) = (vec![export.label().to_owned()], export.weight().map(str::to_owned));
        return Ok(Opened { source: Box::new(export), names, weight });
    }
    let source = Inputs(inputs.iter().map(|input| open(input)).collect::<Result<_>>()?);
    Ok(Opened { source: Box::new(source), names: inputs.to_vec(), weight: None })
}

/// The table of a database that an address names, or the only one that there is.
fn table(address: &Address, rows: &RowArgs) -> Result<Export> {
    let database = Database::open(address, &DatabaseOptions::default())?;
    let spec = rows.table_spec()?;
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
    let relation = database.relation(&label, &TableSpec { table: Some(table), ..spec })?;
    Export::new(&database, relation)
}

/// The files that `inputs` name: a pattern such as `data/*.csv` stands for all files that match it, in the order of their
/// names, unless there is a file of that very name. `-` is standard input.
///
/// # Errors
/// [`Error::Input`] if no file matches a pattern; [`Error::Config`] if a pattern is malformed, or something is named twice;
/// [`Error::Io`] if a folder cannot be read.
pub(super) fn expanded(inputs: &[String]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for input in inputs {
        if input == "-" || Address::is_meant(input) || Path::new(input).exists() || !input.contains(['*', '?', '[']) {
            files.push(input.clone());
        } else {
            files.extend(matching(input)?);
        }
    }
    let mut seen = std::collections::HashSet::new();
    for file in &files {
        let place = if file == "-" { PathBuf::from(file) } else { std::fs::canonicalize(file).unwrap_or(file.into()) };
        if !seen.insert(place) {
            let why = if file == "-" { "standard input can be read only once" } else { "it is named more than once" };
            return Err(Error::config(file.clone(), why));
        }
    }
    Ok(files)
}

/// The files that match a pattern.
fn matching(pattern: &str) -> Result<Vec<String>> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let malformed = |error: glob::PatternError| Error::config(pattern, format!("not a pattern: {}", error.msg));
    let mut files = Vec::new();
    for path in glob::glob_with(pattern, options).map_err(malformed)? {
        let path = path.map_err(|error| {
            let folder = error.path().to_path_buf();
            Error::io(folder, "read", error.into())
        })?;
        if path.is_dir() {
            continue;
        }
        let name = path.into_os_string().into_string();
        files.push(name.map_err(|name| Error::input(PathBuf::from(name), "its name is not in UTF-8"))?);
    }
    if files.is_empty() {
        return Err(Error::input(pattern, "no file matches it"));
    }
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_files_and_names_for_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::create_dir_all(at("inner.csv")).unwrap();
        for name in ["b.csv", "a.csv", "c.json", ".hidden.csv", "odd[1].csv", "inner.csv/d.csv"] {
            std::fs::write(at(name), "").unwrap();
        }
        let expand = |inputs: &[&str]| expanded(&inputs.iter().map(|input| at(input)).collect::<Vec<_>>());
        let named = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Vec<_>>();
        assert_eq!(expand(&["?.csv", "c.json"]).unwrap(), named(&["a.csv", "b.csv", "c.json"]));
        assert_eq!(expand(&["*/*.csv"]).unwrap(), named(&["inner.csv/d.csv"]));
        assert_eq!(expand(&["**/d.csv", "odd[1].csv"]).unwrap(), named(&["inner.csv/d.csv", "odd[1].csv"]));
        // What is not there is told by whoever opens it.
        assert_eq!(expand(&["none.csv"]).unwrap(), named(&["none.csv"]));
        assert!(expand(&["*.parquet"]).unwrap_err().to_string().ends_with("*.parquet: no file matches it"));
        assert!(expand(&["a[.csv"]).unwrap_err().is_usage());
        assert!(expand(&["a.csv", "?.csv"]).unwrap_err().to_string().contains("named more than once"));
        let twice = expanded(&["-".into(), "-".into()]).unwrap_err().to_string();
        assert_eq!(twice, "-: standard input can be read only once");
    }
}
