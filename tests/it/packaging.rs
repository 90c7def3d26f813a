//! The files of `packaging/`: images, packages and their sample data.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::postgis::cluster::Cluster;
use crate::s3_server::S3Server;
use crate::server::Server;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packaged(name: &str) -> String {
    fs::read_to_string(root().join("packaging").join(name)).unwrap()
}

/// The libraries that the binary needs, as `ldd` finds them.
fn libraries() -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(env!("CARGO_BIN_EXE_kiln")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_binary_needs_only_libraries_that_the_image_has() {
    let names: Vec<String> =
        libraries().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert!(names.len() >= 2, "{names:?}");
    for name in &names {
        let known = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0"];
        assert!(known.contains(&name.as_str()) || name.starts_with("ld-linux"), "distroless/cc has no {name}");
    }
}

/// What the image does, without a program for containers: the binary and its libraries alone in a root folder that belongs to
/// root, as another user whose only writable folder is /data.
#[cfg(target_os = "linux")]
#[test]
fn a_server_runs_without_rights_in_a_root_with_its_libraries_alone() {
    let image = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &str| {
        let to = image.path().join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    copy(Path::new(env!("CARGO_BIN_EXE_kiln")), "/usr/bin/kiln");
    for library in libraries() {
        copy(&library, &library.to_string_lossy());
    }
    for folder in ["data", "tmp"] {
        fs::create_dir(image.path().join(folder)).unwrap();
        std::os::unix::fs::chown(image.path().join(folder), Some(65532), Some(65532)).expect("the test runs as root");
    }
    fs::set_permissions(image.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let run = |args: &[&str], address: &str| {
        let mut command = Command::new("unshare");
        command.arg(format!("--root={}", image.path().display())).arg("--wd=/data");
        command.args(["--setuid", "65532", "--setgid", "65532", "/usr/bin/kiln"]).args(args);
        command.env_clear().env("KILN_SERVER_LISTEN", address).env("KILN_TOKEN", "geheim");
        command
    };
    let mut server = run(&["serve"], "0.0.0.0:0").stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let port = line.rsplit(':').next().unwrap().trim().trim_end_matches('/').to_owned();
    let health = run(&["health"], &format!("0.0.0.0:{port}")).output().unwrap();
    let upload = Command::new("curl")
        .args(["-s", "-X", "PUT", "-H", "Authorization: Bearer geheim", "-H", "Content-Type: text/csv"])
        .args(["--data-binary", "lon,lat\n1,2\n", &format!("http://127.0.0.1:{port}/trips/points")])
        .output()
        .unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(health.status.success(), "{line}{}", String::from_utf8_lossy(&health.stderr));
    let reply = String::from_utf8_lossy(&upload.stdout);
    assert!(image.path().join("data/store/trips/manifest.json").exists(), "{reply}");
    let health = run(&["health"], &format!("0.0.0.0:{port}")).output().unwrap();
    assert_eq!(health.status.code(), Some(1));
}

#[test]
fn the_sample_of_the_compose_file_is_a_layer_of_ten_thousand_points() {
    let database = Cluster::shared().bare_database();
    database.sql(&packaged("sample.sql"));
    let home = tempfile::tempdir().unwrap();
    let server = Server::at(home, &[&database.url()]);
    let statistics = server.get("/stops/statistics").ok(200).json();
    assert_eq!(statistics["points"], 10_000);
    let legend = server.get("/stops/legend.json?zoom=6").ok(200).json();
    assert!(legend.to_string().contains("count per km²"), "{legend}");
}

/// A YAML file of `packaging/`, with its anchors resolved, and variables replaced by their defaults.
fn yaml(name: &str) -> Value {
    const PROGRAM: &str = "import json, re, sys, yaml
text = re.sub(r'\\$\\{\\w+:-([^}]*)\\}', r'\\1', sys.stdin.read())
json.dump(yaml.safe_load(text), sys.stdout)";
    let mut python = Command::new(root().join("target/readers/bin/python"))
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/readers.sh installs it");
    python.stdin.take().unwrap().write_all(packaged(name).as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{name}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_compose_file_with_a_bucket_serves_what_its_writer_takes() {
    let compose = yaml("compose-s3.yaml");
    let s3 = S3Server::start();
    let creates_bucket = compose["services"]["bucket"]["command"][0].as_str().unwrap();
    assert!(creates_bucket.ends_with(" s3/maps"), "{creates_bucket}");
    s3.create_bucket("maps");
    let start = |service: &str| {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        fs::create_dir(&data).unwrap();
        let variables = compose["services"][service]["environment"].as_object().unwrap();
        let place = |value: &str| {
            let value = value.replace("/data/", &format!("{}/", data.display()));
            value.replace("http://s3:9000", &format!("http://127.0.0.1:{}", s3.port()))
        };
        let variables: Vec<(&str, String)> =
            variables.iter().map(|(name, value)| (name.as_str(), place(value.as_str().unwrap()))).collect();
        let mut borrowed: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        borrowed.push(("KILN_STORE_REFRESH", "1s"));
        Server::with_variables(home, "127.0.0.1:0", &[], &borrowed)
    };
    let (writer, replica) = (start("writer"), start("replica"));
    let headers = [("Authorization", "Bearer change-me"), ("Content-Type", "text/csv")];
    writer.send("PUT", "/trips/points", &headers, b"lon,lat\n1,2\n3,4\n").ok(201);
    let copied = replica.eventually("/trips/0/0/0.png", 200);
    assert_eq!(copied.body, writer.get("/trips/0/0/0.png").ok(200).body);
    assert!(replica.folder().join("data/copies/trips/manifest.json").exists());
}

#[test]
fn files_that_packages_copy_exist() {
    let dockerfile = packaged("Dockerfile");
    let ignored = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let sources = dockerfile.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from"));
    let mut copied = 0;
    for source in sources.flat_map(|line| {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        words[..words.len() - 1].to_vec()
    }) {
        assert!(root().join(source).exists(), "{source}");
        let top = source.trim_end_matches('/').split('/').next().unwrap();
        assert!(top == "." || ignored.lines().any(|line| line == format!("!{top}")), "{top} is not in the context");
        copied += 1;
    }
    assert!(copied > 3);
    // All that the package embeds or builds is in the context.
    for name in ["build.rs", "Cargo.lock", "data", "crates", "src", "schemes", "benches"] {
        assert!(ignored.lines().any(|line| line == format!("!{name}")), "{name} is not in the context");
    }
    // npm installs the workspaces whose manifests it finds, and their build copies the licenses.
    let manifest = fs::read_to_string(root().join("web/package.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    for workspace in manifest["workspaces"].as_array().unwrap() {
        let workspace = workspace.as_str().unwrap();
        let copy = format!("COPY web/{workspace}/package.json {workspace}/");
        assert!(dockerfile.lines().any(|line| line == copy), "{copy} is missing");
    }
    assert!(dockerfile.lines().any(|line| line == "COPY LICENSE LICENSE-APACHE ../"));
    let compose = packaged("compose.yaml");
    assert!(compose.contains("dockerfile: packaging/Dockerfile") && compose.contains("file: sample.sql"));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\"packaging/kiln.service\"") && root().join("packaging/kiln.service").exists());
}
