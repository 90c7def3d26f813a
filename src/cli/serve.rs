//! `kiln serve`: runs the server.

use std::time::Instant;

use clap::Args as ClapArgs;
use tokio::runtime::Builder;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;

use super::config::ConfigArgs;
use super::rows::InputArgs;
use super::signals::StopSignal;
#[cfg(feature = "otel")]
use super::telemetry::{Telemetry, is_step};
use super::visible::visible_log_line;
use super::{open_files, print_message};
use crate::config::{LogFormat, LogLevel};
use crate::error::{Error, Result};
use crate::http::{Server, return_large_blocks};
use crate::layer::Layer;
use crate::redact::without_passwords;

/// Serve heat maps over HTTP: overlays for Leaflet, tiles and pictures of layers, and a map page.
///
/// The layers are the inputs, the point tables of databases, the layers of the configuration, and those of the store,
/// in `./store` or --store DIR. If none of these is given and `./store` has no layer, the bundled cities and earthquakes
/// are served until it has one. The layers of the store accept points while the server runs: PUT /NAME creates a layer,
/// POST /NAME/points adds points. Write requests must send the token of the configuration or, without one, that of the link
/// which a server on a loopback address prints; see --local-writes.
/// With the URL of a bucket in place of a folder, the server is a replica: it copies the layers that `kiln publish` has
/// published there to --cache DIR, serves the copies, and follows new versions within seconds; it changes no layer.
/// SIGTERM and Ctrl-C stop the server after the requests in progress, with the exit code 0; a second one ends it at once.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln serve
  kiln serve stops.csv trips=data/trips.parquet -l 0.0.0.0:3000
  kiln serve nyc.csv --lon pickup_x --lat pickup_y --weight fare --time pickup_at
  kiln serve floor.csv --crs plane
  kiln serve postgres://ann@db.example/maps
  kiln serve -c kiln.toml --ttl 10m
  kiln serve --store s3://bucket/maps --cache /var/cache/kiln
  KILN_TOKEN=secret kiln serve
  curl -X PUT localhost:3000/trips/points -H 'Authorization: Bearer secret' --data-binary @trips.csv

Every key of the configuration can be set by an environment variable, such as KILN_IMAGES_TTL=10m. `kiln config check`
prints all keys.")]
pub(super) struct Args {
    /// Files with points, each a layer named after the file, or NAME=FILE; or a PostGIS database, postgres://…, whose
    /// point tables are layers
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    rows: InputArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: Args) -> Result<()> {
    let start = Instant::now();
    return_large_blocks();
    open_files::raise();
    let load = move || args.config.resolve(&args.inputs, &args.rows);
    let config = load()?;
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
    #[cfg(feature = "otel")]
    let telemetry = runtime.block_on(async { Telemetry::start() })?;
    #[cfg(feature = "otel")]
    log_and_trace(config.log.level, config.log.format, telemetry.as_ref());
    #[cfg(not(feature = "otel"))]
    log_to_stderr(config.log.level, config.log.format);
    for notice in config.deprecations() {
        tracing::warn!("{notice}");
    }
    runtime.block_on(async {
        let server = Server::bind(config).await?.with_reload(load);
        let layers: Vec<String> = server.layers().map(|layer| described(&layer)).collect();
        let (url, write_url, ms) = (server.url()?, server.write_url()?, start.elapsed().as_millis());
        tracing::debug!(layers = layers.join(", "), ms, "ready");
        // From here on, a signal stops the server after its requests.
        let mut signal = StopSignal::new();
        // Printed regardless of the log level and format.
        let layers = if layers.is_empty() { "no layers yet".to_owned() } else { layers.join(", ") };
        print_message(&format!("Kiln serves {layers} at {url}"));
        if let Some(url) = write_url {
            let text = format!("To add layers, open {url} or send its token; it is valid until the server stops");
            print_message(&text);
        } else if let Some(token) = server.write_token() {
            let text = format!("To add layers, send the header Authorization: Bearer {token}");
            print_message(&format!("{text}; the token is valid until the server stops"));
        }
        let (failure, mut failed) = (server.failure(), None);
        let shutdown = async {
            tokio::select! {
                _ = signal.received() => {}
                error = failure => failed = Some(error),
            }
            // A second signal does not wait for the requests in progress.
            tokio::spawn(signal.end_process());
        };
        server.run(shutdown).await;
        #[cfg(feature = "otel")]
        if let Some(telemetry) = telemetry {
            telemetry.stop().await;
        }
        failed.map_or(Ok(()), Err)
    })?;
    // Abandoned renders must not delay the exit.
    runtime.shutdown_background();
    Ok(())
}

/// The name, the number of points and the weight of a layer.
fn described(layer: &Layer) -> String {
    let weight = layer.weight().map(|weight| format!(", weighted by {weight}")).unwrap_or_default();
    let points = layer.points();
    let s = if points == 1 { "" } else { "s" };
    format!("{} ({points} point{s}{weight})", layer.name())
}

/// Standard error, without the passwords of URLs and control characters.
struct LogWriter {
    /// Whether the lines have colors.
    has_colors: bool,
}

impl std::io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // A line is written at once.
        let text = String::from_utf8_lossy(line);
        let text = without_passwords(&text);
        std::io::stderr().write_all(visible_log_line(&text, self.has_colors).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Initializes logging to standard error, one line per event, and the spans of requests if there is an export of traces.
#[cfg(feature = "otel")]
fn log_and_trace(level: LogLevel, format: LogFormat, telemetry: Option<&Telemetry>) {
    use tracing_subscriber::Layer;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    let level = level_filter(level);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || LogWriter { has_colors: is_terminal })
        .with_target(false)
        .with_ansi(is_terminal)
        .log_internal_errors(false);
    let is_logged =
        filter_fn(move |metadata| is_logged(metadata, level) && !is_step(metadata)).with_max_level_hint(level);
    let layer = match format {
        LogFormat::Text => layer.with_filter(is_logged).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(is_logged).boxed(),
    };
    // Fails only if a logger is already installed.
    let _ = tracing_subscriber::registry().with(layer).with(telemetry.map(Telemetry::layer)).try_init();
}

/// Whether an event or span is logged at a level. The client of buckets reports each repetition of a request at the level of
/// information, which would repeat while a bucket is away; a request that fails is reported by its caller.
fn is_logged(metadata: &Metadata<'_>, level: LevelFilter) -> bool {
    let is_repetition = level == LevelFilter::INFO && metadata.target().starts_with("object_store");
    *metadata.level() <= if is_repetition { LevelFilter::WARN } else { level }
}

/// Initializes logging to standard error, one line per event.
pub(super) fn log_to_stderr(level: LogLevel, format: LogFormat) {
    use tracing_subscriber::Layer;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    let level = level_filter(level);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || LogWriter { has_colors: is_terminal })
        .with_target(false)
        .with_ansi(is_terminal)
        .log_internal_errors(false);
    let is_logged = filter_fn(move |metadata| is_logged(metadata, level)).with_max_level_hint(level);
    let layer = match format {
        LogFormat::Text => layer.with_filter(is_logged).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(is_logged).boxed(),
    };
    // Fails only if a logger is already installed.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}
