//! Connections, lent out one at a time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, RowStream, Statement};

use super::fault;
use super::tls::Tls;
use kiln_core::error::{DatabaseFault, Error, Result};

/// A value that goes along with a statement.
pub(super) type Value = Box<dyn ToSql + Sync + Send>;

/// An open connection, with the statements that it knows.
struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
}

/// Connections to a database that are open, and leave to open more.
pub(super) struct Pool {
    /// What messages call the database.
    pub(super) name: String,
    config: tokio_postgres::Config,
    tls: Tls,
    pub(super) timeout: Duration,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    trouble: Mutex<Trouble>,
}

/// When the last tries to connect failed.
#[derive(Default)]
struct Trouble {
    failures: u32,
    /// Nobody tries before this.
    until: Option<Instant>,
    why: String,
}

impl Pool {
    pub(super) fn new(
        name: String,
        mut config: tokio_postgres::Config,
        tls: Tls,
        connections: usize,
        timeout: Duration,
    ) -> Arc<Self> {
        const PATIENCE: Duration = Duration::from_secs(5);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        let slots = Arc::new(Semaphore::new(connections.max(1)));
        Arc::new(Self { name, config, tls, timeout, slots, idle: Mutex::default(), trouble: Mutex::default() })
    }

    /// A connection, as soon as there is one.
    ///
    /// # Errors
    /// [`Error::Database`] if the database cannot be reached, or could not be a moment ago.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease> {
        let closed = |_| Error::database(&self.name, DatabaseFault::Unreachable, "the server is stopping");
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(closed)?;
        let idle = || loop {
            let connection = lock(&self.idle).pop()?;
            if !connection.client.is_closed() {
                return Some(connection);
            }
        };
        let connection = match idle() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lease { pool: Arc::clone(self), connection: Some(connection), in_flight: false, _slot: slot })
    }

    async fn connect(&self) -> Result<Connection> {
        const FIRST_WAIT: Duration = Duration::from_millis(100);
        const LONGEST_WAIT: Duration = Duration::from_secs(5);
        {
            let trouble = lock(&self.trouble);
            if trouble.until.is_some_and(|until| Instant::now() < until) {
                return Err(Error::database(&self.name, DatabaseFault::Unreachable, trouble.why.clone()));
            }
        }
        let outcome = self.try_to_connect().await;
        let mut trouble = lock(&self.trouble);
        match &outcome {
            Ok(_) => *trouble = Trouble::default(),
            Err(error) => {
                let wait = FIRST_WAIT.saturating_mul(1 << trouble.failures.min(10)).min(LONGEST_WAIT);
                let why = match error {
                    Error::Database { message, .. } => message.clone(),
                    other => other.to_string(),
                };
                *trouble = Trouble { failures: trouble.failures + 1, until: Some(Instant::now() + wait), why };
            }
        }
        outcome
    }

    async fn try_to_connect(&self) -> Result<Connection> {
        const MEMORY_MB: u32 = 64;
        /// What a sum over some five million rows is thought to cost: compiling an expression takes the time of several tiles.
        const JIT_COST: u32 = 400_000;
        let refused = |error: tokio_postgres::Error| fault::told(&self.name, &error);
        let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(refused)?;
        // It ends with the connection; what goes wrong is told to whoever asks.
        tokio::spawn(async move { drop(connection.await) });
        let statement_ms = self.timeout.as_millis();
        // The functions of PostGIS may be in a schema that is not searched. With less memory than this, an index scan of many
        // points forgets which rows it found, and all those of their pages are looked at.
        let setup = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {statement_ms}; SET jit_above_cost = {JIT_COST}; \
             SET plan_cache_mode = force_custom_plan; SET timezone = 'UTC'; \
             SELECT set_config('work_mem', '{MEMORY_MB}MB', false) \
             WHERE pg_size_bytes(current_setting('work_mem')) < {MEMORY_MB} * 1048576; \
             SELECT set_config('search_path', current_setting('search_path') || ', ' || quote_ident(nspname), false) \
             FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'postgis'"
        );
        client.batch_execute(&setup).await.map_err(refused)?;
        Ok(Connection { client, statements: HashMap::new() })
    }
}

/// A connection for one task. It goes back where it came from; or, while an answer is still on its way, the statement is
/// canceled and the connection closed.
pub(super) struct Lease {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    in_flight: bool,
    _slot: OwnedSemaphorePermit,
}

impl Lease {
    fn connection(&mut self) -> Result<&mut Connection> {
        let lost = || Error::database(&self.pool.name, DatabaseFault::Unreachable, "the connection is lost");
        self.connection.as_mut().ok_or_else(lost)
    }

    /// The statement of a text, which the server knows already or reads now.
    pub(super) async fn statement(&mut self, text: &str) -> Result<Statement> {
        const MOST: usize = 256;
        let name = self.pool.name.clone();
        let connection = self.connection()?;
        if let Some(statement) = connection.statements.get(text) {
            return Ok(statement.clone());
        }
        let statement = connection.client.prepare(text).await.map_err(|error| fault::told(&name, &error))?;
        if connection.statements.len() >= MOST {
            connection.statements.clear();
        }
        connection.statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    /// The rows that a statement answers, as they come. [`done`](Self::done) is to be called behind the last one.
    pub(super) async fn rows(&mut self, text: &str, values: &[Value]) -> Result<Pin<Box<RowStream>>> {
        let statement = self.statement(text).await?;
        self.in_flight = true;
        let name = self.pool.name.clone();
        let values = values.iter().map(|value| &**value as &(dyn ToSql + Sync));
        let rows = self.connection()?.client.query_raw(&statement, values).await;
        rows.map(Box::pin).map_err(|error| self.failed(&name, &error))
    }

    /// What a statement writes out in the binary format of COPY. [`done`](Self::done) is to be called behind the end.
    pub(super) async fn copy_out(&mut self, text: &str) -> Result<Pin<Box<tokio_postgres::CopyOutStream>>> {
        self.in_flight = true;
        let name = self.pool.name.clone();
        let stream = self.connection()?.client.copy_out(text).await;
        stream.map(Box::pin).map_err(|error| self.failed(&name, &error))
    }

    /// The error of a statement, after which the connection may be used again unless it is gone.
    pub(super) fn failed(&mut self, name: &str, error: &tokio_postgres::Error) -> Error {
        self.in_flight = error.as_db_error().is_none();
        fault::told(name, error)
    }

    /// What messages call the database.
    pub(super) fn name(&self) -> String {
        self.pool.name.clone()
    }

    /// Says that the answer has come to its end.
    pub(super) fn done(&mut self) {
        self.in_flight = false;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !self.in_flight && !connection.client.is_closed() {
            lock(&self.pool.idle).push(connection);
            return;
        }
        let (token, tls) = (connection.client.cancel_token(), self.pool.tls.clone());
        if let (Ok(runtime), false) = (tokio::runtime::Handle::try_current(), connection.client.is_closed()) {
            runtime.spawn(async move { drop(token.cancel_query(tls).await) });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
