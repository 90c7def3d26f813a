//! The two hot loops, finding fields and reading numbers, with the vectors of the newer x86-64 processors.
//!
//! Everything here answers what its plain counterpart answers, in about three quarters of the time.

use std::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_madd_epi16, _mm_maddubs_epi16, _mm_min_epu8, _mm_movemask_epi8,
    _mm_packus_epi32, _mm_set_epi64x, _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32, _mm_shuffle_epi8, _mm_sub_epi8,
};

use super::number::{Column, LARGEST_EXACT, POWERS};

/// Whether this processor has what the functions marked with these target features need.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Characters of a number that fit a vector.
const CHARACTERS: usize = 16;

/// For a number of so many characters (first index) whose point is at such a place (second index; the number of
/// characters: no point): where each of 16 digits comes from, so that the last is the last and the point is gone.
const DIGITS: [[[u8; CHARACTERS]; CHARACTERS + 1]; CHARACTERS + 1] = {
    const NONE: u8 = 0x80;
    let mut digits = [[[NONE; CHARACTERS]; CHARACTERS + 1]; CHARACTERS + 1];
    let mut length = 0;
    while length <= CHARACTERS {
        let mut point = 0;
        while point <= length {
            let (mut from, mut to) = (length, CHARACTERS);
            while from > 0 {
                from -= 1;
                if from != point {
                    to -= 1;
                    digits[length][point][to] = from as u8;
                }
            }
            point += 1;
        }
        length += 1;
    }
    digits
};

/// By how many characters there are from the point on: the power of ten that brings the point there.
const DIVISORS: [f64; 32] = {
    let mut divisors = [1.0; 32];
    let mut i = 1;
    while i <= CHARACTERS {
        divisors[i] = POWERS[i - 1];
        i += 1;
    }
    divisors
};

/// Reads the numbers of `column` that are plain decimals into `numbers`, NaN for each that is none, and answers whether
/// there is no such.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn plain_decimals(column: Column<'_>, numbers: &mut [f64]) -> bool {
    let mut all_plain = true;
    for (number, (start, end)) in numbers.iter_mut().zip(column.spans()) {
        *number = plain_decimal(column.bytes, start, end).unwrap_or(f64::NAN);
        all_plain &= !number.is_nan();
    }
    all_plain
}

/// The number `bytes[start..end]`, if that is at most 16 digits and maybe a point among them, behind an optional minus.
/// It is read the way [`number`](super::number) does it, so it is the nearest `f64` here too.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn plain_decimal(bytes: &[u8], start: usize, end: usize) -> Option<f64> {
    let text: &[u8; 1 + CHARACTERS] = bytes.get(start..)?.first_chunk()?;
    let sign = (text[0] == b'-') as usize;
    let length = end.wrapping_sub(start + sign);
    let shuffles = DIGITS.get(length)?;

    let unsigned: &[u8; CHARACTERS] = text[sign..].first_chunk()?;
    let values = _mm_sub_epi8(vector(unsigned), _mm_set1_epi8(b'0' as i8));
    let are_digits = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
    let others = !(_mm_movemask_epi8(are_digits) as u32) & ((1 << length) - 1);
    let point = (others | 1 << length).trailing_zeros() as usize;
    let from_point_on = length - point;
    // At most one character is no digit, and that is the point; and there is a digit.
    let is_plain = others & others.wrapping_sub(1) == 0
        && (from_point_on == 0 || unsigned[point % CHARACTERS] == b'.')
        && length > (from_point_on > 0) as usize;
    if !is_plain {
        return None;
    }

    let digits = _mm_shuffle_epi8(values, vector(&shuffles[point]));
    let twos = _mm_maddubs_epi16(digits, _mm_set1_epi16(i16::from_le_bytes([10, 1])));
    let fours = _mm_madd_epi16(twos, _mm_set1_epi32(100 + (1 << 16)));
    let eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(10_000 + (1 << 16)));
    let eights = _mm_cvtsi128_si64(eights) as u64;
    let mantissa = (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32);
    if mantissa > LARGEST_EXACT {
        return None;
    }
    let magnitude = mantissa as i64 as f64 / DIVISORS[from_point_on % 32];
    Some(f64::from_bits(magnitude.to_bits() | (sign as u64) << 63))
}

#[inline]
#[target_feature(enable = "sse2")]
fn vector(bytes: &[u8; 16]) -> __m128i {
    let word = u128::from_le_bytes(*bytes);
    _mm_set_epi64x((word >> 64) as i64, word as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::number::PADDING_BYTES;

    /// Whether the bits of the number in `text` are the expected ones; `None`: none, because it is no plain decimal.
    /// A processor that lacks something agrees with everything.
    fn reads(text: &str, expected: impl Fn(Option<u64>) -> bool) -> bool {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(b'\n');
        bytes.extend([b'7'; PADDING_BYTES]);
        if !super::is_available() {
            return true;
        }
        // Safe: the line above.
        #[allow(unsafe_code)]
        let number = unsafe { super::plain_decimal(&bytes, 0, text.len()) };
        expected(number.map(f64::to_bits))
    }

    fn standard(text: &str) -> Option<u64> {
        text.parse().ok().map(f64::to_bits)
    }

    #[test]
    fn odd_numbers_are_left_to_the_general_way() {
        for text in ["", "-", ".", "-.", "+1", "1e3", "abc", "1.2.3", "1-2", "--1", " 1", "1 ", "12345678901234567"] {
            assert!(reads(text, |bits| bits.is_none()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn coordinates_take_the_quick_way(text in "-?[0-9]{1,3}(\\.[0-9]{0,11})?") {
            prop_assert!(reads(&text, |bits| bits == standard(&text)));
        }

        #[test]
        fn what_is_read_is_read_as_the_standard_library_does(text in "-?[0-9]{0,15}(\\.[0-9]{0,12})?") {
            prop_assert!(reads(&text, |bits| bits.is_none() || bits == standard(&text)));
        }

        #[test]
        fn no_bytes_upset_it(text in "[ -~\\x00-\\xff]{0,20}") {
            prop_assert!(reads(&text, |bits| bits.is_none() || bits == standard(&text)));
        }
    }
}
