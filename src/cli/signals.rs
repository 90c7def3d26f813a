//! The end that others wish for: Ctrl-C and SIGTERM.

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// What tells that the process is asked to stop. From its making on, the process no longer ends by itself then.
pub(super) struct StopSignal {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 2],
}

impl StopSignal {
    /// Begins to listen. There must be a runtime.
    pub(super) fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            // Without a handler the system stops the process itself.
            Self { signals: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()) }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Over once the process is asked to stop.
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

/// Does `work`, and calls `stop`, which tells it to stop, once the process is asked to.
pub(super) fn stoppable<T>(stop: impl FnOnce() + Send, work: impl FnOnce() -> Result<T>) -> Result<T> {
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
