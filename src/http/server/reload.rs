//! The configuration that is read again after a signal.

use std::sync::Arc;

use super::app::App;
use super::hangup::Hangup;
use crate::config::Config;
use crate::error::{Error, Result};

/// Loads the configuration again, as it was loaded when the server started.
pub(super) type LoadConfig = Arc<dyn Fn() -> Result<Config> + Send + Sync>;

/// Reads the configuration again after each SIGHUP. An invalid one is logged, and changes nothing.
pub(super) async fn reload_on_signal(app: Arc<App>, load: Option<LoadConfig>, mut hangup: Hangup) {
    let Some(load) = load else { return };
    loop {
        hangup.received().await;
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
