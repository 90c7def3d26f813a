//! The cleanup of pictures whose time is over.

use std::sync::Arc;

use tokio::time::MissedTickBehavior;

use crate::http::routes::images::now_s;
use crate::http::server::App;
use crate::images::Keep;

/// Sweeps the folder of pictures at once, and then every so often, as long as the server runs.
pub(crate) async fn sweep_forever(app: Arc<App>) {
    let mut ticks = tokio::time::interval(app.config.images.sweep_every.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let there = Arc::clone(&app);
        let Ok(swept) = tokio::task::spawn_blocking(move || there.sweep()).await else { continue };
        match swept {
            Ok(swept) => {
                app.metrics.swept(&swept);
                if swept.expired + swept.evicted + swept.unfinished + swept.failed > 0 {
                    let (expired, evicted, unfinished, failed) =
                        (swept.expired, swept.evicted, swept.unfinished, swept.failed);
                    tracing::info!(expired, evicted, unfinished, failed, bytes = swept.bytes, "swept");
                }
            }
            Err(error) => {
                app.metrics.sweep_failed();
                tracing::error!(%error, "the pictures could not be swept");
            }
        }
    }
}

impl App {
    fn sweep(&self) -> crate::Result<crate::images::Swept> {
        let keep = self.config.images.keep();
        // Whoever was handed a picture in its last second still has a while to fetch it.
        let keep = Keep { ttl_s: keep.ttl_s + keep.grace_s, ..keep };
        self.images.sweep(&keep, now_s())
    }
}
