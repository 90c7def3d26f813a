//! Notifications of changed tables, by LISTEN and NOTIFY.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_postgres::AsyncMessage;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::database::Database;
use super::quote::{identifier, literal};
use super::relation::TableName;
use super::table::LiveTable;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// The channel of the notifications. The payload is the table's name, `schema.table`.
const CHANNEL: &str = "kiln";

/// The SQL of a trigger that sends a notification for each statement that changes a table.
///
/// # Errors
/// [`Error::Invalid`] unless the name has the form `table` or `schema.table`, with quotes around names that are not
/// lower case.
pub fn trigger(table: &str) -> Result<String> {
    let invalid = || {
        Error::invalid(
            Parameter::TABLE,
            "expected table or schema.table, with quotes around names that are not lower case",
        )
    };
    let (first, rest) = name(table).ok_or_else(invalid)?;
    let TableName { schema, name } = match rest.strip_prefix('.') {
        Some(rest) => match name(rest) {
            Some((second, "")) => TableName { schema: first, name: second },
            _ => return Err(invalid()),
        },
        None if rest.is_empty() => TableName { schema: "public".into(), name: first },
        None => return Err(invalid()),
    };
    let table = format!("{}.{}", identifier(&schema), identifier(&name));
    let function = format!("{}.kiln_notify", identifier(&schema));
    let payload = literal(&format!("{schema}.{name}"));
    Ok(format!(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$\n\
         BEGIN\n  PERFORM pg_notify('{CHANNEL}', TG_ARGV[0]);\n  RETURN NULL;\nEND $$;\n\
         DROP TRIGGER IF EXISTS kiln_notify ON {table};\n\
         CREATE TRIGGER kiln_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}\n  \
         FOR EACH STATEMENT EXECUTE FUNCTION {function}({payload});\n"
    ))
}

/// Splits off a leading SQL identifier, folded to lower case unless it is quoted.
fn name(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = quoted;
        loop {
            let (part, remainder) = rest.split_once('"')?;
            name.push_str(part);
            match remainder.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => return (!name.is_empty()).then_some((name, remainder)),
            }
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let has_valid_start = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    has_valid_start.then(|| (name.to_lowercase(), rest))
}

impl Database {
    /// Listens while any of `tables` is in use, and refreshes each one that has changed. Reconnects after a lost
    /// connection, and then refreshes all tables.
    pub fn watch(self: &Arc<Self>, tables: &[Arc<LiveTable>]) {
        let tables: Vec<Weak<LiveTable>> = tables.iter().map(Arc::downgrade).collect();
        let database = Arc::downgrade(self);
        self.handle().spawn(async move {
            const RECONNECT_DELAY: Duration = Duration::from_secs(1);
            let mut is_first = true;
            loop {
                let Some(database) = database.upgrade() else { return };
                let (config, tls) = database.connection_config();
                drop(database);
                if tables.iter().all(|table| table.strong_count() == 0) {
                    return;
                }
                if let Err(error) = listen(config, tls, &tables, is_first).await {
                    tracing::debug!(%error, "listening for notifications failed");
                }
                is_first = false;
                tokio::time::sleep(RECONNECT_DELAY).await;
            }
        });
    }
}

/// Listens until the connection ends.
async fn listen(
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    tables: &[Weak<LiveTable>],
    is_first: bool,
) -> Result<(), tokio_postgres::Error> {
    /// Notifications within this time are handled together.
    const DEBOUNCE: Duration = Duration::from_millis(100);
    let (client, mut connection) = config.connect(tls).await?;
    let (send, mut payloads) = tokio::sync::mpsc::unbounded_channel();
    let driver = tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(notification)) => {
                    if send.send(notification.payload().to_owned()).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
    client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
    if !is_first {
        refresh(tables, |_| true).await;
    }
    while let Some(payload) = payloads.recv().await {
        let mut changed = vec![payload];
        tokio::time::sleep(DEBOUNCE).await;
        while let Ok(payload) = payloads.try_recv() {
            changed.push(payload);
        }
        refresh(tables, |table| {
            // The tables that a view or a query reads are unknown.
            let own = table.relation().table.as_ref().map(ToString::to_string);
            let is_view = own.is_none() || table.relation().is_view;
            is_view || changed.iter().any(|payload| payload.is_empty() || Some(payload) == own.as_ref())
        })
        .await;
    }
    driver.abort();
    Ok(())
}

async fn refresh(tables: &[Weak<LiveTable>], is_changed: impl Fn(&LiveTable) -> bool) {
    for table in tables.iter().filter_map(Weak::upgrade).filter(|table| is_changed(table)) {
        table.refresh_async().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_names_its_table() {
        assert!(trigger("stops").unwrap().contains("ON \"public\".\"stops\";"));
        assert!(trigger("Maps.\"My \"\"Stops\"\"\"").unwrap().contains("ON \"maps\".\"My \"\"Stops\"\"\";"));
        for invalid in ["", "a.b.c", "a b", "a; drop table b", "\"a", "a.", ".a", "1a"] {
            assert!(trigger(invalid).is_err(), "{invalid}");
        }
    }
}
