//! Layers of bins: their tiles equal those of the points, and what needs single points is rejected by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch};
use kiln::geo::{Frame, Points};
use kiln::source::{Columns, Query, ReadOptions, open};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::kiln::{data, kiln};
use crate::server::Server;

/// The bins of the bundled cities in cells of a level: number, sum and maximum of the populations.
fn bins_of_cities(level: u32) -> BTreeMap<(u32, u32), (i64, f64, f32)> {
    let columns = Columns { weight: Some("population".into()), ..Columns::default() };
    let query = Query::default().with_names(columns).with_weights(true);
    let mut bins = BTreeMap::new();
    let mut sink = |points: Points<'_>| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        Frame::Mercator.to_fixed(points, &mut x, &mut y);
        for ((x, y), &weight) in x.into_iter().zip(y).zip(points.weight().unwrap()) {
            let shift = 32 - level;
            let (n, sum, max) = bins.entry((x >> shift, y >> shift)).or_insert((0, 0.0, f32::NEG_INFINITY));
            (*n, *sum, *max) = (*n + 1, *sum + f64::from(weight), weight.max(*max));
        }
        ControlFlow::Continue(())
    };
    open(data("cities.parquet").to_str().unwrap(), &ReadOptions::default())
        .unwrap()
        .scan(&query, &mut [&mut sink])
        .unwrap();
    bins
}

fn csv_of(level: u32, bins: &BTreeMap<(u32, u32), (i64, f64, f32)>) -> String {
    let mut text = "level,cell_x,cell_y,n,weight,max_weight\n".to_owned();
    for ((x, y), (n, sum, max)) in bins {
        writeln!(text, "{level},{x},{y},{n},{sum},{max}").unwrap();
    }
    text
}

fn write_parquet(path: &Path, level: u32, bins: &BTreeMap<(u32, u32), (i64, f64, f32)>) {
    let column = |of: fn(&(u32, u32)) -> u32| Int64Array::from_iter_values(bins.keys().map(|key| i64::from(of(key))));
    let batch = RecordBatch::try_from_iter([
        ("level", Arc::new(Int32Array::from(vec![level as i32; bins.len()])) as _),
        ("cell_x", Arc::new(column(|key| key.0)) as _),
        ("cell_y", Arc::new(column(|key| key.1)) as _),
        ("n", Arc::new(Int64Array::from_iter_values(bins.values().map(|bin| bin.0))) as _),
        ("weight", Arc::new(Float64Array::from_iter_values(bins.values().map(|bin| bin.1))) as _),
        ("max_weight", Arc::new(Float32Array::from_iter_values(bins.values().map(|bin| bin.2))) as _),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A server with the cities as a layer of points and as layers of bins of level 16, read from Parquet and from CSV.
fn server_of_cities() -> Server {
    let home = tempfile::tempdir().unwrap();
    let cities = data("cities.parquet");
    kiln(home.path(), ["import", cities.to_str().unwrap(), "--layer", "points", "--weight", "population"]).done();
    let bins = bins_of_cities(16);
    write_parquet(&home.path().join("bins.parquet"), 16, &bins);
    std::fs::write(home.path().join("bins.csv"), csv_of(16, &bins)).unwrap();
    for format in ["parquet", "csv"] {
        let summary =
            kiln(home.path(), ["import", &format!("bins.{format}"), "--layer", &format!("bins-{format}")]).done();
        assert!(summary.contains("135,233 points"), "{summary}");
    }
    Server::at(home, &[])
}

/// 13 tiles around Europe, of which 11 are of zooms up to that of the bins.
const TILES: [&str; 13] = [
    "0/0/0",
    "1/1/0",
    "2/2/1",
    "3/4/2",
    "4/8/5",
    "5/16/10",
    "5/17/10",
    "6/33/21",
    "6/34/21",
    "7/66/44",
    "8/132/88",
    "9/265/176",
    "10/529/354",
];
const STYLES: [&str; 6] = [
    "radius=8&vmin=0&vmax=100000",
    "radius=20km&vmin=0&vmax=100000",
    "radius=12",
    "agg=count&vmin=0&vmax=0.2",
    "agg=mean&vmin=0&vmax=100000",
    "agg=max&vmin=0&vmax=1000000",
];

#[test]
fn tiles_of_bins_equal_those_of_the_points_up_to_their_zoom() {
    let server = server_of_cities();
    for style in STYLES {
        for tile in TILES {
            let zoom: u32 = tile.split('/').next().unwrap().parse().unwrap();
            let get = |layer: &str| server.get(&format!("/{layer}/{tile}.png?{style}")).ok(200).body;
            let (points, parquet, csv) = (get("points"), get("bins-parquet"), get("bins-csv"));
            assert!(parquet == csv, "{tile} {style}");
            assert!(zoom > 8 || points == parquet, "{tile} {style}");
        }
    }
    // The test compares pictures that are not empty.
    let bytes = |style| server.get(&format!("/points/5/16/10.png?{style}")).ok(200).body;
    assert!(STYLES.iter().all(|style| bytes(style) != server.get("/points/8/0/0.png").ok(200).body));
}

#[test]
fn metadata_say_that_a_layer_has_bins() {
    let server = server_of_cities();
    let json = |path: &str| server.get(path).ok(200).json();
    let tiles = json("/bins-csv");
    assert_eq!(
        (&tiles["maxzoom"], &tiles["kiln"]["bins"], &tiles["kiln"]["points"]),
        (&json!(8), &json!({"level": 16}), &json!(135_233))
    );
    assert_eq!(json("/bins-csv?size=512")["maxzoom"], 7);
    let points = json("/points");
    assert!(points["maxzoom"] == 24 && points["kiln"].get("bins").is_none(), "{points}");
    let catalog = json("/catalog");
    let bins = |name: &str| {
        catalog["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == name).unwrap().get("bins").cloned()
    };
    assert_eq!((bins("bins-csv"), bins("points")), (Some(json!({"level": 16})), None));
    let (points, bins) = (json("/points/statistics?zoom=0-3"), json("/bins-csv/statistics?zoom=0-3"));
    assert_eq!(points["points"], bins["points"]);
    let zooms = |reply: &Value| {
        let of = |zoom: &Value| ["z", "vmin", "vmax", "percentiles", "histogram"].map(|name| zoom[name].clone());
        reply["zooms"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(zooms(&points), zooms(&bins));
    assert_eq!(zooms(&bins).len(), 4);
    for value in ["sum", "max", "mean"] {
        assert_eq!(points["weight"][value], bins["weight"][value], "{value}");
    }
    let at = |layer: &str| json(&format!("/{layer}/point/18.07,59.33?zoom=6"));
    assert_eq!(at("points")["value"], at("bins-csv")["value"]);
}

#[test]
fn what_needs_single_points_is_rejected_by_name() {
    let server = server_of_cities();
    for (path, words) in [
        ("/bins-csv/4/8/5.png?blend=classic", ["classic blend", "bins of level 16"]),
        ("/bins-csv/bbox/-11,35,31,60/100x100.png?blend=classic", ["classic blend", "bins of level 16"]),
        ("/bins-csv/points?bounds=-11,35,31,60", ["a list of points", "bins of level 16"]),
        ("/bins-csv/grid?resolution=100000", ["a grid needs single points", "bins of level 16"]),
        ("/bins-csv/matrix?x=lon&y=none", ["needs single points", "bins of level 16"]),
    ] {
        server.get(path).rejected(400, &words);
    }
    let export = kiln(server.folder(), ["render", "bins.csv", "--output", "a.png"]);
    export.failed(1, &["bins.csv", "its rows are bins", "kiln import"]);
}

#[test]
fn bad_tables_of_bins_are_errors_that_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    let import = |rows: &str, flags: &[&str]| {
        std::fs::write(home.path().join("a.csv"), rows).unwrap();
        kiln(home.path(), [&["import", "a.csv", "--layer", "a"], flags].concat())
    };
    let head = "level,cell_x,cell_y,n,weight,max_weight\n";
    import(&format!("{head}4,9,8,2,3.5,2\n"), &[]).done();
    let state = || kiln(home.path(), ["layer", "a", "--json"]).stdout;
    let before = state();
    // Rows that do not suit the layer are an error of the command, tables that cannot be read one of the input.
    let code = |words: &[&str]| {
        if words.iter().any(|word| word.ends_with("of level 4") || *word == "level 4") { 2 } else { 1 }
    };
    for (rows, words) in [
        ("4,1,1,1,1,1\n5,1,1,1,1,1\n", ["row 2", "its level is 5, that of other rows 4"]),
        ("5,1,1,1,1,1\n", ["bins of level 5", "those of the layer are of level 4"]),
        ("33,1,1,1,1,1\n", ["row 1", "level: 33 is not a whole number from 0 to 32"]),
        ("4,16,1,1,1,1\n", ["row 1", "cell_x: 16 is not a whole number from 0 to 15"]),
        ("4,1,-1,1,1,1\n", ["row 1", "cell_y: -1 is not"]),
        ("4,1,1,0,1,1\n", ["row 1", "n: 0 is not a whole number from 1 to 9007199254740992"]),
        ("4,1,1,-3,1,1\n", ["row 1", "n: -3 is not"]),
        ("4,1,1,1.5,1,1\n", ["row 1", "n: 1.5 is not"]),
        ("4,1,1,1e17,1,1\n", ["row 1", "n: 1e17 is not"]),
        ("4,1,1,1,inf,1\n", ["row 1", "weight: inf is not a finite number"]),
        ("4,1,1,1,1,nan\n", ["row 1", "max_weight: NaN is not a finite number"]),
        ("4,1,1,2,9,4\n", ["row 1", "max_weight: 4 is not the greatest of weights whose mean is 4.5"]),
        ("4,1,1,1,,1\n", ["row 1", "weight is empty"]),
        ("4,1,1,1,NaN,1\n", ["row 1", "weight: NaN is not a finite number"]),
        ("4,1,1,,1,1\n", ["row 1", "n is empty"]),
        ("4,1,1,9007199254740994,1,1\n", ["row 1", "n: 9007199254740994 is not a whole number from 1"]),
        ("4,1,1,1,1,1\n4,1,1,9007199254740993,1,1\n", ["row 2", "n: 9007199254740993 is not a whole number from 1"]),
        ("4,1,1,1e3,1,1\n", ["row 1", "n: 1e3 is not"]),
        ("4,-0,1,1,1,1\n", ["row 1", "cell_x: -0 is not"]),
        ("4,1,1.000000000000000001,1,1,1\n", ["row 1", "cell_y: 1.000000000000000001 is not"]),
        ("four,1,1,1,1,1\n", ["row 1", "level: \"four\" is not"]),
        ("4,1,1,1,1,2e13\n", ["row 1", "max_weight: 20000000000000 is not a finite number in the range of weights"]),
    ] {
        import(&format!("{head}{rows}"), &["--append"]).failed(code(&words), &words);
        assert_eq!(state(), before, "{rows}");
    }
    for (table, words) in [
        ("lon,lat\n1,2\n", ["single points", "bins of level 4"]),
        ("cell_x,cell_y,n\n1,2,3\n", ["it has no level", "cell_x"]),
        ("level,cell_x,cell_y\n4,2,3\n", ["it has no n", "cell_x"]),
        ("level,cell_x,cell_y,n,max_weight\n4,2,3,1,1\n", ["\"max_weight\"", "needs the column weight"]),
        ("quadbin,n\n5209574053332910078,1\n", ["row 1", "is not a quadbin"]),
        ("quadbin,n\n5192650370358181887,1\n", ["bins of level 0", "level 4"]),
    ] {
        import(table, &["--append"]).failed(code(&words), &words);
        assert_eq!(state(), before, "{table}");
    }
    for (n, shown) in [("9007199254740993", "9007199254740993"), ("1e3", "1e3"), ("-0", "-0"), ("1.5", "1.5")] {
        std::fs::write(home.path().join("a.ndjson"), format!("{{\"level\":4,\"cell_x\":1,\"cell_y\":1,\"n\":{n}}}\n"))
            .unwrap();
        let words = ["row 1", &*format!("n: {shown} is not a whole number from 1")];
        kiln(home.path(), ["import", "a.ndjson", "--layer", "a", "--append"]).failed(1, &words);
        assert_eq!(state(), before, "{n}");
    }
    // Floating-point columns are written so.
    import("level,cell_x,cell_y,n\n4.0,1,2.0,9007199254740992.0\n", &["--replace"]).done();
    import(&format!("{head}4,9,8,2,3.5,2\n"), &["--replace"]).done();
    // The cell 9, 8 of level 4.
    import("quadbin,n\n5209574053332910079,3\n", &["--append"]).done();
    let info: Value = serde_json::from_slice(&state()).unwrap();
    assert_eq!((&info["points"], &info["bins"], &info["weight"]["sum"]), (&json!(5), &json!(4), &json!(6.5)));
    std::fs::write(home.path().join("b.csv"), "lon,lat\n1,2\n").unwrap();
    kiln(home.path(), ["import", "b.csv", "--layer", "b"]).done();
    kiln(home.path(), ["import", "a.csv", "--layer", "b", "--append"]).failed(2, &["bins of level 4", "single points"]);
    kiln(home.path(), ["import", "a.csv", "b.csv", "--layer", "c"])
        .failed(2, &["some rows are", "import them separately"]);
}

#[test]
fn bins_are_added_over_http_and_only_of_the_level_of_the_layer() {
    let server = crate::ingest::server("");
    let send = |method: &str, path: &str, rows: &str| {
        server.send(method, path, &[("content-type", "text/csv")], rows.as_bytes())
    };
    send("PUT", "/bins/points", "level,cell_x,cell_y,n,time,category\n12,5,6,4,2026-11-28,a\n12,5,7,1,2026-11-29,b\n")
        .ok(201);
    let reply =
        send("POST", "/bins/points", "level,cell_x,cell_y,n,time,category\n12,5,6,10,2026-11-30,a\n").ok(200).json();
    assert_eq!(reply["accepted"], 10);
    send("POST", "/bins/points", "level,cell_x,cell_y,n\n13,5,6,4\n").rejected(400, &["bins of level 13", "level 12"]);
    send("PUT", "/weighted/points", "level,cell_x,cell_y,n,weight\n12,5,6,4,9\n").ok(201);
    let plain = "level,cell_x,cell_y,n\n12,5,6,4\n";
    let words = ["the bins have no column weight, the sum of the weights; add it, or set weight to none"];
    send("POST", "/weighted/points", plain).rejected(400, &words);
    send("POST", "/weighted/points?weight=none", plain).ok(200);
    send("POST", "/bins/points", "lon,lat\n13,5\n").rejected(400, &["single points", "bins of level 12"]);
    send("POST", "/bins/points", "level,cell_x,cell_y,n\n12,5,6,0\n").rejected(400, &["row 1", "n: 0 is not"]);
    let points = |query: &str| server.get(&format!("/bins/statistics?zoom=0&{query}")).ok(200).json()["points"].clone();
    assert_eq!(points(""), 15);
    assert_eq!(points("category=a"), 14);
    assert_eq!(points("start=2026-11-28&end=2026-11-30"), 5);
    server.get("/bins/4/0/0.png?start=2026-11-28T12:00:00Z").rejected(400, &["start", "cuts a bucket", "whole days"]);
    server.get("/bins/4/0/0.png?hours=7-9").rejected(400, &["hours", "whole days"]);
    // The width of the buckets is that of all times, and so are bars of the times.
    let bins = |path: &str| server.get(path).ok(200).json()["kiln"]["bins"].clone();
    assert_eq!(bins("/bins"), json!({"level": 12, "bucket_s": 86_400}));
    let distributions =
        |bins: u32| server.get(&format!("/bins/statistics?zoom=0&bins={bins}")).ok(200).json()["distributions"].clone();
    let categories = json!([{"name": "a", "points": 14}, {"name": "b", "points": 1}]);
    let [start, end] = ["2026-11-28T00:00:00Z", "2026-12-01T00:00:00Z"];
    assert_eq!(
        distributions(48),
        json!({"weights": null, "times": {"start": start, "end": end, "points": [4, 1, 10]}, "categories": categories})
    );
    assert_eq!(distributions(2)["times"], json!({"start": start, "end": "2026-12-02T00:00:00Z", "points": [5, 10]}));
    send("POST", "/bins/points", "level,cell_x,cell_y,n,time,category\n12,5,6,1,2026-11-30T05:00:00Z,a\n").ok(200);
    assert_eq!(bins("/bins")["bucket_s"], 3600);
    let categories = server.get("/bins/categories").ok(200).json();
    assert_eq!(categories["categories"], json!([{"name": "a", "points": 15}, {"name": "b", "points": 1}]));
}

#[test]
fn bins_without_greatest_weights_are_exported_and_imported_again() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| kiln(home.path(), args.iter().copied());
    std::fs::write(home.path().join("a.csv"), "level,cell_x,cell_y,n,weight\n12,5,6,4,9.5\n12,5,7,1,2\n").unwrap();
    run(&["import", "a.csv", "--layer", "a"]).done();
    run(&["export", "a", "--zoom", "4", "--bins", "a.parquet"]).done();
    run(&["import", "a.parquet", "--layer", "b"]).done();
    run(&["export", "b", "--zoom", "4", "--bins", "b.parquet"]).done();
    let read = |name: &str| std::fs::read(home.path().join(name)).unwrap();
    assert!(read("a.parquet") == read("b.parquet"));
    // An unknown maximum among others makes that of the layer unknown.
    std::fs::write(home.path().join("c.csv"), "level,cell_x,cell_y,n,weight,max_weight\n12,5,6,4,9.5,4\n12,9,7,1,2,\n")
        .unwrap();
    run(&["import", "c.csv", "--layer", "c"]).done();
    let server = Server::at(home, &[]);
    for layer in ["b", "c"] {
        let style = "radius=8&vmin=0&vmax=9";
        assert_eq!(
            server.get(&format!("/{layer}/4/0/0.png?{style}")).ok(200).body,
            server.get(&format!("/{layer}/4/0/0.png?{style}&agg=sum")).ok(200).body
        );
        server.get(&format!("/{layer}/4/0/0.png?agg=max")).rejected(400, &["agg", "max_weight"]);
    }
}

#[test]
fn sums_of_points_beyond_64_bits_are_the_greatest_number_and_no_panic() {
    let home = tempfile::tempdir().unwrap();
    let mut rows = "level,cell_x,cell_y,n\n".to_owned();
    (0..4000).for_each(|row| writeln!(rows, "14,{row},1,9007199254740992").unwrap());
    std::fs::write(home.path().join("bins.csv"), rows).unwrap();
    kiln(home.path(), ["import", "bins.csv", "--layer", "many"]).done();
    kiln(home.path(), ["import", "bins.csv", "--layer", "many", "--append"]).done();
    let output = kiln(home.path(), ["export", "many", "--zoom", "0", "--bins", "sums.parquet"]).done();
    assert!(!output.contains("panicked"), "{output}");
    let server = Server::at(home, &[]);
    server.get("/many/statistics").ok(200);
    server.get("/_/metrics").ok(200);
    server.get("/many/0/0/0.png").ok(200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
