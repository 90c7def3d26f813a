//! Numbers in text: the plain decimals of coordinates quickly, everything else correctly.

#[cfg(target_arch = "x86_64")]
use super::wide;

/// Bytes that must follow a field in its buffer, because fields are read eight bytes at a time.
pub(super) const PADDING_BYTES: usize = 32;

/// Powers of ten that an `f64` holds exactly.
pub(super) const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
const INTEGER_POWERS: [u64; 17] = {
    let mut powers = [1; 17];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// One column of rows that follow one another, each with the same number of fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'b> {
    /// What the rows are in.
    pub(super) bytes: &'b [u8],
    /// Where the fields of all columns begin, and at the end where the next row begins.
    pub(super) starts: &'b [u32],
    /// Fields in a row.
    pub(super) columns: usize,
    /// Which of them this is.
    pub(super) position: usize,
}

impl Column<'_> {
    /// Start and end of the field of each row, without the carriage return that may end the row.
    #[inline]
    pub(super) fn spans(self) -> impl Iterator<Item = (usize, usize)> {
        let Self { bytes, starts, columns, position } = self;
        let is_last = position + 1 == columns;
        let mut at = position;
        std::iter::from_fn(move || {
            let &[start, next] = starts.get(at..)?.first_chunk()?;
            at += columns;
            let (start, end) = (start as usize, next as usize - 1);
            let ends_in_return = is_last && end > start && bytes[end - 1] == b'\r';
            Some((start, end - ends_in_return as usize))
        })
    }
}

/// Reads the numbers of `column` into `numbers`, NaN for each field that holds none, and answers whether there is no
/// such field.
pub(super) fn read_column(column: Column<'_>, numbers: &mut [f64]) -> bool {
    if plain_decimals(column, numbers) {
        return true;
    }
    let mut all_read = true;
    for (number, (start, end)) in numbers.iter_mut().zip(column.spans()) {
        if number.is_nan() {
            *number = any_number(&column.bytes[start..end]).unwrap_or(f64::NAN);
            all_read &= !number.is_nan();
        }
    }
    all_read
}

/// Reads the [`plain_decimal`]s of `column` into `numbers`, NaN for each that is none, and answers whether there is no
/// such.
fn plain_decimals(column: Column<'_>, numbers: &mut [f64]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if wide::is_available() {
        // Safe: the line above.
        #[allow(unsafe_code)]
        return unsafe { wide::plain_decimals(column, numbers) };
    }
    let mut all_plain = true;
    for (number, (start, end)) in numbers.iter_mut().zip(column.spans()) {
        *number = plain_decimal(column.bytes, start, end).unwrap_or(f64::NAN);
        all_plain &= !number.is_nan();
    }
    all_plain
}

/// The plain decimal `bytes[start..end]` (`-12.345678`, `7`): an optional minus, at most 8 digits, and maybe a point
/// and at most 16 digits. `None` for anything else, which may be a number nonetheless.
///
/// What follows the field, at `bytes[end]`, must not be a digit.
///
/// The answer is the `f64` nearest to the decimal: the digits make an integer that an `f64` holds exactly, the power
/// of ten is exact too, so their quotient is rounded once.
#[inline]
fn plain_decimal(bytes: &[u8], start: usize, end: usize) -> Option<f64> {
    let text: &[u8; PADDING_BYTES] = bytes.get(start..)?.first_chunk()?;
    let sign = (text[0] == b'-') as usize;
    let whole = digit_values(load(text, sign));
    let whole_digits = leading_digits(whole);
    let point = sign + whole_digits;
    let decimals = end.wrapping_sub(start + point + 1);
    let whole_value = digits_to_integer(first_digits(whole, whole_digits)?);
    let magnitude = if decimals == usize::MAX {
        whole_value as i64 as f64
    } else {
        // Whole digits beyond the eighth are seen here too.
        if text[point] != b'.' {
            return None;
        }
        let fraction = digit_values(load(text, point + 1));
        let (mantissa, is_plain) = if let Some(fraction) = first_digits(fraction, decimals) {
            let mantissa = whole_value * INTEGER_POWERS[decimals] + digits_to_integer(fraction);
            (mantissa, non_digits(fraction) == 0)
        } else {
            long_mantissa(whole_value, fraction, digit_values(load_at(bytes, end.wrapping_sub(8))), decimals)?
        };
        if !is_plain || mantissa > LARGEST_EXACT {
            return None;
        }
        mantissa as i64 as f64 / POWERS[decimals]
    };
    Some(f64::from_bits(magnitude.to_bits() | (sign as u64) << 63))
}

/// The digits of a number with 9 to 16 decimals, of which `first` are the first eight and `last` the last eight, as
/// one integer, and whether they are digits.
#[inline(never)]
fn long_mantissa(whole: u64, first: u64, last: u64, decimals: usize) -> Option<(u64, bool)> {
    if !(9..=16).contains(&decimals) {
        return None;
    }
    // Only those of the last eight count that are not among the first eight.
    let behind = last & (!0 << (8 * (16 - decimals)));
    let fraction = digits_to_integer(first) * INTEGER_POWERS[decimals - 8] + digits_to_integer(behind);
    let mantissa = whole.checked_mul(INTEGER_POWERS[decimals])?.checked_add(fraction)?;
    Some((mantissa, (non_digits(first) | non_digits(last)) == 0))
}

/// The number that a field writes in any way `f64::from_str` reads, in quotes or not; spaces around it do not matter.
#[inline(never)]
pub(super) fn any_number(field: &[u8]) -> Option<f64> {
    let text = field.trim_ascii();
    let quoted = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    fast_float2::parse(quoted.map_or(text, <[u8]>::trim_ascii)).ok()
}

/// Eight bytes from `at`, the first one in the lowest byte.
#[inline]
fn load(text: &[u8; PADDING_BYTES], at: usize) -> u64 {
    load_at(text, at)
}

/// The same from any place; zeros beyond the end.
fn load_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// An `f64` holds every integer up to here.
pub(super) const LARGEST_EXACT: u64 = 1 << 53;

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// Each byte minus `'0'`, so to speak: digits become 0 to 9, and no other byte does.
#[inline]
fn digit_values(text: u64) -> u64 {
    text ^ (b'0' as u64 * EACH_BYTE)
}

/// The high bit of every byte that is not 0 to 9.
#[inline]
fn non_digits(values: u64) -> u64 {
    let high_bits = 0x80 * EACH_BYTE;
    (((values & !high_bits) + 0x76 * EACH_BYTE) | values) & high_bits
}

/// How many bytes from the lowest are 0 to 9: 0 to 8.
#[inline]
fn leading_digits(values: u64) -> usize {
    non_digits(values).trailing_zeros() as usize / 8
}

/// The first `count` of eight digit values, 1 to 8, with zeros before them.
#[inline]
fn first_digits(values: u64, count: usize) -> Option<u64> {
    (1..=8).contains(&count).then(|| values << (64 - 8 * count))
}

/// Eight digit values, the lowest byte the most significant, as one integer: neighbors are joined three times.
#[inline]
fn digits_to_integer(values: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let fours_and_all = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let rest = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    fours_and_all.wrapping_add(rest) >> 32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> Option<f64> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(b',');
        bytes.extend([b'9'; PADDING_BYTES]);
        plain_decimal(&bytes, 0, text.len())
    }

    #[test]
    fn coordinates_as_people_write_them_take_the_quick_way() {
        for text in [
            "0",
            "7",
            "-120.535318",
            "14.2",
            "12345678",
            "-0.0",
            "1234567.12345678",
            "0.0000001234567891",
            "90071992.54740992",
        ] {
            assert_eq!(plain(text).map(f64::to_bits), Some(text.parse::<f64>().unwrap().to_bits()), "{text}");
        }
    }

    #[test]
    fn whatever_is_not_a_plain_decimal_is_left_to_the_general_way() {
        for text in [
            "",
            "-",
            ".",
            ".5",
            "5.",
            "+1",
            "1e3",
            "1.5e3",
            "abc",
            "1.2.3",
            "1-2",
            "--1",
            " 1",
            "1 ",
            "1.12345x",
            "123456789",
            "99999999.00000000",
            "1.12345678901234567",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
        for text in ["+1.5", "1e3", ".5", "5.", " 2 ", "-1.5E-7", "17976931348623157000000000"] {
            assert_eq!(any_number(text.as_bytes()), text.trim().parse().ok(), "{text}");
        }
        assert_eq!(any_number(b" \" 1.5\""), Some(1.5));
        for text in ["", " ", "\"", "\"\"", "abc", "1.2.3", "1,5", "0x10", "1_000", "--1", "1e", "."] {
            assert_eq!(any_number(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_answer_what_the_standard_library_does(text in "[+-]?[0-9]{0,20}(\\.[0-9]{0,20})?(e-?[0-9]{1,3})?") {
            let expected = text.parse::<f64>().ok().map(f64::to_bits);
            if let Some(value) = plain(&text) {
                prop_assert_eq!(Some(value.to_bits()), expected);
            }
            prop_assert_eq!(any_number(text.as_bytes()).map(f64::to_bits), expected);
        }

        #[test]
        fn plain_decimals_are_the_standard_librarys(text in "-?[0-9]{1,9}\\.[0-9]{1,17}") {
            if let Some(value) = plain(&text) {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits());
            }
        }

        #[test]
        fn a_short_decimal_always_takes_the_quick_way(text in "-?[0-9]{1,7}(\\.[0-9]{1,8})?") {
            prop_assert_eq!(plain(&text).map(f64::to_bits), text.parse::<f64>().ok().map(f64::to_bits));
        }

        #[test]
        fn no_bytes_upset_either_way(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            any_number(&bytes);
            if let Some(value) = plain(&text) {
                prop_assert_eq!(Some(value), text.parse().ok());
            }
        }
    }
}
