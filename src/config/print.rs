//! A configuration as a file that says everything.

use std::fmt::Write;

use toml::{Table, Value};

use super::Config;
use super::keys::{self, JOB_KEYS, JOBS, KEYS, Key, LAYER_KEYS, LAYERS};
use super::kind::Kind;
use crate::error::{Error, Result};

impl Config {
    /// The whole configuration as a TOML file: every key, each with what it is, what it accepts and its default. Read
    /// again, it is the same configuration, but for what is secret: [`database_url`](Self::database_url) and the token
    /// ([`ServerConfig::token`](super::ServerConfig::token)) are left out.
    ///
    /// # Errors
    /// [`Error::Config`] if a path is not in UTF-8, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        let (table, defaults) = (self.table()?, Self::default().table()?);
        let mut out = String::from("# Kiln's configuration: all that the server can be told.\n");
        for section in keys::sections() {
            append(&mut out, format_args!("\n[{section}]\n"));
            for key in KEYS.iter().filter(|key| key.section == section) {
                append_key(&mut out, key, &table, &defaults);
            }
        }
        append(&mut out, format_args!("\n# A layer is a table [layers.NAME] of these:\n"));
        for Key { name, about, kind, .. } in LAYER_KEYS {
            append(&mut out, format_args!("# {name} ({about}): {}.\n", kind.accepts()));
        }
        append_alone(&mut out, &table, LAYERS)?;
        append(&mut out, format_args!("\n# A job is a table of these under a line [[jobs]]:\n"));
        for Key { name, about, kind, .. } in JOB_KEYS {
            append(&mut out, format_args!("# {name} ({about}): {}.\n", kind.accepts()));
        }
        append_alone(&mut out, &table, JOBS)?;
        Ok(out)
    }
}

/// Appends a part that has no keys of its own, if there is anything in it.
fn append_alone(out: &mut String, table: &Table, part: &str) -> Result<()> {
    let is_empty =
        |value: &&Value| value.as_table().is_none_or(Table::is_empty) && value.as_array().is_none_or(Vec::is_empty);
    if let Some(value) = table.get(part).filter(|value| !is_empty(value)) {
        let alone: Table = [(part.to_owned(), value.clone())].into_iter().collect();
        let text = toml::to_string(&alone).map_err(|error| Error::config(part, error.to_string()))?;
        append(out, format_args!("\n{text}"));
    }
    Ok(())
}

fn append_key(out: &mut String, key: &Key, table: &Table, defaults: &Table) {
    let Key { name, about, absent, .. } = key;
    let value_in = |table: &Table| -> Option<Value> { table.get(key.section)?.get(name).cloned() };
    let default = value_in(defaults).map(|value| value.to_string());
    let default = default.as_deref().or(absent.map(|(meaning, _)| meaning)).unwrap_or_default();
    append(out, format_args!("# {about}. Default: {default}.\n# Accepts {}.\n", key.kind.accepts()));
    let value = value_in(table).filter(|_| key.kind != Kind::Secret);
    match (value, absent) {
        (Some(value), _) => append(out, format_args!("{name} = {value}\n")),
        (None, Some((_, example))) => append(out, format_args!("# {name} = {example}\n")),
        (None, None) => {}
    }
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(more);
}
