//! Removal of pictures whose time to live is over.

use std::sync::Arc;

use tokio::time::MissedTickBehavior;

use crate::error::Result;
use crate::http::server::App;
use crate::http::server::clock::now_s;
use crate::images::{RetentionLimits, SweepReport};

/// Removes old pictures at once and then periodically, as long as the server runs.
pub(crate) async fn run(app: Arc<App>) {
    let mut ticks = tokio::time::interval(app.config.images.sweep_every.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let shared = Arc::clone(&app);
        let Ok(swept) = tokio::task::spawn_blocking(move || sweep(&shared)).await else { continue };
        match swept {
            Ok(swept) => {
                app.metrics.swept(&swept);
                let SweepReport { expired, evicted, unfinished, failed, bytes } = swept;
                if expired + evicted + unfinished + failed > 0 {
                    tracing::info!(expired, evicted, unfinished, failed, bytes, "swept");
                }
            }
            Err(error) => {
                app.metrics.sweep_failed();
                tracing::error!(%error, "the pictures could not be swept");
            }
        }
    }
}

fn sweep(app: &App) -> Result<SweepReport> {
    let keep = app.config.images.retention_limits();
    // A client that got the URL in the picture's last second still has time to fetch it.
    let keep = RetentionLimits { ttl_s: keep.ttl_s + keep.grace_s, ..keep };
    app.images.sweep(&keep, now_s())
}
