//! The sources of a configuration: defaults, a file, environment variables and flags.

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
/// Short variables, in addition to the long names of these keys.
pub(super) const SHORT_VARIABLES: [(&str, &str); 2] = [("KILN_STORE", "store.folder"), ("KILN_TOKEN", "server.token")];
/// Variables that are not part of the configuration.
const IGNORED: [&str; 1] = ["KILN_BLESS"];
/// The key that [`Config::DATABASE_VARIABLE`] sets if nothing else does.
const DATABASE: &str = "postgis.url";

/// Builds a [`Config`] from sources in ascending precedence, and records the origin of each value.
#[derive(Default)]
pub struct ConfigBuilder {
    table: Table,
    origins: Origins,
    /// The folder that the paths of jobs are relative to.
    folder: PathBuf,
}

impl Config {
    /// The default file, read if it exists.
    pub const FILE: &str = "kiln.toml";
    /// The environment variable of the database URL, for a configuration without `postgis.url`.
    pub const DATABASE_VARIABLE: &str = "DATABASE_URL";

    /// Loads the configuration. The variables `env` override `file` (default: `./kiln.toml` if it exists), which
    /// overrides the defaults.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Config`] with file, line and column or with the variable if
    /// a key is unknown or a value invalid.
    pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        ConfigBuilder::load(file, env)?.build()
    }

    /// Reads the configuration from `text`, the content of `file`, which overrides the defaults.
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
    /// Loads the sources of [`Config::load`], which further sources can override.
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
        // Sorted, so that the result does not depend on the order of the variables. `DATABASE_URL` comes last: other
        // programs use it as well, so any other origin takes precedence.
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

    /// Sets the key `path`, such as `images.ttl`, to the text of the variable or flag `origin`. Commas separate the
    /// items of a list; an empty text removes an optional key.
    ///
    /// # Errors
    /// [`Error::Config`] at `origin` if there is no such key, or the text is invalid.
    pub fn set(&mut self, origin: &str, path: &str, text: &str) -> Result<()> {
        let schema = Schema::find(path).map_err(|message| Error::config(origin, format!("{path}: {message}")))?;
        let is_removed = text.is_empty() && schema.default().is_none();
        self.set_value(origin, path, (!is_removed).then(|| schema.read(text)))
    }

    /// Sets a key to a TOML value, or removes it.
    pub(crate) fn set_value(&mut self, origin: &str, path: &str, value: Option<Value>) -> Result<()> {
        let error = |message: &str| Error::config(origin, format!("{path}: {message}"));
        let schema = Schema::find(path).map_err(|message| error(&message))?;
        if let Some(value) = &value {
            schema.check(path, value).map_err(|Fault { message, .. }| error(&message))?;
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
            let is_set = self.table.get("postgis").is_some_and(|postgis| postgis.get("url").is_some());
            return if is_set || text.is_empty() { Ok(()) } else { self.set(variable, DATABASE, text) };
        }
        if variable == SchemeFolders::VARIABLE {
            let folders = std::env::split_paths(text).filter_map(|folder| folder.into_os_string().into_string().ok());
            let folders: Vec<_> = folders.filter(|folder| !folder.is_empty()).map(Value::String).collect();
            let path = "schemes.folders";
            return if folders.is_empty() { Ok(()) } else { self.set_value(variable, path, Some(folders.into())) };
        }
        let Some(rest) = variable.strip_prefix(PREFIX).filter(|_| !IGNORED.contains(&variable)) else { return Ok(()) };
        let keys = Schema::sections().flat_map(|(section, keys)| keys.keys().map(move |(name, _)| (section, name)));
        let mut matching = keys.filter(|(section, name)| variable_of(section, name) == variable);
        let short = SHORT_VARIABLES.iter().find(|(short, _)| *short == variable);
        match (short, matching.next()) {
            (Some((_, path)), _) => self.set(variable, path, text),
            (None, Some((section, name))) => self.set(variable, &format!("{section}.{name}"), text),
            (None, None) => Err(Error::config(variable, unknown_variable(rest))),
        }
    }

    /// Builds the configuration. [`Config::check`] is left to the caller, since inputs may add layers.
    ///
    /// # Errors
    /// [`Error::Config`] with its origin for the first invalid layer or job.
    pub fn build(self) -> Result<Config> {
        let Self { table, origins, folder } = self;
        let invalid = |error: toml::de::Error| Error::config("config", error.message());
        let mut config: Config = table.try_into().map_err(invalid)?;
        config.origins = origins;
        config.check_rules()?;
        config.keys.values_mut().for_each(|key| key.move_to(&folder));
        config.jobs.iter_mut().try_for_each(|job| job.move_to(&folder))?;
        Ok(config)
    }
}

/// The environment variable of a key, such as `KILN_IMAGES_TTL`.
pub(super) fn variable_of(section: &str, name: &str) -> String {
    format!("{PREFIX}{section}_{name}").to_ascii_uppercase()
}

/// The error message for an unknown variable `KILN_` + `rest`, with similar variables and those of its section.
fn unknown_variable(rest: &str) -> String {
    let is_in = |section: &str| {
        rest.strip_prefix(section.to_ascii_uppercase().as_str()).is_some_and(|rest| rest.starts_with('_'))
    };
    if is_in("jobs") {
        return "jobs are configured in the file, not by variables".into();
    }
    if is_in("keys") {
        return "keys are configured in the file, not by variables".into();
    }
    if is_in("layers") {
        return "layers are configured in the file or on the command line, not by variables".into();
    }
    let section = Schema::sections().map(|(section, _)| section).find(|section| is_in(section));
    let names: Vec<_> = Schema::sections()
        .filter(|(name, _)| section.is_none_or(|section| section == *name))
        .flat_map(|(section, keys)| keys.keys().map(move |(name, _)| variable_of(section, name)))
        .collect();
    // The common prefix of all names is not compared.
    let common = PREFIX.len() + section.map_or(0, |section| section.len() + 1);
    let part = |name: &str| name.get(common..).unwrap_or_default().to_owned();
    let hint = did_you_mean(&nearest(&format!("{PREFIX}{rest}"), names.iter().map(String::as_str), part));
    if let Some(section) = section {
        return format!("no such variable; {hint}{section} has {}", names.join(", "));
    }
    let sections: Vec<_> = Schema::sections().map(|(section, _)| section).collect();
    format!("no such variable; {hint}KILN_SECTION_KEY sets a key of {}", sections.join(", "))
}
