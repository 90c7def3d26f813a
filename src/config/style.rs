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
use crate::parameters::ParameterSet;
use crate::spelling::{did_you_mean, nearest};

/// Parameters of a style by name, each as [`ParameterSet::set`] takes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(schema_with = "schema::<StyleOptions>")]
pub struct StyleConfig(BTreeMap<String, Scalar>);

/// A string, or a number as a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Scalar(#[serde(deserialize_with = "scalar")] String);

/// The schema of a table with the parameters of a set.
fn schema<S: ParameterSet>(_: &mut SchemaGenerator) -> Schema {
    let properties: BTreeMap<_, _> = S::declarations()
        .map(|declaration| {
            let description = declaration.description();
            let schema = json_schema!({ "type": ["string", "number"], "description": description });
            (declaration.parameter.key(), schema)
        })
        .collect();
    // Aliases are valid too, but editors need not suggest them.
    let other = json_schema!({ "type": ["string", "number"] });
    json_schema!({ "type": "object", "title": "a style", "properties": properties, "additionalProperties": other })
}

impl StyleConfig {
    /// Whether no parameter is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The options that the parameters set.
    pub(super) fn options(&self) -> Result<StyleOptions, Fault> {
        let options: StyleOptions = self.read()?;
        // Any scheme serves to check whether the options agree: the files of schemes are not known here.
        match options.resolve(|_| Style::new().map(|style| style.scheme)).map_err(parts) {
            Ok(_) => Ok(options),
            Err((parameter, message)) => Err(Fault::value(parameter.map_or("", Parameter::key), message)),
        }
    }

    /// The options of a set, one by one.
    pub(super) fn read<S: ParameterSet>(&self) -> Result<S, Fault> {
        let mut options = S::default();
        for (name, Scalar(text)) in &self.0 {
            match options.set(name, text) {
                Ok(true) => {}
                Ok(false) => {
                    let hint = did_you_mean(&nearest(name, S::names(), normalized));
                    let names = S::names().collect::<Vec<_>>().join(", ");
                    return Err(Fault::key(name, format!("no such parameter; {hint}a style has {names}")));
                }
                Err(error) => return Err(Fault::value(name, parts(error).1)),
            }
        }
        Ok(options)
    }

    /// The options of a table in TOML, or the key at fault with the message.
    #[cfg(test)]
    pub(crate) fn read_toml<S: ParameterSet>(text: &str) -> Result<S, (String, String)> {
        let table: Self = toml::from_str(text).map_err(|error| (String::new(), error.to_string()))?;
        table.read().map_err(|fault| (fault.path, fault.message))
    }
}

/// The parameter that `error` is about, if any, and its message.
pub(super) fn parts(error: Error) -> (Option<Parameter>, String) {
    match error {
        Error::Invalid { parameter, message } => (Some(parameter), message.with_keys()),
        other => (None, other.to_string()),
    }
}
