//! A progress bar on standard error, for work that takes long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::source::Progress;

/// Nothing is shown before this.
const PATIENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// Runs `work`, and shows how far its scans are once it takes longer than half a second, if standard error is a
/// terminal and `quiet` is not set.
pub(super) fn shown<T>(quiet: bool, work: impl FnOnce(Option<&Progress>) -> T) -> T {
    if quiet || !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        return work(None);
    }
    let progress = Progress::default();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&progress, &done));
        let result = work(Some(&progress));
        done.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        drop(watcher.join());
        result
    })
}

fn watch(progress: &Progress, done: &AtomicBool) {
    let start = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    while !done.load(Ordering::Relaxed) {
        std::thread::park_timeout(TICK);
        if start.elapsed() < PATIENCE || done.load(Ordering::Relaxed) {
            continue;
        }
        let bar = bar.get_or_insert_with(new_bar);
        let (total, read, points) = progress.snapshot();
        bar.set_length(total.max(read));
        bar.set_position(read);
        let rate = points as f64 / start.elapsed().as_secs_f64();
        bar.set_message(format!("{} points, {}/s", HumanCount(points), HumanCount(rate as u64)));
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = "{wide_bar} {percent:>3} % of {size}  {msg}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("size", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{}", HumanBytes(state.len().unwrap_or(0)));
        }));
    }
    bar
}
