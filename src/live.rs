//! Live tables: layers from the database of a configuration.
//!
//! ```text
//! Config ── open ──> Database ── tables: configured, discovered ──> Table ── open ──> LiveTable
//!        ── ServedLayers ──> LiveTables, a catalog provider that follows the tables of the database
//! ```

mod served_layers;

pub use served_layers::ServedLayers;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, LayerConfig, check_layer_name};
use crate::error::{Error, Result};
use crate::postgis::{Address, Database, DatabaseOptions, Discovered, LiveTable, Relation, TableSpec};
use crate::source::Description;

/// A table, a view or a query that becomes a layer.
#[derive(Debug)]
pub struct Table<'c> {
    /// The layer's name.
    pub name: String,
    /// The configuration of the layer; `None` for a discovered table.
    layer: Option<&'c LayerConfig>,
    spec: TableSpec,
    relation: Relation,
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
    let Some(database) = new_database(config)? else { return Ok(None) };
    database.connect()?;
    Ok(Some(database))
}

/// The database of the configuration, if one is configured. No connection is made yet.
fn new_database(config: &Config) -> Result<Option<Arc<Database>>> {
    check(config)?;
    let Some(url) = config.database() else { return Ok(None) };
    let address: Address = url.parse()?;
    let options = DatabaseOptions {
        connections: config.postgis.connections,
        timeout: Duration::from_secs(config.postgis.timeout.as_secs()),
    };
    Database::new(&address, &options).map(Some)
}

/// The tables that become layers, configured or discovered. No row is read yet.
///
/// # Errors
/// Those of the database; [`Error::Config`] if a configured table cannot be a layer.
pub fn tables<'c>(config: &'c Config, database: &Arc<Database>) -> Result<Vec<Table<'c>>> {
    let mut tables = Vec::new();
    for (name, layer) in config.layers.iter().filter(|(_, layer)| layer.is_table()) {
        let spec = spec_of(layer);
        let relation = database.relation(name, &spec).map_err(|error| match error {
            Error::Input { message, .. } => Error::config(format!("layers.{name}"), message.with_keys()),
            other => other,
        })?;
        tables.push(Table { name: name.clone(), layer: Some(layer), spec, relation });
    }
    let discovered = |name: &str, spec: TableSpec, relation: Relation, tables: &[Table<'_>]| {
        let is_taken = |name: &str| tables.iter().any(|table| table.name == name);
        let name = free_name(&to_layer_name(name), config, is_taken);
        Table { name, layer: None, spec, relation }
    };
    if let Some(table) = database.address().table() {
        let spec = TableSpec { table: Some(table.to_owned()), ..TableSpec::default() };
        let relation = database.relation(table, &spec)?;
        let name = relation.table_name().unwrap_or(table).to_owned();
        tables.push(discovered(&name, spec, relation, &tables));
    } else if config.postgis.discover && (tables.is_empty() || database.has_postgis()?) {
        // Without PostGIS, the configured tables have no positions, and there are no others to find.
        let discovery = database.discover()?;
        for skipped in &discovery.skipped {
            tracing::warn!(table = skipped.label, reason = skipped.reason, "table skipped");
        }
        // A table that the configuration names does not become a second layer.
        let configured: BTreeSet<String> = tables.iter().filter_map(|table| table.relation.source_key()).collect();
        for Discovered { name, spec, relation } in discovery.found {
            if relation.source_key().is_none_or(|key| !configured.contains(&key)) {
                tables.push(discovered(&name, spec, relation, &tables));
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

fn description_of(layer: Option<&LayerConfig>) -> Description {
    layer.map_or_else(Description::default, |layer| Description {
        title: layer.title.clone(),
        attribution: layer.attribution.clone(),
        weight: None,
        comparable: layer.columns.clone(),
        style: layer.style.to_map(),
    })
}

impl Table<'_> {
    /// Opens the layer: reads the table's number of points and bounds.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open(self, database: &Arc<Database>) -> Result<Arc<LiveTable>> {
        let Self { name, layer, spec, relation, .. } = self;
        let table = LiveTable::new(database, relation.label(), spec, description_of(layer));
        database.look_at(std::slice::from_ref(&table)).into_iter().collect::<Result<()>>()?;
        log_opened(&name, &table)?;
        Ok(table)
    }
}

/// Logs the columns and the number of points of a layer that was opened.
fn log_opened(layer: &str, table: &LiveTable) -> Result<()> {
    let snapshot = table.snapshot()?;
    let (summary, columns) = (snapshot.summary(), snapshot.relation().describe_columns());
    let rejected = summary.rejected + summary.beyond_map;
    tracing::info!(layer, table = table.label(), points = summary.points, rejected, "{columns}");
    Ok(())
}

/// Turns a table's name into a valid name of a layer.
fn to_layer_name(table: &str) -> String {
    const MAX_CHARS: usize = 56;
    let to_valid = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    let name: String = table.chars().map(to_valid).take(MAX_CHARS).collect();
    if name.contains(|c: char| c.is_ascii_alphanumeric()) { name } else { "table".into() }
}

/// Returns `name`, or the first of `name-2`, `name-3`, … that no layer has.
fn free_name(name: &str, config: &Config, is_taken: impl Fn(&str) -> bool) -> String {
    let is_free =
        |name: &String| check_layer_name(name).is_ok() && !config.layers.contains_key(name) && !is_taken(name);
    let numbered = (2_u64..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}
