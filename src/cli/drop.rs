//! `kiln drop`: a layer goes.

use std::io::{IsTerminal, Write};

use clap::Args as ClapArgs;

use super::say;
use super::store::{StoreArgs, missing};
use super::summary::plural;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Remove a layer with all its points.
///
/// On a terminal it is asked for first; elsewhere --yes is needed.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln drop trips
  kiln drop trips --yes")]
pub(super) struct Args {
    /// The layer
    name: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open()?;
    if !store.names()?.contains(&args.name) {
        return Err(missing(&store, &args.name));
    }
    // A damaged layer can be removed as well.
    let points = store.layer(&args.name).ok().flatten().map(|layer| layer.snapshot().points());
    let points = points.map_or_else(|| "its points".to_owned(), |points| plural(points, "point"));
    if !args.yes && !is_confirmed(&args.name, &points)? {
        say(&format!("{}: nothing was removed", args.name));
        return Ok(());
    }
    if !store.remove(&args.name)? {
        return Err(missing(&store, &args.name));
    }
    if !args.quiet {
        say(&format!("{}: removed with {points}", args.name));
    }
    Ok(())
}

/// Asks whether the layer is to go.
fn is_confirmed(name: &str, points: &str) -> Result<bool> {
    let (input, mut output) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !output.is_terminal() {
        return Err(Error::invalid(const { Parameter::new("yes") }, "needed here, where nobody can be asked"));
    }
    let failed = |error| Error::io("-", "ask", error);
    write!(output, "Remove the layer {name} with {points}? [y/N] ").and_then(|()| output.flush()).map_err(failed)?;
    let mut answer = String::new();
    input.read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
