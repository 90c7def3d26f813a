//! `kiln expire`: old points go.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;

use super::store::{self, StoreArgs, time_of, undisturbed};
use super::summary::{grouped, plural};
use super::{progress, say};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::source;
use crate::store::Progress;

/// Remove the points of a layer that are older than a time span, by their own times.
///
/// Points without a time stay. A server does so every hour for layers that were imported with --keep.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln expire trips --older-than 30d")]
pub(super) struct Args {
    /// The layer
    name: String,
    /// The age of the oldest points that stay: 90s, 30m, 1h, 30d
    #[arg(long, value_name = "TIME")]
    older_than: TimeSpan,
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
    let layer = store::layer(&store, &args.name)?;
    if layer.snapshot().points() > 0 && layer.snapshot().summary().time_us.is_none() {
        return Err(Error::input(layer.folder(), "its points have no times, so none is older than any other"));
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let before_us = before_us(now_s, args.older_than);
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let stages = Progress::default();
    // What was removed before somebody disturbed is removed.
    let mut removed = 0;
    let mut expire = || {
        let points = layer.snapshot().points();
        let outcome = layer.expire(before_us, threads, &stages);
        removed += outcome.as_ref().map_or_else(|_| points.saturating_sub(layer.snapshot().points()), |count| *count);
        outcome
    };
    let work = || undisturbed(&stages, &mut expire);
    let outcome = progress::shown_stages(args.quiet, &source::Progress::default(), &stages, work);
    outcome.map_err(|error| match error {
        Error::Cancelled => Error::input(layer.folder(), "stopped; some old points may be left"),
        other => other,
    })?;
    if !args.quiet {
        let (then, stay) = (time_of(before_us), grouped(layer.snapshot().points()));
        say(&format!("{}: removed {} of before {then}, {stay} stay", layer.name(), plural(removed, "point")));
    }
    Ok(())
}

/// The first instant, in microseconds, that is not older than a time span.
fn before_us(now_s: u64, age: TimeSpan) -> i64 {
    let seconds = i128::from(now_s) - i128::from(age.as_secs());
    i64::try_from(seconds * 1_000_000).unwrap_or(i64::MIN + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_age_is_an_instant() {
        assert_eq!(before_us(100, TimeSpan::from_secs(40)), 60_000_000);
        assert_eq!(before_us(100, TimeSpan::from_secs(140)), -40_000_000);
        assert_eq!(before_us(100, TimeSpan::from_secs(u64::MAX)), i64::MIN + 1);
    }
}
