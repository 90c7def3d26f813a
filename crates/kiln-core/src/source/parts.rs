//! Parts of an input shared out to worker threads, and their reports put together again.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::batch::RowFields;
use super::row_sink::RowSink;
use super::{CoordinateSpace, Query, ScanReport, Sink};
use crate::error::{Error, Result};
use crate::parallel::spawn_each;
use crate::parameter::Parameter;

/// What a reader does with one part: tell all its rows to the row sink. `Break` is the row sink's answer passed on.
pub type PartResult = Result<ControlFlow<()>>;

/// Reads `parts` parts of the input named `input`, one worker thread per sink; each worker takes the next part that
/// is left, so with one sink the parts come in order.
///
/// `has` is what every row will have. Rows are numbered within a part by the row sink; here they become numbers within the
/// input.
///
/// # Errors
/// The first of `read_part`, in the order of the parts; [`Error::Cancelled`] if a sink or the query stopped the scan.
pub fn scan_parts(
    input: &str,
    parts: usize,
    query: &Query<'_>,
    has: RowFields,
    sinks: &mut [&mut Sink<'_>],
    read_part: impl Fn(usize, &mut RowSink<'_, '_>) -> PartResult + Sync,
) -> Result<ScanReport> {
    if query.filter.polygon.is_some() && query.columns.space == CoordinateSpace::Plane {
        return Err(Error::invalid(Parameter::POLYGON, "it is in degrees, so that it cannot filter points on a plane"));
    }
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let outcomes: Mutex<Vec<(usize, Result<ScanReport>)>> = Mutex::new(Vec::new());
    spawn_each(sinks.iter_mut().take(parts.max(1)), |sink| {
        while !stopped.load(Ordering::Relaxed) {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                break;
            }
            let mut row_sink = RowSink::new(query, sink, has);
            // A sink that sees nothing, because no row passes, cannot stop.
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
    let mut whole = ScanReport::default();
    for (_, outcome) in outcomes {
        whole.append(outcome?, input, query);
    }
    if query.columns.weights && !has.weight {
        whole.unweighted = whole.valid();
    }
    Ok(whole)
}
