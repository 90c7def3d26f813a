//! `kiln compact`: merges the segments of a layer.

use std::time::Instant;

use clap::Args as ClapArgs;
use indicatif::HumanBytes;

use super::confirm::{self, YES};
use super::flags::whole_number;
use super::store::{self, StoreArgs, cancelled_error, retry_on_conflict};
use super::summary::plural;
use super::{damage, print_message, print_notes, progress};
use crate::error::{Error, Result};
use crate::source;
use crate::store::{Progress, StoredLayer};

/// Merge all segments of a layer into one, which is faster to read and smaller.
///
/// The server merges small segments in the background. It can serve the layer during compaction. Damaged segments are
/// kept as they are, so that their files can be restored from a copy; --drop-damaged removes them.
#[derive(Debug, ClapArgs)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag.
#[command(after_help = "Examples:
  kiln compact trips
  kiln compact --all
  kiln compact trips --drop-damaged")]
pub(super) struct Args {
    /// Name of the layer
    #[arg(required_unless_present = "all")]
    name: Option<String>,
    /// Compact all layers, one after the other
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Remove damaged segments for good, with all their points
    #[arg(long, conflicts_with = "all")]
    drop_damaged: bool,
    /// Do not ask for confirmation of --drop-damaged
    #[arg(short, long, requires = "drop_damaged")]
    yes: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = whole_number::<u16>(1..=1024))]
    threads: Option<u16>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open_for_changes()?;
    store.sweep();
    if let Some(name) = &args.name {
        let layer = store::layer(&store, name)?;
        if args.drop_damaged {
            drop_damaged(args, &layer)?;
        }
        return compact(args, &layer);
    }
    let names = store.names()?;
    if names.is_empty() && !args.quiet {
        print_message(&format!("{}: no layers; `kiln import` creates one", store.folder().display()));
    }
    // A damaged layer does not stop the compaction of the others; the first error is returned.
    let mut failed = None;
    for name in names {
        match store.layer(&name).and_then(|layer| layer.map_or(Ok(()), |layer| compact(args, &layer))) {
            Err(error @ (Error::Input { .. } | Error::Damaged { .. } | Error::DamagedManifest { .. })) => {
                failed = failed.or(Some(error));
            }
            outcome => outcome?,
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Verifies a layer, and removes its damaged segments.
fn drop_damaged(args: &Args, layer: &StoredLayer) -> Result<()> {
    let damaged = layer.verify();
    let points = damaged.iter().map(|damage| damage.points).sum();
    let (name, lost) = (layer.name(), plural(points, "point"));
    let segments = plural(damaged.len() as u64, "damaged segment");
    if damaged.is_empty() {
        if !args.quiet {
            print_message(&format!("{name}: no damaged segments"));
        }
        return Ok(());
    }
    if !args.yes {
        if !confirm::is_interactive() {
            let detail = format!("required without a terminal to remove {segments} of {name} with {lost}");
            return Err(Error::invalid(YES, detail));
        }
        if !confirm::is_confirmed(&format!("Remove {segments} of {name} with {lost} for good?"))? {
            return Err(Error::input(name, "nothing was removed"));
        }
    }
    layer.drop_damaged().map_err(|error| cancelled_error(error, layer))?;
    if !args.quiet {
        print_message(&format!("{name}: removed {segments} with {lost}"));
    }
    Ok(())
}

fn compact(args: &Args, layer: &StoredLayer) -> Result<()> {
    let start = Instant::now();
    let before = layer.snapshot().summary().segments;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let stages = Progress::default();
    let work = || retry_on_conflict(&stages, || layer.compact(threads, &stages));
    progress::with_stage_progress(args.quiet, &source::Progress::default(), &stages, work)
        .map_err(|error| cancelled_error(error, layer))?;
    if !args.quiet {
        let after = layer.snapshot().summary();
        let seconds = start.elapsed().as_secs_f64();
        let done = if before < 2 {
            format!("{}: {}, nothing to merge", layer.name(), plural(before as u64, "segment"))
        } else {
            let size = HumanBytes(after.bytes);
            format!("{}: merged {before} segments into {}, {size}, in {seconds:.3} s", layer.name(), after.segments)
        };
        print_message(&done);
        print_notes(&damage::note(layer).into_iter().collect::<Vec<_>>());
    }
    Ok(())
}
