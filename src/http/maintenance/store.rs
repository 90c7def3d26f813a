//! Maintenance of the store: merges of segments, removal of expired points, and verification of all files.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::queue::{MaintenanceQueue, MergeQueue};
use crate::error::{Error, Result};
use crate::http::server::App;
use crate::http::server::clock::now_s;
use crate::store::{Progress, StoredLayer};

/// The maximum number of rows of a small merge. Larger ones run separately, so that they do not delay small ones.
const SMALL_ROWS: u64 = 1 << 22;
/// The interval between removals of expired points.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

/// Maintains the store while the server runs.
pub(crate) async fn run(app: Arc<App>) {
    if app.config.store.read_only {
        return;
    }
    tokio::join!(
        merge(&app, |queue| &queue.small, 0..=SMALL_ROWS),
        merge(&app, |queue| &queue.large, SMALL_ROWS + 1..=u64::MAX),
        expire(&app),
        verify(&app),
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
            let expired = with_layer(app, name.clone(), |progress, layer| {
                let Some(keep_s) = layer.snapshot().description().keep_s else { return Ok(0) };
                let now_us = i64::try_from(now_s()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                let keep_us = i64::try_from(keep_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                layer.expire(now_us.saturating_sub(keep_us), 1, progress)
            });
            if let Some(points) = expired.await.filter(|points| *points > 0) {
                tracing::info!(layer = name, points, "removed expired points");
                app.metrics.expired(points);
            }
        }
    }
}

/// Verifies all files once, to find damaged ones soon after the start.
async fn verify(app: &Arc<App>) {
    for name in layer_names(app).await {
        // A damaged segment is logged, and skipped from then on.
        with_layer(app, name, |_, layer| Ok(layer.verify())).await;
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
