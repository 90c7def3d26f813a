//! Points without an area: a single one, or all of the same longitude or latitude.

use std::fmt::Write as _;

use serde_json::json;

use super::cluster::Cluster;
use crate::server::Server;

#[test]
fn points_without_an_area_are_read_without_bounds() {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE VIEW lines AS SELECT n, x, y FROM (VALUES (0, 8.54321, 47.12345), (1, -179.98765, -33.3), (2, 0, 0)) AS c(n, lon, lat),
             LATERAL (SELECT lon + 0 AS x, lat AS y) AS one;
         CREATE TABLE singles AS SELECT n, ST_SetSRID(ST_MakePoint(x, y), 4326)::geometry(Point, 4326) AS geom FROM lines;
         CREATE TABLE parallels AS SELECT n, ST_SetSRID(ST_MakePoint(ST_X(geom) + i / 1000.0, ST_Y(geom)), 4326)::geometry(Point, 4326) AS geom
             FROM singles, generate_series(1, 500) i;
         CREATE TABLE meridians AS SELECT n, ST_SetSRID(ST_MakePoint(ST_X(geom), ST_Y(geom) + i / 1000.0), 4326)::geometry(Point, 4326) AS geom
             FROM singles, generate_series(1, 500) i;
         CREATE TABLE copies AS SELECT s.* FROM singles s, generate_series(1, 500)",
    );
    let mut config = format!("[postgis]\nurl = \"{}\"\ndiscover = false\n", database.url());
    let mut layers = Vec::new();
    for (table, points) in [("singles", 1), ("parallels", 500), ("meridians", 500), ("copies", 500)] {
        for number in 0..3 {
            for (kind, geometry) in [
                ("degrees", "geom"),
                ("mercator", "ST_Transform(geom, 3857) AS geom"),
                ("sphere", "geom::geography AS geom"),
                ("multi", "ST_Multi(geom) AS geom"),
            ] {
                let name = format!("{table}-{number}-{kind}");
                let sql = format!("SELECT {geometry} FROM {table} WHERE n = {number}");
                write!(config, "[layers.{name}]\nsql = \"{sql}\"\n").unwrap();
                layers.push((name, points));
            }
        }
    }
    let server = Server::with(&[], &config);
    for (layer, points) in &layers {
        let found = server.get(&format!("/{layer}/points")).ok(200).json();
        assert_eq!(found["total"], *points, "{layer}");
        let statistics = server.get(&format!("/{layer}/statistics?zoom=2")).ok(200).json();
        assert_eq!(statistics["points"], *points, "{layer}");
        let [south_west, north_east] = [0, 1].map(|corner| statistics["bounds"][corner].clone());
        let edges = json!([[south_west[1], south_west[0]], [north_east[1], north_east[0]]]);
        let bounds = format!("{},{},{},{}", edges[0][0], edges[0][1], edges[1][0], edges[1][1]);
        // The edges are rounded to nine digits.
        let within = server.get(&format!("/{layer}/points?bounds={bounds}")).json();
        assert!(within["total"].is_u64() || within["parameter"] == "bounds", "{layer}: {within}");
        let overlay = server.post("/overlays", &json!({"layer": layer, "size": 64}));
        assert!(overlay.ok(201).json()["points"].as_u64().is_none_or(|drawn| drawn == *points), "{layer}");
    }
}
