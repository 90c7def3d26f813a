//! `kiln compact`: one segment of many.

use std::time::Instant;

use clap::Args as ClapArgs;
use indicatif::HumanBytes;

use super::store::{self, StoreArgs, unchanged, undisturbed};
use super::summary::plural;
use super::{progress, say};
use crate::error::{Error, Result};
use crate::source;
use crate::store::{Progress, StoredLayer};

/// Make one segment of all that a layer has, which reads faster and takes less room.
///
/// A server does so by and by for the points that it takes in. It may serve the layer meanwhile.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln compact trips
  kiln compact --all")]
pub(super) struct Args {
    /// The layer
    #[arg(required_unless_present = "all")]
    name: Option<String>,
    /// All layers, one after the other
    #[arg(long, conflicts_with = "name")]
    all: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open()?;
    store.sweep();
    if let Some(name) = &args.name {
        return compact(args, &*store::layer(&store, name)?);
    }
    let names = store.names()?;
    if names.is_empty() && !args.quiet {
        say(&format!("{}: no layers; `kiln import` makes one", store.folder().display()));
    }
    // One that is damaged is named, and the others are compacted all the same.
    let mut failed = None;
    for name in names {
        match store.layer(&name).and_then(|layer| layer.map_or(Ok(()), |layer| compact(args, &layer))) {
            Err(error @ Error::Input { .. }) => drop(failed.get_or_insert(error)),
            outcome => outcome?,
        }
    }
    failed.map_or(Ok(()), Err)
}

fn compact(args: &Args, layer: &StoredLayer) -> Result<()> {
    let start = Instant::now();
    let before = layer.snapshot().summary().segments;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let stages = Progress::default();
    let work = || undisturbed(&stages, || layer.compact(threads, &stages));
    progress::shown_stages(args.quiet, &source::Progress::default(), &stages, work)
        .map_err(|error| unchanged(error, layer))?;
    if !args.quiet {
        let after = layer.snapshot().summary();
        let seconds = start.elapsed().as_secs_f64();
        let done = if before < 2 {
            format!("{}: {} already, nothing to merge", layer.name(), plural(before as u64, "segment"))
        } else {
            let size = HumanBytes(after.bytes);
            format!("{}: {before} segments became {}, {size}, in {seconds:.3} s", layer.name(), after.segments)
        };
        say(&done);
    }
    Ok(())
}
