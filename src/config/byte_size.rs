//! How much something takes.

use super::quantity::quantity;

/// A number of bytes, written `500MB` or `1GiB`; a number without a unit counts bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// The units that are understood, the unit of 1 first.
    const UNITS: [(&str, u64); 9] = [
        ("B", 1),
        ("kB", 1000),
        ("MB", 1000_u64.pow(2)),
        ("GB", 1000_u64.pow(3)),
        ("TB", 1000_u64.pow(4)),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];

    /// This many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

quantity!(ByteSize, "size", "size such as 500MB or 1GiB");

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, bytes, printed) in [
            ("1GiB", 1 << 30, "1GiB"),
            ("500 mb", 500_000_000, "500MB"),
            ("1.5kB", 1500, "1500B"),
            ("1536 MiB", 1536 << 20, "1536MiB"),
            ("2000000000000", 2_000_000_000_000, "2TB"),
            ("0", 0, "0B"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, printed), "{text}");
            assert_eq!(printed.parse::<ByteSize>().unwrap(), size);
        }
        for bad in ["", "-1B", "1 heap", "GiB", "nan", "0.5B", "1e30GB", "99999999 TiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }
}
