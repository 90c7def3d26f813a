//! `style = { … }` of a layer or a job: parameters of the style.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::origin::Fault;
use super::quantity::scalar;
use super::schema::normalized;
use crate::error::Error;
use crate::layer::{Style, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, ParameterSet};
use crate::spelling::{did_you_mean, nearest};

/// Parameters of a style by name, with the texts that [`StyleOptions::set`] accepts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(schema_with = "schema")]
pub struct StyleConfig(BTreeMap<String, Scalar>);

/// A string, or a number as a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Scalar(#[serde(deserialize_with = "scalar")] String);

fn schema(_: &mut SchemaGenerator) -> Schema {
    let value = || json_schema!({ "type": ["string", "number"] });
    let described = |declaration: &Declaration| {
        let mut schema = json_schema!({ "type": ["string", "number"], "description": declaration.description() });
        if declaration.is_deprecated {
            schema.insert("deprecated".to_owned(), true.into());
        }
        (declaration.parameter.key(), schema)
    };
    let properties: BTreeMap<_, _> = StyleOptions::declarations().map(described).collect();
    // Aliases are valid too, but editors need not suggest them.
    json_schema!({ "type": "object", "title": "a style", "properties": properties, "additionalProperties": value() })
}

impl StyleConfig {
    /// Whether no parameter is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameters by name, as text.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, Scalar(text))| (name.clone(), text.clone())).collect()
    }

    /// A notice for each deprecated parameter.
    pub(super) fn deprecations(&self) -> impl Iterator<Item = String> {
        let deprecated = StyleOptions::declarations().filter(|declaration| declaration.is_deprecated);
        let used = deprecated.filter(|declaration| declaration.names().any(|name| self.0.contains_key(name)));
        used.map(|declaration| declaration.deprecation(declaration.parameter.key()))
    }

    /// Parses and checks the style options.
    pub(super) fn options(&self) -> Result<StyleOptions, Fault> {
        let options: StyleOptions =
            read_options(self.0.iter().map(|(name, Scalar(text))| (name.as_str(), text.as_str())))?;
        // Scheme files are not known here, so the check for contradictions uses the default scheme.
        match options.resolve(|_| Style::new().map(|style| style.scheme)).map_err(parts) {
            Ok(_) => Ok(options),
            Err((parameter, message)) => Err(Fault::value(parameter.map_or("", Parameter::key), message)),
        }
    }
}

/// Parses options from the names and values of a table.
pub(crate) fn read_options<'t, S: ParameterSet>(
    table: impl IntoIterator<Item = (&'t str, &'t str)>,
) -> Result<S, Fault> {
    let mut options = S::default();
    for (name, text) in table {
        match options.set(name, text) {
            Ok(true) => {}
            Ok(false) => {
                let names: Vec<_> = S::names().collect();
                let hint = did_you_mean(&nearest(name, names.iter().copied(), normalized));
                let names = names.join(", ");
                return Err(Fault::key(name, format!("no such parameter; {hint}a style has {names}")));
            }
            Err(error) => return Err(Fault::value(name, parts(error).1)),
        }
    }
    Ok(options)
}

/// The parameter of an error, if it has one, and the message.
pub(super) fn parts(error: Error) -> (Option<Parameter>, String) {
    match error {
        Error::Invalid { parameter, message } => (Some(parameter), message.with_keys()),
        other => (None, other.to_string()),
    }
}
