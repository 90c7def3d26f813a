//! Points in columns, in the units of segments.

use std::collections::HashMap;

use kiln_core::geo::morton;
use kiln_core::geo::{Points, fixed};

/// Points in columns. An empty column is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    /// Z-order keys of the locations.
    pub(super) keys: Vec<u64>,
    /// Weights. Without the column every point weighs 1.
    pub(super) weight: Vec<f32>,
    /// Microseconds since 1970-01-01 UTC; [`Points::NO_TIME`] where there is none.
    pub(super) time_us: Vec<i64>,
    /// Indices into `names`; [`Rows::NO_CATEGORY`] where there is none.
    pub(super) category: Vec<u32>,
    /// The categories.
    pub(super) names: Names,
}

/// The columns of points besides their locations.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) weighted: bool,
    pub(super) timed: bool,
    /// The categories, where points have any.
    pub(super) names: Option<Names>,
}

/// Texts, each with a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names {
    pub(super) list: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Names {
    /// The number of a text, which is added if it is missing.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.list.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }
}

impl FromIterator<Box<str>> for Names {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            all.number(&name);
        }
        all
    }
}

impl Rows {
    /// The category of a point that has none.
    pub(super) const NO_CATEGORY: u32 = u32::MAX;

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds points, and returns how many are left out since they lie beyond the map's northern or southern edge.
    pub(super) fn add(&mut self, points: Points<'_>) -> usize {
        if points.lat().iter().all(|&lat| fixed::is_on_map(lat)) {
            self.add_all(points);
            return 0;
        }
        let mut beyond = 0;
        let mut start = 0;
        while start < points.len() {
            let on_map = points.lat()[start..].iter().take_while(|&&lat| fixed::is_on_map(lat)).count();
            self.add_all(points.slice(start..start + on_map));
            start += on_map;
            let off_map = points.lat()[start..].iter().take_while(|&&lat| !fixed::is_on_map(lat)).count();
            start += off_map;
            beyond += off_map;
        }
        beyond
    }

    fn add_all(&mut self, points: Points<'_>) {
        if points.is_empty() {
            return;
        }
        let before = self.len();
        let (mut x, mut y) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
        fixed::to_fixed(points, &mut x, &mut y);
        self.keys.resize(before + points.len(), 0);
        morton::keys(&x, &y, &mut self.keys[before..]);
        let after = self.len();
        append(&mut self.weight, before, after, points.weight(), 1.0);
        append(&mut self.time_us, before, after, points.time_us(), Points::NO_TIME);
        let codes = points.category().map(|category| {
            let numbers: Vec<u32> = category.names.iter().map(|name| self.names.number(name)).collect();
            let number = |code: &u32| numbers.get(*code as usize).copied().unwrap_or(Self::NO_CATEGORY);
            category.codes.iter().map(number).collect::<Vec<u32>>()
        });
        append(&mut self.category, before, after, codes.as_deref(), Self::NO_CATEGORY);
    }

    /// Appends other points.
    pub(super) fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let numbers: Vec<u32> = other.names.list.iter().map(|name| self.names.number(name)).collect();
        for code in &mut other.category {
            *code = numbers.get(*code as usize).copied().unwrap_or(Self::NO_CATEGORY);
        }
        self.append_columns(&other);
    }

    /// Appends points whose categories have the same numbers.
    pub(super) fn append_columns(&mut self, other: &Self) {
        let (before, after) = (self.len(), self.len() + other.len());
        self.keys.extend_from_slice(&other.keys);
        append(&mut self.weight, before, after, there(&other.weight), 1.0);
        append(&mut self.time_us, before, after, there(&other.time_us), Points::NO_TIME);
        append(&mut self.category, before, after, there(&other.category), Self::NO_CATEGORY);
    }

    /// The columns that are present.
    pub(super) fn columns(&self) -> Columns {
        Columns {
            weighted: !self.weight.is_empty(),
            timed: !self.time_us.is_empty(),
            names: (!self.category.is_empty() && !self.names.list.is_empty()).then(|| self.names.clone()),
        }
    }

    /// The points from `start` on.
    pub(super) fn tail(&self, start: usize) -> Self {
        fn tail<T: Copy>(column: &[T], start: usize) -> Vec<T> {
            column.get(start..).map_or_else(Vec::new, <[T]>::to_vec)
        }
        Self {
            keys: tail(&self.keys, start),
            weight: tail(&self.weight, start),
            time_us: tail(&self.time_us, start),
            category: tail(&self.category, start),
            names: Names::default(),
        }
    }

    /// Sorts the points by their keys, stably.
    pub(super) fn sort(&mut self) {
        if self.keys.is_sorted() {
            return;
        }
        let mut order: Vec<(u64, u32)> = self.keys.iter().zip(0..).map(|(&key, place)| (key, place)).collect();
        order.sort_unstable();
        for (key, (sorted, _)) in self.keys.iter_mut().zip(&order) {
            *key = *sorted;
        }
        reorder(&mut self.weight, &order);
        reorder(&mut self.time_us, &order);
        reorder(&mut self.category, &order);
    }
}

/// A column, if it is present.
fn there<T>(column: &[T]) -> Option<&[T]> {
    (!column.is_empty()).then_some(column)
}

/// Appends values to a column; `none` fills the rows where the column, or its values for the new rows, are absent.
fn append<T: Copy>(column: &mut Vec<T>, before: usize, after: usize, values: Option<&[T]>, none: T) {
    match values {
        Some(values) => {
            column.resize(before, none);
            column.extend_from_slice(values);
        }
        None if column.is_empty() => {}
        None => column.resize(after, none),
    }
}

fn reorder<T: Copy>(column: &mut Vec<T>, order: &[(u64, u32)]) {
    if !column.is_empty() {
        *column = order.iter().map(|(_, place)| column[*place as usize]).collect();
    }
}
