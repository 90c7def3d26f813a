//! From files and variables to a configuration.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::Config;
use super::check::check_table;
use super::document::{Document, Fault};
use super::keys::{self, JOBS, KEYS, Key, LAYERS, PREFIX};
use crate::error::{Error, Result};
use crate::layer::SchemeFolders;
use crate::spelling::{did_you_mean, nearest};

impl Config {
    /// The file that is read if it is there and no other is named.
    pub const FILE: &str = "kiln.toml";
    /// The environment variable of [`database_url`](Self::database_url).
    pub const DATABASE_VARIABLE: &str = "DATABASE_URL";
    /// Variables that are none of the server's.
    const IGNORED: [&str; 1] = ["KILN_BLESS"];

    /// The defaults, over them `file` (or `./kiln.toml` if it is there), over that the variables `env`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Config`] with file, line and column or with the variable if
    /// it says something unknown or senseless.
    pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let usual = Path::new(Self::FILE);
        let mut config = match file.or_else(|| usual.exists().then_some(usual)) {
            Some(file) => {
                let bytes = fs::read(file).map_err(|error| Error::io(file, "read", error))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| Error::config(file.display().to_string(), "not TOML: not in UTF-8"))?;
                Self::from_toml(file, &text)?
            }
            None => Self::default(),
        };
        // The same variables mean the same in whatever order they come.
        let mut env: Vec<_> = env.into_iter().collect();
        env.sort();
        for (variable, text) in env {
            config.set_variable(&variable, &text)?;
        }
        Ok(config)
    }

    /// The defaults, and over them `text`, which `file` holds.
    ///
    /// # Errors
    /// [`Error::Config`] with file, line and column if it says something unknown or senseless.
    pub fn from_toml(file: &Path, text: &str) -> Result<Self> {
        let (document, table) = Document::parse(file, text)?;
        check_table(&table).map_err(|fault| document.refused(&fault))?;
        let mut config: Self =
            table.try_into().map_err(|error| document.refused(&Fault::of_value("", error.message())))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.jobs.iter_mut().try_for_each(|job| job.move_to(folder))?;
        Ok(config)
    }

    /// Sets the key `path`, such as `images.ttl`, from text as it stands in an environment variable or behind a flag:
    /// items of a list are separated by commas, and no text at all leaves out a key that may be left out.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no such key, or it does not accept the text.
    pub fn set(&mut self, path: &str, text: &str) -> Result<()> {
        let (section, name) = path.split_once('.').unwrap_or((path, ""));
        let key = keys::find(section, name).ok_or_else(|| {
            let is_section = keys::sections().contains(&section);
            let why = if is_section { keys::no_key(name, section, KEYS) } else { keys::no_section(section) };
            Error::config(path, why)
        })?;
        self.set_key(key, text).map_err(|why| Error::config(path, why))
    }

    fn set_key(&mut self, key: &Key, text: &str) -> Result<(), String> {
        let mut table = self.table().map_err(|error| error.to_string())?;
        let section = table.entry(key.section).or_insert_with(|| Value::Table(Table::new()));
        let section = section.as_table_mut().ok_or("not a table")?;
        if key.absent.is_some() && text.is_empty() {
            section.remove(key.name);
        } else {
            let value = key.kind.read(text);
            key.check(&value)?;
            section.insert(key.name.to_owned(), value);
        }
        let changed: Self = table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let (database_url, database_is_input) = (self.database_url.take(), self.database_is_input);
        *self = Self { database_url, database_is_input, ..changed };
        Ok(())
    }

    fn set_variable(&mut self, variable: &str, text: &str) -> Result<()> {
        if variable == Self::DATABASE_VARIABLE {
            self.database_url = Some(text.to_owned()).filter(|url| !url.is_empty());
            return Ok(());
        }
        if variable == SchemeFolders::VARIABLE {
            let folders = std::env::split_paths(text).filter(|folder| !folder.as_os_str().is_empty());
            let folders: Vec<_> = folders.collect();
            if !folders.is_empty() {
                self.schemes.folders = folders;
            }
            return Ok(());
        }
        let Some(rest) = variable.strip_prefix(PREFIX) else { return Ok(()) };
        if Self::IGNORED.contains(&variable) {
            return Ok(());
        }
        let Some(key) = KEYS.iter().find(|key| key.is_set_by(variable)) else {
            return Err(Error::config(variable, no_variable(rest)));
        };
        self.set_key(key, text).map_err(|why| Error::config(variable, format!("{}: {why}", key.path())))
    }
}

/// That there is no variable `KILN_` and `rest`, with the nearest and those of its section.
fn no_variable(rest: &str) -> String {
    let begins = |section: &str| {
        rest.strip_prefix(section.to_ascii_uppercase().as_str()).is_some_and(|rest| rest.starts_with('_'))
    };
    if begins(JOBS) {
        return "jobs are named in the file, not in variables".into();
    }
    if begins(LAYERS) {
        return "layers are named in the file or on the command line, not in variables".into();
    }
    let section = keys::sections().into_iter().find(|section| begins(section));
    let in_section = |key: &&Key| section.is_none_or(|section| key.section == section);
    let names: Vec<_> = KEYS.iter().filter(in_section).map(Key::variable).collect();
    // What the names have in common says nothing about what was meant.
    let common = PREFIX.len() + section.map_or(0, |section| section.len() + 1);
    let part = |name: &str| name.get(common..).unwrap_or_default().to_owned();
    let hint = did_you_mean(&nearest(&format!("{PREFIX}{rest}"), names.iter().map(String::as_str), part));
    match section {
        Some(section) => format!("no such variable; {hint}{section} has {}", names.join(", ")),
        None => format!("no such variable; {hint}KILN_SECTION_KEY sets a key of {}", keys::sections().join(", ")),
    }
}
