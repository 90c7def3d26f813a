//! The connection pool.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, Object, PoolConfig, PoolError, QueueMode, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use futures_util::{Stream, TryStreamExt};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CopyOutStream, RowStream, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault;
use super::liveness::{ANSWER_MARGIN, CONNECT_LIMIT, IDLE_LIMIT, SILENCE_LIMIT, Trust, VERIFY_LIMIT, with_keepalive};
use super::sql::Value;
use kiln_core::error::{DatabaseErrorKind, Error, Result};

/// A pool of connections to one database.
pub(super) struct Pool {
    connections: managed::Pool<Manager>,
    /// The statement timeout of its connections; zero for none.
    pub(super) timeout: Duration,
}

/// The limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolOptions {
    /// The maximum number of connections.
    pub(super) connections: usize,
    /// The statement timeout; zero for none.
    pub(super) timeout: Duration,
    /// The longest wait for the lock of a table; zero for no limit.
    pub(super) lock_timeout: Duration,
}

impl Pool {
    /// Creates a pool. `name` is the name of the database in messages.
    ///
    /// # Errors
    /// [`Error::Database`] if the pool cannot be built.
    pub(super) fn new(
        name: &str,
        config: &tokio_postgres::Config,
        tls: MakeRustlsConnect,
        options: PoolOptions,
    ) -> Result<Self> {
        let build_error =
            |error: managed::BuildError| Error::database(name, DatabaseErrorKind::Other, error.to_string());
        // The connection used last has the most recent statements prepared.
        let pool_config = PoolConfig { queue_mode: QueueMode::Lifo, ..PoolConfig::new(options.connections.max(1)) };
        let manager = Manager {
            name: name.to_owned(),
            config: with_keepalive(config.clone()),
            tls,
            options,
            backoff: Mutex::default(),
            trust: Trust::default(),
        };
        let connections = managed::Pool::builder(manager).config(pool_config).build().map_err(build_error)?;
        Ok(Self { connections, timeout: options.timeout })
    }

    /// The name of the database in messages.
    pub(super) fn name(&self) -> &str {
        &self.connections.manager().name
    }

    /// Waits for a free connection.
    ///
    /// # Errors
    /// [`Error::Database`] if the database is unreachable, no new attempt to connect is due after a failed one, or no
    /// connection is free within the timeout.
    pub(super) async fn get(&self) -> Result<PooledConnection> {
        let limit = if self.timeout.is_zero() { SILENCE_LIMIT } else { self.timeout + ANSWER_MARGIN };
        let Ok(object) = tokio::time::timeout(limit, self.connections.get()).await else {
            let message = "no connection is free within the timeout";
            return Err(Error::database(self.name(), DatabaseErrorKind::Timeout, message));
        };
        match object {
            Ok(object) => Ok(PooledConnection {
                name: self.name().to_owned(),
                tls: self.connections.manager().tls.clone(),
                object: Some(object),
                in_flight: false,
                limit: (!self.timeout.is_zero()).then_some(limit),
            }),
            Err(PoolError::Backend(error)) => Err(error),
            Err(other) => Err(Error::database(self.name(), DatabaseErrorKind::Unreachable, other.to_string())),
        }
    }

    /// Discards all connections: those that are idle are not used again, and statements without a timeout end.
    pub(super) fn distrust(&self) {
        self.connections.manager().trust.lose_all();
    }
}

/// Creates the connections of the pool.
struct Manager {
    name: String,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    options: PoolOptions,
    backoff: Mutex<Backoff>,
    trust: Trust,
}

impl managed::Manager for Manager {
    type Type = ClientWrapper;
    type Error = Error;

    async fn create(&self) -> Result<ClientWrapper> {
        if let Some(message) = self.backoff().pending(Instant::now()) {
            return Err(Error::database(&self.name, DatabaseErrorKind::Unreachable, message));
        }
        let outcome = match tokio::time::timeout(CONNECT_LIMIT, self.connect()).await {
            Ok(outcome) => outcome.map_err(|error| fault::to_error(&self.name, &error)),
            Err(_) => Err(silent(&self.name)),
        };
        match &outcome {
            Ok(_) => *self.backoff() = Backoff::default(),
            Err(Error::Database { message, .. }) => self.backoff().fail(Instant::now(), message),
            Err(other) => self.backoff().fail(Instant::now(), &other.to_string()),
        }
        outcome
    }

    async fn recycle(&self, client: &mut ClientWrapper, metrics: &Metrics) -> RecycleResult<Error> {
        if client.is_closed() {
            return Err(RecycleError::message("the connection is closed"));
        }
        if !self.trust.is_trusted(metrics.recycled.unwrap_or(metrics.created)) {
            return Err(RecycleError::message("another connection was silent"));
        }
        // A router may have forgotten an idle connection, and drops its packets without an answer.
        if metrics.last_used() > IDLE_LIMIT && !is_alive(client).await {
            self.trust.distrust();
            return Err(RecycleError::message("the connection is silent"));
        }
        Ok(())
    }
}

/// Whether the server answers at once.
async fn is_alive(client: &ClientWrapper) -> bool {
    tokio::time::timeout(VERIFY_LIMIT, client.simple_query("")).await.is_ok_and(|answer| answer.is_ok())
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
        let timeout_ms = self.options.timeout.as_millis();
        let lock_timeout_ms = self.options.lock_timeout.as_millis();
        // The functions of PostGIS may be in a schema outside of the search path. With less memory than this, a bitmap
        // index scan of many points becomes lossy: it keeps pages instead of rows and rechecks all rows of those pages.
        let setup = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {timeout_ms}; \
             SET lock_timeout = {lock_timeout_ms}; SET jit_above_cost = {JIT_COST}; \
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
    /// The longest time without an answer; `None` if statements have no timeout.
    limit: Option<Duration>,
}

/// Why there is no answer.
enum Failure {
    Database(tokio_postgres::Error),
    Silent,
}

impl PooledConnection {
    fn object(&self) -> Result<&Object<Manager>> {
        let lost = || Error::database(&self.name, DatabaseErrorKind::Unreachable, "the connection is lost");
        self.object.as_ref().ok_or_else(lost)
    }

    /// Waits for an answer, within the limit.
    async fn answer<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
        let answer = async { answer.await.map_err(Failure::Database) };
        let pool = self.object.as_ref().and_then(Object::pool);
        match (self.limit, pool) {
            (Some(limit), _) => tokio::time::timeout(limit, answer).await.unwrap_or(Err(Failure::Silent)),
            (None, Some(pool)) => {
                tokio::select! {
                    answer = answer => answer,
                    () = pool.manager().trust.lost() => Err(Failure::Silent),
                }
            }
            (None, None) => answer.await,
        }
    }

    /// The prepared statement of `text`, from the cache of the connection if it has one.
    pub(super) async fn statement(&mut self, text: &str) -> Result<Statement> {
        const MAX_CACHED: usize = 256;
        let client = self.object()?;
        // The size of a window is part of the text, so the number of texts is unbounded.
        if client.statement_cache.size() >= MAX_CACHED {
            client.statement_cache.clear();
        }
        self.in_flight = true;
        let statement = self.answer(self.object()?.prepare_cached(text)).await.map_err(|failure| self.fail(failure))?;
        self.in_flight = false;
        Ok(statement)
    }

    /// The columns of a statement, as they are now: those of a prepared statement stay as they were.
    pub(super) async fn columns(&mut self, text: &str) -> Result<Statement> {
        self.in_flight = true;
        let statement = self.answer(self.object()?.prepare(text)).await.map_err(|failure| self.fail(failure))?;
        self.in_flight = false;
        Ok(statement)
    }

    /// Executes a statement. Its rows are read by [`next`](Self::next).
    pub(super) async fn rows(&mut self, text: &str, values: &[Value]) -> Result<Pin<Box<RowStream>>> {
        let statement = self.statement(text).await?;
        self.in_flight = true;
        let values = values.iter().map(|value| &**value as &(dyn ToSql + Sync));
        let rows = self.answer(self.object()?.query_raw(&statement, values)).await;
        rows.map(Box::pin).map_err(|failure| self.fail(failure))
    }

    /// Executes `COPY … TO STDOUT`. Its data is read by [`next`](Self::next).
    pub(super) async fn copy_out(&mut self, text: &str) -> Result<CopyOutStream> {
        self.in_flight = true;
        let stream = self.answer(self.object()?.copy_out(text)).await;
        stream.map_err(|failure| self.fail(failure))
    }

    /// The next item of a response; `None` at its end.
    pub(super) async fn next<T, S>(&mut self, response: &mut Pin<Box<S>>) -> Result<Option<T>>
    where
        S: Stream<Item = Result<T, tokio_postgres::Error>>,
    {
        let item = self.answer(response.try_next()).await.map_err(|failure| self.fail(failure))?;
        self.in_flight = item.is_some();
        Ok(item)
    }

    /// The error of a statement. The connection stays usable if the server reported it.
    fn fail(&mut self, failure: Failure) -> Error {
        match failure {
            Failure::Database(error) => {
                self.in_flight = error.as_db_error().is_none();
                // The columns of a prepared statement have changed.
                if let (Some(&SqlState::FEATURE_NOT_SUPPORTED), Some(client)) = (error.code(), &self.object) {
                    client.statement_cache.clear();
                }
                fault::to_error(&self.name, &error)
            }
            Failure::Silent => {
                // The other connections take the same way.
                if let Some(pool) = self.object.as_ref().and_then(Object::pool) {
                    pool.manager().trust.distrust();
                }
                silent(&self.name)
            }
        }
    }

    /// The name of the database in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// The error of a connection without an answer.
fn silent(name: &str) -> Error {
    Error::database(name, DatabaseErrorKind::Unreachable, "the database does not answer")
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(object) = self.object.take().filter(|_| self.in_flight) else { return };
        // The pool cannot cancel a statement: the connection is taken out of it.
        let client = Object::take(object);
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        if let (Ok(runtime), false) = (tokio::runtime::Handle::try_current(), client.is_closed()) {
            runtime.spawn(tokio::time::timeout(CONNECT_LIMIT, async move { drop(token.cancel_query(tls).await) }));
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
