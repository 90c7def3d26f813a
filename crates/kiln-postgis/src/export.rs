//! All points of a table, by binary COPY.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::Bytes;

use super::binary_copy::decode;
use super::database::Database;
use super::local_time::check_zone;
use super::relation::Relation;
use super::rows::{Batch, ColumnSelection, fetch, stream};
use super::share::Share;
use super::sql::Sql;
use kiln_core::error::{DatabaseErrorKind, Error, Result};
use kiln_core::message;
use kiln_core::parameter::Parameter;
use kiln_core::source::{Query, Rejection, ScanReport, Sink, Source};

/// The rows of a table as a source, each read once, in the order of the table.
#[derive(Debug)]
pub struct Export {
    database: Share,
    relation: Relation,
    rows: u64,
}

impl Export {
    /// The rows of a table.
    ///
    /// # Errors
    /// Those of the database.
    pub fn new(database: &Arc<Database>, relation: Relation) -> Result<Self> {
        // The planner's estimate is enough for a progress bar.
        let rows = match &relation.table {
            Some(table) => {
                let sql = "SELECT greatest(c.reltuples, 0)::float8 FROM pg_class c JOIN pg_namespace n \
                           ON n.oid = c.relnamespace WHERE n.nspname = $1::text AND c.relname = $2::text";
                let values = [table.schema.clone(), table.name.clone()].map(|name| Box::new(name) as _);
                let rows: Vec<f64> = database.query(sql, values.into(), |row| row.try_get(0))?;
                rows.first().copied().unwrap_or_default() as u64
            }
            None => 0,
        };
        Ok(Self { database: Share::new(database), relation, rows })
    }

    /// The name in messages.
    pub fn label(&self) -> &str {
        self.relation.label()
    }

    /// The name of the weight's column.
    pub fn weight(&self) -> Option<&str> {
        self.relation.weight()
    }

    /// Adds the counts and the rejected rows of a batch to the report, which keeps the first rejected rows by number.
    /// Batches may be added in any order.
    fn add_to(&self, report: &mut ScanReport, first_row: u64, batch: &Batch, query: &Query<'_>) {
        let input = || self.relation.label.clone();
        report.rejections.extend(batch.reasons.iter().map(|(row, reason)| Rejection {
            input: input(),
            row: first_row + row,
            reason: (*reason).to_owned(),
        }));
        report.rejections.sort_by_key(|rejection| rejection.row);
        report.rejections.truncate(query.scan.max_rejections);
        report.read += batch.read;
        report.rejected += batch.rejected;
    }

    /// Reads the points of a query with parameters, which COPY does not support.
    fn scan_rows(&self, query: &Query<'_>, columns: ColumnSelection, sink: &mut Sink<'_>) -> Result<ScanReport> {
        let mut report = ScanReport::default();
        let mut stopped = false;
        fetch(&self.database, &self.relation, query, columns, None, |batch| {
            let first_row = report.read;
            self.add_to(&mut report, first_row, &batch, query);
            let flow = push(&batch, query, sink);
            stopped = flow.is_break();
            flow
        })?;
        if stopped { Err(Error::Cancelled) } else { Ok(report) }
    }
}

/// Rows per chunk.
const CHUNK_ROWS: usize = 8192;

impl Source for Export {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        if !query.columns.without_positions || query.filter.polygon.is_some() || query.scan.near.is_some() {
            self.relation.require_positions()?;
        }
        query.filter.time_parts.iter().try_for_each(|filter| check_zone(&filter.zone))?;
        if self.relation.time.is_none() && query.filter.filters_time() {
            return Err(Error::input(
                &self.relation.label,
                message!("there is no time column to filter by; name it with ", Parameter::TIME),
            ));
        }
        if self.relation.category.is_none() && !query.filter.categories.is_empty() {
            let column = Parameter::CATEGORY_COLUMN;
            let reason = message!("there is no category column to filter by; name it with ", column);
            return Err(Error::input(&self.relation.label, reason));
        }
        let selected = ColumnSelection::of(&self.relation, query);
        let columns = ColumnSelection { weight: query.columns.weights && selected.weight, ..selected };
        let mut sql = Sql::default();
        sql.push(&columns.select(&self.relation)).push(" FROM ").push(&self.relation.items());
        self.relation.push_conditions(&mut sql, query, None);
        let mut report = if sql.values.is_empty() {
            self.copy(&format!("COPY ({}) TO STDOUT (FORMAT binary)", sql.text), query, columns, sinks)?
        } else if let Some(sink) = sinks.first_mut() {
            self.scan_rows(query, columns, sink)?
        } else {
            ScanReport::default()
        };
        if query.columns.weights && !columns.weight {
            report.unweighted = report.valid();
        }
        Ok(report)
    }
}

impl Export {
    fn copy(
        &self,
        sql: &str,
        query: &Query<'_>,
        columns: ColumnSelection,
        sinks: &mut [&mut Sink<'_>],
    ) -> Result<ScanReport> {
        /// Chunks in the queue to the workers.
        const QUEUED: usize = 8;
        let (send, receive) = mpsc::sync_channel::<(u64, Vec<Bytes>)>(QUEUED);
        let receive = Mutex::new(receive);
        let next = || receive.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
        let outcome = Mutex::new((ScanReport::default(), None::<Error>));
        let work = |sink: &mut Sink<'_>| {
            while let Some((first_row, chunk)) = next() {
                let bytes: usize = chunk.iter().map(Bytes::len).sum();
                let decoded = decode(&chunk, columns).ok_or_else(|| {
                    Error::database(self.database.name(), DatabaseErrorKind::Other, "the COPY data is malformed")
                });
                let pushed = decoded.and_then(|batch| {
                    if let Some(progress) = query.scan.progress {
                        progress.advance(bytes as u64, batch.read);
                    }
                    self.add_to(
                        &mut outcome.lock().unwrap_or_else(PoisonError::into_inner).0,
                        first_row,
                        &batch,
                        query,
                    );
                    if push(&batch, query, sink).is_break() { Err(Error::Cancelled) } else { Ok(()) }
                });
                if let Err(error) = pushed {
                    outcome.lock().unwrap_or_else(PoisonError::into_inner).1.get_or_insert(error);
                }
            }
        };
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(self.rows * columns.row_bytes());
        }
        let copied = std::thread::scope(|scope| {
            for sink in sinks.iter_mut() {
                scope.spawn(|| work(sink));
            }
            let text = sql.to_owned();
            let mut first_row = 0;
            let copied = stream(
                &self.database,
                (self.database.unlimited_pool(), None),
                query,
                |pool, out| async move {
                    let mut connection = pool.get().await?;
                    // The server sends each row as a message of its own.
                    let mut messages = Box::pin(connection.copy_out(&text).await?);
                    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
                    while let Some(message) = connection.next(&mut messages).await? {
                        chunk.push(message);
                        if chunk.len() == CHUNK_ROWS {
                            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ROWS));
                            if out.send(full).await.is_break() {
                                return Ok(());
                            }
                        }
                    }
                    // The task ends here, whether or not the chunk is received.
                    let _ = out.send(chunk).await;
                    Ok(())
                },
                &mut |chunk| {
                    let failed = outcome.lock().unwrap_or_else(PoisonError::into_inner).1.is_some();
                    let chunk = (first_row, chunk);
                    first_row += CHUNK_ROWS as u64;
                    if failed || send.send(chunk).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                },
            );
            // The workers end once the channel is closed.
            drop(send);
            copied
        });
        let (report, failed) = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        match failed {
            Some(error) => Err(error),
            None => copied.map(|()| report),
        }
    }
}

impl ColumnSelection {
    /// The approximate size of a row in the binary format.
    fn row_bytes(self) -> u64 {
        26 + if self.weight { 12 } else { 0 } + if self.time { 12 } else { 0 } + if self.category { 12 } else { 0 }
    }
}

fn push(batch: &Batch, query: &Query<'_>, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let points = if query.columns.weights { batch.points() } else { batch.points().without_weight() };
    if query.is_stopped() { ControlFlow::Break(()) } else { sink(points) }
}
