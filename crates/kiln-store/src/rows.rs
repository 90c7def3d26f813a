//! Columns of points, in the units of segments.

use std::collections::HashMap;
use std::ops::Range;

use super::bins::snap_to_cells;
use kiln_core::geo::morton;
use kiln_core::geo::{Frame, Points};

/// Columns of points. An absent column is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    /// The frame of the units.
    pub(super) frame: Frame,
    /// Z-order keys of the locations.
    pub(super) keys: Vec<u64>,
    /// Exact positions on a plane in meters, `[x, y]`. Without the columns every point is exactly at the position of
    /// its units.
    pub(super) exact: [Vec<f64>; 2],
    /// Weights, or the greatest weights of bins. Without the column every point weighs 1.
    pub(super) weight: Vec<f32>,
    /// The level of rows that stand for many points each.
    pub(super) level: Option<u32>,
    /// The numbers of points of rows that stand for many points each.
    pub(super) n: Vec<u64>,
    /// The sums of weights of rows that stand for many points each. Without the column every point weighs 1.
    pub(super) sum: Vec<f64>,
    /// Microseconds since 1970-01-01 UTC; [`Points::NO_TIME`] if a point has no time.
    pub(super) time_us: Vec<i64>,
    /// Codes of the names; [`Rows::NO_CATEGORY`] if a point has no category.
    pub(super) category: Vec<u32>,
    /// The names of the categories.
    pub(super) names: Names,
    /// Tracks; [`Points::NO_TRACK`] if a point has none.
    pub(super) track: Vec<u64>,
}

/// The optional columns of points.
#[allow(clippy::struct_excessive_bools, reason = "each is one column")]
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// The frame of the units.
    pub(super) frame: Frame,
    /// Whether there are exact positions.
    pub(super) exact: bool,
    /// The level of rows that stand for many points each.
    pub(super) level: Option<u32>,
    /// The greatest number of points of a row of bins, or more.
    pub(super) max_n: u64,
    pub(super) weighted: bool,
    pub(super) timed: bool,
    /// The names of the categories, if there are any.
    pub(super) names: Option<Names>,
    pub(super) tracked: bool,
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

    /// Adds points, and returns the number of those that are skipped because they are outside the frame: beyond the
    /// northern or southern edge of the map, or outside the square of a plane.
    pub(super) fn add(&mut self, points: Points<'_>) -> usize {
        let frame = self.frame;
        let is_inside = |index: &usize| frame.contains(points.lon()[*index], points.lat()[*index]);
        let mut beyond = 0;
        let mut start = 0;
        while start < points.len() {
            let inside = (start..points.len()).take_while(is_inside).count();
            self.add_all(points.slice(start..start + inside));
            start += inside;
            let outside = (start..points.len()).take_while(|index| !is_inside(index)).count();
            start += outside;
            beyond += outside;
        }
        beyond
    }

    /// Converts the points to another frame, and returns the number of those that are dropped because they are outside.
    pub(super) fn reframe(&mut self, frame: Frame) -> usize {
        let [lon, lat] = self.positions_of(0..self.len());
        let keep: Vec<bool> = lon.iter().zip(&lat).map(|(&x, &y)| frame.contains(x, y)).collect();
        let [lon, lat] = [lon, lat].map(|column| retain(column, &keep));
        let mut moved = Self { frame, ..Self::default() };
        moved.add_all(Points::new(&lon, &lat).unwrap_or_default());
        let kept = std::mem::take(self).retained(&keep);
        *self = Self { frame, keys: moved.keys, exact: moved.exact, ..kept };
        keep.len() - self.len()
    }

    /// The positions of the points of a range.
    pub(super) fn positions_of(&self, range: Range<usize>) -> [Vec<f64>; 2] {
        if let Some(exact) = self.exact_columns() {
            return exact.map(|column| column[range.clone()].to_vec());
        }
        let mut positions = [Vec::with_capacity(range.len()), Vec::with_capacity(range.len())];
        add_positions(self.frame, &self.keys[range], &mut positions);
        positions
    }

    /// The points for which `keep` is true.
    pub(super) fn retained(self, keep: &[bool]) -> Self {
        Self {
            frame: self.frame,
            keys: retain(self.keys, keep),
            exact: self.exact.map(|column| retain(column, keep)),
            weight: retain(self.weight, keep),
            level: self.level,
            n: retain(self.n, keep),
            sum: retain(self.sum, keep),
            time_us: retain(self.time_us, keep),
            category: retain(self.category, keep),
            names: self.names,
            track: retain(self.track, keep),
        }
    }

    fn add_all(&mut self, points: Points<'_>) {
        if points.is_empty() {
            return;
        }
        let before = self.len();
        let (mut x, mut y) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
        self.frame.to_fixed(points, &mut x, &mut y);
        self.keys.resize(before + points.len(), 0);
        morton::keys(&x, &y, &mut self.keys[before..]);
        if let Some(bins) = points.bins() {
            snap_to_cells(&mut self.keys[before..], bins.level);
            self.level = Some(bins.level);
            self.append_bins(before, bins.n, bins.sum);
        }
        let after = self.len();
        let exact = (!is_exact(self.frame, &x, &y, points)).then(|| [points.lon(), points.lat()]);
        self.append_exact(before, exact);
        // Without the greatest weights of bins that have weights, they are unknown.
        let unknown = match points.bins() {
            Some(bins) if bins.sum.is_some() && points.weight().is_none() => vec![f32::NAN; points.len()],
            _ => Vec::new(),
        };
        append(&mut self.weight, before, after, points.weight().or(present(&unknown)), 1.0);
        append(&mut self.time_us, before, after, points.time_us(), Points::NO_TIME);
        let codes = points.category().map(|category| {
            let code_map: Vec<u32> = category.names.iter().map(|name| self.names.code(name)).collect();
            let map = |code: &u32| code_map.get(*code as usize).copied().unwrap_or(Self::NO_CATEGORY);
            category.codes.iter().map(map).collect::<Vec<u32>>()
        });
        append(&mut self.category, before, after, codes.as_deref(), Self::NO_CATEGORY);
        append(&mut self.track, before, after, points.track(), Points::NO_TRACK);
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

    /// Appends points in the same frame with the same category codes.
    pub(super) fn append_columns(&mut self, other: &Self) {
        if self.is_empty() {
            self.frame = other.frame;
            self.level = other.level;
        }
        let (before, after) = (self.len(), self.len() + other.len());
        self.keys.extend_from_slice(&other.keys);
        self.append_exact(before, other.exact_columns());
        append(&mut self.weight, before, after, present(&other.weight), 1.0);
        self.append_bins(before, &other.n, present(&other.sum));
        append(&mut self.time_us, before, after, present(&other.time_us), Points::NO_TIME);
        append(&mut self.category, before, after, present(&other.category), Self::NO_CATEGORY);
        append(&mut self.track, before, after, present(&other.track), Points::NO_TRACK);
    }

    /// Appends the numbers of points and the sums of weights of bins, from row `before` on.
    fn append_bins(&mut self, before: usize, n: &[u64], sum: Option<&[f64]>) {
        self.n.extend_from_slice(n);
        // The sum of n weights of 1.
        let ones = |n: &[u64]| n.iter().map(|&n| n as f64).collect::<Vec<f64>>();
        match sum {
            Some(sum) => {
                if self.sum.is_empty() {
                    self.sum = ones(&self.n[..before]);
                }
                self.sum.extend_from_slice(sum);
            }
            None if self.sum.is_empty() => {}
            None => self.sum.extend(ones(n)),
        }
    }

    /// Adds the weights and times that `columns` have and the rows lack.
    pub(super) fn complete(&mut self, columns: &Columns) {
        let count = self.len();
        if columns.weighted {
            if columns.level.is_some() && self.sum.is_empty() {
                self.sum = self.n.iter().map(|&n| n as f64).collect();
            }
            if self.weight.is_empty() {
                self.weight = vec![1.0; count];
            }
        }
        if columns.timed && self.time_us.is_empty() {
            self.time_us = vec![Points::NO_TIME; count];
        }
    }

    /// The number of points that the rows stand for.
    pub(super) fn points(&self) -> u64 {
        if self.level.is_none() {
            return self.len() as u64;
        }
        self.n.iter().fold(0, |sum, &n| sum.saturating_add(n))
    }

    /// Appends the exact positions of the points from `before` on; `None` if they are at the positions of their units.
    fn append_exact(&mut self, before: usize, exact: Option<[&[f64]; 2]>) {
        match exact {
            Some(columns) => {
                if self.exact[0].is_empty() {
                    add_positions(self.frame, &self.keys[..before], &mut self.exact);
                }
                for (own, column) in self.exact.iter_mut().zip(columns) {
                    own.extend_from_slice(column);
                }
            }
            None if self.exact[0].is_empty() => {}
            None => add_positions(self.frame, &self.keys[before..], &mut self.exact),
        }
    }

    /// The exact positions, if they are present.
    pub(super) fn exact_columns(&self) -> Option<[&[f64]; 2]> {
        let [x, y] = &self.exact;
        Some([present(x)?, present(y)?])
    }

    /// The columns that are present.
    pub(super) fn columns(&self) -> Columns {
        Columns {
            frame: self.frame,
            exact: self.exact_columns().is_some(),
            level: self.level,
            max_n: self.n.iter().copied().max().unwrap_or_default(),
            weighted: !self.weight.is_empty(),
            timed: !self.time_us.is_empty(),
            names: (!self.category.is_empty() && !self.names.list.is_empty()).then(|| self.names.clone()),
            tracked: !self.track.is_empty(),
        }
    }

    /// A copy of the points from `start` on.
    pub(super) fn tail(&self, start: usize) -> Self {
        fn tail<T: Copy>(column: &[T], start: usize) -> Vec<T> {
            column.get(start..).map_or_else(Vec::new, <[T]>::to_vec)
        }
        Self {
            frame: self.frame,
            keys: tail(&self.keys, start),
            exact: self.exact.each_ref().map(|column| tail(column, start)),
            weight: tail(&self.weight, start),
            level: self.level,
            n: tail(&self.n, start),
            sum: tail(&self.sum, start),
            time_us: tail(&self.time_us, start),
            category: tail(&self.category, start),
            names: Names::default(),
            track: tail(&self.track, start),
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
        self.reorder(&order);
    }

    /// Moves the values of all columns but the keys into an order of rows.
    pub(super) fn reorder(&mut self, order: &[(u64, u32)]) {
        self.exact.iter_mut().for_each(|column| reorder(column, order));
        reorder(&mut self.weight, order);
        reorder(&mut self.n, order);
        reorder(&mut self.sum, order);
        reorder(&mut self.time_us, order);
        reorder(&mut self.category, order);
        reorder(&mut self.track, order);
    }
}

/// Whether points with the units `x`, `y` are exactly at the positions of their units. In Mercator, positions are rounded
/// to units.
fn is_exact(frame: Frame, x: &[u32], y: &[u32], points: Points<'_>) -> bool {
    let Frame::Plane(frame) = frame else { return true };
    let mut units = x.iter().zip(y).map(|(&x, &y)| frame.position(x, y)).zip(points.lon().iter().zip(points.lat()));
    units.all(|((unit_x, unit_y), (x, y))| unit_x.to_bits() == x.to_bits() && unit_y.to_bits() == y.to_bits())
}

/// Appends the positions of the units of `keys`.
fn add_positions(frame: Frame, keys: &[u64], positions: &mut [Vec<f64>; 2]) {
    for &key in keys {
        let (x, y) = morton::decode(key);
        let (x, y) = frame.position(x, y);
        positions[0].push(x);
        positions[1].push(y);
    }
}

/// The values of a column for which `keep` is true.
fn retain<T>(column: Vec<T>, keep: &[bool]) -> Vec<T> {
    column.into_iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| value).collect()
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

/// Moves the values of a column into an order of rows.
fn reorder<T: Copy>(column: &mut Vec<T>, order: &[(u64, u32)]) {
    if !column.is_empty() {
        *column = order.iter().map(|(_, index)| column[*index as usize]).collect();
    }
}
