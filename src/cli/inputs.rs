//! Expansion of input arguments: files, glob patterns, and standard input.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::objects::ObjectUrl;
use crate::objects::input_name;
use crate::postgis::Address;
use crate::source::expand_objects;

/// Expands glob patterns such as `data/*.csv` to the matching files, sorted by name. An existing file with the name of
/// the pattern takes precedence. `-` is standard input. Patterns and folders of buckets are expanded too.
///
/// # Errors
/// [`Error::Input`] if no file matches a pattern; [`Error::Config`] if a pattern is malformed, or an input is repeated;
/// [`Error::Io`] if a folder cannot be read.
pub(super) fn expand_inputs(inputs: &[String]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for input in inputs {
        if ObjectUrl::is_url(input) && !Address::is_database_url(input) {
            files.extend(expand_objects(input)?);
        } else if input == "-"
            || Address::is_database_url(input)
            || Path::new(input).exists()
            || !input.contains(['*', '?', '['])
        {
            files.push(input.clone());
        } else {
            files.extend(glob_files(input)?);
        }
    }
    let mut seen = std::collections::HashSet::new();
    for file in &files {
        let path = if file == "-" { PathBuf::from(file) } else { std::fs::canonicalize(file).unwrap_or(file.into()) };
        if !seen.insert(path) {
            let detail =
                if file == "-" { "standard input can be read only once" } else { "the input is given more than once" };
            return Err(Error::config(input_name(file), detail));
        }
    }
    Ok(files)
}

/// Returns the files that match a glob pattern.
fn glob_files(pattern: &str) -> Result<Vec<String>> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let malformed = |error: glob::PatternError| Error::config(pattern, format!("invalid pattern: {}", error.msg));
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
        files.push(name.map_err(|name| Error::input(PathBuf::from(name), "the filename is not UTF-8"))?);
    }
    if files.is_empty() {
        return Err(Error::input(pattern, "no file matches the pattern"));
    }
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_expanded_and_existing_names_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::create_dir_all(at("inner.csv")).unwrap();
        for name in ["b.csv", "a.csv", "c.json", ".hidden.csv", "odd[1].csv", "inner.csv/d.csv"] {
            std::fs::write(at(name), "").unwrap();
        }
        let expand = |inputs: &[&str]| expand_inputs(&inputs.iter().map(|input| at(input)).collect::<Vec<_>>());
        let named = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Vec<_>>();
        assert_eq!(expand(&["?.csv", "c.json"]).unwrap(), named(&["a.csv", "b.csv", "c.json"]));
        assert_eq!(expand(&["*/*.csv"]).unwrap(), named(&["inner.csv/d.csv"]));
        assert_eq!(expand(&["**/d.csv", "odd[1].csv"]).unwrap(), named(&["inner.csv/d.csv", "odd[1].csv"]));
        // A missing file is reported when it is opened.
        assert_eq!(expand(&["none.csv"]).unwrap(), named(&["none.csv"]));
        assert!(expand(&["*.parquet"]).unwrap_err().to_string().ends_with("*.parquet: no file matches the pattern"));
        assert!(expand(&["a[.csv"]).unwrap_err().is_usage());
        assert!(expand(&["a.csv", "?.csv"]).unwrap_err().to_string().contains("given more than once"));
        let twice = expand_inputs(&["-".into(), "-".into()]).unwrap_err().to_string();
        assert_eq!(twice, "-: standard input can be read only once");
    }
}
