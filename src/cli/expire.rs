//! `kiln expire`: removes old points.

use clap::Args as ClapArgs;

use super::confirm::{self, YES};
use super::retention::{before_us, describe};
use super::store::{self, StoreArgs, retry_on_conflict, time_of};
use super::summary::{grouped, plural};
use super::{print_message, progress};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::source;
use crate::store::Progress;

/// Remove the points of a layer whose time is older than a given age.
///
/// Points without a time are kept. The command prints what it would remove, and asks for confirmation on a terminal;
/// without one, --yes is required. The server removes old points every hour from layers that were imported with --keep.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln expire trips --older-than 30d
  kiln expire trips --older-than 30d --dry-run
  kiln expire trips --older-than 30d --yes")]
pub(super) struct Args {
    /// Name of the layer
    name: String,
    /// Maximum age of the points to keep: 90s, 30m, 1h, 30d
    #[arg(long, value_name = "TIME", value_parser = TimeSpan::parse_age)]
    older_than: TimeSpan,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    /// Print what would be removed, and remove nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open()?;
    store.sweep();
    let layer = store::layer(&store, &args.name)?;
    if layer.snapshot().points() > 0 && layer.snapshot().summary().time_us.is_none() {
        return Err(Error::input(layer.folder(), "the points have no times"));
    }
    let before_us = before_us(args.older_than);
    let expiry = layer.snapshot().expiry(before_us);
    if args.dry_run {
        let summary = describe(expiry, Some(args.older_than), before_us);
        print_message(&format!("{}: {summary}; nothing was removed", layer.name()));
        return Ok(());
    }
    if !args.yes
        && expiry.expired > 0
        && !is_confirmed(layer.name(), &describe(expiry, Some(args.older_than), before_us))?
    {
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
        let age = args.older_than;
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
    confirm::is_confirmed(&format!("{name}: {summary}. Remove the old points?"))
}
