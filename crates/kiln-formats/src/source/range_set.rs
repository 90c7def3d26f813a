//! Sets of ranges of bytes.

use std::ops::Range;

/// A set of bytes: ranges in order, which neither overlap nor touch.
#[derive(Debug, Default)]
pub(super) struct RangeSet(Vec<Range<u64>>);

impl RangeSet {
    /// Adds a range.
    pub(super) fn insert(&mut self, range: Range<u64>) {
        self.0.push(range);
        self.0 = coalesce(std::mem::take(&mut self.0), 0);
    }

    /// Removes a range.
    pub(super) fn remove(&mut self, range: &Range<u64>) {
        let parts = |kept: &Range<u64>| [kept.start..kept.end.min(range.start), kept.start.max(range.end)..kept.end];
        self.0 = self.0.iter().flat_map(parts).filter(|part| !part.is_empty()).collect();
    }

    /// The parts of ranges that are not in the set, in order.
    pub(super) fn missing(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut missing = Self(coalesce(ranges.to_vec(), 0));
        self.0.iter().for_each(|range| missing.remove(range));
        missing.0
    }
}

/// Sorts ranges, and joins those with a gap of at most `max_gap`.
pub(super) fn coalesce(mut ranges: Vec<Range<u64>>, max_gap: u64) -> Vec<Range<u64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start.saturating_sub(last.end) <= max_gap => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Splits a range into parts of at most `max` bytes, about equal in size.
pub(super) fn split(range: &Range<u64>, max: u64) -> Vec<Range<u64>> {
    let length = range.end - range.start;
    let parts = length.div_ceil(max);
    let edge = |part| range.start + (u128::from(length) * u128::from(part) / u128::from(parts)) as u64;
    (0..parts).map(|part| edge(part)..edge(part + 1)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    fn bytes(ranges: &[Range<u64>]) -> Vec<u64> {
        ranges.iter().flat_map(Clone::clone).collect()
    }

    proptest! {
        #[test]
        fn a_set_has_the_bytes_of_its_ranges(
            steps in proptest::collection::vec((proptest::bool::ANY, 0u64..60, 0u64..20), 0..20),
            from in 0u64..60, length in 0u64..30,
        ) {
            let (mut set, mut expected) = (RangeSet::default(), std::collections::BTreeSet::new());
            for (is_added, start, length) in steps {
                let range = start..start + length;
                if is_added {
                    expected.extend(range.clone());
                    set.insert(range);
                } else {
                    range.clone().for_each(|byte| {
                        expected.remove(&byte);
                    });
                    set.remove(&range);
                }
                prop_assert_eq!(bytes(&set.0), expected.iter().copied().collect::<Vec<_>>());
            }
            let requested = [from..from + length, from + 40..from + 50];
            let mut missing = bytes(&coalesce(requested.to_vec(), 0));
            missing.retain(|byte| !expected.contains(byte));
            prop_assert_eq!(bytes(&set.missing(&requested)), missing);
        }

        #[test]
        fn parts_of_a_range_cover_it(start in 0u64..100, length in 0u64..100, max in 1u64..20) {
            let parts = split(&(start..start + length), max);
            prop_assert_eq!(bytes(&parts), (start..start + length).collect::<Vec<_>>());
            prop_assert_eq!(parts.iter().all(|part| (1..=max).contains(&(part.end - part.start))), true);
        }
    }

    #[test]
    fn ranges_with_small_gaps_are_joined() {
        assert_eq!(coalesce(vec![20..30, 0..5, 7..9, 8..10, 3..3], 2), [0..10, 20..30]);
        assert_eq!(coalesce(vec![20..30, 0..5, 7..9], 0), [0..5, 7..9, 20..30]);
    }
}
