//! A database, and the thread that drives its connections.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::liveness::with_keepalive;
use super::pool::{Pool, PoolOptions, PooledConnection};
use super::sql::Value;
use super::{Address, fault, tls};
use kiln_core::error::{DatabaseErrorKind, Error, Result};

/// Limits for the use of a database.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// The maximum number of connections for tiles and pictures. Default: 8. Statements without a timeout have up to 2 more,
    /// those for the columns and for the statistics of tables half as many each, and at least 2; one more receives
    /// notifications.
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
    /// Connections for the columns of tables, which wait for the lock of a table only briefly.
    look_pool: Arc<Pool>,
    /// Connections for the statistics of tables: without a statement timeout, but they, too, wait for a lock only briefly.
    statistics_pool: Arc<Pool>,
    /// Set once PostGIS is known to be installed.
    has_postgis: AtomicBool,
    /// Wakes the task that watches the tables.
    wake: Arc<Notify>,
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
        let database = Self::new(address, options)?;
        database.connect()?;
        Ok(database)
    }

    /// A database to which no connection is made yet.
    ///
    /// # Errors
    /// If the certificate authorities of the address cannot be read.
    pub fn new(address: &Address, options: &DatabaseOptions) -> Result<Arc<Self>> {
        const UNLIMITED_CONNECTIONS: usize = 2;
        /// A table that is being altered is looked at again later.
        const LOOK_LOCK_TIMEOUT: Duration = Duration::from_secs(3);
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("kiln-postgis").enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
        let tls = tls::connector(&address.verification)?;
        let name = address.to_string();
        let pool = |connections, timeout, lock_timeout| {
            let options = PoolOptions { connections, timeout, lock_timeout };
            Pool::new(&name, &address.config, tls.clone(), options).map(Arc::new)
        };
        let side_connections = (options.connections / 2).max(2);
        Ok(Arc::new(Self {
            pool: pool(options.connections, options.timeout, Duration::ZERO)?,
            connections: options.connections,
            unlimited_pool: pool(UNLIMITED_CONNECTIONS, Duration::ZERO, Duration::ZERO)?,
            look_pool: pool(side_connections, options.timeout, LOOK_LOCK_TIMEOUT)?,
            statistics_pool: pool(side_connections, Duration::ZERO, LOOK_LOCK_TIMEOUT)?,
            has_postgis: AtomicBool::new(false),
            wake: Arc::default(),
            address: address.clone(),
            tls: tls.clone(),
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
        }))
    }

    /// Connects, and looks for PostGIS.
    ///
    /// # Errors
    /// [`Error::Database`] if the database is unreachable or denies access.
    pub fn connect(&self) -> Result<()> {
        self.has_postgis().map(drop)
    }

    /// The maximum number of connections for tiles and pictures.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// The number of connections that the statements of one table use at most.
    pub fn share(&self) -> usize {
        self.connections.div_ceil(2).max(1)
    }

    /// Whether PostGIS is installed. Without it, only tables without positions are supported.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_postgis(&self) -> Result<bool> {
        if self.has_postgis.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let versions: Vec<String> = self.query(POSTGIS_VERSION, Vec::new(), |row| row.try_get(0))?;
        self.has_postgis.fetch_or(!versions.is_empty(), Ordering::Relaxed);
        Ok(!versions.is_empty())
    }

    /// Checks that PostGIS is installed.
    ///
    /// # Errors
    /// [`Error::Database`] if not.
    pub fn require_postgis(&self) -> Result<()> {
        if self.has_postgis()? { Ok(()) } else { Err(self.without_postgis()) }
    }

    /// As [`require_postgis`](Self::require_postgis), with a connection.
    pub(super) async fn require_postgis_by(&self, connection: &mut PooledConnection) -> Result<()> {
        if self.has_postgis.load(Ordering::Relaxed) {
            return Ok(());
        }
        let versions: Vec<String> = all(connection, POSTGIS_VERSION, &[], |row| row.try_get(0)).await?;
        self.has_postgis.fetch_or(!versions.is_empty(), Ordering::Relaxed);
        if versions.is_empty() { Err(self.without_postgis()) } else { Ok(()) }
    }

    fn without_postgis(&self) -> Error {
        let reason = "PostGIS is not installed; the owner of the database can install it with CREATE EXTENSION postgis. \
                      Matrices of a table without positions need no PostGIS: set its geometry to none";
        Error::database(self.name(), DatabaseErrorKind::Other, reason)
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
        (with_keepalive(self.address.config.clone()), self.tls.clone())
    }

    /// Discards all connections, because one of them does not answer.
    pub(super) fn distrust(&self) {
        for pool in [&self.pool, &self.unlimited_pool, &self.look_pool, &self.statistics_pool] {
            pool.distrust();
        }
    }

    /// Wakes the task that watches the tables, after an error that a changed table may have caused.
    pub(super) fn report(&self, error: &Error) {
        use DatabaseErrorKind::{AccessDenied, InvalidData, Missing, MissingColumn, Other, Unsuitable};
        let kinds = [AccessDenied, InvalidData, Missing, MissingColumn, Other, Unsuitable];
        if matches!(error, Error::Database { kind, .. } if kinds.contains(kind)) {
            self.wake.notify_one();
        }
    }

    /// Is notified of errors that a changed table may have caused.
    pub(super) fn wake(&self) -> &Arc<Notify> {
        &self.wake
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

    /// Connections for the statistics of tables.
    pub(super) fn statistics_pool(&self) -> &Arc<Pool> {
        &self.statistics_pool
    }

    /// Runs `work` with a connection for the columns of tables, within the statement timeout.
    pub(super) async fn look<T, F>(&self, work: impl FnOnce(PooledConnection) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let connection = self.look_pool.get().await?;
        within(&self.look_pool, self.pool.timeout, work(connection)).await
    }

    /// Runs `work` with a connection, within the statement timeout, after a place of `places` is free. Cancels the statement once
    /// `stop` is set.
    pub(super) fn run_within<T, F>(
        &self,
        places: Option<Arc<Semaphore>>,
        stop: Option<&AtomicBool>,
        work: impl FnOnce(PooledConnection) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send,
    {
        /// The server enforces the statement timeout; after this grace period it counts as unresponsive.
        const GRACE: Duration = Duration::from_secs(5);
        // The target is that of the steps of a request, which the log leaves out.
        #[cfg(feature = "otel")]
        let _statement = (!tracing::Span::current().is_none()).then(|| {
            tracing::info_span!(
                target: "kiln::step", "statement",
                otel.name = "query the database", otel.kind = "client", db.system.name = "postgresql"
            )
            .entered()
        });
        let pool = Arc::clone(&self.pool);
        let outcome = self.wait(stop, async move {
            let all = async {
                let _place = place(places).await;
                work(pool.get().await?).await
            };
            within(&pool, pool.timeout + GRACE, all).await
        });
        outcome.inspect_err(|error| self.report(error))
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
        self.run_within(
            None,
            None,
            move |mut connection| async move { all(&mut connection, &text, &values, read).await },
        )
    }
}

/// Ends `work` after a limit. Its statement is canceled.
async fn within<T>(pool: &Pool, limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let timed_out = |_| {
        let message = "the database does not respond within the timeout";
        Error::database(pool.name(), DatabaseErrorKind::Timeout, message)
    };
    tokio::time::timeout(limit, work).await.map_err(timed_out)?
}

const POSTGIS_VERSION: &str = "SELECT extversion FROM pg_extension WHERE extname = 'postgis'";

/// Waits for one of the places.
pub(super) async fn place(places: Option<Arc<Semaphore>>) -> Option<OwnedSemaphorePermit> {
    // The semaphore is never closed.
    places?.acquire_owned().await.ok()
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
