//! The task that watches the tables: notifications of changed points, and heartbeats that compare the catalog of the
//! database.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::database::Database;
use super::listen::CHANNEL;
use super::liveness::CONNECT_LIMIT;
use super::table::LiveTable;
use super::tables::LiveTables;

/// The interval of heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The longest time until the answer to a heartbeat.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The shortest time between two heartbeats.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// Digests of the columns of tables and the privileges on them, by the object identifier of the table.
type TableDigests = HashMap<u32, i64>;

/// The tables that are watched, and what is called after a change of the catalog.
struct Watched<F> {
    tables: Weak<LiveTables>,
    on_change: F,
}

impl Database {
    /// Watches `tables` while they are in use, in the background: looks at each one that has changed, and at each one
    /// that could not be read. After the connection was lost, it looks at all of them. Calls `on_change` after tables
    /// were created, altered or dropped, and after the connection was lost. `is_current` tells whether the tables were
    /// looked at before.
    pub fn watch(
        self: &Arc<Self>,
        tables: &Arc<LiveTables>,
        is_current: bool,
        on_change: impl Fn() + Send + Sync + 'static,
    ) {
        let watched = Watched { tables: Arc::downgrade(tables), on_change };
        let (database, wake) = (Arc::downgrade(self), Arc::clone(self.wake()));
        self.handle().spawn(async move {
            const RECONNECT_DELAY: Duration = Duration::from_secs(1);
            let mut is_first = is_current;
            loop {
                let Some(strong) = database.upgrade() else { return };
                let (config, tls) = strong.connection_config();
                drop(strong);
                if watched.tables.strong_count() == 0 {
                    return;
                }
                match listen(&wake, config, tls, &watched, is_first).await {
                    Ok(()) => tracing::debug!("the connection that listens for notifications has ended"),
                    Err(Failure::Silent) => {
                        tracing::warn!("the database does not answer; Kiln connects again");
                        if let Some(database) = database.upgrade() {
                            database.distrust();
                        }
                    }
                    // The server rejects a statement of the task.
                    Err(Failure::Database(error)) if error.as_db_error().is_some() => {
                        tracing::warn!(%error, "changes of tables cannot be watched; Kiln connects again");
                    }
                    Err(Failure::Database(error)) => {
                        tracing::debug!(%error, "listening for notifications failed");
                    }
                }
                is_first = false;
                tokio::time::sleep(RECONNECT_DELAY).await;
            }
        });
    }
}

impl<F: Fn()> Watched<F> {
    /// Looks at the tables that satisfy a condition, side by side.
    fn look_at(&self, condition: impl Fn(&LiveTable) -> bool) {
        self.each(condition, LiveTable::schedule);
    }

    fn each(&self, condition: impl Fn(&LiveTable) -> bool, action: impl Fn(&Arc<LiveTable>)) {
        let tables = self.tables.upgrade().map(|tables| tables.all()).unwrap_or_default();
        tables.iter().filter(|table| condition(table)).for_each(action);
    }
}

enum Failure {
    Database(tokio_postgres::Error),
    Silent,
}

/// Waits for an answer.
async fn answer<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(Failure::Database),
        Err(_) => Err(Failure::Silent),
    }
}

/// Aborts a task on drop.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens until the connection ends.
async fn listen<F: Fn()>(
    wake: &Notify,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    watched: &Watched<F>,
    is_first: bool,
) -> Result<(), Failure> {
    let (client, mut connection) = answer(CONNECT_LIMIT, config.connect(tls)).await?;
    let (send, mut payloads) = tokio::sync::mpsc::unbounded_channel();
    let driver = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message
                && send.send(notification.payload().to_owned()).is_err()
            {
                return;
            }
        }
    });
    let _driver = AbortOnDrop(driver);
    let setup = format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {}; SET lock_timeout = {}",
        ANSWER_LIMIT.as_millis(),
        ANSWER_LIMIT.as_millis()
    );
    answer(ANSWER_LIMIT, client.batch_execute(&setup)).await?;
    match answer(ANSWER_LIMIT, client.batch_execute(&format!("LISTEN {CHANNEL}"))).await {
        // A standby rejects it; heartbeats work there.
        Err(Failure::Database(error)) if error.as_db_error().is_some() => {
            tracing::debug!(%error, "the database sends no notifications");
        }
        other => other?,
    }
    let mut known = answer(ANSWER_LIMIT, table_digests(&client)).await?;
    if is_first {
        watched.look_at(LiveTable::is_faulty);
    } else {
        watched.look_at(|_| true);
        (watched.on_change)();
    }
    let mut last = Instant::now();
    loop {
        let woken = async {
            tokio::time::sleep_until((last + MIN_PAUSE).into()).await;
            wake.notified().await;
        };
        tokio::select! {
            payload = payloads.recv() => {
                let Some(payload) = payload else { return Ok(()) };
                notified(watched, payload, &mut payloads).await;
                continue;
            }
            () = tokio::time::sleep_until((last + HEARTBEAT).into()) => {}
            () = woken => {}
        }
        last = Instant::now();
        if watched.tables.strong_count() == 0 {
            return Ok(());
        }
        let now = answer(ANSWER_LIMIT, table_digests(&client)).await?;
        if now != known {
            let has_changed = |oid: u32| now.get(&oid) != known.get(&oid);
            watched.look_at(|table| table.relation().is_none_or(|relation| relation.oid.is_some_and(has_changed)));
            // The tables that a query reads are unknown.
            watched.each(LiveTable::is_query, LiveTable::schedule_if_altered);
            (watched.on_change)();
            known = now;
        }
        let now = Instant::now();
        watched.look_at(|table| table.is_retry_due(now));
    }
}

/// Looks at the tables that a notification, and those that follow it at once, are about.
async fn notified<F: Fn()>(watched: &Watched<F>, payload: String, payloads: &mut UnboundedReceiver<String>) {
    /// Notifications within this time are handled together.
    const DEBOUNCE: Duration = Duration::from_millis(100);
    let mut changed = vec![payload];
    tokio::time::sleep(DEBOUNCE).await;
    while let Ok(payload) = payloads.try_recv() {
        changed.push(payload);
    }
    watched.look_at(|table| {
        let own = table.relation().and_then(|relation| relation.table.as_ref().map(ToString::to_string));
        let reads_others = table.is_query() || table.relation().is_some_and(|relation| relation.is_view);
        reads_others || changed.iter().any(|payload| payload.is_empty() || Some(payload) == own.as_ref())
    });
}

/// Reads the digests of all tables and views.
async fn table_digests(client: &Client) -> Result<TableDigests, tokio_postgres::Error> {
    let sql = "SELECT c.oid, (sum(hashtextextended(concat_ws(' ', n.nspname, c.relname, a.attnum, a.attname, a.atttypid, \
               a.atttypmod, has_schema_privilege(n.oid, 'USAGE'), has_column_privilege(c.oid, a.attnum, 'SELECT')), 0)) \
               % 1000000000000000000)::int8 \
               FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped \
               AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' GROUP BY c.oid";
    let rows = client.query(sql, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
