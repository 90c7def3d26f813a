//! Writes a segment from points in memory, or by merging other segments.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use super::numbers::NumberType;
use super::points::BATCH_ROWS;
use super::progress::{Progress, Stage};
use super::requests::Request;
use super::rows::{Columns, Names, Rows};
use super::segment::{Segment, SegmentEntry, SegmentWriter};
use super::staging::StagingDir;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{PointBins, Points};

/// The options of writing a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentOptions<'a> {
    /// The ingest requests of the points.
    pub(super) requests: &'a [Request],
    pub(super) threads: usize,
    pub(super) progress: Option<&'a Progress>,
}

/// Writes points as the segment of a staging folder. Without bins, writing is faster, and readers sum the points one by
/// one.
pub(super) fn write_segment(
    staging: &StagingDir,
    mut rows: Rows,
    with_bins: bool,
    options: &SegmentOptions<'_>,
) -> Result<SegmentEntry> {
    if let Some(progress) = options.progress {
        progress.enter(Stage::Binning, rows.len() as u64);
    }
    rows.sort_and_merge(PointBins::MAX_N);
    let mut writer = SegmentWriter::create(staging.path(), StagingDir::SEGMENT, rows.columns(), options.requests)?;
    writer.push(rows)?;
    writer.finish(with_bins, true, options.threads, options.progress)
}

/// Merges the points of `segments` into the segment of a staging folder, with bins, except for points with times before
/// `expire_before_us`, in microseconds. Memory is bounded to some millions of points.
pub(super) fn merge(
    segments: &[&Segment],
    staging: &StagingDir,
    expire_before_us: Option<i64>,
    options: &SegmentOptions<'_>,
) -> Result<SegmentEntry> {
    let total: u64 = segments.iter().map(|segment| segment.entry.rows).sum();
    let (columns, code_maps) = merge_columns(segments);
    let max_n = NumberType::of(columns.max_n).max();
    let mut writer = SegmentWriter::create(staging.path(), StagingDir::SEGMENT, columns, options.requests)?;
    if let Some(progress) = options.progress {
        progress.enter(Stage::Merging, total);
    }
    let parts = parts(segments);
    let next = AtomicUsize::new(0);
    let turn = Turn::default();
    std::thread::scope(|scope| -> Result<()> {
        let (sender, received) = sync_channel::<(usize, Chunk)>(options.threads);
        for _ in 0..options.threads.max(1) {
            let (sender, next, turn, parts, code_maps) = (sender.clone(), &next, &turn, &parts, &code_maps);
            scope.spawn(move || {
                loop {
                    let part = next.fetch_add(1, Ordering::Relaxed);
                    let Some(keys) = parts.get(part) else { break };
                    turn.wait_until_near(part, options.threads + 1);
                    let send = |chunk| {
                        let chunk = match (chunk, expire_before_us) {
                            (Chunk::Rows(rows), Some(before_us)) => Chunk::Rows(rows.since(before_us)),
                            (chunk, _) => chunk,
                        };
                        let is_stopped = options.progress.is_some_and(Progress::is_stopped);
                        if is_stopped {
                            Err(ReceiverDropped)
                        } else {
                            sender.send((part, chunk)).map_err(|_| ReceiverDropped)
                        }
                    };
                    if sort_part(segments, code_maps, max_n, keys, send).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let written = write_in_turn(received, &turn, &mut writer, options.progress);
        // Wakes threads that still wait for their turn; their next send fails.
        turn.set(usize::MAX);
        if written? < parts.len() { Err(Error::Cancelled) } else { Ok(()) }
    })?;
    if let Some(progress) = options.progress {
        progress.enter(Stage::Binning, total);
    }
    writer.finish(true, true, options.threads, options.progress)
}

/// Writes the chunks in the order of their parts, and returns the number of complete parts.
fn write_in_turn(
    received: Receiver<(usize, Chunk)>,
    turn: &Turn,
    writer: &mut SegmentWriter,
    progress: Option<&Progress>,
) -> Result<usize> {
    let (mut current, mut pending) = (0, BTreeMap::<usize, Vec<Chunk>>::new());
    for (part, chunk) in received {
        pending.entry(part).or_default().push(chunk);
        while let Some(chunks) = pending.remove(&current) {
            let mut is_complete = false;
            for chunk in chunks {
                match chunk {
                    Chunk::Rows(rows) => {
                        if let Some(progress) = progress {
                            progress.advance(rows.len() as u64);
                        }
                        writer.push(rows)?;
                    }
                    Chunk::End => is_complete = true,
                }
            }
            if !is_complete {
                break;
            }
            current += 1;
            turn.set(current);
        }
    }
    Ok(current)
}

/// The part that is being written. Threads wait until it is near theirs, because chunks of later parts are buffered in
/// memory.
#[derive(Default)]
struct Turn {
    part: Mutex<usize>,
    changed: Condvar,
}

impl Turn {
    fn set(&self, part: usize) {
        *self.part.lock().unwrap_or_else(PoisonError::into_inner) = part;
        self.changed.notify_all();
    }

    fn wait_until_near(&self, part: usize, ahead: usize) {
        let current = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(current, |current| part > current.saturating_add(ahead)));
    }
}

/// A message of a sorting thread.
#[allow(clippy::large_enum_variant, reason = "a chunk has millions of rows, so its own size does not matter")]
enum Chunk {
    Rows(Rows),
    /// The end of the part.
    End,
}

/// The receiver of the chunks was dropped.
struct ReceiverDropped;

/// The union of the columns of the segments, and for each segment the map from its category codes to the merged ones.
fn merge_columns(segments: &[&Segment]) -> (Columns, Vec<Vec<u32>>) {
    let mut columns = Columns::default();
    let mut names = Names::default();
    let mut code_maps = Vec::with_capacity(segments.len());
    let mut has_categories = false;
    for segment in segments {
        let own = segment.columns();
        // All segments of a layer have the same frame.
        columns.frame = own.frame;
        columns.exact |= own.exact;
        columns.level = columns.level.or(own.level);
        // A group has one row per segment, mostly; others stay apart if their sum exceeds this.
        columns.max_n = columns.max_n.saturating_add(own.max_n);
        columns.weighted |= own.weighted;
        columns.timed |= own.timed;
        columns.tracked |= own.tracked;
        has_categories |= own.names.is_some();
        code_maps.push(own.names.iter().flat_map(|own| &own.list).map(|name| names.code(name)).collect());
    }
    columns.names = has_categories.then_some(names);
    (columns, code_maps)
}

/// Splits the keys into ranges (first, last inclusive) of about a million points each.
fn parts(segments: &[&Segment]) -> Vec<(u64, u64)> {
    const PART_BATCHES: usize = (1 << 20) / BATCH_ROWS;
    let mut keys: Vec<u64> = segments.iter().flat_map(|segment| segment.points.first_keys()).collect();
    keys.sort_unstable();
    let mut starts = vec![0];
    for key in keys.chunks(PART_BATCHES).skip(1).map(|keys| keys[0]) {
        // A location with more points than a part becomes a separate part.
        if starts.last() == Some(&key) {
            starts.extend(key.checked_add(1));
        } else if starts.last().is_some_and(|last| *last < key) {
            starts.push(key);
        }
    }
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([u64::MAX]);
    starts.iter().copied().zip(ends.collect::<Vec<_>>()).collect()
}

/// Passes the points of a range of keys to `take` in Z-order, followed by the end. Rows of bins have up to `max_n` points.
fn sort_part(
    segments: &[&Segment],
    code_maps: &[Vec<u32>],
    max_n: u64,
    &(first, last): &(u64, u64),
    mut take: impl FnMut(Chunk) -> Result<(), ReceiverDropped>,
) -> Result<(), ReceiverDropped> {
    const MAX_ROWS: u64 = 1 << 20;
    let mut all = Rows::default();
    for (segment, code_map) in segments.iter().zip(code_maps) {
        let rows = rows_between(segment, first, last);
        let of = |range: Range<u64>| {
            let mut rows = segment.points.rows(range, segment.level);
            rows.names = Names::default();
            for code in &mut rows.category {
                *code = code_map.get(*code as usize).copied().unwrap_or(Rows::NO_CATEGORY);
            }
            rows
        };
        if first == last {
            // Points of one location need no sorting, so they are not loaded into memory together.
            for start in rows.clone().step_by(MAX_ROWS as usize) {
                let mut rows = of(start..(start + MAX_ROWS).min(rows.end));
                rows.sort_and_merge(max_n);
                take(Chunk::Rows(rows))?;
            }
        } else {
            all.append_columns(&of(rows.clone()));
        }
        segment.points.release(rows);
    }
    all.sort_and_merge(max_n);
    take(Chunk::Rows(all))?;
    take(Chunk::End)
}

/// The rows with keys from `first` to `last`, inclusive.
pub(super) fn rows_between(segment: &Segment, first: u64, last: u64) -> Range<u64> {
    let start = segment.points.first_at(first, segment.all());
    let end = match last.checked_add(1) {
        Some(next) => segment.points.first_at(next, start..segment.entry.rows),
        None => segment.entry.rows,
    };
    start..end
}

impl Rows {
    /// The points with times at or after `before_us`, or without a time.
    fn since(self, before_us: i64) -> Self {
        if self.time_us.is_empty() {
            return self;
        }
        let keep: Vec<bool> = self.time_us.iter().map(|&time| time >= before_us || time == Points::NO_TIME).collect();
        self.retained(&keep)
    }
}
