//! Encrypted connections to a database.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::cluster::{Cluster, Database};
use crate::kiln::{Run, kiln};
use crate::server::{Server, eventually};

/// A certificate authority and a server certificate for `localhost`, written into `folder` as `ca.crt`, `server.crt` and
/// `server.key`.
fn issue_certificates(folder: &Path) {
    let openssl = |args: &str| {
        let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.crt -subj /CN=authority -addext keyUsage=critical,keyCertSign"
    ));
    openssl(&format!(
        "req -x509 {key} -keyout server.key -out server.crt -subj /CN=database -CA ca.crt -CAkey ca.key \
         -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE"
    ));
}

/// A database server with TLS: `ann`, with the password `right`, may only log in encrypted, and `bob` only
/// unencrypted.
fn cluster_with_tls(folder: &Path) -> Arc<Cluster> {
    issue_certificates(folder);
    let cluster = Cluster::start();
    for name in ["server.crt", "server.key"] {
        cluster.write_private(name, &fs::read(folder.join(name)).unwrap());
    }
    let rules = "hostssl all ann all scram-sha-256\nhostnossl all bob all trust\nhost all kiln all trust\n\
                 local all all trust\n";
    fs::write(cluster.data().join("pg_hba.conf"), rules).unwrap();
    let database = cluster.bare_database();
    database.sql("CREATE ROLE ann LOGIN PASSWORD 'right'");
    database.sql("CREATE ROLE bob LOGIN");
    database.sql("ALTER SYSTEM SET ssl = on");
    database.sql("SELECT pg_reload_conf()");
    // A reload is asynchronous.
    eventually("TLS is on", || {
        let url = format!("postgresql://kiln@127.0.0.1:{}/postgres?sslmode=require", cluster.port());
        let psql = Command::new("psql").args(["-X", "-A", "-t", "-c", "SELECT ssl FROM pg_stat_ssl", &url]).output();
        psql.unwrap().status.success()
    });
    cluster
}

fn stops(cluster: &Arc<Cluster>) -> Database {
    let database = cluster.database();
    database.sql(
        "CREATE TABLE stops (geom geometry(Point, 4326));
         INSERT INTO stops SELECT ST_SetSRID(ST_MakePoint(x, 50), 4326) FROM generate_series(1, 50) x;
         CREATE VIEW slow AS SELECT geom FROM stops
             WHERE current_setting('statement_timeout') = '0' OR pg_sleep(1) IS NOT NULL",
    );
    database
}

/// The connection URL of the table `stops`.
fn url(database: &Database, user: &str, host: &str, parameters: &str) -> String {
    format!(
        "postgres://{user}@{host}:{}/{}?table=stops&connect_timeout=5{parameters}",
        database.cluster().port(),
        database.name()
    )
}

#[test]
fn sslmode_decides_whether_a_connection_is_encrypted_and_the_server_verified() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cluster = cluster_with_tls(home);
    let database = stops(&cluster);
    database.sql("GRANT SELECT ON stops TO ann, bob");
    let authority = format!("&sslrootcert={}", home.join("ca.crt").display());
    let render = |url: &str| -> Run { kiln(home, ["render", "-q", url, "--size", "32", "-o", "a.png"]) };
    let address = |user: &str, host: &str, parameters: &str| url(&database, user, host, parameters);

    // Encryption without verification is the default.
    for parameters in ["", "&sslmode=prefer", "&sslmode=allow", "&sslmode=require"] {
        render(&address("ann:right", "127.0.0.1", parameters)).done();
    }
    // SCRAM authentication is bound to the certificate of the server.
    render(&address("ann:right", "127.0.0.1", "&sslmode=require&channel_binding=require")).done();
    render(&address("bob", "127.0.0.1", "&sslmode=disable")).done();
    render(&address("ann:right", "127.0.0.1", "&sslmode=disable"))
        .failed(1, &["no pg_hba.conf entry", "no encryption"]);
    render(&address("bob", "127.0.0.1", "&sslmode=require")).failed(1, &["no pg_hba.conf entry", "SSL encryption"]);

    for mode in ["verify-ca", "verify-full"] {
        let verified = format!("&sslmode={mode}{authority}");
        render(&address("ann:right", "localhost", &verified)).done();
        // The certificate is for another name.
        let another = render(&address("ann:right", "127.0.0.1", &verified));
        another.failed(1, &["TLS handshake", "certificate not valid for name", "127.0.0.1"]);
        // No authority that this machine trusts has issued it.
        let unknown = render(&address("ann:right", "localhost", &format!("&sslmode={mode}")));
        unknown.failed(1, &["TLS handshake", "UnknownIssuer"]);
    }

    fs::write(home.join("empty.crt"), "no certificate\n").unwrap();
    fs::write(home.join("broken.crt"), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").unwrap();
    for (file, words) in [
        ("missing.crt", ["missing.crt", "No such file"]),
        ("empty.crt", ["empty.crt", "contains no certificate"]),
        ("broken.crt", ["broken.crt", "invalid certificate: "]),
    ] {
        let parameters = format!("&sslmode=verify-full&sslrootcert={}", home.join(file).display());
        render(&address("ann:right", "localhost", &parameters)).failed(1, &words);
    }

    // A server without TLS.
    let plain = stops(&Cluster::shared());
    render(&url(&plain, "kiln", "127.0.0.1", "&sslmode=prefer")).done();
    for mode in ["require", "verify-full"] {
        let unsupported = render(&url(&plain, "kiln", "127.0.0.1", &format!("&sslmode={mode}{authority}")));
        unsupported.failed(1, &["127.0.0.1", "server does not support TLS"]);
    }
}

#[test]
fn layers_of_a_verified_server_are_served_and_its_statements_canceled() {
    let home = tempfile::tempdir().unwrap();
    let cluster = cluster_with_tls(home.path());
    let database = stops(&cluster);
    database.sql("GRANT SELECT ON stops, slow TO ann");
    let url = format!(
        "postgres://ann:right@localhost:{}/{}?sslmode=verify-full&sslrootcert={}",
        cluster.port(),
        database.name(),
        home.path().join("ca.crt").display()
    );
    let server = Server::with(&[&url], "[postgis]\nconnections = 1\n");
    server.get("/stops/5/16/10.png").ok(200);
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'kiln' AND usename = 'ann'";
    assert_eq!(database.sql(encrypted).trim(), "t");
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
    // The only connection of the pool is free again.
    server.get("/stops/5/17/10.png").ok(200);
}
