//! A database, and the thread that talks to it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::lease::{Lease, Pool, Value};
use super::tls::Tls;
use super::{Address, fault};
use kiln_core::error::{DatabaseFault, Error, Result};

/// How a database is used.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// The most connections at the same time. Default: 8.
    pub connections: usize,
    /// How long a statement may take. Default: 30 seconds.
    pub timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { connections: 8, timeout: Duration::from_secs(30) }
    }
}

/// A PostGIS database. Whatever waits for it blocks; nothing writes to it.
pub struct Database {
    pool: Arc<Pool>,
    connections: usize,
    /// For what may take as long as it needs: a look at a whole table.
    patient: Arc<Pool>,
    address: Address,
    tls: Tls,
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
}

/// How often a waiting thread looks whether it still is to wait.
const LOOK: Duration = Duration::from_millis(20);

impl Database {
    /// Connects to a database, and makes sure that it has PostGIS.
    ///
    /// # Errors
    /// [`Error::Database`] if it cannot be reached, lets nobody in, or has no PostGIS.
    pub fn open(address: &Address, options: &DatabaseOptions) -> Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("kiln-postgis").enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
        let tls = Tls::new(&address.trust)?;
        let pool = |connections, timeout| {
            Pool::new(address.to_string(), address.config.clone(), tls.clone(), connections, timeout)
        };
        let database = Arc::new(Self {
            pool: pool(options.connections, options.timeout),
            connections: options.connections,
            patient: pool(2, Duration::ZERO),
            address: address.clone(),
            tls: tls.clone(),
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
        });
        database.require_postgis()?;
        Ok(database)
    }

    /// The most connections at the same time.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    fn require_postgis(&self) -> Result<()> {
        let sql = "SELECT extversion FROM pg_extension WHERE extname = 'postgis'";
        let versions: Vec<String> = self.query(sql, Vec::new(), |row| row.try_get(0))?;
        if versions.is_empty() {
            let why = "it has no PostGIS; its owner adds it with CREATE EXTENSION postgis";
            return Err(Error::database(self.name(), DatabaseFault::Refused, why));
        }
        Ok(())
    }

    /// What messages call it: its address without the password.
    pub fn name(&self) -> &str {
        &self.pool.name
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What a connection of its own is made with.
    pub(super) fn listening(&self) -> (tokio_postgres::Config, Tls) {
        (self.address.config.clone(), self.tls.clone())
    }

    /// Where its tasks run.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Connections for work that has a time limit.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Connections for work that may take as long as it needs.
    pub(super) fn patient(&self) -> &Arc<Pool> {
        &self.patient
    }

    /// Does `work` with a connection, within the time that a statement may take. Once `stop` is set, the statement is canceled.
    pub(super) fn run<T, F>(
        &self,
        stop: Option<&AtomicBool>,
        work: impl FnOnce(Lease) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send,
    {
        /// The server itself ends a statement in time; a server that says nothing more is given up.
        const GRACE: Duration = Duration::from_secs(5);
        let (pool, name) = (Arc::clone(&self.pool), self.name().to_owned());
        let limit = pool.timeout + GRACE;
        self.wait(stop, async move {
            let all = async { work(pool.lease().await?).await };
            let silent = |_| Error::database(name, DatabaseFault::Timeout, "it does not answer in time");
            tokio::time::timeout(limit, all).await.map_err(silent)?
        })
    }

    /// Waits for a task; once `stop` is set, it is dropped.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        stop: Option<&AtomicBool>,
        task: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (send, receive) = sync_channel(1);
        let task = self.handle.spawn(async move {
            let outcome = task.await;
            // Whoever waited may have left.
            let _ = send.send(outcome);
        });
        loop {
            match receive.recv_timeout(LOOK) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Timeout) if !stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) => {}
                Err(RecvTimeoutError::Timeout) => {
                    task.abort();
                    return Err(Error::Cancelled);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Cancelled),
            }
        }
    }

    /// All rows of a statement.
    pub(super) fn query<T: Send + 'static>(
        &self,
        text: impl Into<String>,
        values: Vec<Value>,
        read: impl Fn(&tokio_postgres::Row) -> Result<T, tokio_postgres::Error> + Send + 'static,
    ) -> Result<Vec<T>> {
        let text = text.into();
        self.run(None, move |mut lease| async move { all(&mut lease, &text, &values, read).await })
    }
}

/// All rows of a statement.
pub(super) async fn all<T>(
    lease: &mut Lease,
    text: &str,
    values: &[Value],
    read: impl Fn(&tokio_postgres::Row) -> Result<T, tokio_postgres::Error>,
) -> Result<Vec<T>> {
    use futures_util::TryStreamExt;
    let name = lease.name();
    let mut rows = lease.rows(text, values).await?;
    let mut found = Vec::new();
    loop {
        match rows.try_next().await {
            Ok(Some(row)) => found.push(read(&row).map_err(|error| fault::told(&name, &error))?),
            Ok(None) => break,
            Err(error) => return Err(lease.failed(&name, &error)),
        }
    }
    lease.done();
    Ok(found)
}

impl Drop for Database {
    fn drop(&mut self) {
        // It may be dropped where nothing may block.
        if let Some(runtime) = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("name", &self.name()).finish_non_exhaustive()
    }
}
