//! How inputs are packed, and how they are unpacked as they are read.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

/// How an input is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    const BUFFER_BYTES: usize = 1 << 16;

    /// The packing of what begins with `head`, if it is packed.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let begins = |magic: &[u8]| head.starts_with(magic);
        if begins(b"\x1F\x8B") {
            Some(Self::Gzip)
        } else if begins(b"\x28\xB5\x2F\xFD") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What `packed` holds, all its members or frames after each other.
    pub(super) fn unpack<'r>(self, packed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        let packed = BufReader::with_capacity(Self::BUFFER_BYTES, packed);
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(packed)?),
        })
    }
}

/// A file's name without the ending that says how it is packed.
pub(super) fn without_packing(name: &str) -> &str {
    [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}
