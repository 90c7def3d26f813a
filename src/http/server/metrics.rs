//! Metrics for Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Instant;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::certificate_expiry::ExpiryMetric;
use super::masks::MaskMetrics;
use super::replica::ReplicaMetrics;
use crate::images::SweepReport;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// The route pattern, never the path itself, which would make a time series for each URL.
    route: Arc<str>,
    method: Method,
    status: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(clippy::upper_case_acronyms, reason = "the label values are the HTTP method names")]
enum Method {
    GET,
    HEAD,
    POST,
    PUT,
    PATCH,
    DELETE,
    OPTIONS,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    outcome: CacheOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum CacheOutcome {
    Hit,
    Miss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RemovalLabels {
    reason: RemovalReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum RemovalReason {
    Expired,
    Evicted,
    Unfinished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IngestLabels {
    fate: IngestOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum IngestOutcome {
    Accepted,
    Rejected,
    BeyondMap,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    job: String,
    ending: RunOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum RunOutcome {
    Done,
    Failed,
}

/// A gauge for each job.
type PerJob = Family<[(&'static str, String); 1], Gauge>;
/// A histogram of the run duration of each job, in seconds.
type SecondsPerJob = Family<[(&'static str, String); 1], Histogram>;

/// A gauge for each layer.
type PerLayer = Family<[(&'static str, String); 1], Gauge>;

/// The metrics of the server.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) layer_points: PerLayer,
    pub(crate) layer_segments: PerLayer,
    pub(crate) layer_commits: PerLayer,
    pub(crate) damaged_segments: PerLayer,
    pub(crate) damaged_points: PerLayer,
    ingested: Family<IngestLabels, Counter>,
    repeated: Counter,
    merges: Counter,
    published: Counter,
    publication_failures: Counter,
    expired: Counter,
    pub(crate) writing: Gauge<i64, AtomicI64>,
    job_runs: Family<RunLabels, Counter>,
    job_seconds: SecondsPerJob,
    pub(crate) job_running: PerJob,
    pub(crate) job_success: PerJob,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    render_seconds: Histogram,
    price_ms: Histogram,
    cache: Family<CacheLabels, Counter>,
    removed: Family<RemovalLabels, Counter>,
    removed_bytes: Counter,
    sweep_failures: Counter,
    pub(crate) working: Gauge<i64, AtomicI64>,
    pub(crate) waiting: Gauge<i64, AtomicI64>,
    pub(crate) cache_bytes: Gauge<i64, AtomicI64>,
    pub(crate) body_bytes: Gauge<i64, AtomicI64>,
    pub(crate) connections: Gauge<i64, AtomicI64>,
    panics: Counter<u64, AtomicU64>,
    pub(crate) masks: MaskMetrics,
    pub(crate) certificate: ExpiryMetric,
    pub(crate) replica: Option<ReplicaMetrics>,
}

/// A timer of a render.
pub(crate) struct RenderTimer<'a> {
    start: Instant,
    histogram: &'a Histogram,
}

impl RenderTimer<'_> {
    /// Records the duration of a successful render.
    pub(crate) fn done(self) {
        self.histogram.observe(self.start.elapsed().as_secs_f64());
    }
}

/// The upper bounds of the histogram buckets in seconds.
const SECONDS: [f64; 15] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The upper bounds of the histogram buckets of prices in milliseconds.
const PRICES_MS: [f64; 12] = [1.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 2e6];

impl Metrics {
    /// Creates and registers all metrics, at 0: also those of a replica, if the server is one.
    pub(crate) fn new(is_replica: bool) -> Self {
        let mut registry = Registry::with_prefix("kiln");
        let new = Self {
            layer_points: Family::default(),
            damaged_segments: Family::default(),
            damaged_points: Family::default(),
            layer_segments: Family::default(),
            layer_commits: Family::default(),
            ingested: Family::default(),
            repeated: Counter::default(),
            merges: Counter::default(),
            published: Counter::default(),
            publication_failures: Counter::default(),
            expired: Counter::default(),
            writing: Gauge::default(),
            job_runs: Family::default(),
            job_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            job_running: Family::default(),
            job_success: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            render_seconds: Histogram::new(SECONDS),
            price_ms: Histogram::new(PRICES_MS),
            cache: Family::default(),
            removed: Family::default(),
            removed_bytes: Counter::default(),
            sweep_failures: Counter::default(),
            working: Gauge::default(),
            waiting: Gauge::default(),
            cache_bytes: Gauge::default(),
            body_bytes: Gauge::default(),
            connections: Gauge::default(),
            panics: Counter::default(),
            masks: MaskMetrics::register(&mut registry),
            certificate: ExpiryMetric::register(&mut registry),
            replica: is_replica.then(|| ReplicaMetrics::register(&mut registry)),
            registry: Registry::default(),
        };
        let build: Family<[(&'static str, &'static str); 1], Gauge> = Family::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        registry.register("build", "Version of the running server", build);
        registry.register("layer_points", "Number of points of each layer", new.layer_points.clone());
        registry.register("layer_segments", "Number of segments of each stored layer", new.layer_segments.clone());
        let help = "Commits of this server to each stored layer";
        registry.register("layer_commits", help, new.layer_commits.clone());
        let help = "Number of damaged segments of each damaged layer, which are left out; 1 if its manifest is damaged";
        registry.register("damaged_segments", help, new.damaged_segments.clone());
        let help = "Number of points in the damaged segments of each damaged layer";
        registry.register("damaged_points", help, new.damaged_points.clone());
        registry.register("ingest_points", "Points in write requests, by outcome", new.ingested.clone());
        let help = "Repeated requests, whose points an earlier request with the same Idempotency-Key had added";
        registry.register("ingest_repeated_requests", help, new.repeated.clone());
        registry.register("ingest_working", "Write requests in progress", new.writing.clone());
        registry.register("store_merges", "Merges of segments", new.merges.clone());
        let help = "Versions of layers that were published in the bucket of store.publish";
        registry.register("store_publications", help, new.published.clone());
        let help = "Publications in the bucket of store.publish that failed";
        registry.register("store_publication_failures", help, new.publication_failures.clone());
        registry.register(
            "store_expired_points",
            "Points removed by the retention of their layers",
            new.expired.clone(),
        );
        registry.register("job_runs", "Runs of each job, by outcome", new.job_runs.clone());
        let help = "Duration of a job run, without queueing";
        registry.register_with_unit("job_run", help, Unit::Seconds, new.job_seconds.clone());
        registry.register("job_running", "Whether each job is running, 1 or 0", new.job_running.clone());
        let help = "Unix time of the last successful run of each job";
        registry.register_with_unit("job_last_success_timestamp", help, Unit::Seconds, new.job_success.clone());
        registry.register("http_requests", "HTTP requests, by route, method and status", new.requests.clone());
        let help = "Time from the request headers to the response headers";
        registry.register_with_unit("http_request", help, Unit::Seconds, new.request_seconds.clone());
        let help = "Time to render and encode a picture, without queueing";
        registry.register_with_unit("render", help, Unit::Seconds, new.render_seconds.clone());
        let help =
            "Price of each request with work for the render threads, in milliseconds of estimated processor time";
        registry.register("request_price", help, new.price_ms.clone());
        registry.register("render_working", "Renders in progress", new.working.clone());
        registry.register("render_waiting", "Renders waiting in the queue", new.waiting.clone());
        registry.register("cache_requests", "Cache lookups, by hit or miss", new.cache.clone());
        registry.register_with_unit("cache", "Size of the cache in memory", Unit::Bytes, new.cache_bytes.clone());
        let help = "Size of the request bodies in memory, of at most limits.bodies";
        registry.register_with_unit("request_bodies", help, Unit::Bytes, new.body_bytes.clone());
        registry.register("connections", "Open connections", new.connections.clone());
        registry.register("images_removed", "Files removed by the image cleanup", new.removed.clone());
        let help = "Size of the pictures removed by the image cleanup";
        registry.register_with_unit("images_removed", help, Unit::Bytes, new.removed_bytes.clone());
        let help = "Files that the image cleanup could not remove, and failed cleanups";
        registry.register("images_remove_failures", help, new.sweep_failures.clone());
        registry.register("panics", "Requests that ended in a panic", new.panics.clone());
        Self { registry, ..new }
    }

    /// Records a response and its duration.
    pub(crate) fn request(&self, route: &Arc<str>, method: &axum::http::Method, status: u16, seconds: f64) {
        let method = match *method {
            axum::http::Method::GET => Method::GET,
            axum::http::Method::HEAD => Method::HEAD,
            axum::http::Method::POST => Method::POST,
            axum::http::Method::PUT => Method::PUT,
            axum::http::Method::PATCH => Method::PATCH,
            axum::http::Method::DELETE => Method::DELETE,
            axum::http::Method::OPTIONS => Method::OPTIONS,
            _ => Method::Other,
        };
        let labels = RequestLabels { route: Arc::clone(route), method, status: u32::from(status) };
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.get_or_create(&RouteLabels { route: Arc::clone(route) }).observe(seconds);
    }

    /// Starts the timer of a render.
    pub(crate) fn render(&self) -> RenderTimer<'_> {
        RenderTimer { start: Instant::now(), histogram: &self.render_seconds }
    }

    /// Records the price of a request in milliseconds.
    pub(crate) fn price(&self, ms: u64) {
        self.price_ms.observe(ms as f64);
    }

    /// Records a cache lookup.
    pub(crate) fn cache(&self, was_cached: bool) {
        let outcome = if was_cached { CacheOutcome::Hit } else { CacheOutcome::Miss };
        self.cache.get_or_create(&CacheLabels { outcome }).inc();
    }

    /// Records the points of a write request.
    pub(crate) fn ingested(&self, accepted: u64, rejected: u64, beyond_map: u64, repeated: bool) {
        for (fate, count) in [
            (IngestOutcome::Accepted, accepted),
            (IngestOutcome::Rejected, rejected),
            (IngestOutcome::BeyondMap, beyond_map),
        ] {
            self.ingested.get_or_create(&IngestLabels { fate }).inc_by(count);
        }
        self.repeated.inc_by(u64::from(repeated));
    }

    /// Records merges of segments.
    pub(crate) fn merged(&self, merges: u64) {
        self.merges.inc_by(merges);
    }

    /// Records versions that were published.
    pub(crate) fn published(&self, versions: u64) {
        self.published.inc_by(versions);
    }

    /// Records a publication that failed.
    pub(crate) fn publication_failed(&self) {
        self.publication_failures.inc();
    }

    /// Records points that were removed by retention.
    pub(crate) fn expired(&self, points: u64) {
        self.expired.inc_by(points);
    }

    /// Records a finished run of a job.
    pub(crate) fn job_ended(&self, job: &str, seconds: f64, is_done: bool) {
        let ending = if is_done { RunOutcome::Done } else { RunOutcome::Failed };
        let labels = RunLabels { job: job.to_owned(), ending };
        self.job_runs.get_or_create(&labels).inc();
        self.job_seconds.get_or_create(&[("job", job.to_owned())]).observe(seconds);
    }

    /// Records a panic.
    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    /// Records the files that the image cleanup removed.
    pub(crate) fn swept(&self, report: &SweepReport) {
        for (reason, count) in [
            (RemovalReason::Expired, report.expired),
            (RemovalReason::Evicted, report.evicted),
            (RemovalReason::Unfinished, report.unfinished),
        ] {
            self.removed.get_or_create(&RemovalLabels { reason }).inc_by(count);
        }
        self.removed_bytes.inc_by(report.bytes);
        self.sweep_failures.inc_by(report.failed);
    }

    /// Records an image cleanup that failed.
    pub(crate) fn sweep_failed(&self) {
        self.sweep_failures.inc();
    }
}
