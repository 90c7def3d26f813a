//! Occupancy grids of stored layers against scans, and tracks.

use proptest::prelude::*;

use super::*;
use kiln_core::geo::Polygon;
use kiln_core::occupancy::{CellSystem, Dwell, OccupancyRequest, TimeGrouping, scan_occupancy};
use kiln_core::source::MemorySource;

/// Detections on a floor around 0: decimals on and beside edges of cells, or any numbers.
fn detections(count: usize, is_decimal: bool, seed: u64) -> Columns {
    let mut random = Random(seed);
    let mut columns = Columns::default();
    for index in 0..count {
        let mut coordinate = |side: f64| {
            let at = (random.next() - 0.5) * side;
            if is_decimal { (at * 10.0).round() / 10.0 } else { at }
        };
        columns.lon.push(coordinate(20.0));
        columns.lat.push(coordinate(12.0));
        columns.weight.push(1.0);
        columns.time.push(if index % 11 == 0 { Points::NO_TIME } else { (index as i64 * 7919) % 1000 });
        columns.code.push(if index % 5 == 0 { Categories::NONE } else { (index % 3) as u32 });
    }
    columns
}

fn points<'a>(columns: &'a Columns, names: &'a [Box<str>], track: &'a [u64]) -> Points<'a> {
    let points = Points::new(&columns.lon, &columns.lat).unwrap().with_time(&columns.time).unwrap();
    let points = points.with_category(Categories { codes: &columns.code, names }).unwrap();
    points.with_track(track).unwrap()
}

/// A layer on a plane with the points in some segments.
fn floor(store: &Store, points: Points<'_>, segments: usize) -> Arc<StoredLayer> {
    let layer = store.create_in("floor", CoordinateSpace::Plane, Description::default()).unwrap();
    let rows = points.len().div_ceil(segments);
    for start in (0..points.len()).step_by(rows) {
        let mut batch = layer.batch();
        batch.add(points.slice(start..start + rows));
        layer.append(batch, None).unwrap();
    }
    layer
}

fn plane() -> Query<'static> {
    Query::default().with_coordinate_space(CoordinateSpace::Plane)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn grids_of_stored_layers_are_those_of_the_points(
        (is_decimal, count, seed) in (any::<bool>(), 1..3000usize, any::<u64>()),
        side in prop::sample::select(vec![0.1, 0.3, 0.5, 1.0 / 3.0, 2.0, 50.0, 1e6, 0.003]),
        times in prop::option::of((-10..900i64, 1..900i64)),
        categories in 0..3usize,
        is_within_polygon: bool,
        threads in 1..3usize,
    ) {
        let (folder, names) = (tempfile::tempdir().unwrap(), names());
        let (columns, track) = (detections(count, is_decimal, seed), vec![7; count]);
        let points = points(&columns, &names, &track);
        let layer = floor(&Store::open(folder.path()).unwrap(), points, 2);
        let ring = vec![[-3.0, -2.5], [6.3, -2.0], [5.0, 3.1], [-3.0, -2.5]];
        let polygon = is_within_polygon.then(|| Arc::new(Polygon::on_plane(&[vec![ring]]).unwrap()));
        let query = plane()
            .with_start(times.map(|(start, _)| start))
            .with_end(times.map(|(start, length)| start + length))
            .with_category_filter(names[..categories].iter().map(ToString::to_string).collect())
            .with_polygon(polygon);
        for request in [
            OccupancyRequest::new(CellSystem::square(side).unwrap()),
            OccupancyRequest::new(CellSystem::Whole),
            OccupancyRequest::new(CellSystem::square(side).unwrap())
                .with_categories(true)
                .with_time(TimeGrouping::Period { length_us: 100 })
                .with_dwell(Some(Dwell { max_gap_us: 50 })),
        ] {
            let stored = layer.snapshot().occupancy(&query, &request, threads).unwrap();
            let plain = scan_occupancy(&MemorySource(points), &query, &request, None, 1).unwrap();
            prop_assert_eq!(&stored.groups, &plain.groups);
            prop_assert_eq!(&stored.categories, &plain.categories);
        }
    }
}

#[test]
fn bounds_of_interest_leave_the_cells_within_them_unchanged() {
    let (folder, names) = (tempfile::tempdir().unwrap(), names());
    let (columns, track) = (detections(20_000, false, 5), vec![7; 20_000]);
    let points = points(&columns, &names, &track);
    let layer = floor(&Store::open(folder.path()).unwrap(), points, 1);
    let request = OccupancyRequest::new(CellSystem::square(0.5).unwrap());
    let whole = layer.snapshot().occupancy(&plane(), &request, 2).unwrap();
    let near = Bounds { west: -2.0, south: 1.0, east: 3.0, north: 4.0 };
    let part = layer.snapshot().occupancy(&plane().with_near(Some(near)), &request, 2).unwrap();
    let within = |grid: &kiln_core::occupancy::OccupancyGrid| -> Vec<_> {
        let is_within = |column: i64, row: i64| (-4..6).contains(&column) && (2..8).contains(&row);
        grid.groups.iter().filter(|group| is_within(group.key.cell.column, group.key.cell.row)).copied().collect()
    };
    assert_eq!(within(&whole), within(&part));
    assert!(part.total() < whole.total() / 2, "{} of {}", part.total(), whole.total());
    let few = request.clone().with_max_groups(10);
    let error = layer.snapshot().occupancy(&plane(), &few, 2).unwrap_err().to_string();
    assert!(error.contains("more than 10 cells"), "{error}");
}

#[test]
fn tracks_survive_a_merge_with_points_without_them() {
    let (folder, names) = (tempfile::tempdir().unwrap(), names());
    let columns = detections(3000, true, 9);
    let track: Vec<u64> = (0..3000).map(|index| if index % 4 == 0 { Points::NO_TRACK } else { index % 17 }).collect();
    let all = points(&columns, &names, &track);
    let store = Store::open(folder.path()).unwrap();
    let layer = floor(&store, all.slice(0..2000), 2);
    let mut batch = layer.batch();
    batch.add(all.slice(2000..3000).without_track());
    layer.append(batch, None).unwrap();
    let request = OccupancyRequest::new(CellSystem::square(2.0).unwrap()).with_dwell(Some(Dwell::default()));
    let plain = scan_occupancy(&MemorySource(all.slice(0..2000)), &plane(), &request, None, 1).unwrap();
    let dwell = || -> i64 {
        let grid = layer.snapshot().occupancy(&plane(), &request, 2).unwrap();
        grid.groups.iter().map(|group| group.dwell_us).sum()
    };
    let expected: i64 = plain.groups.iter().map(|group| group.dwell_us).sum();
    assert!(expected > 0);
    assert_eq!(dwell(), expected);
    layer.compact(2, &Progress::default()).unwrap();
    assert_eq!(layer.snapshot().summary().segments, 1);
    assert_eq!(dwell(), expected);
}
