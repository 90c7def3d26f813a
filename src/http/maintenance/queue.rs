//! The queues of stored layers that need maintenance.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::store::Progress;

/// The layers that need maintenance, and signals to the maintenance tasks.
#[derive(Debug, Default)]
pub(crate) struct MaintenanceQueue {
    /// Queue for merges of few points.
    pub(crate) small: MergeQueue,
    /// Queue for merges of many points.
    pub(crate) large: MergeQueue,
    retention_changed: Notify,
    pub(crate) progress: Progress,
}

/// Layers whose segments may need a merge.
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

    /// Waits for a layer and removes it from the queue.
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
    /// Queues a layer whose points have changed.
    pub(crate) fn notify_points_changed(&self, layer: &str) {
        self.small.add(layer);
    }

    /// Signals that the retention of a layer may have changed.
    pub(crate) fn notify_retention_changed(&self) {
        self.retention_changed.notify_one();
    }

    /// Waits until the retention of a layer may have changed.
    pub(crate) async fn retention_changed(&self) {
        self.retention_changed.notified().await;
    }

    /// Cancels running maintenance.
    pub(crate) fn stop(&self) {
        self.progress.stop();
    }
}
