//! Prometheus metrics of masks.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::masks::MaskSweepReport;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Reason {
    Expired,
    Evicted,
    Deleted,
    Unfinished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: WebhookOutcome,
}

/// The outcome of a webhook delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum WebhookOutcome {
    /// The receiver returned a success status.
    Delivered,
    /// The request failed, or the URL is no longer allowed.
    Failed,
    /// The queue was full.
    Dropped,
}

/// Metrics of masks. Clones share the counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct MaskMetrics {
    count: Gauge<i64, AtomicI64>,
    bytes: Gauge<i64, AtomicI64>,
    created: Counter<u64, AtomicU64>,
    removed: Family<ReasonLabels, Counter>,
    removed_bytes: Counter<u64, AtomicU64>,
    failures: Counter<u64, AtomicU64>,
    pub(crate) cache_bytes: Gauge<i64, AtomicI64>,
    pub(crate) subscribers: Gauge<i64, AtomicI64>,
    clicks: Counter<u64, AtomicU64>,
    dropped_events: Counter<u64, AtomicU64>,
    webhooks: Family<OutcomeLabels, Counter>,
}

impl MaskMetrics {
    /// Registers the metrics in `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register("masks", "Masks in the folder", new.count.clone());
        registry.register_with_unit("masks", "Size of the masks in the folder", Unit::Bytes, new.bytes.clone());
        registry.register("masks_created", "Masks that were created", new.created.clone());
        registry.register("masks_removed", "Masks and unfinished files that were removed", new.removed.clone());
        let help = "Bytes of the masks that the cleanup removed";
        registry.register_with_unit("masks_removed", help, Unit::Bytes, new.removed_bytes.clone());
        let help = "Masks that the cleanup could not remove, and cleanups that failed";
        registry.register("masks_remove_failures", help, new.failures.clone());
        let help = "Size of the masks, levels and backgrounds in memory";
        registry.register_with_unit("mask_cache", help, Unit::Bytes, new.cache_bytes.clone());
        registry.register("mask_subscribers", "Open streams of events", new.subscribers.clone());
        registry.register("mask_clicks", "Clicks on masks", new.clicks.clone());
        let help = "Events that clients did not receive because they did not read";
        registry.register("mask_events_dropped", help, new.dropped_events.clone());
        registry.register("mask_webhooks", "Clicks for webhooks, by outcome", new.webhooks.clone());
        new
    }

    /// The number of masks.
    pub(super) fn count(&self) -> u64 {
        self.count.get().max(0) as u64
    }

    /// The size of the masks in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get().max(0) as u64
    }

    /// Counts a created mask.
    pub(super) fn created(&self, bytes: u64) {
        self.created.inc();
        self.count.inc();
        self.bytes.inner().fetch_add(bytes as i64, Ordering::Relaxed);
    }

    /// Updates the total size after the size of a mask changed, in bytes.
    pub(super) fn resized(&self, before: u64, after: u64) {
        self.bytes.inner().fetch_add(after as i64 - before as i64, Ordering::Relaxed);
    }

    /// Counts a mask of `bytes` bytes that was deleted by a request.
    pub(super) fn removed(&self, bytes: u64) {
        self.removed.get_or_create(&ReasonLabels { reason: Reason::Deleted }).inc();
        self.count.dec();
        self.bytes.inner().fetch_sub(bytes as i64, Ordering::Relaxed);
    }

    /// Counts the result of a sweep.
    pub(super) fn swept(&self, report: &MaskSweepReport) {
        let removed = &report.removed;
        for (reason, count) in [
            (Reason::Expired, removed.expired),
            (Reason::Evicted, removed.evicted),
            (Reason::Unfinished, removed.unfinished),
        ] {
            self.removed.get_or_create(&ReasonLabels { reason }).inc_by(count);
        }
        self.removed_bytes.inc_by(removed.bytes);
        self.failures.inc_by(removed.failed);
        self.count.set(report.count as i64);
        self.bytes.set(report.bytes as i64);
    }

    /// Counts a failed sweep.
    pub(crate) fn sweep_failed(&self) {
        self.failures.inc();
    }

    /// Counts a click, and the `dropped` events of slow clients.
    pub(crate) fn clicked(&self, dropped: usize) {
        self.clicks.inc();
        self.dropped_events.inc_by(dropped as u64);
    }

    /// Counts a webhook delivery by outcome.
    pub(crate) fn webhook(&self, outcome: WebhookOutcome) {
        self.webhooks.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}
