//! The layers of a configuration: defaults, a file, environment variables and flags.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;
use super::origin::{Fault, Origins};
use super::schema::Schema;
use crate::error::{Error, Result};
use crate::layer::SchemeFolders;
use crate::spelling::{did_you_mean, nearest};

/// The prefix of environment variables.
const PREFIX: &str = "KILN_";
/// Keys with a second, short variable.
pub(super) const SHORT_VARIABLES: [(&str, &str); 2] = [("KILN_STORE", "store.folder"), ("KILN_TOKEN", "server.token")];
/// Variables that are not of the configuration.
const IGNORED: [&str; 1] = ["KILN_BLESS"];
/// The key that [`Config::DATABASE_VARIABLE`] sets unless a file does.
const DATABASE: &str = "postgis.url";

/// Builds a [`Config`] from layers, each over the one before, and records the origin of each value.
#[derive(Default)]
pub struct ConfigBuilder {
    table: Table,
    origins: Origins,
    /// The folder that the paths of jobs are relative to.
    folder: PathBuf,
}

impl Config {
    /// The file that is read if it is there and no other is named.
    pub const FILE: &str = "kiln.toml";
    /// The environment variable of the database, for a configuration that does not name one.
    pub const DATABASE_VARIABLE: &str = "DATABASE_URL";

    /// The defaults, over them `file` (or `./kiln.toml` if it is there), over that the variables `env`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Config`] with file, line and column or with the variable if
    /// a key is unknown or a value invalid.
    pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        ConfigBuilder::load(file, env)?.build()
    }

    /// The defaults, and over them `text`, the content of `file`.
    ///
    /// # Errors
    /// [`Error::Config`] with file, line and column if a key is unknown or a value invalid.
    pub fn from_toml(file: &Path, text: &str) -> Result<Self> {
        let mut builder = ConfigBuilder::default();
        builder.add_toml(file, text)?;
        builder.build()
    }
}

impl ConfigBuilder {
    /// As [`Config::load`], for more layers on top.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut builder = Self::default();
        let default = Path::new(Config::FILE);
        if let Some(file) = file.or_else(|| default.exists().then_some(default)) {
            let bytes = fs::read(file).map_err(|error| Error::io(file, "read", error))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Error::config(file.display().to_string(), "not TOML: not in UTF-8"))?;
            builder.add_toml(file, &text)?;
        }
        // The result must not depend on the order of the variables. `DATABASE_URL` is of other programs too, so any other
        // origin takes precedence.
        let mut env: Vec<_> = env.into_iter().collect();
        env.sort_by_cached_key(|(variable, _)| (variable == Config::DATABASE_VARIABLE, variable.clone()));
        env.iter().try_for_each(|(variable, text)| builder.set_variable(variable, text))?;
        Ok(builder)
    }

    /// Adds `text`, the content of `file`.
    ///
    /// # Errors
    /// As [`Config::from_toml`].
    pub fn add_toml(&mut self, file: &Path, text: &str) -> Result<()> {
        let table = Value::Table(self.origins.read(file, text)?);
        Schema::root().check("", &table).map_err(|fault| self.origins.error(&fault))?;
        if let Value::Table(table) = table {
            self.table.extend(table);
        }
        self.folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Ok(())
    }

    /// Sets the key `path`, such as `images.ttl`, to the text of the variable or flag `origin`. Commas separate the items of
    /// a list; an empty text removes a key that may be left out.
    ///
    /// # Errors
    /// [`Error::Config`] at `origin` if there is no such key, or the text is invalid.
    pub fn set(&mut self, origin: &str, path: &str, text: &str) -> Result<()> {
        let schema = Schema::find(path).map_err(|why| Error::config(origin, format!("{path}: {why}")))?;
        let is_removed = text.is_empty() && schema.default().is_none();
        self.set_value(origin, path, (!is_removed).then(|| schema.read(text)))
    }

    /// As [`set`](Self::set), with the value itself.
    pub(crate) fn set_value(&mut self, origin: &str, path: &str, value: Option<Value>) -> Result<()> {
        let refused = |why: &str| Error::config(origin, format!("{path}: {why}"));
        let schema = Schema::find(path).map_err(|why| refused(&why))?;
        if let Some(value) = &value {
            schema.check(path, value).map_err(|Fault { message, .. }| refused(&message))?;
        }
        let (section, name) = path.split_once('.').unwrap_or((path, ""));
        let keys = self.table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Some(keys) = keys.as_table_mut() {
            keys.remove(name);
            keys.extend(value.map(|value| (name.to_owned(), value)));
        }
        self.origins.set(path, origin);
        Ok(())
    }

    fn set_variable(&mut self, variable: &str, text: &str) -> Result<()> {
        if variable == Config::DATABASE_VARIABLE {
            let is_named = self.table.get("postgis").is_some_and(|postgis| postgis.get("url").is_some());
            return if is_named || text.is_empty() { Ok(()) } else { self.set(variable, DATABASE, text) };
        }
        if variable == SchemeFolders::VARIABLE {
            let folders = std::env::split_paths(text).filter_map(|folder| folder.into_os_string().into_string().ok());
            let folders: Vec<_> = folders.filter(|folder| !folder.is_empty()).map(Value::String).collect();
            let path = "schemes.folders";
            return if folders.is_empty() { Ok(()) } else { self.set_value(variable, path, Some(folders.into())) };
        }
        let Some(rest) = variable.strip_prefix(PREFIX).filter(|_| !IGNORED.contains(&variable)) else { return Ok(()) };
        let keys = Schema::sections().flat_map(|(section, keys)| keys.keys().map(move |(name, _)| (section, name)));
        let mut long = keys.filter(|(section, name)| variable_of(section, name) == variable);
        let short = SHORT_VARIABLES.iter().find(|(short, _)| *short == variable);
        match (short, long.next()) {
            (Some((_, path)), _) => self.set(variable, path, text),
            (None, Some((section, name))) => self.set(variable, &format!("{section}.{name}"), text),
            (None, None) => Err(Error::config(variable, unknown_variable(rest))),
        }
    }

    /// The configuration. It is not [checked](Config::check) as a whole yet: inputs may add layers.
    ///
    /// # Errors
    /// [`Error::Config`] at its origin for the first layer or job that is invalid.
    pub fn build(self) -> Result<Config> {
        let Self { table, origins, folder } = self;
        let invalid = |error: toml::de::Error| Error::config("config", error.message());
        let mut config: Config = table.try_into().map_err(invalid)?;
        config.origins = origins;
        config.check_rules()?;
        config.jobs.iter_mut().try_for_each(|job| job.move_to(&folder))?;
        Ok(config)
    }
}

/// The variable of a key: `KILN_IMAGES_TTL`.
pub(super) fn variable_of(section: &str, name: &str) -> String {
    format!("{PREFIX}{section}_{name}").to_ascii_uppercase()
}

/// The message that there is no variable `KILN_` and `rest`, with similar ones and those of its section.
fn unknown_variable(rest: &str) -> String {
    let begins = |section: &str| {
        rest.strip_prefix(section.to_ascii_uppercase().as_str()).is_some_and(|rest| rest.starts_with('_'))
    };
    if begins("jobs") {
        return "jobs are named in the file, not in variables".into();
    }
    if begins("layers") {
        return "layers are named in the file or on the command line, not in variables".into();
    }
    let section = Schema::sections().map(|(section, _)| section).find(|section| begins(section));
    let names: Vec<_> = Schema::sections()
        .filter(|(own, _)| section.is_none_or(|section| section == *own))
        .flat_map(|(section, keys)| keys.keys().map(move |(name, _)| variable_of(section, name)))
        .collect();
    // The part that all names share must not count as similar.
    let common = PREFIX.len() + section.map_or(0, |section| section.len() + 1);
    let part = |name: &str| name.get(common..).unwrap_or_default().to_owned();
    let hint = did_you_mean(&nearest(&format!("{PREFIX}{rest}"), names.iter().map(String::as_str), part));
    if let Some(section) = section {
        return format!("no such variable; {hint}{section} has {}", names.join(", "));
    }
    let sections: Vec<_> = Schema::sections().map(|(section, _)| section).collect();
    format!("no such variable; {hint}KILN_SECTION_KEY sets a key of {}", sections.join(", "))
}
