//! Measures occupancy grids of a stored floor: generates detections on 40 m × 24 m, imports them, and groups them by
//! squares.
//!
//! ```sh
//! cargo run --release -p kiln-store --example occupancy -- FOLDER MILLIONS DAYS QUERY_DAYS [random|decimal]
//! ```
//!
//! Half of the detections are anywhere on the floor, half around 40 desks. `random` positions are arbitrary doubles,
//! `decimal` ones have two decimals. A folder that has the layer already is not written again.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use kiln_core::error::Result;
use kiln_core::geo::{Categories, Points};
use kiln_core::occupancy::{CellSystem, OccupancyRequest, TimeGrouping, scan_occupancy};
use kiln_core::parallel::spawn_each;
use kiln_core::source::{CoordinateSpace, Query, ScanReport, Sink, Source};
use kiln_store::{Description, ExistingPoints, Progress, Store, StoredLayer};

/// Generated detections.
struct Floor {
    points: u64,
    days: i64,
    is_decimal: bool,
}

const START_US: i64 = 1_735_689_600_000_000;
const DAY_US: i64 = 86_400_000_000;

impl Source for Floor {
    fn scan(&self, _query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        const PART: u64 = 1 << 16;
        let next = AtomicU64::new(0);
        spawn_each(sinks, |sink| {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                let count = PART.min(self.points.saturating_sub(part * PART));
                if count == 0 || self.part(part, count as usize, sink).is_break() {
                    break;
                }
            }
        });
        Ok(ScanReport { read: self.points, ..ScanReport::default() })
    }
}

impl Floor {
    fn part(&self, part: u64, count: usize, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut state = part.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let (mut x, mut y, mut time) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..count {
            let (mut at_x, mut at_y) = (random() * 40.0 - 12.0, random() * 24.0 - 7.0);
            if index % 2 == 0 {
                let desk = (random() * 40.0).floor();
                let near = random() + random() - 1.0;
                at_x = (desk % 8.0) * 5.0 - 10.0 + near;
                at_y = (desk / 8.0).floor() * 5.0 - 6.0 + near * random();
            }
            if self.is_decimal {
                (at_x, at_y) = ((at_x * 100.0).round() / 100.0, (at_y * 100.0).round() / 100.0);
            }
            x.push(at_x);
            y.push(at_y);
            time.push(START_US + (random() * (self.days * DAY_US) as f64) as i64);
        }
        let names = ["floor-1".into()];
        let points = Points::new(&x, &y).and_then(|points| points.with_time(&time));
        let points = points.and_then(|points| {
            points.with_category(Categories { codes: &vec![0; count], names: &names }).map(&mut *sink)
        });
        points.unwrap_or(ControlFlow::Break(()))
    }
}

/// The layer of the folder, imported if it does not exist.
fn layer(folder: &Path, floor: &Floor) -> Result<Arc<StoredLayer>> {
    let store = Store::open(folder)?;
    if let Some(layer) = store.layer("floor")? {
        return Ok(layer);
    }
    let layer = store.create_in("floor", CoordinateSpace::Plane, Description::default())?;
    let query = Query::default().with_coordinate_space(CoordinateSpace::Plane);
    let start = Instant::now();
    layer.import(floor, &query, ExistingPoints::Keep, None, 2, &Progress::default())?;
    println!("imported in {:.1} s", start.elapsed().as_secs_f64());
    Ok(layer)
}

/// The time in milliseconds that this thread has run, where the system reports it; unlike the elapsed time, it does not
/// depend on other programs.
fn thread_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).map_or(0.0, |ns: f64| ns / 1e6)
}

/// Prints the fastest elapsed time on two threads, and the least processor time on one thread.
fn measure<T>(name: &str, run: impl Fn(usize) -> Result<T>) -> Result<T> {
    let least = |clock: &dyn Fn() -> f64, threads: usize| -> Result<f64> {
        let mut least = f64::INFINITY;
        for _ in 0..8 {
            let start = clock();
            run(threads)?;
            least = least.min(clock() - start);
        }
        Ok(least)
    };
    let start = Instant::now();
    let elapsed = least(&|| start.elapsed().as_secs_f64() * 1000.0, 2)?;
    let processor = least(&thread_ms, 1)?;
    println!("{name:32} {elapsed:8.1} ms on 2 threads, {processor:8.1} ms of processor time on 1");
    run(2)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, default: i64| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    let floor = Floor {
        points: number(1, 1) as u64 * 1_000_000,
        days: number(2, 7),
        is_decimal: arguments.get(4).is_some_and(|kind| kind == "decimal"),
    };
    let folder = arguments.first().map_or("target/occupancy", String::as_str);
    let snapshot = layer(Path::new(folder), &floor)?.snapshot();
    let days = number(3, floor.days);
    let start_us = START_US + DAY_US * ((floor.days - days) / 2);
    let query = Query::default().with_coordinate_space(CoordinateSpace::Plane);
    let query = query.with_start(Some(start_us)).with_end(Some(start_us + days * DAY_US));
    for side in [0.5, 0.1, 2.0] {
        let request = OccupancyRequest::new(CellSystem::square(side)?);
        let grid = measure(&format!("side {side} m"), |threads| snapshot.occupancy(&query, &request, threads))?;
        let one = query.clone().with_category_filter(vec!["floor-1".to_owned()]);
        measure(&format!("side {side} m, one category"), |threads| snapshot.occupancy(&one, &request, threads))?;
        let bounds = snapshot.extent().bounds(false);
        let scanned = measure(&format!("side {side} m, by a scan"), |threads| {
            scan_occupancy(&*snapshot, &query, &request, bounds, threads)
        })?;
        assert_eq!(grid.groups, scanned.groups);
        println!("{} of {} points in {} cells", grid.total(), snapshot.points(), grid.groups.len());
    }
    let week = TimeGrouping::HourOfWeek { zone: jiff::tz::TimeZone::UTC };
    let request = OccupancyRequest::new(CellSystem::Whole).with_time(week);
    measure("hours of the week", |threads| snapshot.occupancy(&query, &request, threads))?;
    Ok(())
}
