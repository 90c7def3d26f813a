//! Inspection of the start of a file: its columns, their first values, and what the readers would read them as.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::columns::{DescribedColumn, TableDescription, describe};
use super::compression::{Compression, without_compression_extension};
use super::csv::Csv;
use super::encoding::{decode, encoding_to_convert};
use super::format::Format;
use super::input::{Spool, extension};
use super::{Query, ReadOptions};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Message;

/// The known parts of a file.
#[derive(Clone, Copy, Debug)]
pub struct FilePart<'p> {
    /// The first bytes.
    pub start: &'p [u8],
    /// The last bytes, where Parquet and Arrow files have their schema. Empty if they are unknown.
    pub end: &'p [u8],
    /// The size of the file.
    pub bytes: u64,
}

/// The columns of a file, as far as its parts contain them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The format.
    pub format: &'static str,
    /// The columns; empty if the parts do not contain them.
    pub columns: Vec<DescribedColumn>,
    /// Assumptions of the readers.
    pub notices: Vec<Message>,
    /// Why the points cannot be read with these columns.
    pub problem: Option<Message>,
}

/// The maximum number of decompressed bytes that are inspected.
const MAX_BYTES: u64 = 4 << 20;
/// The number of leading bytes that the format is detected from.
const HEAD_BYTES: usize = 4096;

/// Inspects the start of a file that would be read with `query`. `name` is its filename, for messages and the format.
///
/// # Errors
/// [`Error::Input`] if the file is empty, broken, or in an unsupported format; [`Error::Invalid`] if the options name an
/// unknown encoding; [`Error::Io`] if the temporary copy cannot be written.
pub fn inspect(part: FilePart<'_>, name: &str, options: &ReadOptions, query: &Query<'_>) -> Result<Inspection> {
    let mut is_complete = part.start.len() as u64 >= part.bytes;
    let compression = Compression::detect(part.start);
    let mut text = match compression {
        None => part.start.to_vec(),
        Some(compression) => {
            let (text, is_whole) = decompressed(compression, part.start, is_complete, name)?;
            is_complete &= is_whole;
            text
        }
    };
    if let Some(encoding) = encoding_to_convert(head(&text), options)? {
        let mut converted = Vec::new();
        let unreadable = |error| Error::io(name, "read", error);
        decode(Cursor::new(text), encoding).read_to_end(&mut converted).map_err(unreadable)?;
        text = converted;
    }
    let plain_name = without_compression_extension(name);
    let format = Format::detect(head(&text), extension(Path::new(plain_name)).as_deref(), name)?;
    if format == Format::Csv {
        Csv::check_head(head(&text), is_complete && text.len() < HEAD_BYTES, name, options)?;
    }
    let mut end = &[][..];
    if !is_complete {
        match format {
            Format::Csv => text.truncate(memchr::memrchr(b'\n', &text).map_or(text.len(), |at| at + 1)),
            Format::Json | Format::GeoJson | Format::JsonLines => close_json(&mut text),
            Format::Parquet | Format::Arrow if compression.is_none() => end = part.end,
            Format::Arrow | Format::Gpx | Format::Kml => {}
            // They are read as a whole.
            Format::Parquet | Format::GeoPackage | Format::FlatGeobuf | Format::Shapefile => {
                return Ok(Inspection { format: format.title(), ..Inspection::default() });
            }
        }
    }
    let spool = spool(&text, end, part.bytes, format == Format::GeoPackage)?;
    let table = format.table(&spool.path, name, options)?;
    let TableDescription { columns, notices, problem } = describe(&*table, options, query);
    Ok(Inspection { format: format.title(), columns, notices, problem })
}

fn head(text: &[u8]) -> &[u8] {
    &text[..text.len().min(HEAD_BYTES)]
}

/// Decompresses the start of a file, and returns whether this is all of it.
fn decompressed(compression: Compression, start: &[u8], is_complete: bool, name: &str) -> Result<(Vec<u8>, bool)> {
    let corrupt = |error: io::Error| Error::input(name, format!("invalid {} data: {error}", compression.name()));
    let mut reader = compression.decompress(start).map_err(corrupt)?.take(MAX_BYTES);
    let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((text, reader.limit() > 0)),
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The start of a compressed file ends anywhere.
            Err(_) if !is_complete && !text.is_empty() => return Ok((text, false)),
            Err(error) => return Err(corrupt(error)),
        }
    }
}

/// Ends JSON that is cut off after the last complete element of the outermost array that has one, or else of the outermost
/// object, or else after the last line.
fn close_json(text: &mut Vec<u8>) {
    // Each open bracket: what closes it, and the end of the last complete value in it.
    let mut open: Vec<(u8, Option<usize>)> = Vec::new();
    let (mut is_string, mut is_escaped) = (false, false);
    let mark = |open: &mut Vec<(u8, Option<usize>)>, end| {
        if let Some((_, complete)) = open.last_mut() {
            *complete = Some(end);
        }
    };
    for (at, &byte) in text.iter().enumerate() {
        if is_string {
            is_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => is_string = true,
            b'{' => open.push((b'}', None)),
            b'[' => open.push((b']', None)),
            b'}' | b']' => {
                open.pop();
                mark(&mut open, at + 1);
            }
            b',' => mark(&mut open, at),
            _ => {}
        }
    }
    let has_elements = |(closing, complete): &(u8, Option<usize>)| *closing == b']' && complete.is_some();
    let level = open.iter().position(has_elements).or_else(|| open.iter().position(|(_, complete)| complete.is_some()));
    if let Some(level) = level
        && let Some(end) = open[level].1
    {
        text.truncate(end);
        text.extend(open[..=level].iter().rev().map(|(closing, _)| *closing));
    } else if !open.is_empty()
        && let Some(line_end) = memchr::memrchr(b'\n', text)
    {
        text.truncate(line_end + 1);
    }
}

/// Writes the parts to a temporary file of the size of the whole file, with a hole between them.
fn spool(start: &[u8], end: &[u8], bytes: u64, needs_name: bool) -> Result<Spool> {
    let failed = |error| Error::io(std::env::temp_dir(), "write the temporary copy", error);
    let mut spool = Spool::create(needs_name).map_err(failed)?;
    let file = &mut spool.file;
    let write = |file: &mut std::fs::File| -> io::Result<()> {
        file.write_all(start)?;
        if !end.is_empty() {
            file.set_len(bytes)?;
            file.seek(SeekFrom::Start(bytes.saturating_sub(end.len() as u64)))?;
            file.write_all(end)?;
        }
        Ok(())
    };
    write(file).map_err(failed)?;
    Ok(spool)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::role::Role;
    use super::*;

    fn inspected(start: &[u8], bytes: u64, name: &str) -> Result<Inspection> {
        let query = Query::default().with_weights(true).with_times(true).with_categories(true).with_tracks(true);
        inspect(FilePart { start, end: &[], bytes }, name, &ReadOptions::default(), &query)
    }

    fn roles(inspection: &Inspection) -> Vec<(&str, Option<Role>)> {
        inspection.columns.iter().map(|column| (column.name.as_str(), column.role)).collect()
    }

    #[test]
    fn the_columns_of_a_cut_off_csv_file_have_roles_and_values() {
        let rows = "id,lon,lat,value,time,type\n7,18.07,59.33,2,2024-05-01,bus\n8,18.08,59.34,3,2024-05-02,bus\n9,18.0";
        let found = inspected(rows.as_bytes(), 10_000_000, "a.csv").unwrap();
        let expected = [
            ("id", None),
            ("lon", Some(Role::Lon)),
            ("lat", Some(Role::Lat)),
            ("value", Some(Role::Weight)),
            ("time", Some(Role::Time)),
            ("type", Some(Role::Category)),
        ];
        assert_eq!(roles(&found), expected);
        assert_eq!(found.columns[1].values, ["18.07", "18.08"]);
        assert_eq!(found.columns[5].values, ["bus"]);
        assert_eq!((found.problem, found.format), (None, "CSV"));
    }

    #[test]
    fn missing_coordinates_are_a_problem_and_the_other_roles_are_found() {
        let found = inspected(b"breite,laenge,count\n59.33,18.07,2\n", 34, "a.csv").unwrap();
        assert_eq!(roles(&found), [("breite", None), ("laenge", None), ("count", Some(Role::Weight))]);
        assert!(found.problem.unwrap().to_string().contains("no column has a usual name for the longitude"));
    }

    #[test]
    fn cut_off_json_is_closed_after_its_last_complete_element() {
        let feature = r#"{"type":"Feature","properties":{"count":2,"a, \"]":"x"},"geometry":{"type":"Point","coordinates":[18.07,59.33]}}"#;
        let collection = format!("{{\"type\":\"FeatureCollection\",\"features\":[{feature},{feature},{feature}]}}");
        let second = collection.find("},{").unwrap() + 3;
        for cut in second..collection.len() {
            let found = inspected(&collection.as_bytes()[..cut], 10_000_000, "a.geojson").unwrap();
            let expected = [("geometry", Some(Role::Geometry)), ("count", Some(Role::Weight)), ("a, \"]", None)];
            assert_eq!(roles(&found), expected, "{cut}");
            assert_eq!(found.columns[1].values, ["2"]);
        }
        let lines = format!("{feature}\n{feature}\n{{\"type\":\"Fea");
        assert_eq!(inspected(lines.as_bytes(), 10_000_000, "a.geojsonl").unwrap().columns.len(), 3);
    }

    #[test]
    fn compressed_files_may_be_cut_off() {
        let rows: Vec<String> = (0..50_000).map(|i| format!("{}.{i},{}.5", i % 90, i % 50)).collect();
        let rows = format!("lon,lat\n{}", rows.join("\n"));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(rows.as_bytes()).unwrap();
        let gzip = encoder.finish().unwrap();
        let part = &gzip[..gzip.len() / 2];
        let found = inspected(part, gzip.len() as u64, "a.csv.gz").unwrap();
        assert_eq!(roles(&found), [("lon", Some(Role::Lon)), ("lat", Some(Role::Lat))]);
        // A whole file that ends early is broken.
        let error = inspected(part, part.len() as u64, "a.csv.gz").unwrap_err().to_string();
        assert!(error.contains("invalid gzip data"), "{error}");
    }

    #[test]
    fn the_schema_of_a_parquet_file_is_at_its_end() {
        let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/cities.parquet")).unwrap();
        let query = Query::default().with_weights(true);
        let (start, end) = (&file[..1000], &file[file.len() - 8000..]);
        let part = FilePart { start, end, bytes: file.len() as u64 };
        let found = inspect(part, "cities.parquet", &ReadOptions::default(), &query).unwrap();
        assert_eq!(found.format, "Parquet");
        assert!(found.columns.iter().any(|column| column.role == Some(Role::Lon)), "{found:?}");
        // Values beyond the known part are ranges.
        assert!(
            found.columns.iter().any(|column| column.values.iter().any(|value| value.contains(" to "))),
            "{found:?}"
        );
        let whole = FilePart { start: &file, end: &[], bytes: file.len() as u64 };
        let whole = inspect(whole, "cities.parquet", &ReadOptions::default(), &query).unwrap();
        assert!(whole.columns.iter().all(|column| !column.values.is_empty()), "{whole:?}");
        assert_eq!(roles(&whole), roles(&found));
    }

    #[test]
    fn files_of_other_kinds_are_rejected() {
        for (start, name, expected) in [
            (&b""[..], "a.csv", "empty"),
            (b"PK\x03\x04....", "a.zip", "ZIP archive"),
            (b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", "a.png", "not Parquet, Arrow or UTF-8 text"),
            (b"PAR1....", "a.parquet", "not a complete Parquet file"),
        ] {
            let error = inspected(start, start.len() as u64, name).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }
}
