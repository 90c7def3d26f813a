//! The client against web servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kiln_objects::{Environment, ObjectErrorKind, Objects, Result, Settings};

/// The lines of the head of a request.
type Head = Vec<String>;

/// A server that answers each request by a function.
struct Server {
    port: u16,
    heads: Arc<Mutex<Vec<Head>>>,
}

impl Server {
    fn start(answer: impl Fn(&Head, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heads, answer) = (Arc::<Mutex<Vec<Head>>>::default(), Arc::new(answer));
        let received = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (received, answer, mut stream) = (Arc::clone(&received), Arc::clone(&answer), stream.unwrap());
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    let head: Head =
                        lines.by_ref().map_while(|line| line.ok().filter(|line| !line.is_empty())).collect();
                    if !head.is_empty() {
                        received.lock().unwrap().push(head.clone());
                        answer(&head, &mut stream);
                    }
                });
            }
        });
        Self { port, heads }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    fn open(&self, path: &str) -> Objects {
        open(&self.url(path), &[]).unwrap()
    }

    fn requests(&self) -> Vec<Head> {
        self.heads.lock().unwrap().clone()
    }
}

fn settings(variables: &[(&str, &str)]) -> Settings {
    Settings::new(variables.iter().copied().collect::<Environment>())
}

fn open(url: &str, variables: &[(&str, &str)]) -> Result<Objects> {
    Objects::open(&url.parse().unwrap(), &settings(variables))
}

fn header<'h>(head: &'h Head, name: &str) -> Option<&'h str> {
    head.iter().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

/// Sends a file with ranges and conditions, as servers of files do.
fn send_file(head: &Head, stream: &mut TcpStream, file: &[u8], etag: &str) {
    let headers = format!("ETag: {etag}\r\nAccept-Ranges: bytes\r\nLast-Modified: Sat, 28 Nov 2026 10:00:00 GMT\r\n");
    if header(head, "if-match").is_some_and(|expected| expected != etag) {
        return respond(stream, "412 Precondition Failed", "", b"");
    }
    if header(head, "if-none-match") == Some(etag) {
        return respond(stream, "304 Not Modified", &headers, b"");
    }
    let Some(range) = header(head, "range") else { return respond(stream, "200 OK", &headers, file) };
    let (start, end) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
    if start >= file.len() {
        return respond(
            stream,
            "416 Range Not Satisfiable",
            &format!("Content-Range: bytes */{}\r\n", file.len()),
            b"",
        );
    }
    let end = end.min(file.len() - 1);
    let headers = format!("{headers}Content-Range: bytes {start}-{end}/{}\r\n", file.len());
    respond(stream, "206 Partial Content", &headers, &file[start..=end]);
}

#[test]
fn a_file_is_read_by_ranges_and_as_a_stream_with_the_query_and_password_of_its_url() {
    let file: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    let served = file.clone();
    let server = Server::start(move |head, stream| send_file(head, stream, &served, "\"v1\""));
    let url = server.url("a%20b.csv?X-Amz-Signature=s3cret").replacen("://", "://ann:s3cret@", 1);
    let objects = open(&url, &[]).unwrap();
    let info = objects.head("").unwrap();
    assert_eq!((info.size, info.revision.etag(), info.has_ranges), (Some(100_000), Some("\"v1\""), true));
    assert!(info.modified.is_some());
    assert_eq!(objects.get_range("", 10..20, Some(&info)).unwrap(), file[10..20]);
    let mut read = Vec::new();
    let mut reader = objects.reader("").unwrap();
    assert_eq!(reader.peek(5).unwrap(), file[..5]);
    reader.read_to_end(&mut read).unwrap();
    assert!(read == file && reader.info().is_same(&info));
    let (bytes, revision) = objects.get("", None, Objects::MAX_GET_BYTES).unwrap().unwrap();
    assert!(bytes == file && objects.get("", Some(&revision), Objects::MAX_GET_BYTES).unwrap().is_none());
    for head in server.requests() {
        assert_eq!(head[0], "GET /a%20b.csv?X-Amz-Signature=s3cret HTTP/1.1");
        assert_eq!(header(&head, "authorization"), Some("Basic YW5uOnMzY3JldA=="));
    }
    assert_eq!(objects.url().to_string(), server.url("a%20b.csv"));
    let error = objects.list("").unwrap_err().to_string();
    assert!(error.contains("no listings") && !error.contains("s3cret"), "{error}");
}

#[test]
fn a_file_that_changes_during_the_read_is_an_error() {
    let versions = Arc::new(Mutex::new("\"v1\""));
    let current = Arc::clone(&versions);
    // The server ignores conditions.
    let server = Server::start(move |head, stream| {
        let head: Head = head.iter().filter(|line| !line.to_lowercase().starts_with("if-")).cloned().collect();
        let etag = *current.lock().unwrap();
        send_file(&head, stream, b"0123456789", etag);
    });
    let objects = server.open("a.csv");
    let info = objects.head("").unwrap();
    assert!(objects.get_range("", 0..2, Some(&info)).is_ok());
    *versions.lock().unwrap() = "\"v2\"";
    assert_eq!(objects.get_range("", 0..2, Some(&info)).unwrap_err().kind(), ObjectErrorKind::Changed);
    let beyond = objects.get_range("", 8..12, None).unwrap_err();
    assert_ne!(beyond.kind(), ObjectErrorKind::Other, "{beyond}");
}

#[test]
fn a_server_without_ranges_has_streams_only() {
    let server = Server::start(|_, stream| {
        // Without a length, the end of the connection ends the body.
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nlon,lat\n1,2\n").unwrap();
    });
    let objects = server.open("export?format=csv");
    let info = objects.head("").unwrap();
    assert_eq!((info.size, info.has_ranges, info.has_revision()), (None, false, false));
    let mut text = String::new();
    objects.reader("").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "lon,lat\n1,2\n");
    let error = objects.get_range("", 0..2, None).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: the server sends no ranges of the file", server.url("export")));
}

#[test]
fn an_empty_file_has_a_size() {
    let server = Server::start(|head, stream| send_file(head, stream, b"", "\"v1\""));
    assert_eq!(server.open("a").head("").unwrap().size, Some(0));
}

#[test]
fn redirects_are_followed_but_not_to_private_addresses_of_other_hosts() {
    let other = Server::start(|_, stream| respond(stream, "200 OK", "", b"secret"));
    let target = other.url("secret");
    let server = Server::start(move |head, stream| {
        let to = |stream: &mut TcpStream, location: &str| {
            respond(stream, "302 Found", &format!("Location: {location}\r\n"), b"");
        };
        match head[0].split(' ').nth(1).unwrap() {
            "/file" => respond(stream, "200 OK", "", b"0123"),
            "/near" => to(stream, "/file"),
            "/circle" => to(stream, "/circle"),
            "/file-url" => to(stream, "file:///etc/passwd"),
            _ => to(stream, &target),
        }
    });
    assert_eq!(server.open("near").get("", None, Objects::MAX_GET_BYTES).unwrap().unwrap().0, &b"0123"[..]);
    for (path, expected) in
        [("other", "private address 127.0.0.1"), ("circle", "in a circle"), ("file-url", "invalid URL")]
    {
        let error = server.open(path).get("", None, Objects::MAX_GET_BYTES).unwrap_err();
        assert!(error.kind() == ObjectErrorKind::Invalid && error.message().contains(expected), "{error}");
    }
    assert!(other.requests().is_empty());
}

#[test]
fn private_addresses_are_rejected_where_they_are_not_allowed() {
    let server = Server::start(|_, stream| respond(stream, "200 OK", "", b"secret"));
    let closed = Settings { private_addresses: false, ..settings(&[]) };
    for host in ["127.0.0.1", "localhost"] {
        let url = server.url("a.csv").replace("127.0.0.1", host);
        let error = Objects::open(&url.parse().unwrap(), &closed).unwrap().head("").unwrap_err();
        assert!(
            error.message().contains("private address") && error.message().contains("server.private_inputs"),
            "{error}"
        );
    }
    assert!(server.requests().is_empty());
    // The metadata service of a cloud has the credentials of the machine.
    for url in ["https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/latest/"] {
        let error = open(url, &[]).unwrap().head("").unwrap_err();
        assert!(error.message().contains("is that of no web server"), "{error}");
    }
    let error = open("http://maps.example/a.csv", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "http://maps.example/a.csv: http:// is not encrypted; use https://, or set ALLOW_HTTP=true"
    );
}

#[test]
fn a_server_that_does_not_respond_or_stops_within_a_response_is_a_timeout() {
    let server = Server::start(|head, stream| {
        if head[0].contains("stalls") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nlon,").unwrap();
        }
        std::thread::sleep(Duration::from_secs(20));
    });
    let silent = open(&server.url("silent"), &[("HTTP_TIMEOUT", "300ms")]).unwrap();
    let error = silent.head("").unwrap_err();
    assert_eq!((error.kind(), error.message()), (ObjectErrorKind::Timeout, "the server does not respond within 0.3 s"));
    let stalls = open(&server.url("stalls"), &[("HTTP_TIMEOUT", "300ms")]).unwrap();
    let mut read = Vec::new();
    let error = stalls.reader("").unwrap().read_to_end(&mut read).unwrap_err();
    assert_eq!((error.kind(), &read[..]), (std::io::ErrorKind::TimedOut, &b"lon,"[..]), "{error}");
}

#[test]
fn a_bucket_that_sends_a_byte_at_times_is_a_timeout() {
    let server = Server::start(|_, stream| {
        let modified = "Last-Modified: Tue, 01 Dec 2026 00:00:00 GMT";
        let head = format!("HTTP/1.1 200 OK\r\nETag: \"a\"\r\n{modified}\r\nContent-Length: 1000\r\n\r\n");
        let _ = stream.write_all(head.as_bytes());
        // Ten seconds, unless the client closes the connection.
        for _ in 0..100 {
            if stream.write_all(b" ").is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let url = server.url("");
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("AWS_TIMEOUT", "1"),
    ];
    let bucket = open("s3://maps/", &variables).unwrap();
    let read = bucket.get("manifest.json", None, 1 << 20).unwrap_err();
    let list = bucket.list("").unwrap_err();
    for error in [read, list] {
        // Of two limits that end at once: for the entire response, and for a part of it.
        let is_expected = ["the response was not complete within 1 s", "within 1 s of a response"];
        let is_expected = is_expected.iter().any(|expected| error.message().contains(expected));
        assert!(error.kind() == ObjectErrorKind::Timeout && is_expected, "{error}");
    }
    let mut stream = bucket.reader("segment.points").unwrap();
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(
        error.kind() == std::io::ErrorKind::TimedOut && error.to_string().contains("within 1 s of a response"),
        "{error}"
    );
}

#[test]
fn a_flag_ends_a_wait() {
    let server = Server::start(|_, _| std::thread::sleep(Duration::from_secs(60)));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let objects =
        Objects::open(&server.url("a").parse().unwrap(), &settings(&[]).with_stop(Arc::clone(&stop))).unwrap();
    let waiting = std::thread::spawn(move || objects.head("").unwrap_err().kind());
    while server.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(waiting.join().unwrap(), ObjectErrorKind::Cancelled);
}

#[test]
fn temporary_failures_are_repeated_and_permanent_ones_are_errors() {
    let count = Arc::new(Mutex::new(0));
    let server = Server::start(move |head, stream| match head[0].split(' ').nth(1).unwrap() {
        "/busy" => {
            let mut count = count.lock().unwrap();
            *count += 1;
            let status = if *count < 3 { "503 Service Unavailable" } else { "200 OK" };
            respond(stream, status, "", b"0123");
        }
        path => respond(stream, &path[1..].replace('-', " "), "", b"<Message>s3cret</Message>"),
    });
    assert_eq!(server.open("busy").get("", None, Objects::MAX_GET_BYTES).unwrap().unwrap().0, &b"0123"[..]);
    for (path, kind, expected) in [
        ("404-None", ObjectErrorKind::NotFound, "the file does not exist"),
        ("403-No", ObjectErrorKind::Denied, "status 403"),
        ("418-Pot", ObjectErrorKind::Other, "status 418"),
        ("500-Bad", ObjectErrorKind::Unreachable, "status 500"),
    ] {
        let error = server.open(path).get("", None, Objects::MAX_GET_BYTES).unwrap_err();
        assert!(
            error.kind() == kind && error.message().contains(expected) && !error.to_string().contains("s3cret"),
            "{error}"
        );
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_an_error_that_is_not_repeated() {
    let server = Server::start(|_, _| {});
    let url = server.url("a").replace("http:", "https:");
    let error = open(&url, &[]).unwrap().head("").unwrap_err();
    assert!(error.message().contains("no secure connection to 127.0.0.1"), "{error}");
}
