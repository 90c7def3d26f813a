//! `kiln mcp`: a server of the Model Context Protocol.
//!
//! ```text
//! standard input ── lines ── session ── protocol      tools ── backend ── LocalServer, the routes in this process
//!                            tasks      JSON-RPC      a file           └─ client, a server at a URL
//! standard output ───────────┘                        each
//! ```
//!
//! A tool sends GET requests of the HTTP API, and its arguments are their parameters, so that limits, keys and error messages
//! are those of the server.

mod backend;
mod client;
mod lines;
mod protocol;
mod session;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args as ClapArgs;
use tokio::runtime::Builder;

use self::backend::Backend;
use self::client::Client;
use super::config::ConfigArgs;
use super::rows::InputArgs;
use super::serve::log_to_stderr;
use super::{open_files, print_message};
use crate::config::Token;
use crate::error::{Error, Result};
use crate::http::{LocalServer, return_large_blocks};
use crate::parameter::Parameter;

/// Serve layers to language models, by the Model Context Protocol on standard input and output.
///
/// The tools `layers`, `render`, `value` and `statistics` list layers, render pictures, and read values and statistics. The
/// layers are those that `kiln serve` would serve for the same inputs, store and configuration, or with --url those of a running
/// server. Nothing is changed, and a store can be used by a server at the same time. Programs with language models start this
/// command themselves; the end of standard input ends it.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln mcp
  kiln mcp trips.csv --weight fare
  kiln mcp --store /var/lib/kiln/store
  KILN_TOKEN=kiln_… kiln mcp --url https://maps.example.org

With --url, the environment variable KILN_TOKEN is a key or the token of the server.")]
pub(super) struct Args {
    /// Files with points, each a layer named after the file, or NAME=FILE; or a `PostGIS` database, postgres://…
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    /// URL of a running server, whose layers are used
    #[arg(long, value_name = "URL", conflicts_with_all = ["inputs", "config", "store", "cache", "schemes", "render_threads", "log_level"])]
    url: Option<String>,
    /// Configuration file [default: ./kiln.toml if it exists]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the stored layers, or the URL of a bucket whose layers are copied: `s3://bucket/maps`
    #[arg(long, value_name = "DIR")]
    store: Option<String>,
    /// Folder of the copies of a bucket's layers
    #[arg(long, value_name = "DIR")]
    cache: Option<String>,
    /// Folder of scheme files, in addition to ./schemes; repeatable
    #[arg(long, value_name = "DIR")]
    schemes: Vec<String>,
    /// Number of render threads
    #[arg(long, value_name = "N")]
    render_threads: Option<String>,
    /// Minimum level of log messages on standard error: error, warn, info, debug or trace [default: warn]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    #[command(flatten)]
    rows: InputArgs,
}

/// The environment variable of a key or token, with which requests to `--url` are authorized.
const TOKEN_VARIABLE: &str = "KILN_TOKEN";

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
    let served = runtime.block_on(async {
        let backend = Arc::new(args.backend().await?);
        session::serve(backend, lines::of_stdin()?).await
    });
    // Abandoned renders must not delay the exit.
    runtime.shutdown_background();
    served
}

impl Args {
    async fn backend(&self) -> Result<Backend> {
        if let Some(url) = &self.url {
            return Ok(Backend::Remote(Client::new(url, token()?)?));
        }
        let mut flags = ConfigArgs::default();
        (flags.config, flags.store, flags.cache) = (self.config.clone(), self.store.clone(), self.cache.clone());
        (flags.schemes, flags.render_threads) = (self.schemes.clone(), self.render_threads.clone());
        flags.log_level = Some(self.log_level.clone().unwrap_or_else(|| "warn".to_owned()));
        return_large_blocks();
        open_files::raise();
        let config = flags.resolve(&self.inputs, &self.rows)?;
        log_to_stderr(config.log.level, config.log.format);
        let server = LocalServer::open(config).await?;
        let names: Vec<String> = server.layers().map(|layer| layer.name().to_owned()).collect();
        let names = if names.is_empty() { "no layers yet".to_owned() } else { names.join(", ") };
        print_message(&format!("Kiln serves {names} by the Model Context Protocol on standard input and output"));
        Ok(Backend::Local(server))
    }
}

/// The key or token of the environment.
fn token() -> Result<Option<Token>> {
    match std::env::var(TOKEN_VARIABLE) {
        Ok(text) if !text.is_empty() => {
            let invalid = || Error::config(TOKEN_VARIABLE, "the value has characters that are not valid in a header");
            Token::new(&text).map(Some).ok_or_else(invalid)
        }
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::config(TOKEN_VARIABLE, "the value is not UTF-8")),
        _ => Ok(None),
    }
}

/// The parameter `--url` in errors.
const URL: Parameter = Parameter::new("url");
