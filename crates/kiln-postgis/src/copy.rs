//! All points of a table, by the binary format of COPY.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::database::Database;
use super::relation::Relation;
use super::rows::{Batch, Fields, Wants, fetch, stream};
use super::sql::{Sql, instant_us};
use kiln_core::error::{DatabaseFault, Error, Result};
use kiln_core::message;
use kiln_core::parameter::Parameter;
use kiln_core::source::{Query, Rejection, ScanReport, Sink, Source};

/// The rows of a table as a source: each once, at the places where they are, in the order of the table.
#[derive(Debug)]
pub struct Export {
    database: Arc<Database>,
    relation: Relation,
    rows: u64,
}

impl Export {
    /// The rows of a table.
    ///
    /// # Errors
    /// Those of the database.
    pub fn new(database: &Arc<Database>, relation: Relation) -> Result<Self> {
        // As many as the database believes that there are, for the sake of who waits.
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
        Ok(Self { database: Arc::clone(database), relation, rows })
    }

    /// What messages call it.
    pub fn label(&self) -> &str {
        self.relation.label()
    }

    /// The name of the weight's column.
    pub fn weight(&self) -> Option<&str> {
        self.relation.weight()
    }

    /// Puts what a batch met into the report.
    fn tell(&self, report: &mut ScanReport, batch: &Batch, query: &Query<'_>) {
        let room = query.scan.max_rejections.saturating_sub(report.rejections.len());
        let input = || self.relation.label.clone();
        report.rejections.extend(batch.reasons.iter().take(room).map(|(row, reason)| Rejection {
            input: input(),
            row: report.read + row,
            reason: (*reason).to_owned(),
        }));
        report.read += batch.read;
        report.rejected += batch.rejected;
    }

    /// The points of a query with values, which COPY cannot take.
    fn scan_rows(&self, query: &Query<'_>, wants: Wants, sink: &mut Sink<'_>) -> Result<ScanReport> {
        let mut report = ScanReport::default();
        let mut stopped = false;
        fetch(&self.database, &self.relation, query, wants, None, |batch| {
            self.tell(&mut report, &batch, query);
            let flow = push(&batch, query, sink);
            stopped = flow.is_break();
            flow
        })?;
        if stopped { Err(Error::Cancelled) } else { Ok(report) }
    }
}

/// Rows that come together.
const CHUNK_ROWS: usize = 8192;

impl Source for Export {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        if self.relation.time.is_none() && (query.filter.start_us.is_some() || query.filter.end_us.is_some()) {
            return Err(Error::input(
                &self.relation.label,
                message!("there is no column of times to filter by; name it with ", Parameter::TIME),
            ));
        }
        if self.relation.category.is_none() && !query.filter.categories.is_empty() {
            let column = Parameter::CATEGORY_COLUMN;
            let why = message!("there is no column of categories to filter by; name it with ", column);
            return Err(Error::input(&self.relation.label, why));
        }
        let wants = Wants {
            weight: query.columns.weights && self.relation.weight.is_some(),
            ..Wants::of(&self.relation, query)
        };
        let mut sql = Sql::default();
        sql.push(&wants.select(&self.relation)).push(" FROM ").push(&self.relation.items());
        self.relation.push_conditions(&mut sql, query, None);
        let mut report = if sql.values.is_empty() {
            self.copy(&format!("COPY ({}) TO STDOUT (FORMAT binary)", sql.text), query, wants, sinks)?
        } else if let Some(sink) = sinks.first_mut() {
            self.scan_rows(query, wants, sink)?
        } else {
            ScanReport::default()
        };
        if query.columns.weights && !wants.weight {
            report.unweighted = report.valid();
        }
        Ok(report)
    }
}

impl Export {
    fn copy(&self, sql: &str, query: &Query<'_>, wants: Wants, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        /// Chunks that wait for a worker.
        const WAITING: usize = 8;
        let (send, receive) = mpsc::sync_channel::<Vec<Bytes>>(WAITING);
        let receive = Mutex::new(receive);
        let next = || receive.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
        let outcome = Mutex::new((ScanReport::default(), None::<Error>));
        let work = |sink: &mut Sink<'_>| {
            while let Some(chunk) = next() {
                let bytes: usize = chunk.iter().map(Bytes::len).sum();
                let read = read(&chunk, wants).ok_or_else(|| {
                    Error::database(self.database.name(), DatabaseFault::Failed, "what COPY answers is malformed")
                });
                let pushed = read.and_then(|batch| {
                    if let Some(progress) = query.scan.progress {
                        progress.advance(bytes as u64, batch.read);
                    }
                    self.tell(&mut outcome.lock().unwrap_or_else(PoisonError::into_inner).0, &batch, query);
                    if push(&batch, query, sink).is_break() { Err(Error::Cancelled) } else { Ok(()) }
                });
                if let Err(error) = pushed {
                    outcome.lock().unwrap_or_else(PoisonError::into_inner).1.get_or_insert(error);
                }
            }
        };
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(self.rows * wants.row_bytes());
        }
        let copied = std::thread::scope(|scope| {
            for sink in sinks.iter_mut() {
                scope.spawn(|| work(sink));
            }
            let text = sql.to_owned();
            let copied = stream(
                &self.database,
                self.database.patient(),
                query,
                |pool, out| async move {
                    let mut lease = pool.lease().await?;
                    let name = lease.name();
                    let mut stream = lease.copy_out(&text).await?;
                    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
                    loop {
                        match stream.try_next().await {
                            Ok(Some(bytes)) => chunk.push(bytes),
                            Ok(None) => break,
                            Err(error) => return Err(lease.failed(&name, &error)),
                        }
                        if chunk.len() == CHUNK_ROWS {
                            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ROWS));
                            if out.send(full).await.is_break() {
                                return Ok(());
                            }
                        }
                    }
                    lease.done();
                    // Whether anybody wants it makes no difference any more.
                    let _ = out.send(chunk).await;
                    Ok(())
                },
                &mut |chunk| {
                    let failed = outcome.lock().unwrap_or_else(PoisonError::into_inner).1.is_some();
                    if failed || send.send(chunk).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                },
            );
            // The workers end when nothing more can come.
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

impl Wants {
    /// Bytes of a row in the binary format, more or less.
    fn row_bytes(self) -> u64 {
        26 + if self.weight { 12 } else { 0 } + if self.time { 12 } else { 0 } + if self.category { 12 } else { 0 }
    }
}

fn push(batch: &Batch, query: &Query<'_>, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let points = if query.columns.weights { batch.points() } else { batch.points().without_weight() };
    if query.is_stopped() { ControlFlow::Break(()) } else { sink(points) }
}

/// The points of rows in the binary format of COPY; `None` if they are malformed.
fn read(chunk: &[Bytes], wants: Wants) -> Option<Batch> {
    const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
    let mut batch = Batch::new(wants);
    for bytes in chunk {
        let mut rest: &[u8] = bytes;
        if let Some(behind) = rest.strip_prefix(SIGNATURE) {
            let length = u32::from_be_bytes(behind.get(4..8)?.try_into().ok()?) as usize;
            rest = behind.get(8 + length..)?;
        }
        while let Some((count, behind)) = rest.split_at_checked(2) {
            rest = behind;
            // Nothing comes behind the end.
            if i16::from_be_bytes(count.try_into().ok()?) < 0 {
                break;
            }
            let mut field = || -> Option<Option<&[u8]>> {
                let (length, behind) = rest.split_at_checked(4)?;
                rest = behind;
                let Ok(length) = usize::try_from(i32::from_be_bytes(length.try_into().ok()?)) else {
                    return Some(None);
                };
                let (value, behind) = rest.split_at_checked(length)?;
                rest = behind;
                Some(Some(value))
            };
            let number = |value: Option<&[u8]>| -> Option<Option<f64>> {
                value.map(|value| Some(f64::from_be_bytes(value.try_into().ok()?))).map_or(Some(None), |n| n.map(Some))
            };
            let (lon, lat) = (number(field()?)?, number(field()?)?);
            let mut row = Fields { place: lon.zip(lat), ..Fields::default() };
            if wants.weight {
                row.weight = number(field()?)?;
            }
            if wants.time {
                row.time_us = field()?.and_then(instant_us);
            }
            if wants.category {
                row.category = match field()? {
                    Some(text) => Some(std::str::from_utf8(text).ok()?),
                    None => None,
                };
            }
            batch.add(row);
        }
    }
    Some(batch)
}
