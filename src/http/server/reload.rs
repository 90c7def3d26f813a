//! The configuration that is read again after a signal.

use std::sync::Arc;

use super::app::App;
use crate::config::Config;
use crate::error::{Error, Result};

/// Loads the configuration again, as it was loaded when the server started.
pub(super) type LoadConfig = Arc<dyn Fn() -> Result<Config> + Send + Sync>;

/// Reads the configuration again after each SIGHUP. An invalid one is logged, and changes nothing.
pub(super) async fn reload_on_signal(app: Arc<App>, load: Option<LoadConfig>) {
    let Some(load) = load else { return };
    let Some(mut signals) = Signals::new() else { return };
    while signals.next().await {
        reload(&app, &load).await;
    }
}

/// Loads the configuration, and replaces what can change while the server runs: the keys.
async fn reload(app: &Arc<App>, load: &LoadConfig) {
    let (shared, load) = (Arc::clone(app), Arc::clone(load));
    let work = tokio::task::spawn_blocking(move || {
        let config = load()?;
        let keys = shared.replace_keys(&config)?;
        if config.server.token != shared.config.server.token {
            tracing::warn!(
                "server.token has changed, but the previous token remains valid until the server is restarted"
            );
        }
        Ok(keys)
    });
    let outcome =
        work.await.unwrap_or_else(|error| Err(Error::io("the configuration", "read", std::io::Error::other(error))));
    match outcome {
        Ok(keys) => tracing::info!(
            keys,
            "the keys and server.signing_secret were read again; changes of other parts of the configuration need a restart"
        ),
        Err(error) => tracing::error!(%error, "the configuration is invalid; the previous keys remain"),
    }
}

/// The SIGHUP signals.
struct Signals {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    /// Installs the handler; `None` where there is no such signal.
    #[cfg(unix)]
    fn new() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::hangup()).ok().map(|hangup| Self { hangup })
    }

    #[cfg(not(unix))]
    fn new() -> Option<Self> {
        None
    }

    /// Waits for the next signal; `false` if there will be none.
    async fn next(&mut self) -> bool {
        #[cfg(unix)]
        return self.hangup.recv().await.is_some();
        #[cfg(not(unix))]
        false
    }
}
