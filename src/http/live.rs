//! The tables of a database that are layers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, LayerConfig, TimeSpan, check_layer_name};
use crate::error::{Error, Result};
use crate::layer::{LayerSpec, LiveEntry};
use crate::postgis::{Address, Database, DatabaseOptions, LiveTable, Relation, TableSpec};
use crate::source::Columns;

/// The database of the config, if there is one.
pub(super) fn open(config: &Config) -> Result<Option<Arc<Database>>> {
    let Some(url) = config.database() else {
        let of_table = config.layers.iter().find(|(_, layer)| layer.table.is_some() || layer.sql.is_some());
        return match of_table {
            Some((name, _)) => {
                let why = "no database is named; set postgis.url, or DATABASE_URL";
                Err(Error::config(format!("layers.{name}"), why))
            }
            None => Ok(None),
        };
    };
    let address: Address = url.parse()?;
    let options = DatabaseOptions {
        connections: config.postgis.connections,
        timeout: Duration::from_secs(config.postgis.timeout.as_secs()),
    };
    Database::open(&address, &options).map(Some)
}

/// The layers of the database: those that the config names, and those that are found.
pub(super) fn layers(config: &Config, database: &Arc<Database>) -> Result<Vec<LiveEntry>> {
    let usual = config.postgis.refresh;
    let mut entries = Vec::new();
    let pinned = config.layers.iter().filter(|(_, layer)| layer.inputs.is_empty());
    for (name, layer) in pinned {
        let spec = spec_of(layer);
        let place = || format!("layers.{name}");
        let relation = database.relation(name, &spec).map_err(|error| match error {
            Error::Input { message, .. } => Error::config(place(), message),
            other => other,
        })?;
        entries.push(entry(name, Some(layer), database, relation, layer.refresh.or(usual))?);
    }
    let only = database.address().table();
    if let Some(table) = only {
        let spec = TableSpec { table: Some(table.to_owned()), ..TableSpec::default() };
        let relation = database.relation(table, &spec)?;
        let name = free_name(&fitting_name(relation.table_name().unwrap_or(table)), config, &entries);
        entries.push(entry(&name, None, database, relation, usual)?);
    } else if config.postgis.discover {
        let discovery = database.discover()?;
        for skipped in &discovery.skipped {
            tracing::warn!(table = skipped.label, reason = skipped.reason, "a table is left out");
        }
        // What the config names under a name of its own is not another layer.
        let known: BTreeSet<String> = entries.iter().filter_map(|entry| entry.table.relation().source_key()).collect();
        for (name, relation) in discovery.found {
            if relation.source_key().is_some_and(|key| known.contains(&key)) {
                continue;
            }
            let name = free_name(&fitting_name(&name), config, &entries);
            let label = relation.label().to_owned();
            match entry(&name, None, database, relation, usual) {
                Ok(found) => entries.push(found),
                // One table that cannot be read is no reason to leave out the others.
                Err(error) => tracing::warn!(table = label, reason = %error, "a table is left out"),
            }
        }
        if entries.is_empty() {
            let why = if discovery.skipped.is_empty() { "there is no table of points" } else { "no table is a layer" };
            tracing::warn!(database = database.name(), "{why}");
        }
    }
    let tables: Vec<Arc<LiveTable>> = entries.iter().map(|entry| Arc::clone(&entry.table)).collect();
    database.watch(&tables);
    Ok(entries)
}

fn spec_of(layer: &LayerConfig) -> TableSpec {
    TableSpec {
        table: layer.table.clone(),
        sql: layer.sql.clone(),
        geometry: layer.geometry.clone(),
        weight: layer.weight.clone(),
        time: layer.time.clone(),
        category: layer.category.clone(),
        filter: layer.filter.clone(),
        srid: layer.srid,
    }
}

fn entry(
    name: &str,
    layer: Option<&LayerConfig>,
    database: &Arc<Database>,
    relation: Relation,
    refresh: Option<TimeSpan>,
) -> Result<LiveEntry> {
    let described = relation.described();
    let label = relation.label().to_owned();
    let weight = relation.weight().map(str::to_owned);
    let mut comparable: Vec<String> = relation.roles().map(str::to_owned).collect();
    comparable.extend(layer.iter().flat_map(|layer| layer.columns.iter().cloned()));
    let table = LiveTable::open(database, relation, refresh.map(|span| Duration::from_secs(span.as_secs())))?;
    let snapshot = table.snapshot();
    let known = snapshot.summary();
    tracing::info!(
        layer = name,
        table = label,
        points = known.points,
        left_out = known.rejected + known.beyond_map,
        "{described}"
    );
    let spec = LayerSpec {
        name: name.to_owned(),
        title: layer.and_then(|layer| layer.title.clone()),
        attribution: layer.and_then(|layer| layer.attribution.clone()),
        comparable,
        columns: Columns { weight, ..Columns::default() },
        style: layer.map(LayerConfig::style_options).transpose()?.unwrap_or_default(),
        ..LayerSpec::default()
    };
    Ok(LiveEntry { spec, table })
}

/// A table's name as that of a layer.
fn fitting_name(table: &str) -> String {
    const MOST: usize = 56;
    let fitting = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    let name: String = table.chars().map(fitting).take(MOST).collect();
    if name.contains(|c: char| c.is_ascii_alphanumeric()) { name } else { "table".into() }
}

/// `name`, or the first of `name-2`, `name-3`, … that no layer has.
fn free_name(name: &str, config: &Config, entries: &[LiveEntry]) -> String {
    let is_free = |name: &String| {
        let is_taken = config.layers.contains_key(name) || entries.iter().any(|entry| entry.spec.name == *name);
        check_layer_name(name).is_ok() && !is_taken
    };
    let numbered = (2_u64..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}
