//! Where the fields and rows of some text begin: found for 64 bytes at a time.

use super::quotes::Quoting;
#[cfg(target_arch = "x86_64")]
use super::wide;

/// Bytes that must follow the indexed text in its buffer.
pub(super) const PADDING_BYTES: usize = 64;

/// Where the fields and the rows of some text begin, as offsets into the text's buffer.
///
/// The text begins with a row. A field ends one byte before the next one begins.
#[derive(Debug, Default)]
pub(super) struct Index {
    fields: Vec<u32>,
    field_count: usize,
    rows: Vec<u32>,
    row_count: usize,
}

/// Starts written for a block without asking whether there are so many.
const FIELDS_AT_ONCE: usize = 16;
const ROWS_AT_ONCE: usize = 4;

impl Index {
    /// Indexes `bytes[start..end]`, which begins with a row; `delimiter` parts the fields.
    pub(super) fn build(&mut self, bytes: &[u8], start: usize, end: usize, delimiter: u8) {
        #[cfg(target_arch = "x86_64")]
        if wide::is_available() {
            // Safe: the line above.
            #[allow(unsafe_code)]
            return unsafe { self.build_wide(bytes, start, end, delimiter) };
        }
        self.build_here(bytes, start, end, delimiter);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn build_wide(&mut self, bytes: &[u8], start: usize, end: usize, delimiter: u8) {
        self.build_here(bytes, start, end, delimiter);
    }

    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn build_here(&mut self, bytes: &[u8], start: usize, end: usize, delimiter: u8) {
        let room = end - start + 1 + 64;
        if self.fields.len() < room {
            self.fields.resize(room, 0);
            self.rows.resize(room, 0);
        }
        self.fields[0] = start as u32;
        (self.field_count, self.row_count) = (1, 0);
        let mut quoting = Quoting::Outside;
        // The field separators and row ends of the block before, of which only the last byte matters.
        let mut before = 1 << 63;
        for block_start in (start..end).step_by(64) {
            let Some(block) = bytes.get(block_start..).and_then(<[u8]>::first_chunk) else { break };
            let Masks { delimiters, newlines, quotes } = masks(block, delimiter);
            let in_text = if end - block_start < 64 { (1 << (end - block_start)) - 1 } else { !0 };
            let separators = (delimiters | newlines) & in_text;
            let quoted = if quotes == 0 && quoting == Quoting::Outside {
                0
            } else {
                quoting.quoted(quotes & in_text, separators << 1 | before >> 63)
            };
            before = separators & !quoted;
            let next = block_start as u32 + 1;
            self.field_count += spread::<FIELDS_AT_ONCE>(before, next, &mut self.fields[self.field_count..]);
            self.row_count += spread::<ROWS_AT_ONCE>(before & newlines, next, &mut self.rows[self.row_count..]);
        }
    }

    /// Where the fields begin, in order; the last one is behind the last separator, and may be unfinished.
    pub(super) fn fields(&self) -> &[u32] {
        &self.fields[..self.field_count]
    }

    /// Where the rows behind the first one begin, that is: one byte behind the end of each row.
    pub(super) fn row_ends(&self) -> &[u32] {
        &self.rows[..self.row_count]
    }
}

/// Writes the positions of the bits of `mask`, each plus `base`, and answers how many there are.
///
/// `AT_ONCE` positions are written without a look, so that their number, which changes from block to block, does not
/// mislead the processor's guess of the next branch.
#[inline(always)]
#[allow(clippy::inline_always)]
fn spread<const AT_ONCE: usize>(mut mask: u64, base: u32, positions: &mut [u32]) -> usize {
    let count = mask.count_ones() as usize;
    let mut take = |chunk: &mut [u32]| {
        for position in chunk {
            *position = base.wrapping_add(mask.trailing_zeros());
            mask &= mask.wrapping_sub(1);
        }
    };
    if let Some((first, rest)) = positions.split_first_chunk_mut::<AT_ONCE>() {
        take(first);
        if count > AT_ONCE {
            take(&mut rest[..count - AT_ONCE]);
        }
    }
    count
}

/// One bit per byte of a block, the first byte in the lowest bit.
#[derive(Debug, PartialEq, Eq)]
struct Masks {
    delimiters: u64,
    newlines: u64,
    quotes: u64,
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(clippy::inline_always)]
fn masks(block: &[u8; 64], delimiter: u8) -> Masks {
    // Safe: every x86-64 has SSE2.
    #[allow(unsafe_code)]
    unsafe {
        vector_masks(block, delimiter)
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn vector_masks(block: &[u8; 64], delimiter: u8) -> Masks {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    let mut masks = Masks { delimiters: 0, newlines: 0, quotes: 0 };
    for (i, bytes) in block.chunks_exact(16).enumerate() {
        let word = |at: usize| i64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let bytes = _mm_set_epi64x(word(8), word(0));
        let equal = |wanted: u8| {
            let equal_bytes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted as i8));
            (_mm_movemask_epi8(equal_bytes) as u64) << (16 * i)
        };
        masks.delimiters |= equal(delimiter);
        masks.newlines |= equal(b'\n');
        masks.quotes |= equal(b'"');
    }
    masks
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn masks(block: &[u8; 64], delimiter: u8) -> Masks {
    portable_masks(block, delimiter)
}

/// The same with 64-bit words alone.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable_masks(block: &[u8; 64], delimiter: u8) -> Masks {
    const EACH_BYTE: u64 = 0x0101_0101_0101_0101;
    let equal = |wanted: u8| {
        block.chunks_exact(8).enumerate().fold(0, |mask, (i, word)| {
            let word = u64::from_le_bytes(std::array::from_fn(|byte| word[byte])) ^ (wanted as u64 * EACH_BYTE);
            let low_bits = 0x7f * EACH_BYTE;
            // The high bit of every byte that is zero, moved to the lowest bit; the product gathers them in its top byte.
            let zeros = (!(((word & low_bits) + low_bits) | word) & !low_bits) >> 7;
            mask | (zeros.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
        })
    };
    Masks { delimiters: equal(delimiter), newlines: equal(b'\n'), quotes: equal(b'"') }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend([b','; PADDING_BYTES]);
        let mut index = Index::default();
        index.build(&bytes, 0, text.len(), b',');
        let mut fields = index.fields();
        let mut rows = Vec::new();
        for &end in index.row_ends() {
            let last = fields.iter().position(|&start| start == end).unwrap_or(usize::MAX);
            let field = |pair: &[u32]| text[pair[0] as usize..pair[1] as usize - 1].to_owned();
            rows.push(fields[..=last].windows(2).map(field).collect());
            fields = &fields[last..];
        }
        rows
    }

    #[test]
    fn separators_inside_quotes_are_text() {
        let found = rows("a,b\n\"1,\n2\",3\n\"say \"\"hi,\"\"\",5\" pipe,6\n\n\"\",7\nunfinished");
        let expected: [&[&str]; 5] =
            [&["a", "b"], &["\"1,\n2\"", "3"], &["\"say \"\"hi,\"\"\"", "5\" pipe", "6"], &[""], &["\"\"", "7"]];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_block_full_of_separators_is_indexed_whole() {
        let found = rows(&format!("{}\n{}", ",".repeat(200), "\n".repeat(130)));
        assert_eq!((found.len(), found[0].len()), (131, 201));
    }

    /// What the index should find, one byte after the other.
    fn plainly(text: &[u8]) -> (Vec<u32>, Vec<u32>) {
        let (mut fields, mut rows) = (vec![0], Vec::new());
        let (mut quoting, mut previous) = (Quoting::Outside, b'\n');
        for (i, &byte) in text.iter().enumerate() {
            quoting = quoting.after(byte, previous, b',');
            if quoting == Quoting::Outside && matches!(byte, b',' | b'\n') {
                fields.push(i as u32 + 1);
                if byte == b'\n' {
                    rows.push(i as u32 + 1);
                }
            }
            previous = byte;
        }
        (fields, rows)
    }

    proptest! {
        #[test]
        fn blocks_find_what_single_bytes_do(text in "[a,\"\n]{0,300}") {
            let mut bytes = text.clone().into_bytes();
            bytes.extend([b'"'; PADDING_BYTES]);
            let mut index = Index::default();
            index.build(&bytes, 0, text.len(), b',');
            prop_assert_eq!((index.fields().to_vec(), index.row_ends().to_vec()), plainly(text.as_bytes()));
        }

        #[test]
        fn words_find_what_vectors_do(block in proptest::array::uniform32(any::<[u8; 2]>())) {
            let block: [u8; 64] = std::array::from_fn(|i| block[i / 2][i % 2] % 64);
            prop_assert_eq!(masks(&block, b','), portable_masks(&block, b','));
        }
    }
}
