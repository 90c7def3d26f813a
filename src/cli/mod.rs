//! The command line: one file per subcommand.
//!
//! Exit codes: 0 done, 1 the work failed, 2 the command was not understood.

mod animate;
mod batch;
mod clean;
mod compact;
mod config;
mod drop;
mod expire;
mod export;
pub(crate) mod flags;
mod import;
mod inputs;
mod layer;
mod layers;
mod output;
mod postgis;
mod progress;
mod render;
mod rows;
mod schemes;
mod serve;
mod sheet;
mod signals;
mod store;
mod style;
mod subject;
mod summary;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Fires points into heat: weighted points in, heat-map pictures out.
#[derive(Debug, Parser)]
#[command(name = "kiln", version, about, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Render(Box<render::Args>),
    Export(Box<export::Args>),
    Animate(Box<animate::Args>),
    Batch(batch::Args),
    Serve(Box<serve::Args>),
    Import(Box<import::Args>),
    Layers(layers::Args),
    Layer(layer::Args),
    Compact(compact::Args),
    Expire(expire::Args),
    Drop(drop::Args),
    Postgis(postgis::Args),
    Schemes(schemes::Args),
    Clean(clean::Args),
    Config(config::Args),
}

/// Runs the command that the process was started with, and answers its exit code.
pub fn run() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return refused(&error),
    };
    let outcome = match command {
        Command::Render(args) => render::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Animate(args) => animate::run(&args),
        Command::Batch(args) => batch::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Layers(args) => layers::run(&args),
        Command::Layer(args) => layer::run(&args),
        Command::Compact(args) => compact::run(&args),
        Command::Expire(args) => expire::run(&args),
        Command::Drop(args) => drop::run(&args),
        Command::Postgis(args) => postgis::run(&args),
        Command::Schemes(args) => schemes::run(&args),
        Command::Clean(args) => clean::run(&args),
        Command::Config(args) => config::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has had enough: no reason to complain.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("kiln: {}", described(&error)));
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// Answers a command line that asks for help, or that was not understood: the latter in one line.
fn refused(error: &clap::Error) -> ExitCode {
    if error.exit_code() == 0 || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing can be done if help cannot be printed.
        let _ = error.print();
        return ExitCode::from(error.exit_code() as u8);
    }
    let text = error.render().to_string();
    // The rest repeats the usage, which `--help` has in full.
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let line = lines.collect::<Vec<_>>().join("; ").replace(":; ", ": ");
    say(&format!("kiln: {}", line.trim_start_matches("error: ")));
    ExitCode::from(2)
}

/// Prints a line on standard error. Where nobody listens any more, there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints a value as JSON on standard output.
fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    let mut out = std::io::stdout().lock();
    let written = text.and_then(|text| writeln!(out, "{text}")).and_then(|()| out.flush());
    written.map_err(|error| Error::io("-", "write", error))
}

/// The error in one line; a parameter is called by its flag.
fn described(error: &Error) -> String {
    let line = match error {
        Error::Invalid { parameter, message } => {
            format!("{}: {}", parameter.flag(), message.spelled(Parameter::flag))
        }
        Error::Input { input, message } => format!("{}: {}", input.display(), message.spelled(Parameter::flag)),
        other => other.to_string(),
    };
    line.replace('\n', " ")
}
