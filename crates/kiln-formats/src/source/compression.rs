//! Compression of inputs, detected by magic number and decompressed while reading.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

/// A supported compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    const BUFFER_BYTES: usize = 1 << 16;

    /// Detects the compression of data that starts with `head`; `None` if it is not compressed.
    pub(super) fn detect(head: &[u8]) -> Option<Self> {
        let starts_with = |magic: &[u8]| head.starts_with(magic);
        if starts_with(b"\x1F\x8B") {
            Some(Self::Gzip)
        } else if starts_with(b"\x28\xB5\x2F\xFD") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// Its name for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Decompresses `compressed`, including all concatenated gzip members or zstd frames.
    pub(super) fn decompress<'r>(self, compressed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        let compressed = BufReader::with_capacity(Self::BUFFER_BYTES, compressed);
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(compressed)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(compressed)?),
        })
    }
}

/// A file name without the extension `.gz` or `.zst`.
pub(super) fn without_compression_extension(name: &str) -> &str {
    [".gz", ".zst"].iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(name)
}
