//! Progress bars on standard error for long operations.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::export;
use crate::objects::streamed_bytes;
use crate::source::Progress;
use crate::store::{self, CopyProgress, Stage};
use crate::unwind::OnDrop;

/// The time before a progress bar is displayed.
const DELAY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// The state of an operation.
struct Snapshot {
    /// The name of the current stage; empty if there is only one.
    stage: &'static str,
    /// The completed and the total amount, in `unit`.
    done: u64,
    total: u64,
    unit: Unit,
    /// The number of items since the stage started, and their plural name.
    count: u64,
    noun: &'static str,
}

/// The unit of the length of a progress bar.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Points,
    /// Internal steps; only the percentage is displayed.
    Percent,
}

/// Runs `work` with a progress bar of its scans. The bar is displayed after half a second, if standard error is a
/// terminal and `quiet` is not set.
pub(super) fn with_scan_progress<T>(quiet: bool, work: impl FnOnce(Option<&Progress>) -> T) -> T {
    if is_hidden(quiet) {
        return work(None);
    }
    let progress = Progress::default();
    let snapshot = || {
        let (total, done, points) = progress.snapshot();
        Snapshot { stage: "", done, total, unit: Unit::Bytes, count: points, noun: "points" }
    };
    with_bar(snapshot, || work(Some(&progress)))
}

/// Runs `work`, which opens inputs, with a progress bar of the objects that it copies.
pub(super) fn with_copy_progress<T>(quiet: bool, work: impl FnOnce() -> T) -> T {
    if is_hidden(quiet) {
        return work();
    }
    let snapshot = || {
        let (total, done) = streamed_bytes();
        Snapshot { stage: "copying", done, total, unit: Unit::Bytes, count: done, noun: "bytes" }
    };
    with_bar(snapshot, work)
}

/// Runs `work` on a stored layer with a progress bar; `read` is the progress of its scans.
pub(super) fn with_stage_progress<T>(
    quiet: bool,
    read: &Progress,
    stages: &store::Progress,
    work: impl FnOnce() -> T,
) -> T {
    if is_hidden(quiet) {
        return work();
    }
    let snapshot = || {
        let (stage, done, total) = stages.snapshot();
        let step = |stage| Snapshot { stage, done, total, unit: Unit::Points, count: done, noun: "points" };
        match stage {
            Stage::Reading => {
                let (total, done, points) = read.snapshot();
                Snapshot { stage: "reading", done, total, unit: Unit::Bytes, count: points, noun: "points" }
            }
            Stage::Merging => step("merging"),
            Stage::Binning => step("summing up"),
        }
    };
    with_bar(snapshot, work)
}

/// Runs an upload with a progress bar of its bytes.
pub(super) fn with_upload_progress<T>(quiet: bool, copy: &CopyProgress, work: impl FnOnce() -> T) -> T {
    if is_hidden(quiet) {
        return work();
    }
    let snapshot = || {
        let ([files, _], [done, total]) = (copy.files(), copy.bytes());
        Snapshot { stage: "uploading", done, total, unit: Unit::Bytes, count: files, noun: "files" }
    };
    with_bar(snapshot, work)
}

/// Runs an export with a progress bar; `noun` is the plural name of its items, such as tiles.
pub(super) fn with_export_progress<T>(
    quiet: bool,
    progress: &export::Progress,
    noun: &'static str,
    work: impl FnOnce() -> T,
) -> T {
    if is_hidden(quiet) {
        return work();
    }
    let snapshot = || {
        let ([tiles, resumed], done, total) = progress.snapshot();
        Snapshot { stage: "", done, total, unit: Unit::Percent, count: tiles - resumed, noun }
    };
    with_bar(snapshot, work)
}

/// Runs `work` with a progress bar of `total` frames, of which `work` counts the completed ones in `done`.
pub(super) fn with_frame_progress<T>(quiet: bool, done: &AtomicU64, total: u64, work: impl FnOnce() -> T) -> T {
    if is_hidden(quiet) {
        return work();
    }
    let snapshot = || {
        let done = done.load(Ordering::Relaxed);
        Snapshot { stage: "", done, total, unit: Unit::Percent, count: done, noun: "frames" }
    };
    with_bar(snapshot, work)
}

fn is_hidden(quiet: bool) -> bool {
    quiet || !std::io::IsTerminal::is_terminal(&std::io::stderr())
}

fn with_bar<T>(snapshot: impl Fn() -> Snapshot + Sync, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&snapshot, &done));
        // The bar is removed before this returns.
        let _ended = OnDrop(|| {
            done.store(true, Ordering::Relaxed);
            watcher.thread().unpark();
        });
        work()
    })
}

fn watch(snapshot: &impl Fn() -> Snapshot, done: &AtomicBool) {
    let start = Instant::now();
    // Each stage has its own bar, since rates differ between stages.
    let mut stage_start = start;
    let mut bar: Option<(&str, ProgressBar)> = None;
    while !done.load(Ordering::Relaxed) {
        std::thread::park_timeout(TICK);
        if start.elapsed() < DELAY || done.load(Ordering::Relaxed) {
            continue;
        }
        let step = snapshot();
        // Inputs other than objects are not copied.
        if step.stage == "copying" && step.done == 0 {
            continue;
        }
        if let Some((_, ended)) = bar.take_if(|(stage, _)| *stage != step.stage) {
            ended.finish_and_clear();
            stage_start = Instant::now();
        }
        let (_, bar) = bar.get_or_insert_with(|| (step.stage, new_bar(step.stage, step.unit)));
        let rate = step.count as f64 / stage_start.elapsed().as_secs_f64().max(1e-3);
        bar.set_message(format!("{} {}, {}/s", HumanCount(step.count), step.noun, HumanCount(rate as u64)));
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
            Unit::Percent => Ok(()),
        };
    };
    let template = match unit {
        Unit::Percent => "{prefix}{wide_bar} {percent:>3} %  {msg}  {eta} left",
        Unit::Bytes | Unit::Points => "{prefix}{wide_bar} {percent:>3} % of {size}  {msg}  {eta} left",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("size", size));
    }
    bar.set_prefix(if stage.is_empty() { String::new() } else { format!("{stage}  ") });
    bar
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;

    #[test]
    fn a_panic_of_the_work_ends_its_progress_bar() {
        let snapshot = || Snapshot { stage: "", done: 0, total: 1, unit: Unit::Percent, count: 0, noun: "points" };
        let run = || with_bar(snapshot, || resume_unwind(Box::new("work")));
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"work"));
    }
}
