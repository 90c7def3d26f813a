//! Which layers of the store need maintenance.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::store::Progress;

/// Layers that need maintenance, and signals to its tasks.
#[derive(Debug, Default)]
pub(crate) struct MaintenanceQueue {
    /// For merges of few points.
    pub(crate) small: MergeQueue,
    /// For merges of many points.
    pub(crate) large: MergeQueue,
    described: Notify,
    pub(crate) progress: Progress,
}

/// Layers whose segments may be worth a merge.
#[derive(Debug, Default)]
pub(crate) struct MergeQueue {
    layers: Mutex<BTreeSet<String>>,
    added: Notify,
}

impl MergeQueue {
    /// Adds a layer.
    pub(crate) fn add(&self, layer: &str) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if !layers.contains(layer) {
            layers.insert(layer.to_owned());
        }
        self.added.notify_one();
    }

    /// Takes the next layer, once there is one.
    pub(crate) async fn next(&self) -> String {
        loop {
            let next = self.layers.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
            if let Some(layer) = next {
                return layer;
            }
            self.added.notified().await;
        }
    }
}

impl MaintenanceQueue {
    /// The points of a layer have changed.
    pub(crate) fn changed(&self, layer: &str) {
        self.small.add(layer);
    }

    /// The retention of a layer may have changed.
    pub(crate) fn described(&self) {
        self.described.notify_one();
    }

    /// Waits until the retention of a layer may have changed.
    pub(crate) async fn retention_changed(&self) {
        self.described.notified().await;
    }

    /// Stops the work that has begun.
    pub(crate) fn stop(&self) {
        self.progress.stop();
    }
}
