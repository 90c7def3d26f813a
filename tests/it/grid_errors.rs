//! Errors of occupancy grids.

use serde_json::json;

use crate::grid::office;

#[test]
fn invalid_parameters_are_errors_with_what_would_be_accepted() {
    let server = office("");
    for (query, words) in [
        ("", &["resolution: missing", "0.5 or 100m"][..]),
        ("resolution=0", &["resolution: 0 is not a length"]),
        ("resolution=-1", &["resolution: `-1` is not above 0"]),
        ("resolution=1e-10&omit_empty=false", &["resolution: the grid has more than 10^18 cells", "limits.cells"]),
        ("resolution=1&bounds=0,0,4,4&bbox=0,0,1,1", &["bbox: it is given twice, also as bounds"]),
        ("resolution=NaN", &["resolution: `NaN`"]),
        ("resolution=wide", &["resolution: `wide` is not a length"]),
        ("resolution=1&heatmap_type=peak", &["heatmap_type: `peak`", "occupancy, mean, max, sum, dwell"]),
        ("resolution=1&cells=hexagon", &["cells: `hexagon`"]),
        ("resolution=1&start=2024-02-01&end=2024-01-01", &["start: not before end"]),
        ("resolution=1&start=2024-02-01&stop=2024-01-01", &["start: not before end"]),
        ("resolution=1&compare=2024-01-01", &["compare: ", "START/END"]),
        ("resolution=1&compare=2024-01-02/2024-01-01", &["compare: ", "does not start before its end"]),
        ("resolution=1&compare=2024-01-01/2024-02-30", &["compare: ", "`2024-02-30` is not a time"]),
        ("resolution=1&start=2024-01-01T00:00:00+01:00", &["start: ", "write the + of an offset as %2B"]),
        ("resolution=1&picture=heat&levels=5", &["levels: it applies to pictures of contours"]),
        ("resolution=1&profile=hour_of_week", &["tz: missing", "Europe/Paris"]),
        ("resolution=1&profile=hour_of_week&tz=Europe/Pari", &["tz: unknown time zone `Europe/Pari`", "Europe/Paris"]),
        ("resolution=1&tz=Mars", &["tz: unknown time zone `Mars`"]),
        ("resolution=1&bounds=5,0,1,1", &["bounds: west (5) must be less than east (1)"]),
        ("resolution=1&rooms=true", &["rooms: the layer has no rooms", "polygons"]),
        ("resolution=1&resolutoin=2", &["resolutoin: unknown parameter; did you mean resolution?"]),
        ("resolution=1&format=xlsx", &["format: `xlsx`", "json, csv, parquet, geojson, png"]),
        ("resolution=1&picture=globe", &["picture: `globe`", "cells, heat, contours, terrain"]),
        ("resolution=1&format=csv&scheme=fire", &["scheme: it applies to pictures"]),
        ("resolution=1&format=png&scheme=firre", &["scheme: no scheme is named `firre`", "fire"]),
        ("resolution=1&format=csv&profile=hour_of_day&tz=UTC", &["profile: csv has cells only"]),
        ("resolution=1&format=png&size=800x600", &["size: ", "whole pixels per cell"]),
        ("resolution=1&picture=heat&size=5000", &["size: ", "limits.pixels"]),
        ("resolution=1&picture=heat&radius=5000px", &["radius: ", "limits.radius_px"]),
    ] {
        server.get(&format!("/office/grid?{query}")).rejected(400, words);
    }
    server.get("/offices/grid?resolution=1").rejected(404, &["did you mean office?"]);
    let space = ["there is no layer `floor-1`", "a space of the layer office: /office/grid?space_id=floor-1"];
    server.get("/floor-1/grid?resolution=1").rejected(404, &space);
    server.post("/floor-1/grid", &json!({"resolution": 1})).rejected(404, &space);
}

#[test]
fn a_grid_with_too_many_cells_names_the_limit_and_the_finest_resolution() {
    let server = office("[limits]\ncells = 100\n");
    let rejected = |query: &str| {
        let reply = server.get(&format!("/office/grid?{query}"));
        reply.rejected(
            400,
            &["resolution: ", "limit of 100, limits.cells", "the finest resolution for these bounds is "],
        );
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        detail.rsplit_once(" is ").unwrap().1.trim_end_matches('m').to_owned()
    };
    // Of the extent of the layer, and of given bounds.
    for bounds in ["", "&bounds=0,0,4,4"] {
        let query = format!("resolution=0.1&omit_empty=false{bounds}");
        let finest = rejected(&query);
        let finest_query = format!("/office/grid?resolution={finest}&omit_empty=false{bounds}");
        server.get(&finest_query).ok(200);
        let finer: f64 = finest.parse::<f64>().unwrap() * 0.8;
        rejected(&format!("resolution={finer}&omit_empty=false{bounds}"));
    }
    rejected("resolution=1e-300&omit_empty=false");
    // Only the cells with points count, if empty ones are omitted.
    server.get("/office/grid?resolution=0.001").ok(200);
    let few = office("[limits]\ncells = 4\n");
    few.get("/office/grid?resolution=0.5").rejected(400, &["limit of 4", "the finest resolution"]);
    few.get("/stops/grid?resolution=1m&omit_empty=false").rejected(400, &["limit of 4", "the finest resolution"]);
}

#[test]
fn filters_that_no_point_can_pass_are_errors() {
    let server = office("");
    let typo = server.get("/office/grid?resolution=1&category=floor_1");
    typo.rejected(400, &["category: there are no points of `floor_1`", "floor-1, floor-2"]);
    let one_of_two = server.get("/office/grid?resolution=1&category=floor-1,lobby");
    one_of_two.rejected(400, &["no points of `lobby`"]);
    // A known space without points in the time range is not an error.
    let none = server.get("/office/grid?resolution=1&category=floor-2&end=2024-01-02").ok(200).json();
    assert_eq!((&none["array_cells"], &none["metadata"]["bounds"]), (&json!([]), &json!(null)));

    server.get("/bare/grid?resolution=1&start=2024").rejected(400, &["start: the layer has no time column"]);
    server.get("/bare/grid?resolution=1&compare=2024/2025").rejected(400, &["compare: the layer has no time column"]);
    server.get("/bare/grid?resolution=1&category=a").rejected(400, &["category: the layer has no category column"]);
    let profile = server.get("/bare/grid?resolution=1&profile=hour_of_day&tz=UTC");
    profile.rejected(400, &["profile: the points have no times"]);
    for kind in ["mean", "max"] {
        let reply = server.get(&format!("/bare/grid?resolution=1&heatmap_type={kind}"));
        reply.rejected(400, &["heatmap_type: the points have no weights", "occupancy"]);
    }
    assert_eq!(server.get("/bare/grid?resolution=1&heatmap_type=sum").ok(200).json()["metadata"]["total"], 2);
}

#[test]
fn invalid_rooms_are_errors() {
    let server = office("");
    let geojson = [("content-type", "application/geo+json")];
    let post = |body: &str| server.send("POST", "/office/grid?resolution=1", &geojson, body.as_bytes());
    post("").rejected(400, &["polygons: not GeoJSON"]);
    post("{\"type\": \"Polygon\"}").rejected(400, &["polygons: ", "expected a FeatureCollection"]);
    let room = |ring: &str| {
        format!(
            "{{\"type\": \"FeatureCollection\", \"features\": [{{\"type\": \"Feature\", \"properties\": {{\"name\": \"Lab\"}}, \
             \"geometry\": {{\"type\": \"Polygon\", \"coordinates\": [{ring}]}}}}]}}"
        )
    };
    post(&room("[[0, 0], [NaN, 0], [1, 1], [0, 0]]")).rejected(400, &["polygons: not GeoJSON"]);
    post(&room("[[0, 0], [1e999, 0], [1, 1], [0, 0]]")).rejected(400, &["polygons: not GeoJSON"]);
    post(&room("[[0, 0], [1, 0], [1, 1], [0, 1]]")).rejected(400, &["polygons: room `Lab`", "closed"]);
    post(&room("[[0, 0], [1, 0], [1, 1], [0, 0]]")).ok(200);
    let with_bounds = server.send(
        "POST",
        "/office/grid?resolution=1&bounds=0,0,1,1",
        &geojson,
        room("[[0, 0], [1, 0], [1, 1], [0, 0]]").as_bytes(),
    );
    with_bounds.rejected(400, &["rooms: rooms are counted as a whole"]);
    for (polygons, words) in [
        (json!([]), "polygons: not GeoJSON: it is not an object"),
        (json!(true), "polygons: not GeoJSON: it is not an object"),
        (json!({}), "polygons: not GeoJSON: the object has no type"),
    ] {
        server.post("/office/grid", &json!({"resolution": 1, "polygons": polygons})).rejected(400, &[words]);
    }
    server.send("POST", "/office/grid", &[("content-type", "image/png")], b"{}").rejected(415, &["application/json"]);
}
