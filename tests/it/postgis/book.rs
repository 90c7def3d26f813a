//! The commands of the pages of live tables.

use super::cluster::Cluster;
use crate::book::run_live_tables;

#[test]
fn every_command_of_the_page_of_live_tables_succeeds() {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE SCHEMA city;
         CREATE TABLE city.bus_stops (place geometry(Point, 4326), boardings float8, seen_at timestamptz, kind text,
             closed date, speed float8, line text);
         INSERT INTO city.bus_stops SELECT ST_SetSRID(ST_MakePoint(17.9 + x / 1000.0, 59.2 + x / 1000.0), 4326), x % 7,
             '2024-05-01'::timestamptz + x * interval '1 hour', CASE x % 2 WHEN 0 THEN 'bus' ELSE 'tram' END,
             NULL, x % 60, 'line ' || x % 5
         FROM generate_series(1, 200) x;
         CREATE TABLE departures (place geometry(Point, 4326), minutes int);
         INSERT INTO departures SELECT place, boardings FROM city.bus_stops",
    );
    let url = database.url();
    run_live_tables(
        "docs/postgis.md",
        &[("postgres://ann@db.example/maps", &url), ("psql maps", &format!("psql -X -v ON_ERROR_STOP=1 {url}"))],
    );
}

#[test]
fn every_command_of_the_recipe_of_a_database_succeeds() {
    let database = Cluster::shared().database();
    let url = database.url();
    let psql = format!("psql -X -v ON_ERROR_STOP=1 {url}");
    let replacements = [("postgres://ann@db.example/shop", url.as_str()), ("psql shop", &psql)];
    run_live_tables("examples/matrix/database/README.md", &replacements);
}
