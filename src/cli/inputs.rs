//! Inputs as they are named on the command line: files, patterns of files, and standard input.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::postgis::Address;

/// The files that `inputs` name: a pattern such as `data/*.csv` stands for all files that match it, in the order of their
/// names, unless there is a file of that very name. `-` is standard input.
///
/// # Errors
/// [`Error::Input`] if no file matches a pattern; [`Error::Config`] if a pattern is malformed, or something is named twice;
/// [`Error::Io`] if a folder cannot be read.
pub(super) fn expanded(inputs: &[String]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for input in inputs {
        if input == "-"
            || Address::is_database_url(input)
            || Path::new(input).exists()
            || !input.contains(['*', '?', '['])
        {
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
