//! Sums per cell of stored layers, against sums of their points one by one.

use std::collections::BTreeMap;

use super::*;
use kiln_core::cell_bins::{Bin, BinChunk, BinsRequest, ExactSum, for_each_bin};
use kiln_core::geo::{Polygon, morton};

/// A group: cell, begin of the period, category.
type Group = (u64, i64, Option<String>);
/// Number of points, sum and maximum of the weights.
type Sums = (u64, f64, f32);

/// The sums of a snapshot, in their order.
fn sums(snapshot: &Snapshot, query: &Query<'_>, request: &BinsRequest, threads: usize) -> Vec<(Group, Sums)> {
    let (mut found, mut last_cell, mut read) = (Vec::new(), None, 0);
    let mut take = |chunk: BinChunk<'_>| {
        read += chunk.read;
        // All rows of a cell are in one chunk.
        let first = chunk.records.first().map(|record| record.group.cell);
        assert!(first.is_none() || first != last_cell);
        last_cell = chunk.records.last().map(|record| record.group.cell).or(last_cell);
        for_each_bin(&chunk.records, |Bin { group, n, sum, max }| {
            let name = chunk.categories.get(group.category as usize).map(ToString::to_string);
            found.push(((group.cell, group.time_us, name), (n, sum, max)));
            Ok(())
        })
    };
    snapshot.cell_bins(query, request, threads, &mut take).unwrap();
    if query.scan.near.is_none() && query.filter.polygon.is_none() && !query.filter.is_active() {
        assert_eq!(read, snapshot.points());
    }
    found
}

/// The sums of the points of a scan.
fn scanned(snapshot: &Snapshot, query: &Query<'_>, request: &BinsRequest) -> BTreeMap<Group, Sums> {
    let mut all: BTreeMap<Group, (u64, ExactSum, f32)> = BTreeMap::new();
    let query = query.clone().with_times(true).with_categories(true);
    let mut sink = |points: Points<'_>| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        Frame::Mercator.to_fixed(points, &mut x, &mut y);
        for i in 0..points.len() {
            let time_us = points.time_us().map_or(Points::NO_TIME, |times| times[i]);
            let time_us = match request.period_us {
                Some(length) if time_us != Points::NO_TIME => time_us.div_euclid(length) * length,
                _ => Points::NO_TIME,
            };
            let name = points.category().and_then(|category| category.name(i)).map(ToOwned::to_owned);
            let group = (request.cell_of(morton::key(x[i], y[i])), time_us, name.filter(|_| request.by_category));
            let weight = points.weight().map_or(1.0, |weights| weights[i]);
            let (n, sum, max) = all.entry(group).or_insert((0, ExactSum::default(), f32::NEG_INFINITY));
            *n += 1;
            sum.add(f64::from(weight));
            *max = max.max(weight);
        }
        ControlFlow::Continue(())
    };
    snapshot.scan(&query, &mut [&mut sink]).unwrap();
    all.into_iter().map(|(group, (n, sum, max))| (group, (n, sum.value(), max))).collect()
}

#[test]
fn sums_per_cell_are_those_of_the_points_in_z_order() {
    // Several batches of rows, and so several parts.
    let mut columns = some_points(250_000, 7);
    for (i, weight) in columns.weight.iter_mut().enumerate() {
        // Sums that floating-point numbers do not represent.
        *weight = if i % 1000 == 3 { 1e15 } else { *weight + 0.1 };
    }
    let (_folder, store) = store();
    let snapshot = layer_of(&store, &columns, 3).snapshot();
    assert!(snapshot.segments.len() > 1);
    let ring = vec![[-10.0, 40.0], [30.0, 40.0], [30.0, 70.0], [-10.0, 40.0]];
    let polygon = Some(Arc::new(Polygon::new(&[vec![ring]]).unwrap()));
    let category = |name: &str| Query::default().with_category_filter(vec![name.to_owned()]);
    let queries = [
        Query::default().with_weights(true),
        Query::default(),
        Query::default().with_weights(true).with_start(Some(500_000_000)),
        category("tram").with_weights(true),
        Query::default().with_weights(true).with_polygon(polygon),
    ];
    for (i, query) in queries.iter().enumerate() {
        for request in [
            BinsRequest { level: 0, ..BinsRequest::default() },
            BinsRequest { level: 13, ..BinsRequest::default() },
            BinsRequest { level: 32, ..BinsRequest::default() },
            BinsRequest { level: 4, period_us: Some(100_000_000), by_category: true },
        ] {
            let expected = scanned(&snapshot, query, &request);
            for threads in [1, 3] {
                let found = sums(&snapshot, query, &request, threads);
                assert!(found.is_sorted_by_key(|((cell, time_us, _), _)| (*cell, *time_us)), "{i} {request:?}");
                assert_eq!(found.len(), expected.len(), "{i} {request:?}");
                let found: BTreeMap<Group, Sums> = found.into_iter().collect();
                assert!(found == expected, "{i} {request:?}");
            }
        }
    }
}

#[test]
fn sums_near_bounds_contain_those_of_the_cells_within() {
    let (_folder, store) = store();
    let snapshot = layer_of(&store, &some_points(20_000, 9), 2).snapshot();
    let request = BinsRequest { level: 12, ..BinsRequest::default() };
    let all: BTreeMap<Group, Sums> = sums(&snapshot, &Query::default(), &request, 2).into_iter().collect();
    let near = Query::default().with_near(Some(Bounds { west: 178.0, south: -30.0, east: 182.0, north: -1.0 }));
    let near: BTreeMap<Group, Sums> = sums(&snapshot, &near, &request, 2).into_iter().collect();
    assert!(near.len() < all.len());
    let is_within = |cell: u64| {
        let (x, y) = morton::decode(cell);
        !(20..4075).contains(&x) && (2048 + 20..2048 + 300).contains(&y)
    };
    let within: Vec<_> = all.iter().filter(|((cell, ..), _)| is_within(*cell)).collect();
    assert!(within.len() > 20 && within.iter().all(|(group, sums)| near.get(*group) == Some(*sums)));
}

#[test]
fn groups_by_a_column_that_no_point_has_and_cancelled_sums_are_errors() {
    let (_folder, store) = store();
    let layer = store.create("plain", Description::default()).unwrap();
    let mut batch = Batch::default();
    batch.add(Points::new(&[1.0], &[2.0]).unwrap());
    layer.append(batch, None).unwrap();
    let snapshot = layer.snapshot();
    let failed = |query: &Query<'_>, request: BinsRequest| {
        snapshot.cell_bins(query, &request, 1, &mut |_| Ok(())).unwrap_err().to_string()
    };
    let plain = BinsRequest { level: 9, ..BinsRequest::default() };
    let timed = failed(&Query::default(), BinsRequest { period_us: Some(1), ..plain });
    assert_eq!(timed, "every: the layer's points have no times");
    let named = failed(&Query::default(), BinsRequest { by_category: true, ..plain });
    assert_eq!(named, "by_category: the layer's points have no categories");
    let stop = std::sync::atomic::AtomicBool::new(true);
    let query = Query::default().with_stop(Some(&stop));
    assert!(matches!(snapshot.cell_bins(&query, &plain, 1, &mut |_| Ok(())), Err(Error::Cancelled)));
}
