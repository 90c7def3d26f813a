//! `kiln doctor`: checks the machine and the configuration before a server starts.

mod database;
mod finding;
mod folders;
mod limits;
mod network;
mod program;
mod store;

use std::path::PathBuf;

use clap::Args as ClapArgs;

use self::finding::{Finding, Level, print_findings};
use super::config::environment;
use super::print_json;
use super::summary::plural;
use crate::config::Config;
use crate::error::{Error, Result};

/// Check the machine and the configuration: limits, page, store, database, certificate and folders.
///
/// Nothing is changed. Each line is the result of one check; a warning or an error has the remedy on the next line. The exit
/// code is 1 if there is an error.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln doctor
  kiln doctor -c /etc/kiln/kiln.toml
  kiln doctor --json | jq -r '.[] | select(.level != \"ok\").detail'")]
pub(super) struct Args {
    /// Configuration file [default: ./kiln.toml if it exists]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the stored layers [default: that of the configuration, else `store`]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Read all points of the store, and compare them with their checksums
    #[arg(long)]
    verify: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let findings = check(args)?;
    let printed = if args.json { print_json(&findings) } else { print_findings(&findings) };
    // A reader that closes the pipe early does not hide a failed check.
    match findings.iter().filter(|finding| finding.level == Level::Error).count() {
        0 => printed,
        1 => Err(Error::input("doctor", "1 check failed")),
        failed => Err(Error::input("doctor", format!("{failed} checks failed"))),
    }
}

fn check(args: &Args) -> Result<Vec<Finding>> {
    let mut findings = program::check();
    let loaded =
        Config::load(args.config.as_deref(), environment()?).and_then(|config| config.check().map(|()| config));
    // Without a configuration, the defaults are checked.
    let mut config = match loaded {
        Ok(config) => {
            findings.push(configuration(args, &config));
            config
        }
        Err(error) => {
            findings.push(Finding::of_error("configuration", &error, "correct it; `kiln config` prints all keys"));
            Config::default()
        }
    };
    if let Some(folder) = &args.store {
        config.store.folder.clone_from(folder);
    }
    findings.push(program::check_titles(&config));
    findings.extend(limits::check(&config));
    findings.extend(network::check(&config));
    findings.extend(folders::check(&config));
    findings.extend(store::check(&config, args.verify));
    findings.extend(database::check(&config));
    Ok(findings)
}

/// The finding on a valid configuration.
fn configuration(args: &Args, config: &Config) -> Finding {
    let file = match &args.config {
        Some(file) => file.display().to_string(),
        None if PathBuf::from(Config::FILE).exists() => Config::FILE.to_owned(),
        None => "defaults".to_owned(),
    };
    let finding = Finding::ok(
        "configuration",
        format!("{file}, {}, {}", plural(config.layers.len() as u64, "layer"), plural(config.jobs.len() as u64, "job")),
    );
    match config.deprecations().first() {
        Some(notice) => Finding::warning("configuration", notice.clone(), "replace the key"),
        None => finding,
    }
}
