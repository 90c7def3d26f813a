//! Files uploaded by multipart forms, and the media types that browsers and tools send.

use std::io::Write;

use serde_json::{Value, json};

use crate::ingest::{csv, gzip, server};
use crate::kiln::data;
use crate::server::{Reply, Server};

const BOUNDARY: &str = "----WebKitFormBoundaryx7";

/// A part of a form: the text after `form-data; `, the content type (empty if there is none), and the content.
type Part<'p> = (&'p str, &'p str, &'p [u8]);

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = b"a preamble that nobody reads\r\n".to_vec();
    for (disposition, content_type, content) in parts {
        write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n").unwrap();
        if !content_type.is_empty() {
            write!(body, "Content-Type: {content_type}\r\n").unwrap();
        }
        body.extend([b"\r\n", *content, b"\r\n"].concat());
    }
    write!(body, "--{BOUNDARY}--\r\n").unwrap();
    body
}

fn post(server: &Server, path: &str, headers: &[(&str, &str)], parts: &[Part<'_>]) -> Reply {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let headers = [headers, &[("content-type", content_type.as_str())]].concat();
    server.send("POST", path, &headers, &form(parts))
}

#[test]
fn the_files_of_a_form_are_one_commit() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let parquet = std::fs::read(data("cities.parquet")).unwrap();
    let geojson = json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [10, 50]}, "properties": {}});
    let (geojson, gzipped) = (geojson.to_string(), gzip(csv(20)));
    let lines = b"{\"lon\": 1, \"lat\": 2}\n{\"lon\": 3, \"lat\": 4}\n";
    let reply = post(
        &server,
        "/some/points",
        &[],
        &[
            ("name=\"a\"; filename=\"a.csv\"", "text/csv", csv(10).as_bytes()),
            ("name=\"b\"; filename=\"C:\\data\\b.csv\"", "application/vnd.ms-excel", csv(3).as_bytes()),
            ("name=\"file\"; filename=\"c.csv.gz\"", "application/gzip", &gzipped),
            ("name=\"file\"; filename=\"cities.parquet\"", "application/octet-stream", &parquet),
            ("name=\"file\"; filename=\"e.geojson\"", "", geojson.as_bytes()),
            ("name=\"file\"; filename=\"f.txt\"", "text/plain", b"lon;lat\n1;2\nx;2\n3;4\n5;96\n"),
            ("name=\"file\"; filename=\"g\"", "application/x-ndjson", lines),
            ("name=\"data\"", "application/json; charset=utf-8", b"[[1, 2]]"),
            ("name=\"none\"; filename=\"\"", "application/octet-stream", b""),
            ("name=\"blank\"", "", b""),
        ],
    );
    let reply = reply.ok(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(10 + 3 + 20 + 135_233 + 1 + 2 + 2 + 1), &json!(2)));
    let rejected: Vec<(&Value, &Value)> = reply["rejections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rejection| (&rejection["file"], &rejection["row"]))
        .collect();
    assert_eq!(rejected, [(&json!("f.txt"), &json!(2)), (&json!("f.txt"), &json!(4))]);
    assert_eq!(server.metric("kiln_layer_commits{layer=\"some\"} "), 1);
    assert_eq!(server.get("/some/statistics?zoom=0").ok(200).json()["points"], reply["accepted"]);

    // If one file cannot be read, none is added.
    let good = ("name=\"a\"; filename=\"good.csv\"", "text/csv", csv(10));
    let good: Part<'_> = (good.0, good.1, good.2.as_bytes());
    for (bad, status, words) in [
        (("name=\"b\"; filename=\"bad.csv\"", "text/csv", &b"a,b\n1,2\n"[..]), 400, &["bad.csv: ", "longitude"][..]),
        (("name=\"b\"; filename=\"bad.csv\"", "text/csv", b""), 400, &["bad.csv: ", "input is empty"]),
        (("name=\"b\"; filename=\"bad.png\"", "image/png", b"x"), 415, &["bad.png: ", "image/png", "text/csv"]),
        (("name=\"b\"; filename=\"bad.gz\"", "application/gzip", &gzipped[..30]), 400, &["decompressed"]),
        (("name=\"b\"; filename=\"bad.json\"", "", b"[[1,2],[3,"), 400, &["bad.json: "]),
    ] {
        for parts in [[good, bad], [bad, good]] {
            post(&server, "/some/points", &[], &parts).rejected(status, words);
        }
    }
    assert_eq!(server.get("/some/statistics?zoom=0").ok(200).json()["points"], reply["accepted"]);
}

#[test]
fn fields_before_the_files_are_parameters() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let file: Part<'_> = ("name=\"file\"; filename=\"a.csv\"", "text/csv", b"o,a,fare\n1,2,7\n");
    let field = |name: &'static str, text: &'static [u8]| -> Part<'static> { (name, "", text) };
    let (lon, lat, weight) = (field("name=\"lon\"", b"o"), field("name=lat", b"a"), field("name=\"weight\"", b"fare"));
    let usual: Part<'_> = ("name=\"file\"; filename=\"b.csv\"", "text/csv", b"lon,lat,fare\n1,2,7\n");
    let reply = post(&server, "/some/points?lat=a", &[], &[lon, weight, file, file]).ok(200).json();
    assert_eq!(reply["accepted"], 2);
    assert_eq!(server.totals("some"), (2, 14.0));
    for (query, parts, words) in [
        ("", &[usual, weight][..], &["weight: ", "parameters before the files"][..]),
        ("", &[lon, file], &["a.csv: ", "lat"]),
        ("?lon=o", &[lon, lat, file], &["lon: ", "twice"]),
        ("", &[field("name=\"wieght\"", b"x"), file], &["wieght: ", "did you mean weight"]),
        ("", &[lon, lat], &["no file", "-F file=@points.csv"]),
        ("", &[], &["no file"]),
        ("", &[field("", b"x"), file], &["neither a name nor a filename"]),
    ] {
        post(&server, &format!("/some/points{query}"), &[], parts).rejected(400, words);
    }
    let long = [b'x'; 9000];
    post(&server, "/some/points", &[], &[("name=\"lon\"", "", &long)]).rejected(400, &["lon: ", "8192"]);
    assert_eq!(server.totals("some").0, 2);
}

#[test]
fn limits_apply_to_all_files_of_a_form_together() {
    let server = server("[limits]\ningest_body = \"20KiB\"\ningest_points = 500\n");
    server.put("some", &json!({})).ok(201);
    let name = "name=\"file\"; filename=\"a.csv\"";
    let (above_half, exact_half) = (csv(300), csv(250));
    post(&server, "/some/points", &[], &[(name, "", above_half.as_bytes()), (name, "", above_half.as_bytes())])
        .rejected(413, &["limits.ingest_points", "500"]);
    let blank = format!("lon,lat\n1,2\n{}", " ".repeat(9000));
    post(&server, "/some/points", &[], &[(name, "", blank.as_bytes()); 2]).ok(200);
    post(&server, "/some/points", &[], &[(name, "", blank.as_bytes()); 3]).rejected(413, &["limits.ingest_body"]);
    // Compressed files count by their decompressed size.
    let bomb = gzip(format!("lon,lat\n{}", "1,2\n".repeat(1 << 17)));
    assert!(bomb.len() < 20_000);
    post(&server, "/some/points", &[], &[(name, "application/gzip", &bomb)]).rejected(413, &["limits.ingest_body"]);
    assert_eq!(server.totals("some").0, 2);
    post(&server, "/some/points", &[], &[(name, "", exact_half.as_bytes()), (name, "", exact_half.as_bytes())]).ok(200);
    assert_eq!(server.totals("some").0, 502);
}

#[test]
fn a_malformed_or_compressed_form_adds_nothing() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let complete = form(&[("name=\"file\"; filename=\"a.csv\"", "text/csv", csv(1000).as_bytes())]);
    let send = |content_type: &str, more: &[(&str, &str)], body: &[u8]| {
        let headers = [more, &[("content-type", content_type)]].concat();
        server.send("POST", "/some/points", &headers, body)
    };
    let typed = format!("multipart/form-data; boundary={BOUNDARY}");
    send("multipart/form-data", &[], &complete).rejected(400, &["boundary"]);
    send("multipart/mixed; boundary=x", &[], &complete).rejected(415, &["multipart/mixed"]);
    send("multipart/form-data; boundary=other", &[], &complete).rejected(400, &["form"]);
    send(&typed, &[("content-encoding", "gzip")], &gzip(&complete)).rejected(415, &["must not be compressed"]);
    for length in [0, 20, 100, 2000, complete.len() - 10] {
        send(&typed, &[], &complete[..length]).rejected(400, &["form"]);
    }
    // Preambles and headers without an end are not buffered.
    let preamble = vec![b'x'; 3_000_000];
    let endless = format!("--{BOUNDARY}\r\nX: {}", "x".repeat(3_000_000));
    for body in [&preamble[..], endless.as_bytes()] {
        send(&typed, &[], body).rejected(400, &["the form cannot be read"]);
    }
    assert_eq!(server.totals("some").0, 0);
    assert_eq!(send(&format!("{typed}; charset=utf-8"), &[], &complete).ok(200).json()["accepted"], 1000);
}

#[test]
fn a_form_repeated_with_its_key_counts_once_whatever_its_boundary() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let key = ("idempotency-key", "7f3a");
    let text = csv(50_000);
    let file: Part<'_> = ("name=\"file\"; filename=\"a.csv\"", "text/csv", text.as_bytes());
    let send = |parts: &[Part<'_>]| post(&server, "/some/points", &[key], parts);
    assert_eq!(send(&[file, file]).ok(200).json()["repeated"], false);
    let again = String::from_utf8(form(&[file, file])).unwrap().replace(BOUNDARY, "another");
    let typed = ("content-type", "multipart/form-data; boundary=another");
    let again = server.send("POST", "/some/points", &[key, typed], again.as_bytes()).ok(200).json();
    assert_eq!((&again["repeated"], &again["accepted"]), (&json!(true), &json!(100_000)));
    send(&[file]).rejected(422, &["Idempotency-Key"]);
    send(&[file, ("name=\"file\"; filename=\"b.csv\"", "text/csv", text.as_bytes())])
        .rejected(422, &["Idempotency-Key"]);
    assert_eq!(server.totals("some").0, 100_000);
}

#[test]
fn media_types_that_browsers_and_tools_send_are_accepted() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let geojson =
        "{\"type\": \"Feature\", \"geometry\": {\"type\": \"Point\", \"coordinates\": [10, 50]}, \"properties\": {}}";
    for (media_type, body, accepted) in [
        ("text/tab-separated-values", "lon\tlat\n1\t2\n".to_owned(), 1),
        ("text/tsv", "lon\tlat\n1\t2\n".to_owned(), 1),
        ("application/csv", csv(3), 3),
        ("text/x-csv", csv(3), 3),
        ("application/vnd.ms-excel", csv(3), 3),
        ("text/plain", csv(3), 3),
        ("text/plain", "[[1, 2]]".to_owned(), 1),
        ("application/gzip", csv(3), 3),
        ("application/jsonl", "{\"lon\": 1, \"lat\": 2}\n{\"lon\": 3, \"lat\": 4}\n".to_owned(), 2),
        ("application/ndjson", "{\"lon\": 1, \"lat\": 2}\n".to_owned(), 1),
        ("application/json-seq", "\u{1E}{\"lon\": 1, \"lat\": 2}\n\u{1E}{\"lon\": 1, \"lat\": 2}\n".to_owned(), 2),
        ("application/geo+json-seq", format!("\u{1E}{geojson}\n\u{1E}{geojson}\n"), 2),
        ("application/geo+json-seq", format!("{geojson}\n{geojson}\n{geojson}\n"), 3),
        ("Application/Vnd.Geo+Json; charset=utf-8", geojson.to_owned(), 1),
    ] {
        let reply = server.points("some", media_type, &body).ok(200).json();
        assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(accepted), &json!(0)), "{media_type}: {body}");
    }
    for media_type in ["application/gzip", "application/x-gzip", "application/octet-stream", "text/csv"] {
        assert_eq!(server.points("some", media_type, gzip(csv(3))).ok(200).json()["accepted"], 3, "{media_type}");
    }
    let zstd = zstd::encode_all(csv(3).as_bytes(), 1).unwrap();
    assert_eq!(server.points("some", "application/zstd", zstd).ok(200).json()["accepted"], 3);
    // An Excel workbook is rejected, even under a media type that is used for CSV files.
    server
        .points("some", "application/vnd.ms-excel", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0")
        .rejected(400, &["not Parquet, Arrow or UTF-8 text"]);
    server.points("some", "application/vnd.ms-excel", b"PK\x03\x04").rejected(400, &["spreadsheet"]);
    let api = server.get("/openapi.json").ok(200).json();
    let listed = api["paths"]["/{layer}/points"]["post"]["requestBody"]["content"].as_object().unwrap();
    // Generated clients cannot represent a longer list.
    for media_type in ["multipart/form-data", "text/csv", "application/json", "application/geo+json"] {
        assert!(listed.contains_key(media_type), "{media_type}: {:?}", listed.keys());
    }
}

#[test]
fn the_first_points_name_the_weights_of_an_unnamed_layer() {
    let server = server("");
    let rows = b"px,py,kwh\n1,2,5\n3,4,6\n";
    let text = |name: &'static str, value: &'static [u8]| (name, "", value);
    let form = [
        text("name=\"lon\"", b"px"),
        text("name=\"lat\"", b"py"),
        text("name=\"weight\"", b"kwh"),
        ("name=\"file\"; filename=\"drop.csv\"", "text/csv", &rows[..]),
    ];
    let query = "lon=px&lat=py&weight=kwh";
    let name = |layer: &str| {
        let unit = server.get(&format!("/{layer}/legend.json")).ok(200).json()["span"]["unit"].clone();
        unit.as_str().unwrap_or_default().to_owned()
    };
    for layer in ["form", "csv", "json"] {
        server.put(layer, &json!({})).ok(201);
        match layer {
            "form" => drop(post(&server, "/form/points", &[], &form).ok(200)),
            "csv" => drop(server.send("POST", &format!("/csv/points?{query}"), &[], rows).ok(200)),
            _ => {
                let json = br#"[{"px": 1, "py": 2, "kwh": 5}, {"px": 3, "py": 4, "kwh": 6}]"#;
                let headers = [("content-type", "application/json")];
                drop(server.send("POST", &format!("/json/points?{query}"), &headers, json).ok(200));
            }
        }
        assert_eq!(name(layer), "kwh per km²", "{layer}");
        // Only the first points name the weights.
        let later = b"lon,lat,mag\n1,2,5\n";
        server.send("POST", &format!("/{layer}/points?weight=mag"), &[], later).ok(200);
        assert_eq!(name(layer), "kwh per km²", "{layer}");
    }
    server.put("named", &json!({"weight": "energy"})).ok(201);
    server.send("POST", &format!("/named/points?{query}"), &[], rows).ok(200);
    assert_eq!(name("named"), "energy per km²");
}
