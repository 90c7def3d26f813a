//! Your own format: a type that implements `Source` is rendered like a file of a supported format.
//!
//! ```sh
//! cargo run --example own_source --no-default-features -- heat.png
//! ```
//!
//! The format is a sensor log: records of 20 bytes, each a longitude, a latitude (`f64`) and a reading (`f32`), little-endian.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::{env, error, fs};

use kiln::color::Scheme;
use kiln::encode::png;
use kiln::geo::{Bounds, Points, Projection};
use kiln::layer::{Size, Style, canvas_of, render};
use kiln::source::{MemorySource, Query, ScanReport, Sink, Source};
use kiln::{Error, Result};

/// A sensor log on disk.
struct SensorLog {
    path: PathBuf,
}

impl SensorLog {
    const RECORD_BYTES: usize = 20;
    /// Large enough that the overhead per batch is negligible, small enough for the L2 cache.
    const BATCH_RECORDS: usize = 1 << 15;
}

impl Source for SensorLog {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let unreadable = |error| Error::io(&self.path, "read", error);
        let name = self.path.display().to_string();
        let mut file = BufReader::new(File::open(&self.path).map_err(unreadable)?);
        let mut report = ScanReport::default();
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let batch_bytes = (Self::RECORD_BYTES * Self::BATCH_RECORDS) as u64;
            file.by_ref().take(batch_bytes).read_to_end(&mut bytes).map_err(unreadable)?;
            let (records, rest) = bytes.as_chunks::<{ Self::RECORD_BYTES }>();
            if !rest.is_empty() {
                return Err(Error::input(&self.path, format!("the last record has {} of 20 bytes", rest.len())));
            }
            if records.is_empty() || query.is_stopped() {
                return Ok(report);
            }
            let (mut lon, mut lat, mut reading) = (Vec::new(), Vec::new(), Vec::new());
            for record in records {
                let (x, y, weight) = parse(record);
                lon.push(x);
                lat.push(y);
                reading.push(weight);
            }
            // Points in memory are a source as well, which validates and filters them and distributes them to the sinks.
            let batch = MemorySource(Points::new(&lon, &lat)?.with_weight(&reading)?);
            report.append(batch.scan(query, sinks)?, &name, query);
        }
    }
}

/// The longitude, the latitude and the reading of a record.
fn parse(record: &[u8; SensorLog::RECORD_BYTES]) -> (f64, f64, f32) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *record;
    let [i, j, k, l, m, n, o, p, reading @ ..] = rest;
    let lon = f64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let lat = f64::from_le_bytes([i, j, k, l, m, n, o, p]);
    (lon, lat, f32::from_le_bytes(reading))
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let output = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "heat.png".into()));
    let log = output.with_extension("log");
    write_sample(&log)?;

    let log = SensorLog { path: log };
    let bounds = Bounds::new(8.0, 53.0, 13.0, 56.0)?;
    let canvas = canvas_of(Projection::Mercator, bounds, Size::Longest(600))?;
    let style = Style { scheme: Scheme::named("fire")?, ..Style::new()? };
    let query = Query::default().with_weights(true);
    let heat = render(&log, &query, &canvas, &style, kiln::available_threads())?;
    let mut bytes = Vec::new();
    png::write_indexed(&mut bytes, &heat.indices, heat.palette.colors(), png::PngOptions::default())?;
    fs::write(&output, bytes)?;

    println!("read {}, drew {}, rejected {}", heat.report.read, heat.drawn, heat.report.rejected);
    for rejection in &heat.report.rejections {
        println!("{} record {}: {}", rejection.input, rejection.row, rejection.reason);
    }
    Ok(())
}

/// Writes 100,000 readings along a ferry route, one of them invalid.
fn write_sample(path: &Path) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for i in 0..100_000_u32 {
        let t = f64::from(i) / 100_000.0;
        let (lon, lat) = (8.6 + 3.8 * t, 54.4 + 0.9 * (t * 9.0).sin() * t);
        let lat = if i == 70_000 { f64::NAN } else { lat };
        file.write_all(&f64::to_le_bytes(lon))?;
        file.write_all(&f64::to_le_bytes(lat))?;
        file.write_all(&f32::to_le_bytes(1.0 + (t * 60.0).sin() as f32))?;
    }
    file.flush()
}
