//! The numbers of points and categories of `GET /{layer}/point/{lon},{lat}` agree, at many positions, zooms and radii.

use std::fmt::Write;

use serde_json::Value;

use crate::kiln::kiln;
use crate::server::Server;

const POINTS: usize = 3000;

/// Pseudo-random numbers from 0 to 1 (Knuth's linear congruential generator).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The location and category of each point: around Stockholm, some of them without a category.
fn points() -> Vec<([f64; 2], &'static str)> {
    let mut random = Random(7);
    let kinds = ["bus", "tram", "ferry", "rail", "", "bike", "bus", ""];
    (0..POINTS).map(|i| ([17.0 + 2.0 * random.next(), 59.0 + random.next()], kinds[i % kinds.len()])).collect()
}

fn server(points: &[([f64; 2], &str)]) -> Server {
    let home = tempfile::tempdir().unwrap();
    let mut rows = String::from("lon,lat,kind\n");
    for ([lon, lat], kind) in points {
        writeln!(rows, "{lon},{lat},{kind}").unwrap();
    }
    std::fs::write(home.path().join("a.csv"), rows).unwrap();
    kiln(home.path(), ["import", "a.csv", "--layer", "stored", "--category-column", "kind", "-q"]).done();
    std::fs::write(home.path().join("kiln.toml"), "[layers.file]\ninput = \"a.csv\"\ncategory = \"kind\"\n").unwrap();
    Server::at(home, &[])
}

/// Web Mercator coordinates in pixels of a zoom.
fn pixel([lon, lat]: [f64; 2], zoom: u32) -> [f64; 2] {
    let world = 256.0 * f64::from(1_u32 << zoom);
    [(lon / 360.0 + 0.5) * world, (0.5 - lat.to_radians().tan().asinh() / std::f64::consts::TAU) * world]
}

/// The number of points, and the sum of the categories and the other points.
fn counts(reply: &Value) -> (u64, u64) {
    let categories =
        reply["categories"].as_array().unwrap().iter().map(|category| category["points"].as_u64().unwrap());
    (reply["points"].as_u64().unwrap(), categories.sum::<u64>() + reply["other_points"].as_u64().unwrap())
}

#[test]
fn the_points_near_a_location_are_the_sum_of_their_categories() {
    let points = points();
    let server = server(&points);
    let mut random = Random(42);
    let mut crowded = 0;
    for round in 0..36 {
        let [lon, lat] = points[(random.next() * POINTS as f64) as usize].0;
        let (zoom, is_ground) = (6 + round % 7, round % 3 == 0);
        let radius_px = 2.0 + (30.0 * random.next()).floor();
        let radius = if is_ground { format!("{}m", 300 + round * 20) } else { radius_px.to_string() };
        let max = [1, 2, 50][round as usize % 3];
        let query = format!("z={zoom}&radius={radius}");
        let at = |layer: &str, more: &str| {
            server.get(&format!("/{layer}/point/{lon:.7},{lat:.7}?{query}{more}")).ok(200).json()
        };
        let more = format!("&categories={max}");
        let [file, stored] = ["file", "stored"].map(|layer| at(layer, &more));
        for reply in [&file, &stored] {
            let (points, sum) = counts(reply);
            assert_eq!(points, sum, "{query} at {lon},{lat}: {reply}");
            assert!(reply["categories"].as_array().unwrap().len() <= max);
        }
        // A stored position is rounded to 1 cm, which no point of this test depends on.
        assert_eq!(
            (&file["points"], &file["categories"]),
            (&stored["points"], &stored["categories"]),
            "{query} at {lon},{lat}"
        );
        for layer in ["file", "stored"] {
            let plain = at(layer, "");
            assert_eq!((&plain["points"], &plain["categories"]), (&file["points"], &Value::Null), "{layer} {query}");
        }
        if !is_ground {
            let center = pixel([lon, lat], zoom).map(|px| px.floor() + 0.5);
            let near = points.iter().filter(|(location, _)| {
                let [x, y] = pixel(*location, zoom);
                (x - center[0]).hypot(y - center[1]) <= radius_px
            });
            let near = near.count();
            assert!(near > 0);
            assert_eq!(file["points"], near, "{query} at {lon},{lat}");
        }
        crowded += u32::from(file["points"].as_u64().unwrap() > 3);
    }
    assert!(crowded > 10, "only {crowded} positions have several points");
}
