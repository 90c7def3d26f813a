//! The origins of values: a position in a file, an environment variable or a flag.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use toml::Table;
use toml::de::DeTable;

use crate::error::{Error, Result};

/// An invalid key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The dotted path of the key.
    pub(crate) path: String,
    /// Whether the key itself is invalid rather than its value.
    is_key: bool,
    /// The reason, and the accepted values.
    pub(crate) message: String,
}

impl Fault {
    /// An unknown key, or one that is not allowed.
    pub(super) fn key(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), is_key: true, message: message.into() }
    }

    /// An invalid or missing value.
    pub(super) fn value(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), is_key: false, message: message.into() }
    }

    /// Prepends the table `outer` to the path.
    pub(super) fn within(self, outer: &str) -> Self {
        Self { path: format!("{outer}.{}", self.path), ..self }
    }
}

/// The origins of each key that is set, and of its value.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(BTreeMap<String, (String, String)>);

/// Always equal: configurations with the same values are equal, whatever their origins.
impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Origins {
    /// Reads `text`, the content of `file`, and records the position of each key and value.
    ///
    /// # Errors
    /// [`Error::Config`] with line and column if it is not TOML.
    pub(super) fn read(&mut self, file: &Path, text: &str) -> Result<Table> {
        let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        // Lines and columns start at 1; columns count characters. Counting continues from the last position, so that a
        // long list on one line is not counted from its start for each item.
        let last = Cell::new((0, 0));
        let position = |byte: usize| {
            let line = starts.partition_point(|start| *start <= byte);
            let start = starts[line - 1];
            let (from, column) = Some(last.get()).filter(|(at, _)| (start..=byte).contains(at)).unwrap_or((start, 0));
            let column = column + text.get(from..byte).unwrap_or_default().chars().count();
            last.set((byte, column));
            format!("{}:{line}:{}", file.display(), column + 1)
        };
        let not_toml = |error: &toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            Error::config(position(at), format!("not TOML: {}", error.message()))
        };
        self.record("", DeTable::parse(text).map_err(|error| not_toml(&error))?.get_ref(), &position);
        toml::from_str(text).map_err(|error| not_toml(&error))
    }

    fn record(&mut self, outer: &str, table: &DeTable<'_>, position: &impl Fn(usize) -> String) {
        for (key, value) in table {
            let path = if outer.is_empty() { key.get_ref().to_string() } else { format!("{outer}.{}", key.get_ref()) };
            if let Some(inner) = value.get_ref().as_table() {
                self.record(&path, inner, position);
            }
            for (i, item) in value.get_ref().as_array().into_iter().flatten().enumerate() {
                let path = format!("{path}[{i}]");
                if let Some(inner) = item.get_ref().as_table() {
                    self.record(&path, inner, position);
                }
                self.set(&path, &position(item.span().start));
            }
            self.0.insert(path, (position(key.span().start), position(value.span().start)));
        }
    }

    /// Records that `origin`, such as a variable or a flag, sets the key `path`.
    pub(super) fn set(&mut self, path: &str, origin: &str) {
        self.0.insert(path.to_owned(), (origin.to_owned(), origin.to_owned()));
    }

    /// Whether `origin` sets the key `path`.
    pub(super) fn has(&self, path: &str, origin: &str) -> bool {
        self.0.get(path).is_some_and(|(key, _)| key == origin)
    }

    /// Whether the key `path` is set.
    pub(super) fn is_set(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Converts `fault` to an error with its origin.
    pub(super) fn error(&self, fault: &Fault) -> Error {
        let mut path = fault.path.as_str();
        loop {
            match (self.0.get(path), path.rsplit_once('.')) {
                (Some((key, value)), _) => {
                    let origin = if fault.is_key || path != fault.path { key } else { value };
                    return Error::config(origin, format!("{}: {}", fault.path, fault.message));
                }
                // A missing key is reported at the position of its table.
                (None, Some((outer, _))) => path = outer,
                (None, None) => return Error::config(&fault.path, &fault.message),
            }
        }
    }
}
