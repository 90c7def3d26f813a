//! Detection of the format of an input by its first bytes, its extension or its media type.

use std::path::Path;

use super::arrow::Arrow;
use super::columns::TablePoints;
use super::csv::Csv;
#[cfg(feature = "flatgeobuf")]
use super::flatgeobuf::FlatGeobuf;
#[cfg(feature = "geopackage")]
use super::geopackage::GeoPackage;
use super::json::{Json, JsonKind};
use super::parquet::Parquet;
use super::shapefile::Shapefile;
use super::table::Table;
use super::{ReadOptions, Source};
#[cfg(feature = "xml")]
use super::{gpx::Gpx, kml::Kml, xml::XmlTable};
use kiln_core::error::{Error, Result};

/// A supported input format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    GeoJson,
    /// Plain JSON or GeoJSON; the reader distinguishes them.
    Json,
    /// Like `Json`, with separate values on each line.
    JsonLines,
    Parquet,
    Arrow,
    Gpx,
    Kml,
    GeoPackage,
    FlatGeobuf,
    Shapefile,
}

/// The media types that [`read_as`](super::read_as) accepts and their formats; `None`: the format is detected from the
/// content. Browsers and tools use several types for CSV, on Windows `application/vnd.ms-excel`.
const MEDIA_TYPE_FORMATS: [(&str, Option<Format>); 30] = [
    ("application/geo+json", Some(Format::GeoJson)),
    ("application/geo+json-seq", Some(Format::GeoJson)),
    ("application/vnd.geo+json", Some(Format::GeoJson)),
    ("application/json", Some(Format::Json)),
    ("application/json-seq", Some(Format::Json)),
    ("application/x-ndjson", Some(Format::JsonLines)),
    ("application/ndjson", Some(Format::JsonLines)),
    ("application/jsonl", Some(Format::JsonLines)),
    ("application/x-jsonlines", Some(Format::JsonLines)),
    ("text/csv", Some(Format::Csv)),
    ("application/csv", Some(Format::Csv)),
    ("text/x-csv", Some(Format::Csv)),
    ("text/tab-separated-values", Some(Format::Csv)),
    ("text/tsv", Some(Format::Csv)),
    ("application/vnd.apache.arrow.stream", Some(Format::Arrow)),
    ("application/vnd.apache.arrow.file", Some(Format::Arrow)),
    ("application/vnd.apache.parquet", Some(Format::Parquet)),
    ("application/x-parquet", Some(Format::Parquet)),
    ("application/gpx+xml", Some(Format::Gpx)),
    ("application/vnd.google-earth.kml+xml", Some(Format::Kml)),
    ("application/geopackage+sqlite3", Some(Format::GeoPackage)),
    ("application/flatgeobuf", Some(Format::FlatGeobuf)),
    ("application/vnd.shp", Some(Format::Shapefile)),
    ("application/octet-stream", None),
    ("text/plain", None),
    ("application/vnd.ms-excel", None),
    ("application/gzip", None),
    ("application/x-gzip", None),
    ("application/zstd", None),
    ("application/x-zstd", None),
];

/// The media types that [`read_as`](super::read_as) accepts.
pub const MEDIA_TYPES: [&str; MEDIA_TYPE_FORMATS.len()] = {
    let mut names = [""; MEDIA_TYPE_FORMATS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = MEDIA_TYPE_FORMATS[index].0;
        index += 1;
    }
    names
};

impl Format {
    /// The format of a media type; `None` for generic types such as `text/plain`. Case and parameters such as
    /// `; charset=utf-8` are ignored.
    ///
    /// # Errors
    /// [`Error::MediaType`] if the media type is not supported.
    pub(super) fn from_media_type(media_type: &str) -> Result<Option<Self>> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let known = MEDIA_TYPE_FORMATS.iter().find(|(known, _)| *known == essence);
        known.map(|(_, format)| *format).ok_or_else(|| {
            let expected = MEDIA_TYPES.join(", ");
            Error::MediaType { media_type: media_type.to_owned(), expected }
        })
    }

    /// Checks that `head` can be the start of data in this format.
    ///
    /// # Errors
    /// [`Error::Input`] if it cannot.
    pub(super) fn check(self, head: &[u8], name: &str) -> Result<()> {
        if head.is_empty() {
            return Err(Error::input(name, EMPTY));
        }
        match self {
            // For other starts, the Parquet reader has more specific messages.
            Self::Parquet if !head.starts_with(b"PAR") => Err(Error::input(name, NOT_PARQUET)),
            Self::Arrow if !Arrow::has_magic(head) => Err(Error::input(name, NOT_ARROW)),
            _ => match BINARY_FORMATS.iter().find(|(format, ..)| *format == self) {
                Some((_, magic, _, message)) if !head.starts_with(magic) => Err(Error::input(name, *message)),
                _ => Ok(()),
            },
        }
    }

    /// Whether data that starts with `head` is in a binary format, and not text in any encoding.
    pub(super) fn is_binary(head: &[u8]) -> bool {
        let is_unsupported = UNSUPPORTED_FORMATS.iter().any(|(start, _)| head.starts_with(start));
        let is_binary_format = BINARY_FORMATS.iter().any(|(_, start, ..)| head.starts_with(start));
        head.starts_with(b"PAR1") || Arrow::has_magic(head) || is_unsupported || is_binary_format
    }

    /// Detects the format of data that starts with `head`. Unambiguous content takes precedence over the extension.
    ///
    /// # Errors
    /// [`Error::Input`] if the format is not supported.
    pub(super) fn detect(head: &[u8], extension: Option<&str>, name: &str) -> Result<Self> {
        let unsupported = |message: &str| Err(Error::input(name, message));
        let unexpected = |message: &str| Err(Error::input(name, format!("{message}; expected {SUPPORTED_FORMATS}")));
        if head.is_empty() {
            return unexpected(EMPTY);
        }
        if head.starts_with(b"PAR1") {
            return Ok(Self::Parquet);
        }
        if Arrow::has_magic(head) {
            return Ok(Self::Arrow);
        }
        if let Some((_, message)) = UNSUPPORTED_FORMATS.iter().find(|(start, _)| head.starts_with(start)) {
            return unsupported(message);
        }
        if let Some((format, ..)) = BINARY_FORMATS.iter().find(|(_, magic, ..)| head.starts_with(magic)) {
            return Ok(*format);
        }
        let has_extension = |extensions: &[&str]| extension.is_some_and(|extension| extensions.contains(&extension));
        if let Some((format, ..)) = BINARY_FORMATS.iter().find(|(.., extensions, _)| has_extension(extensions)) {
            return format.check(head, name).map(|()| *format);
        }
        if has_extension(&["dbf", "shx", "prj", "cpg"]) {
            return unsupported("it is a part of a shapefile; use the `.shp` file");
        }
        if has_extension(&["parquet", "pq", "geoparquet"]) {
            return Self::Parquet.check(head, name).map(|()| Self::Parquet);
        }
        if has_extension(&["arrow", "arrows", "feather", "ipc"]) {
            return unsupported(NOT_ARROW);
        }
        if is_markup(head) || has_extension(&["gpx", "kml"]) {
            let gpx_or_kml =
                if has_extension(&["gpx"]) { Some(Self::Gpx) } else { has_extension(&["kml"]).then_some(Self::Kml) };
            let format = if is_markup(head) { root_element(head).or(gpx_or_kml) } else { gpx_or_kml };
            return format.map_or_else(|| unexpected("it is XML or HTML"), Ok);
        }
        if head.contains(&0) {
            return unexpected("it is not Parquet, Arrow or UTF-8 text");
        }
        Ok(match extension {
            Some("geojson" | "geojsonl" | "geojsons") => Self::GeoJson,
            Some("json" | "jsonl" | "ndjson") => Self::Json,
            _ if is_json(head) => Self::Json,
            _ => Self::Csv,
        })
    }

    /// Opens the file at `path` as a source of points. `name` is the input name for messages.
    pub(super) fn open(self, path: &Path, name: &str, options: &ReadOptions) -> Result<Box<dyn Source>> {
        Ok(Box::new(TablePoints::new(self.table(path, name, options)?, options)))
    }

    /// Opens the file at `path` as a table. `name` is the input name for messages.
    pub(super) fn table(self, path: &Path, name: &str, options: &ReadOptions) -> Result<Box<dyn Table>> {
        let name = name.to_owned();
        let json =
            |dialect| -> Result<Box<dyn Table>> { Ok(Box::new(Json::open(path, name.clone(), dialect, options)?)) };
        Ok(match self {
            Self::Csv => Box::new(Csv::open(path, name, options)?),
            Self::Parquet => Box::new(Parquet::open(path, name)?),
            Self::Arrow => Box::new(Arrow::open(path, name)?),
            Self::GeoJson => json(JsonKind::GeoJson)?,
            Self::Json => json(JsonKind::Any)?,
            Self::JsonLines => json(JsonKind::Lines)?,
            Self::Shapefile => Box::new(Shapefile::open(path, name, options)?),
            #[cfg(feature = "xml")]
            Self::Gpx => Box::new(XmlTable::<Gpx>::open(path, name, options)?),
            #[cfg(feature = "xml")]
            Self::Kml => Box::new(XmlTable::<Kml>::open(path, name, options)?),
            #[cfg(feature = "geopackage")]
            Self::GeoPackage => Box::new(GeoPackage::open(path, name, options)?),
            #[cfg(feature = "flatgeobuf")]
            Self::FlatGeobuf => Box::new(FlatGeobuf::open(path, name)?),
            #[cfg(not(all(feature = "flatgeobuf", feature = "geopackage", feature = "xml")))]
            _ => return Err(Error::input(name, "this build does not include the reader of its format")),
        })
    }

    /// Its name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::GeoJson => "GeoJSON",
            Self::Json | Self::JsonLines => "JSON",
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
            Self::Gpx => "GPX",
            Self::Kml => "KML",
            Self::GeoPackage => "GeoPackage",
            Self::FlatGeobuf => "FlatGeobuf",
            Self::Shapefile => "shapefile",
        }
    }
}

const EMPTY: &str = "the input is empty";
const NOT_PARQUET: &str = "not a Parquet file: it does not begin with `PAR1`";
const NOT_ARROW: &str = "not an Arrow file: it begins neither with `ARROW1` nor with a stream message";

/// The supported formats, for messages.
const SUPPORTED_FORMATS: &str = "CSV, GeoJSON, JSON, Parquet, Arrow, GPX, KML, GeoPackage, FlatGeobuf or a shapefile";

/// Binary formats: their magic numbers, their extensions and the error for files that have the extension but not the
/// magic.
const BINARY_FORMATS: [(Format, &[u8], &[&str], &str); 3] = [
    (
        Format::GeoPackage,
        b"SQLite format 3\0",
        &["gpkg", "sqlite", "sqlite3", "db"],
        "not a GeoPackage or other SQLite file: it does not begin with `SQLite format 3`",
    ),
    (
        Format::FlatGeobuf,
        b"fgb\x03fgb",
        &["fgb"],
        "not a FlatGeobuf file of version 3: it does not begin with `fgb`, 3, `fgb`",
    ),
    (Format::Shapefile, b"\0\0\x27\x0A", &["shp"], "not a shapefile: it does not begin with the file code 9994"),
];

/// The magic numbers of common formats that are not supported, and the error for each.
const UNSUPPORTED_FORMATS: [(&[u8], &str); 4] = [
    (b"BZh", "it is compressed with bzip2; decompress it first: `bzip2 -dc FILE | kiln render -`"),
    (b"\xFD7zXZ", "it is compressed with xz; decompress it first: `xz -dc FILE | kiln render -`"),
    (b"PK\x03\x04", "it is a ZIP archive, such as KMZ, or a spreadsheet; extract it first, or save it as CSV"),
    (b"FEA1", "Feather version 1 is not supported; convert it to version 2"),
];

/// Whether text starts like XML or HTML. A CSV header may also start with `<`, as in `<LON>`.
fn is_markup(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let starts_with =
        |start: &&str| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()));
    ["<?xml", "<!doctype", "<!--", "<html", "<kml", "<gpx"].iter().any(starts_with)
}

/// The format whose root element is in `head`, with or without a namespace prefix.
fn root_element(head: &[u8]) -> Option<Format> {
    let has = |name: &[u8]| {
        memchr::memmem::find_iter(head, name).any(|start| {
            let ends = head.get(start + name.len()).is_some_and(|&byte| byte == b'>' || byte.is_ascii_whitespace());
            ends && head[..start].ends_with(b"<") || head[..start].ends_with(b":")
        })
    };
    [(b"gpx".as_slice(), Format::Gpx), (b"kml", Format::Kml)]
        .into_iter()
        .find(|(name, _)| has(name))
        .map(|(_, format)| format)
}

/// Whether text starts like JSON rather than CSV.
fn is_json(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let mut bytes = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    match bytes.next() {
        Some(b'{' | 0x1E) => true,
        // A CSV header may have brackets, as in `[lon],[lat]`.
        Some(b'[') => matches!(bytes.next(), Some(b'[' | b'{' | b']' | b'-' | b'0'..=b'9')),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn format(head: impl AsRef<[u8]>, extension: Option<&str>) -> Option<Format> {
        Format::detect(head.as_ref(), extension, "x").ok()
    }

    #[test]
    fn the_format_follows_from_the_extension() {
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
    fn the_format_follows_from_the_content_without_a_known_extension() {
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
    fn map_formats_are_detected_by_their_content() {
        for extension in [None, Some("csv"), Some("kml"), Some("gpx")] {
            assert_eq!(format("\u{FEFF}<?xml version='1.0'?>\n<gpx version", extension), Some(Format::Gpx));
            assert_eq!(format("<!-- gpx --><k:kml xmlns:k='x'", extension), Some(Format::Kml));
            assert_eq!(format("<kml>", extension), Some(Format::Kml));
            assert_eq!(format("SQLite format 3\0\x10\0", extension), Some(Format::GeoPackage));
            assert_eq!(format("fgb\x03fgb\0", extension), Some(Format::FlatGeobuf));
            assert_eq!(format(b"\0\0\x27\x0A\0\0", extension), Some(Format::Shapefile));
        }
        assert_eq!(format("<?xml version='1.0'?><!-- a long comment", Some("gpx")), Some(Format::Gpx));
        assert_eq!(format("<?xml version='1.0'?><!-- gpx ", None), None);
        let message =
            |head: &str, extension| Format::detect(head.as_bytes(), Some(extension), "x").unwrap_err().to_string();
        assert!(message("lon,lat\n", "gpkg").contains("not a GeoPackage or other SQLite file"));
        assert!(message("lon,lat\n", "fgb").contains("not a FlatGeobuf file of version 3"));
        assert!(message("lon,lat\n", "shp").contains("not a shapefile"));
        assert!(message("\x03", "dbf").contains("use the `.shp` file"));
    }

    #[test]
    fn errors_describe_unsupported_formats() {
        let message = |read: Result<Format>| read.unwrap_err().to_string();
        let assert_message = |head: &[u8], expected: &str| {
            let message = message(Format::detect(head, Some("csv"), "x.csv"));
            assert!(message.starts_with("x.csv: ") && message.contains(expected), "{message}");
        };
        assert_message(b"", "the input is empty");
        assert_message(b"PK\x03\x04", "ZIP archive");
        assert_message(b"BZh91AY&SY", "bzip2 -dc");
        assert_message(b"\xFD7zXZ\0", "xz -dc");
        assert_message(b"\xEF\xBB\xBF \n<?xml version=\"1.0\"?><rss>", "XML or HTML");
        assert_message(b"FEA1", "convert it to version 2");
        assert_message(
            b"l\0o\0n\0",
            "not Parquet, Arrow or UTF-8 text; expected CSV, GeoJSON, JSON, Parquet, Arrow, GPX",
        );
        assert_eq!(
            message(Format::detect(b"lon,lat\n", Some("feather"), "x")),
            "x: not an Arrow file: it begins neither with `ARROW1` nor with a stream message"
        );
        assert_eq!(
            message(Format::detect(b"lon,lat\n", Some("parquet"), "x")),
            "x: not a Parquet file: it does not begin with `PAR1`"
        );
    }
}
