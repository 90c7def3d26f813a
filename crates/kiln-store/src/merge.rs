//! One segment made of several others, or of points in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use super::points::BATCH_ROWS;
use super::progress::{Progress, Stage};
use super::requests::Request;
use super::rows::{Columns, Names, Rows};
use super::segment::{Segment, SegmentEntry, SegmentWriter};
use super::staging::StagingDir;
use kiln_core::error::{Error, Result};
use kiln_core::geo::Points;

/// How a segment is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentOptions<'a> {
    /// The requests that sent the points.
    pub(super) requests: &'a [Request],
    pub(super) threads: usize,
    pub(super) progress: Option<&'a Progress>,
}

/// Writes points as the segment of a staging folder. Without bins it is on disk sooner, and its points are summed one by one.
pub(super) fn write_segment(
    staging: &StagingDir,
    mut rows: Rows,
    with_bins: bool,
    options: &SegmentOptions<'_>,
) -> Result<SegmentEntry> {
    if let Some(progress) = options.progress {
        progress.enter(Stage::Binning, rows.len() as u64);
    }
    rows.sort();
    let mut writer = SegmentWriter::create(staging.path(), StagingDir::SEGMENT, rows.columns(), options.requests)?;
    writer.push(rows)?;
    writer.finish(with_bins, true, options.threads, options.progress)
}

/// Writes the points of `segments` as the segment of a staging folder, with its bins, but for points that are older than
/// `expire_before_us`, in microseconds. Memory is that of some millions of points, however many there are.
pub(super) fn merge(
    segments: &[&Segment],
    staging: &StagingDir,
    expire_before_us: Option<i64>,
    options: &SegmentOptions<'_>,
) -> Result<SegmentEntry> {
    let total: u64 = segments.iter().map(|segment| segment.entry.rows).sum();
    let (columns, numbers) = joined(segments);
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
            let (sender, next, turn, parts, numbers) = (sender.clone(), &next, &turn, &parts, &numbers);
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
                        if is_stopped { Err(Gone) } else { sender.send((part, chunk)).map_err(|_| Gone) }
                    };
                    if sort_part(segments, numbers, keys, send).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let written = write_in_turn(received, &turn, &mut writer, options.progress);
        // Threads that still wait for their turn find that no chunk is received any more.
        turn.set(usize::MAX);
        if written? < parts.len() { Err(Error::Cancelled) } else { Ok(()) }
    })?;
    if let Some(progress) = options.progress {
        progress.enter(Stage::Binning, total);
    }
    writer.finish(true, true, options.threads, options.progress)
}

/// Writes the chunks in the order of their parts, and returns how many parts are complete.
fn write_in_turn(
    received: Receiver<(usize, Chunk)>,
    turn: &Turn,
    writer: &mut SegmentWriter,
    progress: Option<&Progress>,
) -> Result<usize> {
    let (mut at, mut early) = (0, BTreeMap::<usize, Vec<Chunk>>::new());
    for (part, chunk) in received {
        early.entry(part).or_default().push(chunk);
        while let Some(chunks) = early.remove(&at) {
            let mut is_over = false;
            for chunk in chunks {
                match chunk {
                    Chunk::Rows(rows) => {
                        if let Some(progress) = progress {
                            progress.advance(rows.len() as u64);
                        }
                        writer.push(rows)?;
                    }
                    Chunk::End => is_over = true,
                }
            }
            if !is_over {
                break;
            }
            at += 1;
            turn.set(at);
        }
    }
    Ok(at)
}

/// The part that is being written. Threads stay close to it, since the chunks of later parts wait in memory.
#[derive(Default)]
struct Turn {
    part: Mutex<usize>,
    moved: Condvar,
}

impl Turn {
    fn set(&self, part: usize) {
        *self.part.lock().unwrap_or_else(PoisonError::into_inner) = part;
        self.moved.notify_all();
    }

    fn wait_until_near(&self, part: usize, ahead: usize) {
        let at = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(at, |at| part > at.saturating_add(ahead)));
    }
}

/// A part of the merged points.
enum Chunk {
    Rows(Rows),
    /// The part is complete.
    End,
}

/// Chunks are not received any more.
struct Gone;

/// The columns of the segments together, and for each of them the numbers that its categories get.
fn joined(segments: &[&Segment]) -> (Columns, Vec<Vec<u32>>) {
    let mut columns = Columns::default();
    let mut names = Names::default();
    let mut numbers = Vec::with_capacity(segments.len());
    let mut categories = false;
    for segment in segments {
        let own = segment.columns();
        columns.weighted |= own.weighted;
        columns.timed |= own.timed;
        categories |= own.names.is_some();
        numbers.push(own.names.iter().flat_map(|own| &own.list).map(|name| names.number(name)).collect());
    }
    columns.names = categories.then_some(names);
    (columns, numbers)
}

/// Ranges of keys (first, and last inclusive) that hold about a million points each.
fn parts(segments: &[&Segment]) -> Vec<(u64, u64)> {
    const PART_BATCHES: usize = (1 << 20) / BATCH_ROWS;
    let mut keys: Vec<u64> = segments.iter().flat_map(|segment| segment.points.first_keys()).collect();
    keys.sort_unstable();
    let mut starts = vec![0];
    for key in keys.chunks(PART_BATCHES).skip(1).map(|keys| keys[0]) {
        // A location that fills a part and more gets a part of its own.
        if starts.last() == Some(&key) {
            starts.extend(key.checked_add(1));
        } else if starts.last().is_some_and(|last| *last < key) {
            starts.push(key);
        }
    }
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([u64::MAX]);
    starts.iter().copied().zip(ends.collect::<Vec<_>>()).collect()
}

/// Passes the points of a range of keys to `take`, in Z-order, and then the end.
fn sort_part(
    segments: &[&Segment],
    numbers: &[Vec<u32>],
    &(first, last): &(u64, u64),
    mut take: impl FnMut(Chunk) -> Result<(), Gone>,
) -> Result<(), Gone> {
    const MOST_ROWS: u64 = 1 << 20;
    let mut all = Rows::default();
    for (segment, numbers) in segments.iter().zip(numbers) {
        let rows = rows_between(segment, first, last);
        let of = |range: Range<u64>| {
            let mut rows = segment.points.rows(range);
            rows.names = Names::default();
            for code in &mut rows.category {
                *code = numbers.get(*code as usize).copied().unwrap_or(Rows::NO_CATEGORY);
            }
            rows
        };
        if first == last {
            // Points of one location need no sorting, so they need not be in memory at once.
            for start in rows.clone().step_by(MOST_ROWS as usize) {
                take(Chunk::Rows(of(start..(start + MOST_ROWS).min(rows.end))))?;
            }
        } else {
            all.append_columns(&of(rows.clone()));
        }
        segment.points.release(rows);
    }
    all.sort();
    take(Chunk::Rows(all))?;
    take(Chunk::End)
}

/// The rows whose keys lie from `first` to `last`.
fn rows_between(segment: &Segment, first: u64, last: u64) -> Range<u64> {
    let start = segment.points.first_at(first, segment.all());
    let end = match last.checked_add(1) {
        Some(next) => segment.points.first_at(next, start..segment.entry.rows),
        None => segment.entry.rows,
    };
    start..end
}

impl Rows {
    /// The points that are not older than an instant.
    fn since(self, before_us: i64) -> Self {
        if self.time_us.is_empty() {
            return self;
        }
        let stays: Vec<bool> = self.time_us.iter().map(|&time| time >= before_us || time == Points::NO_TIME).collect();
        Self {
            keys: kept(self.keys, &stays),
            weight: kept(self.weight, &stays),
            time_us: kept(self.time_us, &stays),
            category: kept(self.category, &stays),
            names: self.names,
        }
    }
}

/// The values that stay.
fn kept<T>(column: Vec<T>, stays: &[bool]) -> Vec<T> {
    column.into_iter().zip(stays).filter(|(_, stays)| **stays).map(|(value, _)| value).collect()
}
