//! Whether what a configuration says makes sense.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::Config;
use super::document::Fault;
use super::job::{JobConfig, check_together};
use super::keys::{self, JOB_KEYS, JOBS, KEYS, Key, LAYER_KEYS, LAYERS, PLACE_KEYS, PLACES};
use super::layer::{check_name, style_options};
use crate::error::{Error, Result};
use crate::layer::StyleOptions;
use crate::parameters::ParameterSet;
use crate::postgis::Address;
use crate::spelling::{did_you_mean, nearest};

impl Config {
    /// Whether everything in it makes sense, also together. [`load`](Self::load) and [`set`](Self::set) have checked what
    /// they read, one by one.
    ///
    /// # Errors
    /// [`Error::Config`] for the first key that does not, with what would be accepted.
    pub fn check(&self) -> Result<()> {
        let table = self.table()?;
        check_table(&table).map_err(Fault::placeless)?;
        if let Some(layer) = self.bridge.layer.as_ref().filter(|layer| {
            // Which tables a database has is seen later.
            self.database().is_none() && !self.layers.is_empty() && !self.layers.contains_key(*layer)
        }) {
            let near = nearest(layer, self.layers.keys().map(String::as_str), keys::spelled);
            let hint = did_you_mean(&near);
            let message = format!("there is no layer `{layer}`; {hint}name one of layers or of the inputs");
            return Err(Error::config("bridge.layer", message));
        }
        let inputs = self.layers.values().flat_map(|layer| &layer.inputs);
        if inputs.filter(|input| *input == "-").count() > 1 {
            return Err(Error::config(LAYERS, "standard input, `-`, can be read only once"));
        }
        Ok(())
    }

    /// Everything in it as TOML.
    pub(super) fn table(&self) -> Result<Table> {
        Table::try_from(self).map_err(|error| Error::config("config", error.to_string()))
    }
}

/// Holds what a file says against the keys, one by one.
pub(super) fn check_table(table: &Table) -> Result<(), Fault> {
    for (section, values) in table {
        if section == JOBS {
            check_jobs(values)?;
            continue;
        }
        if section != LAYERS && !keys::sections().contains(&section.as_str()) {
            return Err(Fault::of_key(section, keys::no_section(section)));
        }
        let Some(values) = values.as_table() else {
            let example = if section == LAYERS { "[layers.NAME]".to_owned() } else { format!("[{section}]") };
            return Err(Fault::of_value(section, format!("not a table; write {example}")));
        };
        for (name, value) in values {
            let path = format!("{section}.{name}");
            if section == LAYERS {
                check_layer(&path, name, value)?;
                continue;
            }
            let key = keys::find(section, name);
            let key = key.ok_or_else(|| Fault::of_key(&path, keys::no_key(name, section, KEYS)))?;
            key.check(value).map_err(|why| Fault::of_value(path, why))?;
        }
    }
    Ok(())
}

fn check_layer(path: &str, name: &str, layer: &Value) -> Result<(), Fault> {
    check_name(name).map_err(|why| Fault::of_key(path, why))?;
    let Some(layer) = layer.as_table() else {
        return Err(Fault::of_value(path, format!("not a table; write [{path}] and under it input = \"a.csv\"")));
    };
    check_keys(path, layer, LAYERS, LAYER_KEYS)?;
    let of_database = ["table", "sql"].into_iter().filter(|key| layer.contains_key(*key)).collect::<Vec<_>>();
    match (layer.contains_key("input"), &of_database[..]) {
        (false, []) => {
            let why = "missing; name a file with points, such as \"a.csv\", or a table of the database";
            return Err(Fault::of_value(format!("{path}.input"), why));
        }
        (true, [key, ..]) | (false, [_, key, ..]) => {
            return Err(Fault::of_key(format!("{path}.{key}"), "a layer has either an input, or a table, or sql"));
        }
        (true, []) => {
            let is_meant = |input: &Value| input.as_str().is_some_and(Address::is_meant);
            let input = layer.get("input");
            if input
                .is_some_and(|input| is_meant(input) || input.as_array().is_some_and(|all| all.iter().any(is_meant)))
            {
                let why = "a database is named by postgis.url, and its table here by table = \"stops\"";
                return Err(Fault::of_value(format!("{path}.input"), why));
            }
            let keys = ["geometry", "filter", "srid", "columns", "refresh"];
            if let Some(key) = keys.into_iter().find(|key| layer.contains_key(*key)) {
                return Err(Fault::of_key(format!("{path}.{key}"), "only a table of a database, or sql, has it"));
            }
        }
        (false, [_]) => {
            let keys = ["lon", "lat"];
            if let Some(key) = keys.into_iter().find(|key| layer.contains_key(*key)) {
                let why = "a table of a database has a column of places: name it as geometry";
                return Err(Fault::of_key(format!("{path}.{key}"), why));
            }
            if layer.get("projection").and_then(Value::as_str) == Some("plane") {
                let why = "the places of a database lie on the globe";
                return Err(Fault::of_value(format!("{path}.projection"), why));
            }
        }
    }
    layer.get("style").and_then(Value::as_table).map_or(Ok(()), |style| check_style(&format!("{path}.style"), style))
}

/// Holds the table at `path` against the keys that it may have.
fn check_keys(path: &str, table: &Table, section: &str, keys: &[Key]) -> Result<(), Fault> {
    for (name, value) in table {
        let path = format!("{path}.{name}");
        let key = keys.iter().find(|key| key.name == name);
        let key = key.ok_or_else(|| Fault::of_key(&path, keys::no_key(name, section, keys)))?;
        key.check(value).map_err(|why| Fault::of_value(path, why))?;
    }
    Ok(())
}

fn check_jobs(jobs: &Value) -> Result<(), Fault> {
    let Some(jobs) = jobs.as_array().filter(|jobs| jobs.iter().all(Value::is_table)) else {
        return Err(Fault::of_value(JOBS, "not a list of tables; write [[jobs]] above each of them"));
    };
    let mut read = Vec::new();
    for (i, job) in jobs.iter().filter_map(Value::as_table).enumerate() {
        let path = format!("{JOBS}[{i}]");
        check_keys(&path, job, JOBS, JOB_KEYS)?;
        for (at, place) in job.get(PLACES).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let path = format!("{path}.{PLACES}[{at}]");
            let place = place.as_table().ok_or_else(|| Fault::of_value(&path, "not a table"))?;
            check_keys(&path, place, PLACES, PLACE_KEYS)?;
        }
        if let Some(style) = job.get("style").and_then(Value::as_table) {
            check_style(&format!("{path}.style"), style)?;
        }
        let job: JobConfig =
            job.clone().try_into().map_err(|error: toml::de::Error| Fault::of_value(&path, error.message()))?;
        job.check().map_err(|(key, message)| Fault::of_value(format!("{path}.{key}"), message))?;
        read.push(job);
    }
    check_together(&read).map_err(|(i, key, message)| Fault::of_value(format!("{JOBS}[{i}].{key}"), message))
}

fn check_style(path: &str, style: &Table) -> Result<(), Fault> {
    let mut texts = BTreeMap::new();
    for (name, value) in style {
        let path = format!("{path}.{name}");
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            _ => return Err(Fault::of_value(path, format!("{value} is neither a text nor a number"))),
        };
        if matches!(StyleOptions::default().set(name, &text), Ok(false)) {
            let hint = did_you_mean(&nearest(name, StyleOptions::names(), keys::spelled));
            let names = StyleOptions::names().collect::<Vec<_>>().join(", ");
            return Err(Fault::of_key(path, format!("no such parameter; {hint}a style has {names}")));
        }
        texts.insert(name.clone(), text);
    }
    style_options(&texts).map(drop).map_err(|(name, message)| Fault::of_value(format!("{path}.{name}"), message))
}
