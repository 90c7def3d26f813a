//! `kiln config`, and the flags that set keys of the configuration.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::job_layers::check_jobs;
use super::output::Target;
use super::rows::InputArgs;
use super::{print_json, print_notes};
use crate::config::{Config, ConfigBuilder};
use crate::error::{Error, Result};
use crate::http::check_keys;
use crate::layer::SchemeFolders;
use crate::parameter::Parameter;
use crate::store::Store;

/// Print the default configuration with its documentation, or check a configuration
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    /// Print the JSON schema of the configuration file, for completion and validation in editors
    #[arg(long)]
    schema: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Box<CheckArgs>),
}

/// Check the configuration, and print it as TOML.
///
/// The configuration is merged from the defaults, ./kiln.toml or the file given by -c, environment variables such as
/// `KILN_IMAGES_TTL`, and the flags, in ascending precedence. The columns of files on the command line are checked; the
/// files of other layers are not opened: `kiln serve` does that when it starts.
#[derive(Debug, ClapArgs)]
struct CheckArgs {
    /// Files with points, each a layer named after the file, or NAME=FILE
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    rows: InputArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

/// The flags that set keys of the configuration.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Configuration")]
pub(super) struct ConfigArgs {
    /// Configuration file [default: ./kiln.toml if it exists]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Address and port to listen on, or a port on localhost: 0.0.0.0:3000, 3000
    #[arg(short, long, value_name = "ADDR")]
    listen: Option<String>,
    /// Base URL of links in responses, for a server behind a proxy
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Proxies whose X-Forwarded-Proto, -Host and -Prefix set the base URL: 10.0.0.7,192.168.0.0/16,loopback,private
    #[arg(long, value_name = "LIST")]
    trusted_proxies: Option<String>,
    /// Accept writes of programs and pages on this machine without a token; not behind a proxy
    #[arg(long)]
    local_writes: bool,
    /// PEM file of the certificate, for HTTPS
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// PEM file of the private key of the certificate
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Number of render threads
    #[arg(long, value_name = "N")]
    pub(super) render_threads: Option<String>,
    /// Folder of the stored layers, or the URL of a bucket whose layers are copied and served: `s3://bucket/maps`
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<String>,
    /// Folder of the copies of a bucket's layers
    #[arg(long, value_name = "DIR")]
    pub(super) cache: Option<String>,
    /// Open the store read-only: no points are added, merged or removed
    #[arg(long)]
    read_only: bool,
    /// Folder of the rendered images
    #[arg(long, value_name = "DIR")]
    images: Option<String>,
    /// Remove images older than this: 90s, 30m, 1h, 2d
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Maximum number of images; the oldest are removed first
    #[arg(long, value_name = "N")]
    max_count: Option<String>,
    /// Maximum size of all images: 500MB, 1GB, or bytes; the oldest are removed first
    #[arg(long, value_name = "SIZE")]
    max_size: Option<String>,
    /// Maximum size of the images in memory: 64MiB; 0 disables the cache
    #[arg(long, value_name = "SIZE")]
    cache_size: Option<String>,
    /// Folder of scheme files, in addition to ./schemes; repeatable
    #[arg(long, value_name = "DIR")]
    pub(super) schemes: Vec<String>,
    /// Minimum level of log messages: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
    /// Format of log messages: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Write the whole configuration to this file, and continue
    #[arg(long, value_name = "FILE")]
    save_config: Option<String>,
}

impl ConfigArgs {
    /// Merges the configuration from defaults, file, environment and these flags, with a layer for each of `inputs`, whose
    /// rows are read with `rows`. Checks it, and saves it with `--save-config`.
    ///
    /// # Errors
    /// [`Error::Config`] if a key is invalid; [`Error::Io`] if a file cannot be read or written.
    pub(super) fn resolve(&self, inputs: &[String], rows: &InputArgs) -> Result<Config> {
        let mut builder = ConfigBuilder::load(self.config.as_deref(), environment()?)?;
        let read_only = self.read_only.then(|| "true".to_owned());
        let local_writes = self.local_writes.then(|| "true".to_owned());
        for (flag, key, text) in [
            ("--listen", "server.listen", &self.listen),
            ("--base-url", "server.base_url", &self.base_url),
            ("--trusted-proxies", "server.trusted_proxies", &self.trusted_proxies),
            ("--local-writes", "server.local_writes", &local_writes),
            ("--tls-cert", "server.tls_cert", &self.tls_cert),
            ("--tls-key", "server.tls_key", &self.tls_key),
            ("--render-threads", "server.render_threads", &self.render_threads),
            ("--store", "store.folder", &self.store),
            ("--cache", "store.cache", &self.cache),
            ("--read-only", "store.read_only", &read_only),
            ("--images", "images.folder", &self.images),
            ("--ttl", "images.ttl", &self.ttl),
            ("--max-count", "images.max_count", &self.max_count),
            ("--max-size", "images.max_size", &self.max_size),
            ("--cache-size", "cache.size", &self.cache_size),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ] {
            text.iter().try_for_each(|text| builder.set(flag, key, text))?;
        }
        if !self.schemes.is_empty() {
            builder.set_value("--schemes", "schemes.folders", Some(self.schemes.clone().into()))?;
        }
        let mut config = builder.build()?;
        rows.add_to(&mut config, inputs)?;
        config.check()?;
        if let Some(path) = &self.save_config {
            save(&config, path)?;
        }
        Ok(config)
    }
}

/// The environment variables of the configuration.
pub(super) fn environment() -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, text) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if !name.starts_with("KILN_") && name != Config::DATABASE_VARIABLE {
            continue;
        }
        match text.into_string() {
            Ok(text) => variables.push((name, text)),
            // `SchemeFolders` reads this variable, and accepts any path.
            Err(_) if name == SchemeFolders::VARIABLE => {}
            Err(_) => return Err(Error::config(name, "the value is not UTF-8")),
        }
    }
    Ok(variables)
}

/// Writes the configuration atomically to the file `path`.
fn save(config: &Config, path: &str) -> Result<()> {
    let inputs: Vec<String> = config.layers.values().flat_map(|layer| layer.inputs.iter().cloned()).collect();
    let target = Target::new(path, &inputs).map_err(|error| match error {
        Error::Invalid { message, .. } => Error::invalid(const { Parameter::new("save_config") }, message),
        other => other,
    })?;
    let mut output = target.create()?;
    output.file().write_all(config.to_toml()?.as_bytes()).map_err(|error| Error::io(path, "write", error))?;
    output.commit()
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = match &args.command {
        None if args.schema => return print_json(&Config::schema()),
        None => Config::default(),
        Some(Command::Check(args)) => {
            let config = args.config.resolve(&args.inputs, &args.rows)?;
            print_notes(&config.deprecations());
            config.check_input_columns()?;
            check_keys(&config)?;
            // The layers of a bucket are known once they were copied.
            let is_known = config.store.bucket().is_none() || config.store.cache.exists();
            if !config.jobs.is_empty() && is_known {
                check_jobs(&config, &Store::open(config.store.local_folder())?)?;
            }
            config
        }
    };
    let mut out = std::io::stdout().lock();
    let written = out.write_all(config.to_toml()?.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Error::io("-", "write", error))
}
