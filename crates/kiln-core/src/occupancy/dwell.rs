//! Dwell: the time that tracks are present.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Group;
use super::fast_hash::FastMap;
use super::group::GroupKey;
use crate::error::{Error, Result};
use crate::geo::Points;
use crate::message;
use crate::parameter::Parameter;

/// The measurement of dwell: the time that persons or devices are present in a group.
///
/// The detections of a track that pass the query are ordered by time, and at the same time by the key of the group. Each
/// adds the time until the next one, at most [`max_gap_us`](Self::max_gap_us), to its own group; the last one adds
/// nothing. Detections without a track or without a time add nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dwell {
    /// The maximum time that a detection stands for, in microseconds. Default: 60 s.
    pub max_gap_us: i64,
}

impl Dwell {
    /// The default of [`max_gap_us`](Self::max_gap_us).
    pub const MAX_GAP_US: i64 = 60_000_000;
}

impl Default for Dwell {
    fn default() -> Self {
        Self { max_gap_us: Self::MAX_GAP_US }
    }
}

/// The detections of tracks: 24 bytes each.
#[derive(Debug)]
pub(super) struct Detections {
    dwell: Dwell,
    limit: usize,
    /// The number of detections of all workers.
    total: Arc<AtomicUsize>,
    list: Vec<Detection>,
    /// The groups of the detections.
    keys: Vec<GroupKey>,
    /// The indices of the groups in `keys`.
    groups: FastMap<GroupKey, u32>,
    /// Whether there were points, and whether any batch had tracks and times.
    has_points: bool,
    has_tracks: bool,
    has_times: bool,
}

#[derive(Clone, Copy, Debug)]
struct Detection {
    track: u64,
    time_us: i64,
    group: u32,
}

impl Detections {
    pub(super) fn new(dwell: Dwell, limit: usize, total: Arc<AtomicUsize>) -> Self {
        Self {
            dwell,
            limit,
            total,
            list: Vec::new(),
            keys: Vec::new(),
            groups: FastMap::default(),
            has_points: false,
            has_tracks: false,
            has_times: false,
        }
    }

    /// Adds points; `key` returns the group of the point at an index.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `start` if all workers together have more detections than the limit.
    pub(super) fn add(&mut self, points: Points<'_>, mut key: impl FnMut(usize) -> GroupKey) -> Result<()> {
        self.has_points |= !points.is_empty();
        self.has_tracks |= points.track().is_some();
        self.has_times |= points.time_us().is_some();
        let (Some(tracks), Some(times)) = (points.track(), points.time_us()) else { return Ok(()) };
        let before = self.list.len();
        for (index, (&track, &time_us)) in tracks.iter().zip(times).enumerate() {
            if track != Points::NO_TRACK && time_us != Points::NO_TIME {
                let group = self.group(key(index));
                self.list.push(Detection { track, time_us, group });
            }
        }
        let added = self.list.len() - before;
        if self.total.fetch_add(added, Ordering::Relaxed) + added <= self.limit {
            return Ok(());
        }
        let (start, end, category) = (Parameter::START, Parameter::END, Parameter::CATEGORY);
        let text = format!("dwell of more than {} detections, the limit; narrow the query by ", self.limit);
        Err(Error::invalid(Parameter::START, message!(text, start, ", ", end, " or ", category)))
    }

    fn group(&mut self, key: GroupKey) -> u32 {
        let Self { keys, groups, .. } = self;
        *groups.entry(key).or_insert_with(|| {
            keys.push(key);
            keys.len() as u32 - 1
        })
    }

    /// Adds the detections of another worker, whose keys `translate` converts.
    pub(super) fn merge(&mut self, other: Self, translate: impl Fn(GroupKey) -> GroupKey) {
        self.has_points |= other.has_points;
        self.has_tracks |= other.has_tracks;
        self.has_times |= other.has_times;
        let groups: Vec<u32> = other.keys.iter().map(|&key| self.group(translate(key))).collect();
        let translated = |detection: Detection| Detection { group: groups[detection.group as usize], ..detection };
        self.list.extend(other.list.into_iter().map(translated));
    }

    /// Sets the dwell of `groups`, which are in the order of their keys. `translate` converts the keys of detections to
    /// those of `groups`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `track` or `time` if there are points, but no tracks or no times.
    pub(super) fn finish(mut self, groups: &mut [Group], translate: impl Fn(GroupKey) -> GroupKey) -> Result<()> {
        for (is_present, parameter, noun) in
            [(self.has_tracks, Parameter::TRACK, "tracks"), (self.has_times, Parameter::TIME, "times")]
        {
            if self.has_points && !is_present {
                let message = format!("the points have no {noun}, which dwell is computed from");
                return Err(Error::invalid(parameter, message));
            }
        }
        // The indices of the groups have the order of the keys.
        let index = |key: &GroupKey| groups.binary_search_by_key(&translate(*key), |group| group.key).unwrap_or(0);
        let indices: Vec<u32> = self.keys.iter().map(|key| index(key) as u32).collect();
        for detection in &mut self.list {
            detection.group = indices[detection.group as usize];
        }
        self.list.sort_unstable_by_key(|detection| (detection.track, detection.time_us, detection.group));
        let max_gap_us = self.dwell.max_gap_us.max(0);
        for pair in self.list.windows(2) {
            if let [one, next] = pair
                && one.track == next.track
            {
                let gap_us = next.time_us.saturating_sub(one.time_us).min(max_gap_us);
                let dwell_us = &mut groups[one.group as usize].dwell_us;
                *dwell_us = dwell_us.saturating_add(gap_us);
            }
        }
        Ok(())
    }
}
