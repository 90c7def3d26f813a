//! Live tables, whose statistics are refreshed when the table changes.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::database::Database;
use super::relation::Relation;
use super::snapshot::LiveSnapshot;
use kiln_core::error::Result;

/// A table of points that is served as a layer.
#[derive(Debug)]
pub struct LiveTable {
    database: Arc<Database>,
    relation: Arc<Relation>,
    snapshot: RwLock<Arc<LiveSnapshot>>,
}

impl LiveTable {
    /// Reads the statistics of a table, and refreshes them at the interval `refresh`, if one is given.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open(database: &Arc<Database>, relation: Relation, refresh: Option<Duration>) -> Result<Arc<Self>> {
        let first = LiveSnapshot::of(database, relation, None)?;
        let relation = Arc::clone(&first.relation);
        let snapshot = RwLock::new(Arc::new(first));
        let table = Arc::new(Self { database: Arc::clone(database), relation, snapshot });
        if let Some(interval) = refresh {
            let watched = Arc::downgrade(&table);
            database.handle().spawn(async move {
                loop {
                    tokio::time::sleep(interval).await;
                    let Some(table) = watched.upgrade() else { return };
                    table.refresh_async().await;
                }
            });
        }
        Ok(table)
    }

    /// The current snapshot.
    pub fn snapshot(&self) -> Arc<LiveSnapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The relation.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// Refreshes the snapshot, and blocks until that is done. If it fails, the old snapshot is kept.
    ///
    /// # Errors
    /// Those of the database; [`Error::Cancelled`](kiln_core::Error::Cancelled) once `stop` is set.
    pub fn refresh(&self, stop: &AtomicBool) -> Result<()> {
        LiveSnapshot::read(&self.database, &self.relation, Some(stop)).map(|snapshot| self.replace(snapshot))
    }

    /// Refreshes the snapshot. If that fails, the old snapshot is kept and the error is logged.
    pub(super) async fn refresh_async(&self) {
        match LiveSnapshot::read_async(&self.database, &self.relation).await {
            Ok(snapshot) => self.replace(snapshot),
            Err(error) => {
                tracing::warn!(%error, table = self.relation.label(), "the statistics of the table cannot be read");
            }
        }
    }

    fn replace(&self, snapshot: LiveSnapshot) {
        let mut current = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        // With the same version, cached pictures stay valid.
        if snapshot.version() != current.version() {
            tracing::debug!(table = self.relation.label(), version = snapshot.version(), "the points have changed");
            *current = Arc::new(snapshot);
        }
    }
}
