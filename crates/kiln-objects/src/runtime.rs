//! The runtime whose threads drive all connections, and waits for it that can be cancelled.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tracing::Dispatch;
use tracing::dispatcher::DefaultGuard;

/// Set once the transfers of the process are cancelled.
static IS_CANCELLED: AtomicBool = AtomicBool::new(false);

/// Cancels the transfers of the process: those in progress, and all later ones, fail with
/// [`ObjectErrorKind::Cancelled`](crate::ObjectErrorKind::Cancelled).
pub fn cancel_all() {
    IS_CANCELLED.store(true, Ordering::Relaxed);
}

/// The end of a wait.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// The future is complete.
    Complete(T),
    /// The wait was cancelled, and the future dropped.
    Cancelled,
    /// The runtime cannot start; the reason.
    NoRuntime(String),
}

/// The runtime.
///
/// # Errors
/// The reason, if the system has no threads for it.
pub(crate) fn runtime() -> Result<&'static Runtime, String> {
    /// Connections decrypt and copy only; decoding is on the threads of the callers.
    const THREADS: usize = 2;
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let start = || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("kiln-objects").on_thread_start(|| std::mem::forget(without_log()));
        let runtime = builder.enable_all().build();
        runtime.map_err(|error| error.to_string())
    };
    RUNTIME.get_or_init(start).as_ref().map_err(Clone::clone)
}

/// Discards log events of this thread until the guard is dropped: the client library logs each repetition of a request, with
/// texts of the server.
fn without_log() -> DefaultGuard {
    tracing::dispatcher::set_default(&Dispatch::none())
}

/// Blocks until `work` is complete, or `stop` or the flag of [`cancel_all`] is set.
pub(crate) fn wait<T>(stop: Option<&AtomicBool>, work: impl Future<Output = T>) -> Ended<T> {
    /// The time between two looks at the flags.
    const PERIOD: Duration = Duration::from_millis(50);
    let is_stopped = || IS_CANCELLED.load(Ordering::Relaxed) || stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return Ended::NoRuntime(reason),
    };
    if is_stopped() {
        return Ended::Cancelled;
    }
    let _without_log = without_log();
    runtime.block_on(async {
        let stopped = async {
            while !is_stopped() {
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::select! {
            biased;
            value = work => Ended::Complete(value),
            () = stopped => Ended::Cancelled,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[test]
    fn a_wait_ends_once_its_flag_is_set() {
        let stop = AtomicBool::new(false);
        assert!(matches!(wait(Some(&stop), async { 1 }), Ended::Complete(1)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(Some(&stop), pending::<()>()));
            stop.store(true, Ordering::Relaxed);
            assert!(matches!(waiting.join(), Ok(Ended::Cancelled)));
        });
        assert!(matches!(wait(Some(&stop), async { 1 }), Ended::Cancelled));
    }
}
