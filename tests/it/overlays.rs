//! Overlays as a Leaflet map requests them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::golden::Picture;
use crate::kiln::{data, kiln};
use crate::server::Server;

fn europe() -> Value {
    json!({"layer": "cities", "bounds": [[35, -12], [60, 32]], "size": [512, 400], "scheme": "fire", "radius": 10})
}

fn picture(bytes: &[u8]) -> Picture {
    Picture::decode(std::io::Cursor::new(bytes)).unwrap()
}

#[test]
fn an_overlay_is_written_served_and_equals_the_picture_of_the_command_line() {
    let server = Server::start();
    let reply = server.post("/overlays", &europe()).ok(201);
    let overlay = reply.json();
    let url = overlay["url"].as_str().unwrap();
    assert_eq!(reply.header("location"), Some(url));
    assert_eq!((&overlay["bounds"], &overlay["size"]), (&json!([[35.0, -12.0], [60.0, 32.0]]), &json!([512, 400])));
    let filename = overlay["filename"].as_str().unwrap();
    let created: u64 = filename.split('-').next().unwrap().parse().unwrap();
    assert_eq!(overlay["expires_at"], created + 3600);
    assert_eq!(server.files(), [filename]);

    let image = server.get(url).ok(200);
    assert_eq!(image.header("content-type"), Some("image/png"));
    assert!(image.header("cache-control").unwrap().contains("immutable"));
    let folder = tempfile::tempdir().unwrap();
    let cities = data("cities.parquet");
    let args = ["render", cities.to_str().unwrap(), "--weight", "population", "--curve", "sqrt", "--scheme", "fire"];
    // The span of an overlay is that of the layer at this scale. The command line would compute it from this picture
    // alone.
    let [vmin, vmax] = ["vmin", "vmax"].map(|end| format!("--{end}={}", overlay["span"][end]));
    let more = ["--radius", "10", "--bounds=-12,35,32,60", "--size", "512x400", "-o", "out.png", &vmin, &vmax];
    kiln(folder.path(), args.iter().chain(&more)).done();
    assert_eq!(picture(&image.body), Picture::read(&folder.path().join("out.png")).unwrap());

    // The client has the current version.
    let tag = image.header("etag").unwrap();
    let again = server.send("GET", url, &[("if-none-match", tag)], b"").ok(304);
    assert!(again.body.is_empty());
    let head = server.send("HEAD", url, &[], b"").ok(200);
    assert_eq!(head.header("content-length"), Some(image.body.len().to_string().as_str()));

    // The same request returns the same picture.
    let same = server.post("/overlays", &europe()).ok(200).json();
    assert_eq!(same, overlay);
    let other = server.post("/overlays", &json!({"layer": "cities", "bounds": "world", "size": 300})).ok(201).json();
    assert_ne!(other["filename"], overlay["filename"]);
    assert_eq!(server.files().len(), 2);

    // The overlay links to the legend of its span.
    let legend = server.get(overlay["legend"].as_str().unwrap()).ok(200);
    assert!(picture(&legend.body).width > 200);
}

#[test]
fn forms_and_all_notations_of_bounds_and_size_are_equivalent() {
    let server = Server::start();
    let first = server.post("/overlays", &europe()).ok(201).json();
    let form = "layer=cities&bounds=-12,35,32,60&size=512x400&scheme=fire&radius=10px";
    assert_eq!(server.form("/overlays", form).ok(200).json()["filename"], first["filename"]);
    for (name, value) in
        [("bounds", json!([-12, 35, 32, 60])), ("bounds", json!("-12,35,32,60")), ("size", json!("512x400"))]
    {
        let mut other = europe();
        other[name] = value;
        assert_eq!(server.post("/overlays", &other).ok(200).json()["filename"], first["filename"], "{other}");
    }
}

#[test]
fn points_of_the_request_are_rendered_and_invalid_ones_reported() {
    let server = Server::start();
    let points = json!([[18.07, 59.33, 2.0], [17.64, 59.86, 1.0], ["x", 3, 4], [16.5, 159.6, 1.0]]);
    let overlay = server.post("/overlays", &json!({"points": points, "size": 256})).ok(201).json();
    assert_eq!(overlay["points_drawn"], 2);
    assert_eq!(overlay["span"]["unit"], "weight per km²");
    let rejected = overlay["rejected"].to_string();
    assert!(rejected.contains("row 3") && rejected.contains("row 4"), "{rejected}");
    assert!(server.get(overlay["url"].as_str().unwrap()).ok(200).body.len() > 100);
    let [[south, west], [north, east]]: [[f64; 2]; 2] = serde_json::from_value(overlay["bounds"].clone()).unwrap();
    assert!(south < 59.33 && north > 59.86 && west < 17.64 && east > 18.07);
    let objects = json!({"points": [{"lat": 59.33, "lng": 18.07}, {"lat": 59.86, "lng": 17.64}], "size": 64});
    assert_eq!(server.post("/overlays", &objects).ok(201).json()["points_drawn"], 2);
}

#[test]
fn points_for_a_heat_layer_are_returned_up_to_the_limit() {
    let server = Server::with(&[], "[limits]\nanswer_points = 3\n");
    let request = |bounds: Value| json!({"layer": "earthquakes", "png": false, "bounds": bounds});
    let reply = server.post("/overlays", &request(json!("world"))).ok(200).json();
    assert_eq!(
        (reply["points"].as_array().unwrap().len(), &reply["total"], &reply["truncated"]),
        (3, &json!(1707), &json!(true))
    );
    // The latitude is first, as in Leaflet, and the magnitude is the weight.
    let text = std::fs::read_to_string(data("earthquakes.geojson")).unwrap();
    let all = serde_json::from_str::<Value>(&text).unwrap();
    let got: [f64; 3] = serde_json::from_value(reply["points"][0].clone()).unwrap();
    let is_same = |feature: &&Value| {
        let coordinates = &feature["geometry"]["coordinates"];
        let values = [&coordinates[1], &coordinates[0], &feature["properties"]["mag"]];
        got.iter().zip(values).all(|(got, value)| value.as_f64().is_some_and(|value| (got - value).abs() < 1e-6))
    };
    assert_eq!(all["features"].as_array().unwrap().iter().filter(is_same).count(), 1, "{got:?}");
    let nothing = server.post("/overlays", &request(json!([[10.0, 10.0], [10.1, 10.1]]))).ok(200).json();
    assert_eq!((&nothing["points"], &nothing["truncated"]), (&json!([]), &json!(false)));
}

#[test]
fn a_map_zoomed_out_beyond_the_poles_gets_square_pixels() {
    let server = Server::start();
    // The bounds that Leaflet reports for a 1024 x 2048 window at zoom 2: twice the world's height.
    let north = (std::f64::consts::PI * 2.0).sinh().atan().to_degrees();
    let request = json!({"layer": "cities", "bounds": [[-north, -180], [north, 180]], "size": [1024, 2048]});
    let overlay = server.post("/overlays", &request).ok(201).json();
    assert_eq!(overlay["size"], json!([1024, 1024]));
    let corner = overlay["bounds"][1][0].as_f64().unwrap();
    assert!((corner - 85.051_128_78).abs() < 1e-6, "{corner}");
}

#[test]
fn the_world_is_square_and_the_legend_has_the_span_of_the_picture() {
    let server = Server::start();
    let request = json!({"layer": "cities", "bounds": "world", "size": [512, 512]});
    let overlay = server.post("/overlays", &request).ok(201).json();
    assert_eq!(overlay["size"], json!([512, 512]));
    let beyond = "?bounds=-180,-89,180,89&size=512x700";
    let legend = server.get(&format!("/cities/legend.json{beyond}")).ok(200).json();
    let second =
        server.post("/overlays", &json!({"layer": "cities", "bounds": [[-89, -180], [89, 180]], "size": [512, 700]}));
    let vmax = second.ok(201).json()["span"]["vmax"].as_f64().unwrap();
    assert!((legend["span"]["vmax"].as_f64().unwrap() / vmax - 1.0).abs() < 1e-6, "{legend} {vmax}");
    // The picture has the requested height, and is empty beyond the poles.
    let rendered = picture(&server.get("/cities/bbox/-180,-89,180,89/512x700.png").ok(200).body);
    assert_eq!((rendered.width, rendered.height), (512, 700));
    assert!(rendered.pixels[..512 * 4 * 80].chunks(4).all(|pixel| pixel[3] == 0));
}

#[test]
fn rejected_rows_are_reported_only_in_the_response_to_their_request() {
    let server = Server::start();
    let mine = server.post("/overlays", &json!({"points": [[5, 5], ["secret", 3], [6, 6]], "size": 64})).ok(201).json();
    assert!(mine["rejected"].to_string().contains("secret"));
    let other = server.post("/overlays", &json!({"points": [[5, 5], [6, 6]], "size": 64})).ok(200).json();
    assert_eq!((&other["filename"], &other["rejected"]), (&mine["filename"], &Value::Null));
}

#[test]
fn pictures_of_any_bounds_are_cached() {
    let server = Server::start();
    let path = "/cities/bbox/-12,35,32,60/300x250.png?scheme=viridis&curve=linear&agg=count";
    let first = server.get(path).ok(200);
    let rendered = picture(&first.body);
    assert_eq!((rendered.width, rendered.height), (300, 250));
    let again = server.get(path).ok(200);
    assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
    let tag = first.header("etag").unwrap().to_owned();
    server.send("GET", path, &[("if-none-match", &tag)], b"").ok(304);
    // At twice the pixel ratio the dots have the same size on the map.
    let dense = picture(&server.get("/cities/bbox/-12,35,32,60/300x250@2x.png?radius=20").ok(200).body);
    let wide = picture(&server.get("/cities/bbox/-12,35,32,60/600x500.png?radius=40").ok(200).body);
    assert_eq!(dense, wide);
    // No file was written.
    assert!(server.files().is_empty());
    let legend = server.get("/cities/legend.json?bounds=-12,35,32,60&size=300x250&agg=count").ok(200).json();
    assert_eq!(legend["span"]["unit"], "points per km²");
    assert_eq!(legend["colors"].as_array().unwrap().len(), 17);
    assert!(legend["ticks"].as_array().unwrap().len() > 2);
}

#[test]
fn layers_of_files_are_listed_and_filtered() {
    let stops = "lon,lat,weight,kind,time\n18.0,59.3,1,bus,2024-01-01\n18.1,59.4,5,tram,2024-02-01\n18.2,59.5,1,bus,2024-03-01\n";
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("stops.csv"), stops).unwrap();
    let server = Server::at(home, &["stops.csv", "again=stops.csv"]);
    let catalog = server.get("/catalog").ok(200).json();
    let names: BTreeSet<&str> =
        catalog["layers"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["again", "stops"]));
    let rendered = |more: Value| {
        let mut request = json!({"layer": "stops", "bounds": [[59, 17], [60, 19]], "size": 64});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/overlays", &request).ok(201).json()["points_drawn"].clone()
    };
    assert_eq!(rendered(json!({})), 3);
    assert_eq!(rendered(json!({"category": "bus"})), 2);
    assert_eq!(rendered(json!({"category": ["bus", "tram"], "start": "2024-02-01"})), 2);
    assert_eq!(rendered(json!({"end": "2024-02-01"})), 1);
}

#[test]
fn concurrent_identical_requests_are_rendered_once() {
    let server = Server::start();
    let names: BTreeSet<String> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| server.post("/overlays", &europe()).json()["filename"].as_str().unwrap().to_owned())
            })
            .collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    assert_eq!((names.len(), server.files().len()), (1, 1));
}

#[test]
fn layers_on_a_plane_and_the_classic_blend_are_rendered() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("desks.csv"), "x,y\n120,40\n1500,900\n").unwrap();
    let config = "[layers.desks]\ninput = \"desks.csv\"\nprojection = \"plane\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let request = json!({"layer": "desks", "bounds": [[0, 0], [1000, 2000]], "size": [200, 100]});
    let overlay = server.post("/overlays", &request).ok(201).json();
    assert_eq!((&overlay["points_drawn"], &overlay["bounds"]), (&json!(2), &json!([[0.0, 0.0], [1000.0, 2000.0]])));
    assert_eq!(overlay["span"]["unit"], "points per m²");
    let points = server.post("/overlays", &json!({"layer": "desks", "png": false})).ok(200).json();
    assert_eq!(points["points"], json!([[40.0, 120.0, 1.0], [900.0, 1500.0, 1.0]]));
    let own = json!({"points": [[1000, 500], [2000, 700]], "projection": "plane", "png": false});
    assert_eq!(
        server.post("/overlays", &own).ok(200).json()["points"],
        json!([[500.0, 1000.0, 1.0], [700.0, 2000.0, 1.0]])
    );
    let bundled = Server::start();
    let classic = json!({"layer": "cities", "blend": "classic", "dot_size": 30, "size": 200});
    assert_eq!(bundled.post("/overlays", &classic).ok(201).json()["span"], Value::Null);
}

#[test]
fn a_single_number_as_the_size_is_the_longer_side() {
    let server = Server::start();
    for (points, bounds) in [
        (json!([[18.07, 59.33], [-74, 40.7], [151.2, -33.9]]), Value::Null),
        (json!([[0, 85.05], [-180, 10], [180, 10], [17, 40]]), Value::Null),
        (json!([[17, 84.9], [18, -20]]), Value::Null),
        (json!([[17, 40]]), json!([-10, -89, 33.3, 61])),
    ] {
        for size in [256, 333] {
            let request = json!({"points": points, "bounds": bounds, "size": size});
            let overlay = server.post("/overlays", &request).ok(201).json();
            let rendered = picture(&server.get(overlay["url"].as_str().unwrap()).ok(200).body);
            assert_eq!(rendered.width.max(rendered.height), size, "{request}: {}", overlay["size"]);
            assert_eq!(overlay["size"], json!([rendered.width, rendered.height]));
        }
    }
}
