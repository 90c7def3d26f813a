//! Formats of input files: each file contains the same two points, Lisbon and Cape Town.

use std::fs;

use crate::import::layer;
use crate::kiln::kiln;

/// The west, south, east and north bounds of the two points.
const BOUNDS: [f64; 4] = [-9.14, -33.92, 18.42, 38.72];

/// A description, the name and the content of a file, and additional flags.
type FormatCase = (&'static str, &'static str, &'static [u8], &'static [&'static str]);

/// Files that contain the two points.
const FORMATS: &[FormatCase] = &[
    ("plain columns", "a.csv", b"lon,lat\n-9.14,38.72\n18.42,-33.92\n", &[]),
    ("a pair of names", "a.csv", b"id,site_lat,site_lon\n1,38.72,-9.14\n2,-33.92,18.42\n", &[]),
    ("long names with a unit", "a.csv", b"Latitude (deg),Longitude (deg)\n38.72,-9.14\n-33.92,18.42\n", &[]),
    ("E7 integers", "a.csv", b"latE7,lonE7\n387200000,-91400000\n-339200000,184200000\n", &[]),
    ("numbers of columns", "a.csv", b"m;1;38.72;-9.14\nm;2;-33.92;18.42\nm;3;;\n", &["--lon", "4", "--lat", "3"]),
    ("WKT", "a.csv", b"id,geom\n1,POINT (-9.14 38.72)\n2,\"SRID=4326;POINT(18.42 -33.92)\"\n", &[]),
    ("GeoJSON texts", "a.tsv", b"id\tgeometry\n1\t{\"type\":\"Point\",\"coordinates\":[-9.14,38.72]}\n2\t[18.42,-33.92]\n", &[]),
    ("hexadecimal EWKB", "a.csv", b"g\n0101000020E610000048E17A14AE4722C05C8FC2F5285C4340\n0101000020E6100000EC51B81E856B3240F6285C8FC2F540C0\n", &["--geometry", "g"]),
    ("pairs", "a.csv", b"id,location\n1,\"(38.72, -9.14)\"\n2,\"(-33.92, 18.42)\"\n", &[]),
    ("degrees, minutes and seconds", "a.csv", "lat;lon\n38°43'12\"N;9°08'24\"W\n33°55'12\"S;18°25'12\"E\n".as_bytes(), &[]),
    ("hemispheres behind numbers", "a.csv", b"lat,lon\n38.72N,9.14W\n33.92S,18.42E\n", &[]),
    ("hemispheres in columns", "a.csv", b"LATITUDE,N/S,LONGITUDE,E/W\n38.72,N,9.14,W\n33.92,S,18.42,E\n", &[]),
    ("decimal commas", "a.csv", b"lon;lat\n-9,14;38,72\n18,42;-33,92\n", &[]),
    ("spaces", "a.txt", b"#lon   lat\n-9.14  38.72\n18.42 -33.92\n", &[]),
    ("a title, comments and sep=", "a.csv", b"sep=;\n# of a logger\nlon;lat\n-9.14;38.72\n18.42;-33.92\n", &[]),
    ("a title line", "a.csv", b"Stations of 2024\n\nlon,lat\n-9.14,38.72\n18.42,-33.92\n", &[]),
    ("carriage returns", "a.csv", b"lon,lat\r-9.14,38.72\r18.42,-33.92\r", &[]),
    ("quotes that are text", "a.tsv", b"place\tlon\tlat\n\"A\t-9.14\t38.72\nB\"\t18.42\t-33.92\n", &[]),
    ("UTF-16", "a.csv", b"\xFF\xFEl\x00o\x00n\x00,\x00l\x00a\x00t\x00\n\x00-\x009\x00.\x001\x004\x00,\x003\x008\x00.\x007\x002\x00\n\x001\x008\x00.\x004\x002\x00,\x00-\x003\x003\x00.\x009\x002\x00\n\x00", &[]),
    ("a code page", "a.csv", b"L\xE4nge;Breite\n-9.14;38.72\n18.42;-33.92\n", &["--encoding", "windows-1252", "--lon", "L\u{e4}nge", "--lat", "Breite"]),
    ("records under a key", "a.json", br#"{"now":1,"data":[{"lat":38.72,"lng":-9.14},{"lat":-33.92,"lng":18.42}]}"#, &[]),
    ("records at a path", "a.json", br#"{"a":[{"x":1}],"b":{"c":[{"p":{"lat":38.72,"lon":-9.14}},{"p":{"lat":-33.92,"lon":18.42}}]}}"#, &["--records", "b.c"]),
    ("lists with the latitude first", "a.json", b"[[38.72,-9.14,1],[-33.92,18.42,2]]", &["--order", "lat-lon"]),
    ("NaN in members that are not read", "a.ndjson", b"{\"lon\":-9.14,\"lat\":38.72,\"z\":NaN}\n{\"lon\":18.42,\"lat\":-33.92,\"z\":-Infinity}\n", &[]),
    ("Web Mercator", "a.geojson", br#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::3857"}},"features":[{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[-1017460.1458,4681642.9674]}},{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[2050505.0204,-4018065.0324]}}]}"#, &[]),
    ("degrees near WGS 84", "a.csv", b"lon,lat\n-9.14,38.72\n18.42,-33.92\n", &["--crs", "EPSG:4258"]),
    ("GPX", "a.gpx", b"<gpx version='1.1'><wpt lat='38.72' lon='-9.14'/><trk><trkseg><trkpt lat='-33.92' lon='18.42'/></trkseg></trk></gpx>", &[]),
    ("KML", "a.kml", b"<kml><Document><Placemark><Point><coordinates>-9.14,38.72</coordinates></Point></Placemark><Placemark><Point><coordinates>18.42,-33.92,5</coordinates></Point></Placemark></Document></kml>", &[]),
];

/// Two values of a column `date` that are the same time, and the flags to read them.
const TIMES: &[(&str, &str, &[&str])] = &[
    ("2024-05-01T15:15:00Z", "2024-05-01 17:15 +02:00", &[]),
    ("2024-05-01 15:15:00 UTC", "2024/05/01 15:15", &[]),
    ("2024-5-1 15:15:00.1234567890", "2024-05-01T15:15:00.123456", &[]),
    ("1.5.2024 15:15", "01.05.2024 15:15", &[]),
    ("05/01/2024 03:15 PM", "05/01/2024 3:15:00 pm", &[]),
    ("01/05/2024 15:15", "1/5/24 15:15", &["--day-first"]),
    ("Wed, 01 May 2024 15:15:00 GMT", "Wed May 01 15:15:00 +0000 2024", &[]),
    ("1 May 2024 15:15", "01-May-2024 15:15", &[]),
    ("20240501151500", "202405011515", &[]),
    ("1714576500", "1714576500000", &[]),
    ("45413.635416666664", "45413.635416666664", &["--time-format", "excel"]),
    ("2024|122|15.15", "2024|122|15.15", &["--time-format", "%Y|%j|%H.%M"]),
];

#[test]
fn coordinates_are_read_in_common_notations() {
    for (description, name, content, flags) in FORMATS {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(name), content).unwrap();
        kiln(home.path(), ["import", name, "--layer", "a"].iter().chain(*flags)).done();
        let layer = layer(home.path(), "a");
        assert_eq!(layer["points"], 2, "{description}: {layer}");
        let bounds: Vec<f64> = layer["bounds"].as_array().unwrap().iter().map(|edge| edge.as_f64().unwrap()).collect();
        let is_near = bounds.iter().zip(BOUNDS).all(|(edge, expected)| (edge - expected).abs() < 1e-5);
        assert!(is_near && bounds.len() == 4, "{description}: {bounds:?}");
    }
}

#[test]
fn times_are_read_in_common_notations() {
    for (first, second, flags) in TIMES {
        let home = tempfile::tempdir().unwrap();
        let csv = format!("lon,lat,date\n1,2,\"{first}\"\n3,4,\"{second}\"\n");
        fs::write(home.path().join("a.csv"), csv).unwrap();
        kiln(home.path(), ["import", "a.csv", "--layer", "a"].iter().chain(*flags)).done();
        let layer = layer(home.path(), "a");
        let is_expected = |end: &str| layer["time"][end].as_str().unwrap().starts_with("2024-05-01T15:15:00");
        assert!(is_expected("first") && is_expected("last"), "{first}: {layer}");
        assert_eq!((&layer["points"], &layer["time"]["without"]), (&2.into(), &0.into()), "{first}");
    }
}
