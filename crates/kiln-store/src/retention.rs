//! The clock of retentions: a jump of the system clock must not remove the points of a layer.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};

use super::clock::now_s;
use super::disk::{self, File, sync_folder};
use super::segment::Segment;
use super::snapshot::Snapshot;
use super::sync::Mutex;

/// The judgment of the system clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockCheck {
    /// The clock is plausible: the time in Unix seconds.
    Plausible(u64),
    /// The clock has jumped, and nothing confirms the new time yet.
    Jumped {
        /// The time of the clock, in Unix seconds.
        now_s: u64,
        /// The last time that was plausible, in Unix seconds.
        before_s: u64,
    },
}

/// Judges the system clock before points are removed by their age. A time is plausible if it is at most a day from that of
/// the last check, or from the newest point of a segment, or if the clock has run without a jump for a day. A file in the
/// folder of the store remembers the checks.
#[derive(Debug)]
pub(super) struct RetentionClock {
    folder: PathBuf,
    readings: Mutex<Option<Readings>>,
}

/// The readings of earlier checks, in Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Readings {
    /// The last plausible one.
    plausible_s: Option<u64>,
    /// The first and the last one since a jump.
    jumped_s: Option<[u64; 2]>,
}

/// A jump, and the time after which a clock that has jumped is believed.
const DAY_S: u64 = 24 * 60 * 60;

fn is_near(one_s: u64, other_s: u64) -> bool {
    one_s.abs_diff(other_s) <= DAY_S
}

impl RetentionClock {
    const FILE: &'static str = "server.clock";
    pub(super) const UNFINISHED: &'static str = "server.clock.part";

    /// The clock of the store in a folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), readings: Mutex::default() }
    }

    /// Judges the clock for the layer of a snapshot.
    pub(super) fn check(&self, snapshot: &Snapshot) -> ClockCheck {
        let now_s = now_s();
        let newest_s = |segment: &Arc<Segment>| u64::try_from(segment.entry.totals.time_us?[1] / 1_000_000).ok();
        let has_new_points = snapshot.segments.iter().filter_map(newest_s).any(|time_s| is_near(time_s, now_s));
        let [_, changed_s] = snapshot.created_and_changed_s();
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let before = readings.unwrap_or_else(|| self.load());
        let (after, check) = before.judge(now_s, changed_s, has_new_points);
        *readings = Some(after);
        if after != before {
            self.save(&after);
        }
        check
    }

    fn load(&self) -> Readings {
        let mut text = String::new();
        let read = File::open(self.folder.join(Self::FILE)).and_then(|mut file| file.read_to_string(&mut text));
        // The file is missing until the first check.
        read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Saves readings. If that fails, the next check tries again.
    fn save(&self, readings: &Readings) {
        let text = serde_json::to_string(readings).unwrap_or_default();
        let (path, unfinished) = (self.folder.join(Self::FILE), self.folder.join(Self::UNFINISHED));
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            disk::rename(&unfinished, &path)?;
            sync_folder(&self.folder)
        };
        if let Err(error) = write() {
            tracing::debug!(path = %path.display(), %error, "the readings of the clock cannot be saved");
        }
    }
}

impl Readings {
    /// Judges a reading by the earlier ones; before the first check, by the last change of the layer.
    fn judge(self, now_s: u64, changed_s: u64, has_new_points: bool) -> (Self, ClockCheck) {
        let before_s = self.plausible_s.unwrap_or(changed_s);
        let jumped_s = match self.jumped_s {
            Some([first_s, last_s]) if is_near(last_s, now_s) => [first_s, now_s],
            _ => [now_s; 2],
        };
        let has_run_for_a_day = jumped_s[1].saturating_sub(jumped_s[0]) >= DAY_S;
        if is_near(before_s, now_s) || has_new_points || has_run_for_a_day {
            (Self { plausible_s: Some(now_s), jumped_s: None }, ClockCheck::Plausible(now_s))
        } else {
            (Self { jumped_s: Some(jumped_s), ..self }, ClockCheck::Jumped { now_s, before_s })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_767_225_600;
    const HOUR_S: u64 = 3600;

    #[test]
    fn a_time_is_plausible_after_steady_checks_by_new_points_or_after_a_day() {
        let plausible = ClockCheck::Plausible;
        let judge = |readings: &mut Readings, now_s, has_new_points| {
            let check;
            (*readings, check) = readings.judge(now_s, NOW_S, has_new_points);
            check
        };
        let mut readings = Readings::default();
        assert_eq!(judge(&mut readings, NOW_S + HOUR_S, false), plausible(NOW_S + HOUR_S));
        assert_eq!(judge(&mut readings, NOW_S + DAY_S, false), plausible(NOW_S + DAY_S));
        let steady = readings;
        // The year 2200, and back again.
        let jumped_s = 7_258_118_400;
        let jumped = |now_s| ClockCheck::Jumped { now_s, before_s: NOW_S + DAY_S };
        for hour in 0..24 {
            let now_s = jumped_s + hour * HOUR_S;
            assert_eq!(judge(&mut readings, now_s, false), jumped(now_s), "hour {hour}");
        }
        let mut corrected = readings;
        assert_eq!(judge(&mut corrected, NOW_S + 2 * DAY_S, false), plausible(NOW_S + 2 * DAY_S));
        // It has run without a jump for a day.
        assert_eq!(judge(&mut readings, jumped_s + DAY_S, false), plausible(jumped_s + DAY_S));
        // A clock that jumps again and again is never believed, nor one that was off for a while until points arrive.
        let mut readings = steady;
        for day in (10..100).step_by(2) {
            let now_s = NOW_S + day * DAY_S;
            assert_eq!(judge(&mut readings, now_s, false), jumped(now_s), "day {day}");
        }
        assert_eq!(judge(&mut readings, NOW_S + 102 * DAY_S, true), plausible(NOW_S + 102 * DAY_S));
        // Backward, too: the way back would be a jump forward.
        let back_s = NOW_S - 9 * DAY_S;
        let check = ClockCheck::Jumped { now_s: back_s, before_s: NOW_S + 102 * DAY_S };
        assert_eq!(judge(&mut readings, back_s, false), check);
    }
}
