//! Indices of the values of an axis, in the order of their first points.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::{Axis, AxisKeys, BinQuantity, NumberBins};
use crate::calendar::{LocalClock, TimePart, TimeUnits};
use crate::geo::Points;
use crate::occupancy::FastMap;
use crate::simd::wide;

/// The values of an axis that points have so far, and their indices.
#[derive(Debug)]
pub(super) struct AxisIndex<'a> {
    axis: &'a Axis,
    clock: LocalClock<'a>,
    numbers: FastMap<i64, u32>,
    names: HashMap<Box<str>, u32>,
    /// A table in front of the maps: of each unit of time, category code or number of a bin (from
    /// [`FIRST_BIN`](Self::FIRST_BIN) on), the index of its value plus 1, or 0 if it is unknown.
    known: Vec<u32>,
}

impl<'a> AxisIndex<'a> {
    /// The index of a point without a value on the axis. It is that of an unknown value in the table.
    pub(super) const NONE: u32 = u32::MAX;
    /// The bins of the table.
    const BINS: usize = 1 << 16;
    const FIRST_BIN: i64 = -(1 << 15);
    /// The key of a number in no bin.
    const NO_BIN: i64 = i64::MIN;

    /// No values yet. `units` are those of the times that [`locate`](Self::locate) will get.
    pub(super) fn new(axis: &'a Axis, zone: &'a TimeZone, units: TimeUnits) -> Self {
        let known = match axis {
            Axis::Time(_) => units.len(),
            Axis::Bins(..) => Self::BINS,
            Axis::Whole | Axis::Category | Axis::Column(_) => 0,
        };
        // Pages of zeros take no memory before they are written.
        let known = vec![0; known];
        Self { axis, clock: LocalClock::new(zone), numbers: FastMap::default(), names: HashMap::new(), known }
    }

    /// The number of values to make room for at the beginning, at least 1.
    pub(super) fn initial_len(&self) -> usize {
        const MAX: i64 = 64;
        const UNLIMITED: i64 = 8;
        self.axis.range().map_or(UNLIMITED, |[first, last]| (last - first + 1).clamp(1, MAX)) as usize
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        self.numbers.len() + self.names.len()
    }

    /// Forgets the indices of category codes: the next points have another dictionary.
    pub(super) fn forget_categories(&mut self) {
        if self.axis.needs_categories() {
            self.known.clear();
        }
    }

    /// Sets `at` to the indices of the values of points, or [`NONE`](Self::NONE). `units` are the units of their times.
    pub(super) fn locate(&mut self, points: Points<'_>, units: &[u32], at: &mut [u32]) {
        match self.axis {
            Axis::Whole => {
                let index = self.number(0);
                at.fill(index);
            }
            Axis::Time(part) => self.locate_times(*part, points, units, at),
            Axis::Category | Axis::Column(_) => self.locate_names(points, at),
            Axis::Bins(quantity, bins) => self.locate_bins(quantity, bins, points, at),
        }
    }

    fn locate_times(&mut self, part: TimePart, points: Points<'_>, units: &[u32], at: &mut [u32]) {
        let Some(times) = points.time_us() else { return at.fill(Self::NONE) };
        if look_up(&self.known, units.iter().map(|&unit| unit as usize), at) {
            return;
        }
        for (index, at) in at.iter_mut().enumerate() {
            if *at == Self::NONE && times[index] != Points::NO_TIME {
                let number = self.clock.part(part, times[index]);
                *at = self.number(number);
                remember(&mut self.known, units[index] as usize, *at);
            }
        }
    }

    fn locate_names(&mut self, points: Points<'_>, at: &mut [u32]) {
        let Some(category) = points.category() else { return at.fill(Self::NONE) };
        if self.known.len() < category.names.len() {
            self.known.resize(category.names.len(), 0);
        }
        if look_up(&self.known, category.codes.iter().map(|&code| code as usize), at) {
            return;
        }
        for (index, at) in at.iter_mut().enumerate() {
            if let (Self::NONE, Some(name)) = (*at, category.name(index)) {
                *at = self.name(name);
                remember(&mut self.known, category.codes[index] as usize, *at);
            }
        }
    }

    fn locate_bins(&mut self, quantity: &BinQuantity, bins: &NumberBins, points: Points<'_>, at: &mut [u32]) {
        let mut keys = vec![Self::NO_BIN; points.len()];
        match (quantity, points.weight()) {
            (BinQuantity::Lon, _) => bins_of(bins, points.lon(), &mut keys),
            (BinQuantity::Lat, _) => bins_of(bins, points.lat(), &mut keys),
            (_, Some(weight)) => bins_of_weights(bins, weight, &mut keys),
            (_, None) => keys.fill(bins.index(1.0).unwrap_or(Self::NO_BIN)),
        }
        // Keys that are not in the table wrap around to large numbers.
        let slot = |key: i64| key.wrapping_sub(Self::FIRST_BIN) as usize;
        if look_up(&self.known, keys.iter().map(|&key| slot(key)), at) {
            return;
        }
        for (at, &key) in at.iter_mut().zip(&keys) {
            if *at == Self::NONE && key != Self::NO_BIN {
                *at = self.number(key);
                remember(&mut self.known, slot(key), *at);
            }
        }
    }

    /// The index of a number.
    fn number(&mut self, number: i64) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(number).or_insert(next)
    }

    /// The index of a name.
    fn name(&mut self, name: &str) -> u32 {
        if let Some(index) = self.names.get(name) {
            return *index;
        }
        let index = self.names.len() as u32;
        self.names.insert(name.into(), index);
        index
    }

    /// Adds the values of another index of the same axis. Returns the own index of each of its indices.
    pub(super) fn merge(&mut self, other: Self) -> Vec<u32> {
        let mut own = vec![Self::NONE; other.len()];
        for (number, index) in other.numbers {
            own[index as usize] = self.number(number);
        }
        for (name, index) in other.names {
            own[index as usize] = self.name(&name);
        }
        own
    }

    /// The values in `used` in ascending order, and the rank of each index in it.
    pub(super) fn finish(self, used: &[bool]) -> (AxisKeys, Vec<u32>) {
        let mut ranks = vec![Self::NONE; used.len()];
        let is_used = |index: u32| used.get(index as usize).copied().unwrap_or(false);
        let mut numbers: Vec<(i64, u32)> = self.numbers.into_iter().filter(|(_, index)| is_used(*index)).collect();
        numbers.sort_unstable();
        let mut names: Vec<(Box<str>, u32)> = self.names.into_iter().filter(|(_, index)| is_used(*index)).collect();
        names.sort_unstable();
        let indices = numbers.iter().map(|(_, index)| *index).chain(names.iter().map(|(_, index)| *index));
        for (rank, index) in (0..).zip(indices) {
            ranks[index as usize] = rank;
        }
        let keys = if self.axis.has_names() {
            AxisKeys::Names(names.into_iter().map(|(name, _)| name).collect())
        } else {
            AxisKeys::Numbers(numbers.into_iter().map(|(number, _)| number).collect())
        };
        (keys, ranks)
    }
}

/// Sets `at` to the indices of values by the table. Returns whether all are known.
#[inline]
fn look_up(known: &[u32], keys: impl Iterator<Item = usize>, at: &mut [u32]) -> bool {
    let mut all_known = true;
    for (at, key) in at.iter_mut().zip(keys) {
        let index = known.get(key).copied().unwrap_or(0);
        all_known &= index != 0;
        *at = index.wrapping_sub(1);
    }
    all_known
}

/// Sets the index of a value in the table, if the table has the key.
fn remember(known: &mut [u32], key: usize, index: u32) {
    if let Some(known) = known.get_mut(key) {
        *known = index + 1;
    }
}

wide! {
    fn bins_of(bins: &NumberBins, numbers: &[f64], keys: &mut [i64]) {
        for (key, &number) in keys.iter_mut().zip(numbers) {
            *key = bins.index(number).unwrap_or(AxisIndex::NO_BIN);
        }
    }
}

wide! {
    fn bins_of_weights(bins: &NumberBins, weights: &[f32], keys: &mut [i64]) {
        for (key, &weight) in keys.iter_mut().zip(weights) {
            *key = bins.index(f64::from(weight)).unwrap_or(AxisIndex::NO_BIN);
        }
    }
}
