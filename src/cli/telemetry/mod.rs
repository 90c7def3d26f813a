//! Traces for OpenTelemetry: the exporter, which the standard variables `OTEL_*` configure.

mod client;
mod environment;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use self::client::OtlpClient;
use self::environment::Environment;
use crate::error::{Error, Result};
use crate::step::TARGET;

/// The export of traces.
pub(super) struct Telemetry(SdkTracerProvider);

impl Telemetry {
    /// The maximum time for the last spans when the server stops.
    const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

    /// The export that the environment configures; `None` without an endpoint. It uses the runtime of the caller, and a thread
    /// of its own: spans beyond a full queue are dropped, so that a slow collector delays no request.
    ///
    /// # Errors
    /// [`Error::Config`] if a variable is invalid.
    pub(super) fn start() -> Result<Option<Self>> {
        let Some(environment) = Environment::read()? else { return Ok(None) };
        let client = OtlpClient::new(&environment)?;
        let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
        let exporter = exporter.map_err(|error| Error::config(environment.endpoint_variable, error.to_string()))?;
        let mut resource = Resource::builder();
        if !environment.has_service_name {
            resource = resource.with_service_name("kiln");
        }
        let resource = resource.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build();
        Ok(Some(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())))
    }

    /// The layer that records the spans of requests, and no events.
    pub(super) fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("kiln"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_step).with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends the last spans.
    pub(super) async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(Self::FLUSH_TIMEOUT));
        if let Ok(Err(error)) = stopped.await {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// Whether a span is part of a trace, and not of the log.
pub(super) fn is_step(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET
}
