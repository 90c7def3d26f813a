//! `kiln doctor`, `kiln health`, `kiln --version`, completions and manual pages.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kiln::{data, kiln, kiln_with_env};
use crate::postgis::cluster::Cluster;
use crate::server::Server;
use crate::tls::{make_certificate_of, make_expired_certificate};

/// A home whose server would listen on a free port.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kiln.toml"), "server.listen = \"127.0.0.1:0\"\n").unwrap();
    home
}

/// The exit code of `kiln doctor`, and its findings.
fn findings(home: &Path, args: &[&str], env: &[(&str, &str)]) -> (i32, Vec<Value>) {
    let run = kiln_with_env(home, ["doctor", "--json"].iter().chain(args), env);
    assert!(!String::from_utf8_lossy(&run.stdout).contains("geheim") && !run.stderr.contains("geheim"));
    (run.code, serde_json::from_slice(&run.stdout).unwrap())
}

/// Asserts that the checks fail with one finding of `level` that has all `words`, and a remedy.
fn found(home: &Path, env: &[(&str, &str)], check: &str, level: &str, words: &[&str]) {
    let (code, findings) = findings(home, &["--verify"], env);
    assert_eq!(code, i32::from(level == "error"), "{findings:#?}");
    let is_it = |finding: &&Value| finding["check"] == check && finding["level"] == level;
    let it = findings.iter().find(is_it).unwrap_or_else(|| panic!("no {level} of {check}: {findings:#?}"));
    for word in words {
        assert!(it["detail"].as_str().unwrap().contains(word), "`{word}` is missing: {it}");
    }
    assert!(!it["remedy"].as_str().unwrap().is_empty(), "{it}");
}

#[test]
fn the_doctor_finds_nothing_wrong_in_a_new_folder_and_changes_nothing() {
    let home = home();
    let (code, findings) = findings(home.path(), &[], &[]);
    assert_eq!(code, 0, "{findings:#?}");
    let checks: Vec<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    for check in
        ["program", "processor", "map page", "typeface", "configuration", "address", "images", "store", "layers"]
    {
        assert!(checks.contains(&check), "{checks:?}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "a file was created");
    let run = kiln(home.path(), ["doctor"]);
    assert!(
        String::from_utf8_lossy(&run.stdout)
            .lines()
            .all(|line| line.starts_with("ok ") || line.starts_with("warning ") || line.starts_with(' ')),
        "{}",
        String::from_utf8_lossy(&run.stdout)
    );
}

#[test]
fn each_fault_is_found_with_a_remedy() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    let config = |text: &str| fs::write(at("kiln.toml"), format!("server.listen = \"127.0.0.1:0\"\n{text}")).unwrap();

    config("server.lisen = 3");
    found(home.path(), &[], "configuration", "error", &["lisen", "listen"]);
    config("layers.cities.input = 'c.csv'\nlayers.cities.title = '東京'");
    found(home.path(), &[], "typeface", "warning", &["東京"]);
    config("server.max_connections = 1000000");
    found(home.path(), &[], "open files", "warning", &["1000000"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    fs::write(at("kiln.toml"), format!("server.listen = \"{}\"", taken.local_addr().unwrap())).unwrap();
    found(home.path(), &[], "address", "warning", &["in use"]);
    fs::write(at("kiln.toml"), "server.listen = '203.0.113.7:3000'").unwrap();
    found(home.path(), &[], "address", "error", &["203.0.113.7:3000"]);

    config("");
    fs::write(at("imgs"), "a file").unwrap();
    found(home.path(), &[], "images", "error", &["not a folder"]);
    fs::remove_file(at("imgs")).unwrap();
    fs::create_dir(at("schemes")).unwrap();
    fs::write(at("schemes/broken.txt"), "no colors").unwrap();
    found(home.path(), &[], "schemes", "error", &["broken.txt"]);
    fs::remove_dir_all(at("schemes")).unwrap();

    make_expired_certificate(home.path(), "old");
    config("server.tls_cert = 'old.pem'\nserver.tls_key = 'old.key'");
    found(home.path(), &[], "certificate", "error", &["expired", "2020-03-01"]);
    make_certificate_of(home.path(), "new", "3");
    config("server.tls_cert = 'new.pem'\nserver.tls_key = 'new.key'");
    found(home.path(), &[], "certificate", "warning", &["expires at"]);
    config("server.tls_cert = 'new.pem'\nserver.tls_key = 'old.key'");
    found(home.path(), &[], "certificate", "error", &["old.key"]);
    config("");

    kiln(home.path(), ["import", data("cities.parquet").to_str().unwrap(), "--layer", "cities", "-q"]).done();
    let segment = at("store/cities/00000001.points.arrow");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    found(home.path(), &[], "layers", "error", &["cities", "1 damaged segment"]);
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let (code, findings) = findings(home.path(), &["--verify"], &[]);
    assert_eq!(code, 0);
    assert!(findings.iter().any(|finding| finding["detail"] == "1 intact layer, 135,233 points, all checksums match"));

    let away = [("DATABASE_URL", "postgres://ann:geheim@127.0.0.1:1/maps")];
    found(home.path(), &away, "database", "error", &["127.0.0.1:1"]);
}

#[test]
fn the_tables_of_the_database_are_counted_and_a_missing_postgis_is_an_error() {
    let home = home();
    let cluster = Cluster::shared();
    let bare = cluster.bare_database();
    found(home.path(), &[("DATABASE_URL", &bare.url())], "database", "error", &["PostGIS is not installed"]);
    let database = cluster.database();
    database.sql("CREATE TABLE stops (geom geometry(Point, 4326)); INSERT INTO stops VALUES ('SRID=4326;POINT(1 2)')");
    let (code, findings) = findings(home.path(), &[], &[("DATABASE_URL", &database.url())]);
    assert_eq!(code, 0, "{findings:#?}");
    let is_it =
        |finding: &Value| finding["check"] == "database" && finding["detail"].as_str().unwrap().contains("1 table");
    assert!(findings.iter().any(is_it), "{findings:#?}");
}

#[test]
fn health_succeeds_only_while_the_server_is_ready() {
    let server = Server::start();
    let port = server.address().rsplit_once(':').unwrap().1.to_owned();
    let env = [("KILN_SERVER_LISTEN", port.as_str())];
    let folder = tempfile::tempdir().unwrap();
    let health = |args: &[&str]| kiln_with_env(folder.path(), ["health"].iter().chain(args), &env);
    let run = health(&[]);
    assert_eq!((run.code, String::from_utf8_lossy(&run.stdout).as_ref()), (0, "ready\n"), "{}", run.stderr);
    assert_eq!(String::from_utf8_lossy(&health(&["--live"]).stdout), "OK\n");
    drop(server);
    health(&[]).failed(1, &["does not answer"]);
    // Another service on the port.
    let other = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
    });
    health(&[]).failed(1, &["not an HTTP server"]);
    answer.join().unwrap();
}

#[test]
fn the_version_is_printed_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    for flag in ["--version", "-V"] {
        let run = kiln(folder.path(), [flag]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(String::from_utf8(run.stdout).unwrap(), format!("kiln {}\n", env!("CARGO_PKG_VERSION")));
    }
    let run = kiln(folder.path(), ["--version", "--json"]);
    let version: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["target"].as_str().unwrap().contains(std::env::consts::ARCH), "{version}");
    assert!(version["features"].as_array().unwrap().contains(&"h3".into()), "{version}");
    assert_eq!(version["store_formats"][0], 1);
    kiln(folder.path(), ["--json"]).failed(2, &["--version"]);
    kiln(folder.path(), ["--bogus"]).failed(2, &["--bogus"]);
}

#[test]
fn the_completion_script_completes_commands_and_flags_in_bash() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = kiln(folder.path(), ["completions", shell]);
        assert!(run.code == 0 && run.stdout.len() > 1000, "{shell}: {}", run.stderr);
        fs::write(folder.path().join(shell), run.stdout).unwrap();
    }
    let complete = "source ./bash; COMP_WORDS=(kiln \"$@\"); COMP_CWORD=$#; _kiln kiln \"${@: -1}\" kiln; \
                    echo \"${COMPREPLY[@]}\"";
    let completed = |words: &[&str]| {
        let run = Command::new("bash")
            .args(["-c", complete, "bash"])
            .args(words)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(run.status.success() && run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    assert!(completed(&["do"]).contains("doctor"));
    assert!(completed(&["render", "--opa"]).contains("--opacity"));
    kiln(folder.path(), ["completions", "tcsh"]).failed(2, &["tcsh", "bash"]);
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let run = kiln(folder.path(), ["man"]);
    let page = String::from_utf8(run.stdout).unwrap();
    assert!(page.contains(".TH kiln 1") && page.contains("kiln\\-render(1)"), "{page}");
    kiln(folder.path(), ["man", "--folder", "man"]).done();
    let names = ["kiln.1", "kiln-render.1", "kiln-config-check.1", "kiln-doctor.1"];
    for name in names {
        let page = fs::read_to_string(folder.path().join("man").join(name)).unwrap();
        assert!(page.contains(".SH NAME"), "{name}: {page}");
    }
    fs::write(folder.path().join("file"), "").unwrap();
    kiln(folder.path(), ["man", "--folder", "file"]).failed(1, &["file"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_raises_its_soft_limit_of_open_files_to_the_hard_one() {
    let home = home();
    let script = "ulimit -Sn 200; exec \"$0\" serve";
    let mut server = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_kiln")])
        .current_dir(home.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut started = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stderr.as_mut().unwrap()), &mut started).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [0, 1].map(|at| line.trim_start_matches("Max open files").split_whitespace().nth(at).unwrap());
    assert_eq!(soft, hard, "{started}");
}
