//! Opening of inputs: a path, `-` or a request body, with detection of format, compression and encoding.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::compression::Compression;
use super::csv::Csv;
use super::encoding::{decode, encoding_to_convert};
use super::format::Format;
use super::{Query, ReadOptions, ScanReport, Sink, Source};
use kiln_core::error::{Error, Result};

/// Opens the input `spec`: the path of a file, `-` for standard input, or with the feature `objects` the URL of an object, such
/// as `s3://bucket/key` or `https://host/path`.
///
/// The format is detected from the content and the extension (`.csv`, `.tsv`, `.txt`; `.geojson`, `.geojsonl`,
/// `.geojsons`; `.json`, `.jsonl`, `.ndjson`; `.parquet`, `.pq`, `.geoparquet`; `.arrow`, `.arrows`, `.feather`,
/// `.ipc`; `.gpx`; `.kml`; `.gpkg`, `.sqlite`, `.sqlite3`, `.db`; `.fgb`; `.shp`; each with or without `.gz` or
/// `.zst`). Unambiguous content takes precedence over the extension; without a known extension, the content alone
/// decides. Inputs that cannot be read twice (standard input, pipes, gzip and zstd compressed files) and text in
/// encodings other than UTF-8 are copied to a temporary file on disk, after a check that their first 4 KiB are in a
/// supported format. So are objects, except Parquet, of which only the footer and the columns of the scans are read.
///
/// # Errors
/// [`Error::Io`] if the input cannot be read or copied; [`Error::Input`] if it is a directory, empty, or in an
/// unsupported format; [`Error::Invalid`] if the options name an unknown encoding.
pub fn open(spec: &str, options: &ReadOptions) -> Result<Box<dyn Source>> {
    if spec == "-" {
        return read(io::stdin().lock(), spec, options);
    }
    #[cfg(feature = "objects")]
    if kiln_objects::ObjectUrl::is_url(spec) {
        return super::object::open(spec, options);
    }
    let unreadable = |error| Error::io(spec, "read", error);
    let metadata = std::fs::metadata(spec).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Error::input(spec, "it is a directory; expected a file"));
    }
    let mut file = File::open(spec).map_err(unreadable)?;
    if !metadata.is_file() {
        return read(file, spec, options);
    }
    let head = read_head(&mut file).map_err(unreadable)?;
    if Compression::detect(&head).is_some() || encoding_to_convert(&head, options)?.is_some() {
        return read(head.chain(file), spec, options);
    }
    let extension = extension(Path::new(spec));
    Format::detect(&head, extension.as_deref(), spec)?.open(Path::new(spec), spec, options)
}

/// Opens the data of `reader`, with the same detection of format, compression and encoding as [`open`]. `name` is the
/// input name for messages, and its extension is used as that of a file. The data is copied to an unnamed temporary
/// file.
///
/// # Errors
/// [`Error::Io`] if the data cannot be read or copied; [`Error::Input`] if it is empty or in an unsupported format;
/// [`Error::Invalid`] if the options name an unknown encoding.
pub fn read(mut reader: impl Read, name: &str, options: &ReadOptions) -> Result<Box<dyn Source>> {
    let unreadable = |error| Error::io(name, "read", error);
    let head = read_head(&mut reader).map_err(unreadable)?;
    let extension = extension(Path::new(name));
    let Some(compression) = Compression::detect(&head) else {
        let format = |head: &[u8]| Format::detect(head, extension.as_deref(), name);
        return open_copy(format, head, reader, name, options, unreadable);
    };
    let corrupt = |error| Error::input(name, format!("invalid {} data: {error}", compression.name()));
    let mut decompressed = compression.decompress(head.chain(reader)).map_err(corrupt)?;
    let head = read_head(&mut decompressed).map_err(corrupt)?;
    let inner = extension.and_then(|_| name.rsplit_once('.')).and_then(|(stem, _)| self::extension(Path::new(stem)));
    let format = |head: &[u8]| Format::detect(head, inner.as_deref(), name);
    open_copy(format, head, decompressed, name, options, corrupt)
}

/// Opens the request body `reader` in the format of `media_type`, one of [`MEDIA_TYPES`](super::MEDIA_TYPES). Case and
/// parameters such as `; charset=utf-8` are ignored. Without a media type, or with `application/octet-stream`, the
/// format is detected from the content. `name` is the input name for messages. The body is copied to an unnamed
/// temporary file, which is never larger than the body: compressed bodies are rejected, not decompressed.
///
/// # Errors
/// [`Error::MediaType`] if `media_type` is not supported; [`Error::Io`] if the body cannot be read or copied;
/// [`Error::Input`] if it is empty, compressed, or not in the format; [`Error::Invalid`] if the options name an unknown
/// encoding.
pub fn read_as(
    mut reader: impl Read,
    media_type: Option<&str>,
    name: &str,
    options: &ReadOptions,
) -> Result<Box<dyn Source>> {
    let format = media_type.map_or(Ok(None), Format::from_media_type)?;
    let unreadable = |error| Error::io(name, "read", error);
    let head = read_head(&mut reader).map_err(unreadable)?;
    if let Some(compression) = Compression::detect(&head) {
        let compression = compression.name();
        let message = format!(
            "it is compressed with {compression}; send it uncompressed, or with gzip and `Content-Encoding: gzip`"
        );
        return Err(Error::input(name, message));
    }
    let format = |head: &[u8]| match format {
        Some(format) => format.check(head, name).map(|()| format),
        None => Format::detect(head, extension(Path::new(name)).as_deref(), name),
    };
    open_copy(format, head, reader, name, options, unreadable)
}

/// A sequence of inputs as one source. They are scanned in order, each by all workers.
pub struct Inputs(pub Vec<Box<dyn Source>>);

impl Source for Inputs {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let mut total = ScanReport::default();
        for input in &self.0 {
            total.join(input.scan(query, sinks)?, query);
        }
        Ok(total)
    }
}

impl std::fmt::Debug for Inputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inputs({})", self.0.len())
    }
}

/// The number of leading bytes that the format is detected from.
const HEAD_BYTES: usize = 4096;

/// Checks that `head` is in the format that `detect` returns, copies `head` and `rest` to a temporary file and opens
/// it. Text is converted to UTF-8.
fn open_copy(
    detect: impl Fn(&[u8]) -> Result<Format>,
    mut head: Vec<u8>,
    rest: impl Read,
    name: &str,
    options: &ReadOptions,
    unreadable: impl Fn(io::Error) -> Error,
) -> Result<Box<dyn Source>> {
    let mut rest: Box<dyn Read + '_> = Box::new(rest);
    if let Some(encoding) = encoding_to_convert(&head, options)? {
        rest = Box::new(decode(io::Cursor::new(head).chain(rest), encoding));
        head = read_head(&mut rest).map_err(&unreadable)?;
    }
    let format = detect(&head)?;
    if format == Format::Csv {
        Csv::check_head(&head, head.len() < HEAD_BYTES, name, options)?;
    }
    // SQLite opens files only by name.
    let spool = Spool::copy(head.chain(rest), format == Format::GeoPackage, unreadable)?;
    Ok(Box::new(Spooled { source: format.open(&spool.path, name, options)?, _spool: spool }))
}

/// Reads the first [`HEAD_BYTES`] bytes, or all if there are fewer.
fn read_head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The extension in lower case.
pub(super) fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

/// A source that reads a temporary copy and owns it.
struct Spooled {
    source: Box<dyn Source>,
    _spool: Spool,
}

impl Source for Spooled {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        self.source.scan(query, sinks)
    }
}

/// A temporary file, deleted on drop.
pub(super) struct Spool {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// The path to delete on drop, for a file with a name. An unnamed file needs none.
    _temp_path: Option<TempPath>,
}

impl Spool {
    /// Copies the data of `reader` to a temporary file, which has a name if `needs_name` is set.
    fn copy(mut reader: impl Read, needs_name: bool, unreadable: impl Fn(io::Error) -> Error) -> Result<Self> {
        let failed = |error| Error::io(std::env::temp_dir(), "write the temporary copy", error);
        let mut spool = Self::create(needs_name).map_err(failed)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(spool),
                Ok(n) => spool.file.write_all(&buffer[..n]).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
    }

    /// Creates an empty temporary file. On other systems than Linux it always has a name.
    #[cfg_attr(not(target_os = "linux"), allow(unused_variables))]
    pub(super) fn create(needs_name: bool) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if !needs_name {
            use std::os::fd::AsRawFd;
            let file = tempfile::tempfile()?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            // `/proc` may not be mounted.
            if File::open(&path).is_ok() {
                return Ok(Self { file, path, _temp_path: None });
            }
        }
        let (file, temp_path) = NamedTempFile::new()?.into_parts();
        Ok(Self { file, path: temp_path.to_path_buf(), _temp_path: Some(temp_path) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::super::MEDIA_TYPES;
    use super::super::testing::{rejections, scan};
    use super::*;
    use crate::source::Columns;

    const ROWS: &str = "[[1,2],[3,4]]";

    fn open(spec: &str) -> Result<Box<dyn Source>> {
        super::open(spec, &ReadOptions::default())
    }

    fn read(reader: impl Read, name: &str) -> Result<Box<dyn Source>> {
        super::read(reader, name, &ReadOptions::default())
    }

    fn read_as(reader: impl Read, media_type: Option<&str>, name: &str) -> Result<Box<dyn Source>> {
        super::read_as(reader, media_type, name, &ReadOptions::default())
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// Writes a new file in `folder` and returns its path.
    fn write(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn message<T>(result: Result<T>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn directories_missing_files_and_empty_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(message(open(path)), format!("{path}: it is a directory; expected a file"));
        let missing = format!("{path}/missing.csv");
        assert!(matches!(open(&missing), Err(Error::Io { .. })));
        assert!(message(open(&missing)).starts_with(&format!("{missing}: cannot read: ")));
        let empty = write(&folder, "empty.json", "");
        assert!(message(open(&empty)).contains("the input is empty"));
    }

    #[test]
    fn a_stream_can_be_scanned_several_times() {
        let source = read(ROWS.as_bytes(), "-").unwrap();
        for workers in 1..=2 {
            let (points, _) = scan(&*source, &Query::default(), workers).unwrap();
            assert_eq!(points, [(1.0, 2.0, 1.0), (3.0, 4.0, 1.0)]);
        }
        let error = message(read(io::empty(), "-"));
        assert_eq!(
            error,
            "-: the input is empty; expected CSV, GeoJSON, JSON, Parquet, Arrow, GPX, KML, GeoPackage, FlatGeobuf or a shapefile"
        );
        assert!(message(read(&b"[[1,2],[3,"[..], "-")).starts_with("-: invalid JSON at line 1, column "));
    }

    #[test]
    fn unsupported_formats_are_rejected_before_the_copy() {
        /// Counts the bytes read from a stream.
        struct Counted<R>(R, usize);
        impl<R: Read> Read for Counted<R> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.0.read(buffer)?;
                self.1 += n;
                Ok(n)
            }
        }
        const BYTES: usize = 4 << 20;
        let stream = |piece: &[u8]| piece.repeat(BYTES / piece.len());
        for (stream, reason) in [
            (
                stream(b"\x00\xFF"),
                "-: it is not Parquet, Arrow or UTF-8 text; expected CSV, GeoJSON, JSON, Parquet, Arrow, GPX, KML, GeoPackage, FlatGeobuf or a shapefile",
            ),
            (
                stream(b"y\n"),
                "-: the first line has only one column, \"y\"; expected columns separated by , ; | tabs or spaces",
            ),
            (
                stream(b"<html>"),
                "-: it is XML or HTML; expected CSV, GeoJSON, JSON, Parquet, Arrow, GPX, KML, GeoPackage, FlatGeobuf or a shapefile",
            ),
        ] {
            let mut plain = Counted(&stream[..], 0);
            assert_eq!(message(read(&mut plain, "-")), reason);
            assert_eq!(plain.1, HEAD_BYTES);
            let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
            encoder.write_all(&stream).unwrap();
            let compressed = encoder.finish().unwrap();
            let mut compressed = Counted(&compressed[..], 0);
            assert_eq!(message(read(&mut compressed, "-")), reason);
            assert!(compressed.1 < BYTES / 8, "{} bytes were read", compressed.1);
        }
        // A first line that is longer than the head is accepted.
        let long = format!("lon,lat{}\n1,2\n", ",column".repeat(1000));
        assert_eq!(scan(&*read(long.as_bytes(), "-").unwrap(), &Query::default(), 1).unwrap().0.len(), 1);
    }

    #[test]
    fn compressed_files_are_decompressed() {
        type Compress = fn(&[u8]) -> Vec<u8>;
        let folder = tempfile::tempdir().unwrap();
        let compressions: [(Compress, &str, &str); 2] = [(gzip, "gz", "gzip"), (zstd, "zst", "zstd")];
        for (compress, extension, compression) in compressions {
            let write = |name: &str, content: Vec<u8>| write(&folder, &name.replace("EXT", extension), content);
            let count = |spec: &str| scan(&*open(spec).unwrap(), &Query::default(), 2).unwrap().0.len();
            let compressed = compress(ROWS.as_bytes());
            for name in ["rows.json.EXT", "ROWS.JSON.EXT", "rows.EXT", "rows.json", "rows"] {
                assert_eq!(count(&write(name, compressed.clone())), 2, "{name} with {compression}");
            }
            // Concatenated members or frames are one text.
            let twice = [compress(b"[1,2]\n"), compress(b"[3,4]\n")].concat();
            assert_eq!(count(&write("lines.ndjson.EXT", twice)), 2);
            // Larger than any buffer.
            let rows = "17.25,48.5\n".repeat(100_000);
            assert_eq!(count(&write("large.csv.EXT", compress(format!("lon,lat\n{rows}").as_bytes()))), 100_000);
            // By the extension, an invalid first line is one row.
            let invalid = open(&write("invalid.ndjson.EXT", compress(b"[1,\n[3,4]\n"))).unwrap();
            assert_eq!(scan(&*invalid, &Query::default(), 1).unwrap().1.rejected, 1);
            let truncated = write("truncated.json.EXT", compressed[..compressed.len() - 9].to_vec());
            assert!(message(open(&truncated)).starts_with(&format!("{truncated}: invalid {compression} data: ")));
            let mut corrupt = compress(rows.as_bytes());
            let middle = corrupt.len() / 2;
            corrupt[middle..middle + 4].copy_from_slice(&[0xFF; 4]);
            let corrupt = write("corrupt.csv.EXT", corrupt);
            assert!(message(open(&corrupt)).starts_with(&format!("{corrupt}: invalid {compression} data: ")));
            let empty = write("empty.csv.EXT", compress(b""));
            assert!(message(open(&empty)).contains("the input is empty"));
        }
    }

    #[test]
    fn text_in_other_encodings_is_converted_to_utf_8() {
        let utf_16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
        let points = |content: &[u8], encoding: Option<&str>, name: &str, columns: Columns| {
            let folder = tempfile::tempdir().unwrap();
            let options = ReadOptions { encoding: encoding.map(str::to_owned), ..ReadOptions::default() };
            let from_file = super::open(&write(&folder, name, content), &options)?;
            let from_stream = super::read(content, name, &options)?;
            let query = Query::default().with_names(columns);
            let [from_file, from_stream] = [from_file, from_stream].map(|source| scan(&*source, &query, 2));
            assert_eq!(
                from_file.as_ref().ok().map(|(points, _)| points),
                from_stream.as_ref().ok().map(|(points, _)| points)
            );
            from_file.map(|(points, _)| points.len())
        };
        // Longer than the head, with an odd byte at its end.
        let rows = format!("lon,lat\n{}", "1,2\n".repeat(2000));
        let with_bom = format!("\u{FEFF}{rows}");
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            for text in [&rows, &with_bom] {
                assert_eq!(points(&utf_16(text, bytes), None, "a.csv", Columns::default()).unwrap(), 2000);
                assert_eq!(points(&gzip(&utf_16(text, bytes)), None, "a.csv.gz", Columns::default()).unwrap(), 2000);
            }
            assert_eq!(points(&utf_16(ROWS, bytes), None, "a.json", Columns::default()).unwrap(), 2);
        }
        let named =
            |lon: &str, lat: &str| Columns { lon: Some(lon.into()), lat: Some(lat.into()), ..Columns::default() };
        let gbk = b"\xbe\xad\xb6\xc8,\xce\xb3\xb6\xc8\n18.07,59.33\n";
        assert_eq!(points(gbk, Some("gbk"), "a.csv", named("经度", "纬度")).unwrap(), 1);
        let latin = b"L\xe4nge;Breite\n18.07;59.33\n";
        for encoding in [None, Some("latin1"), Some("windows-1252")] {
            assert_eq!(points(latin, encoding, "a.csv", named("Länge", "Breite")).unwrap(), 1);
        }
        // A byte order mark takes precedence over the option, which does not apply to binary data.
        assert_eq!(points(with_bom.as_bytes(), Some("gbk"), "a.csv", Columns::default()).unwrap(), 2000);
        let archive = message(points(b"PK\x03\x04", Some("utf-16"), "a.csv", Columns::default()));
        assert!(archive.contains("it is a ZIP archive"), "{archive}");
        let unknown = points(latin, Some("cp-99"), "a.csv", Columns::default());
        assert_eq!(
            message(unknown),
            "encoding: unknown encoding `cp-99`; expected a label such as `windows-1252`, `utf-16le` or `gbk`"
        );
    }

    #[test]
    fn several_inputs_are_scanned_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let a = write(&folder, "a.json", "[[1,2],[500,2],[3,4]]");
        let b = write(&folder, "b.geojson", r#"{"type":"MultiPoint","coordinates":[[5,6],[7,99],[8,9]]}"#);
        let inputs = Inputs(vec![open(&a).unwrap(), open(&b).unwrap()]);
        for workers in 1..=2 {
            let (mut points, report) = scan(&inputs, &Query::default(), workers).unwrap();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert_eq!(points.iter().map(|point| point.0).collect::<Vec<_>>(), [1.0, 3.0, 5.0, 8.0]);
            assert_eq!((report.read, report.rejected), (6, 2));
            assert_eq!(rejections(&report).iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 2]);
            assert_eq!(report.rejections.iter().map(|r| &r.input).collect::<Vec<_>>(), [&a, &b]);
        }
        let many = write(&folder, "many.json", format!("[{}]", ["[0,99]"; 9].join(",")));
        let inputs = Inputs(vec![open(&a).unwrap(), open(&many).unwrap()]);
        let (_, report) = scan(&inputs, &Query::default(), 1).unwrap();
        assert_eq!((report.rejected, report.rejections.len()), (10, 5));
        for (max_rejections, kept) in [(0, 0), (7, 7), (100, 10)] {
            let (_, report) = scan(&inputs, &Query::default().with_max_rejections(max_rejections), 2).unwrap();
            assert_eq!((report.rejected, report.rejections.len()), (10, kept), "at most {max_rejections}");
            let rows = report.rejections.iter().map(|rejection| rejection.row);
            assert!(rows.eq([2].into_iter().chain(1..10).take(kept)));
        }
    }

    #[test]
    fn a_media_type_sets_the_format() {
        let lon = |body: &[u8], media_type: Option<&str>| {
            let (points, _) = scan(&*read_as(body, media_type, "the body")?, &Query::default(), 1)?;
            Ok(points.iter().map(|point| point.0).collect::<Vec<_>>())
        };
        let is_read = |body: &[u8], media_type: &str| {
            assert_eq!(lon(body, Some(media_type)).unwrap(), [1.0, 3.0], "{media_type}");
        };
        let features = br#"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#;
        is_read(features, "application/geo+json");
        is_read(features, "application/json");
        is_read(ROWS.as_bytes(), "Application/JSON; charset=utf-8");
        is_read(br#"[{"x":1,"y":2},{"x":3,"y":4}]"#, "application/json");
        is_read(b"lon,lat\n1,2\n3,4\n", " text/csv;header=present ; charset=UTF-8");
        is_read(b"[1,2]\n[3,4]", "application/x-ndjson");
        for rows in [ROWS.as_bytes(), features, b"lon,lat\n1,2\n3,4\n"] {
            is_read(rows, "application/octet-stream");
            assert_eq!(lon(rows, None).unwrap(), [1.0, 3.0]);
        }
        // It takes precedence over the content and the name.
        let csv = |body: &[u8]| message(lon(body, Some("text/csv")));
        assert!(csv(ROWS.as_bytes()).starts_with("the body: "));
        assert_eq!(csv(b""), "the body: the input is empty");
        for media_type in ["application/vnd.apache.parquet", "application/x-parquet"] {
            let error = message(lon(b"lon,lat\n1,2\n", Some(media_type)));
            assert_eq!(error, "the body: not a Parquet file: it does not begin with `PAR1`");
        }
        for media_type in ["application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"] {
            let error = message(lon(b"lon,lat\n1,2\n", Some(media_type)));
            assert!(error.starts_with("the body: not an Arrow file: "), "{error}");
        }
    }

    #[test]
    fn compressed_bodies_are_rejected() {
        for media_type in [None, Some("application/json"), Some("application/octet-stream")] {
            for (compressed, name) in [(gzip(ROWS.as_bytes()), "gzip"), (zstd(ROWS.as_bytes()), "zstd")] {
                let message = message(read_as(&compressed[..], media_type, "-"));
                let start = format!("-: it is compressed with {name}; send it uncompressed, ");
                assert!(message.starts_with(&start), "{message}");
            }
        }
    }

    #[test]
    fn an_invalid_line_of_ndjson_is_one_rejected_row() {
        for body in ["{\"x\":1,\n[3,4]", "[1,2"] {
            let source = read_as(body.as_bytes(), Some("application/x-ndjson"), "-").unwrap();
            let (points, report) = scan(&*source, &Query::default(), 1).unwrap();
            assert_eq!(report.rejected, 1, "{body}");
            assert_eq!(points.len() as u64, report.read - 1);
            assert!(rejections(&report)[0].1.contains("was the line truncated?"), "{report:?}");
        }
    }

    #[test]
    fn the_error_for_an_unknown_media_type_lists_the_known_ones() {
        for unknown in ["text/html", "application/x-www-value_type-urlencoded", "text/csv2", "", "csv; charset=utf-8"] {
            let error = read_as(ROWS.as_bytes(), Some(unknown), "-").err().unwrap();
            assert!(error.is_usage() && matches!(&error, Error::MediaType { media_type, .. } if media_type == unknown));
            let message = error.to_string();
            assert!(MEDIA_TYPES.iter().all(|known| message.contains(known)), "{message}");
        }
        for known in MEDIA_TYPES {
            let read = read_as(io::empty(), Some(known), "-").err().unwrap();
            assert!(read.to_string().starts_with("-: the input is empty"), "{known}: {read}");
        }
    }
}
