//! Indices of the values of an axis, in the order of their first points.

use std::collections::HashMap;

use super::{Axis, AxisKeys, BinQuantity};
use crate::calendar::LocalClock;
use crate::geo::Points;
use crate::occupancy::FastMap;

/// The values of an axis that points have so far, and their indices.
#[derive(Debug)]
pub(super) struct AxisIndex<'a> {
    axis: &'a Axis,
    clock: LocalClock<'a>,
    numbers: FastMap<i64, u32>,
    /// The last number and its index: consecutive points often have the same.
    last: Option<(i64, u32)>,
    names: HashMap<Box<str>, u32>,
}

impl<'a> AxisIndex<'a> {
    /// The index of a point without a value on the axis.
    pub(super) const NONE: u32 = u32::MAX;

    pub(super) fn new(axis: &'a Axis, clock: LocalClock<'a>) -> Self {
        Self { axis, clock, numbers: FastMap::default(), last: None, names: HashMap::new() }
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        self.numbers.len() + self.names.len()
    }

    /// The indices of the categories of a batch; empty unless the axis has categories.
    pub(super) fn codes(&mut self, points: Points<'_>) -> Vec<u32> {
        let names =
            points.category().filter(|_| self.axis.needs_categories()).map_or(&[][..], |category| category.names);
        names.iter().map(|name| self.name(name)).collect()
    }

    /// Sets `at` to the indices of the values of `points`. `codes` are the [indices](Self::codes) of their categories.
    pub(super) fn locate(&mut self, points: Points<'_>, codes: &[u32], at: &mut [u32]) {
        match self.axis {
            Axis::Whole => {
                let index = self.number(0);
                at.fill(index);
            }
            Axis::Time(part) => self.locate_each(at, |clock, index| {
                let time_us = points.time_us().map_or(Points::NO_TIME, |time_us| time_us[index]);
                (time_us != Points::NO_TIME).then(|| clock.part(*part, time_us))
            }),
            Axis::Category | Axis::Column(_) => {
                let category = points.category();
                for (index, at) in at.iter_mut().enumerate() {
                    let code = category.and_then(|category| codes.get(category.codes[index] as usize));
                    *at = code.copied().unwrap_or(Self::NONE);
                }
            }
            Axis::Bins(quantity, bins) => self.locate_each(at, |_, index| {
                bins.index(match quantity {
                    BinQuantity::Lon => points.lon()[index],
                    BinQuantity::Lat => points.lat()[index],
                    BinQuantity::Weight | BinQuantity::Column(_) => {
                        points.weight().map_or(1.0, |weight| f64::from(weight[index]))
                    }
                })
            }),
        }
    }

    /// Sets `at` to the indices of the numbers of points.
    #[inline]
    fn locate_each(&mut self, at: &mut [u32], number: impl Fn(&mut LocalClock<'_>, usize) -> Option<i64>) {
        for (index, at) in at.iter_mut().enumerate() {
            *at = match number(&mut self.clock, index) {
                Some(number) => self.number(number),
                None => Self::NONE,
            };
        }
    }

    /// The index of a number.
    #[inline]
    fn number(&mut self, number: i64) -> u32 {
        if let Some((last, index)) = self.last
            && last == number
        {
            return index;
        }
        let next = self.numbers.len() as u32;
        let index = *self.numbers.entry(number).or_insert(next);
        self.last = Some((number, index));
        index
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
