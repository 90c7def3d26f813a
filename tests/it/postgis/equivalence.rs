//! A live table gives the same responses as a stored layer of the same points.

use std::fmt::Write;

use serde_json::{Value, json};

use super::cluster::{Cluster, Database};
use crate::kiln::kiln;
use crate::server::Server;

/// CSV rows of `count` points, some of them on cell edges, on the edges of the map and beyond. With enough points the
/// database aggregates them for a tile of the world, and returns them one by one for a tile of a high zoom.
pub(super) fn points(count: usize) -> String {
    let mut text = String::from("lon,lat,weight,time,category\n");
    let exact = [0.0, 45.0, 90.0, 180.0, -180.0, 11.25, -0.0, 1e-15, -1e-15, 22.5];
    let mut state = 42u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    for i in 0..count {
        let (mut lon, mut lat) = match i % 4 {
            0 => (random() * 360.0 - 180.0, random() * 170.0 - 85.0),
            1 => (18.0 + random() * random(), 59.0 + random() * random()),
            2 => (-74.0 + 0.01 * random(), 40.7 + 0.01 * random()),
            _ => ((random() * 3600.0).round() / 10.0 - 180.0, (random() * 1600.0).round() / 10.0 - 80.0),
        };
        if i % 97 == 0 {
            lon = exact[i / 97 % exact.len()];
        }
        if i % 89 == 0 {
            lat =
                [0.0, 85.051_128_779_806_59, -85.051_128_779_806_59, 85.0512, 90.0, 66.513_260_443_111_86][i / 89 % 6];
        }
        let weight = ((random() * 64.0).round() - 8.0) / 4.0;
        let time = format!("2024-01-{:02}T{:02}:00:00Z", i % 28 + 1, i % 24);
        let category = ["bus", "tram", "o'ferry", ""][i % 4];
        writeln!(text, "{lon},{lat},{weight},{time},{category}").unwrap();
    }
    text
}

/// A server with the same points in the stored layer `stored` and in the live table `live`.
fn both(database: &Database, text: &str, make: &str) -> Server {
    database.sql("CREATE TABLE rows (lon float8, lat float8, weight float4, time timestamptz, category text)");
    database.sql_with("COPY rows FROM STDIN (FORMAT csv, HEADER, FORCE_NOT_NULL (category))", text.as_bytes());
    database.sql(make);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("points.csv"), text).unwrap();
    kiln(home.path(), ["import", "points.csv", "--layer", "stored", "-q"]).done();
    Server::at(home, &[&database.url()])
}

pub(super) const TABLE: &str = "CREATE TABLE live AS SELECT ST_SetSRID(ST_MakePoint(lon, lat), 4326)::geometry(Point, 4326) AS place, \
     weight, time, category FROM rows; DROP TABLE rows; CREATE INDEX ON live USING gist (place); ANALYZE live";

/// Asserts that the layers `stored` and `live` give the same response to a path.
fn assert_same(server: &Server, path: &str) {
    let [stored, live] = ["stored", "live"].map(|layer| server.get(&path.replace("LAYER", layer)));
    assert_eq!(stored.status, 200, "{path}: {}", String::from_utf8_lossy(&stored.body));
    assert_eq!(live.status, 200, "{path}: {}", String::from_utf8_lossy(&live.body));
    if stored.header("content-type") == Some("image/png") {
        assert!(stored.body == live.body, "{path}: the pictures differ");
    } else {
        let plain = |mut value: Value| {
            // The version and the title are specific to a layer.
            for own in ["version", "title"] {
                value.as_object_mut().unwrap().remove(own);
            }
            value
        };
        assert_eq!(plain(stored.json()), plain(live.json()), "{path}");
    }
}

#[test]
fn pictures_and_responses_are_identical() {
    let database = Cluster::shared().database();
    let server = both(&database, &points(150_000), TABLE);
    for tile in ["0/0/0", "1/1/0", "2/0/1", "2/3/1", "5/9/12", "8/75/96", "9/281/151", "12/1205/1539", "16/19294/24636"]
    {
        assert_same(&server, &format!("/LAYER/{tile}.png"));
    }
    for style in ["agg=count&radius=9", "agg=mean", "agg=max&curve=log", "curve=eqhist&radius=3", "size=512"] {
        assert_same(&server, &format!("/LAYER/1/1/0.png?{style}"));
        assert_same(&server, &format!("/LAYER/9/281/151.png?{style}"));
    }
    for filter in
        ["start=2024-01-10&end=2024-01-20", "category=tram", "category=%5B%22o'ferry%22%5D&start=2024-01-05T12:00:00Z"]
    {
        for tile in ["0/0/0", "9/281/151"] {
            assert_same(&server, &format!("/LAYER/{tile}.png?{filter}"));
        }
        assert_same(&server, &format!("/LAYER/statistics?zoom=0-3&{filter}"));
    }
    for (bounds, size) in [("-20,30,40,70", "300x211"), ("170,-40,200,40", "256x400"), ("world", "512x256")] {
        for projection in ["mercator", "platecarree"] {
            let bounds = if bounds == "world" { "-180,-85,180,85" } else { bounds };
            assert_same(&server, &format!("/LAYER/bbox/{bounds}/{size}.png?projection={projection}"));
        }
    }
    assert_same(&server, "/LAYER/bbox/17,58,20,60.5/200x300.png?blend=classic");
    assert_same(&server, "/LAYER/legend.png?zoom=4&title=Points");
    assert_same(&server, "/LAYER/legend.json?zoom=9");
    assert_same(&server, "/LAYER/statistics");
    for position in ["18.07,59.33?z=9", "-73.995,40.705?z=14", "180,0?z=3&radius=40", "0,0?z=0"] {
        assert_same(&server, &format!("/LAYER/point/{position}"));
    }
    assert_same(&server, "/LAYER/points?bounds=18,59,18.4,59.4");
    assert_same(&server, "/LAYER/points?bounds=-74,40.7,-73.99,40.71&limit=100&format=heat&category=o'ferry");

    let polygon = json!({"type": "Polygon", "coordinates": [[[17.5, 58.5], [19.5, 58.6], [18.6, 60.5], [17.5, 58.5]]]});
    for path in ["/LAYER/7/70/37.png", "/LAYER/0/0/0.png?radius=3", "/LAYER/bbox/17,58,20,61/300x400.png"] {
        let [stored, live] =
            ["stored", "live"].map(|layer| server.post(&path.replace("LAYER", layer), &polygon).ok(200));
        assert!(stored.body == live.body, "{path}: within a polygon the pictures differ");
    }
    let overlay = |layer: &str| {
        let request =
            json!({"layer": layer, "size": "300x200", "bounds": [[58.0, 17.0], [60.0, 20.0]], "scheme": "fire"});
        let reply = server.post("/overlays", &request).ok(201).json();
        (server.get(reply["url"].as_str().unwrap()).ok(200).body, reply["span"].clone(), reply["points_drawn"].clone())
    };
    assert_eq!(overlay("stored"), overlay("live"));
}
