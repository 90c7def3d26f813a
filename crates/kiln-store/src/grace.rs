//! The grace time of removed segments: the time for which their files stay.
//!
//! On a local disk, a memory map of a removed file stays valid. On a network file system, the pages of a file that another
//! machine has removed cannot be read anymore, and a process that reads them from its map is killed by SIGBUS. So the files
//! stay until the servers of other machines have read the new manifest, and until requests that began before have ended.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::now_s;
use super::disk;

/// The grace time of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Grace {
    /// [`Grace::SHARED_S`] on a network file system, and none on a local disk.
    #[default]
    Automatic,
    /// This many seconds.
    Seconds(u64),
}

impl Grace {
    /// The grace time in seconds on a network file system.
    pub(super) const SHARED_S: u64 = 3600;
    /// The maximum grace time in seconds: a week. A file that is to stay longer was removed before the clock was set back.
    const MAX_S: u64 = 7 * 24 * 3600;

    pub(super) fn of(grace: Option<Duration>) -> Self {
        grace.map_or(Self::Automatic, |grace| Self::Seconds(grace.as_secs().min(Self::MAX_S)))
    }

    /// The time in Unix seconds until which files that are removed now from the store in a folder stay; `None` without a
    /// grace time.
    pub(super) fn until_s(self, store: &Path) -> Option<u64> {
        let seconds = match self {
            Self::Automatic => u64::from(disk::is_network(store)) * Self::SHARED_S,
            Self::Seconds(seconds) => seconds,
        };
        // Rounded up, so that the removals of a while share one time.
        let step = (seconds / 16).max(1);
        (seconds > 0).then(|| (now_s() + 1 + seconds).div_ceil(step) * step)
    }

    /// Whether the grace time until `until_s` has passed at `now_s`. A clock that was set back does not keep files forever.
    pub(super) fn has_passed(until_s: u64, now_s: u64) -> bool {
        until_s <= now_s || until_s > now_s.saturating_add(2 * Self::MAX_S)
    }
}

/// The segments that were removed from a layer and whose files stay for a grace time. It is a part of the manifest, so a
/// commit removes segments and keeps their files atomically.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RemovedSegments(Vec<RemovedUntil>);

/// Segments whose files stay until a time. Segments that are merged have been numbered in a row, so ranges are short even
/// if there are many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RemovedUntil {
    until_s: u64,
    /// Ranges of IDs, first and last, in increasing order.
    ids: Vec<[u64; 2]>,
}

impl RemovedSegments {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of segments; `None` if a range of their numbers is invalid.
    pub(super) fn len(&self) -> Option<u64> {
        let ranges = self.0.iter().flat_map(|removed| &removed.ids);
        ranges
            .map(|[first, last]| last.checked_sub(*first))
            .try_fold(0u64, |sum, more| sum.checked_add(more?)?.checked_add(1))
    }

    /// Adds segments whose files stay until `until_s`.
    pub(super) fn add(&mut self, ids: &[u64], until_s: u64) {
        if ids.is_empty() {
            return;
        }
        let at = self.0.iter().position(|removed| removed.until_s == until_s).unwrap_or_else(|| {
            self.0.push(RemovedUntil { until_s, ids: Vec::new() });
            self.0.len() - 1
        });
        let ranges = &mut self.0[at].ids;
        ranges.extend(ids.iter().map(|&id| [id; 2]));
        ranges.sort_unstable();
        ranges.dedup_by(|next, range| {
            let joins = next[0] <= range[1].saturating_add(1);
            if joins {
                range[1] = range[1].max(next[1]);
            }
            joins
        });
    }

    /// Removes the segments from the list whose grace time has passed at `now_s`, and returns them.
    pub(super) fn take_passed(&mut self, now_s: u64) -> Vec<u64> {
        let passed = self.passed(now_s);
        self.0.retain(|removed| !Grace::has_passed(removed.until_s, now_s));
        passed
    }

    /// The segments whose grace time has passed at `now_s`.
    pub(super) fn passed(&self, now_s: u64) -> Vec<u64> {
        self.ids(|until_s| Grace::has_passed(until_s, now_s))
    }

    /// The segments whose files must stay at `now_s`.
    pub(super) fn kept(&self, now_s: u64) -> Vec<u64> {
        self.ids(|until_s| !Grace::has_passed(until_s, now_s))
    }

    fn ids(&self, matches: impl Fn(u64) -> bool) -> Vec<u64> {
        let ranges = self.0.iter().filter(|removed| matches(removed.until_s)).flat_map(|removed| &removed.ids);
        ranges.flat_map(|&[first, last]| first..=last).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn removed_segments_are_listed_in_ranges_until_their_time_has_passed() {
        let mut removed = RemovedSegments::default();
        removed.add(&[3, 1, 2, 7], 100);
        removed.add(&[4, 9], 100);
        removed.add(&[8], 110);
        removed.add(&[], 120);
        let text = serde_json::to_string(&removed).unwrap();
        assert_eq!(text, r#"[{"until_s":100,"ids":[[1,4],[7,7],[9,9]]},{"until_s":110,"ids":[[8,8]]}]"#);
        assert_eq!((removed.passed(99), removed.kept(99)), (vec![], vec![1, 2, 3, 4, 7, 9, 8]));
        assert_eq!(removed.take_passed(100), [1, 2, 3, 4, 7, 9]);
        assert_eq!((removed.take_passed(109), removed.kept(109)), (vec![], vec![8]));
        // The clock was set back by years.
        let mut later = RemovedSegments::default();
        later.add(&[5], 1_767_225_600);
        assert_eq!(later.take_passed(1000), [5]);
        assert!(later.is_empty());
    }

    #[test]
    fn the_automatic_grace_time_is_none_on_a_local_disk() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Grace::of(None).until_s(folder.path()), None);
        assert_eq!(Grace::of(Some(Duration::ZERO)).until_s(folder.path()), None);
        let until_s = Grace::of(Some(Duration::from_secs(3600))).until_s(folder.path()).unwrap();
        assert!((3600..3600 + 225 + 10).contains(&(until_s - now_s())));
    }
}
