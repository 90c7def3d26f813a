//! What a layer may contain, by what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use super::points::{Contents, Request};

/// What may have become of the points of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// None is there: not acknowledged, or removed.
    Absent,
    /// Those without a time or with one from this time on are there.
    Since(i64),
}

impl Fate {
    pub(crate) const ALL: Self = Self::Since(i64::MIN);

    fn expired(self, before_us: i64) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Since(time) => Self::Since(time.max(before_us)),
        }
    }
}

/// The outcome of an import of a run of a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PartitionImport {
    Replaced,
    Same,
    Failed,
}

/// The possible fates of a request.
pub(crate) type Fates = BTreeSet<Fate>;

/// A layer. Each set has more than one member while an operation failed, so that both outcomes are right.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) requests: BTreeMap<u32, (Request, Fates)>,
    pub(crate) titles: BTreeSet<Option<u32>>,
    pub(crate) rooms: BTreeSet<Option<u32>>,
    pub(crate) plans: BTreeSet<Option<u32>>,
    pub(crate) may_be_absent: bool,
    /// Whether an operation failed since the last power cut: what is seen now may still be lost by the next one.
    pub(crate) is_unsure: bool,
}

/// What is seen of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) contents: Contents,
    pub(crate) title: Option<u32>,
    pub(crate) rooms: Option<u32>,
    pub(crate) plan: Option<u32>,
}

impl Layer {
    pub(crate) fn new() -> Self {
        Self {
            requests: BTreeMap::new(),
            titles: BTreeSet::from([None]),
            rooms: BTreeSet::from([None]),
            plans: BTreeSet::from([None]),
            may_be_absent: false,
            is_unsure: false,
        }
    }

    /// A removal of points before a time, of the requests that were there when it began.
    pub(crate) fn expire(&mut self, before_us: i64, is_done: bool) {
        for (_, fates) in self.requests.values_mut() {
            let expired = fates.iter().map(|fate| fate.expired(before_us));
            *fates = if is_done { expired.collect() } else { expired.chain(fates.iter().copied()).collect() };
        }
    }

    /// A removal of all requests that were there when it began.
    pub(crate) fn clear(&mut self, is_done: bool) {
        for (_, fates) in self.requests.values_mut() {
            if is_done {
                fates.clear();
            }
            fates.insert(Fate::Absent);
        }
    }

    /// A removal of the requests of a partition that were there when it began.
    pub(crate) fn empty(&mut self, partition: usize, is_done: bool) {
        for (_, fates) in self.requests.values_mut().filter(|(request, _)| request.partition == Some(partition)) {
            if is_done {
                fates.clear();
            }
            fates.insert(Fate::Absent);
        }
    }

    /// An import of a run of a partition, again if its request was sent before: the same run changes nothing while a point
    /// of it is there.
    pub(crate) fn import(&mut self, request: Request, import: PartitionImport) -> Result<(), String> {
        let Some(partition) = request.partition else { return Ok(()) };
        let known = self.requests.get(&request.number).map(|(_, fates)| fates.clone()).unwrap_or_default();
        let has_points = |fate: &Fate| matches!(fate, Fate::Since(time) if !request.since(*time).is_empty());
        match import {
            PartitionImport::Replaced => {
                if !known.is_empty() && known.iter().all(has_points) {
                    return Err(format!("the run {} of a partition was imported again", request.run()));
                }
                self.empty(partition, true);
                self.requests.insert(request.number, (request, Fates::from([Fate::ALL])));
            }
            PartitionImport::Same => {
                let same: Fates = known.into_iter().filter(has_points).collect();
                if same.is_empty() {
                    return Err(format!("the run {} of a partition is the same, but it is not there", request.run()));
                }
                self.requests.insert(request.number, (request, same));
            }
            PartitionImport::Failed => {
                self.empty(partition, false);
                let fates = known.into_iter().chain([Fate::Absent, Fate::ALL]).collect();
                self.requests.insert(request.number, (request, fates));
            }
        }
        Ok(())
    }

    /// Compares what is seen with what is acknowledged, and narrows what is possible to it.
    pub(crate) fn check(&mut self, seen: &Seen) -> Result<(), String> {
        for (number, (request, fates)) in &mut self.requests {
            let points = seen.contents.get(number).cloned().unwrap_or_default();
            let is_seen = |fate: &Fate| match fate {
                Fate::Absent => points.is_empty(),
                Fate::Since(time) => points == request.since(*time),
            };
            let possible: Fates = fates.iter().copied().filter(is_seen).collect();
            if possible.is_empty() {
                return Err(format!(
                    "request {number} has the points {points:?} of {}, expected {fates:?}",
                    request.points
                ));
            }
            if !self.is_unsure {
                *fates = possible;
            }
        }
        let is_unsure = self.is_unsure;
        let narrow = |name: &str, possible: &mut BTreeSet<Option<u32>>, seen: Option<u32>| {
            if !possible.contains(&seen) {
                return Err(format!("{name} {seen:?} is seen, expected {possible:?}"));
            }
            if !is_unsure {
                *possible = BTreeSet::from([seen]);
            }
            Ok(())
        };
        narrow("the title", &mut self.titles, seen.title)?;
        narrow("the version of the rooms", &mut self.rooms, seen.rooms)?;
        narrow("the version of the floor plan", &mut self.plans, seen.plan)?;
        self.may_be_absent &= self.is_unsure;
        Ok(())
    }

    /// Whether the outcome of every operation is known.
    pub(crate) fn is_settled(&self) -> bool {
        let sets = [&self.titles, &self.rooms, &self.plans];
        !self.may_be_absent
            && sets.iter().all(|set| set.len() == 1)
            && self.requests.values().all(|(_, fates)| fates.len() == 1)
    }
}
