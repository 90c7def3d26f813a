//! Shutdown on Ctrl-C or SIGTERM.

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// A handler of Ctrl-C and SIGTERM, which replaces the default termination of the process.
pub(super) struct StopSignal {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 2],
}

impl StopSignal {
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

    /// Waits for a signal.
    pub(super) async fn received(self) {
        #[cfg(unix)]
        {
            async fn one(signal: Option<tokio::signal::unix::Signal>) {
                match signal {
                    Some(mut signal) => drop(signal.recv().await),
                    None => std::future::pending().await,
                }
            }
            let [interrupted, terminated] = self.signals;
            tokio::select! {
                () = one(interrupted) => {}
                () = one(terminated) => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Runs `work`, and calls `stop`, which cancels it, on Ctrl-C or SIGTERM.
pub(super) fn run_cancellable<T>(stop: impl FnOnce() + Send, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
    let signal = {
        let _entered = runtime.enter();
        StopSignal::new()
    };
    let (done, is_done) = oneshot::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = signal.received() => stop(),
                    _ = is_done => {}
                }
            });
        });
        let result = work();
        drop(done);
        result
    })
}
