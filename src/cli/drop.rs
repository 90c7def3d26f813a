//! `kiln drop`: removes a layer.

use clap::Args as ClapArgs;

use super::confirm::{self, YES};
use super::print_message;
use super::store::{StoreArgs, unknown_layer};
use super::summary::plural;
use crate::error::{Error, Result};

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
        return Err(Error::input(&args.name, "nothing was removed"));
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
    if !confirm::is_interactive() {
        return Err(Error::invalid(YES, "required without a terminal"));
    }
    confirm::is_confirmed(&format!("Remove the layer {name} with {points}?"))
}
