//! Periodic removal of expired masks.

use std::sync::Arc;

use tokio::time::MissedTickBehavior;

use crate::http::server::App;
use crate::http::server::clock::now_s;
use crate::images::{RetentionLimits, SweepReport};

/// Removes expired masks immediately and then at the sweep interval of images, until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut ticks = tokio::time::interval(app.config.images.sweep_every.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let shared = Arc::clone(&app);
        let sweep = move || {
            let keep = shared.config.masks.keep();
            // Requests that found a mask shortly before its expiry can still read its files.
            let keep = RetentionLimits { ttl_s: keep.ttl_s + keep.grace_s, ..keep };
            shared.masks.sweep(&keep, now_s())
        };
        let Ok(swept) = tokio::task::spawn_blocking(sweep).await else { continue };
        match swept {
            Ok(report) => {
                let SweepReport { expired, evicted, unfinished, failed, bytes } = report.removed;
                if expired + evicted + unfinished + failed > 0 {
                    tracing::info!(expired, evicted, unfinished, failed, bytes, "removed masks");
                }
            }
            Err(error) => {
                app.masks.metrics.sweep_failed();
                tracing::error!(%error, "cannot remove expired masks");
            }
        }
    }
}
