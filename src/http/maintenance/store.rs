//! Maintenance of the store: merges of segments, removal of expired points, and verification of all files.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::queue::{MaintenanceQueue, MergeQueue};
use super::retention::expire_before_us_at;
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::http::server::App;
use crate::parameters::time_text;
use crate::store::{ClockCheck, Expiry, Progress, StoredLayer};

/// The maximum number of rows of a small merge. Larger ones run separately, so that they do not delay small ones.
const SMALL_ROWS: u64 = 1 << 22;
/// The interval between verifications of all files. Reads verify a file once, so damage that appears later is found by the
/// next verification.
const VERIFY_EVERY: Duration = Duration::from_secs(24 * 3600);
/// The interval between removals of expired points.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

/// The interval between removals of files whose grace time has passed. Commits remove those of their layer, too.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Maintains the store while the server runs.
pub(crate) async fn run(app: Arc<App>) {
    if app.config.store.is_read_only() {
        return verify(&app, VERIFY_EVERY).await;
    }
    tokio::join!(
        merge(&app, |queue| &queue.small, 0..=SMALL_ROWS),
        merge(&app, |queue| &queue.large, SMALL_ROWS + 1..=u64::MAX),
        expire(&app),
        sweep_removed(&app),
        verify(&app, VERIFY_EVERY),
    );
}

/// Merges segments of the layers in a queue.
async fn merge(app: &Arc<App>, queue: fn(&MaintenanceQueue) -> &MergeQueue, rows: RangeInclusive<u64>) {
    for name in layer_names(app).await {
        queue(&app.maintenance).add(&name);
    }
    loop {
        let name = queue(&app.maintenance).next().await;
        let rows = rows.clone();
        let merges = with_layer(app, name.clone(), move |progress, layer| {
            let mut merges = 0;
            while layer.compact_some(rows.clone(), 1, progress)? {
                merges += 1;
            }
            Ok(merges)
        });
        let merges = merges.await.unwrap_or(0);
        app.metrics.merged(merges);
        if merges > 0 {
            app.maintenance.large.add(&name);
        }
    }
}

/// Removes the files of removed segments and layers whose grace time has passed.
async fn sweep_removed(app: &Arc<App>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let app = Arc::clone(app);
        // A panic is logged by its hook.
        let _ = tokio::task::spawn_blocking(move || app.store.sweep_removed()).await;
    }
}

/// Removes points that are older than the retention of their layers.
async fn expire(app: &Arc<App>) {
    let mut ticks = tokio::time::interval(EXPIRE_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.maintenance.retention_changed() => {}
        }
        for name in layer_names(app).await {
            // Other processes add points too.
            app.maintenance.notify_points_changed(&name);
            let store = Arc::clone(app);
            let expired = with_layer(app, name.clone(), move |progress, layer| {
                let snapshot = layer.snapshot();
                // Also without a retention, so that a later one compares the clock with earlier readings.
                let clock = store.store.check_clock(&snapshot);
                let Some(keep_s) = snapshot.description().keep_s else { return Ok(0) };
                match clock {
                    ClockCheck::Plausible(now_s) => {
                        let before_us = expire_before_us_at(now_s, keep_s);
                        warn_of_loss(layer.name(), keep_s, before_us, snapshot.expiry(before_us));
                        layer.expire(before_us, 1, progress)
                    }
                    ClockCheck::Jumped { now_s, before_s } => {
                        let expiry = snapshot.expiry(expire_before_us_at(now_s, keep_s));
                        warn_of_jump(layer.name(), now_s, before_s, expiry);
                        Ok(0)
                    }
                }
            });
            if let Some(points) = expired.await.filter(|points| *points > 0) {
                tracing::info!(layer = name, points, "removed expired points");
                app.metrics.expired(points);
            }
        }
    }
}

/// Warns before a large part of a layer is removed, which is usual only of points that arrive continuously.
fn warn_of_loss(layer: &str, keep_s: u64, before_us: i64, expiry: Expiry) {
    if !expiry.is_large() {
        return;
    }
    let [first, last] = expiry.time_us.unwrap_or_default().map(time_text);
    let keep = TimeSpan::from_secs(keep_s).to_string();
    let (points, expired, before) = (expiry.points, expiry.expired, time_text(before_us));
    tracing::warn!(
        layer,
        expired,
        points,
        keep,
        before,
        first,
        last,
        "the retention of the layer removes a large part of its points"
    );
}

/// Warns that old points stay because the clock has jumped.
fn warn_of_jump(layer: &str, now_s: u64, before_s: u64, Expiry { points, expired, .. }: Expiry) {
    if expired == 0 {
        return;
    }
    let [now, before] =
        [now_s, before_s].map(|time_s| time_text(i64::try_from(time_s).unwrap_or(i64::MAX).saturating_mul(1_000_000)));
    tracing::warn!(
        layer,
        now,
        before,
        expired,
        points,
        "the clock has jumped by more than a day since the last check, so no points are removed by their age until points \
         of the new time arrive, or the clock has run for a day"
    );
}

/// Verifies all files soon after the start, and then again after each interval.
async fn verify(app: &Arc<App>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    // A verification of a large store may take long; the next one follows after a full interval.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for name in layer_names(app).await {
            // A damaged segment is logged, and skipped from then on.
            with_layer(app, name, |_, layer| Ok(layer.verify())).await;
        }
    }
}

/// The names of the layers in the store.
async fn layer_names(app: &Arc<App>) -> Vec<String> {
    let app = Arc::clone(app);
    let names = tokio::task::spawn_blocking(move || app.store.names());
    match names.await {
        Ok(Ok(names)) => names,
        Ok(Err(error)) => {
            tracing::error!(%error, "failed to read the store");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

/// Runs `work` on a layer; returns `None` if it failed, or the layer was removed.
async fn with_layer<T: Send + 'static>(
    app: &Arc<App>,
    name: String,
    work: impl FnOnce(&Progress, &StoredLayer) -> Result<T> + Send + 'static,
) -> Option<T> {
    let app = Arc::clone(app);
    let task = tokio::task::spawn_blocking(move || {
        let Some(layer) = app.store.layer(&name)? else {
            return Ok(None);
        };
        match work(&app.maintenance.progress, &layer).map(Some) {
            // A concurrent change cancels the work; the next change or tick retries it.
            Err(Error::Cancelled) => Ok(None),
            Err(error) if matches!(app.store.layer(&name), Ok(None)) => {
                tracing::debug!(layer = name, %error, "the layer was removed");
                Ok(None)
            }
            Err(error) => {
                tracing::error!(layer = name, %error, "maintenance failed");
                Err(error)
            }
            result => result,
        }
    });
    task.await.ok()?.ok().flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::config::{Config, ImagesConfig, StoreConfig};
    use crate::geo::Points;
    use crate::store::{Batch, Description, Store};

    /// Flips a bit in the middle of a file, in place.
    fn flip(path: &Path) {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let (at, mut byte) = (file.metadata().unwrap().len() / 2, [0]);
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn all_files_are_verified_again_after_each_interval() {
        const MAX_WAIT: Duration = Duration::from_secs(60);
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("store");
        let layer = Store::open(&folder).unwrap().create("points", Description::default()).unwrap();
        for lon in [1.0, 2.0] {
            let mut batch = Batch::default();
            batch.add(Points::new(&[lon; 1000], &[3.0; 1000]).unwrap());
            layer.append(batch, None).unwrap();
        }
        let store = StoreConfig { folder: folder.clone(), ..StoreConfig::default() };
        let images = ImagesConfig { folder: home.path().join("images"), ..ImagesConfig::default() };
        let mut config = Config::default();
        (config.store, config.images) = (store, images);
        let app = Arc::new(App::new(config).unwrap());
        let served = app.store.layer("points").unwrap().unwrap();
        let version = served.snapshot().version();
        assert!(served.snapshot().damaged().is_empty());

        let maintained = Arc::clone(&app);
        let task = tokio::spawn(async move { verify(&maintained, Duration::from_millis(1)).await });
        // A pass that finds the second segment has verified the first one, so that only a later pass finds that.
        for (found, segment) in [(1, "00000002"), (2, "00000001")] {
            flip(&folder.join(format!("points/{segment}.points.arrow")));
            let start = Instant::now();
            while served.snapshot().damaged().len() < found {
                assert!(start.elapsed() < MAX_WAIT, "{segment} is never found");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        task.abort();
        assert_eq!(served.snapshot().points(), 0);
        assert_ne!(served.snapshot().version(), version);
    }
}
