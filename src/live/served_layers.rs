//! The live layers of a server, which follow the tables of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{description_of, free_name, log_opened, new_database, spec_of, to_layer_name};
use crate::config::Config;
use crate::error::{DatabaseErrorKind, Error, Result};
use crate::postgis::{Database, Discovered, LiveTable, LiveTables, TableSpec};

/// The database of a server, and the tables that are its layers. Tables that are created, altered or dropped, that
/// cannot be read at first, or whose database is away, are looked at again while the server runs.
#[derive(Debug)]
pub struct ServedLayers {
    /// The database.
    pub database: Arc<Database>,
    /// The layers.
    pub tables: Arc<LiveTables>,
    /// Whether the database could not be reached, so that its tables are unknown.
    pub is_away: bool,
}

impl ServedLayers {
    /// Opens the layers of the configuration's database, if one is configured, and watches its tables. A database that
    /// cannot be reached is logged: its layers are opened once it can.
    ///
    /// # Errors
    /// If the database denies access, or a configured table cannot be a layer: it does not exist, or lacks a column.
    pub fn open(config: &Config) -> Result<Option<Self>> {
        let Some(database) = new_database(config)? else { return Ok(None) };
        let is_away = match database.connect() {
            Ok(()) => false,
            Err(Error::Database { database, kind: DatabaseErrorKind::Unreachable, message }) => {
                let reason = message;
                tracing::warn!(database, reason, "the database is away; its layers are opened once it is back");
                true
            }
            Err(error) => return Err(error),
        };
        let tables = Arc::new(LiveTables::default());
        let configured = open_configured(config, &database, &tables, is_away)?;
        let selected = database.address().table().map(str::to_owned);
        if let (Some(table), false) = (&selected, is_away) {
            let spec = TableSpec { table: Some(table.clone()), ..TableSpec::default() };
            // A mistake in the URL is an error.
            database.relation(table, &spec)?;
        }
        let is_discovered = selected.is_some() || config.postgis.discover;
        let config = config.clone();
        let mut finder = Finder {
            config,
            tables: Arc::downgrade(&tables),
            configured,
            selected,
            found: BTreeMap::new(),
            skipped: BTreeMap::new(),
        };
        if is_discovered && !is_away {
            finder.find(&database, &tables)?;
            if tables.all().is_empty() {
                let message =
                    if finder.skipped.is_empty() { "no table of points found" } else { "no usable table found" };
                tracing::warn!(database = database.name(), "{message}");
            }
        }
        let (send, receive) = channel();
        if is_discovered {
            let database = Arc::downgrade(&database);
            let spawned =
                std::thread::Builder::new().name("kiln-tables".into()).spawn(move || finder.run(&database, &receive));
            spawned.map_err(|error| Error::io("the thread that finds tables", "start", error))?;
        }
        database.watch(&tables, !is_away, move || {
            // The receiver is dropped if no table is discovered.
            let _ = send.send(());
        });
        Ok(Some(Self { database, tables, is_away }))
    }
}

/// Opens the configured tables side by side, and returns their keys.
fn open_configured(
    config: &Config,
    database: &Arc<Database>,
    tables: &LiveTables,
    is_away: bool,
) -> Result<BTreeSet<String>> {
    use DatabaseErrorKind::{AccessDenied, InvalidData, Missing, Timeout, Unreachable, Unsuitable};
    let layers: Vec<_> = config.layers.iter().filter(|(_, layer)| layer.is_table()).collect();
    let opened: Vec<Arc<LiveTable>> = layers
        .iter()
        .map(|(name, layer)| LiveTable::new(database, name, spec_of(layer), description_of(Some(layer))))
        .collect();
    let in_layer = |name: &str, error| match error {
        Error::Database { database, kind, message } => {
            Error::database(database, kind, format!("layer `{name}`: {message}"))
        }
        error => error,
    };
    if let (Some((name, _)), false) = (layers.iter().find(|(_, layer)| spec_of(layer).has_positions()), is_away) {
        // Before a table is looked at and skipped.
        database.require_postgis().map_err(|error| in_layer(name, error))?;
    }
    let outcomes = if is_away { Vec::new() } else { database.look_at(&opened) };
    for ((name, _), outcome) in layers.iter().zip(outcomes) {
        match outcome {
            // The table, or the values in its rows, do not prevent the other layers from being served.
            // The failure is logged.
            Ok(()) | Err(Error::Database { kind: AccessDenied | InvalidData | Timeout | Unreachable, .. }) => {}
            Err(Error::Database { kind: Missing | Unsuitable, message, .. }) => {
                return Err(Error::config(format!("layers.{name}"), message));
            }
            Err(error) => return Err(in_layer(name, error)),
        }
    }
    let mut keys = BTreeSet::new();
    for ((name, layer), table) in layers.into_iter().zip(opened) {
        if let Ok(snapshot) = table.snapshot() {
            keys.extend(snapshot.relation().source_key());
            log_opened(name, &table)?;
        }
        if let Some(interval) = layer.refresh.or(config.postgis.refresh) {
            table.refresh_every(Duration::from_secs(interval.as_secs()));
        }
        tables.insert(name.clone(), table);
    }
    Ok(keys)
}

/// Finds the tables of the database that become layers.
struct Finder {
    config: Config,
    tables: Weak<LiveTables>,
    /// The keys of tables that the configuration names; they do not become second layers.
    configured: BTreeSet<String>,
    /// The table that the URL of the database selects.
    selected: Option<String>,
    /// The names of the layers of the tables that were found, by key.
    found: BTreeMap<String, String>,
    /// The reasons why tables were skipped, by label.
    skipped: BTreeMap<String, String>,
}

impl Finder {
    /// Finds tables after each change of the catalog, until the server ends.
    fn run(mut self, database: &Weak<Database>, changes: &Receiver<()>) {
        /// The interval at which skipped tables are tried again.
        const RETRY: Duration = Duration::from_secs(60);
        loop {
            match changes.recv_timeout(RETRY) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) if !self.skipped.is_empty() => {}
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while changes.try_recv().is_ok() {}
            let (Some(database), Some(tables)) = (database.upgrade(), self.tables.upgrade()) else { return };
            if let Err(error) = self.find(&database, &tables) {
                tracing::warn!(%error, "the tables of the database cannot be listed");
            }
        }
    }

    /// Finds tables, and adds their layers.
    fn find(&mut self, database: &Arc<Database>, tables: &LiveTables) -> Result<()> {
        let found = match &self.selected {
            Some(table) => {
                let spec = TableSpec { table: Some(table.clone()), ..TableSpec::default() };
                match database.relation(table, &spec) {
                    Ok(relation) => {
                        let name = relation.table_name().unwrap_or(table).to_owned();
                        vec![Discovered { name, spec, relation }]
                    }
                    Err(error) => {
                        self.skip([(table.clone(), error.to_string())].into());
                        return Ok(());
                    }
                }
            }
            // Without PostGIS, the configured tables have no positions, and there are no others to find.
            None if !tables.all().is_empty() && !database.has_postgis()? => return Ok(()),
            None => {
                let discovery = database.discover()?;
                self.skip(discovery.skipped.into_iter().map(|skipped| (skipped.label, skipped.reason)).collect());
                discovery.found
            }
        };
        self.add_configured(database, tables);
        let mut new = Vec::new();
        for Discovered { name, spec, relation } in found {
            let Some(key) = relation.source_key() else { continue };
            if self.configured.contains(&key) || self.is_served(&key, tables) {
                continue;
            }
            let is_taken = |name: &str| {
                let is_new = new.iter().any(|(other, ..): &(String, _, _)| other == name);
                // The layer of a table that no longer exists leaves its name to the next one.
                is_new || tables.get(name).is_some_and(|table| !is_gone(&table))
            };
            let name = free_name(&to_layer_name(&name), &self.config, is_taken);
            let table = LiveTable::new(database, relation.label(), spec, description_of(None));
            new.push((name, key, table));
        }
        let opened: Vec<_> = new.iter().map(|(.., table)| Arc::clone(table)).collect();
        let outcomes = database.look_at(&opened);
        for ((name, key, table), outcome) in new.into_iter().zip(outcomes) {
            // A table that cannot be read is logged, and does not prevent the others from being served.
            if outcome.is_ok() {
                log_opened(&name, &table)?;
            }
            if let Some(interval) = self.config.postgis.refresh {
                table.refresh_every(Duration::from_secs(interval.as_secs()));
            }
            self.found.insert(key, name.clone());
            tables.insert(name, table);
        }
        Ok(())
    }

    /// Logs the skipped tables whose reasons are new.
    fn skip(&mut self, skipped: BTreeMap<String, String>) {
        for (table, reason) in &skipped {
            if self.skipped.get(table) != Some(reason) {
                tracing::warn!(table, reason, "table skipped");
            }
        }
        self.skipped = skipped;
    }

    /// Adds the keys of the tables that the configuration names, also of those whose rows cannot be read.
    fn add_configured(&mut self, database: &Arc<Database>, tables: &LiveTables) {
        for (name, layer) in self.config.layers.iter().filter(|(_, layer)| layer.is_table()) {
            let key = match tables.get(name).map(|table| table.snapshot()) {
                Some(Ok(snapshot)) => snapshot.relation().source_key(),
                // A table that cannot be resolved is not found, either.
                _ => database.relation(name, &spec_of(layer)).ok().and_then(|relation| relation.source_key()),
            };
            self.configured.extend(key);
        }
    }

    /// Whether the table of a key is a layer, or will be one once it can be read.
    fn is_served(&self, key: &str, tables: &LiveTables) -> bool {
        self.found.get(key).and_then(|name| tables.get(name)).is_some_and(|table| !is_gone(&table))
    }
}

/// Whether the table no longer exists, or is no longer a layer.
fn is_gone(table: &LiveTable) -> bool {
    use DatabaseErrorKind::{Missing, MissingColumn, Unsuitable};
    matches!(table.snapshot(), Err(Error::Database { kind: Missing | MissingColumn | Unsuitable, .. }))
}
