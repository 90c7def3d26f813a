//! The share of a table in the connections of its database.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use super::database::Database;
use super::pool::PooledConnection;
use kiln_core::error::Result;

/// A database, of whose connections the statements of one table use at most half, so that a locked or slow table leaves
/// some to the other tables.
#[derive(Clone, Debug)]
pub(super) struct Share {
    database: Arc<Database>,
    connections: Arc<Semaphore>,
}

impl Share {
    /// A share of a table.
    pub(super) fn new(database: &Arc<Database>) -> Self {
        let connections = Arc::new(Semaphore::new(database.share()));
        Self { database: Arc::clone(database), connections }
    }

    /// The places for statements.
    pub(super) fn places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.connections)
    }

    /// As [`Database::run_within`], within the share.
    pub(super) fn run<T, F>(
        &self,
        stop: Option<&AtomicBool>,
        work: impl FnOnce(PooledConnection) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send,
    {
        self.database.run_within(Some(self.places()), stop, work)
    }
}

impl Deref for Share {
    type Target = Arc<Database>;

    fn deref(&self) -> &Arc<Database> {
        &self.database
    }
}
