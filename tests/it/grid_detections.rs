//! `POST /v3/detections`.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::grid::{DETECTIONS, cells, office};
use crate::server::Server;

fn query(space_id: &Value, resolution: f64) -> Value {
    json!({
        "data_types": ["heatmap_v2"],
        "filter": {
            "space_id": space_id, "start": "2024-01-01T00:00:00Z", "stop": "2024-01-08T00:00:00Z",
            "omit_empty_value": true,
        },
        "window": {
            "heatmap_v2_options": {"grid_resolution": resolution, "heatmap_type": "occupancy", "normalize": false},
        },
    })
}

#[test]
fn the_documented_query_has_the_documented_answer() {
    let server = office("");
    let answer = server.post("/v3/detections", &query(&json!("floor-1"), 0.5)).ok(200).json();
    assert_eq!(
        answer,
        json!({"heatmap_v2": {
            "array_cells": [[-0.25, -0.25, 1], [0.25, 0.25, 2], [0.75, 0.25, 1], [5.25, 3.75, 1]],
            "metadata": {
                "type": "occupancy", "resolution": 0.5, "total_detections": 5, "max_value": 2,
                "bounds": {"min_x": -0.5, "max_x": 5.5, "min_y": -0.5, "max_y": 4},
            },
        }})
    );
    // The same as of the layer's own route.
    let path = "/office/grid?resolution=0.5&category=floor-1&start=2024-01-01&end=2024-01-08";
    assert_eq!(cells(&answer["heatmap_v2"]), cells(&server.get(path).ok(200).json()));
}

#[test]
fn any_span_and_cell_size_are_answered() {
    let server = office("");
    let mut body = query(&json!("floor-1"), 0.3);
    body["filter"]["start"] = "2023-01-01T00:00:00+01:00".into();
    body["filter"]["stop"] = "2025-01-01T00:00:00+01:00".into();
    body["window"]["heatmap_v2_options"]["normalize"] = true.into();
    let heatmap = server.post("/v3/detections", &body).ok(200).json()["heatmap_v2"].clone();
    assert_eq!((&heatmap["metadata"]["total_detections"], &heatmap["metadata"]["max_value"]), (&json!(7), &json!(2)));
    assert!(cells(&heatmap).values().all(|value| [0.5, 1.0].contains(value)));
    body["filter"]["omit_empty_value"] = false.into();
    body["window"]["heatmap_v2_options"]["grid_resolution"] = 5.into();
    let all = server.post("/v3/detections", &body).ok(200).json()["heatmap_v2"].clone();
    assert_eq!(all["array_cells"].as_array().unwrap().len(), 9, "all cells of the layer's extent");
}

#[test]
fn a_layer_and_a_part_of_it_are_not_counted_twice() {
    let server = office("");
    for ids in [["office", "floor-1"], ["floor-1", "office"]] {
        let reply = server.post("/v3/detections", &query(&json!(ids), 0.5));
        reply.rejected(400, &["space_id", "`office`", "counted twice"]);
    }
}

#[test]
fn a_space_is_a_layer_or_a_category_and_several_are_added() {
    let server = office("");
    let total = |space_id: Value| {
        let body = query(&space_id, 1.0);
        server.post("/v3/detections", &body).ok(200).json()["heatmap_v2"]["metadata"]["total_detections"].clone()
    };
    assert_eq!(total(json!("floor-2")), 1);
    assert_eq!(total(json!(["floor-1", "floor-2"])), 6);
    assert_eq!(total(json!("office")), 6);
    let unknown = server.post("/v3/detections", &query(&json!("floor_1"), 1.0));
    unknown.rejected(404, &["space_id: there is no space `floor_1`", "floor-1, floor-2"]);
    // A layer on the globe is not a space.
    server.post("/v3/detections", &query(&json!("stops"), 1.0)).rejected(404, &["there is no space `stops`"]);
    server.post("/v3/detections", &query(&json!(["floor-1", "floor-1"]), 1.0)).rejected(400, &["given twice"]);
    server.post("/v3/detections", &query(&json!([]), 1.0)).rejected(400, &["space_id: 0 ids"]);
}

#[test]
fn a_space_of_several_layers_is_a_conflict() {
    let home = tempfile::tempdir().unwrap();
    let mut config = String::new();
    for name in ["east", "west"] {
        std::fs::write(home.path().join(format!("{name}.csv")), DETECTIONS).unwrap();
        writeln!(config, "[layers.{name}]\ninput = \"{name}.csv\"\nprojection = \"plane\"").unwrap();
    }
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    server.post("/v3/detections", &query(&json!("floor-1"), 1.0)).rejected(409, &["`floor-1`", "east, west"]);
    // Two layers, each one space, are added.
    let both = server.post("/v3/detections", &query(&json!(["east", "west"]), 1.0)).ok(200).json();
    assert_eq!(both["heatmap_v2"]["metadata"]["total_detections"], 12);
}

#[test]
fn invalid_queries_are_errors() {
    let server = office("");
    let rejected = |change: &dyn Fn(&mut Value), words: &[&str]| {
        let mut body = query(&json!("floor-1"), 0.5);
        change(&mut body);
        server.post("/v3/detections", &body).rejected(400, words);
    };
    let options = |body: &mut Value, name: &str, value: Value| body["window"]["heatmap_v2_options"][name] = value;
    rejected(&|body| body["data_types"] = json!(["traffic"]), &["data_types: `traffic`", "supported: heatmap_v2"]);
    rejected(&|body| body["data_types"] = json!([]), &["data_types: the list is empty"]);
    rejected(&|body| body["filter"]["start"] = json!("2024-01-01T00:00:00"), &["start: ", "no offset", "+01:00"]);
    rejected(&|body| body["filter"]["stop"] = json!("2024-01-08"), &["stop: ", "no offset"]);
    rejected(&|body| body["filter"]["stop"] = json!("soon"), &["stop: `soon` is not a time"]);
    rejected(&|body| body["filter"]["stop"] = json!("2023-01-01T00:00:00Z"), &["start: not before stop"]);
    rejected(&|body| body["filter"]["spaces"] = json!(1), &["unknown field `spaces`", "space_id"]);
    rejected(&|body| drop(body["filter"].as_object_mut().unwrap().remove("space_id")), &["missing field `space_id`"]);
    rejected(&|body| body["filter"]["space_id"] = json!(5), &["filter.space_id is neither a text nor a list of texts"]);
    rejected(&|body| body["filter"] = json!(5), &["found integer `5`; expected an object"]);
    server.post("/v3/detections", &json!({})).rejected(400, &["a query of detections: missing field `data_types`"]);
    rejected(&|body| options(body, "grid_resolution", json!(0)), &["grid_resolution: 0 is not a length"]);
    rejected(&|body| options(body, "grid_resolution", json!(-0.5)), &["grid_resolution: -0.5"]);
    rejected(&|body| options(body, "heatmap_type", json!("peak")), &["heatmap_type: `peak`", "occupancy"]);
    server
        .send("POST", "/v3/detections", &[("content-type", "application/json")], b"[")
        .rejected(400, &["not a query"]);
    server.send("GET", "/v3/detections", &[], b"").rejected(405, &["Allow"]);
    let mut bare = query(&json!("bare"), 1.0);
    server.post("/v3/detections", &bare).rejected(400, &["start: the points of the space have no times"]);
    bare["filter"] = json!({"space_id": "bare"});
    server.post("/v3/detections", &bare).ok(200);
    options(&mut bare, "heatmap_type", json!("mean"));
    server.post("/v3/detections", &bare).rejected(400, &["heatmap_type: the points have no weights"]);
}
