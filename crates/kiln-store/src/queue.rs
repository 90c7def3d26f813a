//! Group commit: writes that arrive while another one commits share the next commit.

use std::collections::HashMap;
use std::sync::PoisonError;

use super::requests::Request;
use super::rows::Rows;
use super::segment::SegmentEntry;
use super::staging::StagingDir;
use super::sync::{Condvar, Mutex, MutexGuard};
use kiln_core::error::Result;
use kiln_core::geo::Frame;

/// The writes of a layer that wait for their commit.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<(Ticket, PendingWrite)>,
    next_ticket: Ticket,
    is_committing: bool,
    outcomes: HashMap<Ticket, Result<AppendOutcome>>,
}

type Ticket = u64;

/// A write before its commit.
#[derive(Debug)]
pub(super) struct PendingWrite {
    pub(super) points: PendingPoints,
    /// The frame of the points.
    pub(super) frame: Frame,
    /// The level of rows that stand for many points each.
    pub(super) level: Option<u32>,
    pub(super) request: Option<Request>,
}

/// The points of a write.
#[derive(Debug)]
pub(super) enum PendingPoints {
    /// Few points, which share a segment with those of other writes.
    Rows(Rows),
    /// A separate segment, already written, so that other writes do not wait for it.
    Segment(SegmentEntry, StagingDir),
}

impl PendingPoints {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Rows(rows) => rows.len() as u64,
            Self::Segment(entry, _) => entry.rows,
        }
    }
}

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The points are synced to disk and in the layer's newest snapshot.
    Appended,
    /// An earlier request with the same idempotency key has appended the points.
    Duplicate(Request),
}

impl WriteQueue {
    /// Queues a write and returns its outcome. The first thread that finds no commit in progress calls `commit` with
    /// all waiting writes; `commit` returns their outcomes in the same order.
    pub(super) fn submit(
        &self,
        write: PendingWrite,
        commit: impl Fn(Vec<PendingWrite>) -> Vec<Result<AppendOutcome>>,
    ) -> Result<AppendOutcome> {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.pending.push((ticket, write));
        loop {
            if let Some(outcome) = state.outcomes.remove(&ticket) {
                return outcome;
            }
            if state.is_committing {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // Each thread commits once: writes that arrive during the commit are committed by one of their own threads.
            state.is_committing = true;
            let (tickets, writes): (Vec<_>, Vec<_>) = state.take_batch().into_iter().unzip();
            drop(state);
            let outcomes = commit(writes);
            state = self.lock();
            state.is_committing = false;
            state.outcomes.extend(tickets.into_iter().zip(outcomes));
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the writes of one commit: all pending ones, up to about a million points, which are sorted quickly.
    fn take_batch(&mut self) -> Vec<(Ticket, PendingWrite)> {
        const MAX_ROWS: u64 = 1 << 20;
        let (mut rows, mut count) = (0, 0);
        while rows < MAX_ROWS && count < self.pending.len() {
            rows += self.pending[count].1.points.len();
            count += 1;
        }
        self.pending.drain(..count).collect()
    }
}
