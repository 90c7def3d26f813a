//! Inputs as users name them: a path or `-`, in whatever format and compression it turns out to be.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tempfile::{NamedTempFile, TempPath};

use super::{Csv, GeoJson, Json, Parquet, Query, ScanReport, Sink, Source};
use crate::error::{Error, Result};

/// Opens the input that `spec` names: a file, or `-` for standard input.
///
/// The format follows from the extension (`.csv`, `.tsv`, `.txt`; `.geojson`, `.geojsonl`, `.geojsons`; `.json`,
/// `.jsonl`, `.ndjson`; `.parquet`, `.pq`, `.geoparquet`; each with or without `.gz`) where the content does not say
/// otherwise, and without a known extension from the content alone. What cannot be read twice (standard input,
/// pipes, gzip) is first copied to a temporary file without a name, so that it takes room on the disk and not in memory.
///
/// # Errors
/// [`Error::Io`] if the input cannot be read or copied; [`Error::Input`] if it is a folder, empty, or in no format
/// that can be read.
pub fn open(spec: &str) -> Result<Box<dyn Source>> {
    let content = if spec == "-" { Content::copy(io::stdin().lock(), spec)? } else { Content::of_file(spec)? };
    open_content(content, spec)
}

/// Several inputs as one: they are scanned in turn, each by all the workers.
pub struct Inputs(pub Vec<Box<dyn Source>>);

impl Source for Inputs {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let mut whole = ScanReport::default();
        for input in &self.0 {
            whole.join(input.scan(query, sinks)?);
        }
        Ok(whole)
    }
}

impl std::fmt::Debug for Inputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inputs({})", self.0.len())
    }
}

fn open_content(content: Content, name: &str) -> Result<Box<dyn Source>> {
    let mut content = content;
    let mut extension = extension(Path::new(name));
    let mut head = content.head(name)?;
    if head.starts_with(b"\x1F\x8B") {
        content = content.unpack(name)?;
        extension =
            extension.and_then(|_| name.rsplit_once('.')).and_then(|(stem, _)| self::extension(Path::new(stem)));
        head = content.head(name)?;
    }
    let (path, owned_name) = (content.path(), name.to_owned());
    let source: Box<dyn Source> = match Format::of(&head, extension.as_deref(), name)? {
        Format::Csv => Box::new(Csv::open(path, owned_name)?),
        Format::Parquet => Box::new(Parquet::open(path, owned_name)?),
        Format::GeoJson => Box::new(GeoJson::open(path, owned_name)?),
        Format::Json => Box::new(Json::open(path, owned_name)?),
    };
    Ok(match content {
        Content::File(_) => source,
        Content::Spool(spool) => Box::new(Spooled { source, _spool: spool }),
    })
}

/// The extension in lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    GeoJson,
    /// Plain JSON, or GeoJSON: its reader tells them apart.
    Json,
    Parquet,
}

impl Format {
    /// Tells the format of what begins with `head`. Content that cannot be mistaken wins over the extension.
    fn of(head: &[u8], extension: Option<&str>, name: &str) -> Result<Self> {
        let unreadable = |what: &str| Err(Error::input(name, what));
        if head.is_empty() {
            return unreadable("there is nothing in it; expected CSV, GeoJSON, JSON or Parquet");
        }
        if head.starts_with(b"PAR1") {
            return Ok(Self::Parquet);
        }
        if head.starts_with(b"\x28\xB5\x2F\xFD") {
            return unreadable("it is packed by zstd; unpack it first: `zstd -dc FILE | kiln render -`");
        }
        if head.starts_with(b"PK\x03\x04") {
            return unreadable("it is a zip archive (or a spreadsheet); expected CSV, GeoJSON, JSON or Parquet");
        }
        if matches!(extension, Some("parquet" | "pq" | "geoparquet")) {
            return Ok(Self::Parquet);
        }
        if head.contains(&0) {
            return unreadable("it is neither Parquet nor text in UTF-8; expected CSV, GeoJSON, JSON or Parquet");
        }
        Ok(match extension {
            Some("geojson" | "geojsonl" | "geojsons") => Self::GeoJson,
            Some("json" | "jsonl" | "ndjson") => Self::Json,
            _ if begins_as_json(head) => Self::Json,
            _ => Self::Csv,
        })
    }
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

/// A source that reads a temporary copy, kept as long as the source.
struct Spooled {
    source: Box<dyn Source>,
    _spool: Spool,
}

impl Source for Spooled {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        self.source.scan(query, sinks)
    }
}

/// Where an input's bytes can be read, as often as needed and from several threads.
enum Content {
    File(PathBuf),
    Spool(Spool),
}

impl Content {
    /// Bytes that tell the format.
    const HEAD_BYTES: u64 = 4096;

    fn of_file(spec: &str) -> Result<Self> {
        let metadata = std::fs::metadata(spec).map_err(|error| Error::io(spec, "read", error))?;
        if metadata.is_dir() {
            Err(Error::input(spec, "it is a folder; name the files in it"))
        } else if metadata.is_file() {
            Ok(Self::File(spec.into()))
        } else {
            Self::copy(File::open(spec).map_err(|error| Error::io(spec, "read", error))?, spec)
        }
    }

    /// Copies what `reader` delivers.
    fn copy(mut reader: impl Read, name: &str) -> Result<Self> {
        let failed = |error| Error::io(std::env::temp_dir(), "write the temporary copy", error);
        let mut spool = Spool::create().map_err(failed)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Self::Spool(spool)),
                Ok(n) => spool.file.write_all(&buffer[..n]).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(name, "read", error)),
            }
        }
    }

    /// Copies what is packed in this.
    fn unpack(&self, name: &str) -> Result<Self> {
        let file = self.open(name)?;
        Self::copy(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file)), name).map_err(|error| match error {
            Error::Io { action: "read", source, .. } => Error::input(name, format!("broken gzip: {source}")),
            other => other,
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Spool(spool) => &spool.path,
        }
    }

    fn open(&self, name: &str) -> Result<File> {
        File::open(self.path()).map_err(|error| Error::io(name, "read", error))
    }

    fn head(&self, name: &str) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        self.open(name)?
            .take(Self::HEAD_BYTES)
            .read_to_end(&mut head)
            .map_err(|error| Error::io(name, "read", error))?;
        Ok(head)
    }
}

/// A temporary file that goes with this value.
struct Spool {
    file: File,
    path: PathBuf,
    /// Where a file without a name cannot be opened again, it has one, and is removed in the end.
    _named: Option<TempPath>,
}

impl Spool {
    fn create() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;
            let file = tempfile::tempfile()?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            // There may be no /proc.
            if File::open(&path).is_ok() {
                return Ok(Self { file, path, _named: None });
            }
        }
        let (file, named) = NamedTempFile::new()?.into_parts();
        Ok(Self { file, path: named.to_path_buf(), _named: Some(named) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::super::testing::{rejections, scan};
    use super::*;

    const ROWS: &str = "[[1,2],[3,4]]";

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// The path of a new file in `folder`.
    fn write(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn message<T>(result: Result<T>) -> String {
        result.err().unwrap().to_string()
    }

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
        ];
        for (expected, extensions) in known {
            for extension in extensions {
                assert_eq!(format("text", Some(extension)), Some(expected), "{extension}");
            }
        }
    }

    #[test]
    fn content_tells_the_format_where_no_extension_does() {
        for extension in [None, Some("txt"), Some("csv"), Some("dat")] {
            assert_eq!(format("PAR1\0\0", extension), Some(Format::Parquet));
            assert_eq!(format("\u{FEFF} {\"type\":", extension), Some(Format::Json));
            assert_eq!(format("\u{1E}{", extension), Some(Format::Json));
            assert_eq!(format("[\n [1,2]", extension), Some(Format::Json));
            assert_eq!(format("[{}]", extension), Some(Format::Json));
            assert_eq!(format("[-1.5,2]\n", extension), Some(Format::Json));
            assert_eq!(format("[lon],[lat]\n1,2", extension), Some(Format::Csv));
            assert_eq!(format("lon,lat\n1,2", extension), Some(Format::Csv));
        }
        assert_eq!(format("PAR1\0\0", Some("geojson")), Some(Format::Parquet));
    }

    #[test]
    fn what_is_no_input_says_so() {
        let says = |head: &[u8], what: &str| {
            let message = message(Format::of(head, Some("csv"), "x.csv"));
            assert!(message.starts_with("x.csv: ") && message.contains(what), "{message}");
        };
        says(b"", "nothing in it");
        says(b"PK\x03\x04", "zip archive");
        says(b"\x28\xB5\x2F\xFD\0", "zstd -dc");
        says(b"l\0o\0n\0", "neither Parquet nor text in UTF-8");
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_str().unwrap();
        assert_eq!(message(open(here)), format!("{here}: it is a folder; name the files in it"));
        let missing = format!("{here}/missing.csv");
        assert!(matches!(open(&missing), Err(Error::Io { .. })));
        assert!(message(open(&missing)).starts_with(&format!("{missing}: cannot read: ")));
        let empty = write(&folder, "empty.json", "");
        assert!(message(open(&empty)).contains("there is nothing in it"));
    }

    #[test]
    fn a_stream_is_kept_for_several_scans() {
        let source = open_content(Content::copy(ROWS.as_bytes(), "-").unwrap(), "-").unwrap();
        for workers in 1..=2 {
            let (points, _) = scan(&*source, &Query::default(), workers).unwrap();
            assert_eq!(points, [(1.0, 2.0, 1.0), (3.0, 4.0, 1.0)]);
        }
        let error = message(open_content(Content::copy(io::empty(), "-").unwrap(), "-"));
        assert_eq!(error, "-: there is nothing in it; expected CSV, GeoJSON, JSON or Parquet");
        let broken = open_content(Content::copy(&b"[[1,2],[3,"[..], "-").unwrap(), "-").unwrap();
        assert!(message(scan(&*broken, &Query::default(), 1)).starts_with("-: broken JSON at line 1, column "));
    }

    #[test]
    fn gzip_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let packed = gzip(ROWS.as_bytes());
        for name in ["rows.json.gz", "rows.gz", "rows.json", "rows"] {
            let source = open(&write(&folder, name, &packed)).unwrap();
            assert_eq!(scan(&*source, &Query::default(), 1).unwrap().0.len(), 2, "{name}");
        }
        // Members of gzip after each other are one text.
        let twice = [gzip(b"[1,2]\n"), gzip(b"[3,4]\n")].concat();
        let source = open(&write(&folder, "lines.ndjson.gz", twice)).unwrap();
        assert_eq!(scan(&*source, &Query::default(), 1).unwrap().0.len(), 2);
        let cut = write(&folder, "cut.json.gz", &packed[..packed.len() - 9]);
        assert!(message(open(&cut)).starts_with(&format!("{cut}: broken gzip: ")));
        let empty = write(&folder, "empty.csv.gz", gzip(b""));
        assert!(message(open(&empty)).contains("there is nothing in it"));
    }

    #[test]
    fn several_inputs_are_one() {
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
        assert_eq!((report.rejected, report.rejections.len()), (10, ScanReport::KEPT_REJECTIONS));
    }
}
