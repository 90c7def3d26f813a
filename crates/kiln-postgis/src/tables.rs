//! Live tables as the provider of their layers.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Database, LiveTable};
use kiln_core::error::Result;
use kiln_core::source::{PointSet, Provider};

/// The live tables by the names of their layers. Tables can be added while the layers are served.
#[derive(Debug, Default)]
pub struct LiveTables(RwLock<BTreeMap<String, Arc<LiveTable>>>);

impl LiveTables {
    /// Adds a table as the layer `name`, in place of another one of that name.
    pub fn insert(&self, name: String, table: Arc<LiveTable>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, table);
    }

    /// The table of the layer `name`.
    pub fn get(&self, name: &str) -> Option<Arc<LiveTable>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All tables, also those that cannot be read.
    pub fn all(&self) -> Vec<Arc<LiveTable>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl FromIterator<(String, Arc<LiveTable>)> for LiveTables {
    fn from_iter<T: IntoIterator<Item = (String, Arc<LiveTable>)>>(tables: T) -> Self {
        Self(RwLock::new(tables.into_iter().collect()))
    }
}

impl Database {
    /// Looks at tables side by side, and waits for the last one.
    pub fn look_at(&self, tables: &[Arc<LiveTable>]) -> Vec<Result<()>> {
        let tasks: Vec<_> = tables
            .iter()
            .map(|table| {
                let table = Arc::clone(table);
                self.handle().spawn(async move { table.look_async().await })
            })
            .collect();
        let ended = self.wait(None, async move {
            let mut outcomes = Vec::new();
            for task in tasks {
                outcomes.push(task.await.unwrap_or(Err(kiln_core::Error::Cancelled)));
            }
            Ok(outcomes)
        });
        ended.unwrap_or_default()
    }
}

impl Provider for LiveTables {
    /// The names of the tables that can be read.
    fn names(&self) -> Result<Vec<String>> {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(tables.iter().filter(|(_, table)| table.snapshot().is_ok()).map(|(name, _)| name.clone()).collect())
    }

    fn find(&self, name: &str) -> Result<Option<Arc<dyn PointSet>>> {
        let Some(table) = self.get(name) else { return Ok(None) };
        table.snapshot().map(|snapshot| Some(snapshot as Arc<dyn PointSet>))
    }

    fn refresh(&self, name: &str, stop: &AtomicBool) -> Result<()> {
        self.get(name).map_or(Ok(()), |table| table.refresh(stop))
    }
}
