//! Columns of points, in the units of segments.

use std::collections::HashMap;

use kiln_core::geo::morton;
use kiln_core::geo::{Points, fixed};

/// Columns of points. An absent column is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    /// Z-order keys of the locations.
    pub(super) keys: Vec<u64>,
    /// Weights. Without the column every point weighs 1.
    pub(super) weight: Vec<f32>,
    /// Microseconds since 1970-01-01 UTC; [`Points::NO_TIME`] if a point has no time.
    pub(super) time_us: Vec<i64>,
    /// Codes of the names; [`Rows::NO_CATEGORY`] if a point has no category.
    pub(super) category: Vec<u32>,
    /// The names of the categories.
    pub(super) names: Names,
}

/// The optional columns of points.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) weighted: bool,
    pub(super) timed: bool,
    /// The names of the categories, if there are any.
    pub(super) names: Option<Names>,
}

/// The names of categories, each with a code.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names {
    pub(super) list: Vec<Box<str>>,
    codes: HashMap<Box<str>, u32>,
}

impl Names {
    /// The code of a name, which is added if it is missing.
    pub(super) fn code(&mut self, name: &str) -> u32 {
        if let Some(code) = self.codes.get(name) {
            return *code;
        }
        let code = self.list.len() as u32;
        self.list.push(name.into());
        self.codes.insert(name.into(), code);
        code
    }

    /// The code of a name, if it has one.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.codes.get(name).copied()
    }
}

impl FromIterator<Box<str>> for Names {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            all.code(&name);
        }
        all
    }
}

impl Rows {
    /// The code of a point without a category.
    pub(super) const NO_CATEGORY: u32 = u32::MAX;

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds points, and returns the number of those that are skipped because they are beyond the northern or southern
    /// edge.
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
            let code_map: Vec<u32> = category.names.iter().map(|name| self.names.code(name)).collect();
            let map = |code: &u32| code_map.get(*code as usize).copied().unwrap_or(Self::NO_CATEGORY);
            category.codes.iter().map(map).collect::<Vec<u32>>()
        });
        append(&mut self.category, before, after, codes.as_deref(), Self::NO_CATEGORY);
    }

    /// Appends other points.
    pub(super) fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let code_map: Vec<u32> = other.names.list.iter().map(|name| self.names.code(name)).collect();
        for code in &mut other.category {
            *code = code_map.get(*code as usize).copied().unwrap_or(Self::NO_CATEGORY);
        }
        self.append_columns(&other);
    }

    /// Appends points with the same category codes.
    pub(super) fn append_columns(&mut self, other: &Self) {
        let (before, after) = (self.len(), self.len() + other.len());
        self.keys.extend_from_slice(&other.keys);
        append(&mut self.weight, before, after, present(&other.weight), 1.0);
        append(&mut self.time_us, before, after, present(&other.time_us), Points::NO_TIME);
        append(&mut self.category, before, after, present(&other.category), Self::NO_CATEGORY);
    }

    /// The columns that are present.
    pub(super) fn columns(&self) -> Columns {
        Columns {
            weighted: !self.weight.is_empty(),
            timed: !self.time_us.is_empty(),
            names: (!self.category.is_empty() && !self.names.list.is_empty()).then(|| self.names.clone()),
        }
    }

    /// A copy of the points from `start` on.
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

    /// Sorts the points by their keys; the sort is stable.
    pub(super) fn sort(&mut self) {
        if self.keys.is_sorted() {
            return;
        }
        let mut order: Vec<(u64, u32)> = self.keys.iter().zip(0..).map(|(&key, index)| (key, index)).collect();
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
fn present<T>(column: &[T]) -> Option<&[T]> {
    (!column.is_empty()).then_some(column)
}

/// Appends values to a column. `none` is the value of rows for which the column or `values` are absent.
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
        *column = order.iter().map(|(_, index)| column[*index as usize]).collect();
    }
}
