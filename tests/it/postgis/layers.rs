//! Layers of the tables, views and queries of a database.

use std::fmt::Write;

use serde_json::{Value, json};

use super::cluster::{Cluster, Database};
use crate::kiln::kiln;
use crate::server::{Server, eventually};

/// A database with a table of stops, some of which have no position.
fn town() -> Database {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE TABLE stops (id serial PRIMARY KEY, place geometry(Point, 4326), boardings int, kind text, seen timestamptz);
         INSERT INTO stops (place, boardings, kind, seen) VALUES
           (ST_SetSRID(ST_MakePoint(18.0, 59.3), 4326), 1, 'bus', '2024-01-01'),
           (ST_SetSRID(ST_MakePoint(18.1, 59.4), 4326), 5, 'tram', '2024-02-01 12:30+00'),
           (ST_SetSRID(ST_MakePoint(18.2, 59.5), 4326), 3, 'bus', '2024-03-01'),
           (NULL, 4, 'bus', NULL), (ST_GeomFromText('POINT EMPTY', 4326), 4, 'bus', NULL);
         CREATE INDEX ON stops USING gist (place)",
    );
    database
}

fn layers(server: &Server) -> Vec<(String, u64)> {
    let catalog = server.get("/catalog").ok(200).json();
    let layers = catalog["layers"].as_array().unwrap().iter();
    layers.map(|layer| (layer["name"].as_str().unwrap().to_owned(), layer["points"].as_u64().unwrap())).collect()
}

#[test]
fn tables_and_views_of_points_are_discovered_and_others_skipped_with_a_reason() {
    let database = town();
    database.sql(
        "CREATE VIEW buses AS SELECT * FROM stops WHERE kind = 'bus';
         CREATE MATERIALIZED VIEW trams AS SELECT * FROM stops WHERE kind = 'tram';
         CREATE TABLE swiss (geom geometry(Point, 2056), value float8);
         INSERT INTO swiss VALUES (ST_Transform(ST_SetSRID(ST_MakePoint(8.54, 47.37), 4326), 2056), 2.5);
         CREATE TABLE sphere (geog geography(Point, 4326));
         INSERT INTO sphere VALUES ('POINT(10 50)'), ('POINT(11 51)');
         CREATE TABLE groups (geom geometry(MultiPoint, 3857));
         INSERT INTO groups VALUES (ST_Transform(ST_GeomFromText('MULTIPOINT((1 2),(3 4),(5 6))', 4326), 3857));
         CREATE TABLE anything (geom geometry);
         INSERT INTO anything VALUES (ST_GeomFromText('POINT(1 2)', 4326)), (ST_GeomFromText('LINESTRING(1 2,3 4)', 4326));
         CREATE TABLE nowhere (geom geometry(Point));
         INSERT INTO nowhere VALUES (ST_MakePoint(1, 2));
         CREATE TABLE roads (geom geometry(LineString, 4326));
         CREATE TABLE empty (geom geometry(Point, 4326));
         CREATE TABLE plain (id int);
         CREATE SCHEMA \"My Maps\"; CREATE TABLE \"My Maps\".\"a\"\"b\" (geom geometry(Point, 4326));
         INSERT INTO \"My Maps\".\"a\"\"b\" VALUES ('SRID=4326;POINT(3 4)');
         CREATE TABLE two (a geometry(Point, 4326), b geometry(Point, 4326));
         INSERT INTO two VALUES ('SRID=4326;POINT(3 4)', 'SRID=4326;POINT(5 6)')",
    );
    let server = Server::with(&[&database.url()], "");
    let expected = [
        ("My-Maps-a-b", 1),
        ("anything", 1),
        ("buses", 2),
        ("empty", 0),
        ("groups", 3),
        ("sphere", 2),
        ("stops", 3),
        ("swiss", 1),
        ("trams", 1),
        ("two-a", 1),
        ("two-b", 1),
    ];
    assert_eq!(layers(&server), expected.map(|(name, points)| (name.to_owned(), points)));
    let log = server.log();
    for words in [["nowhere", "SRID 0"], ["roads", "linestring"], ["stops", "time seen"], ["swiss", "weight value"]] {
        assert!(log.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {log}");
    }
    for (layer, position) in
        [("swiss", "8.54,47.37"), ("sphere", "10,50"), ("groups", "3,4"), ("empty", "0,0"), ("two-b", "5,6")]
    {
        let values = server.get(&format!("/{layer}/point/{position}?z=14")).ok(200).json();
        assert_eq!(values["points"], u64::from(layer != "empty"), "{layer}: {values}");
        server.get(&format!("/{layer}/3/4/2.png")).ok(200);
        server.get(&format!("/{layer}/statistics?zoom=2")).ok(200);
        server.get(&format!("/{layer}")).ok(200);
    }
    let stops = server.get("/stops/statistics?zoom=3").ok(200).json();
    assert_eq!((&stops["weight"], &stops["time"]["end"]), (&Value::Null, &json!("2024-03-01T00:00:00Z")));
}

#[test]
fn layers_of_tables_and_queries_are_configured() {
    let database = town();
    database.sql(
        "CREATE TABLE nowhere (geom geometry(Point), \"Höhe\" int); INSERT INTO nowhere VALUES (ST_MakePoint(1, 2), 7)",
    );
    let config = format!(
        "[postgis]\nurl = \"{}\"\ndiscover = false\n\
         [layers.buses]\ntable = \"public.stops\"\nweight = \"boardings\"\nfilter = \"kind = 'bus' -- only\"\ntitle = \"Buses\"\n\
         [layers.heights]\ntable = \"nowhere\"\nsrid = 4326\nweight = \"Höhe\"\n\
         [layers.selected]\nsql = \"SELECT place, boardings * 2 AS weight FROM stops WHERE boardings > 2;\"\n",
        database.url()
    );
    let server = Server::with(&[], &config);
    let expected = [("buses", 2), ("heights", 1), ("selected", 2)];
    assert_eq!(layers(&server), expected.map(|(name, points)| (name.to_owned(), points)));
    let sum = |layer: &str| server.get(&format!("/{layer}/statistics?zoom=0")).ok(200).json()["weight"]["sum"].clone();
    assert_eq!((sum("buses"), sum("heights"), sum("selected")), (json!(4.0), json!(7.0), json!(16.0)));
    assert_eq!(server.get("/buses/point/18.1,59.4?z=3").ok(200).json()["points"], 2);

    let home = tempfile::tempdir().unwrap();
    for (layer, words) in [
        ("table = \"none\"", &["layers.a", "no table or view `none`"][..]),
        ("table = \"stops\"\nweight = \"boarding\"", &["boarding", "boardings"]),
        ("table = \"stops\"\nweight = \"kind\"", &["kind", "type text"]),
        ("table = \"stops\"\nsrid = 3857", &["4326", "not 3857"]),
        ("table = \"stops\"\nsql = \"select 1\"", &["only one of input, table and sql"]),
        ("table = \"stops\"\nlon = \"x\"", &["geometry"]),
        ("sql = \"SELECT 1 AS a\"", &["geometry or geography"]),
        ("sql = \"SELEC 1\"", &["syntax error"]),
        ("input = \"a.csv\"\nsrid = 5", &["only a database table"]),
    ] {
        let config = format!("[postgis]\nurl = \"{}\"\n[layers.a]\n{layer}\n", database.url());
        std::fs::write(home.path().join("kiln.toml"), config).unwrap();
        let run = kiln(home.path(), ["serve", "-l", "127.0.0.1:0"]);
        assert_ne!(run.code, 0, "{layer}");
        assert!(words.iter().all(|word| run.stderr.contains(word)), "{layer}: {}", run.stderr);
    }
}

/// Percent-encodes every byte of a text.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        write!(all, "%{byte:02X}").unwrap();
        all
    })
}

#[test]
fn text_of_a_request_is_never_executed_as_sql() {
    let database = town();
    let config =
        format!("[postgis]\nurl = \"{}\"\n[layers.stops]\ntable = \"stops\"\nweight = \"boardings\"\n", database.url());
    let server = Server::with(&[], &config);
    let attacks =
        ["'; DROP TABLE stops; --", "bus' OR '1'='1", "$1", "\\'; DELETE FROM stops; --", "\") OR true --", "bus\0"];
    for attack in attacks {
        let text = escaped(attack);
        // No stop has the text as its category.
        let list = escaped(&json!([attack]).to_string());
        for path in ["points?", "statistics?zoom=1&", "point/18,59?z=3&", "2/2/1.png?"] {
            let reply = server.get(&format!("/stops/{path}category={list}"));
            let found = String::from_utf8_lossy(&reply.body).into_owned();
            if path == "points?" && reply.status == 200 {
                assert_eq!(reply.json()["total"], 0, "{attack}: {found}");
            }
            let status = if attack.contains('\0') { 400 } else { 200 };
            assert_eq!(reply.status, status, "{attack} {path}: {found}");
            assert!(!found.contains("syntax"), "{attack}: {found}");
        }
        for name in ["start", "end", "bounds", "limit", "format", "radius", "scheme", "z", "v", "agg", "zoom"] {
            for path in ["points", "statistics", "point/18,59", "2/2/1.png", "legend.json", "bbox/0,0,1,1/9x9.png"] {
                let reply = server.get(&format!("/stops/{path}?{name}={text}"));
                assert!(reply.status < 500, "{name}={attack}: {reply:?}");
            }
        }
        server.get(&format!("/{text}/0/0/0.png"));
        for body in [
            json!({"layer": "stops", "where": [{"column": attack, "op": "=", "value": 1}]}),
            json!({"layer": "stops", "where": [{"column": "boardings", "op": attack, "value": 1}]}),
            json!({"layer": "stops", "where": [{"column": "boardings", "op": "=", "value": attack}]}),
            json!({"layer": "stops", "where": attack}),
            json!({"layer": "stops", "start": attack}),
            json!({"layer": "stops", "bounds": attack}),
            json!({"layer": attack}),
            json!({"layer": "stops", "sql": attack}),
        ] {
            let reply = server.post("/queries", &body);
            assert!((400..500).contains(&reply.status), "{body}: {reply:?}");
        }
    }
    assert_eq!(database.sql("SELECT count(*) FROM stops").trim(), "5");
}

#[test]
fn a_query_is_a_temporary_layer() {
    let database = town();
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,boardings,kind,seen\n18.0,59.3,1,bus,2024-01-01\n18.1,59.4,5,tram,2024-02-01T12:30:00Z\n\
                18.2,59.5,3,bus,2024-03-01\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    let flags = [
        "import",
        "stops.csv",
        "--layer",
        "stored",
        "--weight",
        "boardings",
        "--category-column",
        "kind",
        "--time",
        "seen",
    ];
    kiln(home.path(), flags).done();
    let config = format!(
        "[postgis]\nurl = \"{}\"\n[queries]\nttl = \"2s\"\n[layers.live]\ntable = \"stops\"\nweight = \"boardings\"\n\
         category = \"kind\"\ncolumns = [\"id\"]\n",
        database.url()
    );
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let create_query = |body: Value| server.post("/queries", &body).ok(201).json();
    let mut pictures = Vec::new();
    for layer in ["live", "stored"] {
        let query = create_query(json!({"layer": layer, "category": "bus", "bounds": [[59.0, 17.0], [59.45, 19.0]]}));
        let id = query["id"].as_str().unwrap();
        assert_eq!(query["points"], 1, "{query}");
        assert!(query["tilejson"].as_str().unwrap().ends_with(id));
        pictures.push(server.get(&format!("/{id}/5/17/9.png?radius=9")).ok(200).body);
        assert_eq!(server.get(&format!("/{id}/points")).ok(200).json()["total"], 1);
        assert_eq!(server.get(&format!("/{id}/points?category=tram")).ok(200).json()["total"], 0);
        assert_eq!(server.get(&format!("/{id}/statistics?zoom=1")).ok(200).json()["points"], 1);
        server.get(&format!("/{id}/legend.png?zoom=5")).ok(200);
        server.get(&format!("/{id}")).ok(200);
        server.post("/overlays", &json!({"layer": id, "size": 64})).ok(201);
        let polygon = json!({"type": "Polygon", "coordinates": [[[17, 58], [19, 58], [18, 60], [17, 58]]]});
        server
            .post(&format!("/{id}/3/4/2.png"), &polygon)
            .rejected(400, &["polygon", "already has bounds or a polygon"]);
        server.post("/queries", &json!({"layer": id})).rejected(400, &["layer", "query itself"]);
        assert!(!layers(&server).iter().any(|(name, _)| name == id));
    }
    assert!(pictures[0] == pictures[1], "the pictures of the queries differ");
    let compared = create_query(json!({"layer": "live", "where": [
        {"column": "boardings", "op": ">=", "value": 3}, {"column": "kind", "op": "!=", "value": "tram"},
        {"column": "seen", "op": ">", "value": "2024-01-15"}, {"column": "id", "op": "<", "value": 100}]}));
    assert_eq!(compared["points"], 1);
    for (body, words) in [
        (json!({"layer": "live", "where": [{"column": "place", "op": "=", "value": 1}]}), ["where", "place"]),
        (json!({"layer": "live", "where": [{"column": "kind", "op": "=", "value": 1}]}), ["where", "give a text"]),
        (json!({"layer": "live", "where": [{"column": "seen", "op": "=", "value": "soon"}]}), ["where", "soon"]),
        (json!({"layer": "stored", "where": [{"column": "kind", "op": "=", "value": "bus"}]}), ["where", "live table"]),
        (json!({"layer": "live", "sql": "select 1"}), ["sql", "unknown parameter"]),
        (json!({}), ["layer", "missing"]),
    ] {
        server.post("/queries", &body).rejected(400, &words);
    }
    let id = compared["id"].as_str().unwrap().to_owned();
    server.eventually(&format!("/{id}/0/0/0.png"), 404);
}

#[test]
fn layers_reflect_changes_of_their_tables() {
    let database = town();
    let home = tempfile::tempdir().unwrap();
    let sql = String::from_utf8(kiln(home.path(), ["postgis", "trigger", "stops"]).stdout).unwrap();
    database.sql(&sql);
    database.sql("CREATE TABLE silent AS SELECT * FROM stops");
    let config =
        format!("[postgis]\nurl = \"{}\"\n[layers.silent]\ntable = \"silent\"\nrefresh = \"1s\"\n", database.url());
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let version = |layer: &str| server.get(&format!("/{layer}")).ok(200).json()["kiln"]["version"].clone();
    for table in ["stops", "silent"] {
        let before = (version(table), server.get(&format!("/{table}/0/0/0.png")).ok(200));
        database.sql(&format!("INSERT INTO {table} (place) VALUES ('SRID=4326;POINT(-70 -30)')"));
        eventually(table, || version(table) != before.0);
        assert_eq!(server.get(&format!("/{table}/points")).ok(200).json()["total"], 4);
        let after = server.get(&format!("/{table}/0/0/0.png")).ok(200);
        assert!(after.body != before.1.body && after.header("etag") != before.1.header("etag"));
    }
}

#[test]
fn tables_are_imported_and_rendered() {
    let database = town();
    let home = tempfile::tempdir().unwrap();
    let url = format!("{}?table=stops", database.url());
    let summary =
        kiln(home.path(), ["import", &url, "--layer", "copied", "--weight", "boardings", "--category-column", "kind"])
            .done();
    assert!(summary.contains('3') && summary.contains("2 "), "{summary}");
    let filtered =
        ["import", &url, "--layer", "buses", "--category-column", "kind", "--category", "bus", "--start", "2024-02-01"];
    kiln(home.path(), filtered).done();
    let text = String::from_utf8(kiln(home.path(), ["layers", "--json"]).stdout).unwrap();
    assert!(text.contains("copied") && text.contains("buses"), "{text}");
    let (files, tables) = (home.path().join("a.tif"), home.path().join("b.tif"));
    let rows = "lon,lat,boardings\n18.0,59.3,1\n18.1,59.4,5\n18.2,59.5,3\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    let bounds = ["--bounds=17,59,19,60", "--size", "200", "--weight", "boardings", "-o"];
    let render = |input: &str, output: &std::path::Path| {
        let args = ["render", input].into_iter().chain(bounds).chain([output.to_str().unwrap()]);
        kiln(home.path(), args).done();
    };
    render("stops.csv", &files);
    render(&url, &tables);
    assert_eq!(std::fs::read(files).unwrap(), std::fs::read(tables).unwrap());
    let both = kiln(home.path(), ["import", &url, "stops.csv", "--layer", "both"]);
    both.failed(2, &["cannot be combined with other inputs"]);
    database.sql("CREATE TABLE more AS SELECT * FROM stops");
    kiln(home.path(), ["import", &database.url(), "--layer", "which"])
        .failed(1, &["?table=", "public.more", "public.stops"]);
    kiln(home.path(), ["import", &format!("{}?table=none", database.url()), "--layer", "none"]).failed(1, &["`none`"]);
}

#[test]
fn tiles_are_read_by_an_index_scan() {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE TABLE many AS SELECT ST_SetSRID(ST_MakePoint(random() * 360 - 180, random() * 160 - 80), 4326)
             ::geometry(Point, 4326) AS geom FROM generate_series(1, 200000);
         CREATE TABLE metric AS SELECT ST_Transform(geom, 3857)::geometry(Point, 3857) AS geom FROM many;
         CREATE TABLE sphere AS SELECT geom::geography(Point, 4326) AS geog FROM many;
         CREATE INDEX ON many USING gist (geom); CREATE INDEX ON metric USING gist (geom);
         CREATE INDEX ON sphere USING gist (geog); ANALYZE",
    );
    // Logs the plan of every statement.
    database.sql(&format!(
        "ALTER DATABASE {} SET session_preload_libraries = 'auto_explain'; ALTER DATABASE {} SET auto_explain.log_min_duration = 0",
        database.name(),
        database.name()
    ));
    let server = Server::with(&[&database.url()], "");
    for (layer, index) in [("many", "many_geom_idx"), ("metric", "metric_geom_idx"), ("sphere", "sphere_geog_idx")] {
        let before = database.cluster().log().len();
        server.get(&format!("/{layer}/8/140/75.png?vmin=0&vmax=1")).ok(200);
        let log = database.cluster().log()[before..].to_owned();
        assert!(
            log.contains(&format!("Index Scan using {index}")) || log.contains(&format!("Index Scan on {index}")),
            "{log}"
        );
        assert!(!log.contains(&format!("Seq Scan on {layer}")), "{log}");
    }
}
