//! Rows of points, streamed from the database.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_postgres::Row;

use super::database::{Database, POLL_INTERVAL, place};
use super::fault;
use super::pool::Pool;
use super::relation::{Box4, Relation};
use super::share::Share;
use super::sql::{Instant, Sql};
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Categories, Points};
use kiln_core::source::Query;

/// Points in columns.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) lon: Vec<f64>,
    pub(super) lat: Vec<f64>,
    pub(super) weight: Option<Vec<f32>>,
    pub(super) time_us: Option<Vec<i64>>,
    pub(super) codes: Option<Vec<u32>>,
    pub(super) names: Vec<Box<str>>,
    code_by_name: HashMap<Box<str>, u32>,
    /// Rows read, including rejected ones.
    pub(super) read: u64,
    /// Rows rejected.
    pub(super) rejected: u64,
    /// The first rejected rows, counted from 1, and the reasons.
    pub(super) reasons: Vec<(u64, &'static str)>,
}

/// The optional columns that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnSelection {
    pub(super) weight: bool,
    pub(super) time: bool,
    pub(super) category: bool,
}

impl ColumnSelection {
    /// The columns that a query needs and the relation has.
    pub(super) fn of(relation: &Relation, query: &Query<'_>) -> Self {
        Self {
            weight: relation.weight.is_some(),
            time: query.columns.times && relation.time.is_some(),
            category: query.columns.categories && relation.category.is_some(),
        }
    }

    /// The SELECT clause.
    pub(super) fn select(self, relation: &Relation) -> String {
        let mut columns = format!("SELECT {} AS lon, {} AS lat", relation.lon(), relation.lat());
        for (is_selected, column) in [
            (self.weight, relation.weight_sql()),
            (self.time, relation.time_sql()),
            (self.category, relation.category_sql()),
        ] {
            if let Some(column) = column.filter(|_| is_selected) {
                columns.push_str(", ");
                columns.push_str(&column);
            }
        }
        columns
    }
}

/// The values of a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'r> {
    pub(super) location: Option<(f64, f64)>,
    pub(super) weight: Option<f64>,
    pub(super) time_us: Option<i64>,
    pub(super) category: Option<&'r str>,
}

impl Batch {
    /// Rows per batch.
    pub(super) const ROWS: usize = 8192;
    /// The maximum number of rejected rows of a batch whose reasons are kept.
    const MAX_REASONS: usize = 5;

    pub(super) fn new(columns: ColumnSelection) -> Self {
        Self {
            weight: columns.weight.then(Vec::new),
            time_us: columns.time.then(Vec::new),
            codes: columns.category.then(Vec::new),
            ..Self::default()
        }
    }

    /// An empty batch with the columns and the category names of `points`.
    pub(super) fn like(points: &Points<'_>) -> Self {
        let names = points.category().map(|category| category.names.to_vec()).unwrap_or_default();
        let columns = ColumnSelection {
            weight: points.weight().is_some(),
            time: points.time_us().is_some(),
            category: points.category().is_some(),
        };
        Self { names, ..Self::new(columns) }
    }

    /// Adds a row, or rejects it.
    pub(super) fn add(&mut self, row: Fields<'_>) {
        self.read += 1;
        let is_valid = |(lon, lat): (f64, f64)| lon.abs() <= 360.0 && lat.abs() <= 90.0;
        let max = f64::from(Points::MAX_WEIGHT);
        let reason = match (row.location, row.weight) {
            (None, _) => Some("the geometry is null or empty"),
            (Some(location), _) if !is_valid(location) => Some("the longitude or latitude is out of range"),
            (_, None) if self.weight.is_some() => Some("the weight is null"),
            (_, Some(weight)) if self.weight.is_some() && (weight.is_nan() || weight.abs() > max) => {
                Some("the weight is not finite or is out of range")
            }
            _ => None,
        };
        if let Some(reason) = reason {
            self.rejected += 1;
            if self.reasons.len() < Self::MAX_REASONS {
                self.reasons.push((self.read, reason));
            }
            return;
        }
        let (lon, lat) = row.location.unwrap_or_default();
        self.lon.push(lon);
        self.lat.push(lat);
        if let Some(weights) = &mut self.weight {
            weights.push(row.weight.unwrap_or(1.0) as f32);
        }
        if let Some(times) = &mut self.time_us {
            times.push(row.time_us.unwrap_or(Points::NO_TIME));
        }
        if self.codes.is_some() {
            let code = row.category.map_or(Categories::NONE, |name| self.code(name));
            if let Some(codes) = &mut self.codes {
                codes.push(code);
            }
        }
    }

    fn code(&mut self, name: &str) -> u32 {
        if let Some(code) = self.code_by_name.get(name) {
            return *code;
        }
        let code = self.names.len() as u32;
        self.names.push(name.into());
        self.code_by_name.insert(name.into(), code);
        code
    }

    /// The points.
    pub(super) fn points(&self) -> Points<'_> {
        // All columns have the same length and every code has a name, so no call can fail.
        let mut points = Points::new(&self.lon, &self.lat).unwrap_or_default();
        if let Some(weight) = &self.weight {
            points = points.with_weight(weight).unwrap_or_default();
        }
        if let Some(time_us) = &self.time_us {
            points = points.with_time(time_us).unwrap_or_default();
        }
        if let Some(codes) = &self.codes {
            points = points.with_category(Categories { codes, names: &self.names }).unwrap_or_default();
        }
        points
    }

    fn add_row(&mut self, row: &Row, columns: ColumnSelection) -> Result<(), tokio_postgres::Error> {
        let (lon, lat): (Option<f64>, Option<f64>) = (row.try_get(0)?, row.try_get(1)?);
        let mut fields = Fields { location: lon.zip(lat), ..Fields::default() };
        let mut column = 1;
        if columns.weight {
            column += 1;
            fields.weight = row.try_get(column)?;
        }
        if columns.time {
            column += 1;
            fields.time_us = row.try_get::<_, Option<Instant>>(column)?.map(|Instant(us)| us);
        }
        if columns.category {
            column += 1;
            fields.category = row.try_get(column)?;
        }
        self.add(fields);
        Ok(())
    }
}

/// Passes the points that match `query` to `each` in batches until it breaks. The polygon of the query is not applied.
pub(super) fn fetch(
    database: &Share,
    relation: &Relation,
    query: &Query<'_>,
    columns: ColumnSelection,
    boxes: Option<&[Box4]>,
    mut each: impl FnMut(Batch) -> ControlFlow<()>,
) -> Result<()> {
    let mut sql = Sql::default();
    sql.push(&columns.select(relation)).push(" FROM ").push(&relation.items());
    relation.push_conditions(&mut sql, query, boxes);
    stream(
        database,
        (database.pool(), Some(database.places())),
        query,
        |pool, send| async move {
            let mut connection = pool.get().await?;
            let mut rows = connection.rows(&sql.text, &sql.values).await?;
            let mut batch = Batch::new(columns);
            while let Some(row) = connection.next(&mut rows).await? {
                batch.add_row(&row, columns).map_err(|error| fault::to_error(connection.name(), &error))?;
                if batch.read as usize >= Batch::ROWS {
                    let full = std::mem::replace(&mut batch, Batch::new(columns));
                    if send.send(full).await.is_break() {
                        return Ok(());
                    }
                }
            }
            // The task ends here, whether or not the batch is received.
            let _ = send.send(batch).await;
            Ok(())
        },
        &mut each,
    )
}

/// The sending end of a bounded channel from a task to a blocking thread.
pub(super) struct Sender<T>(std::sync::mpsc::SyncSender<T>);

impl<T> Sender<T> {
    /// Waits while the channel is full; breaks once the receiver is dropped.
    pub(super) async fn send(&self, item: T) -> ControlFlow<()> {
        const PAUSE: Duration = Duration::from_micros(500);
        let mut item = item;
        loop {
            match self.0.try_send(item) {
                Ok(()) => return ControlFlow::Continue(()),
                Err(TrySendError::Disconnected(_)) => return ControlFlow::Break(()),
                Err(TrySendError::Full(back)) => item = back,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Spawns a task that reads with a connection of a pool once a place is free, and passes the items that it sends to `each` until that
/// breaks.
pub(super) fn stream<T, F>(
    database: &Database,
    (pool, places): (&Arc<Pool>, Option<Arc<Semaphore>>),
    query: &Query<'_>,
    task: impl FnOnce(Arc<Pool>, Sender<T>) -> F,
    each: &mut dyn FnMut(T) -> ControlFlow<()>,
) -> Result<()>
where
    T: Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    const CAPACITY: usize = 8;
    let (send, receive) = sync_channel(CAPACITY);
    let (finish, finished) = sync_channel(1);
    let work = task(Arc::clone(pool), Sender(send));
    let task = database.handle().spawn(async move {
        let _place = place(places).await;
        let _ = finish.send(work.await);
    });
    loop {
        if query.is_stopped() {
            task.abort();
            return Err(Error::Cancelled);
        }
        match receive.recv_timeout(POLL_INTERVAL) {
            Ok(item) => {
                if each(item).is_break() {
                    task.abort();
                    return Ok(());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let outcome = finished.recv().unwrap_or(Err(Error::Cancelled));
                return outcome.inspect_err(|error| database.report(error));
            }
        }
    }
}
