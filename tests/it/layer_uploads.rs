//! Files that create and replace layers of a running server, and the columns that the page shows before.

use serde_json::{Value, json};

use crate::ingest::{csv, gzip, server};
use crate::kiln::data;
use crate::server::{Reply, Server};

impl Server {
    fn upload(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
        self.send("PUT", path, headers, body.as_ref())
    }

    fn inspect(&self, query: &str, body: impl AsRef<[u8]>) -> Reply {
        self.send("POST", &format!("/_/inspect?{query}"), &[], body.as_ref())
    }
}

const ONLY_NEW: (&str, &str) = ("if-none-match", "*");

fn layer(server: &Server, name: &str) -> Option<Value> {
    let catalog = server.get("/catalog").ok(200).json();
    catalog["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == name).cloned()
}

/// The names and roles of the columns in a response.
fn roles(reply: &Value) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let columns = reply["columns"].as_array().unwrap().iter();
    columns.map(|column| (text(&column["name"]).unwrap(), text(&column["role"]))).collect()
}

#[test]
fn a_file_becomes_a_layer_with_its_title_weights_and_rejected_rows() {
    let server = server("");
    let rows = "lon,lat,value\n18.07,59.33,2\n18.08,95,1\n18.09,59.35,3\n";
    let reply = server.upload("/trips/points?title=Taxi%20trips&filename=trips.csv", &[ONLY_NEW], rows).ok(201);
    assert!(reply.header("location").unwrap().ends_with("/trips"));
    let reply = reply.json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(2), &json!(1)));
    assert_eq!((&reply["rejections"][0]["row"], reply["rejections"].as_array().unwrap().len()), (&json!(2), 1));
    assert!(reply["rejections"][0]["reason"].as_str().unwrap().starts_with("latitude 95 is beyond ±90"), "{reply}");
    let listed = layer(&server, "trips").unwrap();
    assert_eq!(
        (&listed["title"], &listed["weight"], &listed["stored"]),
        (&json!("Taxi trips"), &json!("value"), &json!(true))
    );
    assert_eq!(listed["version"], reply["version"]);
    assert_eq!(server.totals("trips"), (2, 5.0));
    assert_eq!(layer(&server, "fixed").unwrap()["stored"], false);
}

#[test]
fn an_existing_layer_is_replaced_only_without_a_condition() {
    let server = server("");
    server.upload("/a/points?title=First", &[ONLY_NEW], csv(10)).ok(201);
    server.upload("/a/points", &[ONLY_NEW], csv(20)).rejected(412, &["a layer `a` already", "If-None-Match"]);
    assert_eq!(server.totals("a"), (10, 20.0));
    server.upload("/a/points", &[("if-none-match", "\"x\"")], csv(20)).rejected(400, &["expected *"]);
    let reply = server.upload("/a/points?weight=none", &[], csv(30)).ok(200).json();
    assert_eq!(reply["accepted"], 30);
    assert_eq!(server.totals("a").0, 30);
    assert_eq!(layer(&server, "a").unwrap()["title"], "First");
    // The weights of a layer keep their name, as with POST.
    server.put("fares", &json!({"weight": "fare"})).ok(201);
    server.upload("/fares/points", &[], "lon,lat,value,fare\n1,2,3,4\n").ok(200);
    assert_eq!(server.totals("fares"), (1, 4.0));
    server.upload("/fares/points", &[], csv(1)).rejected(400, &["fare"]);
    server.upload("/fares/points?weight=weight", &[], csv(1)).ok(200);
    assert_eq!(layer(&server, "fares").unwrap()["weight"], "weight");
    server.upload("/fixed/points", &[], csv(1)).rejected(409, &["input files"]);
    server.upload("/catalog/points", &[], csv(1)).rejected(400, &["layer", "reserved"]);
    server.upload("/a.b/points", &[], csv(1)).rejected(400, &["layer"]);
}

#[test]
fn an_upload_without_a_valid_point_changes_nothing() {
    let server = server("[limits]\ningest_body = \"20KiB\"\n");
    server.upload("/kept/points", &[], csv(10)).ok(201);
    let long = format!("lon,lat\n{}", "1,2\n".repeat(6000));
    for (body, status, words) in [
        ("", 400, &["empty"][..]),
        ("lon,lat\n", 400, &["no rows"]),
        ("lon,lat\n1,95\n2,96\n", 400, &["none of the 2 rows has a valid point", "latitude 95"]),
        ("lon,lat\n1,89\n", 400, &["edge of the map"]),
        ("a,b\n1,2\n", 400, &["longitude"]),
        ("PAR1....", 400, &["Parquet"]),
        ("\u{89}PNG\0", 400, &["not Parquet, Arrow or UTF-8 text"]),
        (&long, 413, &["limits.ingest_body"]),
    ] {
        // The layer names its weights, which these files do not have.
        for path in ["/new/points", "/kept/points?weight=none"] {
            server.upload(path, &[], body).rejected(status, words);
        }
    }
    server.upload("/new/points", &[("content-type", "multipart/form-data; boundary=x")], "x").rejected(415, &["POST"]);
    server.upload("/new/points?colour=red", &[], csv(1)).rejected(400, &["colour"]);
    assert!(layer(&server, "new").is_none());
    assert_eq!(server.totals("kept"), (10, 20.0));
    // Compressed files count by their decompressed size.
    server.upload("/new/points?filename=a.csv.gz", &[], gzip(&long)).rejected(413, &["limits.ingest_body"]);
    server.upload("/new/points?filename=a.csv.gz", &[], gzip(csv(5))).ok(201);
    assert_eq!(server.totals("new"), (5, 10.0));
}

#[test]
fn the_columns_of_a_file_are_inspected_before_it_is_uploaded() {
    let server = server("");
    let start = "id,pickup_lon,pickup_lat,fare,time,type\n7,18.07,59.33,9.5,2024-05-01,bus\n8,18.03,59.31,12,2024-05-02,bus\n9,18";
    let reply = server.inspect("filename=trips.csv&file_bytes=52428800", start).ok(200).json();
    let role = |name: &str, role: Option<&str>| (name.to_owned(), role.map(str::to_owned));
    let expected = [
        role("id", None),
        role("pickup_lon", Some("lon")),
        role("pickup_lat", Some("lat")),
        role("fare", None),
        role("time", Some("time")),
        role("type", Some("category")),
    ];
    assert_eq!(roles(&reply), expected);
    assert_eq!((&reply["format"], &reply["problem"]), (&json!("CSV"), &Value::Null));
    assert_eq!(reply["columns"][3]["values"], json!(["9.5", "12"]));
    let reply = server.inspect("filename=trips.csv&weight=fare&category=none", start).ok(200).json();
    assert_eq!(roles(&reply)[3], role("fare", Some("weight")));
    assert_eq!(roles(&reply)[5], role("type", None));
    let reply = server.inspect("lon=fare", "fare,b\nx,2\n").ok(200).json();
    assert!(reply["problem"].as_str().unwrap().contains("latitude"), "{reply}");
    // The schema of a Parquet file is at its end.
    let file = std::fs::read(data("cities.parquet")).unwrap();
    let parts = [&file[..1000], &file[file.len() - 8000..]].concat();
    let query = format!("filename=cities.parquet&file_bytes={}&end_bytes=8000", file.len());
    let reply = server.inspect(&query, parts).ok(200).json();
    assert!(roles(&reply).iter().any(|(_, role)| role.as_deref() == Some("lon")), "{reply}");
    assert!(layer(&server, "cities").is_none());
}

#[test]
fn files_that_cannot_be_layers_are_rejected_by_their_inspection() {
    let server = server("[limits]\ningest_body = \"1MiB\"\n");
    server.inspect("filename=a.csv", "").rejected(400, &["empty"]);
    server
        .inspect("filename=a.png", b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR")
        .rejected(400, &["not Parquet, Arrow or UTF-8 text"]);
    server.inspect("filename=a.zip", "PK\x03\x04").rejected(400, &["ZIP archive"]);
    server.inspect("file_bytes=2000000", "lon,lat\n").rejected(413, &["limits.ingest_body", "1048576"]);
    server.inspect("end_bytes=9", "lon,lat\n").rejected(400, &["end_bytes"]);
    server.inspect("file_bytes=3", "lon,lat\n").rejected(400, &["file_bytes"]);
    server.inspect("file_byte=3", "lon,lat\n").rejected(400, &["did you mean file_bytes?"]);
}

#[test]
fn pages_of_other_origins_and_clients_without_the_token_can_neither_inspect_nor_upload() {
    let open = server("");
    let writes = |server: &Server, headers: &[(&str, &str)]| {
        let catalog = server.send("GET", "/catalog", headers, b"").ok(200).json();
        (catalog["writes"]["access"].as_str().unwrap().to_owned(), catalog["writes"]["reason"].clone())
    };
    assert_eq!(writes(&open, &[]), ("open".to_owned(), Value::Null));
    for origin in ["https://maps.example", "null"] {
        let headers = [("origin", origin), ("content-type", "text/plain")];
        open.upload("/evil/points", &headers, csv(1)).rejected(403, &["on this machine"]);
        open.send("POST", "/_/inspect", &headers, csv(1).as_bytes()).rejected(403, &["on this machine"]);
    }
    let forwarded = [("x-forwarded-for", "192.0.2.1")];
    open.upload("/evil/points", &forwarded, csv(1)).rejected(403, &["not through a proxy"]);
    assert_eq!(writes(&open, &forwarded).0, "closed");
    assert!(layer(&open, "evil").is_none());

    let guarded = server("[server]\ntoken = \"s3cret\"\n");
    assert_eq!(writes(&guarded, &forwarded).0, "token");
    guarded.upload("/a/points", &[], csv(1)).rejected(401, &["token"]);
    guarded.inspect("", csv(1)).rejected(401, &["token"]);
    guarded.upload("/a/points", &[("authorization", "Bearer other")], csv(1)).rejected(401, &["invalid token"]);
    guarded.upload("/a/points", &[("authorization", "Bearer s3cret")], csv(1)).ok(201);

    let closed = server("[store]\nread_only = true\n");
    let (access, reason) = writes(&closed, &[]);
    assert!(access == "closed" && reason.as_str().unwrap().contains("read-only"), "{access} {reason}");
    closed.upload("/a/points", &[], csv(1)).rejected(403, &["read-only"]);
}
