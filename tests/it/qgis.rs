//! Layer definitions for QGIS. `scripts/qgis.sh` opens them in QGIS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::keys::{SECRET_A, hash_of_a};
use crate::server::Server;

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

/// Decodes `%41`.
fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_layer_definition_has_the_tiles_the_title_and_the_legend_of_the_layer() {
    let home = tempfile::tempdir().unwrap();
    let config = format!(
        "[layers.trips]\ninput = \"a.csv\"\ntitle = \"Trips & more\"\nattribution = \"© <A>\"\n[keys.a]\nhash = \"{}\"\n",
        hash_of_a()
    );
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    std::fs::write(home.path().join("a.csv"), "lon,lat,category\n18.06,59.33,\"a, b\"\n18.1,59.4,c\n").unwrap();
    let server = Server::at(home, &[]);
    let key = SECRET_A.0;
    let reply = server.get(&format!("/trips/qgis.qlr?scheme=fire&category=%5B%22a%2C%20b%22%5D&key={key}")).ok(200);
    assert_eq!(reply.header("content-type"), Some("application/xml"));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=\"trips.qlr\""));
    let text = reply.text();
    assert_eq!(between(&text, "<layername>", "<"), "Trips &amp; more");
    assert_eq!(between(&text, "<rights>", "</rights>"), "© &lt;A&gt;");

    let source = between(&text, "<datasource>", "<").replace("&amp;", "&");
    let (zooms, url) = source.split_once("&url=").unwrap();
    assert_eq!(zooms, "type=xyz&zmin=0&zmax=24");
    let url = percent_decoded(url);
    let tile_json = server.get(&format!("/trips?scheme=fire&category=%5B%22a%2C%20b%22%5D&key={key}")).json();
    // Without the version: QGIS would keep the tiles of a version in its cache.
    let version = format!("&v={}", tile_json["kiln"]["version"].as_str().unwrap());
    assert_eq!(url, tile_json["tiles"][0].as_str().unwrap().replace(&version, ""));
    let path = url.strip_prefix(&format!("http://{}", server.address())).unwrap();
    server.get(&path.replace("{z}/{x}/{y}", "9/281/150")).ok(200);

    let zoom = &tile_json["center"][2];
    let legend = STANDARD.decode(between(&text, "base64:", "\"")).unwrap();
    let legend_of = |title: &str, style: &str| {
        let query = format!("zoom={zoom}&title={title}&category=%5B%22a%2C%20b%22%5D&scheme=fire&key={key}{style}");
        server.get(&format!("/trips/legend.png?{query}")).ok(200).body
    };
    assert!(legend == legend_of(&format!("Trips%20%26%20more,%20zoom%20{zoom}"), ""), "another legend");
    let fixed =
        server.get(&format!("/trips/qgis.qlr?scheme=fire&vmin=0&vmax=9&category=%5B%22a%2C%20b%22%5D&key={key}"));
    let legend = STANDARD.decode(between(&fixed.ok(200).text(), "base64:", "\"")).unwrap();
    assert!(legend == legend_of("Trips%20%26%20more", "&vmin=0&vmax=9"), "another legend");
    // QGIS 3.22 decodes the URL twice: nothing may change its parts then.
    let colors = "gradient=%23ff0000%2010%25,blue&background=%23fff";
    let reply = server.get(&format!("/trips/qgis.qlr?{colors}&key={key}")).ok(200);
    let source = between(&reply.text(), "<datasource>", "<").replace("&amp;", "&");
    let twice = percent_decoded(&percent_decoded(source.split_once("&url=").unwrap().1));
    assert!(twice.contains("?gradient=ff0000ff 0.1,0000ffff 1&background=ffffff&key="), "{twice}");
    let path = twice.strip_prefix(&format!("http://{}", server.address())).unwrap().replace(' ', "%20");
    let tile = server.get(&path.replace("{z}/{x}/{y}", "9/281/150")).ok(200).body;
    let expected = server.get(&format!("/trips/9/281/150.png?{colors}&key={key}"));
    assert!(tile == expected.body, "other colors");
    server.get(&format!("/trips/qgis.qlr?category=A%26B&key={key}")).rejected(400, &["category", "A&B", "`&`", "QGIS"]);
    server.get("/trips/qgis.qlr").rejected(401, &["key"]);
    server.get(&format!("/trips/qgis.qlr?size=512&key={key}")).rejected(400, &["size"]);
}
