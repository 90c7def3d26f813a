//! Tables that are altered, dropped and created while they are served.

use serde_json::Value;

use super::cluster::{Cluster, Database};
use crate::server::{Server, eventually};

/// A database with a table of stops.
fn town() -> Database {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE TABLE stops (geom geometry(Point, 4326), weight int, kind text);
         INSERT INTO stops SELECT ST_SetSRID(ST_MakePoint(x / 10.0, 50 + x / 20.0), 4326), x, 'bus' FROM generate_series(1, 50) x",
    );
    database
}

/// The layer in the catalog; null if it is not listed.
fn listed(server: &Server, name: &str) -> Value {
    let catalog = server.get("/catalog").ok(200).json();
    let layers = catalog["layers"].as_array().unwrap();
    layers.iter().find(|layer| layer["name"] == name).cloned().unwrap_or_default()
}

/// Asserts that no route of a layer returns anything but a problem of `status`.
fn all_rejected(server: &Server, layer: &str, status: u16, words: &[&str]) {
    for path in ["", "/5/16/10.png", "/statistics?zoom=1", "/points", "/point/5,50?z=3", "/legend.json?zoom=2"] {
        server.get(&format!("/{layer}{path}")).rejected(status, words);
    }
}

#[test]
fn altered_tables_are_looked_up_while_they_are_served() {
    let database = town();
    for table in ["typed", "moved", "retyped", "renamed", "recolumned", "dropped", "again", "emptied"] {
        database.sql(&format!("CREATE TABLE {table} (LIKE stops); INSERT INTO {table} SELECT * FROM stops"));
    }
    database.sql("CREATE TABLE spare AS SELECT 1 AS a");
    let config = format!(
        "[postgis]\nurl = \"{}\"\n[layers.fixed]\ntable = \"emptied\"\n\
         [layers.selected]\nsql = \"SELECT * FROM retyped\"\n",
        database.url()
    );
    let server = Server::with(&[], &config);
    let picture = |layer: &str| server.get(&format!("/{layer}/5/16/10.png")).ok(200);
    let before: Vec<_> = ["moved", "retyped", "selected"].map(|layer| picture(layer).body).into();
    assert_eq!(listed(&server, "typed")["weight"], "weight");
    database.sql(
        "ALTER TABLE typed ALTER weight TYPE text;
         SELECT UpdateGeometrySRID('moved', 'geom', 3857);
         ALTER TABLE retyped ALTER geom TYPE geometry(Point, 3857) USING ST_Transform(geom, 3857);
         ALTER TABLE renamed RENAME TO other_name;
         ALTER TABLE recolumned RENAME geom TO place;
         DROP TABLE dropped;
         DROP TABLE again; CREATE TABLE again (place geometry(Point, 4326), passengers int, value int);
         INSERT INTO again VALUES (ST_SetSRID(ST_MakePoint(7, 51), 4326), 3, 4);
         ALTER TABLE emptied DROP geom;
         CREATE TABLE added AS TABLE stops;
         ALTER TABLE spare ADD geom geometry(Point, 4326)",
    );
    // Nothing else tells the server: there is no trigger, no interval, and no request for a picture.
    eventually("the new table is listed", || !listed(&server, "added").is_null());
    eventually("the type is looked up", || listed(&server, "typed")["weight"].is_null());
    eventually("the reference system is looked up", || {
        listed(&server, "moved")["bounds"][1][0].as_f64().unwrap() < 1.0
    });
    assert!(picture("moved").body != before[0], "the points are still drawn in Europe");
    for (layer, before) in ["retyped", "selected"].iter().zip(&before[1..]) {
        let version = server.get(&format!("/{layer}")).ok(200).json()["kiln"]["points"].clone();
        assert_eq!(version, 50);
        eventually("the new type is used", || server.get(&format!("/{layer}/5/16/10.png?radius=24")).status == 200);
        assert!(picture(layer).body == *before, "{layer}: the same points have another picture");
    }
    server.eventually("/other_name/5/16/10.png", 200);
    eventually("the old name is gone", || listed(&server, "renamed").is_null());
    all_rejected(&server, "renamed", 404, &["no longer exists"]);
    eventually("the dropped table is gone", || listed(&server, "dropped").is_null());
    all_rejected(&server, "dropped", 404, &["no longer exists"]);
    eventually("the renamed column is found", || server.get("/recolumned/5/16/10.png").status == 200);
    eventually("the new columns are found", || listed(&server, "again")["weight"] == "value");
    assert_eq!(listed(&server, "again")["points"], 1);
    eventually("the column is gone", || listed(&server, "fixed").is_null());
    all_rejected(&server, "fixed", 404, &["has changed"]);
    eventually("the new column is found", || !listed(&server, "spare").is_null());
    let log = server.log();
    for words in [["typed", "the table has changed"], ["moved", "SRID 3857"], ["dropped", "no longer a layer"]] {
        assert!(log.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {log}");
    }
    assert!(!log.contains("status=500") && !log.contains("panicked"), "{log}");
    // A table that is back is a layer again.
    database.sql("CREATE TABLE dropped AS TABLE stops; ALTER TABLE emptied ADD place geometry(Point, 4326)");
    server.eventually("/dropped/5/16/10.png", 200);
    server.eventually("/fixed", 200);
}

#[test]
fn a_table_whose_privileges_are_revoked_is_no_layer_until_they_are_granted() {
    let database = town();
    database.sql(
        "DROP ROLE IF EXISTS eve; CREATE ROLE eve LOGIN; GRANT SELECT ON stops TO eve;
         CREATE TABLE closed AS TABLE stops",
    );
    let server = Server::with(&[&database.url_of("eve")], "");
    server.get("/stops/5/16/10.png").ok(200);
    assert!(listed(&server, "closed").is_null());
    database.sql("REVOKE SELECT ON stops FROM eve; GRANT SELECT ON closed TO eve");
    eventually("the layer is not listed", || listed(&server, "stops").is_null());
    all_rejected(&server, "stops", 503, &["no access"]);
    server.eventually("/closed/5/16/10.png", 200);
    database.sql("GRANT SELECT ON stops TO eve");
    server.eventually("/stops/4/8/5.png", 200);
    eventually("the layer is listed", || !listed(&server, "stops").is_null());
    assert!(!server.log().contains("status=500"), "{}", server.log());
}
