//! Quadbins: cells of the Web Mercator world as 64-bit integers.

use kiln_core::geo::morton;

/// The level, column and row of a quadbin; `None` if it is invalid.
///
/// From the highest bit: 0, 1, three bits of the mode, which is 1 for a cell, two bits 0, five bits of the level, up to 26,
/// and 52 bits of the interleaved column and row, highest bits first, of which the unused ones are 1.
pub(super) fn decode(quadbin: u64) -> Option<(u32, u32, u32)> {
    const HEADER: u64 = 0b010_0100 << 57;
    const POSITION: u64 = (1 << 52) - 1;
    const MAX_LEVEL: u32 = 26;
    let level = (quadbin >> 52 & 0x1F) as u32;
    let unused = POSITION.checked_shr(2 * level).unwrap_or(0);
    if quadbin >> 57 != HEADER >> 57 || level > MAX_LEVEL || quadbin & unused != unused {
        return None;
    }
    let key = (quadbin & POSITION & !unused) << 12;
    let (x, y) = morton::decode(key);
    let cell = |units: u32| units.checked_shr(32 - level).unwrap_or(0);
    Some((level, cell(x), cell(y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadbins_are_cells() {
        // From the documentation of the format, and the cells of the poles of the range.
        assert_eq!(decode(5_209_574_053_332_910_079), Some((4, 9, 8)));
        assert_eq!(decode(5_192_650_370_358_181_887), Some((0, 0, 0)));
        let quadbin =
            |level: u64, key: u64| (0x48 << 56) | level << 52 | key << (52 - 2 * level) | ((1 << (52 - 2 * level)) - 1);
        for (level, x, y) in [(1, 1, 0), (1, 0, 1), (16, 40_000, 3), (26, (1 << 26) - 1, (1 << 26) - 2)] {
            assert_eq!(decode(quadbin(u64::from(level), morton::key(x, y))), Some((level, x, y)));
        }
    }

    #[test]
    fn other_numbers_are_no_quadbins() {
        for number in [0, 1, u64::MAX, 5_209_574_053_332_910_078, 0x484c_1fff_ffff_ffff | 1 << 57, 0x49 << 56] {
            assert_eq!(decode(number), None, "{number}");
        }
    }
}
