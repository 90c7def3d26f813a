//! Live tables, which are looked at again when they change.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::database::Database;
use super::relation::{Relation, TableSpec};
use super::resolve::resolve_served;
use super::share::Share;
use super::snapshot::LiveSnapshot;
use kiln_core::error::{DatabaseErrorKind, Error, Result};
use kiln_core::source::Description;

/// A table of points that is served as a layer. Each look at the table resolves its columns again, and then reads its
/// statistics.
#[derive(Debug)]
pub struct LiveTable {
    label: String,
    spec: TableSpec,
    description: Description,
    share: Share,
    /// The current snapshot, or the reason why there is none.
    current: RwLock<Result<Arc<LiveSnapshot>, Fault>>,
    retry: Mutex<Retry>,
    /// Locked during a look.
    looking: tokio::sync::Mutex<()>,
    /// The look that waits for the end of the one before.
    scheduled: AtomicU8,
}

/// No look, one for altered columns, and one for the rows, too.
const NO_LOOK: u8 = 0;
const LOOK_AT_COLUMNS: u8 = 1;
const LOOK_AT_ROWS: u8 = 2;

/// Why a table cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    kind: DatabaseErrorKind,
    message: String,
}

/// When a look that has failed is repeated.
#[derive(Debug, Default)]
struct Retry {
    failures: u32,
    due: Option<Instant>,
    /// The last failure, which is logged once.
    last: Option<Fault>,
}

impl Retry {
    /// Doubles the delay after another failure: a look may read the entire table.
    fn fail(&mut self, now: Instant) {
        const FIRST_DELAY: Duration = Duration::from_secs(1);
        const MAX_DELAY: Duration = Duration::from_secs(300);
        self.due = Some(now + FIRST_DELAY.saturating_mul(1 << self.failures.min(10)).min(MAX_DELAY));
        self.failures += 1;
    }
}

impl LiveTable {
    /// A table that is not read yet; `label` is its name in messages.
    pub fn new(database: &Arc<Database>, label: &str, spec: TableSpec, description: Description) -> Arc<Self> {
        let fault = Fault { kind: DatabaseErrorKind::Unreachable, message: "the table is not read yet".to_owned() };
        Arc::new(Self {
            label: label.to_owned(),
            spec,
            description,
            share: Share::new(database),
            current: RwLock::new(Err(fault)),
            retry: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            scheduled: AtomicU8::new(NO_LOOK),
        })
    }

    /// Looks at the table again at an interval.
    pub fn refresh_every(self: &Arc<Self>, interval: Duration) {
        let watched = Arc::downgrade(self);
        self.share.handle().spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(table) = watched.upgrade() else { return };
                // The failure is logged.
                let _ = table.look_async().await;
            }
        });
    }

    /// The current snapshot.
    ///
    /// # Errors
    /// [`Error::Database`] if the table cannot be read, or no longer.
    pub fn snapshot(&self) -> Result<Arc<LiveSnapshot>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let to_error = |fault: &Fault| Error::database(self.share.name(), fault.kind, fault.message.clone());
        current.as_ref().map(Arc::clone).map_err(to_error)
    }

    /// The name in messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Looks at the table, and blocks until that is done.
    ///
    /// # Errors
    /// Those of the database; [`Error::Cancelled`] once `stop` is set.
    pub fn refresh(self: &Arc<Self>, stop: &AtomicBool) -> Result<()> {
        let table = Arc::clone(self);
        self.share.wait(Some(stop), async move { table.look_async().await })
    }

    /// Looks at the table in the background, once for all calls until the look begins.
    pub(super) fn schedule(self: &Arc<Self>) {
        self.schedule_look(LOOK_AT_ROWS);
    }

    /// As [`schedule`](Self::schedule), but reads the statistics only if the columns have changed.
    pub(super) fn schedule_if_altered(self: &Arc<Self>) {
        self.schedule_look(LOOK_AT_COLUMNS);
    }

    fn schedule_look(self: &Arc<Self>, look: u8) {
        if self.scheduled.fetch_max(look, Ordering::AcqRel) != NO_LOOK {
            return;
        }
        let table = Arc::clone(self);
        self.share.handle().spawn(async move {
            let _looking = table.looking.lock().await;
            let look = table.scheduled.swap(NO_LOOK, Ordering::AcqRel);
            // The failure is logged.
            let _ = table.look(look == LOOK_AT_COLUMNS).await;
        });
    }

    /// Whether the last look failed, and another one is due.
    pub(super) fn is_retry_due(&self, now: Instant) -> bool {
        self.retry().due.is_some_and(|due| due <= now)
    }

    /// Whether the last look failed, or there was none.
    pub fn is_faulty(&self) -> bool {
        self.retry().due.is_some() || self.snapshot().is_err()
    }

    fn retry(&self) -> MutexGuard<'_, Retry> {
        self.retry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the table: resolves its columns, and reads its statistics. If that fails for another reason than the
    /// table itself, the snapshot is kept. Changes and failures are logged.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn look_async(&self) -> Result<()> {
        let _looking = self.looking.lock().await;
        self.look(false).await
    }

    async fn look(&self, is_columns_only: bool) -> Result<()> {
        let outcome = self.read(is_columns_only).await;
        match &outcome {
            Ok(snapshot) => self.replace(snapshot),
            Err(error) => self.fail(error),
        }
        outcome.map(drop)
    }

    async fn read(&self, is_columns_only: bool) -> Result<Arc<LiveSnapshot>> {
        let relation = self.share.look(|mut connection| async move {
            if self.spec.has_positions() {
                self.share.require_postgis_by(&mut connection).await?;
            }
            resolve_served(&mut connection, &self.label, &self.spec).await
        });
        let relation = relation.await?.with_description(self.description.clone());
        match self.snapshot().ok().filter(|snapshot| *snapshot.relation == relation) {
            Some(snapshot) if is_columns_only => Ok(snapshot),
            Some(snapshot) => LiveSnapshot::read_async(&self.share, &snapshot.relation).await.map(Arc::new),
            None => LiveSnapshot::read_async(&self.share, &Arc::new(relation)).await.map(Arc::new),
        }
    }

    fn replace(&self, snapshot: &Arc<LiveSnapshot>) {
        let had_failed = std::mem::take(&mut *self.retry()).last.is_some();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (table, columns) = (&self.label, || snapshot.relation.describe_types());
        match &*current {
            Ok(before) if before.relation != snapshot.relation => {
                let before = before.relation.describe_types();
                tracing::info!(table, before, now = columns(), "the table has changed");
            }
            // With the same version, cached pictures stay valid.
            Ok(before) if before.version() == snapshot.version() => return,
            Ok(_) => tracing::debug!(table, version = snapshot.version(), "the points have changed"),
            Err(_) if had_failed => {
                tracing::info!(table, points = snapshot.summary().points, "the table can be read: {}", columns());
            }
            Err(_) => {}
        }
        *current = Ok(Arc::clone(snapshot));
    }

    fn fail(&self, error: &Error) {
        use DatabaseErrorKind::{AccessDenied, Missing, MissingColumn, Unsuitable};
        let fault = match error {
            Error::Database { kind, message, .. } => Fault { kind: *kind, message: message.clone() },
            other => Fault { kind: DatabaseErrorKind::Other, message: other.to_string() },
        };
        let mut retry = self.retry();
        retry.fail(Instant::now());
        let is_new = retry.last.as_ref() != Some(&fault);
        retry.last = Some(fault.clone());
        drop(retry);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_over = matches!(fault.kind, AccessDenied | Missing | MissingColumn | Unsuitable);
        let (table, reason) = (&self.label, &fault.message);
        match &*current {
            Ok(_) if is_over => tracing::warn!(table, reason, "the table is no longer a layer"),
            Ok(_) if is_new => tracing::warn!(table, reason, "the statistics of the table cannot be read"),
            Err(_) if is_new => tracing::warn!(table, reason, "layer skipped; it is tried again later"),
            _ => {}
        }
        if is_over || current.is_err() {
            *current = Err(fault);
        }
    }

    /// The relation of the current snapshot.
    pub(super) fn relation(&self) -> Option<Arc<Relation>> {
        self.snapshot().ok().map(|snapshot| Arc::clone(&snapshot.relation))
    }

    /// Whether the layer is a query.
    pub(super) fn is_query(&self) -> bool {
        self.spec.sql.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_fail_are_repeated_at_growing_intervals() {
        let start = Instant::now();
        let mut retry = Retry::default();
        assert_eq!(retry.due, None);
        for delay_s in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            retry.fail(start);
            assert_eq!(retry.due, Some(start + Duration::from_secs(delay_s)));
        }
    }
}
