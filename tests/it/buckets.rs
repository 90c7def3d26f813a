//! Inputs in buckets and on web servers.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::crash_recovery::write_rows;
use crate::import::layer;
use crate::ingest::gzip;
use crate::kiln::{Run, data, kiln, kiln_with_env};
use crate::moto::Moto;
use crate::server::{Server, eventually};

/// Runs `kiln` with the variables of a server of S3.
fn kiln_on(server: &Moto, home: &Path, args: &[&str]) -> Run {
    let variables = server.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    kiln_with_env(home, args.iter().copied(), &variables)
}

fn rows(count: usize, weight: u32) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("a.csv"), count, weight);
    fs::read(folder.path().join("a.csv")).unwrap()
}

/// A server with the bundled cities in several formats, and partitions of a day.
fn lake() -> Moto {
    let server = Moto::start(&[]);
    server.create_bucket("lake");
    let parquet = fs::read(data("cities.parquet")).unwrap();
    server.put("lake", "cities.parquet", &parquet);
    server.put("lake", "without-extension", &parquet);
    server.put("lake", "a%20b/cities.csv.gz", &gzip(rows(500, 3)));
    for (day, count) in [(26, 100), (27, 200), (28, 300)] {
        server.put("lake", &format!("trips/day=2026-11-{day}/part-0.csv"), &rows(count, day));
        server.put("lake", &format!("trips/day=2026-11-{day}/_SUCCESS"), b"");
    }
    server
}

#[test]
fn pictures_and_layers_of_objects_equal_those_of_files() {
    let (server, home) = (lake(), tempfile::tempdir().unwrap());
    let home = home.path();
    let cities = data("cities.parquet");
    let render = |input: &str, output: &str| {
        kiln_on(&server, home, &["render", input, "-o", output, "--weight", "population"]).done()
    };
    render(cities.to_str().unwrap(), "file.png");
    let expected = fs::read(home.join("file.png")).unwrap();
    for (input, output) in [("s3://lake/cities.parquet", "a.png"), ("s3a://lake/without-extension", "b.png")] {
        render(input, output);
        assert!(fs::read(home.join(output)).unwrap() == expected, "{input}");
    }
    let imported =
        kiln_on(&server, home, &["import", "s3://lake/cities.parquet", "--layer", "cities", "--weight", "population"]);
    assert!(imported.done().contains("points to cities"));
    kiln(home, ["import", cities.to_str().unwrap(), "--layer", "local", "--weight", "population"]).done();
    let described = |name| {
        let found = layer(home, name);
        (found["points"].clone(), found["weight"].clone())
    };
    assert_eq!(described("cities"), described("local"));
    // Compressed text, in a folder whose name has a space.
    kiln_on(&server, home, &["import", "s3://lake/a b/cities.csv.gz", "--layer", "text"]).done();
    assert_eq!(layer(home, "text")["weight"]["sum"], 1500.0);
    kiln_on(&server, home, &["export", "s3://lake/cities.parquet", "--zoom", "0-2", "-o", "cities.pmtiles"]).done();
}

#[test]
fn patterns_and_folders_of_a_bucket_are_all_of_their_objects() {
    let (server, home) = (lake(), tempfile::tempdir().unwrap());
    let home = home.path();
    for (input, name, points) in [
        ("s3://lake/trips/day=*/part-*.csv", "all", 600),
        ("s3://lake/trips/day=2026-11-2[78]/*.csv", "some", 500),
        ("s3://lake/trips/", "folder", 600),
        ("s3://lake/trips/day=2026-11-28", "day", 300),
    ] {
        let run = kiln_on(&server, home, &["import", input, "--layer", name]);
        if name == "folder" {
            // A folder of partitions is not one run.
            run.failed(1, &["s3://lake/trips", "it has folders, such as day=2026-11-26", "s3://lake/trips/*/*"]);
            continue;
        }
        run.done();
        assert_eq!(layer(home, name)["points"], points, "{input}");
    }
    kiln_on(&server, home, &["render", "s3://lake/trips/", "-o", "all.png"]).done();
    kiln_on(&server, home, &["import", "s3://lake/none/*.csv", "--layer", "none"])
        .failed(1, &["s3://lake/none/*.csv: no object matches the pattern"]);
    assert!(!home.join("store/none").exists());
}

#[test]
fn a_run_in_a_bucket_is_a_partition_once_it_is_complete() {
    let (server, home) = (lake(), tempfile::tempdir().unwrap());
    let home = home.path();
    let run = "bins/28/run=20261129T010203Z-5f3a9c1e";
    server.put("lake", &format!("{run}/part-0.csv"), &rows(100, 1));
    server.put("lake", &format!("{run}/part-1.csv"), &rows(50, 2));
    let import = || kiln_on(&server, home, &["import", "s3://lake/bins/28", "--layer", "trips", "--partition", "28"]);
    import().failed(1, &["s3://lake/bins/28/run=20261129T010203Z-5f3a9c1e", "its _SUCCESS is missing"]);
    server.put("lake", &format!("{run}/totals.json"), br#"{"rows": 151, "n": 151, "files": 2}"#);
    server.put("lake", &format!("{run}/_SUCCESS"), b"");
    import().failed(1, &["totals.json", "`rows` is 151, but the folder has 150 rows"]);
    assert!(!home.join("store/trips").exists());
    server.put("lake", &format!("{run}/totals.json"), br#"{"rows": 150, "n": 150, "files": 2}"#);
    import().done();
    assert_eq!(layer(home, "trips")["partitions"][0]["points"], 150);
    let again = import().done();
    assert!(again.contains("has the points of this run already"), "{again}");
    // Objects of no run are known by their entity tags.
    let day = "s3://lake/trips/day=2026-11-28/part-0.csv";
    let import =
        |partition| kiln_on(&server, home, &["import", day, "--layer", "trips", "--partition", partition]).done();
    assert!(import("29").contains("added 300 points"));
    assert!(import("29").contains("already"));
    server.put("lake", "bins/28/run=2/part-0.csv", &rows(10, 1));
    kiln_on(&server, home, &["import", "s3://lake/bins/28/", "--layer", "trips", "--partition", "28"])
        .failed(1, &["two runs in one partition", "run=2"]);
}

#[test]
fn bad_urls_credentials_and_endpoints_are_one_line_without_secrets_and_change_nothing() {
    let mut server = Moto::start(&[("INITIAL_NO_AUTH_ACTION_COUNT", "2")]);
    server.create_bucket("lake");
    server.put("lake", "a.csv", &rows(10, 1));
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 10, 1);
    kiln(home, ["import", "a.csv", "--layer", "trips"]).done();
    let before = layer(home, "trips");
    let variables = server.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let import = |input: &str| kiln_with_env(home, ["import", input, "--layer", "trips", "--replace"], &variables);
    import("s3://lake/a.csv").failed(1, &["s3://lake/a.csv: access denied", "AWS_ACCESS_KEY_ID"]);
    import("s3://lake/*.csv").failed(1, &["access denied", "AWS_ACCESS_KEY_ID"]);
    import("s3://AKID:s3cretkey@lake/a.csv").failed(2, &["credentials in the URL are not supported"]);
    import("ftp://lake/a.csv").failed(2, &["the scheme ftp:// is not supported; expected s3://bucket/key"]);
    import("http://maps.example/a.csv?X-Amz-Signature=s3cretkey").failed(1, &["http:// is not encrypted"]);
    import("https://169.254.169.254/latest/meta-data/").failed(1, &["is that of no web server"]);
    import("s3://lake/points.shp").failed(1, &["a shapefile is several files"]);
    server.kill();
    import("s3://lake/a.csv").failed(1, &["s3://lake/a.csv: cannot read: 127.0.0.1:", "cannot be reached"]);
    let anonymous = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("HOME", "/nonexistent"), ("AWS_PROFILE", "none")];
    kiln_with_env(home, ["import", "s3://lake/a.csv", "--layer", "trips", "--replace"], &anonymous)
        .failed(1, &["AWS_PROFILE names the profile \"none\""]);
    assert_eq!(layer(home, "trips"), before);
    for args in [
        &["import", "https://ann:s3cretkey@127.0.0.1:1/a.csv?sig=s3cretkey", "--layer", "trips", "--append"][..],
        &["render", "https://127.0.0.1:1/a.csv?X-Amz-Signature=s3cretkey", "-o", "a.png"],
        &[
            "matrix",
            "https://127.0.0.1:1/a.csv?X-Amz-Signature=s3cretkey",
            "--x",
            "hour",
            "--y",
            "weekday",
            "-o",
            "a.png",
        ],
        &[
            "import",
            "https://127.0.0.1:1/a.csv?sig=s3cretkey",
            "https://127.0.0.1:1/a.csv?sig=s3cretkey",
            "--layer",
            "trips",
        ],
    ] {
        let run = kiln_on(&server, home, args);
        assert!(
            run.code != 0 && !run.stderr.contains("s3cretkey") && run.stderr.lines().count() == 1,
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_bucket_that_does_not_exist_is_not_a_missing_object() {
    let (server, home) = (lake(), tempfile::tempdir().unwrap());
    let render = |input: &str| kiln_on(&server, home.path(), &["render", input, "-o", "a.png"]);
    render("s3://none/a.csv").failed(1, &["s3://none/a.csv: the bucket none does not exist"]);
    render("s3://none/a.parquet").failed(1, &["s3://none/a.parquet: the bucket none does not exist"]);
    render("s3://none/*.csv").failed(1, &["the bucket none does not exist"]);
    render("s3://lake/none.parquet").failed(1, &["s3://lake/none.parquet: the object does not exist"]);
    render("s3://lake/none/").failed(1, &["s3://lake/none/: the folder has no objects"]);
}

/// A web server: each answer gets the path, the requested range if any, and the connection.
fn web(answer: impl Fn(&str, Option<Range<usize>>, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, mut stream) = (Arc::clone(&answer), stream.unwrap());
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = lines.map_while(|line| line.ok().filter(|line| !line.is_empty())).collect();
                let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
                let range =
                    head.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
                let range = range.and_then(|range| {
                    let (start, end) = range.split_once('-')?;
                    Some(start.parse().ok()?..end.parse::<usize>().ok()? + 1)
                });
                answer(path, range, &mut stream);
            });
        }
    });
    format!("http://{address}")
}

fn respond(stream: &mut TcpStream, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).ok();
}

#[test]
fn a_file_of_a_web_server_is_read_with_the_query_of_its_url() {
    let home = tempfile::tempdir().unwrap();
    let zipped = gzip(rows(40, 2));
    let parquet = fs::read(data("cities.parquet")).unwrap();
    let url = web(move |path, _, stream| match path {
        "/trips.csv.gz" => respond(stream, "", &zipped),
        "/export?format=csv" => respond(stream, "", b"lon,lat\n1,2\n3,4\n"),
        // Without ranges, the whole file is copied.
        "/cities.parquet" => respond(stream, "", &parquet),
        _ => respond(stream, "", b"<html>"),
    });
    for (path, name, points) in
        [("/trips.csv.gz", "trips", 40), ("/export?format=csv", "query", 2), ("/cities.parquet", "cities", 135_233)]
    {
        kiln(home.path(), ["import", &format!("{url}{path}"), "--layer", name]).done();
        assert_eq!(layer(home.path(), name)["points"], points, "{path}");
    }
    kiln(home.path(), ["import", &format!("{url}/other"), "--layer", "other"]).failed(1, &["it is XML or HTML"]);
}

#[test]
fn a_server_that_stops_within_a_file_leaves_the_layer_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 10, 1);
    kiln(home, ["import", "a.csv", "--layer", "trips"]).done();
    let before = layer(home, "trips");
    let url = web(|path, _, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nlon,lat\n1,2\n").ok();
        if path.contains("silent") {
            std::thread::sleep(Duration::from_secs(60));
        }
    });
    let import = |path: &str| {
        let variables = [("HTTP_TIMEOUT", "500ms")];
        kiln_with_env(home, ["import", &format!("{url}/{path}"), "--layer", "trips", "--append"], &variables)
    };
    import("silent.csv").failed(1, &["/silent.csv: cannot read: the server sent 12 bytes within 0.5 s of a response"]);
    import("broken.csv").failed(1, &["/broken.csv: cannot read: the connection ended"]);
    assert_eq!(layer(home, "trips"), before);
}

#[test]
fn an_object_that_changes_during_the_read_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let parquet = fs::read(data("cities.parquet")).unwrap();
    let size = parquet.len();
    let url = web(move |_, range, stream| {
        let Range { start, end } = range.unwrap();
        // The columns are those of another version than the footer.
        let etag = if start == 0 || end == size { "one" } else { "two" };
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nETag: \"{etag}\"\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Range: bytes {start}-{}/{size}\r\n\r\n",
            end - start,
            end - 1
        );
        stream.write_all(&[head.as_bytes(), &parquet[start..end]].concat()).ok();
    });
    kiln(home.path(), ["render", &format!("{url}/cities.parquet"), "-o", "a.png"])
        .failed(1, &["/cities.parquet: the object changed while it was read"]);
    assert!(!home.path().join("a.png").exists());
}

/// Starts a server with the layer of a bucket.
fn served(server: &Moto, config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::with_env(home, &[], &server.variables())
}

#[test]
fn a_server_follows_the_objects_of_a_layer_and_keeps_it_while_the_bucket_is_away() {
    let mut bucket = Moto::start(&[]);
    bucket.create_bucket("lake");
    bucket.put("lake", "trips/a.csv", &rows(100, 1));
    let config = "[layers.trips]\ninput = \"s3://lake/trips/*.csv\"\nrefresh = \"1s\"\n";
    let server = served(&bucket, config);
    let points = || server.get("/catalog").ok(200).json();
    let tile = server.get("/trips/0/0/0.png").ok(200);
    assert!(points().to_string().contains("100"), "{}", points());
    bucket.put("lake", "trips/b.csv", &rows(50, 2));
    let log = || server.log();
    eventually("the layer has the new points", || log().contains("were read again") && log().contains("points=150"));
    let second = server.get("/trips/0/0/0.png").ok(200);
    assert_ne!(second.header("etag"), tile.header("etag"));
    bucket.kill();
    eventually("the failure is logged", || log().contains("the layer remains as it is"));
    assert_eq!(server.get("/trips/0/0/0.png").ok(200).body, second.body);
    assert!(!log().contains("s3cretkey"));
}

#[test]
fn a_server_starts_without_a_bucket_and_rejects_private_web_addresses() {
    let mut bucket = Moto::start(&[]);
    bucket.kill();
    let config = "[layers.trips]\ninput = \"s3://lake/trips.csv\"\n[layers.cities]\ninput = \"cities.parquet\"\n";
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    fs::copy(data("cities.parquet"), home.path().join("cities.parquet")).unwrap();
    let server = Server::with_env(home, &[], &bucket.variables());
    server.get("/cities/0/0/0.png").ok(200);
    server.get("/trips/0/0/0.png").ok(404);
    assert!(server.log().contains("the layer is opened once its objects can be read"), "{}", server.log());

    let home = tempfile::tempdir().unwrap();
    let url = web(|_, _, stream| respond(stream, "", b"lon,lat\n1,2\n"));
    let config = |more: &str| {
        let text = format!("[layers.trips]\ninput = \"{url}/a.csv?sig=s3cretkey\"\n{more}");
        fs::write(home.path().join("kiln.toml"), text).unwrap();
    };
    config("");
    kiln(home.path(), ["serve", "-l", "127.0.0.1:0"])
        .failed(1, &["private address 127.0.0.1", "server.private_inputs"]);
    let printed = String::from_utf8(kiln(home.path(), ["config", "check"]).stdout).unwrap();
    assert!(printed.contains("/a.csv\"") && !printed.contains("s3cretkey"), "{printed}");
    config("[server]\nprivate_inputs = true\n");
    let server = Server::at(home, &[]);
    let catalog = server.get("/catalog").ok(200).json();
    assert!(!catalog.to_string().contains("s3cretkey") && catalog.to_string().contains("trips"), "{catalog}");
    assert_ne!(catalog, json!([]));
}
