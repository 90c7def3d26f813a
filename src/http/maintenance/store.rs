//! What is done for the layers of the store beside the requests: merges, removal of old points, and a look at all files.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::{Error, Result};
use crate::http::server::App;
use crate::store::{Progress, Store, StoredLayer};

/// What there is to do, and how whoever does it is told.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    small: Lane,
    large: Lane,
    described: Notify,
    /// Told to stop when the server ends.
    progress: Progress,
}

/// Layers whose segments may be worth a merge.
#[derive(Debug, Default)]
struct Lane {
    layers: Mutex<BTreeSet<String>>,
    told: Notify,
}

impl Lane {
    fn add(&self, layer: &str) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if !layers.contains(layer) {
            layers.insert(layer.to_owned());
        }
        self.told.notify_one();
    }

    async fn next(&self) -> String {
        loop {
            let next = self.layers.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
            if let Some(layer) = next {
                return layer;
            }
            self.told.notified().await;
        }
    }
}

impl Maintenance {
    /// Merges of more points take their time, in which the smaller ones must not pile up.
    const SMALL_ROWS: u64 = 1 << 22;
    /// How often old points are removed.
    const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

    /// The points of a layer have changed.
    pub(crate) fn changed(&self, layer: &str) {
        self.small.add(layer);
    }

    /// It was said how long points stay.
    pub(crate) fn described(&self) {
        self.described.notify_one();
    }

    /// Ends the work that is at it.
    pub(crate) fn stop(&self) {
        self.progress.stop();
    }
}

/// Looks after the store as long as the server runs.
pub(crate) async fn keep_up(app: Arc<App>) {
    if app.config.store.read_only || app.catalog.store().is_none() {
        return;
    }
    tokio::join!(
        merge(&app, |maintenance| &maintenance.small, 0..=Maintenance::SMALL_ROWS),
        merge(&app, |maintenance| &maintenance.large, Maintenance::SMALL_ROWS + 1..=u64::MAX),
        expire(&app),
        verify(&app),
    );
}

/// Merges segments of the layers of a lane.
async fn merge(app: &Arc<App>, lane: fn(&Maintenance) -> &Lane, rows: RangeInclusive<u64>) {
    for name in app.names().await {
        lane(&app.maintenance).add(&name);
    }
    loop {
        let name = lane(&app.maintenance).next().await;
        let rows = rows.clone();
        let done = app.work_on(name.clone(), move |maintenance, layer| {
            let mut merges = 0;
            while layer.compact_some(rows.clone(), 1, &maintenance.progress)? {
                merges += 1;
            }
            Ok(merges)
        });
        let merges = done.await.unwrap_or(0);
        app.metrics.merged(merges);
        if merges > 0 {
            app.maintenance.large.add(&name);
        }
    }
}

/// Removes points that are older than their layers keep them.
async fn expire(app: &Arc<App>) {
    let mut ticks = tokio::time::interval(Maintenance::EXPIRE_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.maintenance.described.notified() => {}
        }
        for name in app.names().await {
            // Other processes add points too.
            app.maintenance.changed(&name);
            let expired = app.work_on(name.clone(), |maintenance, layer| {
                let Some(keep_s) = layer.snapshot().description().keep_s else { return Ok(0) };
                let now_us =
                    i64::try_from(crate::http::routes::images::now_s()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                let keep_us = i64::try_from(keep_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                layer.expire(now_us.saturating_sub(keep_us), 1, &maintenance.progress)
            });
            if let Some(points) = expired.await.filter(|points| *points > 0) {
                tracing::info!(layer = name, points, "removed what was too old");
                app.metrics.expired(points);
            }
        }
    }
}

/// Reads all files once, so that one that is damaged is known before it is served for long.
async fn verify(app: &Arc<App>) {
    for name in app.names().await {
        // What is damaged is told in the log, and left out from then on.
        app.work_on(name, |_, layer| Ok(layer.verify())).await;
    }
}

impl App {
    /// The layers of the store.
    async fn names(self: &Arc<Self>) -> Vec<String> {
        let app = Arc::clone(self);
        let names = tokio::task::spawn_blocking(move || app.catalog.store().map_or(Ok(Vec::new()), Store::names));
        match names.await {
            Ok(Ok(names)) => names,
            Ok(Err(error)) => {
                tracing::error!(%error, "the store cannot be read");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Does `work` on a layer; `None` where it failed, or there is no such layer any more.
    async fn work_on<T: Send + 'static>(
        self: &Arc<Self>,
        name: String,
        work: impl FnOnce(&Maintenance, &StoredLayer) -> Result<T> + Send + 'static,
    ) -> Option<T> {
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let Some(layer) = app.catalog.store().map_or(Ok(None), |store| store.layer(&name))? else {
                return Ok(None);
            };
            let done = work(&app.maintenance, &layer).map(Some);
            match done {
                // It was changed or removed meanwhile: there is a next time.
                Err(Error::Cancelled) => Ok(None),
                Err(error) if app.catalog.store().is_some_and(|store| matches!(store.layer(&name), Ok(None))) => {
                    tracing::debug!(layer = name, %error, "removed meanwhile");
                    Ok(None)
                }
                Err(error) => {
                    tracing::error!(layer = name, %error, "maintenance failed");
                    Err(error)
                }
                done => done,
            }
        });
        done.await.ok()?.ok().flatten()
    }
}
