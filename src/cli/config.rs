//! `kiln config`, and the flags that say the same as a configuration.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::job_layers::check_jobs;
use super::output::Target;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::layer::SchemeFolders;
use crate::parameter::Parameter;
use crate::store::Store;

/// Look at the server's configuration.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Box<CheckArgs>),
}

/// Check the configuration, and print all of it as TOML.
///
/// It comes from the defaults, then ./kiln.toml or the file that -c names, then variables such as `KILN_IMAGES_TTL`, then
/// the flags, each over the one before. The layers' files are not opened: `kiln serve` does that at its start.
#[derive(Debug, ClapArgs)]
struct CheckArgs {
    /// Files with points, each a layer named after its file; NAME=FILE names it
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// The flags of whatever needs a configuration.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Configuration")]
pub(super) struct ConfigArgs {
    /// The file to read [default: ./kiln.toml if it is there]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on, or a port of this machine alone: 0.0.0.0:3000, 3000
    #[arg(short, long, value_name = "ADDR")]
    listen: Option<String>,
    /// What the URLs in answers begin with, behind a proxy
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Threads that draw
    #[arg(long, value_name = "N")]
    render_threads: Option<String>,
    /// The folder of the layers that are kept
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Only read the layers that are kept: nothing is added, merged or removed
    #[arg(long)]
    read_only: bool,
    /// The folder that pictures are written to
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Remove pictures older than this: 90s, 30m, 1h, 2d
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Keep at most this many pictures; the oldest go first
    #[arg(long, value_name = "N")]
    max_count: Option<String>,
    /// Keep at most this much: 500MB, 1GB, or bytes; the oldest go first
    #[arg(long, value_name = "SIZE")]
    max_size: Option<String>,
    /// Pictures to keep in memory: 64MiB; 0 keeps none
    #[arg(long, value_name = "SIZE")]
    cache_size: Option<String>,
    /// A folder of scheme files, beside ./schemes; may be given several times
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
    /// The least that is told: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How it is told: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Write the whole configuration to this file, and go on
    #[arg(long, value_name = "FILE")]
    save_config: Option<String>,
}

impl ConfigArgs {
    /// The configuration: defaults, file, environment, these flags, and a layer for each of `inputs`. It is checked, and
    /// saved where that is asked for.
    ///
    /// # Errors
    /// [`Error::Config`] if something in it makes no sense; [`Error::Io`] if a file cannot be read or written.
    pub(super) fn resolve(&self, inputs: &[String]) -> Result<Config> {
        let mut config = Config::load(self.config.as_deref(), environment()?)?;
        for (flag, path, text) in [
            ("--listen", "server.listen", &self.listen),
            ("--base-url", "server.base_url", &self.base_url),
            ("--render-threads", "server.render_threads", &self.render_threads),
            ("--ttl", "images.ttl", &self.ttl),
            ("--max-count", "images.max_count", &self.max_count),
            ("--max-size", "images.max_size", &self.max_size),
            ("--cache-size", "cache.size", &self.cache_size),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ] {
            if let Some(text) = text {
                config.set(path, text).map_err(|error| Error::config(flag, error.to_string()))?;
            }
        }
        if let Some(folder) = &self.images {
            config.images.folder.clone_from(folder);
        }
        if let Some(folder) = &self.store {
            config.store.folder.clone_from(folder);
        }
        config.store.read_only |= self.read_only;
        if !self.schemes.is_empty() {
            config.schemes.folders.clone_from(&self.schemes);
        }
        config.add_inputs(inputs)?;
        config.check()?;
        if let Some(path) = &self.save_config {
            save(&config, path)?;
        }
        Ok(config)
    }
}

/// The variables that are meant for Kiln.
pub(super) fn environment() -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, text) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if !name.starts_with("KILN_") && name != Config::DATABASE_VARIABLE {
            continue;
        }
        match text.into_string() {
            Ok(text) => variables.push((name, text)),
            // Its folders are read by whoever looks for schemes.
            Err(_) if name == SchemeFolders::VARIABLE => {}
            Err(_) => return Err(Error::config(name, "not in UTF-8")),
        }
    }
    Ok(variables)
}

/// Writes the configuration to the file `path`, whole or not at all.
fn save(config: &Config, path: &str) -> Result<()> {
    let inputs: Vec<String> = config.layers.values().flat_map(|layer| layer.inputs.iter().cloned()).collect();
    let target = Target::new(path, &inputs).map_err(|error| match error {
        Error::Invalid { message, .. } => Error::invalid(const { Parameter::new("save_config") }, message),
        other => other,
    })?;
    let mut output = target.begin()?;
    output.file().write_all(config.to_toml()?.as_bytes()).map_err(|error| Error::io(path, "write", error))?;
    output.commit()
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let Command::Check(args) = &args.command;
    let config = args.config.resolve(&args.inputs)?;
    if !config.jobs.is_empty() {
        check_jobs(&config, &Store::open(&config.store.folder)?)?;
    }
    let mut out = std::io::stdout().lock();
    let written = out.write_all(config.to_toml()?.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Error::io("-", "write", error))
}
