//! Masks of clients who mean harm.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::masks_http::{create, form, npy, photo};
use crate::server::{Reply, Server};

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");
const NPY: (&str, &str) = ("content-type", "application/x-npy");

/// A server of backgrounds, some of them bad, and how many requests it has seen.
fn origin() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
            let stream = stream.unwrap();
            // The server may close a connection at any time.
            std::thread::spawn(move || drop(answer(BufReader::new(stream), port)));
        }
    });
    (port, requests)
}

fn answer(mut stream: BufReader<std::net::TcpStream>, port: u16) -> std::io::Result<()> {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if stream.read_line(&mut request)? == 0 {
            return Ok(());
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let out = stream.get_mut();
    let picture = photo(30, 20);
    let length = format!("content-length: {}\r\n", picture.len());
    match path.as_str() {
        "/photos/good.png" => {
            out.write_all(format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n{length}\r\n").as_bytes())?;
            out.write_all(&picture)
        }
        "/photos/redirect" => {
            let head = format!(
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/photos/good.png\r\ncontent-length: 0\r\n\r\n"
            );
            out.write_all(head.as_bytes())
        }
        "/photos/gzip" => {
            out.write_all(format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n{length}\r\n").as_bytes())
        }
        "/photos/endless" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            loop {
                out.write_all(b"1000\r\n")?;
                out.write_all(&[0x89; 0x1000])?;
                out.write_all(b"\r\n")?;
            }
        }
        "/photos/head" => loop {
            out.write_all(b"HTTP/1.1 200 OK\r\n")?;
            out.write_all(&b"x: y\r\n".repeat(1000))?;
        },
        "/photos/slow" => {
            out.write_all(format!("HTTP/1.1 200 OK\r\n{length}\r\n").as_bytes())?;
            for byte in &picture {
                out.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_millis(500));
            }
            Ok(())
        }
        "/photos/page" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 6\r\n\r\n<html>")
        }
        "/photos/short" => out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n\x89PNG"),
        _ => out.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    }
}

fn with_background(server: &Server, background: &str) -> Reply {
    let ask = json!({"mask": [[0, 1], [2, 3]], "background": background});
    server.post("/masks", &ask)
}

/// The most memory that a server has taken, in megabytes.
#[cfg(target_os = "linux")]
fn peak_mb(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1000
}

#[test]
fn backgrounds_come_from_allowed_urls_alone() {
    let (port, requests) = origin();
    let server = Server::with(
        &[],
        &format!("[masks]\nbackground_urls = [\"http://127.0.0.1:{port}/photos/\"]\n[limits]\nmask_body = \"1MB\"\n"),
    );
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let mask = with_background(&server, &at("/photos/good.png")).ok(201).json();
    assert_eq!((&mask["width"], &mask["height"]), (&json!(30), &json!(20)));
    for (path, words) in [
        ("/photos/redirect", &["background: ", "redirect (302)", "not followed"][..]),
        ("/photos/missing", &["status 404"]),
        ("/photos/gzip", &["Content-Encoding"]),
        ("/photos/endless", &["exceeds 1000000 bytes"]),
        ("/photos/page", &["background: "]),
        ("/photos/short", &["the connection failed"]),
        ("/photos/head", &["the connection failed"]),
    ] {
        with_background(&server, &at(path)).rejected(400, words);
    }
    let seen = requests.load(Ordering::Relaxed);
    assert_eq!(seen, 8);
    for url in [
        at("/secret"),
        at("/photos/../secret"),
        at("/photos/%2e%2e/secret"),
        at("/photos/..%2fsecret"),
        format!("http://127.0.0.1:{port}@127.0.0.1:{port}/photos/good.png"),
        format!("http://x@127.0.0.1:{port}/photos/good.png"),
        format!("http://127.0.0.1.evil.example:{port}/photos/good.png"),
        format!("http://localhost:{port}/photos/good.png"),
        format!("http://127.1:{port}/photos/good.png"),
        format!("http://2130706433:{port}/photos/good.png"),
        format!("http://[::ffff:127.0.0.1]:{port}/photos/good.png"),
        format!("https://127.0.0.1:{port}/photos/good.png"),
        format!("http://127.0.0.1:{}/photos/good.png", port ^ 1),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://127.0.0.1/photos/good.png".to_owned(),
        "://".to_owned(),
    ] {
        let reply = with_background(&server, &url);
        reply.rejected(400, &["background: ", "masks.background_urls"]);
        assert_eq!(reply.json()["parameter"], "background");
    }
    assert_eq!(requests.load(Ordering::Relaxed), seen, "nothing was requested");
    // The same for another background.
    let put = |body: Value| {
        server.send(
            "PUT",
            &format!("{}/background", mask["urls"]["mask"].as_str().unwrap()),
            &[],
            body.to_string().as_bytes(),
        )
    };
    put(json!({"background": at("/photos/redirect")})).rejected(400, &["redirect"]);
    put(json!({"background": at("/secret")})).rejected(400, &["masks.background_urls"]);
    assert_eq!(put(json!({"background": at("/photos/good.png")})).ok(200).json()["width"], 30);
    // By default nothing is allowed.
    let closed = Server::start();
    with_background(&closed, &at("/photos/good.png")).rejected(400, &["masks.background_urls"]);
    with_background(&closed, "photo.png").rejected(400, &["masks.background_folders"]);
}

#[test]
fn a_name_of_a_private_address_is_refused_although_its_url_is_allowed() {
    let (port, requests) = origin();
    let server = Server::with(&[], &format!("[masks]\nbackground_urls = [\"http://localhost:{port}/\"]\n"));
    let reply = with_background(&server, &format!("http://localhost:{port}/photos/good.png"));
    reply.rejected(400, &["background: ", "not public"]);
    // The client does not learn which address it is; the log has it.
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(!detail.contains("127.0.0.1") && !detail.contains("::1"), "{detail}");
    assert!(server.log().contains("127.0.0.1") || server.log().contains("::1"));
    assert_eq!(requests.load(Ordering::Relaxed), 0);
}

#[test]
fn a_slow_server_is_given_up() {
    let (port, _) = origin();
    let server = Server::with(&[], &format!("[masks]\nbackground_urls = [\"http://127.0.0.1:{port}/\"]\n"));
    let start = Instant::now();
    with_background(&server, &format!("http://127.0.0.1:{port}/photos/slow")).rejected(400, &["within 10 s"]);
    assert!(start.elapsed() > Duration::from_secs(9));
}

#[cfg(unix)]
#[test]
fn backgrounds_come_from_allowed_folders_alone() {
    use std::os::unix::fs::symlink;

    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::create_dir_all(path("photos/inner")).unwrap();
    fs::write(path("photos/good.png"), photo(30, 20)).unwrap();
    fs::write(path("secret.png"), photo(40, 20)).unwrap();
    symlink(path("secret.png"), path("photos/link.png")).unwrap();
    symlink(home.path(), path("photos/up")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("photos/pipe.png")).status().unwrap().success());
    fs::write(path("kiln.toml"), "[masks]\nbackground_folders = [\"photos\"]\n").unwrap();
    let (good, secret) = (path("photos/good.png"), path("secret.png"));
    let server = Server::at(home, &[]);
    for allowed in ["good.png", "inner/../good.png", good.to_str().unwrap()] {
        assert_eq!(with_background(&server, allowed).ok(201).json()["width"], 30, "{allowed}");
    }
    for rejection in [
        "../secret.png",
        "link.png",
        "up/secret.png",
        "pipe.png",
        "inner",
        "/dev/zero",
        "/etc/passwd",
        secret.to_str().unwrap(),
        "missing.png",
    ] {
        with_background(&server, rejection).rejected(400, &["background: no such file below masks.background_folders"]);
    }
    // A form has it as a text.
    let body = form(&[("mask", &npy(1, 2, &[0.0, 1.0]))], &[("background", "good.png")]);
    assert_eq!(server.send("POST", "/masks", &[FORM], &body).ok(201).json()["width"], 30);
    // Several files are spooled while the background is read, and remain separate.
    let labels: [(&str, &[u8]); 2] = [("mask", b"0 0.5 0.5 1 1"), ("mask", b"1 0.25 0.5 0.5 1")];
    let body = form(&labels, &[("background", "good.png"), ("width", "4"), ("height", "2")]);
    let mask = server.send("POST", "/masks", &[FORM], &body).ok(201).json();
    let value = mask["urls"]["value"].as_str().unwrap();
    let counts =
        [0, 3].map(|column| server.get(&format!("{value}?row=0&column={column}")).ok(200).json()["value"].clone());
    assert_eq!(counts, [json!(2.0), json!(1.0)]);
}

#[test]
fn what_is_served_is_a_picture_whatever_was_uploaded() {
    let server = Server::start();
    let mut polyglot = photo(30, 20);
    polyglot.extend(b"<script>alert(1)</script>");
    let body = form(&[("mask", &npy(1, 2, &[0.0, 1.0])), ("background", &polyglot)], &[]);
    let mask = server.send("POST", "/masks", &[FORM], &body).ok(201).json();
    let served = server.get(mask["urls"]["background"].as_str().unwrap()).ok(200);
    assert_eq!(served.header("content-type"), Some("image/png"));
    assert!(!served.body.windows(8).any(|bytes| bytes == b"<script>"));
    for bytes in [
        &b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..],
        b"GIF89a\x01\0\x01\0",
        b"<script>alert(1)</script>",
        b"%PDF-1.7",
    ] {
        let body = form(&[("mask", &npy(1, 2, &[0.0, 1.0])), ("background", bytes)], &[]);
        server.send("POST", "/masks", &[FORM], &body).rejected(400, &["background: "]);
    }
}

/// A NumPy file with this header.
fn npy_with(header: &str) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend([0; 64]);
    bytes
}

/// A PNG that claims a size.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = photo(3, 3);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32fast::hash(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn files_that_lie_are_refused_and_take_no_memory() {
    let server = Server::start();
    let header =
        |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    for (descr, shape) in [
        ("'<f8'", "(100000, 100000)"),
        ("'<f8'", "(4294967296, 4294967296)"),
        ("'<f8'", "(18446744073709551615, 2)"),
        ("'<f8'", "(8000, 8000)"),
        ("'<f8'", "(0, 5)"),
        ("'<f8'", "(-1, 5)"),
        ("'<f8'", "(2, 2, 2, 2)"),
        ("'<f8'", "()"),
        ("'|O'", "(2, 2)"),
        ("[('a', '<f4')]", "(2, 2)"),
        ("'<U8'", "(2, 2)"),
        ("'<c8'", "(2, 2)"),
    ] {
        let reply = server.send("POST", "/masks", &[NPY], &npy_with(&header(descr, shape)));
        assert!([400, 413].contains(&reply.status), "{descr} {shape}: {reply:?}");
        reply.rejected(reply.status, &["mask"]);
    }
    for bytes in [
        &b"\x93NUMPY\x09\0"[..],
        b"\x93NUMPY\x01\0\xff\xff{",
        b"PK\x03\x04",
        b"II*\0\xff\xff\xff\xff",
        b"\x89PNG\r\n\x1a\n",
        b"{}",
        b"[[[[[[",
        b"[[1e999",
    ] {
        let reply = server.send("POST", "/masks", &[("content-type", "application/octet-stream")], bytes);
        assert!([400, 415].contains(&reply.status), "{bytes:?}: {reply:?}");
    }
    for (width, height) in [(60_000, 60_000), (u32::MAX >> 1, 1), (8000, 8000)] {
        let bomb = png_of(width, height);
        let reply = server.send("POST", "/masks", &[("content-type", "image/png")], &bomb);
        assert!([400, 413].contains(&reply.status), "{reply:?}");
        let body = form(&[("mask", &npy(1, 2, &[0.0, 1.0])), ("background", &bomb)], &[]);
        let reply = server.send("POST", "/masks", &[FORM], &body);
        assert!([400, 413].contains(&reply.status), "{reply:?}");
    }
    // A gigabyte of spaces in a megabyte.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let spaces = vec![b' '; 1 << 20];
    (0..1024).for_each(|_| gzip.write_all(&spaces).unwrap());
    let bomb = gzip.finish().unwrap();
    let start = Instant::now();
    let header = [("content-type", "application/json"), ("content-encoding", "gzip")];
    server.send("POST", "/masks", &header, &bomb).rejected(413, &["limits.mask_body: "]);
    assert!(start.elapsed() < Duration::from_secs(30));
    #[cfg(target_os = "linux")]
    assert!(peak_mb(&server) < 900, "{} MB", peak_mb(&server));
    // It still works.
    create(&server, "", &npy(1, 2, &[0.0, 1.0]));
}

#[test]
fn ids_and_names_lead_to_no_other_files() {
    let home = tempfile::tempdir().unwrap();
    let id = "0123456789abcdef0123456789abcdef";
    for folder in ["masks/notes", &format!("other/{id}"), "masks"] {
        fs::create_dir_all(home.path().join(folder)).unwrap();
        fs::write(home.path().join(folder).join("mask.json"), "{}").unwrap();
    }
    let server = Server::at(home, &[]);
    for name in [
        "notes",
        "..",
        ".",
        "%2e%2e",
        "..%2fmasks",
        &format!("..%2fother%2f{id}"),
        &id.to_uppercase(),
        &format!("{id}%00"),
        &format!("{id}.png.png"),
        "01234567-89ab-cdef-0123-456789abcdef",
    ] {
        let status = server.get(&format!("/masks/{name}")).status;
        assert!(status == 404, "{name}: {status}");
        assert_eq!(server.send("DELETE", &format!("/masks/{name}"), &[], b"").status, 404, "{name}");
    }
    assert!(server.folder().join("masks/notes/mask.json").exists());
    assert!(server.folder().join(format!("other/{id}/mask.json")).exists());
}
