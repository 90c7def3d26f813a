//! Tests of released points.

use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::geo::{Bounds, Canvas, Categories, Points, Polygon, Projection};
use crate::occupancy::{Cell, Group, GroupKey, OccupancyGrid};
use crate::raster::Reduction;
use crate::source::{
    Comparison, MemorySource, Operand, Operator, PointColumns, PointOrder, PointSet, Query, Source, points_within,
    scan_cells, scan_count,
};

const HOUR_US: i64 = 3_600_000_000;

/// A point: x, y, weight, hour, and the index of the category.
type Row = (f64, f64, f32, i64, u32);

/// Points with the categories a, b and c.
struct Data(PointColumns);

impl Data {
    fn new(rows: &[Row]) -> Self {
        let names = ["a".into(), "b".into(), "c".into()];
        let column = |value: fn(&Row) -> f64| rows.iter().map(value).collect::<Vec<f64>>();
        let weight: Vec<f32> = rows.iter().map(|row| row.2).collect();
        let time_us: Vec<i64> = rows.iter().map(|row| row.3 * HOUR_US).collect();
        let codes: Vec<u32> = rows.iter().map(|row| row.4).collect();
        let (lon, lat) = (column(|row| row.0), column(|row| row.1));
        let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap().with_time(&time_us).unwrap();
        let mut columns = PointColumns::default();
        columns.add(points.with_category(Categories { codes: &codes, names: &names }).unwrap());
        Self(columns)
    }

    fn source(&self) -> MemorySource<'_> {
        MemorySource(self.0.points())
    }

    fn protected(&self, space: CoordinateSpace, protection: &Protection) -> ProtectedPoints {
        let query = Query::default().with_coordinate_space(space);
        ProtectedPoints::of_source(&self.source(), &query, protection, 2).unwrap().0
    }
}

fn plane() -> Query<'static> {
    Query::default().with_coordinate_space(CoordinateSpace::Plane).with_weights(true)
}

/// A crowd of `count` points around `x`, `y` of one cell of 1 m, hour 5 and category a.
fn crowd(count: usize, x: f64, y: f64) -> Vec<Row> {
    (0..count).map(|i| (x + 0.9 * (i as f64 / count as f64), y, 1.0 + i as f32, 5, 0)).collect()
}

fn scanned(points: &ProtectedPoints, query: &Query<'_>) -> PointColumns {
    let mut columns = PointColumns::default();
    let mut sink = |batch: Points<'_>| {
        columns.add(batch);
        ControlFlow::Continue(())
    };
    points.scan(query, &mut [&mut sink]).unwrap();
    columns
}

#[test]
fn a_group_is_released_from_the_minimum_on_as_equal_points() {
    let rows = [crowd(5, 3.0, 2.5), crowd(4, 7.0, 2.5)].concat();
    let protection = Protection::new(5).unwrap();
    let points = Data::new(&rows).protected(CoordinateSpace::Plane, &protection);
    assert_eq!((points.points(), points.groups(), points.suppressed()), (5, 1, 4));
    let columns = scanned(&points, &plane().with_times(true).with_categories(true));
    let all = columns.points();
    assert_eq!((all.lon(), all.lat(), all.weight()), (&[3.5; 5][..], &[2.5; 5][..], Some(&[3.0; 5][..])));
    assert_eq!(all.time_us(), Some(&[0; 5][..]));
    assert_eq!(all.category().unwrap().name(4), Some("a"));
    assert_eq!(points.extent().bounds(false), Some(Bounds { west: 3.5, south: 2.5, east: 3.5, north: 2.5 }));
    let totals = points.totals().unwrap();
    assert_eq!((totals.points, totals.weight, totals.time_us), (5, Some([15.0, 3.0, 3.0]), Some([0, 0])));
    assert_eq!(points.categories(None).unwrap().unwrap().first, ["a"]);
    // Without times, the hours of a cell are one group.
    let hours: Vec<Row> = (0..5).map(|hour| (0.5, 0.5, 1.0, hour * 24, 0)).collect();
    let released = |protection| Data::new(&hours).protected(CoordinateSpace::Plane, &protection).points();
    assert_eq!((released(protection), released(protection.with_period(None).unwrap())), (0, 5));
}

#[test]
fn points_that_are_not_released_change_nothing() {
    let crowd = [crowd(7, 3.0, 2.5), crowd(9, -4.0, 8.5)].concat();
    // Alone in its place, on its day, and in its category.
    for lonely in [(99.0, -99.0, 1e6, 5, 0), (3.5, 2.5, 7.0, 500, 0), (3.5, 2.5, 7.0, 5, 2)] {
        let with = [&[lonely][..], &crowd].concat();
        let of = |rows: &[Row]| {
            let points = Data::new(rows).protected(CoordinateSpace::Plane, &Protection::new(5).unwrap());
            let columns = scanned(&points, &plane().with_times(true).with_categories(true));
            let report = format!("{:?} {:?} {:?}", points.report(), points.totals(), points.categories(None).unwrap());
            (points.version(), format!("{:?}", points.extent()), format!("{:?}", columns.points()), report)
        };
        assert_eq!(of(&with), of(&crowd), "{lonely:?}");
    }
}

#[test]
fn the_version_depends_on_the_released_points_and_the_settings() {
    let version =
        |rows: &[Row], protection: Protection| Data::new(rows).protected(CoordinateSpace::Plane, &protection).version();
    let (protection, rows) = (Protection::new(5).unwrap(), crowd(6, 0.0, 0.5));
    let versions = [
        version(&rows, protection),
        version(&crowd(7, 0.0, 0.5), protection),
        version(&rows, Protection::new(6).unwrap()),
        version(&rows, protection.with_period(None).unwrap()),
        version(&rows, protection.with_cell(2.0).unwrap()),
    ];
    let distinct: std::collections::BTreeSet<_> = versions.iter().collect();
    assert_eq!(distinct.len(), versions.len());
}

#[test]
fn columns_cannot_be_compared() {
    let points = Data::new(&crowd(6, 0.0, 0.5)).protected(CoordinateSpace::Plane, &Protection::new(5).unwrap());
    let comparison = Comparison { column: "a".into(), operator: Operator::Less, operand: Operand::Number(1.0) };
    let query = plane().with_comparisons(vec![comparison.clone()]);
    for error in [
        points.check_comparison(&comparison).unwrap_err(),
        points.count(&query).unwrap_err(),
        scan_count(&points, &query).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with("where: a layer with min_count"), "{error}");
    }
}

#[test]
fn settings_that_protect_nothing_are_rejected() {
    assert!([0, 1].iter().all(|&min_count| Protection::new(min_count).is_err()));
    let protection = Protection::new(2).unwrap();
    assert!([0.0, -1.0, f64::NAN, f64::INFINITY].iter().all(|&cell_m| protection.with_cell(cell_m).is_err()));
    assert!([0, -5].iter().all(|&period_us| protection.with_period(Some(period_us)).is_err()));
    let cells = [CoordinateSpace::Globe, CoordinateSpace::Plane].map(|space| protection.cell_m(space));
    assert!(cells.iter().zip([100.0, 1.0]).all(|(cell_m, expected)| cell_m.to_bits() == f64::to_bits(expected)));
}

#[test]
fn more_than_the_maximum_number_of_points_of_a_row_is_several_rows() {
    let cells = Protection::new(5).unwrap().cells(CoordinateSpace::Plane).unwrap();
    let key = GroupKey { cell: Cell { row: 0, column: 0 }, period: 1, category: Categories::NONE };
    let count = 2 * u64::from(u32::MAX) + 5;
    let group = Group { key, count, weight_sum: count as f64, weight_max: 1.0, dwell_us: 0 };
    let grid = OccupancyGrid { groups: vec![group], ..OccupancyGrid::default() };
    let released = released::Released::of(grid, cells, &Protection::new(5).unwrap()).unwrap();
    assert_eq!((released.total(), released.len()), (count, 3));
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let weight = prop_oneof![Just(1.0f32), Just(0.1f32), -50f32..50.0];
    prop::collection::vec((0.0..4.0, 0.0..3.0, weight, 0i64..72, 0u32..3), 0..400)
}

/// A filter: bounds of a polygon or none, hours, and the categories that match.
type Conditions = (Option<[f64; 4]>, [i64; 2], Vec<usize>);

fn conditions() -> impl Strategy<Value = Conditions> {
    let area = [0.0..2.0, 0.0..1.5, 2.0..4.0, 1.5..3.0];
    (prop::option::of(area), [-5i64..40, 30i64..80], prop::collection::vec(0usize..3, 0..3))
}

fn query_of((area, [start, end], categories): &Conditions) -> Query<'static> {
    let names = ["a", "b", "c"];
    let polygon = area.map(|[west, south, east, north]| {
        let ring = vec![[west, south], [east, south], [east, north], [west, north], [west, south]];
        Arc::new(Polygon::new(&[vec![ring]]).unwrap())
    });
    let categories = categories.iter().map(|&index| names[index].to_owned()).collect();
    let query = Query::default().with_weights(true).with_start(Some(start * HOUR_US)).with_end(Some(end * HOUR_US));
    query.with_category_filter(categories).with_polygon(polygon)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// On the globe, in cells of about 1°.
    #[test]
    fn differences_of_any_two_queries_are_sums_of_released_groups(
        rows in rows(), one in conditions(), two in conditions(), min_count in 2u64..12,
    ) {
        let protection = Protection::new(min_count).unwrap().with_cell(111_195.0).unwrap();
        let data = Data::new(&rows);
        let points = data.protected(CoordinateSpace::Globe, &protection);
        let request = protection.request(CoordinateSpace::Globe).unwrap();
        let all = points.occupancy(&Query::default(), &request, 2).unwrap();
        // The groups of the answer to a query are whole released groups, each of at least the minimum.
        let groups_of = |query: &Query<'_>| points.occupancy(query, &request, 2).unwrap();
        let mut sums = [0i64; 2];
        let mut in_one_only = 0;
        let mut in_two_only = 0;
        let queries = [query_of(&one), query_of(&two)];
        let answers = queries.each_ref().map(groups_of);
        for (sum, (answer, query)) in sums.iter_mut().zip(answers.iter().zip(&queries)) {
            *sum = points.count(query).unwrap() as i64;
            prop_assert_eq!(answer.total() as i64, *sum);
            prop_assert_eq!(scan_count(&points, query).unwrap() as i64, *sum);
        }
        let name = |grid: &OccupancyGrid, code: u32| grid.categories.get(code as usize).cloned();
        let contains = |answer: &OccupancyGrid, group: &Group| {
            let category = name(&all, group.key.category);
            let same = |other: &&Group| {
                (other.key.cell, other.key.period) == (group.key.cell, group.key.period)
                    && name(answer, other.key.category) == category
            };
            let found = answer.groups.iter().find(same);
            // Whole or not at all.
            assert!(found.is_none_or(|found| found.count == group.count));
            found.is_some()
        };
        for group in &all.groups {
            prop_assert!(group.count >= min_count);
            match [contains(&answers[0], group), contains(&answers[1], group)] {
                [true, false] => in_one_only += group.count as i64,
                [false, true] => in_two_only += group.count as i64,
                _ => {}
            }
        }
        prop_assert!(answers.iter().all(|answer| answer.groups.len() <= all.groups.len()));
        prop_assert_eq!(sums[0] - sums[1], in_one_only - in_two_only);
    }

    #[test]
    fn a_picture_of_groups_is_the_same_as_that_of_their_points(
        rows in rows(), filter in conditions(), min_count in 2u64..6,
    ) {
        let protection = Protection::new(min_count).unwrap().with_cell(60_000.0).unwrap();
        let points = Data::new(&rows).protected(CoordinateSpace::Globe, &protection);
        let canvas = Canvas::new(Projection::Mercator, Bounds::new(0.3, 0.2, 3.1, 2.4).unwrap(), 37, 29).unwrap();
        let query = query_of(&filter);
        for reduction in [Reduction::Count, Reduction::Sum, Reduction::CountAndSum, Reduction::Max] {
            let (groups, report) = points.cells(&query, &canvas, reduction, 5.0, 2).unwrap();
            let (copies, scanned) = scan_cells(&points, &query, &canvas, reduction, 2).unwrap();
            prop_assert_eq!(format!("{groups:?}"), format!("{copies:?}"));
            prop_assert_eq!(report, scanned);
        }
        let bounds = Bounds::new(0.3, 0.2, 3.1, 2.4).unwrap();
        let within = points_within(&points, &query, bounds, 7, PointOrder::Sample).unwrap();
        prop_assert!(within.total == 0 || within.total >= min_count);
    }
}
