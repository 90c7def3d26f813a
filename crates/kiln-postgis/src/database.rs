//! A database, and the thread that drives its connections.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::pool::{Pool, PooledConnection};
use super::sql::Value;
use super::{Address, fault, tls};
use kiln_core::error::{DatabaseErrorKind, Error, Result};

/// Limits for the use of a database.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// The maximum number of connections. Default: 8.
    pub connections: usize,
    /// The statement timeout. Default: 30 seconds.
    pub timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { connections: 8, timeout: Duration::from_secs(30) }
    }
}

/// A database, usually with PostGIS. Its methods block, and only read.
pub struct Database {
    pool: Arc<Pool>,
    connections: usize,
    /// Connections without a statement timeout, for statements that read an entire table.
    unlimited_pool: Arc<Pool>,
    /// Whether PostGIS is installed.
    has_postgis: bool,
    address: Address,
    tls: MakeRustlsConnect,
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
}

/// The interval at which a waiting thread checks for cancellation.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl Database {
    /// Connects to a database.
    ///
    /// # Errors
    /// [`Error::Database`] if it is unreachable or denies access.
    pub fn open(address: &Address, options: &DatabaseOptions) -> Result<Arc<Self>> {
        const UNLIMITED_CONNECTIONS: usize = 2;
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("kiln-postgis").enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
        let tls = tls::connector(&address.verification)?;
        let name = address.to_string();
        let pool = |connections, timeout| {
            Pool::new(&name, address.config.clone(), tls.clone(), connections, timeout).map(Arc::new)
        };
        let mut database = Self {
            pool: pool(options.connections, options.timeout)?,
            connections: options.connections,
            unlimited_pool: pool(UNLIMITED_CONNECTIONS, Duration::ZERO)?,
            has_postgis: false,
            address: address.clone(),
            tls: tls.clone(),
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
        };
        let sql = "SELECT extversion FROM pg_extension WHERE extname = 'postgis'";
        let versions: Vec<String> = database.query(sql, Vec::new(), |row| row.try_get(0))?;
        database.has_postgis = !versions.is_empty();
        Ok(Arc::new(database))
    }

    /// The maximum number of connections.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether PostGIS is installed. Without it, only tables without positions are supported.
    pub fn has_postgis(&self) -> bool {
        self.has_postgis
    }

    /// Checks that PostGIS is installed.
    ///
    /// # Errors
    /// [`Error::Database`] if not.
    pub(super) fn require_postgis(&self) -> Result<()> {
        if self.has_postgis {
            return Ok(());
        }
        let reason = "PostGIS is not installed; the owner of the database can install it with CREATE EXTENSION postgis. \
                      Matrices of a table without positions need no PostGIS: set its geometry to none";
        Err(Error::database(self.name(), DatabaseErrorKind::AccessDenied, reason))
    }

    /// The name in messages: the address without the password.
    pub fn name(&self) -> &str {
        self.pool.name()
    }

    /// The address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The configuration and the TLS connector of a connection outside of the pools.
    pub(super) fn connection_config(&self) -> (tokio_postgres::Config, MakeRustlsConnect) {
        (self.address.config.clone(), self.tls.clone())
    }

    /// The runtime of its tasks.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Connections with a statement timeout.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Connections without a statement timeout.
    pub(super) fn unlimited_pool(&self) -> &Arc<Pool> {
        &self.unlimited_pool
    }

    /// Runs `work` with a connection, within the statement timeout. Cancels the statement once `stop` is set.
    pub(super) fn run<T, F>(
        &self,
        stop: Option<&AtomicBool>,
        work: impl FnOnce(PooledConnection) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send,
    {
        /// The server enforces the statement timeout; after this grace period it counts as unresponsive.
        const GRACE: Duration = Duration::from_secs(5);
        let pool = Arc::clone(&self.pool);
        self.wait(stop, async move {
            let all = async { work(pool.get().await?).await };
            let timed_out = |_| {
                Error::database(
                    pool.name(),
                    DatabaseErrorKind::Timeout,
                    "the database does not respond within the timeout",
                )
            };
            tokio::time::timeout(pool.timeout + GRACE, all).await.map_err(timed_out)?
        })
    }

    /// Waits for a task; drops it once `stop` is set.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        stop: Option<&AtomicBool>,
        task: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (send, receive) = sync_channel(1);
        let task = self.handle.spawn(async move {
            let outcome = task.await;
            // The receiver is dropped if the caller was stopped.
            let _ = send.send(outcome);
        });
        loop {
            match receive.recv_timeout(POLL_INTERVAL) {
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
        self.run(None, move |mut connection| async move { all(&mut connection, &text, &values, read).await })
    }
}

/// All rows of a statement.
pub(super) async fn all<T>(
    connection: &mut PooledConnection,
    text: &str,
    values: &[Value],
    read: impl Fn(&tokio_postgres::Row) -> Result<T, tokio_postgres::Error>,
) -> Result<Vec<T>> {
    let mut rows = connection.rows(text, values).await?;
    let mut found = Vec::new();
    while let Some(row) = connection.next(&mut rows).await? {
        found.push(read(&row).map_err(|error| fault::to_error(connection.name(), &error))?);
    }
    Ok(found)
}

impl Drop for Database {
    fn drop(&mut self) {
        // Dropping a runtime blocks, which panics in an async context.
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
