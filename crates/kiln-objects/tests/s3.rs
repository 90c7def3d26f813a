//! The client against a server of S3, moto, which `scripts/readers.sh` installs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod moto;

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kiln_objects::{ObjectErrorKind, Objects, Settings};

use moto::Moto;

fn open(server: &Moto, url: &str) -> Objects {
    let variables = server.variables();
    let settings = Settings::new(variables.iter().map(|(name, value)| (*name, value.as_str())).collect());
    Objects::open(&url.parse().unwrap(), &settings).unwrap()
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    std::fs::write(folder.join(name), bytes).unwrap();
    folder.join(name)
}

#[test]
fn objects_are_written_read_listed_and_deleted() {
    let server = Moto::start(&[]);
    server.create_bucket("maps");
    let objects = open(&server, "s3://maps/any");
    let folder = tempfile::tempdir().unwrap();
    // Small, and large enough for an upload and a download of several parts.
    let large: Vec<u8> = (0..20_000_000u32).map(|n| (n % 251) as u8).collect();
    for (key, bytes) in [("a b/c%20d=1/x.csv", &b"lon,lat\n1,2\n"[..]), ("large.bin", &large[..]), ("empty", b"")] {
        let mut uploaded = 0;
        let revision = objects.upload(key, &file(folder.path(), "up", bytes), |count| uploaded += count).unwrap();
        assert_eq!(uploaded, bytes.len() as u64);
        let info = objects.head(key).unwrap();
        assert_eq!((info.size, &info.revision, info.has_ranges), (Some(bytes.len() as u64), &revision, true));
        assert!(info.modified.unwrap().elapsed().unwrap() < Duration::from_secs(3600));
        let mut read = Vec::new();
        objects.reader(key).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == bytes, "{key}");
        let mut copy = tempfile::tempfile().unwrap();
        copy.write_all(b"before").unwrap();
        let mut downloaded = 0;
        assert_eq!(objects.download(key, &mut copy, |count| downloaded += count).unwrap(), info);
        copy.seek(SeekFrom::Start(0)).unwrap();
        let mut read = Vec::new();
        copy.read_to_end(&mut read).unwrap();
        assert!(read == [b"before", bytes].concat() && downloaded == bytes.len() as u64, "{key}");
    }
    let info = objects.head("large.bin").unwrap();
    assert_eq!(objects.get_range("large.bin", 1000..1010, Some(&info)).unwrap(), &large[1000..1010]);
    let mut ranges = Vec::new();
    let requested = [5..9, 100..100_000, 19_999_999..20_000_000];
    objects
        .get_ranges("large.bin", &requested, &info, &mut |start, bytes| {
            assert!(large[start as usize..].starts_with(bytes));
            ranges.push(start..start + bytes.len() as u64);
            Ok(())
        })
        .unwrap();
    assert_eq!(ranges, requested);

    objects.put_any("a b/top.csv", "x").unwrap();
    let keys = |prefix| objects.list(prefix).unwrap().into_iter().map(|object| object.key).collect::<Vec<_>>();
    assert_eq!(keys(""), ["a b/c%20d=1/x.csv", "a b/top.csv", "empty", "large.bin"]);
    assert_eq!(keys("a b/c"), ["a b/c%20d=1/x.csv"]);
    assert_eq!(keys("none/"), [""; 0]);
    let listing = objects.list_folder("a b/").unwrap();
    assert_eq!((listing.folders, listing.objects[0].key.as_str()), (vec!["a b/c%20d=1".to_owned()], "a b/top.csv"));
    assert_eq!(objects.list_folder("").unwrap().folders, ["a b"]);
    objects.delete("empty").unwrap();
    objects.delete("empty").unwrap();
    assert_eq!(objects.head("empty").unwrap_err().kind(), ObjectErrorKind::NotFound);
}

#[test]
fn writes_compare_revisions_and_reads_notice_changes() {
    let server = Moto::start(&[]);
    server.create_bucket("maps");
    let objects = open(&server, "s3://maps");
    let kind =
        |result: kiln_objects::Result<_>| result.map(|_: kiln_objects::Revision| ()).map_err(|error| error.kind());
    let first = objects.put_new("manifest.json", "one").unwrap();
    assert_eq!(kind(objects.put_new("manifest.json", "two")), Err(ObjectErrorKind::Conflict));
    let (bytes, revision) = objects.get("manifest.json", None, Objects::MAX_GET_BYTES).unwrap().unwrap();
    assert_eq!((&bytes[..], &revision), (&b"one"[..], &first));
    assert_eq!(objects.get("manifest.json", Some(&first), Objects::MAX_GET_BYTES).unwrap(), None);
    let info = objects.head("manifest.json").unwrap();
    let second = objects.put_if("manifest.json", "two", Some(&first)).unwrap();
    assert_eq!(kind(objects.put_if("manifest.json", "three", Some(&first))), Err(ObjectErrorKind::Conflict));
    assert_eq!(kind(objects.put_if("missing.json", "three", Some(&first))), Err(ObjectErrorKind::Conflict));
    assert_eq!(
        objects.get("manifest.json", Some(&first), Objects::MAX_GET_BYTES).unwrap().unwrap(),
        ("two".into(), second.clone())
    );
    let error = objects.get_range("manifest.json", 0..1, Some(&info)).unwrap_err();
    assert_eq!(error.kind(), ObjectErrorKind::Changed, "{error}");
    assert_eq!(
        error.to_string(),
        "s3://maps/manifest.json: the object changed while it was read; read it again once it is written"
    );
    let error = objects.get_ranges("manifest.json", &[0..1, 1..2], &info, &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ObjectErrorKind::Changed, "{error}");
}

#[test]
fn a_missing_object_and_a_missing_bucket_have_different_errors() {
    let server = Moto::start(&[]);
    server.create_bucket("maps");
    let objects = open(&server, "s3://maps");
    for error in [
        objects.head("a.csv").unwrap_err(),
        objects.reader("a.csv").unwrap_err(),
        objects.get("a.csv", None, Objects::MAX_GET_BYTES).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "s3://maps/a.csv: the object does not exist");
    }
    let objects = open(&server, "s3://none");
    for error in [
        objects.head("a.csv").unwrap_err(),
        objects.reader("a.csv").unwrap_err(),
        objects.get_range("a.csv", 0..1, None).unwrap_err(),
        objects.put_any("a.csv", "x").unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.to_string()),
            (ObjectErrorKind::NoBucket, "s3://none/a.csv: the bucket none does not exist".into())
        );
    }
    assert_eq!(objects.list("").unwrap_err().to_string(), "s3://none/: the bucket none does not exist");
    assert_eq!(objects.head("a//b").unwrap_err().kind(), ObjectErrorKind::Invalid);
    assert!(objects.head("a/").unwrap_err().to_string().contains("that of a folder"));
}

#[test]
fn wrong_credentials_are_an_error_that_names_their_variable() {
    let server = Moto::start(&[("INITIAL_NO_AUTH_ACTION_COUNT", "1")]);
    server.create_bucket("maps");
    let error = open(&server, "s3://maps").list("").unwrap_err();
    assert_eq!(error.kind(), ObjectErrorKind::Denied, "{error}");
    let message = error.to_string();
    assert!(
        message.contains("AWS_ACCESS_KEY_ID") && !message.contains("s3cret") && !message.contains("AKIDEXAMPLE"),
        "{message}"
    );
}

#[test]
fn a_server_that_is_killed_is_an_error() {
    let mut server = Moto::start(&[]);
    server.create_bucket("maps");
    let objects = open(&server, "s3://maps");
    objects.put_any("a.csv", "x").unwrap();
    server.kill();
    let error = objects.get("a.csv", None, Objects::MAX_GET_BYTES).unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("cannot be reached"), "{error}");
}

/// A web server that sends a response to every request.
fn web_server(response: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(response.as_bytes());
        }
    });
    address
}

#[test]
fn a_page_of_a_web_server_is_no_list_of_a_bucket() {
    const HTML: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 46\r\nConnection: close\r\n\r\n\
        <!DOCTYPE html><html><body>Sign in</body></htm";
    const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for (response, content) in [(HTML, "an HTML page"), (EMPTY, "other content")] {
        let address = web_server(response);
        let variables = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("GOOGLE_BASE_URL", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "s3cretkey".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ];
        let settings = Settings::new(variables.iter().map(|(name, value)| (*name, value.as_str())).collect());
        let objects = Objects::open(&"s3://maps/heat".parse().unwrap(), &settings).unwrap();
        for error in [objects.list("heat/").unwrap_err(), objects.list_folder("heat").unwrap_err()] {
            let message = error.to_string();
            assert_eq!(error.kind(), ObjectErrorKind::Invalid, "{message}");
            let expected = format!("http://{address} sends {content} in place of a list of a bucket");
            assert!(message.contains(&expected) && !message.contains("s3cret"), "{message}");
        }
    }
}

#[test]
fn keys_that_are_not_supported_are_left_out_of_lists() {
    let server = Moto::start(&[]);
    server.create_bucket("maps");
    for key in ["heat/a/manifest.json", "heat/top.csv", "heat//x", "heat/%2e%2e/x", "heat/a/b%1bc", "heat/z/b.csv"] {
        server.put("maps", key, b"x");
    }
    let objects = open(&server, "s3://maps/heat");
    let listing = objects.list_folder("heat").unwrap();
    assert_eq!(listing.folders, ["heat/a", "heat/z"]);
    assert_eq!(listing.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["heat/top.csv"]);
    let keys = |prefix| objects.list(prefix).unwrap().into_iter().map(|object| object.key).collect::<Vec<_>>();
    assert_eq!(keys("heat/"), ["heat/a/manifest.json", "heat/top.csv", "heat/z/b.csv"]);
    // More than a page of them.
    for number in 0..1100 {
        server.put("maps", &format!("heat/a//{number}"), b"");
    }
    assert_eq!(keys("heat/"), ["heat/a/manifest.json", "heat/top.csv", "heat/z/b.csv"]);
    assert_eq!(objects.list_folder("heat/a").unwrap().folders, [""; 0]);
}

#[test]
fn an_object_that_is_too_large_is_not_read_as_a_whole() {
    let server = Moto::start(&[]);
    server.create_bucket("maps");
    let objects = open(&server, "s3://maps");
    objects.put_any("a", "12345").unwrap();
    assert_eq!(objects.get("a", None, 5).unwrap().unwrap().0.len(), 5);
    let error = objects.get("a", None, 4).unwrap_err();
    assert_eq!(error.to_string(), "s3://maps/a: it has more than 4 bytes");
}
