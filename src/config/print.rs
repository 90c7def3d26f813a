//! Prints a configuration as a documented file.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::Config;
use super::schema::Schema;
use crate::error::{Error, Result};

impl Config {
    /// The configuration as a TOML file: every key with its documentation, its accepted values and its default. It
    /// reads back as the same configuration, except for secrets, which are omitted: the token, the database and
    /// passwords.
    ///
    /// # Errors
    /// [`Error::Config`] if a path is not valid UTF-8, which TOML requires.
    pub fn to_toml(&self) -> Result<String> {
        let table = self.table()?;
        let mut out = String::from("# The configuration of Kiln.\n");
        for (section, keys) in Schema::sections() {
            append(&mut out, format_args!("\n# {}\n[{section}]\n", keys.description()));
            for (name, key) in keys.keys() {
                append(&mut out, format_args!("# {}\n# {}\n", one_line(key.description()), accepted(key)));
                match table.get(section).and_then(|keys| keys.get(name)) {
                    Some(_) if key.is_secret() => {
                        append(&mut out, format_args!("# {name} = … (set, and not printed)\n"));
                    }
                    Some(value) => append(&mut out, format_args!("{name} = {value}\n")),
                    None => append(&mut out, format_args!("# {name} = {}\n", key.example())),
                }
            }
        }
        append_tables(&mut out, "layers", "A layer is a table [layers.NAME]", &self.layers, self.layers.is_empty())?;
        append_tables(&mut out, "keys", "A key of clients is a table [keys.NAME]", &self.keys, self.keys.is_empty())?;
        append_tables(&mut out, "jobs", "A job is a table under a line [[jobs]]", &self.jobs, self.jobs.is_empty())?;
        Ok(out)
    }
}

/// Appends the documentation of the tables `name`, and the tables themselves.
fn append_tables<T: Serialize>(out: &mut String, name: &str, title: &str, tables: &T, is_empty: bool) -> Result<()> {
    append(out, format_args!("\n# {title} with these keys:\n"));
    for (key, schema) in Schema::root().key(name).and_then(Schema::items).into_iter().flat_map(Schema::keys) {
        append(out, format_args!("# {key}: {} {}\n", one_line(schema.description()), accepted(schema)));
    }
    if !is_empty {
        let text = toml::to_string(&BTreeMap::from([(name, tables)]));
        append(out, format_args!("\n{}", text.map_err(|error| Error::config(name, error.to_string()))?));
    }
    Ok(())
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

fn accepted(key: Schema) -> String {
    let default = key.default().map(|default| format!(" Default: {default}.")).unwrap_or_default();
    format!("Accepts {}.{default}", key.accepted())
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(more);
}
