//! Checksums of the chunks of a file, so that each chunk is verified when it is first read.
//!
//! They are in the footer of an Arrow file, under the key [`METADATA`]: the CRC-32 (IEEE) of each [`CHUNK_BYTES`] before
//! the footer, in hexadecimal digits. The manifest has the checksum of the footer. Files of versions of Kiln without them
//! have only the checksum of the entire file in the manifest.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The size of a chunk. The metadata of a record batch is in the first one or two chunks of the batch, which are verified
/// when the file is opened: 5 % of the usual batch of 1 MB. The checksums add 0.05 % to the file.
const CHUNK_BYTES: usize = 1 << 14;
/// The key of the checksums in the metadata of the footer.
pub(super) const METADATA: &str = "kiln.checksums";
/// Hexadecimal digits per checksum.
const DIGITS: usize = 8;

/// The end of a file, with its footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TailDigest {
    /// The position of its first byte; all chunks are before it.
    pub(super) start: u64,
    /// CRC-32 (IEEE) of the bytes from there to the end of the file.
    pub(super) crc32: u32,
}

/// Computes the checksums of the chunks of a file while it is written.
#[derive(Debug, Default)]
pub(super) struct ChunkHasher {
    chunks: Vec<u32>,
    current: crc32fast::Hasher,
    /// The number of bytes in the current chunk.
    filled: usize,
}

impl ChunkHasher {
    /// Adds the next bytes of the file.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.filled));
            self.current.update(part);
            self.filled += part.len();
            bytes = rest;
            if self.filled == CHUNK_BYTES {
                self.end_chunk();
            }
        }
    }

    fn end_chunk(&mut self) {
        self.chunks.push(std::mem::take(&mut self.current).finalize());
        self.filled = 0;
    }

    /// The checksums of the bytes so far, as text. Later bytes start a new list.
    pub(super) fn take(&mut self) -> String {
        use std::fmt::Write;
        if self.filled > 0 {
            self.end_chunk();
        }
        let mut text = String::with_capacity(self.chunks.len() * DIGITS);
        for crc in std::mem::take(&mut self.chunks) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{crc:08x}");
        }
        text
    }
}

/// The checksums of an open file, with the chunks that were verified.
#[derive(Debug)]
pub(super) struct ChunkChecksums {
    expected: Vec<u32>,
    /// The end of the last chunk.
    end: usize,
    /// A bit per chunk.
    verified: Vec<AtomicU64>,
}

impl ChunkChecksums {
    /// Parses the checksums of the bytes before `end`; `None` if they are invalid.
    pub(super) fn parse(text: &str, end: usize) -> Option<Self> {
        let (digits, rest) = text.as_bytes().as_chunks::<DIGITS>();
        if !rest.is_empty() || digits.len() != end.div_ceil(CHUNK_BYTES) {
            return None;
        }
        let parse = |digits: &[u8; DIGITS]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        let expected = digits.iter().map(parse).collect::<Option<Vec<u32>>>()?;
        let verified = std::iter::repeat_with(AtomicU64::default).take(expected.len().div_ceil(64)).collect();
        Some(Self { expected, end, verified })
    }

    /// Whether the chunks that contain `range` of `file` have their checksums. Each is read once.
    pub(super) fn verify(&self, file: &[u8], range: Range<usize>) -> bool {
        if range.is_empty() {
            return true;
        }
        range.end <= self.end
            && (range.start / CHUNK_BYTES..range.end.div_ceil(CHUNK_BYTES)).all(|chunk| {
                let (word, bit) = (&self.verified[chunk / 64], 1 << (chunk % 64));
                if word.load(Ordering::Acquire) & bit != 0 {
                    return true;
                }
                let bytes = file.get(chunk * CHUNK_BYTES..((chunk + 1) * CHUNK_BYTES).min(self.end));
                let is_intact = bytes.is_some_and(|bytes| crc32fast::hash(bytes) == self.expected[chunk]);
                if is_intact {
                    word.fetch_or(bit, Ordering::Release);
                }
                is_intact
            })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_verified_alone_and_only_once() {
        let mut file: Vec<u8> = (0..CHUNK_BYTES * 70 + 5).map(|i| (i * 7 / 3) as u8).collect();
        let mut hasher = ChunkHasher::default();
        file.chunks(1000).for_each(|bytes| hasher.update(bytes));
        let text = hasher.take();
        assert_eq!(text.len(), 71 * DIGITS);
        let checksums = ChunkChecksums::parse(&text, file.len()).unwrap();
        assert!(checksums.verify(&file, 0..10));
        for at in [10, CHUNK_BYTES * 64 + 3, CHUNK_BYTES * 70 + 4] {
            file[at] ^= 1;
        }
        assert!(checksums.verify(&file, 0..CHUNK_BYTES), "the chunk was verified before");
        assert!(checksums.verify(&file, CHUNK_BYTES..CHUNK_BYTES * 64));
        assert!(!checksums.verify(&file, CHUNK_BYTES * 64 - 1..CHUNK_BYTES * 64 + 1));
        assert!(!checksums.verify(&file, CHUNK_BYTES * 70..CHUNK_BYTES * 70 + 1));
        file[CHUNK_BYTES * 70 + 4] ^= 1;
        assert!(checksums.verify(&file, CHUNK_BYTES * 70..file.len()));
        assert!(!checksums.verify(&file, 0..file.len() + 1), "beyond the end");
        for (invalid, end) in [(&text[1..], file.len()), (&text[8..], file.len()), (&text, file.len() + CHUNK_BYTES)] {
            assert!(ChunkChecksums::parse(invalid, end).is_none());
        }
    }
}
