//! `kiln drop`: removes a layer.

use std::io::{IsTerminal, Write};

use clap::Args as ClapArgs;

use super::print_message;
use super::store::{StoreArgs, unknown_layer};
use super::summary::plural;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Remove a layer with all its points.
///
/// The command asks for confirmation on a terminal; without one, --yes is required.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln drop trips
  kiln drop trips --yes")]
pub(super) struct Args {
    /// Name of the layer
    name: String,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open()?;
    if !store.names()?.contains(&args.name) {
        return Err(unknown_layer(&store, &args.name));
    }
    // A damaged layer can be removed as well.
    let points = store.layer(&args.name).ok().flatten().map(|layer| layer.snapshot().points());
    let points = points.map_or_else(|| "its points".to_owned(), |points| plural(points, "point"));
    if !args.yes && !is_confirmed(&args.name, &points)? {
        print_message(&format!("{}: nothing was removed", args.name));
        return Ok(());
    }
    if !store.remove(&args.name)? {
        return Err(unknown_layer(&store, &args.name));
    }
    if !args.quiet {
        print_message(&format!("{}: removed with {points}", args.name));
    }
    Ok(())
}

/// Asks for confirmation.
fn is_confirmed(name: &str, points: &str) -> Result<bool> {
    let (input, mut output) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !output.is_terminal() {
        return Err(Error::invalid(const { Parameter::new("yes") }, "required without a terminal"));
    }
    let terminal_error = |error| Error::io("-", "ask for confirmation on", error);
    let prompt = write!(output, "Remove the layer {name} with {points}? [y/N] ").and_then(|()| output.flush());
    prompt.map_err(terminal_error)?;
    let mut answer = String::new();
    input.read_line(&mut answer).map_err(terminal_error)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
