//! Superoverlays: where a client that follows the links shows the points, also GDAL.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::golden::Picture;
use crate::keys::{SECRET_A, hash_of_a};
use crate::server::Server;

const STOCKHOLM: (f64, f64) = (18.0686, 59.3293);
const USHUAIA: (f64, f64) = (-68.3030, -54.8019);

/// A server with the layer `stops` of one point.
fn serve((lon, lat): (f64, f64)) -> Server {
    let home = tempfile::tempdir().unwrap();
    let rows = format!("lon,lat,time,category\n{lon},{lat},2024-05-01T12:00:00Z,bus\n");
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    Server::at(home, &["stops.csv"])
}

/// The contents of the elements of a name.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(start.as_str()).skip(1).map(|rest| rest.split(end.as_str()).next().unwrap()).collect()
}

/// The links of a document, as paths on the server.
fn paths(server: &Server, xml: &str, element: &str) -> Vec<String> {
    let root = format!("http://{}", server.address());
    let urls = elements(xml, element).into_iter().flat_map(|link| elements(link, "href"));
    urls.map(|url| url.strip_prefix(&root).unwrap().replace("&amp;", "&")).collect()
}

/// North, south, east and west of a box.
fn sides(xml: &str) -> [f64; 4] {
    ["north", "south", "east", "west"].map(|side| elements(xml, side)[0].parse().unwrap())
}

fn contains(xml: &str, (lon, lat): (f64, f64)) -> bool {
    let [north, south, east, west] = sides(xml);
    (south..=north).contains(&lat) && (west..=east).contains(&lon)
}

fn get(server: &Server, path: &str) -> String {
    let reply = server.get(path).ok(200);
    assert_eq!(reply.header("content-type"), Some("application/vnd.google-earth.kml+xml"));
    reply.text().into_owned()
}

/// The documents of the tiles that contain a position, from zoom 0: all links to them are followed.
fn follow(server: &Server, root: &str, position: (f64, f64), zooms: usize) -> Vec<String> {
    let mut documents = vec![get(server, root)];
    for _ in 0..zooms {
        let document = documents.last().unwrap();
        let links: Vec<&str> =
            elements(document, "NetworkLink").into_iter().filter(|link| contains(link, position)).collect();
        assert_eq!(links.len(), 1, "{document}");
        let path = &paths(server, &format!("<NetworkLink>{}</NetworkLink>", links[0]), "NetworkLink")[0];
        documents.push(get(server, path));
    }
    documents.remove(0);
    documents
}

/// Where the pictures of a document show the center of the only dot, in degrees, and the degrees per pixel.
fn center_of_dot(server: &Server, document: &str) -> ((f64, f64), [f64; 2]) {
    let (mut sum, mut lon, mut lat, mut degrees) = (0.0, 0.0, 0.0, [0.0; 2]);
    for overlay in elements(document, "GroundOverlay") {
        let path = &paths(server, &format!("<Icon>{}</Icon>", elements(overlay, "Icon")[0]), "Icon")[0];
        let picture = Picture::decode(Cursor::new(server.get(path).ok(200).body)).unwrap();
        let [north, south, east, west] = sides(elements(overlay, "LatLonBox")[0]);
        let per_px = [(east - west) / picture.width as f64, (north - south) / picture.height as f64];
        for (i, pixel) in picture.pixels.chunks(4).enumerate().filter(|(_, pixel)| pixel[3] > 0) {
            let (column, row) = ((i % picture.width) as f64 + 0.5, (i / picture.width) as f64 + 0.5);
            let amount = f64::from(pixel[3]);
            sum += amount;
            lon += amount * (west + column * per_px[0]);
            lat += amount * (north - row * per_px[1]);
            degrees = [degrees[0] + amount * per_px[0], degrees[1] + amount * per_px[1]];
        }
    }
    assert!(sum > 0.0, "no dot in {document}");
    ((lon / sum, lat / sum), degrees.map(|degrees| degrees / sum))
}

#[test]
fn the_pictures_of_all_zooms_have_a_point_at_its_place() {
    for position in [STOCKHOLM, USHUAIA] {
        let server = serve(position);
        let documents = follow(&server, "/stops/doc.kml?radius=2&gradient=transparent,black", position, 17);
        for (zoom, document) in documents.iter().enumerate() {
            let ((lon, lat), [lon_per_px, lat_per_px]) = center_of_dot(&server, document);
            let miss_px = [(lon - position.0) / lon_per_px, (lat - position.1) / lat_per_px];
            // Half a pixel for the grid of pixels, and one for the even rows of KML.
            assert!(miss_px.iter().all(|px| px.abs() < 1.5), "zoom {zoom}: {miss_px:?} pixels");
            let regions = elements(document, "Region");
            assert!(regions.iter().all(|region| contains(region, position)) || zoom < 17, "{document}");
        }
    }
}

#[test]
fn the_whole_world_is_visible_from_any_distance_and_each_zoom_replaces_the_one_above() {
    let server = serve(STOCKHOLM);
    let documents = follow(&server, "/stops/doc.kml", STOCKHOLM, 25);
    for (zoom, document) in documents.iter().enumerate() {
        let is_last = zoom + 1 == documents.len();
        assert_eq!(elements(document, "NetworkLink").is_empty(), is_last, "zoom {zoom}");
        let overlay = elements(document, "GroundOverlay")[0];
        assert_eq!(elements(overlay, "minLodPixels"), [if zoom == 0 { "0" } else { "128" }]);
        assert_eq!(elements(overlay, "maxLodPixels"), if is_last { vec![] } else { vec!["320"] });
        assert_eq!(elements(overlay, "drawOrder"), [zoom.to_string()]);
    }
    server.get("/stops/doc.kml?tile=25/0/0").rejected(400, &["tile", "4/8/5", "0 to 24"]);
}

#[test]
fn gdal_reads_a_superoverlay_with_the_point_at_its_place() {
    let server = serve(STOCKHOLM);
    let folder = tempfile::tempdir().unwrap();
    // Zooms of one picture per tile. GDAL reads links and pictures of a folder, by names that end in .kml and .png.
    let documents = follow(&server, "/stops/doc.kml?radius=8&gradient=transparent,black", STOCKHOLM, 12);
    for (zoom, document) in documents.iter().enumerate().skip(9) {
        let mut local = document.clone();
        for (i, path) in paths(&server, document, "Icon").iter().enumerate() {
            let name = format!("{zoom}-{i}.png");
            std::fs::write(folder.path().join(&name), server.get(path).ok(200).body).unwrap();
            local = local.replace(&escaped(&server, path), &name);
        }
        let links = elements(document, "NetworkLink");
        let next = links.into_iter().find(|link| zoom < 11 && contains(link, STOCKHOLM));
        for link in elements(document, "NetworkLink").into_iter().filter(|link| Some(*link) != next) {
            local = local.replace(&format!("<NetworkLink>{link}</NetworkLink>"), "");
        }
        if let Some(link) = next {
            local = local.replace(elements(link, "href")[0], &format!("{}.kml", zoom + 1));
        }
        std::fs::write(folder.path().join(format!("{zoom}.kml")), local).unwrap();
    }
    let file = folder.path().join("9.kml");
    let info = crate::geotiff::gdalinfo(&file);
    assert_eq!(info["driverShortName"], "KMLSUPEROVERLAY");
    assert_eq!(info["size"], json!([1024, 1024]));
    let (lon, lat) = STOCKHOLM;
    // A pixel of zoom 11 is 0.00069° wide.
    for (east, north, is_dot) in [(0.0, 0.0, true), (0.002, 0.001, true), (0.02, 0.0, false), (0.0, -0.01, false)] {
        let index = index_at(&file, lon + east, lat + north);
        assert_eq!(index > 0, is_dot, "{east}° to the east and {north}° to the north: {index}");
    }
}

/// The URL of a path as a document has it.
fn escaped(server: &Server, path: &str) -> String {
    format!("http://{}{}", server.address(), path.replace('&', "&amp;"))
}

/// The index of a color at a position: GDAL returns the indices of these pictures, without their palette.
fn index_at(file: &Path, lon: f64, lat: f64) -> u8 {
    let mut run = Command::new("gdallocationinfo");
    run.args(["-valonly", "-wgs84", "-b", "1"]).arg(file).args([lon.to_string(), lat.to_string()]);
    let output = run.output().unwrap_or_else(|error| panic!("cannot run gdallocationinfo ({error}): install gdal-bin"));
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("{text} {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn links_have_the_style_the_filter_and_the_key_of_the_request() {
    let home = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\ntoken = \"s3cret\"\nsigning_secret = \"sign-me-sign-me-sign-me\"\n[layers.stops]\ninput = \"stops.csv\"\n\
         [keys.a]\nhash = \"{}\"\nrights = [\"read\", \"sign\"]\n",
        hash_of_a()
    );
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let rows = "lon,lat,time,category\n18.0686,59.3293,2024-05-01T12:00:00Z,bus\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    let server = Server::at(home, &[]);
    server.get("/stops/doc.kml").rejected(401, &["key"]);
    let style = "scheme=fire&radius=20px&start=2024-05-01T00:00:00Z&category=%5B%22bus%22%5D";
    let by_header = server.send("GET", &format!("/stops/doc.kml?{style}"), &[("authorization", SECRET_A.1)], b"");
    assert!(!by_header.ok(200).text().contains("key="), "a key in a header is not for links");
    let sign = json!({"prefix": "/stops", "expires_in": "1h", "pinned": {"opacity": "0.5"}}).to_string();
    let headers = [("authorization", SECRET_A.1), ("content-type", "application/json")];
    let signature = server.send("POST", "/sign", &headers, sign.as_bytes()).ok(200).json();
    let signature = signature["query"].as_str().unwrap();
    for (access, parts) in [
        (&*format!("key={}", SECRET_A.0), vec![format!("key={}", SECRET_A.0)]),
        (signature, vec!["sig=".to_owned(), "opacity=0.5".to_owned()]),
    ] {
        // Each link is followed with what it carries on.
        let documents = follow(&server, &format!("/stops/doc.kml?{style}&{access}"), STOCKHOLM, 11);
        let root = get(&server, &format!("/stops/doc.kml?{style}&{access}"));
        for document in documents.iter().chain([&root]) {
            for path in [paths(&server, document, "Icon"), paths(&server, document, "Link")].concat() {
                for part in style.split('&').chain(parts.iter().map(String::as_str)) {
                    assert!(path.contains(part), "{path} lacks {part}");
                }
            }
        }
        for path in [paths(&server, &root, "Icon"), paths(&server, &documents[2], "Icon")].concat() {
            server.get(&path).ok(200);
        }
        center_of_dot(&server, &documents[10]);
    }
}

#[test]
fn the_root_has_the_title_and_a_legend_of_a_zoom_or_of_all() {
    let config = "[layers.a]\ninput = \"a.csv\"\ntitle = \"Tom & \\\"Jerry\\\" <2>\"\nattribution = \"A & B\"\n";
    let home = tempfile::tempdir().unwrap();
    let long = format!("[layers.long]\ninput = \"a.csv\"\ntitle = \"{}\"\n", "ä".repeat(300));
    std::fs::write(home.path().join("kiln.toml"), format!("{config}{long}")).unwrap();
    std::fs::write(home.path().join("a.csv"), "lon,lat\n10,50\n11,51\n").unwrap();
    let server = Server::at(home, &[]);
    let root = server.get("/a/doc.kml").ok(200);
    assert_eq!(root.header("content-disposition"), Some("attachment; filename=\"a.kml\""));
    let root = root.text().into_owned();
    assert_eq!(elements(&root, "name")[0], "Tom &amp; &quot;Jerry&quot; &lt;2&gt;");
    assert_eq!(elements(&root, "description"), ["2 points&lt;br&gt;A &amp;amp; B"]);
    let zoom = server.get("/a").json()["center"][2].clone();
    let legend = &paths(&server, &root, "Icon")[0];
    assert!(legend.contains(&format!("/legend.png?zoom={zoom}&title=Tom")) && legend.contains("zoom%20"), "{legend}");
    server.get(legend).ok(200);
    // A title that is too long for a legend.
    server.get(&paths(&server, &get(&server, "/long/doc.kml"), "Icon")[0]).ok(200);
    server.get("/long/qgis.qlr").ok(200);
    let fixed = get(&server, "/a/doc.kml?vmin=0&vmax=5");
    assert!(!paths(&server, &fixed, "Icon")[0].contains("zoom%20"));
}

#[test]
fn a_layer_on_a_plane_has_no_superoverlay_and_no_qgis_layer() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("floor.csv"), "x,y\n1,2\n3,4\n").unwrap();
    let server = Server::at(home, &["floor.csv", "--crs", "plane"]);
    server.get("/floor/doc.kml").rejected(400, &["the layer is on a plane", "KML"]);
    server.get("/floor/qgis.qlr").rejected(400, &["the layer is on a plane", "QGIS"]);
}
