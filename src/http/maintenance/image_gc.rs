//! Removal of expired pictures.

use std::sync::Arc;

use tokio::time::MissedTickBehavior;

use crate::error::Result;
use crate::http::server::App;
use crate::http::server::clock::now_s;
use crate::images::{RetentionLimits, SweepReport};

/// Removes expired pictures immediately and then periodically, while the server runs.
pub(crate) async fn run(app: Arc<App>) {
    let mut ticks = tokio::time::interval(app.config.images.sweep_every.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let shared = Arc::clone(&app);
        let Ok(result) = tokio::task::spawn_blocking(move || sweep(&shared)).await else { continue };
        match result {
            Ok(report) => {
                app.metrics.swept(&report);
                let SweepReport { expired, evicted, unfinished, failed, bytes } = report;
                if expired + evicted + unfinished + failed > 0 {
                    tracing::info!(expired, evicted, unfinished, failed, bytes, "removed old pictures");
                }
            }
            Err(error) => {
                app.metrics.sweep_failed();
                tracing::error!(%error, "failed to remove old pictures");
            }
        }
    }
}

fn sweep(app: &App) -> Result<SweepReport> {
    let keep = app.config.images.retention_limits();
    // A client that received the URL just before the picture expires still has time to fetch it.
    let keep = RetentionLimits { ttl_s: keep.ttl_s + keep.grace_s, ..keep };
    app.images.sweep(&keep, now_s())
}
