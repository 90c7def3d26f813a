//! Inputs: files with points, and database URLs.
//!
//! Only this module of `config` parses database URLs.

use std::fmt;
use std::ops::Deref;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::layer::{RESERVED, check_name};
use super::{Config, LayerConfig, ReadConfig, Token};
use crate::error::{Error, Result};
use crate::layer::{ColumnOptions, InputOptions, Layer};
use crate::layer_name;
use crate::objects::{ObjectUrl, input_name};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::postgis::Address;
use crate::source::Columns;

/// The origin of the layers of inputs on the command line.
const COMMAND_LINE: &str = "the command line";

/// Inputs with points: paths of files, `-` for standard input, or the URL of a database. In TOML a string or a list of
/// strings. Passwords are neither printed nor saved.
#[derive(Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(from = "OneOrMany")]
#[schemars(
    with = "Vec<String>",
    extend("type" = ["string", "array"], "minItems" = 1, "format" = "input")
)]
pub struct Inputs(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Inputs {
    fn from(inputs: OneOrMany) -> Self {
        match inputs {
            OneOrMany::One(input) => Self(vec![input]),
            OneOrMany::Many(inputs) => Self(inputs),
        }
    }
}

impl From<Vec<String>> for Inputs {
    fn from(inputs: Vec<String>) -> Self {
        Self(inputs)
    }
}

impl Deref for Inputs {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Inputs {
    /// The first input that is the URL of a database.
    pub(super) fn database(&self) -> Option<&str> {
        self.iter().map(String::as_str).find(|input| Address::is_database_url(input))
    }

    /// Whether any of the inputs is an object in a bucket or on a web server.
    pub fn has_objects(&self) -> bool {
        self.iter().any(|input| is_object(input))
    }

    /// Checks the URLs of objects; the error is a message.
    pub(super) fn check_objects(&self) -> Result<(), String> {
        let urls = self.iter().filter(|input| is_object(input));
        urls.map(|url| url.parse::<ObjectUrl>())
            .try_for_each(|url| url.map(drop).map_err(|error| error.into_message().to_string()))
    }

    /// Checks the URL of a database.
    pub(super) fn check_database(url: &str) -> Result<()> {
        url.parse::<Address>().map(drop)
    }

    /// The paths of files.
    pub(super) fn files_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.iter_mut().filter(|input| *input != "-" && !Address::is_database_url(input) && !is_object(input))
    }

    fn without_passwords(&self) -> Vec<String> {
        self.iter().map(|input| input_name(input)).collect()
    }
}

/// Whether an input is the URL of an object.
fn is_object(input: &str) -> bool {
    ObjectUrl::is_url(input) && !Address::is_database_url(input)
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.without_passwords().fmt(f)
    }
}

impl Serialize for Inputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.without_passwords()[..] {
            [only] => only.serialize(serializer),
            inputs => inputs.serialize(serializer),
        }
    }
}

impl Config {
    /// Adds a layer for each of `inputs`; `postgres://…` is a database, whose tables become layers. `NAME=PATH` sets
    /// the name of the layer. The default is the name of the file, `my-cities` for `data/my cities.csv.gz`, or `stdin`
    /// for standard input, with a suffix such as `-2` if it is taken or reserved. A path with `=` before its first `.`
    /// or `/` must be written as `./a=b.csv`.
    ///
    /// # Errors
    /// [`Error::Config`] if a `NAME` is invalid or taken, or there are two databases.
    pub fn add_inputs(&mut self, inputs: &[String]) -> Result<()> {
        self.add_inputs_with(inputs, &ColumnOptions::default(), &InputOptions::default())
    }

    /// Adds layers like [`add_inputs`](Self::add_inputs), with the columns and reader options of each file. Errors in
    /// the files name flags rather than keys.
    ///
    /// # Errors
    /// As [`add_inputs`](Self::add_inputs), and [`Error::Invalid`] for the first option if no input is a file.
    pub fn add_inputs_with(
        &mut self,
        inputs: &[String],
        columns: &ColumnOptions,
        options: &InputOptions,
    ) -> Result<()> {
        let (databases, files): (Vec<&String>, Vec<&String>) =
            inputs.iter().partition(|input| Address::is_database_url(input));
        match &databases[..] {
            [] => {}
            [url] => self.postgis.url = Some(Token::from_text((*url).clone())),
            _ => return Err(Error::config("database", "only one database can be served")),
        }
        if let Some(flag) = columns.first().or_else(|| options.first()).filter(|_| files.is_empty()) {
            let detail = "the flag applies to files, and none is given; set the key of a layer in kiln.toml";
            return Err(Error::invalid(flag, detail));
        }
        let Columns { lon, lat, weight, time, category, track, geometry } = columns.columns();
        let read = ReadConfig::of(options);
        let template =
            LayerConfig { lon, lat, geometry, weight, time, category, track, read, ..LayerConfig::default() };
        // Explicit names take precedence over derived ones.
        for (name, path) in files.iter().filter_map(|input| named(input)) {
            let error = |message: &str| Error::config(format!("{name}={}", input_name(path)), message);
            check_name(name).map_err(|message| error(&message))?;
            if path.is_empty() {
                return Err(error("the path of a file with points is missing after `=`"));
            }
            if self.layers.contains_key(name) {
                return Err(error("a layer of that name already exists; choose another name"));
            }
            self.add_layer(name.to_owned(), path, &template);
        }
        for input in files.iter().filter(|input| named(input).is_none()) {
            let name = self.free_name(&name_of(input));
            self.add_layer(name, input, &template);
        }
        Ok(())
    }

    fn add_layer(&mut self, name: String, input: &str, template: &LayerConfig) {
        let inputs = vec![input.to_owned()].into();
        self.origins.set(&format!("layers.{name}"), COMMAND_LINE);
        self.layers.insert(name, LayerConfig { inputs, ..template.clone() });
    }

    /// Whether the layer `name` is an input on the command line.
    fn is_on_command_line(&self, name: &str) -> bool {
        self.origins.has(&format!("layers.{name}"), COMMAND_LINE)
    }

    /// The spelling of a parameter of the layer `name`: a flag for an input on the command line, else a key.
    pub(crate) fn spelling(&self, name: &str) -> fn(Parameter) -> String {
        if self.is_on_command_line(name) {
            |parameter| parameter.flag()
        } else {
            |parameter| parameter.key().to_owned()
        }
    }

    /// Opens the layer `name` of inputs, configured by its section `layer`.
    ///
    /// # Errors
    /// Those of [`Layer::open`]. An error of a parameter has the key of the layer, or the flag.
    pub fn open_layer(&self, name: &str, layer: &LayerConfig) -> Result<Layer> {
        Layer::open(layer.spec(name)?).map_err(|error| self.layer_error(name, error))
    }

    /// Checks the columns of the files on the command line that exist.
    ///
    /// # Errors
    /// Those of [`Layer::check_columns`].
    pub fn check_input_columns(&self) -> Result<()> {
        let exists = |input: &String| Path::new(input).is_file();
        for (name, layer) in self.layers.iter().filter(|(name, _)| self.is_on_command_line(name)) {
            if !layer.inputs.is_empty() && layer.inputs.iter().all(exists) {
                Layer::check_columns(&layer.spec(name)?).map_err(|error| self.layer_error(name, error))?;
            }
        }
        Ok(())
    }

    /// Converts an error of a parameter of the layer `name`: to its key, or its flag.
    fn layer_error(&self, name: &str, error: Error) -> Error {
        match error {
            error if self.is_on_command_line(name) => error,
            Error::Input { input, message } if message.parameters().next().is_some() => {
                Error::input(input, format!("{}, as a key of [layers.{name}] in kiln.toml", message.with_keys()))
            }
            Error::Invalid { parameter, message } => {
                self.error(format!("layers.{name}.{}", parameter.key()), message.with_keys())
            }
            other => other,
        }
    }

    /// Returns `name`, or the first of `name-2`, `name-3`, … that no layer has.
    fn free_name(&self, name: &str) -> String {
        let is_free = |name: &String| !self.layers.contains_key(name) && !RESERVED.contains(&name.as_str());
        let truncated =
            |suffix: &str| format!("{}{suffix}", &name[..name.len().min(layer_name::MAX_LEN - suffix.len())]);
        let numbered = (2_u64..).map(|number| truncated(&format!("-{number}")));
        std::iter::once(truncated("")).chain(numbered).find(is_free).unwrap_or_default()
    }
}

/// Splits an input `NAME=PATH` into name and path.
fn named(input: &str) -> Option<(&str, &str)> {
    input.split_once('=').filter(|(name, _)| !name.contains(['/', '\\', '.']))
}

/// Derives the name of a layer from its file, in ASCII.
fn name_of(input: &str) -> String {
    if input == "-" {
        return "stdin".into();
    }
    // Without the query of a web address, which may be a signature.
    let text = if is_object(input) { input_name(input) } else { input.to_owned() };
    let file = Path::new(&text).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let unpacked = [".gz", ".zst"].iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(&file);
    let stem = Path::new(unpacked).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let name: String = stem.chars().map(|c| if layer_name::is_valid_char(c) { c } else { '-' }).collect();
    if name.contains(|c: char| c.is_ascii_alphanumeric()) { name } else { "layer".into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn layers(inputs: &[&str]) -> Result<Vec<(String, String)>> {
        let mut config = Config::default();
        let existing = LayerConfig { inputs: vec!["existing.csv".into()].into(), ..LayerConfig::default() };
        config.layers.insert("existing".into(), existing);
        config.add_inputs(&inputs.iter().map(|input| (*input).to_owned()).collect::<Vec<_>>())?;
        config.check()?;
        config.layers.remove("existing").unwrap();
        Ok(config.layers.into_iter().map(|(name, layer)| (name, layer.inputs.join(","))).collect())
    }

    #[test]
    fn layers_are_named_after_files() {
        for (input, name) in [
            ("data/Cities.parquet", "Cities"),
            ("my cities.csv.gz", "my-cities"),
            ("towns.csv.zst", "towns"),
            ("quakes.2024.csv", "quakes-2024"),
            ("-", "stdin"),
            ("城市.csv", "layer"),
            ("docs.csv", "docs-2"),
            ("existing.csv", "existing-2"),
            ("./a=b.csv", "a-b"),
            ("data/year=2024.csv", "year-2024"),
            ("s3://lake/trips/day=1/stops.parquet", "stops"),
            ("https://h/trips.csv.gz?X-Amz-Credential=a/b.c&X-Amz-Signature=s3cret", "trips"),
        ] {
            assert_eq!(layers(&[input]).unwrap(), [(name.to_owned(), input.to_owned())]);
        }
        let long = format!("{}.csv", "x".repeat(70));
        let names: Vec<_> = layers(&[&long, &long]).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [format!("{}-2", "x".repeat(62)), "x".repeat(64)]);
    }

    #[test]
    fn duplicate_names_get_a_number_and_explicit_names_take_precedence() {
        let found = layers(&["a/p.csv", "b/p.csv", "c/p.csv", "p-2=d/q.csv", "day-1=-"]).unwrap();
        let pair = |name: &str, input: &str| (name.to_owned(), input.to_owned());
        let expected = [
            pair("day-1", "-"),
            pair("p", "a/p.csv"),
            pair("p-2", "d/q.csv"),
            pair("p-3", "b/p.csv"),
            pair("p-4", "c/p.csv"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn invalid_names_are_rejected() {
        for (input, message) in [
            ("tiles=a.csv", "server's own"),
            ("my layer=a.csv", "letters"),
            ("=a.csv", "letters"),
            ("a=", "missing"),
            ("existing=a.csv", "already"),
        ] {
            let error = layers(&[input]).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(message), "{input}: {error}");
        }
        assert!(layers(&["-", "b=-"]).unwrap_err().to_string().contains("only once"));
    }
}
