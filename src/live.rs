//! Live tables as layers: those of a configuration's database.
//!
//! ```text
//! Config ── open ──> Database ── tables: named, and found ──> Table ── open ──> LiveTables: a provider of the catalog
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, LayerConfig, TimeSpan, check_layer_name};
use crate::error::{Error, Result};
use crate::postgis::{Address, Database, DatabaseOptions, LiveTable, LiveTables, Relation, TableSpec};
use crate::source::Description;

/// A table, a view or a query that is a layer.
#[derive(Debug)]
pub struct Table<'c> {
    /// The layer's name.
    pub name: String,
    /// What the configuration says of it, if it names it.
    layer: Option<&'c LayerConfig>,
    relation: Relation,
    refresh: Option<TimeSpan>,
}

/// Makes sure that a database is named if anything is to come from it.
///
/// # Errors
/// [`Error::Config`] for what has none.
pub fn check(config: &Config) -> Result<()> {
    if config.database().is_some() {
        return Ok(());
    }
    let layer =
        config.layers.iter().find(|(_, layer)| layer.inputs.is_empty()).map(|(name, _)| format!("layers.{name}"));
    let why = "no database is named; set postgis.url, or DATABASE_URL";
    if let Some(path) = layer {
        return Err(config.error(path, why));
    }
    match config.jobs.iter().find(|job| job.query.is_some()) {
        Some(job) => Err(Error::config(format!("jobs.{}.query", job.name), why)),
        None => Ok(()),
    }
}

/// The database of the configuration, if there is one.
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

/// The tables that are layers, before any row is looked at: those that the configuration names, and those that are found.
///
/// # Errors
/// Those of the database; [`Error::Config`] if one that the configuration names is no layer.
pub fn tables<'c>(config: &'c Config, database: &Arc<Database>) -> Result<Vec<Table<'c>>> {
    let usual = config.postgis.refresh;
    let mut tables = Vec::new();
    for (name, layer) in config.layers.iter().filter(|(_, layer)| layer.inputs.is_empty()) {
        let relation = database.relation(name, &spec_of(layer)).map_err(|error| match error {
            Error::Input { message, .. } => Error::config(format!("layers.{name}"), message.with_keys()),
            other => other,
        })?;
        tables.push(Table { name: name.clone(), layer: Some(layer), relation, refresh: layer.refresh.or(usual) });
    }
    let found = |name: &str, relation: Relation, tables: &[Table<'_>]| {
        let name = free_name(&fitting_name(name), config, tables);
        Table { name, layer: None, relation, refresh: usual }
    };
    if let Some(table) = database.address().table() {
        let spec = TableSpec { table: Some(table.to_owned()), ..TableSpec::default() };
        let relation = database.relation(table, &spec)?;
        let name = relation.table_name().unwrap_or(table).to_owned();
        tables.push(found(&name, relation, &tables));
    } else if config.postgis.discover {
        let discovery = database.discover()?;
        for skipped in &discovery.skipped {
            tracing::warn!(table = skipped.label, reason = skipped.reason, "a table is left out");
        }
        // What the config names under a name of its own is not another layer.
        let known: BTreeSet<String> = tables.iter().filter_map(|table| table.relation.source_key()).collect();
        for (name, relation) in discovery.found {
            if relation.source_key().is_none_or(|key| !known.contains(&key)) {
                tables.push(found(&name, relation, &tables));
            }
        }
        if tables.is_empty() {
            let why = if discovery.skipped.is_empty() { "there is no table of points" } else { "no table is a layer" };
            tracing::warn!(database = database.name(), "{why}");
        }
    }
    Ok(tables)
}

/// The layer `name` of the configuration's database, if there is such a one.
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

/// All layers of the database. They are looked at anew when they change.
///
/// # Errors
/// As [`tables`], and [`Table::open`] for those that the configuration names.
pub fn layers(config: &Config, database: &Arc<Database>) -> Result<LiveTables> {
    let mut live = LiveTables::default();
    for table in tables(config, database)? {
        let (is_found, label) = (table.is_found(database), table.relation.label().to_owned());
        let name = table.name.clone();
        match table.open(database) {
            Ok(table) => drop(live.0.insert(name, table)),
            // One table that cannot be read is no reason to leave out the others.
            Err(error) if is_found => tracing::warn!(table = label, reason = %error, "a table is left out"),
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
    /// Whether nobody named it.
    fn is_found(&self, database: &Database) -> bool {
        self.layer.is_none() && database.address().table().is_none()
    }

    /// Looks at its rows.
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
        let known = snapshot.summary();
        tracing::info!(
            layer = name,
            table = label,
            points = known.points,
            left_out = known.rejected + known.beyond_map,
            "{columns}"
        );
        Ok(table)
    }
}

/// A table's name as that of a layer.
fn fitting_name(table: &str) -> String {
    const MOST: usize = 56;
    let fitting = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    let name: String = table.chars().map(fitting).take(MOST).collect();
    if name.contains(|c: char| c.is_ascii_alphanumeric()) { name } else { "table".into() }
}

/// `name`, or the first of `name-2`, `name-3`, … that no layer has.
fn free_name(name: &str, config: &Config, tables: &[Table<'_>]) -> String {
    let is_free = |name: &String| {
        let is_taken = config.layers.contains_key(name) || tables.iter().any(|table| table.name == *name);
        check_layer_name(name).is_ok() && !is_taken
    };
    let numbered = (2_u64..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}
