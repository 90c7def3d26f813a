//! Prices of pictures of grids, masks and matrices: heavy ones are limited, wait behind light requests, and can be cancelled.

use serde_json::json;

use crate::load_pictures::{begin, renders};
use crate::masks_http::{create, npy, url};
use crate::server::{Server, eventually};

/// Pictures of a grid of the whole world, each of which takes seconds in a release build.
const HEAVY: [&str; 5] = [
    "picture=heat&radius=400px&kernel=cone",
    "picture=terrain&radius=400px",
    "picture=contours&levels=64&radius=4px",
    "picture=contours&levels=64&radius=4px&format=geojson",
    "picture=cells&cells=h3",
];

fn grid(parameters: &str) -> String {
    let resolution = if parameters.contains("h3") { "3" } else { "100km" };
    let format = if parameters.contains("format") { "" } else { "&format=png" };
    format!("/cities/grid?resolution={resolution}&bounds=-180,-75,180,75&size=4000&{parameters}{format}")
}

/// The price of the request of a path, in the log.
fn price(server: &Server, path: &str) -> u64 {
    let request = format!("uri={path} ");
    // The line is written after the response.
    let line = || server.log().lines().find(|line| line.contains(&request)).map(str::to_owned);
    eventually(path, || line().is_some());
    line().unwrap().split_once(" price=").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn heavy_pictures_of_grids_masks_and_matrices_are_limited() {
    let server = Server::with(&[], "[limits]\nprice = 1000\n");
    let words = ["limits.price", "1000"];
    for parameters in HEAVY {
        server.get(&grid(parameters)).rejected(400, &words);
        assert!(price(&server, &grid(parameters)) > 1000, "{parameters}");
    }
    // The same grids as data, and as pictures of the default size.
    for light in [
        "/cities/grid?resolution=100km&bounds=-180,-75,180,75",
        "/cities/grid?resolution=100km&format=png",
        "/cities/grid?resolution=100km&format=png&picture=heat",
    ] {
        server.get(light).ok(200);
        assert!(price(&server, light) <= 300, "{light}");
    }
    // Rooms and second time ranges are read, too.
    let square = |west: i32| json!([[[west, 0], [west + 1, 0], [west + 1, 50], [west, 50], [west, 0]]]);
    let room = |index: i32| {
        json!({"type": "Feature", "properties": {"name": index.to_string()},
        "geometry": {"type": "Polygon", "coordinates": square(index - 128)}})
    };
    let rooms = json!({"type": "FeatureCollection", "features": (0..256).map(room).collect::<Vec<_>>()});
    server.post("/cities/grid", &json!({"resolution": 100_000, "polygons": rooms})).rejected(400, &words[..1]);

    let mask = create(&server, "?width=4000&height=4000", &npy(2, 2, &[0.0, 1.0, 2.0, 3.0]));
    let path = url(&mask, "mask").to_owned();
    server.get(&format!("{path}.png?blur_ksize=none")).rejected(400, &words[..1]);
    let small = create(&server, "", &npy(2, 2, &[0.0, 1.0, 2.0, 3.0]));
    server.get(&format!("{}.png", url(&small, "mask"))).ok(200);

    let values = vec![vec![1; 300]; 300];
    let matrix = json!({"values": values, "cell_size": 12});
    server.post("/matrix", &matrix).rejected(400, &words[..1]);
    server.post("/matrix", &json!({"values": [[1, 2], [3, 4]]})).ok(200);
    let chart = |ratio: u32| format!("/cities/matrix?x=lon&y=lat&format=png&pixel_ratio={ratio}");
    server.get(&chart(4)).rejected(400, &words[..1]);
    server.get(&chart(1)).ok(200);
}

#[test]
fn light_requests_pass_heavy_pictures_of_grids_which_can_be_cancelled() {
    let server = Server::with(&[], "[server]\nrender_threads = 1\ntimeout = \"10m\"\n");
    let heavy: Vec<_> = HEAVY.iter().map(|parameters| begin(&server, &grid(parameters))).collect();
    let waiting = HEAVY.len() as f64 - 1.0;
    eventually("the heavy pictures are there", || renders(&server) == (1.0, waiting));
    for x in 60..64 {
        server.get(&format!("/cities/7/{x}/44.png")).ok(200);
    }
    eventually("only heavy pictures are left", || renders(&server) == (1.0, waiting));
    drop(heavy);
    eventually("none of them is left", || renders(&server) == (0.0, 0.0));
    // Each by itself: the thread is free long before the picture would be complete.
    for parameters in HEAVY {
        let stream = begin(&server, &grid(parameters));
        eventually("the picture is drawn", || renders(&server).0 > 0.5);
        drop(stream);
        eventually(parameters, || renders(&server) == (0.0, 0.0));
    }
}
