//! Publication of changed layers in the bucket of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::MissedTickBehavior;

use crate::config::TimeSpan;
use crate::error::Result;
use crate::http::server::App;
use crate::store::{Bucket, CopyProgress, PublishOptions, Store};

/// The layers as they were published last.
#[derive(Debug, Default)]
struct Published {
    /// The state of each layer that was published.
    states: BTreeMap<String, u64>,
    /// The error of each layer that could not be published, which was logged.
    failures: BTreeMap<String, String>,
}

/// Publishes the layers of the store once, and then each that has changed, until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let Some(bucket) = app.publication.clone() else { return };
    let mut ticks = tokio::time::interval(app.config.store.refresh.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut published = Published::default();
    loop {
        ticks.tick().await;
        let (app, bucket) = (Arc::clone(&app), Arc::clone(&bucket));
        let work = move || {
            published.publish_changed(&app, &*bucket);
            published
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(state) => published = state,
            // A panic was logged by its hook, and at the end of the server there is nothing to do.
            Err(_) => return,
        }
    }
}

impl Published {
    fn publish_changed(&mut self, app: &App, bucket: &dyn Bucket) {
        let names = match app.store.names() {
            Ok(names) => names,
            Err(error) => return self.fail(app, "", &error.to_string()),
        };
        self.failures.remove("");
        let grace = app.config.store.grace.filter(|grace| grace.as_secs() > 0);
        let defaults = PublishOptions::default();
        let options = PublishOptions { grace: grace.map_or(defaults.grace, TimeSpan::duration), ..defaults };
        for name in &names {
            match self.publish(&app.store, name, bucket, &options) {
                Ok(is_new) => {
                    app.metrics.published(u64::from(is_new));
                    if self.failures.remove(name).is_some() {
                        tracing::info!(layer = name, bucket = bucket.url(), "the layer is published again");
                    }
                }
                // The layer was removed in the meantime.
                Err(_) if matches!(app.store.layer(name), Ok(None)) => {}
                Err(error) => self.fail(app, name, &error.to_string()),
            }
        }
        let removed = |name: &String| !names.contains(name) && app.store.is_in_place();
        for name in self.states.keys().filter(|name| removed(name)) {
            tracing::warn!(
                layer = name,
                "the layer was removed from the store, and stays in the bucket; `kiln publish --remove {name}` removes it there"
            );
        }
        self.states.retain(|name, _| names.contains(name));
        self.failures.retain(|name, _| names.contains(name));
    }

    /// Publishes a layer if it has changed. Returns whether the bucket has a new version.
    fn publish(&mut self, store: &Store, name: &str, bucket: &dyn Bucket, options: &PublishOptions) -> Result<bool> {
        // Read first: a change during the publication is published at the next tick.
        let state = store.state_of(name)?;
        if state.is_none() || self.states.get(name).copied() == state {
            return Ok(false);
        }
        let report = store.publish(name, bucket, options, &CopyProgress::default())?;
        self.states.extend(state.map(|state| (name.to_owned(), state)));
        if report.is_new {
            let (version, uploaded) = (report.version, report.uploaded);
            tracing::info!(layer = name, version, uploaded, bucket = bucket.url(), "published");
        }
        Ok(report.is_new)
    }

    /// Logs a failure once. It is repeated at the next tick.
    fn fail(&mut self, app: &App, name: &str, error: &str) {
        app.metrics.publication_failed();
        if self.failures.insert(name.to_owned(), error.to_owned()).as_deref() != Some(error) {
            tracing::error!(layer = name, error, "the layer cannot be published; it is tried again");
        }
    }
}
