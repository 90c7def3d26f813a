//! Polygons compared with a naive implementation of the definition.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::simd::at_each_width;

type Ring = Vec<[f64; 2]>;

fn closed(mut ring: Ring) -> Ring {
    ring.push(ring[0]);
    ring
}

fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Ring {
    closed(vec![[west, south], [east, south], [east, north], [west, north]])
}

fn polygon(rings: &[Ring]) -> Polygon {
    Polygon::new(&[rings.to_vec()]).unwrap()
}

fn message(text: &str) -> String {
    Polygon::from_geojson(text).unwrap_err().to_string()
}

#[test]
fn holes_are_outside_and_points_on_edges_are_on_one_side() {
    let area = polygon(&[rectangle(0.0, 0.0, 10.0, 10.0), rectangle(2.0, 2.0, 4.0, 4.0)]);
    assert_eq!(area.bounds(), Bounds { west: 0.0, south: 0.0, east: 10.0, north: 10.0 });
    for (lon, lat) in [(1.0, 1.0), (0.0, 0.0), (0.0, 5.0), (5.0, 0.0), (4.0, 3.0), (3.0, 4.0), (9.0, 9.0)] {
        assert!(area.contains(lon, lat), "{lon} {lat}");
    }
    for (lon, lat) in [(3.0, 3.0), (2.0, 2.0), (2.0, 3.0), (10.0, 5.0), (5.0, 10.0), (-1.0, 5.0), (5.0, f64::NAN)] {
        assert!(!area.contains(lon, lat), "{lon} {lat}");
    }
}

#[test]
fn overlapping_polygons_are_a_union() {
    let overlapping = [vec![rectangle(0.0, 0.0, 4.0, 4.0)], vec![rectangle(2.0, 2.0, 6.0, 6.0)]];
    for few_edges in [0, 100] {
        let area = Polygon::with_bands_beyond(few_edges, &overlapping, true).unwrap();
        let mut inside = Vec::new();
        area.contains_all(&[1.0, 3.0, 5.0, 5.0], &[1.0, 3.0, 5.0, 1.0], &mut inside);
        assert_eq!(inside, [true, true, true, false]);
    }
}

#[test]
fn a_ring_across_the_antimeridian_contains_points_on_both_sides() {
    for (west, east) in [(170.0, 190.0), (-190.0, -170.0)] {
        let area = polygon(&[rectangle(west, -10.0, east, 10.0)]);
        for lon in [175.0, -175.0, 185.0, -185.0, 180.0, -180.0] {
            assert!(area.contains(lon, 0.0), "{west} {lon}");
        }
        for lon in [165.0, -165.0, 0.0, 195.0] {
            assert!(!area.contains(lon, 0.0), "{west} {lon}");
        }
    }
    let world = polygon(&[rectangle(-180.0, -90.0, 180.0, 90.0)]);
    for (lon, lat) in [(180.0, 0.0), (-180.0, 0.0), (0.0, 90.0), (0.0, -90.0), (360.0, 1.0), (-360.0, 1.0)] {
        assert!(world.contains(lon, lat), "{lon} {lat}");
    }
}

#[test]
fn a_polygon_on_a_plane_has_no_copies_and_no_limits_of_degrees() {
    let hall = Polygon::on_plane(&[vec![rectangle(300.0, 80.0, 900.0, 120.0)]]).unwrap();
    assert!(!hall.wraps() && hall.contains(300.0, 80.0) && hall.contains(899.9, 119.9) && hall.contains(400.0, 90.0));
    for (x, y) in [(900.0, 100.0), (500.0, 120.0), (299.9, 100.0), (100.0, 100.0), (-40.0, 100.0)] {
        assert!(!hall.contains(x, y), "{x} {y}");
    }
    // The northern edge is exclusive at 90, too: there is no pole.
    let low = Polygon::on_plane(&[vec![rectangle(0.0, 0.0, 10.0, 90.0)]]).unwrap();
    assert!(!low.contains(5.0, 90.0) && low.contains(5.0, 90f64.next_down()));
    let mut inside = Vec::new();
    hall.contains_all(&[400.0, 40.0, 760.0, 1120.0], &[100.0; 4], &mut inside);
    assert_eq!(inside, [true, false, true, false]);
    let far = r#"{"type":"Polygon","coordinates":[[[0,0],[2e9,0],[1,1],[0,0]]]}"#;
    let message = Polygon::from_plane_geojson(far).unwrap_err().to_string();
    assert_eq!(message, "polygon: a coordinate of 2000000000,0 exceeds ±1e9");
}

#[test]
fn every_geojson_type_with_polygons_is_parsed() {
    let ring = "[[0,0],[4,0,12.5],[4,4],[0,0]]";
    let texts = [
        format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#),
        format!("\u{FEFF}{{\"coordinates\":[[{ring}]],\"bbox\":[0,0,4,4],\"type\":\"MultiPolygon\"}}"),
        format!(r#"{{"geometry":{{"coordinates":[{ring}],"type":"Polygon"}},"properties":null,"type":"Feature"}}"#),
        format!(
            r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{{"a":[1]}},
                "geometry":{{"type":"MultiPolygon","coordinates":[[{ring}]]}}}}]}}"#
        ),
    ];
    let expected = polygon(&[vec![[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 0.0]]]);
    for text in texts {
        assert_eq!(Polygon::from_geojson(&text).unwrap(), expected, "{text}");
    }
}

#[test]
fn invalid_geojson_and_rings_are_rejected_with_a_message() {
    let coordinates = |ring: &str| message(&format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#));
    assert_eq!(
        message(r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#),
        "polygon: \"LineString\" is not a polygon; expected Polygon, MultiPolygon, or a Feature or FeatureCollection of these"
    );
    for (text, expected) in [
        ("", "it is not GeoJSON: EOF while parsing"),
        ("[1,2]", "it is not GeoJSON: "),
        ("{}", "an object has no GeoJSON type; expected "),
        (r#"{"type":"Feature","geometry":null}"#, "a feature has no geometry"),
        (r#"{"type":"FeatureCollection"}"#, "the FeatureCollection has no features"),
        (r#"{"type":"FeatureCollection","features":[]}"#, "there are no polygons"),
        (r#"{"type":"Polygon"}"#, "the coordinates are invalid: "),
        (r#"{"type":"Polygon","coordinates":[]}"#, "there are no polygons"),
        (r#"{"type":"Polygon","coordinates":[[[0],[1,1]]]}"#, "expected [longitude, latitude]"),
        (r#"{"type":"MultiPolygon","coordinates":[[[0,0],[1,1]]]}"#, "the coordinates are invalid: "),
    ] {
        let message = message(text);
        assert!(message.starts_with("polygon: ") && message.contains(expected), "{text}: {message}");
    }
    assert!(coordinates("[[0,0],[1,0],[1,1],[0,1]]").contains("starts at 0,0 but ends at 0,1; rings must be closed"));
    assert!(coordinates("[[0,0],[1,0],[0,0]]").contains("a ring has 3 positions; expected at least four"));
    assert!(coordinates("[[0,0],[1,91],[1,1],[0,0]]").contains("latitude of 1,91 exceeds ±90; longitude comes first"));
    assert!(coordinates("[[0,0],[541,1],[1,1],[0,0]]").contains("longitude of 541,1 exceeds ±540"));
    assert!(coordinates("[[0,0],[1e999,1],[1,1],[0,0]]").contains("the coordinates are invalid: number out of range"));
    assert!(Polygon::new(&[vec![vec![[0.0, f64::NAN]; 4]]]).unwrap_err().to_string().contains("0,NaN is not finite"));
    let many = vec![vec![vec![[0.0, 0.0]; Polygon::MAX_VERTICES + 1]]];
    let message = Polygon::new(&many).unwrap_err().to_string();
    assert_eq!(message, "polygon: 100001 vertices exceed the limit of 100000; simplify the polygon first");
    assert!(Polygon::new(&[vec![vec![[0.0, 0.0]; Polygon::MAX_VERTICES]]]).is_ok());
}

#[test]
fn the_index_returns_few_edges_per_latitude_of_a_detailed_coast() {
    let vertices = 50_000;
    let ring = (0..vertices).map(|i| {
        let (angle, bay) = (f64::from(i) / f64::from(vertices) * std::f64::consts::TAU, f64::from(i % 7) / 1000.0);
        [angle.cos() * (40.0 + bay), angle.sin() * (40.0 + bay)]
    });
    let area = polygon(&[closed(ring.collect())]);
    let bands = area.bands.as_ref().unwrap();
    let max = (-4000..4000).map(|i| bands.at(f64::from(i) / 100.0).count()).max().unwrap();
    assert!((1..200).contains(&max), "{max} edges for one point");
    assert!(area.contains(0.0, 0.0) && area.contains(-39.9, 0.0) && !area.contains(0.0, 40.1));
}

/// Whether a point is inside an odd number of rings of one of the polygons, in integer arithmetic. The unit is half a
/// degree.
fn naive_contains(polygons: &[Vec<Vec<[i64; 2]>>], lon: i64, lat: i64) -> bool {
    let crosses = |lon: i64, [a, b]: [[i64; 2]; 2]| {
        let (south, north) = if a[1] < b[1] { (a, b) } else { (b, a) };
        let east_of_point = (north[0] - south[0]) * (lat - south[1]) - (lon - south[0]) * (north[1] - south[1]) > 0;
        south[1] <= lat && lat < north[1] && east_of_point
    };
    let edges = |rings: &[Vec<[i64; 2]>], lon: i64| {
        let edges = rings.iter().flat_map(|ring| ring.windows(2).map(|ends| [ends[0], ends[1]]));
        edges.filter(|edge| crosses(lon, *edge)).count()
    };
    let odd = |lon: i64| polygons.iter().any(|rings| edges(rings, lon) % 2 == 1);
    [0, 720, -720].iter().any(|turn| odd(lon + turn))
}

/// Polygons with vertices at multiples of half a degree, where floats are exact.
fn half_degree_polygons(max_vertices: usize) -> impl Strategy<Value = Vec<Vec<Vec<[i64; 2]>>>> {
    let position = (-800i64..=800, -179i64..=179).prop_map(|(lon, lat)| [lon, lat]);
    let ring = prop::collection::vec(position, 3..max_vertices).prop_map(|mut ring| {
        ring.push(ring[0]);
        ring
    });
    prop::collection::vec(prop::collection::vec(ring, 1..3), 1..4)
}

fn degrees(polygons: &[Vec<Vec<[i64; 2]>>]) -> Vec<Vec<Ring>> {
    let ring = |ring: &Vec<[i64; 2]>| ring.iter().map(|v| [v[0] as f64 / 2.0, v[1] as f64 / 2.0]).collect();
    polygons.iter().map(|rings| rings.iter().map(ring).collect()).collect()
}

proptest! {
    #[test]
    fn points_are_inside_as_in_the_naive_implementation(
        polygons in half_degree_polygons(40),
        points in prop::collection::vec((-720i64..=720, -180i64..=180), 1..200),
        on_vertices in any::<bool>(),
    ) {
        let mut points = points;
        if on_vertices {
            points.extend(polygons.iter().flatten().flatten().map(|vertex| (vertex[0].clamp(-720, 720), vertex[1])));
        }
        let expected: Vec<bool> = points.iter().map(|&(lon, lat)| naive_contains(&polygons, lon, lat)).collect();
        let lon: Vec<f64> = points.iter().map(|point| point.0 as f64 / 2.0).collect();
        let lat: Vec<f64> = points.iter().map(|point| point.1 as f64 / 2.0).collect();
        for few_edges in [0, usize::MAX] {
            let area = Polygon::with_bands_beyond(few_edges, &degrees(&polygons), true).unwrap();
            let one_by_one: Vec<bool> = lon.iter().zip(&lat).map(|(&lon, &lat)| area.contains(lon, lat)).collect();
            prop_assert_eq!(&one_by_one, &expected);
            for inside in at_each_width(|| {
                let mut inside = vec![true; 3];
                area.contains_all(&lon, &lat, &mut inside);
                inside
            }) {
                prop_assert_eq!(&inside, &expected);
            }
        }
    }

    #[test]
    fn each_point_is_inside_exactly_one_of_two_adjacent_polygons(
        border in prop::collection::vec(-50.0..50.0f64, 1..60),
        points in prop::collection::vec((-60.0..60.0f64, -60.0..60.0f64), 100),
    ) {
        // A border from north to south, and the polygons west and east of it.
        let step = 100.0 / (border.len() + 1) as f64;
        let mut line = vec![[0.0, 50.0]];
        line.extend(border.iter().enumerate().map(|(i, &lon)| [lon, 50.0 - step * (i + 1) as f64]));
        line.push([0.0, -50.0]);
        let mut west = vec![[-50.0, -50.0], [-50.0, 50.0]];
        west.extend(&line);
        let mut east = vec![[50.0, 50.0], [50.0, -50.0]];
        east.extend(line.iter().rev());
        let whole = polygon(&[rectangle(-50.0, -50.0, 50.0, 50.0)]);
        let (west, east) = (polygon(&[closed(west)]), polygon(&[closed(east)]));
        let on_border = line.windows(2).flat_map(|ends| {
            let midpoint = |axis: usize| f64::midpoint(ends[0][axis], ends[1][axis]);
            [(ends[0][0], ends[0][1]), (midpoint(0), midpoint(1))]
        });
        for (lon, lat) in points.into_iter().chain(on_border) {
            let sides = u8::from(west.contains(lon, lat)) + u8::from(east.contains(lon, lat));
            prop_assert_eq!(sides, u8::from(whole.contains(lon, lat)), "{} {}", lon, lat);
        }
    }
}

#[test]
fn a_cancelled_comparison_ends_within_a_block_of_points() {
    let square = Polygon::new(&[vec![vec![[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]]]]).unwrap();
    let points = 5 * Polygon::BLOCK_POINTS + 3;
    let (lon, lat) = (vec![5.0; points], vec![5.0; points]);
    let asked = std::cell::Cell::new(0);
    let mut inside = vec![true; 7];
    square.contains_until(&lon, &lat, &mut inside, || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    });
    assert_eq!((inside.len(), asked.get()), (points, 3));
    let (before, after) = inside.split_at(2 * Polygon::BLOCK_POINTS);
    assert!(before.iter().all(|inside| *inside) && !after.contains(&true));
}
