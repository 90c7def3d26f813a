//! Measures matrices and filters by local time of a stored layer: generates points of four years around some cities,
//! imports them, groups them by hour and day of the week, and renders tiles of some hours and of a time range with about
//! as many points.
//!
//! ```sh
//! cargo run --release -p kiln-store --example matrix -- FOLDER MILLIONS [tiles|matrices]
//! ```
//!
//! A folder that has the layer already is not written again.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use kiln_core::calendar::{TimePart, TimePartFilter, find_zone};
use kiln_core::error::Result;
use kiln_core::geo::{Canvas, Categories, Points, TileCoord};
use kiln_core::matrix::{Axis, BinQuantity, MatrixRequest, NumberBins};
use kiln_core::parallel::spawn_each;
use kiln_core::raster::Reduction;
use kiln_core::source::{Query, ScanReport, Sink, Source};
use kiln_store::{Description, ExistingPoints, Progress, Snapshot, Store, StoredLayer};

/// Generated points.
struct Cities {
    points: u64,
}

/// 2021-01-01 UTC.
const START_US: i64 = 1_609_459_200_000_000;
const DAYS: i64 = 4 * 365;
const DAY_US: i64 = 86_400_000_000;
const CATEGORIES: usize = 50;

impl Source for Cities {
    fn scan(&self, _query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        const PART: u64 = 1 << 16;
        let next = AtomicU64::new(0);
        let names: Vec<Box<str>> = (0..CATEGORIES).map(|index| format!("carrier {index}").into()).collect();
        spawn_each(sinks, |sink| {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                let count = PART.min(self.points.saturating_sub(part * PART));
                if count == 0 || Self::part(part, count as usize, &names, sink).is_break() {
                    break;
                }
            }
        });
        Ok(ScanReport { read: self.points, ..ScanReport::default() })
    }
}

impl Cities {
    fn part(part: u64, count: usize, names: &[Box<str>], sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut state = part.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let (mut lon, mut lat, mut time, mut weight, mut codes) = (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..count {
            let city = (random() * 200.0).floor();
            let mut near = || random() + random() - 1.0;
            lon.push(-120.0 + (city * 37.0) % 50.0 + near());
            lat.push(28.0 + (city * 17.0) % 20.0 + near());
            time.push(START_US + (random() * (DAYS * DAY_US) as f64) as i64);
            weight.push((random() * 600.0).round() as f32 / 4.0 - 20.0);
            codes.push((random() * CATEGORIES as f64) as u32);
        }
        let points = Points::new(&lon, &lat).and_then(|points| points.with_time(&time)?.with_weight(&weight));
        let points = points.and_then(|points| points.with_category(Categories { codes: &codes, names }));
        points.map_or(ControlFlow::Break(()), &mut *sink)
    }
}

/// The layer of the folder, imported if it does not exist.
fn layer(folder: &Path, cities: &Cities) -> Result<Arc<StoredLayer>> {
    let store = Store::open(folder)?;
    if let Some(layer) = store.layer("cities")? {
        return Ok(layer);
    }
    let layer = store.create("cities", Description::default())?;
    let query = Query::default().with_weights(true).with_times(true).with_categories(true);
    let start = Instant::now();
    layer.import(cities, &query, ExistingPoints::Keep, None, 2, &Progress::default())?;
    println!("imported in {:.1} s", start.elapsed().as_secs_f64());
    Ok(layer)
}

/// The time in milliseconds that this thread has run, where the system reports it; unlike the elapsed time, it does not
/// depend on other programs.
fn thread_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).map_or(0.0, |ns: f64| ns / 1e6)
}

/// Prints the least elapsed time on two threads, and the least processor time on one thread, and per point. Returns the
/// latter.
fn measure<T>(name: &str, points: u64, run: impl Fn(usize) -> Result<T>) -> Result<f64> {
    /// Short work is repeated for this time, because the system updates the processor time every few milliseconds.
    const MIN_MS: f64 = 60.0;
    let start = Instant::now();
    run(1)?;
    let repeats = (MIN_MS / (start.elapsed().as_secs_f64() * 1000.0)).ceil().max(1.0);
    let least = |clock: &dyn Fn() -> f64, threads: usize| -> Result<f64> {
        let mut least = f64::INFINITY;
        for _ in 0..6 {
            let start = clock();
            for _ in 0..repeats as usize {
                run(threads)?;
            }
            least = least.min((clock() - start) / repeats);
        }
        Ok(least)
    };
    let elapsed = least(&|| start.elapsed().as_secs_f64() * 1000.0, 2)?;
    let processor = least(&thread_ms, 1)?;
    let per_point = processor * 1e6 / points as f64;
    println!("{name:44} {elapsed:9.2} ms on 2 threads, {processor:9.2} ms on 1: {per_point:6.2} ns per point");
    Ok(processor)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "target/matrix".into());
    let points = arguments.next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(1) * 1_000_000;
    let snapshot = layer(Path::new(&folder), &Cities { points })?.snapshot();
    let only = arguments.next();
    if only.as_deref() != Some("tiles") {
        matrices(&snapshot, points)?;
    }
    if only.as_deref() != Some("matrices") {
        tiles(&snapshot)?;
    }
    Ok(())
}

fn matrices(snapshot: &Snapshot, points: u64) -> Result<()> {
    let query = Query::default().with_weights(true);
    let week = || [Axis::Time(TimePart::Hour), Axis::Time(TimePart::Weekday)];
    let degrees = |quantity| NumberBins::of_width(1.0).map(|bins| Axis::Bins(quantity, bins));
    let half_year = query.clone().with_end(Some(START_US + DAYS * DAY_US / 8));
    for (name, [x, y], zone, query) in [
        ("hour × weekday, UTC", week(), "UTC", &query),
        ("hour × weekday, New York", week(), "America/New_York", &query),
        ("hour × weekday, Kathmandu", week(), "Asia/Kathmandu", &query),
        ("hour × weekday, counts", week(), "America/New_York", &Query::default()),
        ("hour × weekday, of half a year", week(), "America/New_York", &half_year),
        ("date × category", [Axis::Time(TimePart::Date), Axis::Category], "UTC", &query),
        ("category", [Axis::Category, Axis::Whole], "UTC", &query),
        ("degrees", [degrees(BinQuantity::Lon)?, degrees(BinQuantity::Lat)?], "UTC", &query),
    ] {
        let request = MatrixRequest::new(x, y).with_zone(find_zone(zone)?);
        measure(name, points, |threads| snapshot.matrix(query, &request, threads))?;
    }
    Ok(())
}

fn tiles(snapshot: &Snapshot) -> Result<()> {
    let query = Query::default().with_weights(true);
    // Three hours of 24 are an eighth of the points, as is an eighth of the range, which starts after the first point.
    let start_us = START_US + DAY_US;
    let range = query.clone().with_start(Some(start_us)).with_end(Some(start_us + DAYS * DAY_US / 8));
    for (zoom, x, y) in [(0, 0, 0), (6, 14, 24), (9, 112, 196), (12, 901, 1570)] {
        let canvas = Canvas::tile(TileCoord::new(zoom, x, y)?, 256)?.grow(20);
        let cells = |query: &Query<'_>, threads| snapshot.cells(query, &canvas, Reduction::Sum, 20.0, threads);
        let inside = cells(&query, 2)?.0.inside;
        let by_range = measure(&format!("zoom {zoom}, a time range"), inside, |threads| cells(&range, threads))?;
        for zone in ["UTC", "America/New_York", "Asia/Kathmandu"] {
            let filter = TimePartFilter::new("7-9".parse().ok(), None, None, find_zone(zone)?);
            let hours = query.clone().with_time_parts(filter.into_iter().collect());
            let name = format!("zoom {zoom}, hours=7-9 in {zone}");
            let by_hours = measure(&name, inside, |threads| cells(&hours, threads))?;
            println!("    {inside} points in the tile, {:.2} times the time range", by_hours / by_range);
        }
    }
    Ok(())
}
