//! Quoted fields: where they begin and end, also when reading starts in the middle of a file.
//!
//! The rules are those of `csv-core`: a quote opens a field only as its first byte, as RFC 4180 has it; anywhere else outside
//! a quoted field it is plain text (`5" pipe`). Inside, two quotes are one quote of text, and a single one closes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use memchr::{memchr, memchr_iter, memchr2_iter};

/// What the bytes so far mean for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuoteState {
    /// The next byte is not quoted.
    Outside,
    /// The next byte is within a quoted field.
    Inside,
    /// The last byte was a quote within a quoted field: another one makes it text, anything else shows that it closed.
    Closing,
}

impl QuoteState {
    const ALL: [Self; 3] = [Self::Outside, Self::Inside, Self::Closing];

    /// The state behind `byte`, which follows `previous`.
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

/// What a stretch of text does to the [`QuoteState`] before it: the state behind it, for each state before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transition([QuoteState; 3]);

impl Transition {
    /// The transition of a text in which quotes mean nothing.
    pub(super) const NONE: Self = Self(QuoteState::ALL);

    /// The transition of `text`, which follows the byte `previous`.
    pub(super) fn of(text: &[u8], previous: u8, delimiter: u8) -> Self {
        let mut states = QuoteState::ALL;
        let mut next = 0;
        for quote in memchr_iter(b'"', text) {
            let before = if quote == 0 { previous } else { text[quote - 1] };
            if quote > next {
                states = states.map(|state| state.after(before, 0, delimiter));
            }
            // The states soon agree; then one of them is followed.
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

    /// The state behind the text, where `before` is the one before it.
    pub(super) fn apply(self, before: QuoteState) -> QuoteState {
        self.0[before as usize]
    }
}

/// Where the first row begins in `text`, which follows the byte `previous` and the state `state`.
pub(super) fn first_row(text: &[u8], previous: u8, mut state: QuoteState, delimiter: u8) -> Option<usize> {
    if previous == b'\n' && state == QuoteState::Outside {
        return Some(0);
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

/// What is known where a part starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartStart {
    pub(super) state: QuoteState,
    /// The number of line ends before it.
    pub(super) lines: u64,
}

/// The starts of the parts of a file, each computed from the parts before it, while these are read by different threads.
///
/// Every part is published as soon as it is in memory, before its reader waits for its own start; parts are taken in order.
/// So a thread waits here only for parts that are being read, never for one that waits.
#[derive(Debug)]
pub(super) struct PartStarts {
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Debug)]
struct Known {
    /// The starts of the first parts, as far as they are known.
    starts: Vec<PartStart>,
    /// What the published parts do to the start: their transition and their line ends.
    parts: Vec<Option<(Transition, u64)>>,
    /// Whether a part could not be read.
    is_broken: bool,
}

impl PartStarts {
    /// The starts of `parts` parts; the first one starts with a row behind `lines` line ends.
    pub(super) fn new(parts: usize, lines: u64) -> Self {
        let first = PartStart { state: QuoteState::Outside, lines };
        let known = Known { starts: vec![first], parts: vec![None; parts], is_broken: false };
        Self { known: Mutex::new(known), changed: Condvar::new() }
    }

    /// Publishes the transition and the number of line ends of a part; `None`: it could not be read.
    pub(super) fn publish(&self, part: usize, effect: Option<(Transition, u64)>) {
        let mut known = self.lock();
        known.is_broken |= effect.is_none();
        known.parts[part] = effect;
        while let (Some(&start), Some(&Some((transition, lines)))) =
            (known.starts.last(), known.parts.get(known.starts.len() - 1))
        {
            known.starts.push(PartStart { state: transition.apply(start.state), lines: start.lines + lines });
        }
        drop(known);
        self.changed.notify_all();
    }

    /// The start of a part, once it is known; `None`: a part before it could not be read.
    pub(super) fn wait(&self, part: usize) -> Option<PartStart> {
        let mut known = self.lock();
        while known.starts.len() <= part && !known.is_broken {
            known = self.changed.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
        known.starts.get(part).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A search for the first quoted field that is none, more likely than not: it contains a delimiter and a line end, or it is
/// not closed.
#[derive(Debug)]
pub(super) struct UnbalancedQuote {
    delimiter: u8,
    state: QuoteState,
    /// The last byte of the text so far.
    previous: u8,
    /// The number of line ends so far.
    lines: u64,
    /// The line, from 0, in which the last quoted field begins.
    field_line: u64,
    has_delimiter: bool,
    has_line_end: bool,
}

impl UnbalancedQuote {
    /// A search in text behind `lines` line ends.
    pub(super) fn new(delimiter: u8, lines: u64) -> Self {
        let (state, previous) = (QuoteState::Outside, b'\n');
        Self { delimiter, state, previous, lines, field_line: lines, has_delimiter: false, has_line_end: false }
    }

    /// Searches `text`, which follows the text so far, and returns the number of the line, from 1, if it found the quote.
    pub(super) fn find(&mut self, text: &[u8]) -> Option<u64> {
        let mut next = 0;
        for at in memchr_iter(b'"', text).chain([text.len()]) {
            let between = &text[next..at];
            if self.state == QuoteState::Inside {
                self.has_delimiter |= memchr(self.delimiter, between).is_some();
                self.has_line_end |= memchr(b'\n', between).is_some();
            } else if self.state == QuoteState::Closing && !between.is_empty() {
                if self.has_delimiter && self.has_line_end {
                    return Some(self.field_line + 1);
                }
                self.state = QuoteState::Outside;
            }
            self.lines += memchr_iter(b'\n', between).count() as u64;
            self.previous = between.last().copied().unwrap_or(self.previous);
            if at < text.len() {
                let state = self.state.after(b'"', self.previous, self.delimiter);
                if self.state == QuoteState::Outside && state == QuoteState::Inside {
                    (self.field_line, self.has_delimiter, self.has_line_end) = (self.lines, false, false);
                }
                (self.state, self.previous) = (state, b'"');
            }
            next = at + 1;
        }
        None
    }

    /// The same at the end of the text.
    pub(super) fn finish(&self) -> Option<u64> {
        (self.state == QuoteState::Inside).then_some(self.field_line + 1)
    }
}
