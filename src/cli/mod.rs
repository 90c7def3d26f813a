//! The command line: one file per subcommand.
//!
//! Exit codes: 0 done, 1 the work failed, 2 the command was not understood.

mod output;
mod progress;
mod render;
mod schemes;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;

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
    Schemes(schemes::Args),
}

/// Runs the command that the process was started with, and answers its exit code.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Render(args) => render::run(&args),
        Command::Schemes(args) => schemes::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has had enough: no reason to complain.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kiln: {}", described(&error));
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// The error in one line; a parameter is called by its flag.
fn described(error: &Error) -> String {
    let line = match error {
        Error::Invalid { parameter, message } => format!("--{parameter}: {message}"),
        other => other.to_string(),
    };
    line.replace('\n', " ")
}
