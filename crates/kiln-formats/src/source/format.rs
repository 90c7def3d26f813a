//! Which format an input is in, by its first bytes and its extension.

use std::path::Path;

use super::arrow::Arrow;
use super::columns::TablePoints;
use super::csv::Csv;
#[cfg(feature = "flatgeobuf")]
use super::flatgeobuf::FlatGeobuf;
#[cfg(feature = "geopackage")]
use super::geopackage::GeoPackage;
use super::json::{Dialect, Json};
use super::parquet::Parquet;
use super::shapefile::Shapefile;
use super::{ReadOptions, Source};
#[cfg(feature = "xml")]
use super::{gpx::Gpx, kml::Kml, xml::XmlTable};
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
    Gpx,
    Kml,
    GeoPackage,
    FlatGeobuf,
    Shapefile,
}

/// The media types that [`read_as`](super::read_as) knows, each with its format; without one, the content tells. Browsers and
/// tools call a CSV file by several of them, on Windows `application/vnd.ms-excel`.
const TYPES: [(&str, Option<Format>); 30] = [
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

/// The media types that [`read_as`](super::read_as) knows.
pub const MEDIA_TYPES: [&str; TYPES.len()] = {
    let mut names = [""; TYPES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = TYPES[at].0;
        at += 1;
    }
    names
};

impl Format {
    /// The format of a media type, in whatever case and with whatever parameters (`text/csv; charset=utf-8`); `None` for
    /// those that tell none.
    pub(super) fn of_media_type(media_type: &str) -> Result<Option<Self>> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let known = TYPES.iter().find(|(known, _)| *known == essence);
        known.map(|(_, format)| *format).ok_or_else(|| {
            let expected = MEDIA_TYPES.join(", ");
            Error::MediaType { media_type: media_type.to_owned(), expected }
        })
    }

    /// Makes sure that what begins with `head` can be in this format, as far as its first bytes tell.
    pub(super) fn check(self, head: &[u8], name: &str) -> Result<()> {
        if head.is_empty() {
            return Err(Error::input(name, NOTHING));
        }
        match self {
            // The reader of Parquet has more to say of its other beginnings.
            Self::Parquet if !head.starts_with(b"PAR") => Err(Error::input(name, NO_PARQUET)),
            Self::Arrow if !Arrow::has_magic(head) => Err(Error::input(name, NO_ARROW)),
            _ => match BINARIES.iter().find(|(format, ..)| *format == self) {
                Some((_, magic, _, message)) if !head.starts_with(magic) => Err(Error::input(name, *message)),
                _ => Ok(()),
            },
        }
    }

    /// Whether what begins with `head` is a format of bytes, and no text in any encoding.
    pub(super) fn is_binary(head: &[u8]) -> bool {
        let is_stranger = STRANGERS.iter().any(|(start, _)| head.starts_with(start));
        let is_map = BINARIES.iter().any(|(_, start, ..)| head.starts_with(start));
        head.starts_with(b"PAR1") || Arrow::has_magic(head) || is_stranger || is_map
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
        if Arrow::has_magic(head) {
            return Ok(Self::Arrow);
        }
        if let Some((_, what)) = STRANGERS.iter().find(|(start, _)| head.starts_with(start)) {
            return unreadable(what);
        }
        if let Some((format, ..)) = BINARIES.iter().find(|(_, magic, ..)| head.starts_with(magic)) {
            return Ok(*format);
        }
        let is_named = |extensions: &[&str]| extension.is_some_and(|extension| extensions.contains(&extension));
        if let Some((format, ..)) = BINARIES.iter().find(|(.., extensions, _)| is_named(extensions)) {
            return format.check(head, name).map(|()| *format);
        }
        if is_named(&["dbf", "shx", "prj", "cpg"]) {
            return unreadable("it is a part of a shapefile; name the `.shp` file");
        }
        if is_named(&["parquet", "pq", "geoparquet"]) {
            return Self::Parquet.check(head, name).map(|()| Self::Parquet);
        }
        if is_named(&["arrow", "arrows", "feather", "ipc"]) {
            return unreadable(NO_ARROW);
        }
        if begins_as_markup(head) || is_named(&["gpx", "kml"]) {
            let gpx_or_kml = if is_named(&["gpx"]) { Some(Self::Gpx) } else { is_named(&["kml"]).then_some(Self::Kml) };
            let format = if begins_as_markup(head) { root_element(head).or(gpx_or_kml) } else { gpx_or_kml };
            return format.map_or_else(|| unexpected("it is XML or a web page"), Ok);
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
    pub(super) fn open(self, path: &Path, name: &str, options: &ReadOptions) -> Result<Box<dyn Source>> {
        let name = name.to_owned();
        let json = |dialect| -> Result<Box<dyn Source>> {
            Ok(Box::new(TablePoints::of(Json::open(path, name.clone(), dialect, options)?, options)))
        };
        Ok(match self {
            Self::Csv => Box::new(TablePoints::of(Csv::open(path, name, options)?, options)),
            Self::Parquet => Box::new(TablePoints::of(Parquet::open(path, name)?, options)),
            Self::Arrow => Box::new(TablePoints::of(Arrow::open(path, name)?, options)),
            Self::GeoJson => json(Dialect::GeoJson)?,
            Self::Json => json(Dialect::Any)?,
            Self::JsonLines => json(Dialect::Lines)?,
            Self::Shapefile => Box::new(TablePoints::of(Shapefile::open(path, name, options)?, options)),
            #[cfg(feature = "xml")]
            Self::Gpx => Box::new(TablePoints::of(XmlTable::<Gpx>::open(path, name, options)?, options)),
            #[cfg(feature = "xml")]
            Self::Kml => Box::new(TablePoints::of(XmlTable::<Kml>::open(path, name, options)?, options)),
            #[cfg(feature = "geopackage")]
            Self::GeoPackage => Box::new(TablePoints::of(GeoPackage::open(path, name, options)?, options)),
            #[cfg(feature = "flatgeobuf")]
            Self::FlatGeobuf => Box::new(TablePoints::of(FlatGeobuf::open(path, name)?, options)),
            #[cfg(not(all(feature = "flatgeobuf", feature = "geopackage", feature = "xml")))]
            _ => return Err(Error::input(name, "the reader of its format is not built in")),
        })
    }
}

const NOTHING: &str = "there is nothing in it";
const NO_PARQUET: &str = "not a Parquet file: it does not begin with `PAR1`";
const NO_ARROW: &str = "not an Arrow file: it begins neither with `ARROW1` nor as a stream does";

/// The formats that can be read.
const KNOWN: &str = "CSV, GeoJSON, JSON, Parquet, Arrow, GPX, KML, GeoPackage, FlatGeobuf or a shapefile";

/// How formats begin that cannot be mistaken for text, their extensions, and what to say where one has another beginning.
const BINARIES: [(Format, &[u8], &[&str], &str); 3] = [
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
    (Format::Shapefile, b"\0\0\x27\x0A", &["shp"], "not a shapefile: it does not begin with the number 9994"),
];

/// How formats begin that people have points in too, and what to say of them.
const STRANGERS: [(&[u8], &str); 4] = [
    (b"BZh", "it is packed by bzip2; unpack it first: `bzip2 -dc FILE | kiln render -`"),
    (b"\xFD7zXZ", "it is packed by xz; unpack it first: `xz -dc FILE | kiln render -`"),
    (b"PK\x03\x04", "it is a zip archive, such as KMZ, or a spreadsheet; unpack it first, or save it as CSV"),
    (b"FEA1", "it is Feather of version 1; write it again as version 2"),
];

/// Whether a text begins as XML or a web page does; a column's name may well be in angle brackets.
fn begins_as_markup(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let begins = |start: &&str| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()));
    ["<?xml", "<!doctype", "<!--", "<html", "<kml", "<gpx"].iter().any(begins)
}

/// The format whose root element is in `head`, with or without the prefix of a namespace.
fn root_element(head: &[u8]) -> Option<Format> {
    let has = |name: &[u8]| {
        memchr::memmem::find_iter(head, name).any(|start| {
            let behind = head.get(start + name.len()).is_some_and(|&byte| byte == b'>' || byte.is_ascii_whitespace());
            behind && head[..start].ends_with(b"<") || head[..start].ends_with(b":")
        })
    };
    [(b"gpx".as_slice(), Format::Gpx), (b"kml", Format::Kml)]
        .into_iter()
        .find(|(name, _)| has(name))
        .map(|(_, format)| format)
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
    fn formats_of_maps_are_told_by_their_content() {
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
            |head: &str, extension| Format::of(head.as_bytes(), Some(extension), "x").unwrap_err().to_string();
        assert!(message("lon,lat\n", "gpkg").contains("not a GeoPackage or other SQLite file"));
        assert!(message("lon,lat\n", "fgb").contains("not a FlatGeobuf file of version 3"));
        assert!(message("lon,lat\n", "shp").contains("not a shapefile"));
        assert!(message("\x03", "dbf").contains("name the `.shp` file"));
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
        says(b"\xEF\xBB\xBF \n<?xml version=\"1.0\"?><rss>", "XML or a web page");
        says(b"FEA1", "write it again as version 2");
        says(
            b"l\0o\0n\0",
            "neither Parquet nor Arrow nor text in UTF-8; expected CSV, GeoJSON, JSON, Parquet, Arrow, GPX",
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
