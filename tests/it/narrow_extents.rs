//! Points without an area: a single one, or all of the same longitude or latitude, of files and of the store, on the globe
//! and on a plane.

use std::fmt::Write;
use std::fs;

use serde_json::json;

use crate::kiln::kiln;
use crate::server::Server;

#[test]
fn points_without_an_area_are_drawn_counted_and_exported() {
    let home = tempfile::tempdir().unwrap();
    let shapes =
        [("single", 1, 0.0, 0.0), ("same", 40, 0.0, 0.0), ("parallel", 40, 0.5, 0.0), ("meridian", 40, 0.0, 0.5)];
    let mut config = String::new();
    for (shape, points, dx, dy) in shapes {
        for (kind, header) in [("globe", "lon,lat,time"), ("plane", "x,y,time")] {
            let mut text = format!("{header}\n");
            for number in 0..points {
                let (x, y) = (8.54321 + dx * f64::from(number), 47.12345 + dy * f64::from(number));
                writeln!(text, "{x},{y},2024-01-0{}", 1 + number % 3).unwrap();
            }
            let (file, layer) = (format!("{shape}-{kind}.csv"), format!("{shape}-{kind}"));
            fs::write(home.path().join(&file), text).unwrap();
            let crs: &[&str] = if kind == "plane" { &["--crs", "plane"] } else { &[] };
            let run = |arguments: &[&str]| kiln(home.path(), [arguments, crs].concat()).done();
            run(&["import", &file, "--layer", &format!("stored-{layer}")]);
            let drawn = run(&["render", &file, "-o", "a.png", "--size", "64"]);
            assert!(drawn.contains(&format!("drew {points} point")) && drawn.contains("0 outside"), "{layer}: {drawn}");
            let frames = run(&["animate", &file, "--every", "1d", "-o", "a.png", "--size", "32"]);
            assert!(frames.contains(&format!("drew {} frame", points.min(3))), "{layer}: {frames}");
            let matrix = run(&["matrix", &file, "--x", "lon", "--y", "lat", "-o", "a.json"]);
            assert!(matrix.contains(&format!("{points} point")), "{layer}: {matrix}");
            if kind == "globe" {
                let bins = run(&["export", &file, "--zoom", "0-1", "--bins", "a.parquet"]);
                assert!(bins.contains(&format!("exported {points} point")), "{layer}: {bins}");
            }
            let crs = if kind == "plane" { "crs = \"plane\"\n" } else { "" };
            write!(config, "[layers.file-{layer}]\ninput = \"{file}\"\n{crs}").unwrap();
            let job =
                format!("[[jobs]]\nname = \"{layer}\"\ninput = \"{file}\"\noutput = \"{layer}.png\"\nsize = 64\n{crs}");
            fs::write(home.path().join("jobs.toml"), job).unwrap();
            let batch = kiln(home.path(), ["batch", "-c", "jobs.toml"]).done();
            assert!(batch.contains(&format!("drew {points} point")), "{layer}: {batch}");
        }
    }
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    for (shape, points, ..) in shapes {
        for (source, kind) in [("file", "globe"), ("file", "plane"), ("stored", "globe"), ("stored", "plane")] {
            let layer = format!("{source}-{shape}-{kind}");
            assert_eq!(server.get(&format!("/{layer}/points")).ok(200).json()["total"], points, "{layer}");
            assert_eq!(server.get(&format!("/{layer}/statistics?zoom=2")).ok(200).json()["points"], points, "{layer}");
            server.get(&format!("/{layer}")).ok(200);
            let overlay = server.post("/overlays", &json!({"layer": layer, "size": 64})).ok(201).json();
            assert!(overlay["bounds"][0][0].as_f64() < overlay["bounds"][1][0].as_f64(), "{layer}: {overlay}");
        }
    }
}
