//! A configuration file, and where in it everything stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Table;
use toml::de::DeTable;

use crate::error::{Error, Result};

/// Something in a configuration that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The key at fault with the tables that it is in, separated by dots; empty for the whole.
    pub(super) path: String,
    /// Whether the key itself is at fault and not its value.
    pub(super) of_key: bool,
    /// What is wrong and what would be accepted.
    pub(super) message: String,
}

impl Fault {
    /// A fault of the key at `path`, which should not be there.
    pub(super) fn of_key(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), of_key: true, message: message.into() }
    }

    /// A fault of the value at `path`.
    pub(super) fn of_value(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), of_key: false, message: message.into() }
    }

    /// The error that tells it without a place.
    pub(super) fn placeless(self) -> Error {
        Error::config(self.path, self.message)
    }
}

/// A TOML file that could be read.
#[derive(Debug)]
pub(super) struct Document<'a> {
    file: PathBuf,
    text: &'a str,
    /// Where the key and the value of each path begin, in bytes.
    places: BTreeMap<String, (usize, usize)>,
}

impl<'a> Document<'a> {
    /// Reads `text`, which `file` holds, and answers what is in it.
    ///
    /// # Errors
    /// [`Error::Config`] with line and column if it is no TOML.
    pub(super) fn parse(file: &Path, text: &'a str) -> Result<(Self, Table)> {
        let mut document = Self { file: file.to_owned(), text, places: BTreeMap::new() };
        let refused = |document: &Self, error: &toml::de::Error| {
            let at = error.span().map_or(0, |Range { start, .. }| start);
            Error::config(document.at(at), format!("not TOML: {}", error.message()))
        };
        let root = DeTable::parse(text).map_err(|error| refused(&document, &error))?;
        document.walk("", root.get_ref());
        let table = toml::from_str(text).map_err(|error| refused(&document, &error))?;
        Ok((document, table))
    }

    fn walk(&mut self, within: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path =
                if within.is_empty() { key.get_ref().to_string() } else { format!("{within}.{}", key.get_ref()) };
            self.places.insert(path.clone(), (key.span().start, value.span().start));
            if let Some(inner) = value.get_ref().as_table() {
                self.walk(&path, inner);
            }
            for (i, item) in value.get_ref().as_array().into_iter().flatten().enumerate() {
                let path = format!("{path}[{i}]");
                self.places.insert(path.clone(), (item.span().start, item.span().start));
                if let Some(inner) = item.get_ref().as_table() {
                    self.walk(&path, inner);
                }
            }
        }
    }

    /// The error that tells `fault` with its place in the file.
    pub(super) fn refused(&self, fault: &Fault) -> Error {
        let mut path = fault.path.as_str();
        let place = loop {
            match (self.places.get(path), path.rsplit_once('.')) {
                (Some((key, value)), _) => {
                    break self.at(if fault.of_key || path != fault.path { *key } else { *value });
                }
                // What is missing is missing in the table around it.
                (None, Some((around, _))) => path = around,
                (None, None) => break self.file.display().to_string(),
            }
        };
        let message =
            if fault.path.is_empty() { fault.message.clone() } else { format!("{}: {}", fault.path, fault.message) };
        Error::config(place, message)
    }

    /// The file with line and column, both from 1, the column in letters.
    fn at(&self, byte: usize) -> String {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        format!("{}:{line}:{column}", self.file.display())
    }
}
