//! The command line of the `kiln` binary.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use super::console::{describe, print_message};
use super::damage::with_remedies;
use super::version::Version;
use super::{
    animate, batch, bins, clean, compact, completions, config, doctor, drop, expire, export, grid, health, import, key,
    layer, layers, mask, matrix, mcp, postgis, publish, render, schemes, serve, sign, signals,
};
use crate::error::{Error, Result};
use crate::http::limit_heaps;
use crate::spelling::{did_you_mean, nearest_of};

/// Fires points into heat: weighted points in, heat-map pictures out.
#[derive(Debug, Parser)]
#[command(
    name = "kiln",
    version,
    about,
    disable_version_flag = true,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_negates_reqs = true
)]
struct CommandLine {
    /// Print the version
    #[arg(short = 'V', long, required = true)]
    version: bool,
    /// Print the version as JSON, with the target, the features and the formats of stored layers
    #[arg(long, requires = "version")]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Render(Box<render::Args>),
    Export(Box<export::Args>),
    Grid(Box<grid::Args>),
    Matrix(Box<matrix::Args>),
    Animate(Box<animate::Args>),
    Mask(Box<mask::Args>),
    Batch(batch::Args),
    Bins(bins::Args),
    Serve(Box<serve::Args>),
    Mcp(Box<mcp::Args>),
    Import(Box<import::Args>),
    Layers(layers::Args),
    Layer(layer::Args),
    Compact(compact::Args),
    Expire(expire::Args),
    Drop(drop::Args),
    Publish(publish::Args),
    Postgis(postgis::Args),
    Schemes(schemes::Args),
    Clean(clean::Args),
    Key(key::Args),
    Sign(Box<sign::Args>),
    Config(config::Args),
    Doctor(doctor::Args),
    Health(health::Args),
    Completions(completions::CompletionArgs),
    Man(completions::ManArgs),
}

/// Runs the command in the arguments of the process and returns the exit code.
pub fn run() -> ExitCode {
    ExitCode::from(run_with(std::env::args_os()))
}

/// Runs the command in `arguments`, of which the first is the name of the program, and returns the exit code: for programs
/// that contain the command line.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let code = run_command(&arguments);
    // A program that is not Rust does not flush it. A failure cannot be reported.
    let _ = std::io::stdout().flush();
    code
}

fn run_command(arguments: &[OsString]) -> u8 {
    let command = match CommandLine::try_parse_from(arguments) {
        Ok(CommandLine { command: Some(command), .. }) => command,
        Ok(CommandLine { json, .. }) => return exit_code(Version::of_binary().print(json)),
        Err(error) => return usage_error(&error, arguments),
    };
    limit_heaps();
    // The server completes its requests after a signal.
    let watched = if matches!(command, Command::Serve(_)) { Ok(()) } else { signals::watch() };
    exit_code(watched.and_then(|()| command.run()))
}

/// Reports an error, and returns the exit code.
fn exit_code(outcome: Result<()>) -> u8 {
    match outcome {
        Ok(()) => 0,
        // The reader may close a pipe early, as `head` does.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            print_message(&format!("kiln: {}", describe(&error)));
            let code = if error.is_usage() { 2 } else { 1 };
            signals::exit_code().unwrap_or(code)
        }
    }
}

impl Command {
    fn run(self) -> Result<()> {
        match self {
            Self::Render(args) => render::run(&args),
            Self::Export(args) => export::run(&args).map_err(with_remedies),
            Self::Grid(args) => grid::run(&args).map_err(with_remedies),
            Self::Matrix(args) => matrix::run(&args).map_err(with_remedies),
            Self::Animate(args) => animate::run(&args).map_err(with_remedies),
            Self::Mask(args) => mask::run(&args),
            Self::Batch(args) => batch::run(&args),
            Self::Bins(args) => bins::run(&args),
            Self::Serve(args) => serve::run(*args),
            Self::Mcp(args) => mcp::run(&args),
            Self::Import(args) => import::run(&args),
            Self::Layers(args) => layers::run(&args),
            Self::Layer(args) => layer::run(&args),
            Self::Compact(args) => compact::run(&args),
            Self::Expire(args) => expire::run(&args),
            Self::Drop(args) => drop::run(&args),
            Self::Publish(args) => publish::run(&args),
            Self::Postgis(args) => postgis::run(&args),
            Self::Schemes(args) => schemes::run(&args),
            Self::Clean(args) => clean::run(&args),
            Self::Key(args) => key::run(&args),
            Self::Sign(args) => sign::run(&args),
            Self::Config(args) => config::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Health(args) => health::run(&args),
            Self::Completions(args) => completions::print_completions(&args, CommandLine::command()),
            Self::Man(args) => completions::print_manual(&args, CommandLine::command()),
        }
    }
}

/// Prints the help, or a usage error in one line, and returns the exit code.
fn usage_error(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if error.exit_code() == 0 || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A failure to print the help cannot be reported.
        let _ = error.print();
        return error.exit_code() as u8;
    }
    let text = error.render().to_string();
    let hint = suggestion(error, arguments);
    // The rest is an excerpt of the usage in `--help`.
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .filter(|line| hint.is_empty() || !line.starts_with("tip:"));
    let line = lines.collect::<Vec<_>>().join("; ").replace(":; ", ": ");
    let hint = if hint.is_empty() { hint } else { format!("; {}", hint.trim_end()) };
    print_message(&format!("kiln: {}{hint}", line.trim_start_matches("error: ")));
    2
}

/// Names of flags in other programs, and the flags of this one.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("port", "listen"),
    ("host", "listen"),
    ("bind", "listen"),
    ("address", "listen"),
    ("bbox", "bounds"),
    ("extent", "bounds"),
    ("width", "size"),
    ("height", "size"),
    ("colormap", "scheme"),
    ("cmap", "scheme"),
    ("palette", "scheme"),
    ("blur", "kernel"),
];

/// The hint on an unknown flag or subcommand, by the same rule as for keys and parameters.
fn suggestion(error: &clap::Error, arguments: &[OsString]) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let root = CommandLine::command();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let known = root.get_subcommands().map(clap::Command::get_name);
            did_you_mean(&nearest_of(&text(ContextKind::InvalidSubcommand), known, []))
        }
        ErrorKind::UnknownArgument => {
            // The subcommands in the arguments lead to the command whose flag is unknown.
            let find = |command: &clap::Command, name: String| command.find_subcommand(name).cloned();
            let arguments = arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned());
            let named = arguments.take_while(|argument| !argument.starts_with('-'));
            let command = named.fold(root, |command, name| find(&command, name).unwrap_or(command));
            let flags: Vec<&str> =
                command.get_arguments().filter_map(clap::Arg::get_long_and_visible_aliases).flatten().collect();
            let unknown = text(ContextKind::InvalidArg);
            // Without the dashes, which all flags have: they would make short names similar.
            let Some(unknown) = unknown.strip_prefix("--") else { return String::new() };
            let other = OTHER_NAMES.iter().find(|(other, flag)| *other == unknown && flags.contains(flag));
            let near = other.map_or_else(|| nearest_of(unknown, flags.iter().copied(), []), |(_, flag)| vec![*flag]);
            let near: Vec<String> = near.iter().map(|name| format!("--{name}")).collect();
            did_you_mean(&near.iter().map(String::as_str).collect::<Vec<_>>())
        }
        _ => String::new(),
    }
}
