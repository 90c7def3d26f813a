//! Points gathered batch by batch.

use std::ops::Range;

use super::category_dictionary::CategoryDictionary;
use crate::geo::{Categories, Points};

/// Columns that points are gathered in: 16 bytes a point, and with weights 4 more, with times 8, with categories 4.
#[derive(Debug, Default)]
pub struct PointColumns {
    lon: Vec<f64>,
    lat: Vec<f64>,
    /// This column and those below are there, and as long as the others, once a batch had them.
    weight: Option<Vec<f32>>,
    time_us: Option<Vec<i64>>,
    codes: Option<Vec<u32>>,
    labels: CategoryDictionary,
}

impl PointColumns {
    /// Takes in a batch. Batches with and without weights, times and categories may follow each other; a point without a
    /// weight weighs 1.
    pub fn add(&mut self, batch: Points<'_>) {
        if batch.is_empty() {
            return;
        }
        let (before, added) = (self.len(), batch.len());
        self.lon.extend_from_slice(batch.lon());
        self.lat.extend_from_slice(batch.lat());
        extend(&mut self.weight, before, added, batch.weight(), 1.0);
        extend(&mut self.time_us, before, added, batch.time_us(), Points::NO_TIME);
        let codes = batch.category().map(|category| self.own_codes(category));
        extend(&mut self.codes, before, added, codes.as_deref(), Categories::NONE);
    }

    /// The codes that the categories of a batch have here.
    fn own_codes(&mut self, category: Categories<'_>) -> Vec<u32> {
        // Only names that a point has are taken.
        let mut known = vec![None; category.names.len()];
        let own = |(index, &code): (usize, &u32)| match known.get_mut(code as usize) {
            Some(known) => *known.get_or_insert_with(|| self.labels.code(category.name(index))),
            None => Categories::NONE,
        };
        category.codes.iter().enumerate().map(own).collect()
    }

    /// Forgets all points.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.lon.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.lon.is_empty()
    }

    /// Whether a batch had weights.
    pub fn is_weighted(&self) -> bool {
        self.weight.is_some()
    }

    /// The points, in the order in which they came.
    pub fn points(&self) -> Points<'_> {
        self.slice(0..self.len())
    }

    /// Some of the points. The range must not reach beyond them.
    pub fn slice(&self, range: Range<usize>) -> Points<'_> {
        // All columns grow together and every code was given with its name, so no call can fail.
        let mut points = Points::new(&self.lon[range.clone()], &self.lat[range.clone()]).unwrap_or_default();
        if let Some(weight) = &self.weight {
            points = points.with_weight(&weight[range.clone()]).unwrap_or_default();
        }
        if let Some(time_us) = &self.time_us {
            points = points.with_time(&time_us[range.clone()]).unwrap_or_default();
        }
        if let Some(codes) = &self.codes {
            let category = Categories { codes: &codes[range], names: self.labels.names() };
            points = points.with_category(category).unwrap_or_default();
        }
        points
    }
}

/// Adds the `added` values of a batch behind the `before` that are there: `missing` for each that a batch lacks.
fn extend<T: Copy>(column: &mut Option<Vec<T>>, before: usize, added: usize, batch: Option<&[T]>, missing: T) {
    if column.is_none() && batch.is_none() {
        return;
    }
    let column = column.get_or_insert_with(|| vec![missing; before]);
    match batch {
        Some(values) => column.extend_from_slice(values),
        None => column.resize(before + added, missing),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_any_columns_follow_each_other() {
        let mut gathered = PointColumns::default();
        let place = [1.0, 2.0];
        let bare = Points::new(&place, &place).unwrap();
        let names = |names: [&str; 2]| names.map(Box::from);
        let (ab, ca) = (names(["a", "b"]), names(["c", "a"]));
        gathered.add(bare);
        assert!(gathered.points().weight().is_none() && gathered.points().category().is_none());
        gathered.add(bare.with_weight(&[3.0, 4.0]).unwrap());
        gathered.add(bare.with_category(Categories { codes: &[1, Categories::NONE], names: &ab }).unwrap());
        gathered.add(bare.with_time(&[5, Points::NO_TIME]).unwrap());
        gathered.add(bare.with_category(Categories { codes: &[1, 0], names: &ca }).unwrap());
        gathered.add(Points::default());
        let points = gathered.points();
        assert_eq!(points.weight().unwrap(), [1.0, 1.0, 3.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let no = Points::NO_TIME;
        assert_eq!(points.time_us().unwrap(), [no, no, no, no, no, no, 5, no, no, no]);
        let category = gathered.slice(4..10).category().unwrap();
        let named: Vec<_> = (0..6).map(|index| category.name(index)).collect();
        assert_eq!(named, [Some("b"), None, None, None, Some("a"), Some("c")]);
        assert_eq!(category.names.len(), 3);
    }
}
