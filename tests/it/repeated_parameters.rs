//! Repeated parameters of lists, and the two names of a zoom.

use serde_json::{Value, json};

use crate::server::Server;

fn server() -> Server {
    let home = tempfile::tempdir().unwrap();
    let rows = (0..24).map(|hour| {
        let kind = ["bus", "tram", "\"ferry, rail\""][hour % 3];
        format!("{},59.3,{kind},2024-05-{:02}T{hour:02}:30:00Z\n", 18.0 + hour as f64 * 0.01, 1 + hour)
    });
    let rows: Vec<String> = std::iter::once("lon,lat,kind,time\n".to_owned()).chain(rows).collect();
    std::fs::write(home.path().join("stops.csv"), rows.concat()).unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[layers.stops]\ninput = \"stops.csv\"\n").unwrap();
    Server::at(home, &[])
}

#[test]
fn repeated_categories_and_parts_of_the_time_add_up() {
    let server = server();
    let total = |query: &str| server.get(&format!("/stops/points?{query}")).ok(200).json()["total"].clone();
    assert_eq!(total("category=bus"), 8);
    for query in [
        "category=bus&category=tram",
        "category=bus,tram",
        "category=%5B%22bus%22,%22tram%22%5D",
        "category=bus&category=bus,tram",
    ] {
        assert_eq!(total(query), 16, "{query}");
    }
    assert_eq!(total("category=tram&category=%5B%22ferry,%20rail%22%5D"), 16);
    assert_eq!(total("hours=0-3&hours=12"), 5);
    assert_eq!(total("weekdays=mon&weekdays=tue"), total("weekdays=mon,tue"));
    // Every route of points has the same filter: pictures, values, frames and statistics.
    for path in [
        "0/0/0.png?",
        "point/18.1,59.3?z=3&categories=5&",
        "statistics?zoom=1&",
        "frames?every=1d&",
        "matrix?x=category&",
        "grid?resolution=1km&",
        "legend.json?z=2&",
        "bbox/10,50,20,60/64x64.png?",
    ] {
        let get = |query: &str| server.get(&format!("/stops/{path}{query}")).ok(200).body;
        let repeated = get("category=bus&category=tram");
        assert!(repeated == get("category=bus,tram"), "{path}");
        assert!(repeated != get("category=tram") || path.starts_with("bbox") || path.contains("png"), "{path}");
    }
    // A parameter of one value is not a list.
    for query in ["radius=3&radius=4", "start=2024&start=2025", "scheme=fire&scheme=fire"] {
        server.get(&format!("/stops/0/0/0.png?{query}")).rejected(400, &["given twice"]);
    }
    server.get("/stops/points?category=bus&space_id=tram").rejected(400, &["given twice, also as"]);
}

#[test]
fn a_zoom_is_named_z_or_zoom_in_every_route() {
    let server = server();
    let document = server.get("/openapi.json").ok(200).json();
    let paths = document["paths"].as_object().unwrap();
    let mut routes = Vec::new();
    for (path, operations) in paths {
        for parameter in operations["get"]["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" && ["z", "zoom"].contains(&parameter["name"].as_str().unwrap()) {
                assert_eq!(parameter["name"], "zoom", "{path}");
                assert!(parameter["description"].as_str().unwrap().contains("Also as `z`"), "{path}");
                routes.push(path.as_str());
            }
        }
    }
    let expected = [
        "/{layer}/frames",
        "/{layer}/legend.json",
        "/{layer}/legend.png",
        "/{layer}/point/{lon},{lat}",
        "/{layer}/statistics",
    ];
    assert_eq!(routes, expected);
    for path in ["frames?every=1d&", "legend.json?", "legend.png?", "point/18.1,59.3?", "statistics?"] {
        let get = |name: &str, zoom: &str| server.get(&format!("/stops/{path}{name}={zoom}"));
        assert!(get("z", "3").ok(200).body == get("zoom", "3").ok(200).body, "{path}");
        assert!(get("z", "3").ok(200).body != get("z", "9").ok(200).body || path.starts_with("legend.png"), "{path}");
        // A message has the name of the request.
        for name in ["z", "zoom"] {
            let problem: Value = get(name, "99").json();
            assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!(name)), "{path}: {problem}");
        }
        server.get(&format!("/stops/{path}z=3&zoom=3")).rejected(400, &["given twice, also as"]);
    }
}
