//! Quoted fields: where text is quoted, also when reading starts in the middle of a file.
//!
//! A quote opens a field only as its first byte, as RFC 4180 has it; anywhere else outside a quoted field it is plain
//! text (`5" pipe`). Inside, two quotes are one quote of text, and a single one closes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What the bytes so far mean for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// The next byte is not quoted.
    Outside,
    /// The next byte is within a quoted field.
    Inside,
    /// The last byte was a quote within a quoted field: another one makes it text, anything else shows that it closed.
    Closing,
}

impl Quoting {
    const ALL: [Self; 3] = [Self::Outside, Self::Inside, Self::Closing];

    /// The state behind `byte`, which follows `previous`.
    #[inline]
    pub(super) fn after(self, byte: u8, previous: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::Outside, b'"') if previous == delimiter || previous == b'\n' => Self::Inside,
            (Self::Inside, b'"') => Self::Closing,
            (Self::Closing, b'"') | (Self::Inside, _) => Self::Inside,
            (Self::Outside | Self::Closing, _) => Self::Outside,
        }
    }

    /// Moves over 64 bytes and answers which of them are quoted, the opening quote included and the closing one not.
    ///
    /// `quotes` has a bit for every quote, `opens` one for every byte behind a separator.
    pub(super) fn quoted(&mut self, quotes: u64, opens: u64) -> u64 {
        let (mut quoted, mut at) = (0, 0);
        // Each turn moves on to the next byte that changes the state.
        while at < 64 {
            let left = !0 << at;
            let next = match self {
                Self::Outside => (quotes & opens & left).trailing_zeros(),
                Self::Inside => (quotes & left).trailing_zeros(),
                Self::Closing => at,
            };
            if *self == Self::Inside {
                quoted |= left & !u64::MAX.checked_shl(next).unwrap_or(0);
            }
            if next == 64 {
                break;
            }
            let is_quote = quotes >> next & 1 == 1;
            (*self, at) = match self {
                Self::Outside => (Self::Inside, next + 1),
                Self::Inside => (Self::Closing, next + 1),
                Self::Closing if is_quote => (Self::Inside, next + 1),
                // The byte itself is outside again; it is no quote, so it opens nothing.
                Self::Closing => (Self::Outside, next + 1),
            };
        }
        quoted
    }
}

/// What a stretch of text does to the [`Quoting`] before it: the state behind it, for each state before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect([Quoting; 3]);

impl Effect {
    /// The effect of `text`, which follows the byte `previous`.
    pub(super) fn of(text: &[u8], previous: u8, delimiter: u8) -> Self {
        let mut states = Quoting::ALL;
        let mut next = 0;
        for quote in memchr::memchr_iter(b'"', text) {
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

    fn on(self, before: Quoting) -> Quoting {
        self.0[before as usize]
    }
}

/// Where the first row begins in `text`, which follows the byte `previous` and the state `quoting`.
pub(super) fn first_row(text: &[u8], previous: u8, mut quoting: Quoting, delimiter: u8) -> Option<usize> {
    if previous == b'\n' && quoting == Quoting::Outside {
        return Some(0);
    }
    let mut next = 0;
    for at in memchr::memchr2_iter(b'"', b'\n', text) {
        let before = if at == 0 { previous } else { text[at - 1] };
        if at > next {
            quoting = quoting.after(before, 0, delimiter);
        }
        quoting = quoting.after(text[at], before, delimiter);
        next = at + 1;
        if text[at] == b'\n' && quoting == Quoting::Outside {
            return Some(next);
        }
    }
    None
}

/// Hands the state at the end of each part on to the next part, while the parts are read by different threads.
///
/// Every part tells its effect as soon as it is in memory, before it asks for its own start; parts are taken in order.
/// So whoever waits here waits for parts that are being read, and for nobody who waits.
#[derive(Debug)]
pub(super) struct Relay {
    line: Mutex<Line>,
    told: Condvar,
}

#[derive(Debug)]
struct Line {
    /// The states at the start of the first parts, as far as they are known.
    starts: Vec<Quoting>,
    /// The effects of the parts that were told.
    effects: Vec<Option<Effect>>,
    /// Whether a part could not be read.
    broken: bool,
}

impl Relay {
    /// A relay for `parts` parts; the first one starts with a row.
    pub(super) fn new(parts: usize) -> Self {
        let line = Line { starts: vec![Quoting::Outside], effects: vec![None; parts], broken: false };
        Self { line: Mutex::new(line), told: Condvar::new() }
    }

    /// Tells the effect of a part; `None`: it could not be read.
    pub(super) fn tell(&self, part: usize, effect: Option<Effect>) {
        let mut line = self.line();
        line.broken |= effect.is_none();
        line.effects[part] = effect;
        while let (Some(&start), Some(&Some(effect))) = (line.starts.last(), line.effects.get(line.starts.len() - 1)) {
            line.starts.push(effect.on(start));
        }
        drop(line);
        self.told.notify_all();
    }

    /// The state at the start of a part, once it is known; `None`: a part before it could not be read.
    pub(super) fn start_of(&self, part: usize) -> Option<Quoting> {
        let mut line = self.line();
        while line.starts.len() <= part && !line.broken {
            line = self.told.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        line.starts.get(part).copied()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
