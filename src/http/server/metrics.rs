//! Counters for Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Instant;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::masks::MaskMetrics;
use crate::images::SweepReport;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// The address's pattern, never the address itself: there are few of them.
    route: Arc<str>,
    method: Method,
    status: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(clippy::upper_case_acronyms, reason = "as the methods are written")]
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
struct OutcomeLabels {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Hit,
    Miss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Reason {
    Expired,
    Evicted,
    Unfinished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FateLabels {
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Fate {
    Accepted,
    Rejected,
    BeyondMap,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    job: String,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Ending {
    Done,
    Failed,
}

/// A number for each job.
type PerJob = Family<[(&'static str, String); 1], Gauge>;
/// The seconds of each job's runs.
type SecondsPerJob = Family<[(&'static str, String); 1], Histogram>;

/// A number for each layer.
type PerLayer = Family<[(&'static str, String); 1], Gauge>;

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) layer_points: PerLayer,
    pub(crate) layer_segments: PerLayer,
    pub(crate) layer_commits: PerLayer,
    ingested: Family<FateLabels, Counter>,
    repeated: Counter,
    merges: Counter,
    expired: Counter,
    pub(crate) writing: Gauge<i64, AtomicI64>,
    job_runs: Family<RunLabels, Counter>,
    job_seconds: SecondsPerJob,
    pub(crate) job_running: PerJob,
    pub(crate) job_success: PerJob,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    render_seconds: Histogram,
    cache: Family<OutcomeLabels, Counter>,
    removed: Family<ReasonLabels, Counter>,
    removed_bytes: Counter,
    sweep_failures: Counter,
    pub(crate) working: Gauge<i64, AtomicI64>,
    pub(crate) waiting: Gauge<i64, AtomicI64>,
    pub(crate) cache_bytes: Gauge<i64, AtomicI64>,
    pub(crate) connections: Gauge<i64, AtomicI64>,
    panics: Counter<u64, AtomicU64>,
    pub(crate) masks: MaskMetrics,
}

/// The time that a render takes.
pub(crate) struct RenderTimer<'a> {
    start: Instant,
    histogram: &'a Histogram,
}

impl RenderTimer<'_> {
    /// The render has ended well.
    pub(crate) fn done(self) {
        self.histogram.observe(self.start.elapsed().as_secs_f64());
    }
}

/// From half a millisecond to half a minute.
const SECONDS: [f64; 15] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Metrics {
    /// All counters at 0.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("kiln");
        let new = Self {
            layer_points: Family::default(),
            layer_segments: Family::default(),
            layer_commits: Family::default(),
            ingested: Family::default(),
            repeated: Counter::default(),
            merges: Counter::default(),
            expired: Counter::default(),
            writing: Gauge::default(),
            job_runs: Family::default(),
            job_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            job_running: Family::default(),
            job_success: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            render_seconds: Histogram::new(SECONDS),
            cache: Family::default(),
            removed: Family::default(),
            removed_bytes: Counter::default(),
            sweep_failures: Counter::default(),
            working: Gauge::default(),
            waiting: Gauge::default(),
            cache_bytes: Gauge::default(),
            connections: Gauge::default(),
            panics: Counter::default(),
            masks: MaskMetrics::register(&mut registry),
            registry: Registry::default(),
        };
        let build: Family<[(&'static str, &'static str); 1], Gauge> = Family::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        registry.register("build", "The version that runs", build);
        registry.register("layer_points", "Points of each layer", new.layer_points.clone());
        registry.register("layer_segments", "Segments of each stored layer", new.layer_segments.clone());
        let help = "Changes of each stored layer that this server has put on the disk";
        registry.register("layer_commits", help, new.layer_commits.clone());
        registry.register("ingest_points", "Points of requests, by what became of them", new.ingested.clone());
        let help = "Requests whose points an earlier one had added";
        registry.register("ingest_repeated_requests", help, new.repeated.clone());
        registry.register("ingest_working", "Requests that are changing layers", new.writing.clone());
        registry.register("store_merges", "Merges of segments", new.merges.clone());
        registry.register("store_expired_points", "Points that were removed by their age", new.expired.clone());
        registry.register("job_runs", "Runs of each job, by how they ended", new.job_runs.clone());
        let help = "Time that a run of a job takes, waiting not counted";
        registry.register_with_unit("job_run", help, Unit::Seconds, new.job_seconds.clone());
        registry.register("job_running", "Whether each job runs, 1 or 0", new.job_running.clone());
        let help = "When each job last ended well, in seconds since 1970";
        registry.register_with_unit("job_last_success_timestamp", help, Unit::Seconds, new.job_success.clone());
        registry.register("http_requests", "Requests answered", new.requests.clone());
        let help = "Time from a request's head to its answer's head";
        registry.register_with_unit("http_request", help, Unit::Seconds, new.request_seconds.clone());
        let help = "Time to draw and write a picture, waiting not counted";
        registry.register_with_unit("render", help, Unit::Seconds, new.render_seconds.clone());
        registry.register("render_working", "Pictures that are being drawn", new.working.clone());
        registry.register("render_waiting", "Pictures that wait to be drawn", new.waiting.clone());
        registry.register("cache_requests", "Pictures found in memory, or not", new.cache.clone());
        registry.register_with_unit("cache", "What is held in memory", Unit::Bytes, new.cache_bytes.clone());
        registry.register("connections", "Open connections", new.connections.clone());
        registry.register("images_removed", "Files that the cleanup removed", new.removed.clone());
        let help = "Bytes of the pictures that the cleanup removed";
        registry.register_with_unit("images_removed", help, Unit::Bytes, new.removed_bytes.clone());
        let help = "Files that the cleanup could not remove, and cleanups that failed";
        registry.register("images_remove_failures", help, new.sweep_failures.clone());
        registry.register("panics", "Requests that ended in a panic", new.panics.clone());
        Self { registry, ..new }
    }

    /// A request was answered.
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

    /// Starts to measure a render.
    pub(crate) fn render(&self) -> RenderTimer<'_> {
        RenderTimer { start: Instant::now(), histogram: &self.render_seconds }
    }

    /// A lookup in a cache, which was a hit or a miss.
    pub(crate) fn cache(&self, was_cached: bool) {
        let outcome = if was_cached { Outcome::Hit } else { Outcome::Miss };
        self.cache.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Points came.
    pub(crate) fn ingested(&self, accepted: u64, rejected: u64, beyond_map: u64, repeated: bool) {
        for (fate, count) in [(Fate::Accepted, accepted), (Fate::Rejected, rejected), (Fate::BeyondMap, beyond_map)] {
            self.ingested.get_or_create(&FateLabels { fate }).inc_by(count);
        }
        self.repeated.inc_by(u64::from(repeated));
    }

    /// Segments were merged.
    pub(crate) fn merged(&self, merges: u64) {
        self.merges.inc_by(merges);
    }

    /// Points were removed by their age.
    pub(crate) fn expired(&self, points: u64) {
        self.expired.inc_by(points);
    }

    /// A run of a job has ended.
    pub(crate) fn job_ended(&self, job: &str, seconds: f64, is_done: bool) {
        let labels = RunLabels { job: job.to_owned(), ending: if is_done { Ending::Done } else { Ending::Failed } };
        self.job_runs.get_or_create(&labels).inc();
        self.job_seconds.get_or_create(&[("job", job.to_owned())]).observe(seconds);
    }

    /// A request ended in a panic.
    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    /// The cleanup removed files.
    pub(crate) fn swept(&self, swept: &SweepReport) {
        for (reason, count) in
            [(Reason::Expired, swept.expired), (Reason::Evicted, swept.evicted), (Reason::Unfinished, swept.unfinished)]
        {
            self.removed.get_or_create(&ReasonLabels { reason }).inc_by(count);
        }
        self.removed_bytes.inc_by(swept.bytes);
        self.sweep_failures.inc_by(swept.failed);
    }

    /// The cleanup failed as a whole.
    pub(crate) fn sweep_failed(&self) {
        self.sweep_failures.inc();
    }
}
