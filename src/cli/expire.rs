//! `kiln expire`: removes old points.

use clap::Args as ClapArgs;

use super::confirm::{self, YES};
use super::flags::whole_number;
use super::import::read_partition;
use super::retention::{before_us, describe};
use super::store::{self, StoreArgs, retry_on_conflict, time_of};
use super::summary::{grouped, plural};
use super::{print_message, progress};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::source;
use crate::store::{Progress, StoredLayer};

/// Remove the points of a layer whose time is older than a given age, or whose partition is before another.
///
/// Points without a time, or without a partition, are kept. The command prints what it would remove, and asks for confirmation on a terminal;
/// without one, --yes is required. The server removes old points every hour from layers that were imported with --keep.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln expire trips --older-than 30d
  kiln expire trips --older-than 30d --dry-run
  kiln expire trips --older-than 30d --yes
  kiln expire trips --partition-before 2026-01-01 --yes")]
pub(super) struct Args {
    /// Name of the layer
    name: String,
    /// Maximum age of the points to keep: 90s, 30m, 1h, 30d
    #[arg(long, value_name = "TIME", value_parser = TimeSpan::parse_age, required_unless_present = "partition_before")]
    older_than: Option<TimeSpan>,
    /// Remove the partitions whose name sorts before this one, such as 2026-01-01
    #[arg(long, value_name = "NAME", value_parser = read_partition, conflicts_with = "older_than")]
    partition_before: Option<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    /// Print what would be removed, and remove nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
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
    let layer = store::layer(&store, &args.name)?;
    match (&args.partition_before, args.older_than) {
        (Some(before), _) => remove_partitions(args, &layer, before),
        (None, Some(age)) => remove_old(args, &layer, age),
        (None, None) => Ok(()),
    }
}

/// Removes the partitions before another.
fn remove_partitions(args: &Args, layer: &StoredLayer, before: &str) -> Result<()> {
    let name = layer.name();
    let partitions = layer.snapshot().partitions();
    if partitions.is_empty() && layer.snapshot().points() > 0 {
        return Err(Error::input(layer.folder(), "the points have no partitions"));
    }
    let old: Vec<_> = partitions.iter().filter(|partition| partition.name.as_str() < before).collect();
    let points = plural(old.iter().map(|partition| partition.points).sum(), "point");
    let range = match (old.first(), old.last()) {
        (Some(first), Some(last)) if old.len() > 1 => format!(", {} to {}", first.name, last.name),
        (Some(only), _) => format!(", {}", only.name),
        _ => String::new(),
    };
    let summary = format!("{points} in {} before {before}{range}", plural(old.len() as u64, "partition"));
    if args.dry_run {
        print_message(&format!("{name}: {summary}; nothing was removed"));
        return Ok(());
    }
    if !args.yes && !old.is_empty() && !is_confirmed(name, &summary)? {
        return Err(Error::input(name, "nothing was removed"));
    }
    let points = layer.remove_partitions(|partition| partition < before)?;
    if !args.quiet {
        let kept = grouped(layer.snapshot().points());
        print_message(&format!(
            "{name}: removed {} of partitions before {before}, {kept} kept",
            plural(points, "point")
        ));
    }
    Ok(())
}

/// Removes the points that are older than an age.
fn remove_old(args: &Args, layer: &StoredLayer, age: TimeSpan) -> Result<()> {
    if layer.snapshot().points() > 0 && layer.snapshot().summary().time_us.is_none() {
        return Err(Error::input(layer.folder(), "the points have no times"));
    }
    let before_us = before_us(age);
    let expiry = layer.snapshot().expiry(before_us);
    if args.dry_run {
        let summary = describe(expiry, Some(age), before_us);
        print_message(&format!("{}: {summary}; nothing was removed", layer.name()));
        return Ok(());
    }
    if !args.yes && expiry.expired > 0 && !is_confirmed(layer.name(), &describe(expiry, Some(age), before_us))? {
        return Err(Error::input(layer.name(), "nothing was removed"));
    }
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let stages = Progress::default();
    // A try that was cancelled by a concurrent change may have removed some points.
    let mut removed = 0;
    let mut expire = || {
        let points = layer.snapshot().points();
        let outcome = layer.expire(before_us, threads, &stages);
        removed += outcome.as_ref().map_or_else(|_| points.saturating_sub(layer.snapshot().points()), |count| *count);
        outcome
    };
    let work = || retry_on_conflict(&stages, &mut expire);
    let outcome = progress::with_stage_progress(args.quiet, &source::Progress::default(), &stages, work);
    outcome.map_err(|error| match error {
        Error::Cancelled => Error::input(layer.folder(), "cancelled; some old points may not be removed yet"),
        other => other,
    })?;
    if !args.quiet {
        let (time, kept) = (time_of(before_us), grouped(layer.snapshot().points()));
        print_message(&format!(
            "{}: removed {} older than {age}, before {time}, {kept} kept",
            layer.name(),
            plural(removed, "point")
        ));
    }
    Ok(())
}

/// Asks for confirmation.
fn is_confirmed(name: &str, summary: &str) -> Result<bool> {
    if !confirm::is_interactive() {
        let detail = format!("required without a terminal: {summary}; nothing was removed from `{name}`");
        return Err(Error::invalid(YES, detail));
    }
    confirm::is_confirmed(&format!("{name}: {summary}. Remove these points?"))
}
