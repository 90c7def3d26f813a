//! The connection pool.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, Object, PoolConfig, PoolError, QueueMode, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use futures_util::{Stream, TryStreamExt};
use tokio_postgres::types::ToSql;
use tokio_postgres::{CopyOutStream, RowStream, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault;
use super::sql::Value;
use kiln_core::error::{DatabaseErrorKind, Error, Result};

/// A pool of connections to one database.
pub(super) struct Pool {
    connections: managed::Pool<Manager>,
    /// The statement timeout of its connections; zero for none.
    pub(super) timeout: Duration,
}

impl Pool {
    /// Creates a pool. `name` is the name of the database in messages.
    ///
    /// # Errors
    /// [`Error::Database`] if the pool cannot be built.
    pub(super) fn new(
        name: &str,
        mut config: tokio_postgres::Config,
        tls: MakeRustlsConnect,
        max_connections: usize,
        timeout: Duration,
    ) -> Result<Self> {
        const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let build_error =
            |error: managed::BuildError| Error::database(name, DatabaseErrorKind::Other, error.to_string());
        // The connection used last has the most recent statements prepared.
        let pool_config = PoolConfig { queue_mode: QueueMode::Lifo, ..PoolConfig::new(max_connections.max(1)) };
        let manager = Manager { name: name.to_owned(), config, tls, timeout, backoff: Mutex::default() };
        let connections = managed::Pool::builder(manager).config(pool_config).build().map_err(build_error)?;
        Ok(Self { connections, timeout })
    }

    /// The name of the database in messages.
    pub(super) fn name(&self) -> &str {
        &self.connections.manager().name
    }

    /// Waits for a free connection.
    ///
    /// # Errors
    /// [`Error::Database`] if the database is unreachable, or no new attempt to connect is due after a failed one.
    pub(super) async fn get(&self) -> Result<PooledConnection> {
        match self.connections.get().await {
            Ok(object) => Ok(PooledConnection {
                name: self.name().to_owned(),
                tls: self.connections.manager().tls.clone(),
                object: Some(object),
                in_flight: false,
            }),
            Err(PoolError::Backend(error)) => Err(error),
            Err(other) => Err(Error::database(self.name(), DatabaseErrorKind::Unreachable, other.to_string())),
        }
    }
}

/// Creates the connections of the pool.
struct Manager {
    name: String,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    timeout: Duration,
    backoff: Mutex<Backoff>,
}

impl managed::Manager for Manager {
    type Type = ClientWrapper;
    type Error = Error;

    async fn create(&self) -> Result<ClientWrapper> {
        if let Some(message) = self.backoff().pending(Instant::now()) {
            return Err(Error::database(&self.name, DatabaseErrorKind::Unreachable, message));
        }
        let outcome = self.connect().await.map_err(|error| fault::to_error(&self.name, &error));
        match &outcome {
            Ok(_) => *self.backoff() = Backoff::default(),
            Err(Error::Database { message, .. }) => self.backoff().fail(Instant::now(), message),
            Err(other) => self.backoff().fail(Instant::now(), &other.to_string()),
        }
        outcome
    }

    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<Error> {
        if client.is_closed() { Err(RecycleError::message("the connection is closed")) } else { Ok(()) }
    }
}

impl Manager {
    fn backoff(&self) -> MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<ClientWrapper, tokio_postgres::Error> {
        const WORK_MEM_MB: u32 = 64;
        /// The planner's cost of a sum over some five million rows. Compiling an expression takes as long as several
        /// tiles.
        const JIT_COST: u32 = 400_000;
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        // Connection errors are reported by the statement that is running.
        let client = ClientWrapper::new(client, tokio::spawn(async move { drop(connection.await) }));
        let timeout_ms = self.timeout.as_millis();
        // The functions of PostGIS may be in a schema outside of the search path. With less memory than this, a bitmap
        // index scan of many points becomes lossy: it keeps pages instead of rows and rechecks all rows of those pages.
        let setup = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {timeout_ms}; SET jit_above_cost = {JIT_COST}; \
             SET plan_cache_mode = force_custom_plan; SET timezone = 'UTC'; \
             SET datestyle = 'ISO, YMD'; \
             SELECT set_config('work_mem', '{WORK_MEM_MB}MB', false) \
             WHERE pg_size_bytes(current_setting('work_mem')) < {WORK_MEM_MB} * 1048576; \
             SELECT set_config('search_path', current_setting('search_path') || ', ' || quote_ident(nspname), false) \
             FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'postgis'"
        );
        client.batch_execute(&setup).await?;
        Ok(client)
    }
}

/// Delays new attempts to connect after failures.
#[derive(Default)]
struct Backoff {
    failures: u32,
    retry_at: Option<Instant>,
    message: String,
}

impl Backoff {
    /// The message of the last failure while no new attempt is due.
    fn pending(&self, now: Instant) -> Option<&str> {
        self.retry_at.filter(|retry_at| now < *retry_at).map(|_| self.message.as_str())
    }

    /// Doubles the delay after another failure.
    fn fail(&mut self, now: Instant, message: &str) {
        const FIRST_DELAY: Duration = Duration::from_millis(100);
        const MAX_DELAY: Duration = Duration::from_secs(5);
        let delay = FIRST_DELAY.saturating_mul(1 << self.failures.min(10)).min(MAX_DELAY);
        *self = Self { failures: self.failures + 1, retry_at: Some(now + delay), message: message.to_owned() };
    }
}

/// A connection for one task. Dropping it returns it to the pool; dropping it before the end of a response cancels the
/// statement and closes the connection.
pub(super) struct PooledConnection {
    name: String,
    tls: MakeRustlsConnect,
    object: Option<Object<Manager>>,
    in_flight: bool,
}

impl PooledConnection {
    fn client(&self) -> Result<&ClientWrapper> {
        let lost = || Error::database(&self.name, DatabaseErrorKind::Unreachable, "the connection is lost");
        self.object.as_deref().ok_or_else(lost)
    }

    /// The prepared statement of `text`, from the cache of the connection if it has one.
    pub(super) async fn statement(&self, text: &str) -> Result<Statement> {
        const MAX_CACHED: usize = 256;
        let client = self.client()?;
        // The size of a window is part of the text, so the number of texts is unbounded.
        if client.statement_cache.size() >= MAX_CACHED {
            client.statement_cache.clear();
        }
        client.prepare_cached(text).await.map_err(|error| fault::to_error(&self.name, &error))
    }

    /// Executes a statement. Its rows are read by [`next`](Self::next).
    pub(super) async fn rows(&mut self, text: &str, values: &[Value]) -> Result<Pin<Box<RowStream>>> {
        let statement = self.statement(text).await?;
        self.in_flight = true;
        let values = values.iter().map(|value| &**value as &(dyn ToSql + Sync));
        let rows = self.client()?.query_raw(&statement, values).await;
        rows.map(Box::pin).map_err(|error| self.handle_error(&error))
    }

    /// Executes `COPY … TO STDOUT`. Its data is read by [`next`](Self::next).
    pub(super) async fn copy_out(&mut self, text: &str) -> Result<CopyOutStream> {
        self.in_flight = true;
        let stream = self.client()?.copy_out(text).await;
        stream.map_err(|error| self.handle_error(&error))
    }

    /// The next item of a response; `None` at its end.
    pub(super) async fn next<T, S>(&mut self, response: &mut Pin<Box<S>>) -> Result<Option<T>>
    where
        S: Stream<Item = Result<T, tokio_postgres::Error>>,
    {
        let item = response.try_next().await.map_err(|error| self.handle_error(&error))?;
        self.in_flight = item.is_some();
        Ok(item)
    }

    /// The error of a statement. The connection stays usable if the server reported it.
    fn handle_error(&mut self, error: &tokio_postgres::Error) -> Error {
        self.in_flight = error.as_db_error().is_none();
        fault::to_error(&self.name, error)
    }

    /// The name of the database in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(object) = self.object.take().filter(|_| self.in_flight) else { return };
        // The pool cannot cancel a statement: the connection is taken out of it.
        let client = Object::take(object);
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        if let (Ok(runtime), false) = (tokio::runtime::Handle::try_current(), client.is_closed()) {
            runtime.spawn(async move { drop(token.cancel_query(tls).await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        assert_eq!(backoff.pending(start), None);
        for delay_ms in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            backoff.fail(start, "connection refused");
            let at = |ms: u64| start + Duration::from_millis(ms);
            assert_eq!(backoff.pending(at(delay_ms - 1)), Some("connection refused"));
            assert_eq!(backoff.pending(at(delay_ms)), None);
        }
    }
}
