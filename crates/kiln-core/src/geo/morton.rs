//! Morton codes (Z-order): the bits of x and y interleaved, so that each square of the quadtree is one range of keys.

use crate::simd::wide;

/// Bits of a key.
pub const KEY_BITS: u32 = 64;

/// Encodes a position as a key. The bits of y are the higher ones of each pair.
#[inline(always)]
#[allow(clippy::inline_always)]
pub fn key(x: u32, y: u32) -> u64 {
    spread(x) | spread(y) << 1
}

/// Decodes a key to its position.
#[inline(always)]
#[allow(clippy::inline_always)]
pub fn decode(key: u64) -> (u32, u32) {
    (gather(key), gather(key >> 1))
}

/// Inserts a 0 to the left of each bit.
#[inline(always)]
#[allow(clippy::inline_always)]
fn spread(bits: u32) -> u64 {
    let mut bits = u64::from(bits);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// Extracts every other bit: the inverse of [`spread`].
#[inline(always)]
#[allow(clippy::inline_always)]
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

wide! {
    /// Encodes positions as keys.
    pub fn keys(x: &[u32], y: &[u32], keys: &mut [u64]) {
        for ((key_of, &x), &y) in keys.iter_mut().zip(x).zip(y) {
            *key_of = key(x, y);
        }
    }
}

wide! {
    /// Decodes keys to their positions.
    pub fn decode_all(keys: &[u64], x: &mut [u32], y: &mut [u32]) {
        for ((&key, x), y) in keys.iter().zip(x).zip(y) {
            (*x, *y) = decode(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_and_squares_are_ranges() {
        let positions: Vec<(u32, u32)> =
            (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761), i.wrapping_mul(40_503).rotate_left(13))).collect();
        let (x, y): (Vec<u32>, Vec<u32>) = positions.iter().copied().unzip();
        let mut encoded = vec![0; x.len()];
        keys(&x, &y, &mut encoded);
        let (mut x2, mut y2) = (vec![0; x.len()], vec![0; x.len()]);
        decode_all(&encoded, &mut x2, &mut y2);
        assert_eq!((x2, y2), (x.clone(), y.clone()));
        // The square of level 9 that contains a position.
        for (i, &(px, py)) in positions.iter().enumerate() {
            let square = encoded[i] >> (KEY_BITS - 2 * 9);
            assert_eq!(decode(square), (px >> 23, py >> 23));
        }
        assert!(key(0, 1) > key(1, 0));
    }
}
