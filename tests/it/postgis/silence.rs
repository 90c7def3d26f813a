//! Connections whose packets are dropped without an end of the connection.

use super::cluster::{Cluster, Database};
use super::proxy::Proxy;
use crate::kiln::kiln;
use crate::server::{Server, eventually};

/// A database with a table that notifies of its changes.
fn stops() -> Database {
    let database = Cluster::shared().database();
    database.sql(
        "CREATE TABLE stops (geom geometry(Point, 4326));
         INSERT INTO stops SELECT ST_SetSRID(ST_MakePoint(x, 50), 4326) FROM generate_series(1, 50) x",
    );
    let home = tempfile::tempdir().unwrap();
    database.sql(&String::from_utf8(kiln(home.path(), ["postgis", "trigger", "stops"]).stdout).unwrap());
    database
}

fn server_behind(proxy: &Proxy, database: &Database) -> Server {
    let url = format!("postgres://kiln@127.0.0.1:{}/{}", proxy.port(), database.name());
    Server::with(&[], &format!("[postgis]\nurl = \"{url}\"\ntimeout = \"1s\"\n"))
}

#[test]
fn silent_connections_of_the_pool_are_discarded_after_the_timeout() {
    let database = stops();
    let proxy = Proxy::start(database.cluster().port());
    let server = server_behind(&proxy, &database);
    // One request reads points, and the other one sums them in the database.
    let points = |number: u32| server.get(&format!("/stops/points?limit={number}"));
    let sums = |number: u32| server.get(&format!("/stops/point/5.{number},50?z=2"));
    for (number, request) in [&points as &dyn Fn(u32) -> _, &sums].into_iter().enumerate() {
        request(1).ok(200);
        proxy.forget_connections();
        let reply = request(2);
        reply.rejected(503, &["unavailable", "retry later"]);
        assert_eq!(reply.json()["type"], "urn:kiln:database-unavailable", "request {number}");
        // All silent connections are discarded with the first one.
        request(3).ok(200);
    }
}

#[test]
fn a_silent_listener_is_replaced_and_the_tables_are_looked_at() {
    let database = stops();
    let proxy = Proxy::start(database.cluster().port());
    let server = server_behind(&proxy, &database);
    let points = || server.get("/stops").ok(200).json()["kiln"]["points"].as_u64().unwrap();
    let insert = || {
        database.sql("INSERT INTO stops VALUES (ST_SetSRID(ST_MakePoint(7, 51), 4326))");
    };
    insert();
    eventually("the table is looked at", || points() == 51);
    proxy.forget_connections();
    insert();
    eventually("the table is looked at after a gap", || points() == 52);
    assert!(server.log().contains("the database does not answer"), "{}", server.log());
    insert();
    eventually("notifications arrive again", || points() == 53);
}
