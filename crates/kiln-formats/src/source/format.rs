//! Which format an input is in, by its first bytes and its extension.

use std::path::Path;

use super::{Arrow, Csv, Parquet, Source};
use kiln_core::error::{Error, Result};

/// A format that points are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    GeoJson,
    /// Plain JSON, or GeoJSON: its reader tells them apart.
    Json,
    /// As `Json`, each line for itself.
    JsonLines,
    Parquet,
    Arrow,
}

/// The media types that [`read_as`](super::read_as) knows. Of the last one, the content tells the format.
pub const MEDIA_TYPES: [&str; 9] = [
    "application/geo+json",
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.parquet",
    "application/x-parquet",
    BYTES,
];

/// The media type that tells no format.
const BYTES: &str = "application/octet-stream";

impl Format {
    /// The format of a media type, in whatever case and with whatever parameters (`text/csv; charset=utf-8`); `None` for
    /// the one that tells none.
    pub(super) fn of_media_type(media_type: &str) -> Result<Option<Self>> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(Some(match essence.as_str() {
            "application/geo+json" => Self::GeoJson,
            "application/json" => Self::Json,
            "application/x-ndjson" => Self::JsonLines,
            "text/csv" => Self::Csv,
            "application/vnd.apache.arrow.stream" | "application/vnd.apache.arrow.file" => Self::Arrow,
            "application/vnd.apache.parquet" | "application/x-parquet" => Self::Parquet,
            BYTES => return Ok(None),
            _ => {
                let expected = MEDIA_TYPES.join(", ");
                return Err(Error::MediaType { media_type: media_type.to_owned(), expected });
            }
        }))
    }

    /// Makes sure that what begins with `head` can be in this format, as far as its first bytes tell.
    pub(super) fn check(self, head: &[u8], name: &str) -> Result<()> {
        if head.is_empty() {
            return Err(Error::input(name, NOTHING));
        }
        match self {
            // The reader of Parquet has more to say of its other beginnings.
            Self::Parquet if !head.starts_with(b"PAR") => Err(Error::input(name, NO_PARQUET)),
            Self::Arrow if !Arrow::begins(head) => Err(Error::input(name, NO_ARROW)),
            _ => Ok(()),
        }
    }

    /// Tells the format of what begins with `head`. Content that cannot be mistaken wins over the extension.
    pub(super) fn of(head: &[u8], extension: Option<&str>, name: &str) -> Result<Self> {
        let unreadable = |what: &str| Err(Error::input(name, what));
        let unexpected = |what: &str| Err(Error::input(name, format!("{what}; expected {KNOWN}")));
        if head.is_empty() {
            return unexpected(NOTHING);
        }
        if head.starts_with(b"PAR1") {
            return Ok(Self::Parquet);
        }
        if Arrow::begins(head) {
            return Ok(Self::Arrow);
        }
        if let Some((_, what)) = STRANGERS.iter().find(|(start, _)| head.starts_with(start)) {
            return unreadable(what);
        }
        if matches!(extension, Some("parquet" | "pq" | "geoparquet")) {
            return Self::Parquet.check(head, name).map(|()| Self::Parquet);
        }
        if matches!(extension, Some("arrow" | "arrows" | "feather" | "ipc")) {
            return unreadable(NO_ARROW);
        }
        if begins_as_markup(head) {
            return unexpected("it is XML or a web page");
        }
        if head.contains(&0) {
            return unexpected("it is neither Parquet nor Arrow nor text in UTF-8");
        }
        Ok(match extension {
            Some("geojson" | "geojsonl" | "geojsons") => Self::GeoJson,
            Some("json" | "jsonl" | "ndjson") => Self::Json,
            _ if begins_as_json(head) => Self::Json,
            _ => Self::Csv,
        })
    }

    /// Opens the file at `path`, which messages call `name`.
    pub(super) fn open(self, path: &Path, name: &str) -> Result<Box<dyn Source>> {
        let name = name.to_owned();
        Ok(match self {
            Self::Csv => Box::new(Csv::open(path, name)?),
            Self::Parquet => Box::new(Parquet::open(path, name)?),
            Self::Arrow => Box::new(Arrow::open(path, name)?),
            Self::GeoJson | Self::Json | Self::JsonLines => return Err(Error::input(name, "DEV")),
        })
    }
}

const NOTHING: &str = "there is nothing in it";
const NO_PARQUET: &str = "not a Parquet file: it does not begin with `PAR1`";
const NO_ARROW: &str = "not an Arrow file: it begins neither with `ARROW1` nor as a stream does";

/// The formats that can be read.
const KNOWN: &str = "CSV, GeoJSON, JSON, Parquet or Arrow";

/// How formats begin that people have points in too, and what to say of them.
const STRANGERS: [(&[u8], &str); 6] = [
    (b"BZh", "it is packed by bzip2; unpack it first: `bzip2 -dc FILE | kiln render -`"),
    (b"\xFD7zXZ", "it is packed by xz; unpack it first: `xz -dc FILE | kiln render -`"),
    (b"PK\x03\x04", "it is a zip archive or a spreadsheet; unpack it first, or save it as CSV"),
    (b"FEA1", "it is Feather of version 1; write it again as version 2"),
    (b"\xFF\xFE", "it is UTF-16; save it as UTF-8"),
    (b"\xFE\xFF", "it is UTF-16; save it as UTF-8"),
];

/// Whether a text begins as XML or a web page does; a column's name may well be in angle brackets.
fn begins_as_markup(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let begins = |start: &&str| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()));
    ["<?xml", "<!doctype", "<!--", "<html", "<kml", "<gpx"].iter().any(begins)
}

/// Whether a text begins as JSON with points in it does, and no CSV.
fn begins_as_json(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let mut marks = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    match marks.next() {
        Some(b'{' | 0x1E) => true,
        // A header may be in brackets, as `[lon],[lat]`.
        Some(b'[') => matches!(marks.next(), Some(b'[' | b'{' | b']' | b'-' | b'0'..=b'9')),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn format(head: impl AsRef<[u8]>, extension: Option<&str>) -> Option<Format> {
        Format::of(head.as_ref(), extension, "x").ok()
    }

    #[test]
    fn extensions_tell_the_format() {
        let known = [
            (Format::Csv, vec!["csv", "tsv", "txt"]),
            (Format::GeoJson, vec!["geojson", "geojsonl", "geojsons"]),
            (Format::Json, vec!["json", "jsonl", "ndjson"]),
            (Format::Parquet, vec!["parquet", "pq", "geoparquet"]),
            (Format::Arrow, vec!["arrow", "arrows", "feather", "ipc"]),
        ];
        for (expected, extensions) in known {
            for extension in extensions {
                let head: &[u8] = match expected {
                    Format::Parquet => b"PAR",
                    Format::Arrow => b"\xFF\xFF\xFF\xFF\x10\0\0\0",
                    _ => b"text",
                };
                assert_eq!(format(head, Some(extension)), Some(expected), "{extension}");
            }
        }
    }

    #[test]
    fn content_tells_the_format_where_no_extension_does() {
        for extension in [None, Some("txt"), Some("csv"), Some("dat")] {
            assert_eq!(format("PAR1\0\0", extension), Some(Format::Parquet));
            assert_eq!(format("ARROW1\0\0", extension), Some(Format::Arrow));
            assert_eq!(format(b"\xFF\xFF\xFF\xFF\x10\0\0\0", extension), Some(Format::Arrow));
            assert_eq!(format("\u{FEFF} {\"type\":", extension), Some(Format::Json));
            assert_eq!(format("\u{1E}{", extension), Some(Format::Json));
            assert_eq!(format("[\n [1,2]", extension), Some(Format::Json));
            assert_eq!(format("[{}]", extension), Some(Format::Json));
            assert_eq!(format("[-1.5,2]\n", extension), Some(Format::Json));
            assert_eq!(format("[lon],[lat]\n1,2", extension), Some(Format::Csv));
            assert_eq!(format("lon,lat\n1,2", extension), Some(Format::Csv));
            assert_eq!(format("<LON>,<LAT>\n1,2", extension), Some(Format::Csv));
        }
        assert_eq!(format("PAR1\0\0", Some("geojson")), Some(Format::Parquet));
    }

    #[test]
    fn what_is_in_no_format_says_so() {
        let message = |read: Result<Format>| read.unwrap_err().to_string();
        let says = |head: &[u8], what: &str| {
            let message = message(Format::of(head, Some("csv"), "x.csv"));
            assert!(message.starts_with("x.csv: ") && message.contains(what), "{message}");
        };
        says(b"", "nothing in it");
        says(b"PK\x03\x04", "zip archive");
        says(b"BZh91AY&SY", "bzip2 -dc");
        says(b"\xFD7zXZ\0", "xz -dc");
        says(b"\xFF\xFEl\0", "UTF-16; save it as UTF-8");
        says(b"\xEF\xBB\xBF \n<?xml version", "XML or a web page");
        says(b"FEA1", "write it again as version 2");
        says(
            b"l\0o\0n\0",
            "neither Parquet nor Arrow nor text in UTF-8; expected CSV, GeoJSON, JSON, Parquet or Arrow",
        );
        assert_eq!(
            message(Format::of(b"lon,lat\n", Some("feather"), "x")),
            "x: not an Arrow file: it begins neither with `ARROW1` nor as a stream does"
        );
        assert_eq!(
            message(Format::of(b"lon,lat\n", Some("parquet"), "x")),
            "x: not a Parquet file: it does not begin with `PAR1`"
        );
    }
}
