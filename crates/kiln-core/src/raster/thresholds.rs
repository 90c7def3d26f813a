//! Lookup of the palette index of a value among 255 thresholds.

/// Ascending thresholds, with a lookup table by the leading bits of a value.
#[derive(Clone, Debug)]
pub(super) struct Thresholds {
    /// The thresholds, followed by NaN, with which no comparison is true.
    padded: [f32; 256],
    /// For each key (leading bits), the number of thresholds with smaller keys.
    below: Box<[u8]>,
    /// The maximum number of thresholds with the same key.
    max_per_key: u32,
}

impl Thresholds {
    /// The memory of the lookup table in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.below.len()
    }

    /// Sign, exponent and six bits of the fraction: the range of a key is 1/64 octave.
    const KEY_BITS: u32 = 15;
    /// The maximum number of thresholds per key at which a linear search is faster than a binary search.
    const MAX_LINEAR: u32 = 4;

    /// Creates the table. `thresholds` must be in ascending order; the first may be −∞.
    pub(super) fn new(thresholds: &[f32; 255]) -> Self {
        let mut padded = [f32::NAN; 256];
        padded[..255].copy_from_slice(thresholds);
        let mut below = vec![0; 1 << Self::KEY_BITS].into_boxed_slice();
        let (mut start, mut max_per_key) = (0, 0);
        let mut filled = 0;
        while start < thresholds.len() {
            let key = key_of(thresholds[start]);
            let end = thresholds.partition_point(|&threshold| key_of(threshold) <= key);
            below[filled..=key].fill(start as u8);
            filled = key + 1;
            max_per_key = max_per_key.max((end - start) as u32);
            start = end;
        }
        below[filled..].fill(255);
        Self { padded, below, max_per_key }
    }

    /// The thresholds.
    pub(super) fn thresholds(&self) -> &[f32] {
        &self.padded[..255]
    }

    /// The number of thresholds less than or equal to `value`, which is its palette index. `value` must not be NaN.
    pub(super) fn index_of(&self, value: f32) -> u8 {
        self.thresholds().partition_point(|&threshold| threshold <= value) as u8
    }

    /// Sets `indices` to [`index_of`](Self::index_of) each value; to 0 for NaN and for absolute values up to
    /// `dead_band`.
    pub(super) fn fill_indices(&self, values: &[f32], dead_band: f32, indices: &mut [u8]) {
        if self.max_per_key > Self::MAX_LINEAR {
            for (index, &value) in indices.iter_mut().zip(values) {
                *index = if value.abs() > dead_band { self.index_of(value) } else { 0 };
            }
        } else if self.max_per_key > 2 {
            search_linearly::<{ Self::MAX_LINEAR as usize }>(&self.padded, &self.below, values, dead_band, indices);
        } else {
            search_linearly::<2>(&self.padded, &self.below, values, dead_band, indices);
        }
    }
}

/// The leading bits of a value, ordered like the values.
#[inline]
fn key_of(value: f32) -> usize {
    let bits = value.to_bits();
    let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    (ordered >> (32 - Thresholds::KEY_BITS)) as usize
}

fn search_linearly<const MAX_PER_KEY: usize>(
    thresholds: &[f32; 256],
    below: &[u8],
    values: &[f32],
    dead_band: f32,
    indices: &mut [u8],
) {
    let Ok(below) = <&[u8; 1 << Thresholds::KEY_BITS]>::try_from(below) else { return };
    for (index, &value) in indices.iter_mut().zip(values) {
        let mut count = below[key_of(value)];
        for _ in 0..MAX_PER_KEY {
            count += u8::from(thresholds[usize::from(count)] <= value);
        }
        *index = if value.abs() > dead_band { count } else { 0 };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_table_agrees_with_a_binary_search(
            mut thresholds in prop::collection::vec(prop_oneof![
                -1e3f32..1e3, 1.0f32..1.01, Just(f32::NEG_INFINITY), Just(0.0f32), Just(-0.0f32), any::<f32>().prop_filter("ordered", |t| !t.is_nan())
            ], 255),
            mut values in prop::collection::vec(prop_oneof![-1e3f32..1e3, 1.0f32..1.01, any::<f32>()], 1..300),
        ) {
            thresholds.sort_unstable_by(f32::total_cmp);
            values.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0, -0.0, f32::MAX]);
            values.extend_from_slice(&thresholds);
            let table = Thresholds::new(&thresholds.try_into().unwrap());
            let mut indices = vec![9; values.len()];
            table.fill_indices(&values, -1.0, &mut indices);
            for (value, index) in values.iter().zip(indices) {
                let expected = if value.is_nan() { 0 } else { table.index_of(*value) };
                prop_assert_eq!(index, expected, "{}", value);
            }
        }

        #[test]
        fn smooth_curves_use_the_linear_search(top in 1e-6f32..1e6, power in 1.0f32..4.0) {
            let thresholds = std::array::from_fn(|i| top * ((i as f32 + 0.5) / 255.0).powf(power));
            let table = Thresholds::new(&thresholds);
            prop_assert!(table.max_per_key <= Thresholds::MAX_LINEAR);
            let values: Vec<f32> = (0..5000).map(|i| top * (i as f32 / 4900.0)).collect();
            let mut indices = vec![0; values.len()];
            table.fill_indices(&values, 0.0, &mut indices);
            for (value, index) in values.iter().zip(indices) {
                prop_assert_eq!(index, if *value > 0.0 { table.index_of(*value) } else { 0 });
            }
        }
    }
}
