//! A state machine that tracks quoted fields, also when reading starts in the middle of a file.
//!
//! The rules are those of `csv-core`: a quote opens a quoted field only as its first byte (RFC 4180); elsewhere outside
//! a quoted field it is plain text (`5" pipe`). Inside, two quotes are an escaped quote, and a single one closes the
//! field.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use memchr::{memchr, memchr_iter, memchr2_iter};

use super::record::Dialect;
use super::text::{TextBuffer, TextFile};

/// The quoting state between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuoteState {
    /// The next byte is not quoted.
    Outside,
    /// The next byte is within a quoted field.
    Inside,
    /// The last byte was a quote within a quoted field: an escaped quote if another one follows, otherwise the closing
    /// quote.
    Closing,
}

impl QuoteState {
    const ALL: [Self; 3] = [Self::Outside, Self::Inside, Self::Closing];

    /// The state after `byte`, which follows `previous`.
    #[inline]
    fn after(self, byte: u8, previous: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::Outside, b'"') if previous == delimiter || previous == b'\n' => Self::Inside,
            (Self::Inside, b'"') => Self::Closing,
            (Self::Closing, b'"') | (Self::Inside, _) => Self::Inside,
            (Self::Outside | Self::Closing, _) => Self::Outside,
        }
    }
}

/// The effect of a piece of text on the [`QuoteState`]: the state after it for each state before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transition([QuoteState; 3]);

impl Transition {
    /// The transition of `text`, which follows the byte `previous`.
    pub(super) fn of(text: &[u8], previous: u8, dialect: Dialect) -> Self {
        let Dialect { delimiter, quotes, .. } = dialect;
        let mut states = QuoteState::ALL;
        if !quotes {
            return Self(states);
        }
        let mut next = 0;
        for quote in memchr_iter(b'"', text) {
            let before = if quote == 0 { previous } else { text[quote - 1] };
            if quote > next {
                states = states.map(|state| state.after(before, 0, delimiter));
            }
            // The states soon converge; from then on, only one is computed.
            states = if states[0] == states[1] && states[1] == states[2] {
                [states[0].after(b'"', before, delimiter); 3]
            } else {
                states.map(|state| state.after(b'"', before, delimiter))
            };
            next = quote + 1;
        }
        if next < text.len() {
            states = states.map(|state| state.after(0, 0, delimiter));
        }
        Self(states)
    }

    /// The state after the text if `before` is the state before it.
    pub(super) fn apply(self, before: QuoteState) -> QuoteState {
        self.0[before as usize]
    }
}

/// The offset of the first row that begins in `text`. `previous` and `state` are the byte and the state before it.
pub(super) fn first_row(text: &[u8], previous: u8, mut state: QuoteState, dialect: Dialect) -> Option<usize> {
    let Dialect { delimiter, quotes, .. } = dialect;
    if previous == b'\n' && state == QuoteState::Outside {
        return Some(0);
    }
    if !quotes {
        return memchr(b'\n', text).map(|end| end + 1);
    }
    let mut next = 0;
    for at in memchr2_iter(b'"', b'\n', text) {
        let before = if at == 0 { previous } else { text[at - 1] };
        if at > next {
            state = state.after(before, 0, delimiter);
        }
        state = state.after(text[at], before, delimiter);
        next = at + 1;
        if text[at] == b'\n' && state == QuoteState::Outside {
            return Some(next);
        }
    }
    None
}

/// The parser state at the start of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartStart {
    pub(super) state: QuoteState,
    /// The number of line ends before it.
    pub(super) lines: u64,
}

/// The start states of the parts of a file, computed from the parts before them, which other threads read.
///
/// Parts are started in order, and each one is published as soon as it is in memory, before its reader waits for its
/// own start state. So a thread only waits for parts that are being read, never for a thread that waits itself: no
/// deadlock.
#[derive(Debug)]
pub(super) struct PartStarts {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// The start states of the first parts, as far as they are known.
    starts: Vec<PartStart>,
    /// The transitions and line counts of parts that were published before an earlier part.
    pending: BTreeMap<usize, (Transition, u64)>,
}

impl PartStarts {
    /// No parts published. The first part starts with a row, after `lines` line ends.
    pub(super) fn new(lines: u64) -> Self {
        let starts = vec![PartStart { state: QuoteState::Outside, lines }];
        Self { state: Mutex::new(State { starts, pending: BTreeMap::new() }), changed: Condvar::new() }
    }

    /// Publishes the transition and the number of line ends of a part.
    pub(super) fn publish(&self, part: usize, transition: Transition, lines: u64) {
        let mut guard = self.lock();
        let State { starts, pending } = &mut *guard;
        pending.insert(part, (transition, lines));
        while let (Some(&PartStart { state, lines }), Some((transition, more))) =
            (starts.last(), pending.remove(&(starts.len() - 1)))
        {
            starts.push(PartStart { state: transition.apply(state), lines: lines + more });
        }
        drop(guard);
        self.changed.notify_all();
    }

    /// Waits until the start state of a part is known and returns it.
    pub(super) fn wait(&self, part: usize) -> PartStart {
        let mut guard = self.lock();
        loop {
            if let Some(start) = guard.starts.get(part) {
                return *start;
            }
            guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the first quote that is probably not the start of a quoted field: the field would contain a delimiter and a
/// line end, or is not closed. Returns its line number. Searches `file` in blocks from the offset `start`, after
/// `lines` line ends.
pub(super) fn unbalanced_quote(
    file: &TextFile,
    mut start: u64,
    mut lines: u64,
    delimiter: u8,
    block_bytes: usize,
) -> io::Result<Option<u64>> {
    let (mut block, mut state, mut previous) = (TextBuffer::default(), QuoteState::Outside, b'\n');
    let (mut field_line, mut has_delimiter, mut has_line_end) = (0, false, false);
    loop {
        block.restart(start);
        let is_last = block.fill(file, block_bytes)?;
        let text = block.filled();
        let mut next = 0;
        for at in memchr_iter(b'"', text).chain([text.len()]) {
            let between = &text[next..at];
            if state == QuoteState::Inside {
                has_delimiter |= memchr(delimiter, between).is_some();
                has_line_end |= memchr(b'\n', between).is_some();
            } else if state == QuoteState::Closing && (!between.is_empty() || is_last && at == text.len()) {
                if has_delimiter && has_line_end {
                    return Ok(Some(field_line));
                }
                state = QuoteState::Outside;
            }
            lines += memchr_iter(b'\n', between).count() as u64;
            previous = between.last().copied().unwrap_or(previous);
            if at < text.len() {
                if state == QuoteState::Outside {
                    (field_line, has_delimiter, has_line_end) = (lines + 1, false, false);
                }
                (state, previous) = (state.after(b'"', previous, delimiter), b'"');
            }
            next = at + 1;
        }
        if is_last {
            return Ok((state == QuoteState::Inside).then_some(field_line));
        }
        start += block_bytes as u64;
    }
}
