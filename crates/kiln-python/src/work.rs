//! Work without the lock of the interpreter, which Ctrl-C cancels.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::error::exception;

/// The time between two checks for signals.
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// Runs `work` on a thread of its own while other Python threads run. On Ctrl-C, or any other signal whose Python handler
/// raises an exception, its flag is set, and the exception is returned once the work has ended.
pub(crate) fn run<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> kiln::Result<T> + Send) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    let (outcome, interrupt) = py.detach(|| {
        let (done, is_done) = channel::<()>();
        thread::scope(|scope| {
            let stop = &stop;
            let worker = scope.spawn(move || {
                let outcome = work(stop);
                drop(done);
                outcome
            });
            let mut interrupt = None;
            while is_done.recv_timeout(CHECK_EVERY) == Err(RecvTimeoutError::Timeout) {
                if interrupt.is_none() {
                    // Only the main thread of Python receives signals; on others this does nothing.
                    #[allow(clippy::redundant_closure_for_method_calls, reason = "the method is of one lifetime only")]
                    let checked = Python::attach(|py| py.check_signals());
                    interrupt = checked.err();
                    stop.store(interrupt.is_some(), Ordering::Relaxed);
                }
            }
            (worker.join(), interrupt)
        })
    });
    match (outcome, interrupt) {
        (_, Some(interrupt)) => Err(interrupt),
        (Ok(outcome), None) => outcome.map_err(exception),
        // pyo3 raises a panic as an exception of its own.
        (Err(panic), None) => std::panic::resume_unwind(panic),
    }
}
