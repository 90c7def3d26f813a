//! A progress bar on standard error, for work that takes long.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::export;
use crate::source::Progress;
use crate::store::{self, Stage};

/// Nothing is shown before this.
const PATIENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// How far work is.
struct Step {
    /// What it is at; empty if it has but one stage.
    stage: &'static str,
    /// What is done and what there is to do, in the unit.
    done: u64,
    total: u64,
    unit: Unit,
    /// What is counted beside it, since the stage began.
    count: u64,
    counted: &'static str,
}

/// What the length of a bar counts.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Points,
    /// Steps that say nothing to people.
    Thresholds,
}

/// Runs `work`, and shows how far its scans are once it takes longer than half a second, if standard error is a
/// terminal and `quiet` is not set.
pub(super) fn shown<T>(quiet: bool, work: impl FnOnce(Option<&Progress>) -> T) -> T {
    if is_unseen(quiet) {
        return work(None);
    }
    let progress = Progress::default();
    let look = || {
        let (total, done, points) = progress.snapshot();
        Step { stage: "", done, total, unit: Unit::Bytes, count: points, counted: "points" }
    };
    watched(look, || work(Some(&progress)))
}

/// Runs `work` on a stored layer, and shows how far it is, where that is of use. What it reads tells `read` how far it is.
pub(super) fn shown_stages<T>(quiet: bool, read: &Progress, stages: &store::Progress, work: impl FnOnce() -> T) -> T {
    if is_unseen(quiet) {
        return work();
    }
    let look = || {
        let (stage, done, total) = stages.snapshot();
        let step = |stage| Step { stage, done, total, unit: Unit::Points, count: done, counted: "points" };
        match stage {
            Stage::Reading => {
                let (total, done, points) = read.snapshot();
                Step { stage: "reading", done, total, unit: Unit::Bytes, count: points, counted: "points" }
            }
            Stage::Merging => step("merging"),
            Stage::Binning => step("summing up"),
        }
    };
    watched(look, work)
}

/// Runs an export of what is `counted`, such as tiles, and shows how far it is, where that is of use.
pub(super) fn shown_export<T>(
    quiet: bool,
    progress: &export::Progress,
    counted: &'static str,
    work: impl FnOnce() -> T,
) -> T {
    if is_unseen(quiet) {
        return work();
    }
    let look = || {
        let ([tiles, resumed], done, total) = progress.snapshot();
        Step { stage: "", done, total, unit: Unit::Thresholds, count: tiles - resumed, counted }
    };
    watched(look, work)
}

/// Runs `work`, which counts in `done` how many of `total` frames it is through with, and shows how far it is.
pub(super) fn shown_frames<T>(quiet: bool, done: &AtomicU64, total: u64, work: impl FnOnce() -> T) -> T {
    if is_unseen(quiet) {
        return work();
    }
    let look = || {
        let done = done.load(Ordering::Relaxed);
        Step { stage: "", done, total, unit: Unit::Thresholds, count: done, counted: "frames" }
    };
    watched(look, work)
}

fn is_unseen(quiet: bool) -> bool {
    quiet || !std::io::IsTerminal::is_terminal(&std::io::stderr())
}

fn watched<T>(look: impl Fn() -> Step + Sync, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&look, &done));
        let result = work();
        done.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        drop(watcher.join());
        result
    })
}

fn watch(look: &impl Fn() -> Step, done: &AtomicBool) {
    let start = Instant::now();
    // A stage has a bar of its own: its rate says nothing about that of the next.
    let mut begun = start;
    let mut bar: Option<(&str, ProgressBar)> = None;
    while !done.load(Ordering::Relaxed) {
        std::thread::park_timeout(TICK);
        if start.elapsed() < PATIENCE || done.load(Ordering::Relaxed) {
            continue;
        }
        let step = look();
        if let Some((_, ended)) = bar.take_if(|(stage, _)| *stage != step.stage) {
            ended.finish_and_clear();
            begun = Instant::now();
        }
        let (_, bar) = bar.get_or_insert_with(|| (step.stage, new_bar(step.stage, step.unit)));
        let rate = step.count as f64 / begun.elapsed().as_secs_f64().max(1e-3);
        bar.set_message(format!("{} {}, {}/s", HumanCount(step.count), step.counted, HumanCount(rate as u64)));
        bar.set_length(step.total.max(step.done));
        bar.set_position(step.done);
    }
    if let Some((_, bar)) = bar {
        bar.finish_and_clear();
    }
}

fn new_bar(stage: &'static str, unit: Unit) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let size = move |state: &ProgressState, out: &mut dyn Write| {
        let total = state.len().unwrap_or(0);
        let _ = match unit {
            Unit::Bytes => write!(out, "{}", HumanBytes(total)),
            Unit::Points => write!(out, "{} points", HumanCount(total)),
            Unit::Thresholds => Ok(()),
        };
    };
    let template = match unit {
        Unit::Thresholds => "{prefix}{wide_bar} {percent:>3} %  {msg}  {eta} left",
        Unit::Bytes | Unit::Points => "{prefix}{wide_bar} {percent:>3} % of {size}  {msg}  {eta} left",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("size", size));
    }
    bar.set_prefix(if stage.is_empty() { String::new() } else { format!("{stage}  ") });
    bar
}
