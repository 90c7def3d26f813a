//! Parallel scans of the parts of an input.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::batch::RowFields;
use super::row_sink::RowSink;
use super::{Query, ScanReport, Sink};
use crate::error::{Error, Result};
use crate::parallel::spawn_each;

/// The result of reading a part. `Break` is passed on from the row sink.
pub type PartResult = Result<ControlFlow<()>>;

/// Reads the `parts` parts of the input named `input` on one worker thread per sink. Each worker takes the next
/// remaining part, so with one sink the parts are read in order. `read_part` passes all rows of a part to the row sink.
///
/// `fields` are the optional fields of the rows. Row sinks number rows within a part; the report has numbers within the
/// input.
///
/// # Errors
/// The first error of `read_part`, in the order of the parts; [`Error::Cancelled`] if a sink or the query cancelled the
/// scan.
pub fn scan_parts(
    input: &str,
    parts: usize,
    query: &Query<'_>,
    fields: RowFields,
    sinks: &mut [&mut Sink<'_>],
    read_part: impl Fn(usize, &mut RowSink<'_, '_>) -> PartResult + Sync,
) -> Result<ScanReport> {
    query.check_polygon()?;
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let outcomes: Mutex<Vec<(usize, Result<ScanReport>)>> = Mutex::new(Vec::new());
    spawn_each(sinks.iter_mut().take(parts.max(1)), |sink| {
        while !stopped.load(Ordering::Relaxed) {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                break;
            }
            let mut row_sink = RowSink::new(query, sink, fields);
            // A sink is not called while no row passes, so it cannot cancel the scan.
            let read = if query.is_stopped() { Ok(ControlFlow::Break(())) } else { read_part(part, &mut row_sink) };
            let (report, flushed) = row_sink.finish();
            let outcome = match read {
                Ok(ControlFlow::Continue(())) if flushed.is_continue() => Ok(report),
                Ok(_) => Err(Error::Cancelled),
                Err(error) => Err(error),
            };
            if outcome.is_err() {
                stopped.store(true, Ordering::Relaxed);
            }
            outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((part, outcome));
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcomes.sort_by_key(|(part, _)| *part);
    let mut report = ScanReport::default();
    for (_, outcome) in outcomes {
        report.append(outcome?, input, query);
    }
    if query.columns.weights && !fields.weight {
        report.unweighted = report.valid();
    }
    Ok(report)
}
