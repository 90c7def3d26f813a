//! Failures of a database: outages, denied access, changed tables, timeouts.

use std::sync::atomic::{AtomicU32, Ordering};

use super::cluster::Cluster;
use crate::kiln::kiln;
use crate::server::{Server, eventually};

const STOPS: &str = "CREATE TABLE stops (geom geometry(Point, 4326));
    INSERT INTO stops SELECT ST_SetSRID(ST_MakePoint(x, 50), 4326) FROM generate_series(1, 50) x";

#[test]
fn an_outage_is_reported_and_ends_without_a_restart_of_the_server() {
    let cluster = Cluster::start();
    let database = cluster.database();
    database.sql(STOPS);
    let server = Server::with(&[&database.url()], "");
    let tile = |x: u32| server.get(&format!("/stops/5/{x}/10.png"));
    tile(16).ok(200);
    cluster.stop();
    let reply = tile(17);
    reply.rejected(503, &["database", "retry later"]);
    assert_eq!(reply.json()["type"], "urn:kiln:database-unavailable");
    assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    // Cached tiles and the layer are still served.
    tile(16).ok(200);
    server.get("/stops").ok(200);
    cluster.run();
    server.eventually("/stops/5/17/10.png", 200);
    server.eventually("/stops/statistics", 200);
}

#[test]
fn a_database_that_is_away_at_the_start_of_the_server_has_its_layers_once_it_is_back() {
    let cluster = Cluster::start();
    let database = cluster.database();
    database.sql(STOPS);
    database.sql("CREATE TABLE other AS TABLE stops; CHECKPOINT");
    cluster.stop();
    let config = format!(
        "[postgis]\nurl = \"{}\"\n[layers.fixed]\ntable = \"stops\"\ntitle = \"Stops\"\n\
         [[jobs]]\nname = \"other\"\nlayer = \"other\"\noutput = \"other.png\"\nbounds = [0, 40, 40, 60]\n",
        database.url_of("kiln:s3cret")
    );
    let server = Server::with(&[], &config);
    assert!(server.log().contains("the database is away") && !server.log().contains("s3cret"), "{}", server.log());
    assert_eq!(server.get("/catalog").ok(200).json()["layers"].as_array().unwrap().len(), 0);
    server.get("/fixed/5/16/10.png").rejected(503, &["unavailable", "retry later"]);
    cluster.run();
    assert_eq!(server.eventually("/fixed", 200).json()["name"], "Stops");
    server.eventually("/other/5/16/10.png", 200);
    assert_eq!(server.get("/catalog").ok(200).json()["layers"].as_array().unwrap().len(), 2);
    assert_eq!(server.send("POST", "/jobs/other/run", &[], b"").status, 202);
    eventually("the job runs", || server.folder().join("other.png").exists());
}

#[test]
fn an_outage_under_load_is_reported_to_every_client_and_ends_for_all() {
    const CLIENTS: u32 = 8;
    let cluster = Cluster::start();
    let database = cluster.database();
    database.sql(STOPS);
    let server = Server::with(&[&database.url()], "[postgis]\nconnections = 2\n");
    let stage = AtomicU32::new(0);
    let (rendered, failed) = ([const { AtomicU32::new(0) }; 3], AtomicU32::new(0));
    std::thread::scope(|scope| {
        // Stops the clients even if an assertion fails.
        let _stop_clients = StopClients(&stage);
        for client in 0..CLIENTS {
            let (server, stage, rendered, failed) = (&server, &stage, &rendered, &failed);
            scope.spawn(move || {
                // No request is for a cached picture.
                for number in 1.. {
                    let request_stage = stage.load(Ordering::SeqCst);
                    if request_stage == 3 {
                        break;
                    }
                    let reply = server.get(&format!("/stops/5/16/10.png?vmin=0&vmax={number}.{client}"));
                    if reply.status == 200 {
                        rendered[request_stage as usize].fetch_add(1, Ordering::SeqCst);
                    } else {
                        reply.rejected(503, &["retry later"]);
                        assert!(reply.header("retry-after").is_some());
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let enough = |count: &AtomicU32| {
            let before = count.load(Ordering::SeqCst);
            eventually("clients are answered", || count.load(Ordering::SeqCst) >= before + 3 * CLIENTS);
        };
        enough(&rendered[0]);
        cluster.stop();
        stage.store(1, Ordering::SeqCst);
        enough(&failed);
        cluster.run();
        stage.store(2, Ordering::SeqCst);
        // After some time no request is rejected any more.
        eventually("all requests succeed", || {
            let before = failed.load(Ordering::SeqCst);
            enough(&rendered[2]);
            failed.load(Ordering::SeqCst) == before
        });
    });
}

/// Sets the last stage on drop.
struct StopClients<'a>(&'a AtomicU32);

impl Drop for StopClients<'_> {
    fn drop(&mut self) {
        self.0.store(3, Ordering::SeqCst);
    }
}

#[test]
fn denied_access_is_explained_without_a_password() {
    let database = Cluster::shared().database();
    database.sql(STOPS);
    database.sql("DROP ROLE IF EXISTS ann; CREATE ROLE ann LOGIN PASSWORD 'right'; CREATE ROLE nobody_here NOLOGIN");
    let home = tempfile::tempdir().unwrap();
    let serve = |url: &str| kiln(home.path(), ["serve", "-l", "127.0.0.1:0", url]);
    let run = serve(&database.url_of("nobody_here:s3cret"));
    assert!(
        run.code == 1 && run.stderr.contains("not permitted to log in") && !run.stderr.contains("s3cret"),
        "{}",
        run.stderr
    );
    let nowhere = database.url_of("ann:s3cret").replace(&database.name(), "nowhere");
    let run = serve(&nowhere);
    assert!(run.code == 1 && run.stderr.contains("does not exist") && !run.stderr.contains("s3cret"), "{}", run.stderr);
    let run = kiln(home.path(), ["render", "postgres://ann:s3cret@127.0.0.1:1/maps", "-o", "a.png"]);
    assert!(
        run.code == 1 && run.stderr.contains("127.0.0.1:1/maps") && !run.stderr.contains("s3cret"),
        "{}",
        run.stderr
    );
    let bare = Cluster::shared().bare_database();
    let run = serve(&bare.url());
    assert!(run.code == 1 && run.stderr.contains("CREATE EXTENSION postgis"), "{}", run.stderr);

    // The role may log in, but has no privileges on tables.
    let server = Server::with(&[&database.url_of("ann:right")], "");
    assert_eq!(server.get("/catalog").ok(200).json()["layers"].as_array().unwrap().len(), 0);
    assert!(server.log().contains("GRANT SELECT") && !server.log().contains("right"), "{}", server.log());
    let config = format!("[postgis]\nurl = \"{}\"\n", database.url_of("ann:s3cret"));
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let printed = kiln(home.path(), ["config", "check"]);
    assert!(!String::from_utf8_lossy(&printed.stdout).contains("s3cret") && !printed.stderr.contains("s3cret"));
}

#[test]
fn a_wrong_password_is_reported() {
    let cluster = Cluster::start();
    let database = cluster.database();
    database.sql("CREATE ROLE ann LOGIN PASSWORD 'right'");
    let rules = cluster.data().join("pg_hba.conf");
    std::fs::write(rules, "host all ann all scram-sha-256\nhost all all all trust\nlocal all all trust\n").unwrap();
    database.sql("SELECT pg_reload_conf()");
    let home = tempfile::tempdir().unwrap();
    let login_error = |user: &str| {
        let run = kiln(home.path(), ["serve", "-l", "127.0.0.1:0", &database.url_of(user)]);
        (run.code == 1 && run.stderr.contains("password authentication failed")).then_some(run.stderr)
    };
    eventually("the rules are in effect", || login_error("ann:wr0ng").is_some());
    assert!(!login_error("ann:wr0ng").unwrap().contains("wr0ng"));
    drop(Server::with(&[&database.url_of("ann:right")], ""));
}

#[test]
fn dropped_and_altered_tables_are_reported() {
    let database = Cluster::shared().database();
    database.sql(STOPS);
    database.sql("CREATE TABLE other AS TABLE stops");
    let server = Server::with(&[&database.url()], "");
    server.get("/stops/4/8/5.png").ok(200);
    database.sql("DROP TABLE stops; ALTER TABLE other RENAME geom TO place");
    server.get("/stops/5/16/10.png").rejected(404, &["the table of the layer no longer exists"]);
    server.get("/other/5/16/10.png").rejected(404, &["a column of the layer's table no longer exists"]);
}

#[test]
fn a_statement_that_exceeds_the_timeout_is_canceled() {
    let database = Cluster::shared().database();
    database.sql(STOPS);
    // A view that is slow only under a statement timeout: statistics have none, tiles have one.
    database.sql(
        "CREATE VIEW slow AS SELECT geom FROM stops
             WHERE current_setting('statement_timeout') = '0' OR pg_sleep(30 / 50.0) IS NOT NULL",
    );
    let config = format!("[postgis]\nurl = \"{}\"\ntimeout = \"1s\"\n", database.url());
    let server = Server::with(&[], &config);
    let reply = server.get("/slow/5/16/10.png?vmin=0&vmax=1");
    reply.rejected(503, &["postgis.timeout"]);
    assert!(reply.header("retry-after").is_some());
    server.get("/stops/5/16/10.png").ok(200);
}

#[test]
fn a_statement_is_canceled_when_its_client_disconnects() {
    use std::io::Write;
    let database = Cluster::shared().database();
    database.sql(STOPS);
    database.sql(
        "CREATE VIEW slow AS SELECT geom FROM stops
             WHERE current_setting('statement_timeout') = '0' OR pg_sleep(1) IS NOT NULL",
    );
    let server = Server::with(&[&database.url()], "");
    let running = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kiln' AND state = 'active' \
                   AND datname = current_database() AND query LIKE '%slow%'";
        database.sql(sql).trim() != "0"
    };
    let mut client = server.connect();
    client.write_all(b"GET /slow/5/16/10.png?vmin=0&vmax=1 HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    eventually("the statement runs", running);
    drop(client);
    eventually("the statement ends", || !running());
    server.get("/stops/5/16/10.png").ok(200);
}
