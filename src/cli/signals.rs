//! Ctrl-C and SIGTERM.
//!
//! A command ends with the exit code 128 + the number of the signal: 130 after Ctrl-C, 143 after SIGTERM. Work in
//! [`run_cancellable`] is cancelled first; other work ends at once, and so does every work at the second signal. No
//! unfinished output file remains. `kiln serve` completes the requests in progress, and returns 0.

use std::process;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;

use super::console::print_message;
use crate::error::{Error, Result};
use crate::images::AtomicFile;
use crate::unwind::OnDrop;

/// The time after which a person is told how to end a command that is being cancelled.
const PATIENCE: Duration = Duration::from_secs(2);

/// The state that the thread of signals shares with the command.
struct State {
    /// The number of the first signal.
    received: Option<u8>,
    /// The number of cancellable works that are running.
    cancellable: usize,
}

static STATE: Mutex<State> = Mutex::new(State { received: None, cancellable: 0 });
static CHANGED: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the signal that the command received, if any.
pub(super) fn received() -> Option<u8> {
    state().received
}

/// The exit code of a command that failed after a signal, if there was one.
pub(super) fn exit_code() -> Option<u8> {
    received().map(code_of)
}

fn code_of(signal: u8) -> u8 {
    128 + signal
}

/// A handler of Ctrl-C and SIGTERM, which replaces the default termination of the process.
pub(super) struct StopSignal {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 2],
}

impl StopSignal {
    const INTERRUPT: u8 = 2;
    #[cfg(unix)]
    const TERMINATE: u8 = 15;

    /// Installs the handler. Must be called within a Tokio runtime.
    pub(super) fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            // If no handler can be installed, the signal terminates the process.
            Self { signals: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()) }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for a signal, and returns its number.
    pub(super) async fn received(&mut self) -> u8 {
        #[cfg(unix)]
        {
            async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
                match signal {
                    Some(signal) => drop(signal.recv().await),
                    None => std::future::pending().await,
                }
            }
            let [interrupted, terminated] = &mut self.signals;
            tokio::select! {
                () = one(interrupted) => Self::INTERRUPT,
                () = one(terminated) => Self::TERMINATE,
            }
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Self::INTERRUPT
        }
    }

    /// Waits for a signal, and ends the process.
    pub(super) async fn end_process(mut self) {
        end_process(self.received().await);
    }
}

/// Ends the process without unfinished output files.
fn end_process(signal: u8) {
    AtomicFile::discard_all();
    process::exit(code_of(signal).into());
}

/// Handles signals from now on, on a thread of their own.
pub(super) fn watch() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
    let mut signals = {
        let _entered = runtime.enter();
        StopSignal::new()
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            let signal = signals.received().await;
            let is_cancellable = {
                let mut state = state();
                state.received = Some(signal);
                state.cancellable > 0
            };
            if !is_cancellable {
                print_message("kiln: cancelled");
                end_process(signal);
            }
            CHANGED.notify_all();
            // Waits for a server end at once.
            crate::objects::cancel_all();
            let end = signals.end_process();
            tokio::pin!(end);
            tokio::select! {
                () = &mut end => {}
                () = tokio::time::sleep(PATIENCE) => {}
            }
            if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
                print_message("kiln: stopping; press Ctrl-C again to end at once");
            }
            end.await;
        });
    });
    Ok(())
}

/// Runs `work`, and calls `stop`, which cancels it, on Ctrl-C or SIGTERM.
pub(super) fn run_cancellable<T>(stop: impl FnOnce() + Send, work: impl FnOnce() -> Result<T>) -> Result<T> {
    state().cancellable += 1;
    let is_done = Mutex::new(false);
    let done = || *is_done.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let waiting = |state: &mut State| state.received.is_none() && !done();
            let state = CHANGED.wait_while(state(), waiting).unwrap_or_else(PoisonError::into_inner);
            let is_received = state.received.is_some();
            drop(state);
            if is_received {
                stop();
            }
        });
        let _ended = OnDrop(|| {
            {
                // Under the lock, so that the waiting thread cannot miss the change.
                let mut state = state();
                state.cancellable -= 1;
                *is_done.lock().unwrap_or_else(PoisonError::into_inner) = true;
            }
            CHANGED.notify_all();
        });
        work()
    })
}

/// Fails if a signal was received: for work that cannot be cancelled, before it changes a file.
pub(super) fn check() -> Result<()> {
    if received().is_some() { Err(Error::Cancelled) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;

    #[test]
    fn a_panic_of_cancellable_work_ends_the_thread_that_waits_for_signals() {
        let run = || run_cancellable(|| {}, || -> Result<()> { resume_unwind(Box::new("work")) });
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"work"));
    }
}
