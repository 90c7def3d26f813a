//! HTTPS: HTTP/2, certificates that change, and errors at startup. The clients are curl and OpenSSL.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kiln::kiln;
use crate::server::{Server, eventually};

/// Writes a new certificate for 127.0.0.1 and its key to `NAME.pem` and `NAME.key`.
fn make_certificate(folder: &Path, name: &str) {
    make_certificate_of(folder, name, "30");
}

pub(crate) fn make_certificate_of(folder: &Path, name: &str, days: &str) {
    let curve = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let made = Command::new("openssl")
        .args(curve)
        .args(["-days", days])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Writes a certificate that expired in 2020, which `openssl req` of version 3.0 cannot make.
pub(crate) fn make_expired_certificate(folder: &Path, name: &str) {
    let config = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\n\
                  policy = any\nx509_extensions = names\n[any]\ncommonName = supplied\n[names]\nsubjectAltName = IP:127.0.0.1\n";
    fs::write(folder.join("ca.cnf"), config).unwrap();
    fs::write(folder.join("index.txt"), "").unwrap();
    let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
    let subject = format!("/CN={name}");
    let new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let new = [&new[..], &["-subj", &subject, "-keyout", &key, "-out", &request]].concat();
    let sign = ["ca", "-batch", "-notext", "-selfsign", "-config", "ca.cnf", "-keyfile", &key, "-in", &request];
    let dates = ["-startdate", "20200101000000Z", "-enddate", "20200301000000Z", "-out", &certificate];
    for args in [new, [&sign[..], &dates].concat()] {
        let made = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// Replaces the files of the server by those of another certificate.
fn install(folder: &Path, name: &str) {
    fs::copy(folder.join(format!("{name}.pem")), folder.join("cert.pem")).unwrap();
    fs::copy(folder.join(format!("{name}.key")), folder.join("key.pem")).unwrap();
}

/// A server with the first of two certificates.
fn secure(args: &[&str]) -> Server {
    let home = tempfile::tempdir().unwrap();
    for name in ["first", "second"] {
        make_certificate(home.path(), name);
    }
    install(home.path(), "first");
    Server::at(home, &[&["--tls-cert", "cert.pem", "--tls-key", "key.pem"], args].concat())
}

/// The outcome of curl: its success, and the output.
fn curl(server: &Server, authority: &str, path: &str, args: &[&str]) -> (bool, String) {
    let url = format!("https://{}{path}", server.address());
    let run = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60", "--cacert", &format!("{authority}.pem")])
        .args(args)
        .arg(url)
        .current_dir(server.folder())
        .output()
        .unwrap();
    (run.status.success(), String::from_utf8(run.stdout).unwrap())
}

#[cfg(unix)]
fn hang_up(server: &Server) {
    assert!(Command::new("kill").args(["-HUP", &server.id().to_string()]).status().unwrap().success());
}

#[test]
fn https_has_http_2_and_http_1_1_and_urls_with_its_scheme() {
    let server = secure(&[]);
    assert!(server.log().contains(&format!(" at https://{}/", server.address())), "{}", server.log());
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let args = [flag, "-o", "tile.json", "-w", "%{http_version} %{http_code}"];
        assert_eq!(curl(&server, "first", "/cities", &args), (true, format!("{version} 200")));
        let tile_json: Value = serde_json::from_slice(&fs::read(server.folder().join("tile.json")).unwrap()).unwrap();
        let tiles = tile_json["tiles"][0].as_str().unwrap();
        assert!(tiles.starts_with(&format!("https://{}/cities/", server.address())), "{tiles}");
        // The harness lets local clients write.
        let created =
            curl(&server, "first", &format!("/a{}", version.len()), &[flag, "-X", "PUT", "-w", "%{http_code}"]);
        assert!(created.1.ends_with("201"), "{created:?}");
        let foreign = curl(&server, "first", "/catalog", &[flag, "-H", "Host: evil.example", "-w", "%{http_code}"]);
        assert!(foreign.1.ends_with("421"), "{foreign:?}");
    }
    // Many requests on one connection.
    let args = ["--http2", "--parallel", "-o", "tile#1.png", "-w", "%{http_code} "];
    let (_, statuses) = curl(&server, "first", "/cities/4/[0-15]/5.png", &args);
    assert_eq!(statuses, "200 ".repeat(16));
    assert!(!curl(&server, "second", "/health", &[]).0, "the certificate is checked");
    // Other than HTTPS is not served.
    let plain = Command::new("curl").args(["-s", &format!("http://{}/health", server.address())]).output().unwrap();
    assert!(!plain.status.success());
}

#[test]
fn certificates_that_have_expired_or_expire_soon_are_reported() {
    for (days, log, is_expired) in
        [(None, "has expired", true), (Some("10"), "expires within 14 days", false), (Some("90"), "", false)]
    {
        let home = tempfile::tempdir().unwrap();
        match days {
            Some(days) => make_certificate_of(home.path(), "first", days),
            None => make_expired_certificate(home.path(), "first"),
        }
        install(home.path(), "first");
        let server = Server::at(home, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
        // The certificate is not checked, because it may have expired.
        let (_, metrics) = curl(&server, "first", "/_/metrics", &["--insecure"]);
        let seconds = metrics.lines().find_map(|line| line.strip_prefix("kiln_tls_certificate_expiry_seconds{} "));
        let seconds: f64 = seconds.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap();
        assert_eq!(seconds < 0.0, is_expired, "{seconds}");
        let warnings: Vec<String> =
            server.log().lines().filter(|line| line.contains("WARN")).map(str::to_owned).collect();
        assert_eq!(warnings.len(), usize::from(!log.is_empty()), "{warnings:?}");
        assert!(warnings.iter().all(|line| line.contains(log) && line.contains("cert.pem")), "{warnings:?}");
    }
    let plain = Server::with(&[], "");
    assert!(!plain.get("/_/metrics").ok(200).text().contains("kiln_tls_certificate_expiry_seconds{"));
}

#[cfg(unix)]
#[test]
fn a_certificate_is_read_again_and_a_broken_one_leaves_the_last_in_use() {
    let server = secure(&[]);
    let is_of = |name: &str| curl(&server, name, "/health", &[]).0;
    install(server.folder(), "second");
    hang_up(&server);
    eventually("the new certificate is used after SIGHUP", || is_of("second"));
    assert!(!is_of("first"));
    // Without a signal.
    install(server.folder(), "first");
    eventually("the new certificate is used after a change", || is_of("first"));
    for broken in ["second.pem", "second.key"] {
        fs::write(server.folder().join("cert.pem"), fs::read(server.folder().join(broken)).unwrap()).unwrap();
        let errors = || server.log().matches("the last one stays in use").count();
        let before = errors();
        hang_up(&server);
        eventually("the error is logged", || errors() > before);
        assert!(is_of("first"), "{broken}");
    }
    assert!(server.log().contains("ERROR") && server.log().contains("server.tls_key"), "{}", server.log());
}

#[cfg(unix)]
#[test]
fn requests_of_http_2_in_progress_are_completed_before_shutdown() {
    let mut server = secure(&["--log-level", "info"]);
    assert!(curl(&server, "first", "/some", &["-X", "PUT"]).0);
    let mut upload = Command::new("curl")
        .args([
            "--silent",
            "--http2",
            "--cacert",
            "first.pem",
            "-X",
            "POST",
            "-T",
            "-",
            "-w",
            "%{http_version} %{http_code}",
        ])
        .args(["-o", "reply.json", &format!("https://{}/some/points", server.address())])
        .current_dir(server.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut body = upload.stdin.take().unwrap();
    body.write_all(b"lon,lat\n1,2\n").unwrap();
    let connections =
        |server: &Server| curl(server, "first", "/_/metrics", &["-w", ""]).1.contains("kiln_connections 2");
    eventually("the upload has begun", || connections(&server));
    let (output, exit_code) = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| server.stop());
        std::thread::sleep(std::time::Duration::from_millis(300));
        body.write_all(b"3,4\n").unwrap();
        drop(body);
        (upload.wait_with_output().unwrap(), stopping.join().unwrap())
    });
    assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), exit_code), ("2 200", Some(0)));
    let reply: Value = serde_json::from_slice(&fs::read(server.folder().join("reply.json")).unwrap()).unwrap();
    assert_eq!(reply["accepted"], 2);
}

#[test]
fn broken_certificates_and_keys_are_reported_at_startup() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["first", "second"] {
        make_certificate(folder.path(), name);
    }
    let locked = ["pkey", "-in", "first.key", "-aes256", "-passout", "pass:x", "-out", "locked.key"];
    assert!(Command::new("openssl").args(locked).current_dir(folder.path()).status().unwrap().success());
    // As `openssl ec -aes256` writes it.
    let old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
               -----END EC PRIVATE KEY-----\n";
    fs::write(folder.path().join("old.key"), old).unwrap();
    fs::write(folder.path().join("empty.pem"), "").unwrap();
    fs::write(folder.path().join("bad.pem"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    let serve = |args: &[&str]| kiln(folder.path(), ["serve", "-l", "127.0.0.1:0"].iter().chain(args));
    let with = |cert: &str, key: &str| serve(&["--tls-cert", cert, "--tls-key", key]);
    with("none.pem", "first.key").failed(1, &["none.pem", "server.tls_cert", "No such file"]);
    with("first.pem", "none.key").failed(1, &["none.key", "server.tls_key", "No such file"]);
    for (cert, key, words) in [
        ("empty.pem", "first.key", ["server.tls_cert", "empty.pem", "no certificate"]),
        ("bad.pem", "first.key", ["server.tls_cert", "bad.pem", "not PEM"]),
        ("first.key", "first.key", ["server.tls_cert", "first.key", "no certificate"]),
        ("first.pem", "first.pem", ["server.tls_key", "first.pem", "no key"]),
        ("first.pem", "locked.key", ["server.tls_key", "is encrypted", "without a password"]),
        ("first.pem", "old.key", ["server.tls_key", "is encrypted", "without a password"]),
        ("first.pem", "second.key", ["server.tls_key", "second.key", "not the key of the certificate in first.pem"]),
    ] {
        with(cert, key).failed(2, &words);
    }
    serve(&["--tls-cert", "first.pem"]).failed(2, &["server.tls_cert", "server.tls_key"]);
    serve(&["--tls-key", "first.key"]).failed(2, &["server.tls_key", "server.tls_cert"]);
}
