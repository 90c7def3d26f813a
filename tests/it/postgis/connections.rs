//! The connection pool: its limit, its reuse of connections, and its back-off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::cluster::{Cluster, Database};
use super::proxy::Proxy;
use crate::server::{Server, eventually};

fn stops(cluster: &Arc<Cluster>) -> Database {
    let database = cluster.database();
    database.sql(
        "CREATE TABLE stops (geom geometry(Point, 4326));
         INSERT INTO stops SELECT ST_SetSRID(ST_MakePoint(x, 50), 4326) FROM generate_series(1, 50) x",
    );
    database
}

/// A server whose database is behind a proxy.
fn server_behind(proxy: &Proxy, database: &Database) -> Server {
    Server::with(&[&format!("postgres://kiln@127.0.0.1:{}/{}", proxy.port(), database.name())], "")
}

#[test]
fn connection_attempts_to_an_unreachable_database_back_off_until_it_recovers() {
    const REQUESTS: usize = 300;
    let cluster = Cluster::shared();
    let database = stops(&cluster);
    let proxy = Proxy::start(cluster.port());
    let server = server_behind(&proxy, &database);
    let tile = |number: usize| server.get(&format!("/stops/5/16/10.png?vmin=0&vmax={}", number + 1));
    tile(0).ok(200);
    proxy.go_down();
    let (before, start) = (proxy.connections(), Instant::now());
    for number in 1..=REQUESTS {
        let reply = tile(number);
        reply.rejected(503, &["retry later"]);
    }
    let (tries, seconds) = (proxy.connections() - before, start.elapsed().as_secs() as usize);
    // The back-off doubles from 100 ms to 5 s; the listener reconnects once per second.
    let max_tries = 10 + 2 * seconds;
    assert!(tries <= max_tries && max_tries < REQUESTS, "{tries} tries for {REQUESTS} requests in {seconds} s");
    proxy.come_back();
    eventually("the database is used again", || tile(REQUESTS + 1).status == 200);
}

#[test]
fn the_number_of_connections_is_limited_and_connections_are_reused() {
    const CLIENTS: usize = 8;
    const LIMIT: usize = 3;
    /// Connections that do not serve pictures: two for the columns of tables, two for their statistics, one listens.
    const SIDE: usize = 5;
    let cluster = Cluster::shared();
    let database = stops(&cluster);
    // Statements are slow enough for clients to queue for connections.
    database.sql("CREATE VIEW slow AS SELECT geom FROM stops, (SELECT pg_sleep(0.02) OFFSET 0) AS pause");
    let proxy = Proxy::start(cluster.port());
    let config = format!(
        "[postgis]\nurl = \"postgres://kiln@127.0.0.1:{}/{}\"\nconnections = {LIMIT}\n",
        proxy.port(),
        database.name()
    );
    let server = Server::with(&[], &config);
    let open_connections = || -> usize {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kiln' AND datname = current_database()";
        database.sql(sql).trim().parse().unwrap()
    };
    let is_over = AtomicBool::new(false);
    let mut max_open = 0;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let server = &server;
                scope.spawn(move || {
                    for number in 1..=10 {
                        server.get(&format!("/slow/5/16/10.png?vmin=0&vmax={number}.{client}")).ok(200);
                    }
                })
            })
            .collect();
        let watch = scope.spawn(|| {
            let mut max_open = 0;
            while !is_over.load(Ordering::SeqCst) {
                max_open = max_open.max(open_connections());
                std::thread::sleep(Duration::from_millis(5));
            }
            max_open
        });
        for client in clients {
            client.join().unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        max_open = watch.join().unwrap();
    });
    // One table uses at most half of the others.
    assert!((2..=LIMIT + SIDE).contains(&max_open), "{max_open} connections at once");
    assert!(proxy.connections() <= LIMIT + SIDE, "{} connections were made", proxy.connections());
}
