//! Tables that another session has locked.

use std::io::Write;
use std::net::TcpStream;

use super::cluster::{Cluster, Database};
use crate::server::{Server, eventually};

/// A database with three tables of points.
fn town() -> Database {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE TABLE stops (geom geometry(Point, 4326));
         INSERT INTO stops SELECT ST_SetSRID(ST_MakePoint(x, 50), 4326) FROM generate_series(1, 50) x;
         CREATE TABLE locked AS TABLE stops; CREATE TABLE other AS TABLE stops",
    );
    database
}

fn layers(server: &Server) -> Vec<String> {
    let catalog = server.get("/catalog").ok(200).json();
    catalog["layers"].as_array().unwrap().iter().map(|layer| layer["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_locked_table_delays_no_other_layer() {
    const REQUESTS: u32 = 40;
    let database = town();
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file.csv"), "lon,lat\n5,50\n6,51\n").unwrap();
    let config = format!(
        "[server]\nrender_threads = 2\ntimeout = \"10m\"\n[postgis]\nurl = \"{}\"\ntimeout = \"5m\"\n[layers.file]\ninput = \"file.csv\"\n",
        database.url()
    );
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let lock = database.lock("locked");
    let waiting = || -> u32 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kiln' AND wait_event_type = 'Lock' \
                   AND datname = current_database()";
        database.sql(sql).trim().parse().unwrap()
    };
    let clients: Vec<TcpStream> = (0..REQUESTS)
        .map(|number| {
            let mut client = server.connect();
            let path = ["5/16/10.png?vmax=1", "points?limit=1", "point/5,50?z=3&radius=1"][number as usize % 3];
            write!(client, "GET /locked/{path}{number} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .unwrap();
            client
        })
        .collect();
    // Half of the eight connections wait.
    eventually("requests wait for the lock", || waiting() >= 4);
    for number in 0..5 {
        server.get(&format!("/file/5/16/10.png?radius={}", 20 + number)).ok(200);
        server.get(&format!("/other/5/16/10.png?radius={}", 20 + number)).ok(200);
        server.get(&format!("/other/points?limit={}", 1 + number)).ok(200);
        server.get(&format!("/other/statistics?zoom={number}")).ok(200);
    }
    assert_eq!(layers(&server), ["file", "locked", "other", "stops"]);
    for path in ["/locked", "/other", "/file", "/health"] {
        server.get(path).ok(200);
    }
    // Other tables are looked at, too.
    database.sql("INSERT INTO other VALUES (ST_SetSRID(ST_MakePoint(7, 51), 4326)); NOTIFY kiln, ''");
    eventually("the table is looked at", || server.get("/other").ok(200).json()["kiln"]["points"] == 51);
    database.sql("CREATE TABLE added AS TABLE stops");
    server.eventually("/added/5/16/10.png", 200);
    // All of this was done while the requests waited.
    assert!(waiting() >= 4);
    drop(lock);
    for mut client in clients {
        let mut reply = Vec::new();
        std::io::Read::read_to_end(&mut client, &mut reply).unwrap();
        assert!(reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply[..reply.len().min(600)]));
    }
}

#[test]
fn a_table_that_is_locked_at_the_start_becomes_a_layer_later() {
    let database = town();
    let config = format!("[postgis]\nurl = \"{}\"\n[layers.fixed]\ntable = \"locked\"\n", database.url());
    let lock = database.lock("locked");
    let server = Server::with(&[], &config);
    assert_eq!(layers(&server), ["other", "stops"]);
    server.get("/other/5/16/10.png").ok(200);
    server.get("/fixed/5/16/10.png").rejected(503, &["postgis.timeout"]);
    assert!(server.log().contains("lock timeout"), "{}", server.log());
    drop(lock);
    server.eventually("/fixed/5/16/10.png", 200);
    assert_eq!(layers(&server), ["fixed", "other", "stops"]);
}
