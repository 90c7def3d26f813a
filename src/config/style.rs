//! `style = { … }` of a layer or a job: parameters of the style.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::origin::Fault;
use super::quantity::scalar;
use super::schema::normalized;
use crate::error::Error;
use crate::layer::{Style, StyleOptions};
use crate::spelling::{did_you_mean, nearest};

/// Parameters of a style by name, each as [`StyleOptions::set`] takes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(schema_with = "schema")]
pub struct StyleConfig(BTreeMap<String, Parameter>);

/// A string, or a number as a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Parameter(#[serde(deserialize_with = "scalar")] String);

fn schema(_: &mut SchemaGenerator) -> Schema {
    let value = || json_schema!({ "type": ["string", "number"] });
    let names: BTreeMap<_, _> = StyleOptions::NAMES.into_iter().map(|name| (name, value())).collect();
    // Other spellings of the names are valid too, but editors need not suggest them.
    json_schema!({ "type": "object", "title": "a style", "properties": names, "additionalProperties": value() })
}

impl StyleConfig {
    /// Whether no parameter is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The options that the parameters set.
    pub(super) fn options(&self) -> Result<StyleOptions, Fault> {
        let mut options = StyleOptions::default();
        for (name, Parameter(text)) in &self.0 {
            match options.set(name, text) {
                Ok(true) => {}
                Ok(false) => {
                    let hint = did_you_mean(&nearest(name, StyleOptions::NAMES, normalized));
                    let names = StyleOptions::NAMES.join(", ");
                    return Err(Fault::key(name, format!("no such parameter; {hint}a style has {names}")));
                }
                Err(error) => return Err(Fault::value(name, parts(error).1)),
            }
        }
        // Any scheme serves to check whether the options agree: the files of schemes are not known here.
        match options.resolve(|_| Style::new().map(|style| style.scheme)).map_err(parts) {
            Ok(_) => Ok(options),
            Err((parameter, message)) => Err(Fault::value(parameter.unwrap_or_default().replace('-', "_"), message)),
        }
    }
}

/// The parameter that `error` is about, if any, and its message.
pub(super) fn parts(error: Error) -> (Option<&'static str>, String) {
    match error {
        Error::Invalid { parameter, message } => (Some(parameter), message),
        other => (None, other.to_string()),
    }
}
