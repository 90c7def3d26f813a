//! `kiln serve`: the server.

use std::time::Instant;

use clap::Args as ClapArgs;
use tokio::runtime::Builder;
use tracing::level_filters::LevelFilter;

use super::config::ConfigArgs;
use super::say;
use super::signals::StopSignal;
use crate::config::{LogFormat, LogLevel};
use crate::error::{Error, Result};
use crate::http::Server;

/// Serve heat maps: overlays for Leaflet, pictures of layers, and a map page.
///
/// Each input becomes a layer, and each table of points of a database, in addition to those of the configuration. Without any,
/// and with none in the store, the bundled cities and earthquakes are served. So are the layers of the store, in `./store` or
/// --store DIR, which take points while the server runs: PUT /NAME makes one, POST /NAME/points adds to it. Writes have to
/// show the token of the configuration, or come from this machine. SIGTERM and Ctrl-C stop the server once the requests that
/// have begun are answered.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln serve
  kiln serve stops.csv trips=data/trips.parquet -l 0.0.0.0:3000
  kiln serve postgres://ann@db.example/maps
  kiln serve -c kiln.toml --ttl 10m
  curl -X PUT localhost:3000/trips && curl localhost:3000/trips/points --data-binary @trips.csv

Every key of the configuration is also a variable, such as KILN_IMAGES_TTL=10m. `kiln config check` prints them all.")]
pub(super) struct Args {
    /// Files with points, each a layer named after its file; NAME=FILE names it. postgres://… is a PostGIS database, whose
    /// tables of points are layers
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let config = args.config.resolve(&args.inputs)?;
    log_to_stderr(config.log.level, config.log.format);
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
    runtime.block_on(async {
        let server = Server::bind(config).await?;
        let layers: Vec<String> = server.layers().map(|(name, points)| format!("{name} ({points} points)")).collect();
        let (address, ms) = (server.address()?, start.elapsed().as_millis());
        tracing::debug!(layers = layers.join(", "), ms, "ready");
        // For people, whatever the log's level and format.
        say(&format!("Kiln serves {} at http://{address}/", layers.join(", ")));
        server.run(StopSignal::new().received()).await;
        Ok(())
    })?;
    // A drawing that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    Ok(())
}

/// One line for each thing that happens, on standard error.
fn log_to_stderr(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(is_terminal)
        .log_internal_errors(false);
    // Fails only where somebody logs already, which is as good.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
