//! Live tables: layers from the database of a configuration.
//!
//! ```text
//! Config ── open ──> Database ── tables: configured, discovered ──> Table ── open ──> LiveTables, a catalog provider
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, LayerConfig, TimeSpan, check_layer_name};
use crate::error::{DatabaseErrorKind, Error, Result};
use crate::postgis::{Address, Database, DatabaseOptions, LiveTable, LiveTables, Relation, TableSpec};
use crate::source::Description;

/// A table, a view or a query that becomes a layer.
#[derive(Debug)]
pub struct Table<'c> {
    /// The layer's name.
    pub name: String,
    /// The configuration of the layer; `None` for a discovered table.
    layer: Option<&'c LayerConfig>,
    relation: Relation,
    refresh: Option<TimeSpan>,
}

/// Checks that a database is configured if a layer or a job needs one.
///
/// # Errors
/// [`Error::Config`] for the first layer or job that needs a database, if none is configured.
pub fn check(config: &Config) -> Result<()> {
    if config.database().is_some() {
        return Ok(());
    }
    let layer = config.layers.iter().find(|(_, layer)| layer.is_table()).map(|(name, _)| format!("layers.{name}"));
    let message = "no database is configured; set postgis.url or DATABASE_URL";
    if let Some(path) = layer {
        return Err(config.error(path, message));
    }
    match config.jobs.iter().find(|job| job.query.is_some()) {
        Some(job) => Err(Error::config(format!("jobs.{}.query", job.name), message)),
        None => Ok(()),
    }
}

/// Opens the database of the configuration, if one is configured.
///
/// # Errors
/// As [`check`] and [`Database::open`].
pub fn open(config: &Config) -> Result<Option<Arc<Database>>> {
    check(config)?;
    let Some(url) = config.database() else { return Ok(None) };
    let address: Address = url.parse()?;
    let options = DatabaseOptions {
        connections: config.postgis.connections,
        timeout: Duration::from_secs(config.postgis.timeout.as_secs()),
    };
    Database::open(&address, &options).map(Some)
}

/// The tables that become layers, configured or discovered. No row is read yet.
///
/// # Errors
/// Those of the database; [`Error::Config`] if a configured table cannot be a layer.
pub fn tables<'c>(config: &'c Config, database: &Arc<Database>) -> Result<Vec<Table<'c>>> {
    let default_refresh = config.postgis.refresh;
    let mut tables = Vec::new();
    for (name, layer) in config.layers.iter().filter(|(_, layer)| layer.is_table()) {
        let relation = database.relation(name, &spec_of(layer)).map_err(|error| match error {
            Error::Input { message, .. } => Error::config(format!("layers.{name}"), message.with_keys()),
            other => other,
        })?;
        let refresh = layer.refresh.or(default_refresh);
        tables.push(Table { name: name.clone(), layer: Some(layer), relation, refresh });
    }
    let discovered = |name: &str, relation: Relation, tables: &[Table<'_>]| {
        let name = free_name(&to_layer_name(name), config, tables);
        Table { name, layer: None, relation, refresh: default_refresh }
    };
    if let Some(table) = database.address().table() {
        let spec = TableSpec { table: Some(table.to_owned()), ..TableSpec::default() };
        let relation = database.relation(table, &spec)?;
        let name = relation.table_name().unwrap_or(table).to_owned();
        tables.push(discovered(&name, relation, &tables));
    } else if config.postgis.discover && (database.has_postgis() || tables.is_empty()) {
        // Without PostGIS, the configured tables have no positions, and there are no others to find.
        let discovery = database.discover()?;
        for skipped in &discovery.skipped {
            tracing::warn!(table = skipped.label, reason = skipped.reason, "table skipped");
        }
        // A table that the configuration names does not become a second layer.
        let configured: BTreeSet<String> = tables.iter().filter_map(|table| table.relation.source_key()).collect();
        for (name, relation) in discovery.found {
            if relation.source_key().is_none_or(|key| !configured.contains(&key)) {
                tables.push(discovered(&name, relation, &tables));
            }
        }
        if tables.is_empty() {
            let message =
                if discovery.skipped.is_empty() { "no table of points found" } else { "no usable table found" };
            tracing::warn!(database = database.name(), "{message}");
        }
    }
    Ok(tables)
}

/// Opens the layer `name` of the configuration's database; `None` if there is no such layer.
///
/// # Errors
/// As [`open`], [`tables`] and [`Table::open`].
pub fn find(config: &Config, name: &str) -> Result<Option<Arc<LiveTable>>> {
    if config.database().is_none() && !config.layers.contains_key(name) {
        return Ok(None);
    }
    let Some(database) = open(config)? else { return Ok(None) };
    let table = tables(config, &database)?.into_iter().find(|table| table.name == name);
    table.map(|table| table.open(&database)).transpose()
}

/// Opens all layers of the database, and watches their tables for changes.
///
/// # Errors
/// As [`tables`], and [`Table::open`] for the configured tables, except those with invalid values in their rows: such a
/// layer is logged and skipped.
pub fn layers(config: &Config, database: &Arc<Database>) -> Result<LiveTables> {
    let mut live = LiveTables::default();
    for table in tables(config, database)? {
        let (is_discovered, label) = (table.is_discovered(database), table.relation.label().to_owned());
        let name = table.name.clone();
        let source = table.relation.quoted_name().unwrap_or_else(|| "query".into());
        match table.open(database) {
            Ok(table) => drop(live.0.insert(name, table)),
            // A discovered table that cannot be read does not prevent the others from being served.
            Err(error) if is_discovered => tracing::warn!(table = label, reason = %error, "table skipped"),
            // Neither do values in the rows of a configured one.
            Err(error @ Error::Database { kind: DatabaseErrorKind::InvalidData, .. }) => {
                tracing::error!(layer = name, table = source, reason = %error, "layer skipped");
            }
            Err(Error::Database { database, kind, message }) => {
                return Err(Error::database(database, kind, format!("layer `{name}`: {message}")));
            }
            Err(error) => return Err(error),
        }
    }
    let all: Vec<Arc<LiveTable>> = live.0.values().cloned().collect();
    database.watch(&all);
    Ok(live)
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

impl Table<'_> {
    /// Whether neither the configuration nor the database URL names the table.
    fn is_discovered(&self, database: &Database) -> bool {
        self.layer.is_none() && database.address().table().is_none()
    }

    /// Opens the layer: reads the table's number of points and bounds.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open(self, database: &Arc<Database>) -> Result<Arc<LiveTable>> {
        let Self { name, layer, relation, refresh } = self;
        let columns = relation.describe_columns();
        let label = relation.label().to_owned();
        let description = layer.map_or_else(Description::default, |layer| Description {
            title: layer.title.clone(),
            attribution: layer.attribution.clone(),
            weight: None,
            comparable: layer.columns.clone(),
            style: layer.style.to_map(),
        });
        let relation = relation.with_description(description);
        let table = LiveTable::open(database, relation, refresh.map(|span| Duration::from_secs(span.as_secs())))?;
        let snapshot = table.snapshot();
        let summary = snapshot.summary();
        tracing::info!(
            layer = name,
            table = label,
            points = summary.points,
            rejected = summary.rejected + summary.beyond_map,
            "{columns}"
        );
        Ok(table)
    }
}

/// Turns a table's name into a valid name of a layer.
fn to_layer_name(table: &str) -> String {
    const MAX_CHARS: usize = 56;
    let to_valid = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    let name: String = table.chars().map(to_valid).take(MAX_CHARS).collect();
    if name.contains(|c: char| c.is_ascii_alphanumeric()) { name } else { "table".into() }
}

/// Returns `name`, or the first of `name-2`, `name-3`, … that no layer has.
fn free_name(name: &str, config: &Config, tables: &[Table<'_>]) -> String {
    let is_free = |name: &String| {
        let is_taken = config.layers.contains_key(name) || tables.iter().any(|table| table.name == *name);
        check_layer_name(name).is_ok() && !is_taken
    };
    let numbered = (2_u64..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}
