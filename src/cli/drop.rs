//! `kiln drop`: removes a layer, or a partition of one.

use clap::Args as ClapArgs;

use super::confirm::{self, YES};
use super::import::read_partition;
use super::print_message;
use super::store::{StoreArgs, unknown_layer};
use super::summary::plural;
use crate::error::{Error, Result};
use crate::store::Store;

/// Remove a layer with all its points, or the points of one of its partitions.
///
/// The command asks for confirmation on a terminal; without one, --yes is required.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln drop trips
  kiln drop trips --yes
  kiln drop trips --partition 2026-11-28 --dry-run
  kiln drop trips --partition 2026-11-28 --yes")]
pub(super) struct Args {
    /// Name of the layer
    name: String,
    /// Remove the points of this partition only
    #[arg(long, value_name = "NAME", value_parser = read_partition)]
    partition: Option<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    /// Print what would be removed, and remove nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open_for_changes()?;
    if !store.names()?.contains(&args.name) {
        return Err(unknown_layer(&store, &args.name));
    }
    if let Some(partition) = &args.partition {
        return remove_partition(args, &store, partition);
    }
    // A damaged layer can be removed as well.
    let points = store.layer(&args.name).ok().flatten().map(|layer| layer.snapshot().points());
    let points = points.map_or_else(|| "its points".to_owned(), |points| plural(points, "point"));
    if args.dry_run {
        print_message(&format!("{}: the layer with {points}; nothing was removed", args.name));
        return Ok(());
    }
    if !args.yes && !is_confirmed(&format!("the layer {} with {points}", args.name))? {
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

/// Removes the points of a partition.
fn remove_partition(args: &Args, store: &Store, partition: &str) -> Result<()> {
    let layer = super::store::layer(store, &args.name)?;
    let name = layer.name();
    let unknown = || {
        let partitions = layer.snapshot().partitions();
        let hint = match (partitions.first(), partitions.last()) {
            (Some(first), Some(last)) => format!("its partitions are {} to {}", first.name, last.name),
            _ => "it has no partitions".to_owned(),
        };
        Error::input(name, format!("there is no partition `{partition}`; {hint}"))
    };
    let found = layer.snapshot().partitions().into_iter().find(|found| found.name == partition);
    let points = plural(found.ok_or_else(unknown)?.points, "point");
    if args.dry_run {
        print_message(&format!("{name}: {points} of the partition {partition}; nothing was removed"));
        return Ok(());
    }
    if !args.yes && !is_confirmed(&format!("the partition {partition} of {name} with {points}"))? {
        return Err(Error::input(name, "nothing was removed"));
    }
    let points = layer.remove_partitions(|found| found == partition)?;
    if points == 0 {
        return Err(unknown());
    }
    if !args.quiet {
        print_message(&format!("{name}: removed {} of the partition {partition}", plural(points, "point")));
    }
    Ok(())
}

/// Asks for confirmation.
fn is_confirmed(removed: &str) -> Result<bool> {
    if !confirm::is_interactive() {
        return Err(Error::invalid(YES, "required without a terminal"));
    }
    confirm::is_confirmed(&format!("Remove {removed}?"))
}
