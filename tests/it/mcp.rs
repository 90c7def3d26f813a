//! `kiln mcp`: by the Python SDK of the protocol, and by lines that no client sends.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kiln::{Run, kiln, kiln_with_input};
use crate::server::Server;

/// The results of `mcp_client.py` for a server with these arguments.
fn client(folder: &Path, mode: &str, arguments: &[&str], token: Option<&str>) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/readers/bin/python");
    let mut command = Command::new(&python);
    command.args(["-c", include_str!("mcp_client.py"), mode, env!("CARGO_BIN_EXE_kiln"), "mcp"]).args(arguments);
    command.current_dir(folder).stdin(Stdio::null()).env_remove("KILN_TOKEN");
    command.envs(token.map(|token| ("KILN_TOKEN", token)));
    let output = command.output();
    let output =
        output.unwrap_or_else(|error| panic!("{} ({error}): scripts/readers.sh installs it", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The pixels of a picture in hexadecimal digits.
fn picture(result: &Value) -> image::RgbaImage {
    let digits = result["png"].as_str().unwrap_or_else(|| panic!("no picture: {result}"));
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    assert_eq!(result["type"], "image/png");
    image::load_from_memory(&bytes).unwrap().to_rgba8()
}

fn responses(run: &Run) -> Vec<Value> {
    let lines = str::from_utf8(&run.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not a message: {line}"))).collect()
}

#[test]
fn a_client_of_either_revision_calls_the_tools_on_the_bundled_points() {
    let home = tempfile::tempdir().unwrap();
    let mut outcomes = Vec::new();
    for (mode, version) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let outcome = client(home.path(), mode, &[], None);
        assert_eq!((&outcome["version"], &outcome["server"]), (&version.into(), &"kiln".into()));
        assert_eq!(outcome["tools"], serde_json::json!(["layers", "render", "value", "statistics"]));
        assert!(outcome["unknown"].as_str().unwrap().contains("unknown tool `drop`"), "{}", outcome["unknown"]);
        outcomes.push(outcome["results"].as_array().unwrap().clone());
    }
    assert_eq!(outcomes[0], outcomes[1]);
    let results = &outcomes[0];
    for (result, is_error) in results.iter().zip((0..results.len()).map(|index| (6..16).contains(&index))) {
        assert_eq!(result["is_error"], is_error, "{result}");
        if !is_error {
            let text: Value = serde_json::from_str(result["text"].as_str().unwrap()).unwrap();
            assert_eq!(text, result["value"]);
        }
    }
    let value = |index: usize| &results[index]["value"];
    assert_eq!(value(0)["layers"][0]["name"], "cities");
    assert!(
        value(0)["layers"][0]["bounds"].as_array().unwrap().len() == 4
            && value(0)["schemes"].to_string().contains("fire")
    );
    assert_eq!(value(1)["layers"].as_array().unwrap().len(), 1);
    let [cities, quakes] = [picture(&results[2]), picture(&results[3])];
    let bounds = value(2)["bounds"].as_array().unwrap();
    assert_eq!(bounds.iter().map(|edge| edge.as_f64().unwrap()).collect::<Vec<_>>(), [0.0, 45.0, 20.0, 60.0]);
    assert_eq!((value(2)["width"].as_u64(), value(2)["height"].as_u64()), (Some(241), Some(300)));
    assert_eq!(cities.dimensions(), (241, 300));
    assert!(cities.pixels().all(|pixel| pixel[3] == 255) && cities.pixels().any(|pixel| pixel.0 != [255; 4]));
    assert!(quakes.dimensions() == (320, 200) && quakes.pixels().any(|pixel| pixel[3] == 0));
    // The poles are not on a Mercator map.
    let edge = |index: usize, edge: usize| value(index)["bounds"][edge].as_f64().unwrap();
    assert!(edge(3, 0) <= -180.0 && (-86.0..-85.0).contains(&edge(3, 1)), "{}", value(3));
    // Longitudes first, as in the arguments: the earthquakes are in all longitudes, but not at the poles.
    assert!(edge(5, 0) < -170.0 && (-90.0..90.0).contains(&edge(5, 1)) && edge(5, 2) > 170.0, "{}", value(5));
    assert_eq!(value(2)["unit"], "population per km²");
    assert!(value(2)["vmax"].as_f64().unwrap() > 100.0, "{}", value(2));
    assert!(value(2)["legend"].as_array().unwrap().iter().all(|tick| tick["color"].as_str().unwrap().starts_with('#')));
    assert!(value(4)["value"].as_f64().unwrap() > 100.0 && value(4)["points"].as_u64().unwrap() > 0, "{}", value(4));
    // The bounds are widened to the shape of the picture: on the map, 600 pixels are three times as wide as 200 are high.
    let latitude = |degrees: f64| degrees.to_radians().tan().asinh().to_degrees();
    let shape = (edge(16, 2) - edge(16, 0)) / (latitude(edge(16, 3)) - latitude(edge(16, 1)));
    assert!((shape - 3.0).abs() < 1e-9 && edge(16, 0) < 10.0 && (39.9..=40.0).contains(&edge(16, 1)), "{}", value(16));
    assert!(
        value(16)["points"].as_u64().is_some_and(|points| (1..1707).contains(&points)) && value(16)["note"].is_null()
    );
    for (index, words) in [(17, "no point within the bounds passes the filters"), (18, "the layer has points in [-1")] {
        assert!(
            value(index)["points"] == 0 && value(index)["note"].as_str().unwrap().contains(words),
            "{}",
            value(index)
        );
    }
    assert!(value(5)["points"] == 1707 && value(5)["zooms"][0]["percentiles"]["p99"].is_number(), "{}", value(5));
    for (index, words) in [
        (6, ["did you mean cities", "the tool `layers` lists all"]),
        (7, ["bounds", "95"]),
        (8, ["bounds: `elsewhere`", "west,south,east,north"]),
        (9, ["pixels", "1000000"]),
        (10, ["size", "limit"]),
        (11, ["radius: `wide`", "25px"]),
        (12, ["colour", "unknown"]),
        (13, ["lat: `95`", "85"]),
        (14, ["lon: missing", "18.07"]),
        (15, ["hours", "time"]),
    ] {
        let text = results[index]["text"].as_str().unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{index}: {text}");
    }
    // Nothing is written in the folder in which a program happens to start it.
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_server_at_a_url_is_used_with_its_key() {
    let home = tempfile::tempdir().unwrap();
    let key = kiln(home.path(), ["key", "new", "reader", "--layer", "cities"]);
    let secret = key.stderr.split_whitespace().find(|word| word.starts_with("kiln_")).unwrap().to_owned();
    let table = String::from_utf8(key.stdout).unwrap();
    std::fs::write(home.path().join("kiln.toml"), table).unwrap();
    let server = Server::at(home, &[]);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", server.address());
    let results = client(folder.path(), "auto", &["--url", &url], Some(&secret))["results"].clone();
    assert_eq!(results[0]["value"]["layers"].as_array().unwrap().len(), 1, "{}", results[0]);
    assert_eq!(picture(&results[2]).dimensions(), (241, 300));
    assert!(results[3]["text"].as_str().unwrap().contains("no layer `earthquakes`"), "{}", results[3]);
    let results = client(folder.path(), "auto", &["--url", &url], None)["results"].clone();
    for result in results.as_array().unwrap().iter().take(6) {
        assert!(result["is_error"] == true && result["text"].as_str().unwrap().contains("key"), "{result}");
    }
    drop(server);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"layers"}}"#;
    let run = kiln_with_input(folder.path(), ["mcp", "--url", &url], call.as_bytes());
    assert_eq!(run.code, 0);
    let text = responses(&run)[0]["result"]["content"][0]["text"].to_string();
    assert!(text.contains("cannot be reached"), "{text}");
}

#[test]
fn a_store_with_keys_is_read_beside_its_server_and_not_changed() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("points.csv"), "lon,lat\n1,2\n3,4\n").unwrap();
    kiln(home.path(), ["import", "points.csv", "--layer", "trips"]).done();
    let key = kiln(home.path(), ["key", "new", "reader"]);
    std::fs::write(home.path().join("kiln.toml"), key.stdout).unwrap();
    let folder = home.path().to_owned();
    let server = Server::at(home, &[]);
    let calls = [r#"{"id":1,"method":"tools/call","params":{"name":"statistics","arguments":{"layer":"trips"}}}"#; 40];
    let run = kiln_with_input(&folder, ["mcp", "--store", "store"], calls.join("\n").as_bytes());
    let responses = responses(&run);
    assert_eq!((run.code, responses.len()), (0, 40), "{}", run.stderr);
    for response in responses {
        assert_eq!(response["result"]["structuredContent"]["points"], 2, "{response}");
    }
    drop(server);
}

#[test]
fn lines_that_are_no_message_are_answered_and_the_end_of_the_input_ends_it() {
    let home = tempfile::tempdir().unwrap();
    let long = format!(r#"{{"id":1,"method":"ping","params":{{"x":"{}"}}}}"#, "x".repeat(2 << 20));
    let invalid = "\u{1}\n{\n[1]\n";
    let input = format!("{invalid}{long}\n{{\"id\":\"last\",\"method\":\"ping\"}}");
    let run = kiln_with_input(home.path(), ["mcp"], input.as_bytes());
    let found = responses(&run);
    let code = |code: i32| found.iter().filter(|response| response["error"]["code"] == code).count();
    assert_eq!((run.code, found.len(), code(-32700), code(-32600)), (0, 5, 2, 2), "{found:?}");
    assert!(found.iter().any(|response| response["id"] == "last" && response["result"].is_object()), "{found:?}");
    assert!(found.iter().any(|response| response["error"]["message"] == "the line exceeds 1048576 bytes"));
    let run = kiln_with_input(home.path(), ["mcp"], b"");
    assert_eq!((run.code, run.stdout.len()), (0, 0));
    kiln(home.path(), ["mcp", "--url", "maps.example.org"]).failed(2, &["--url", "https://maps.example.org"]);
    kiln(home.path(), ["mcp", "--url", "http://a", "--store", "b"]).failed(2, &["--url", "--store"]);
    kiln(home.path(), ["mcp", "missing.csv"]).failed(1, &["missing.csv"]);
}
