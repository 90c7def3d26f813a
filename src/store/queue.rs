//! Writes that come at the same time share one commit.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};

use super::import::{Batch, segment_of};
use super::layer::{Change, StoredLayer};
use super::merge::Merging;
use super::requests::Request;
use super::rows::Rows;
use super::segment::SegmentEntry;
use super::staging::StagingDir;
use crate::error::{Error, Result};

/// Writes that wait, and who commits them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Write>,
    next_ticket: u64,
    is_committing: bool,
    done: HashMap<u64, Result<Appended>>,
}

#[derive(Debug)]
struct Write {
    ticket: u64,
    points: Written,
    request: Option<Request>,
}

/// The points of a write.
#[derive(Debug)]
enum Written {
    /// They become one segment with those of others.
    Few(Rows),
    /// They are a segment already, so that nobody waits while it is made.
    Many(SegmentEntry, StagingDir),
}

impl Written {
    /// Points that are a segment of their own.
    const MANY_ROWS: usize = 1 << 17;

    fn of(rows: Rows, request: Option<&Request>, layer: &StoredLayer) -> Result<Self> {
        if rows.len() < Self::MANY_ROWS {
            return Ok(Self::Few(rows));
        }
        let staging = layer.staging_dir()?;
        let requests = request.map(std::slice::from_ref).unwrap_or_default();
        let entry = segment_of(&staging, rows, true, alone(requests))?;
        Ok(Self::Many(entry, staging))
    }

    fn rows(&self) -> u64 {
        match self {
            Self::Few(rows) => rows.len() as u64,
            Self::Many(entry, _) => entry.rows,
        }
    }
}

/// How a segment is made of points in memory.
fn alone(requests: &[Request]) -> Merging<'_> {
    Merging { expire_before_us: None, requests, threads: 1, progress: None }
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Its points are on the disk, and in the layer's newest snapshot.
    New,
    /// They were there already: a request with the same key brought them.
    Before(Request),
}

impl StoredLayer {
    /// Adds points, and returns when they are on the disk. Writes that come at the same time share one commit.
    ///
    /// With a `request` whose key is known already nothing is added.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `Idempotency-Key` if the key was used for another body; [`Error::Io`] if the store cannot be
    /// written: no point was added then.
    pub fn append(&self, batch: Batch, request: Option<Request>) -> Result<Appended> {
        let points = Written::of(batch.0, request.as_ref(), self)?;
        let mut state = self.queue.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push(Write { ticket, points, request });
        loop {
            if let Some(done) = state.done.remove(&ticket) {
                return done;
            }
            if state.is_committing {
                state = self.queue.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // The first one that finds nobody at it commits for all who wait, once: then it is another one's turn.
            state.is_committing = true;
            let writes = take(&mut state.waiting);
            drop(state);
            let outcomes = self.commit_together(writes);
            state = self.queue.lock();
            state.is_committing = false;
            state.done.extend(outcomes);
            self.queue.moved.notify_all();
        }
    }

    fn commit_together(&self, writes: Vec<Write>) -> Vec<(u64, Result<Appended>)> {
        // The newest one, whatever was served so far: a request that it does not know is taken for a new one.
        let snapshot = match self.refresh() {
            Ok(snapshot) => snapshot,
            Err(error) => return writes.iter().map(|write| (write.ticket, Err(told_again(&error)))).collect(),
        };
        let mut outcomes = Vec::with_capacity(writes.len());
        let (mut few, mut many) = (Rows::default(), Vec::new());
        let (mut requests, mut of_few, mut tickets) = (Vec::<Request>::new(), Vec::new(), Vec::new());
        for Write { ticket, points, request } in writes {
            if let Some(request) = &request {
                let same_key = requests.iter().find(|other| other.key == request.key);
                if let Some(before) = same_key.or_else(|| snapshot.request(&request.key)) {
                    let known = if before.digest == request.digest {
                        Ok(Appended::Before(before.clone()))
                    } else {
                        Err(Error::invalid("Idempotency-Key", "it was used for another body already"))
                    };
                    outcomes.push((ticket, known));
                    continue;
                }
            }
            requests.extend(request.clone().filter(|_| points.rows() > 0));
            tickets.push(ticket);
            match points {
                Written::Few(rows) => {
                    of_few.extend(request.filter(|_| !rows.is_empty()));
                    few.append(rows);
                }
                Written::Many(entry, staging) => many.push((entry, staging)),
            }
        }
        let committed = self.commit_points(few, &of_few, many);
        for ticket in tickets {
            let outcome = match &committed {
                Ok(()) => Ok(Appended::New),
                Err(error) => Err(told_again(error)),
            };
            outcomes.push((ticket, outcome));
        }
        // One that waits for a request that came with it waits for the same commit.
        if committed.is_err() {
            let failed = |key: &str| requests.iter().any(|request| request.key == key);
            for (_, outcome) in &mut outcomes {
                if let (Ok(Appended::Before(request)), Err(error)) = (&*outcome, &committed)
                    && failed(&request.key)
                {
                    *outcome = Err(told_again(error));
                }
            }
        }
        outcomes
    }

    fn commit_points(&self, few: Rows, requests: &[Request], many: Vec<(SegmentEntry, StagingDir)>) -> Result<()> {
        let (mut added, mut staging_dirs): (Vec<_>, Vec<_>) = many.into_iter().unzip();
        if !few.is_empty() {
            /// Points that are summed up fast enough without bins, which come with the next merge. (The tests want bins soon.)
            const FEW_ROWS: usize = if cfg!(test) { 1 << 13 } else { 1 << 15 };
            let (staging, with_bins) = (self.staging_dir()?, few.len() > FEW_ROWS);
            added.push(segment_of(&staging, few, with_bins, alone(requests))?);
            staging_dirs.push(staging);
        }
        if added.is_empty() {
            return Ok(());
        }
        self.commit(Change { added, ..Change::default() }, &staging_dirs)
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writes of one commit: all who wait, but no more points than are sorted in no time.
fn take(waiting: &mut Vec<Write>) -> Vec<Write> {
    const MOST_ROWS: u64 = 1 << 20;
    let (mut rows, mut count) = (0, 0);
    while rows < MOST_ROWS && count < waiting.len() {
        rows += waiting[count].points.rows();
        count += 1;
    }
    waiting.drain(..count).collect()
}

/// The same error once more, for another one who waits.
fn told_again(error: &Error) -> Error {
    match error {
        Error::Io { path, action, source } => {
            Error::io(path, action, std::io::Error::new(source.kind(), source.to_string()))
        }
        Error::Invalid { parameter, message } => Error::invalid(parameter, message.clone()),
        Error::Input { input, message } => Error::input(input, message.clone()),
        Error::Config { place, message } => Error::config(place.clone(), message.clone()),
        Error::MediaType { media_type, expected } => {
            Error::MediaType { media_type: media_type.clone(), expected: expected.clone() }
        }
        Error::Database { database, fault, message } => Error::database(database, *fault, message),
        Error::Cancelled => Error::Cancelled,
    }
}
