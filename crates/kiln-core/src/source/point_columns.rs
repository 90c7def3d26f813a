//! Owned columns of points.

use std::ops::Range;

use super::category_dictionary::CategoryDictionary;
use crate::geo::{Categories, Points};

/// Owned columns of points, which take 16 bytes per point, plus 4 for weights, 8 for times, 4 for categories and
/// 8 for tracks.
#[derive(Debug, Default)]
pub struct PointColumns {
    pub(super) lon: Vec<f64>,
    pub(super) lat: Vec<f64>,
    /// This column and the following ones exist, with the length of the others, once a batch had them.
    pub(super) weight: Option<Vec<f32>>,
    pub(super) time_us: Option<Vec<i64>>,
    pub(super) codes: Option<Vec<u32>>,
    pub(super) track: Option<Vec<u64>>,
    labels: CategoryDictionary,
}

impl PointColumns {
    /// Appends a batch. Batches may have different columns; the weight of points without one is 1.
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
        extend(&mut self.track, before, added, batch.track(), Points::NO_TRACK);
    }

    /// Translates the codes of a batch to codes of the own dictionary.
    pub(super) fn own_codes(&mut self, category: Categories<'_>) -> Vec<u32> {
        // Only names in use are added to the dictionary.
        let mut known = vec![None; category.names.len()];
        let own = |(index, &code): (usize, &u32)| match known.get_mut(code as usize) {
            Some(known) => *known.get_or_insert_with(|| self.labels.code(category.name(index))),
            None => Categories::NONE,
        };
        category.codes.iter().enumerate().map(own).collect()
    }

    /// Removes all points.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.lon.len()
    }

    /// Whether there are no points.
    pub fn is_empty(&self) -> bool {
        self.lon.is_empty()
    }

    /// Whether any batch had weights.
    pub fn is_weighted(&self) -> bool {
        self.weight.is_some()
    }

    /// All points, in the order of the batches.
    pub fn points(&self) -> Points<'_> {
        self.slice(0..self.len())
    }

    /// The points of `range`, which must not exceed the number of points.
    pub fn slice(&self, range: Range<usize>) -> Points<'_> {
        // All columns have the same length and every code has a name, so no call can fail.
        let mut points = Points::new(&self.lon[range.clone()], &self.lat[range.clone()]).unwrap_or_default();
        if let Some(weight) = &self.weight {
            points = points.with_weight(&weight[range.clone()]).unwrap_or_default();
        }
        if let Some(time_us) = &self.time_us {
            points = points.with_time(&time_us[range.clone()]).unwrap_or_default();
        }
        if let Some(codes) = &self.codes {
            let category = Categories { codes: &codes[range.clone()], names: self.labels.names() };
            points = points.with_category(category).unwrap_or_default();
        }
        if let Some(track) = &self.track {
            points = points.with_track(&track[range]).unwrap_or_default();
        }
        points
    }
}

/// Appends the `added` values of a batch to a column of `before` values; `missing` if the batch does not have the
/// column.
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
    fn batches_with_different_columns_can_be_added() {
        let mut columns = PointColumns::default();
        let coordinates = [1.0, 2.0];
        let bare = Points::new(&coordinates, &coordinates).unwrap();
        let names = |names: [&str; 2]| names.map(Box::from);
        let (ab, ca) = (names(["a", "b"]), names(["c", "a"]));
        columns.add(bare);
        assert!(columns.points().weight().is_none() && columns.points().category().is_none());
        columns.add(bare.with_weight(&[3.0, 4.0]).unwrap());
        columns.add(bare.with_category(Categories { codes: &[1, Categories::NONE], names: &ab }).unwrap());
        columns.add(bare.with_time(&[5, Points::NO_TIME]).unwrap());
        columns.add(bare.with_category(Categories { codes: &[1, 0], names: &ca }).unwrap());
        columns.add(bare.with_track(&[7, 8]).unwrap());
        columns.add(Points::default());
        let points = columns.points();
        assert_eq!(points.weight().unwrap(), [1.0, 1.0, 3.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let none = Points::NO_TIME;
        assert_eq!(points.time_us().unwrap(), [none, none, none, none, none, none, 5, none, none, none, none, none]);
        assert_eq!(points.track().unwrap()[8..], [Points::NO_TRACK, Points::NO_TRACK, 7, 8]);
        let category = columns.slice(4..10).category().unwrap();
        let named: Vec<_> = (0..6).map(|index| category.name(index)).collect();
        assert_eq!(named, [Some("b"), None, None, None, Some("a"), Some("c")]);
        assert_eq!(category.names.len(), 3);
    }
}
