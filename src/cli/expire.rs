//! `kiln expire`: removes old points.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;

use super::store::{self, StoreArgs, retry_on_conflict, time_of};
use super::summary::{grouped, plural};
use super::{print_message, progress};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::source;
use crate::store::Progress;

/// Remove the points of a layer whose time is older than a given age.
///
/// Points without a time are kept. The server removes old points every hour from layers that were imported with --keep.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln expire trips --older-than 30d")]
pub(super) struct Args {
    /// Name of the layer
    name: String,
    /// Maximum age of the points to keep: 90s, 30m, 1h, 30d
    #[arg(long, value_name = "TIME")]
    older_than: TimeSpan,
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
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let before_us = before_us(now_s, args.older_than);
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
        print_message(&format!("{}: removed {} before {time}, {kept} kept", layer.name(), plural(removed, "point")));
    }
    Ok(())
}

/// The Unix time in microseconds before which points are older than `age`.
fn before_us(now_s: u64, age: TimeSpan) -> i64 {
    let seconds = i128::from(now_s) - i128::from(age.as_secs());
    i64::try_from(seconds * 1_000_000).unwrap_or(i64::MIN + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_limit_saturates_for_any_age() {
        assert_eq!(before_us(100, TimeSpan::from_secs(40)), 60_000_000);
        assert_eq!(before_us(100, TimeSpan::from_secs(140)), -40_000_000);
        assert_eq!(before_us(100, TimeSpan::from_secs(u64::MAX)), i64::MIN + 1);
    }
}
