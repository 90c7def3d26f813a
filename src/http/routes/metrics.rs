//! `GET /_/metrics`: metrics for Prometheus.

use axum::body::Body;
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;

use crate::http::server::App;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::http::server::text_metrics::{accepts_open_metrics, classic_format};

/// Metrics for Prometheus
///
/// The format is the classic text format of Prometheus, or `OpenMetrics` if the header `Accept` names it, as that of Prometheus
/// does.
#[utoipa::path(get, path = "/_/metrics", operation_id = "get_metrics", tag = "server",
    responses(
        (status = 200, description = "The metrics",
            content((String = "text/plain"), (String = "application/openmetrics-text"))),
        (status = 500, description = "The metrics could not be encoded", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn metrics(app: Session, headers: HeaderMap) -> HttpResult<Response<Body>> {
    let metrics = &app.metrics;
    metrics.working.set(app.pool.working() as i64);
    metrics.waiting.set(app.pool.waiting() as i64);
    metrics.writing.set(app.write_limiter.working() as i64);
    metrics.body_bytes.set(app.bodies.used() as i64);
    metrics.cache_bytes.set(app.bytes.bytes() as i64);
    metrics.masks.cache_bytes.set(app.masks.cache_bytes() as i64);
    metrics.masks.subscribers.set(app.masks.clicks.count() as i64);
    metrics.certificate.update();
    if let (Some(metrics), Some(replica)) = (&metrics.replica, &app.replica) {
        metrics.set(&replica.mirror);
    }
    set_layers(&app);
    set_damage(&app);
    set_jobs(&app);
    let mut text = String::new();
    encode(&mut text, &metrics.registry).map_err(|_| Problem::internal("the metrics cannot be encoded"))?;
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let content_type = if accepts_open_metrics(accepted) {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        text = classic_format(&text);
        "text/plain; version=0.0.4; charset=utf-8"
    };
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store"), (header::VARY, "accept")];
    Ok((headers, text).into_response())
}

/// Sets the gauges of the current layers.
fn set_layers(app: &Session) {
    let metrics = &app.metrics;
    for family in [&metrics.layer_points, &metrics.layer_segments, &metrics.layer_commits] {
        family.clear();
    }
    for layer in app.layers() {
        let label = [("layer", layer.name().to_owned())];
        metrics.layer_points.get_or_create(&label).set(layer.points() as i64);
        // The segments and commits of a protected layer depend on points that are not released.
        let is_protected = layer.protection().is_some();
        if app.is_input_layer(layer.name()) || layer.point_set().is_remote() || is_protected {
            continue;
        }
        if let Ok(Some(stored)) = app.store.layer(layer.name()) {
            metrics.layer_segments.get_or_create(&label).set(stored.snapshot().summary().segments as i64);
            metrics.layer_commits.get_or_create(&label).set(stored.commits() as i64);
        }
    }
}

/// Sets the gauges of damaged layers. Intact layers have none.
fn set_damage(app: &App) {
    let metrics = &app.metrics;
    metrics.damaged_segments.clear();
    metrics.damaged_points.clear();
    for damaged in app.damaged_layers() {
        // The number of points of a protected layer is not published.
        let is_protected = app.is_protected(&damaged.name);
        let label = [("layer", damaged.name)];
        metrics.damaged_segments.get_or_create(&label).set(damaged.segments as i64);
        if !is_protected {
            metrics.damaged_points.get_or_create(&label).set(damaged.points as i64);
        }
    }
}

/// Sets the gauges of the jobs.
fn set_jobs(app: &App) {
    for (job, state, running_since, _) in app.scheduler.planner().jobs() {
        let label = [("job", job.name.clone())];
        app.metrics.job_running.get_or_create(&label).set(i64::from(running_since.is_some()));
        if let Some(succeeded_s) = state.succeeded_s {
            app.metrics.job_success.get_or_create(&label).set(succeeded_s);
        }
    }
}
