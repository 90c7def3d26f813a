//! A live table, which is looked at anew when it changes.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::database::Database;
use super::relation::Relation;
use super::snapshot::LiveSnapshot;
use super::statistics::survey;
use crate::error::Result;

/// A table whose points are a layer.
#[derive(Debug)]
pub struct LiveTable {
    database: Arc<Database>,
    relation: Arc<Relation>,
    snapshot: RwLock<Arc<LiveSnapshot>>,
}

impl LiveTable {
    /// Looks at a table's rows for the first time. With `refresh` it does so again and again.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open(database: &Arc<Database>, relation: Relation, refresh: Option<Duration>) -> Result<Arc<Self>> {
        let first = LiveSnapshot::of(database, relation, None)?;
        let relation = Arc::clone(&first.relation);
        let snapshot = RwLock::new(Arc::new(first));
        let table = Arc::new(Self { database: Arc::clone(database), relation, snapshot });
        if let Some(pause) = refresh {
            let watched = Arc::downgrade(&table);
            database.handle().spawn(async move {
                loop {
                    tokio::time::sleep(pause).await;
                    let Some(table) = watched.upgrade() else { return };
                    table.look_again().await;
                }
            });
        }
        Ok(table)
    }

    /// What is known of it.
    pub fn snapshot(&self) -> Arc<LiveSnapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its rows.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// Looks at the rows anew, and waits for that. Where it fails, what was known stays.
    ///
    /// # Errors
    /// Those of the database; [`Error::Cancelled`](crate::Error::Cancelled) once `stop` says so.
    pub fn renew(&self, stop: &AtomicBool) -> Result<()> {
        LiveSnapshot::look(&self.database, &self.relation, Some(stop)).map(|found| self.keep(found))
    }

    /// Looks at the rows anew. Where that fails, what was known stays.
    pub(super) async fn look_again(&self) {
        match survey(&self.database, &self.relation).await {
            Ok(found) => self.keep(found),
            Err(error) => tracing::warn!(%error, table = self.relation.label(), "the table cannot be looked at"),
        }
    }

    fn keep(&self, found: LiveSnapshot) {
        let mut known = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        // What is drawn already is as good as before.
        if found.version() != known.version() {
            tracing::debug!(table = self.relation.label(), version = found.version(), "the points have changed");
            *known = Arc::new(found);
        }
    }
}
