//! The formats of arrays and their detection.

/// A format of arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArrayFormat {
    /// A NumPy array.
    Npy,
    /// A zip archive of NumPy arrays.
    Npz,
    /// A list of rows, each a list of numbers; null and NaN are no data.
    Json,
    /// Rows of numbers between commas, semicolons, tabs or spaces.
    Csv,
    /// A PNG image.
    Png,
    /// A TIFF or GeoTIFF image.
    Tiff,
}

impl ArrayFormat {
    /// Every format, by name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("npy", Self::Npy),
        ("npz", Self::Npz),
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("png", Self::Png),
        ("tiff", Self::Tiff),
    ];

    /// The supported formats, as the end of a message.
    pub const ACCEPTED: &'static str = "expected .npy, .npz, JSON rows, CSV, PNG or TIFF";

    /// Detects the format from the first bytes of a file; `None` if it is unknown. Text that does not start with `[` or `{` is
    /// CSV.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], ArrayFormat); 9] = [
            (b"\x93NUMPY", ArrayFormat::Npy),
            (b"PK\x03\x04", ArrayFormat::Npz),
            (b"PK\x05\x06", ArrayFormat::Npz),
            (b"\x89PNG\r\n\x1a\n", ArrayFormat::Png),
            (b"II*\0", ArrayFormat::Tiff),
            (b"MM\0*", ArrayFormat::Tiff),
            (b"II+\0", ArrayFormat::Tiff),
            (b"MM\0+", ArrayFormat::Tiff),
            (b"\xef\xbb\xbf[", ArrayFormat::Json),
        ];
        if let Some((_, format)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Some(*format);
        }
        let start = &bytes[..bytes.len().min(512)];
        match start.iter().find(|byte| !byte.is_ascii_whitespace())? {
            b'[' => Some(Self::Json),
            b'{' => None,
            _ => start
                .iter()
                .all(|byte| byte.is_ascii_graphic() || b" \t\r\n\xef\xbb\xbf".contains(byte))
                .then_some(Self::Csv),
        }
    }
}
