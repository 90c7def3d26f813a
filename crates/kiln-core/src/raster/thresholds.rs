//! Which of 255 rising thresholds a value has reached.

/// Rising thresholds, and a table that leads near to the right one from a value's leading bits.
#[derive(Clone, Debug)]
pub(super) struct Thresholds {
    /// The thresholds, and a NaN behind them, which no value reaches.
    padded: [f32; 256],
    /// For each value of the leading bits, how many thresholds have smaller ones.
    below: Box<[u8]>,
    /// The most thresholds that share their leading bits.
    most_within: u32,
}

impl Thresholds {
    /// Sign, exponent and six bits of the fraction: a bucket is as wide as a 64th of an octave.
    const KEY_BITS: u32 = 15;
    /// Where thresholds stand closer together than this, halving finds them sooner than stepping.
    const FEW: u32 = 4;

    /// Thresholds at `thresholds`, which must not fall. The first may be −∞.
    pub(super) fn new(thresholds: &[f32; 255]) -> Self {
        let mut padded = [f32::NAN; 256];
        padded[..255].copy_from_slice(thresholds);
        let mut below = vec![0; 1 << Self::KEY_BITS].into_boxed_slice();
        let (mut start, mut most_within) = (0, 0);
        let mut filled = 0;
        while start < thresholds.len() {
            let bucket = key(thresholds[start]);
            let end = thresholds.partition_point(|&threshold| key(threshold) <= bucket);
            below[filled..=bucket].fill(start as u8);
            filled = bucket + 1;
            most_within = most_within.max((end - start) as u32);
            start = end;
        }
        below[filled..].fill(255);
        Self { padded, below, most_within }
    }

    /// The thresholds.
    pub(super) fn thresholds(&self) -> &[f32] {
        &self.padded[..255]
    }

    /// How many thresholds lie at or below `value`, which is not NaN.
    pub(super) fn reached(&self, value: f32) -> u8 {
        self.thresholds().partition_point(|&threshold| threshold <= value) as u8
    }

    /// [`reached`](Self::reached) for all values; 0 where a value is within `nothing_within` of 0, or NaN.
    pub(super) fn reached_all(&self, values: &[f32], nothing_within: f32, indices: &mut [u8]) {
        if self.most_within > Self::FEW {
            for (index, &value) in indices.iter_mut().zip(values) {
                *index = if value.abs() > nothing_within { self.reached(value) } else { 0 };
            }
        } else if self.most_within > 2 {
            step::<{ Self::FEW as usize }>(&self.padded, &self.below, values, nothing_within, indices);
        } else {
            step::<2>(&self.padded, &self.below, values, nothing_within, indices);
        }
    }
}

/// The leading bits of a value, so that greater values never have smaller ones.
#[inline]
fn key(value: f32) -> usize {
    let bits = value.to_bits();
    let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    (ordered >> (32 - Thresholds::KEY_BITS)) as usize
}

fn step<const MOST: usize>(
    thresholds: &[f32; 256],
    below: &[u8],
    values: &[f32],
    nothing_within: f32,
    indices: &mut [u8],
) {
    let Ok(below) = <&[u8; 1 << Thresholds::KEY_BITS]>::try_from(below) else { return };
    for (index, &value) in indices.iter_mut().zip(values) {
        let mut reached = below[key(value)];
        for _ in 0..MOST {
            reached += u8::from(thresholds[usize::from(reached)] <= value);
        }
        *index = if value.abs() > nothing_within { reached } else { 0 };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_table_agrees_with_halving(
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
            table.reached_all(&values, -1.0, &mut indices);
            for (value, index) in values.iter().zip(indices) {
                let expected = if value.is_nan() { 0 } else { table.reached(*value) };
                prop_assert_eq!(index, expected, "{}", value);
            }
        }

        #[test]
        fn smooth_curves_take_the_table(top in 1e-6f32..1e6, power in 1.0f32..4.0) {
            let thresholds = std::array::from_fn(|i| top * ((i as f32 + 0.5) / 255.0).powf(power));
            let table = Thresholds::new(&thresholds);
            prop_assert!(table.most_within <= Thresholds::FEW);
            let values: Vec<f32> = (0..5000).map(|i| top * (i as f32 / 4900.0)).collect();
            let mut indices = vec![0; values.len()];
            table.reached_all(&values, 0.0, &mut indices);
            for (value, index) in values.iter().zip(indices) {
                prop_assert_eq!(index, if *value > 0.0 { table.reached(*value) } else { 0 });
            }
        }
    }
}
