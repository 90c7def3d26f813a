//! A digest of points that does not depend on their order.

use twox_hash::XxHash3_128;

use crate::geo::Points;

/// A digest of a multiset of points: the sum of the hashes of the points.
///
/// It is the same for the same points in any order, in batches of any size, on any number of threads and in segments of any
/// number. A missing column of weights equals one of weights of 1, and missing times, categories and tracks equal columns of
/// points without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointDigest(u128);

impl PointDigest {
    /// Adds points.
    pub fn add(&mut self, points: Points<'_>) {
        const POINT_BYTES: usize = 52;
        let category = points.category();
        let names = category.map_or(&[][..], |all| all.names);
        let names: Vec<u128> = names.iter().map(|name| XxHash3_128::oneshot(name.as_bytes())).collect();
        for index in 0..points.len() {
            // The sum of a zero and 0.0 has no sign.
            let position = |values: &[f64]| (values[index] + 0.0).to_le_bytes();
            let weight = points.weight().map_or(1.0, |weights| weights[index]) + 0.0;
            let time_us = points.time_us().map_or(Points::NO_TIME, |times| times[index]);
            let track = points.track().map_or(Points::NO_TRACK, |tracks| tracks[index]);
            // A point without a category has a code without a name.
            let name = category.and_then(|all| names.get(all.codes[index] as usize)).copied().unwrap_or_default();
            let mut bytes = [0; POINT_BYTES];
            let fields: [&[u8]; 6] = [
                &position(points.lon()),
                &position(points.lat()),
                &weight.to_le_bytes(),
                &time_us.to_le_bytes(),
                &track.to_le_bytes(),
                &name.to_le_bytes(),
            ];
            let mut rest = &mut bytes[..];
            for field in fields {
                let (own, others) = rest.split_at_mut(field.len());
                own.copy_from_slice(field);
                rest = others;
            }
            self.0 = self.0.wrapping_add(XxHash3_128::oneshot(&bytes));
        }
    }

    /// Adds the points of another digest.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Its bytes.
    pub(super) fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Categories;

    fn digest(batches: &[Points<'_>]) -> PointDigest {
        let mut digest = PointDigest::default();
        for batch in batches {
            digest.add(*batch);
        }
        digest
    }

    #[test]
    fn order_batches_and_dictionaries_do_not_matter() {
        let (lon, lat) = ([1.0, 2.0, 2.0, -0.0], [5.0, 6.0, 6.0, 8.0]);
        let names: [Box<str>; 2] = ["a".into(), "b".into()];
        let codes = [0, 1, 1, Categories::NONE];
        let points = Points::new(&lon, &lat).unwrap().with_weight(&[1.0, 2.0, 2.0, 4.0]).unwrap();
        let points = points.with_category(Categories { codes: &codes, names: &names }).unwrap();
        let whole = digest(&[points]);
        assert_eq!(whole, digest(&[points.slice(2..4), points.slice(0..2)]));
        let mut merged = digest(&[points.slice(1..4)]);
        merged.merge(digest(&[points.slice(0..1)]));
        assert_eq!(whole, merged);
        let turned: [Box<str>; 3] = ["b".into(), "unused".into(), "a".into()];
        let codes = [2, 0, 0, Categories::NONE];
        let other = points.with_category(Categories { codes: &codes, names: &turned }).unwrap();
        assert_eq!(whole, digest(&[other]));
    }

    #[test]
    fn missing_columns_equal_default_values() {
        let points = Points::new(&[1.0, -0.0], &[2.0, 3.0]).unwrap();
        let full = Points::new(&[1.0, 0.0], &[2.0, 3.0]).unwrap();
        let full = full.with_weight(&[1.0; 2]).unwrap().with_time(&[Points::NO_TIME; 2]).unwrap();
        let full = full.with_category(Categories { codes: &[Categories::NONE; 2], names: &[] }).unwrap();
        assert_eq!(digest(&[points]), digest(&[full.with_track(&[Points::NO_TRACK; 2]).unwrap()]));
    }

    #[test]
    fn every_column_and_the_number_of_equal_points_matter() {
        let names: [Box<str>; 1] = ["a".into()];
        let point = Points::new(&[1.0], &[2.0]).unwrap();
        let digests = [
            digest(&[]),
            digest(&[point]),
            digest(&[point, point]),
            digest(&[Points::new(&[2.0], &[1.0]).unwrap()]),
            digest(&[point.with_weight(&[2.0]).unwrap()]),
            digest(&[point.with_time(&[2]).unwrap()]),
            digest(&[point.with_track(&[2]).unwrap()]),
            digest(&[point.with_category(Categories { codes: &[0], names: &names }).unwrap()]),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
    }
}
