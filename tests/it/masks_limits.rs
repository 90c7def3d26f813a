//! Uploads of masks that take much, wait long or are abandoned.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::masks_http::{create, form, metric, npy, photo};
use crate::server::{Server, eventually};

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");
const NPY: (&str, &str) = ("content-type", "application/x-npy");
const NPZ: (&str, &str) = ("content-type", "application/x-npz");
const PNG: (&str, &str) = ("content-type", "image/png");

/// A zip archive with one deflated member.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(content).unwrap();
    let packed = deflate.finish().unwrap();
    // Version, UTF-8 names, deflate, time and date; then checksum, sizes, and lengths of the name and of what else there is.
    let mut entry = [20u16, 0x800, 8, 0, 0x21].map(u16::to_le_bytes).concat();
    entry.extend([crc32fast::hash(content), packed.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat());
    entry.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
    let mut bytes = [b"PK\x03\x04", &entry[..], name.as_bytes(), &packed].concat();
    let directory = bytes.len() as u32;
    bytes.extend([b"PK\x01\x02\x14\x00", &entry[..], &[0; 14], name.as_bytes()].concat());
    let size = bytes.len() as u32 - directory;
    bytes.extend(
        [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &size.to_le_bytes()[..], &directory.to_le_bytes(), &[0; 2]].concat(),
    );
    bytes
}

/// The size of the files of all masks.
fn stored_bytes(server: &Server) -> u64 {
    let Ok(masks) = fs::read_dir(server.folder().join("masks")) else { return 0 };
    let files = masks.flat_map(|mask| fs::read_dir(mask.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// A mask whose body exceeds a megabyte.
fn large() -> Vec<u8> {
    npy(600, 600, &vec![0.5; 360_000])
}

#[test]
fn a_mask_whose_client_has_gone_is_not_stored() {
    let server = Server::with(&[], "[server]\ntimeout = \"1s\"\n");
    // 64 MB of values in some 300 kB: the body arrives at once, and the array takes longer to decode and blur than the timeout.
    let mut values = vec![0.0; 16_000_000];
    values[7] = 1.0;
    let body = zip("a.npy", &npy(4000, 4000, &values));
    assert!(body.len() < 1 << 20);
    server.send("POST", "/masks", &[NPZ], &body).rejected(503, &["server.timeout"]);
    // The work that was begun ends.
    eventually("the work ends", || metric(&server, "kiln_render_working ") == 0);
    assert_eq!((stored_bytes(&server), metric(&server, "kiln_masks ")), (0, 0));
}

#[test]
fn slow_clients_and_slow_downloads_do_not_delay_other_uploads() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/", silent.local_addr().unwrap().port());
    let server = Server::with(&[], &format!("[masks]\nbackground_urls = [\"{url}\"]\n"));
    let begin = |content_type: &str, body: &[u8], missing: usize| -> TcpStream {
        let mut stream = server.connect();
        let length = body.len() + missing;
        let head = format!(
            "POST /masks HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    };
    let _stalled: Vec<TcpStream> = (0..3).map(|_| begin(NPY.1, &large(), 1000)).collect();
    let downloading = form(&[("mask", &large())], &[("background", &format!("{url}a.png"))]);
    let _waiting: Vec<TcpStream> = (0..3).map(|_| begin(FORM.1, &downloading, 0)).collect();
    let _requests: Vec<_> = (0..3).map(|_| silent.accept().unwrap()).collect();
    let start = Instant::now();
    create(&server, "", &large());
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    // What waits has no name in the folder.
    assert_eq!(fs::read_dir(server.folder().join("masks")).unwrap().count(), 1);
}

#[test]
fn replaced_values_and_backgrounds_count_for_the_size_of_the_folder() {
    let server = Server::with(&[], "[masks]\nmax_size = \"1MB\"\n");
    let urls: Vec<String> = (0..3)
        .map(|_| create(&server, "", &npy(2, 2, &[0.0, 1.0, 2.0, 3.0]))["urls"]["mask"].as_str().unwrap().to_owned())
        .collect();
    let put = |mask: usize, part: &str, header, body: &[u8]| {
        server.send("PUT", &format!("{}/{part}", urls[mask]), &[header], body)
    };
    let is_counted = || assert_eq!(metric(&server, "kiln_masks_bytes "), stored_bytes(&server));
    is_counted();
    let values = npy(300, 300, &vec![0.5; 90_000]);
    // Bytes after the end of a PNG are ignored.
    let image = |bytes: usize| [photo(30, 20), vec![0; bytes]].concat();
    put(0, "mask", NPY, &values).ok(200);
    put(0, "mask", NPY, &values).ok(200);
    is_counted();
    put(1, "background", PNG, &image(400_000)).ok(200);
    is_counted();
    // All masks are too young to be evicted.
    put(2, "mask", NPY, &values).rejected(503, &["masks.max_size"]);
    put(2, "background", PNG, &image(400_000)).rejected(503, &["masks.max_size"]);
    put(2, "mask", NPY, &large()).rejected(413, &["masks.max_size: "]);
    put(2, "background", PNG, &image(1_000_001)).rejected(413, &["masks.max_size: "]);
    is_counted();
    assert!(stored_bytes(&server) < 1_000_000);
    put(1, "background", PNG, &image(0)).ok(200);
    put(2, "mask", NPY, &values).ok(200);
    is_counted();
    server.send("DELETE", &urls[2], &[], b"").ok(204);
    is_counted();
}

#[test]
fn names_of_archive_members_are_escaped_and_shortened_in_messages() {
    let server = Server::start();
    let name = format!("\u{1b}[31m\u{202e}\n{}.npy", "x".repeat(5000));
    for (query, content) in [("", &b"\x93NUMPY\x09\0"[..]), ("?member=other", b"")] {
        let reply = server.send("POST", &format!("/masks{query}"), &[NPZ], &zip(&name, content));
        reply.rejected(400, &["\\u{1b}[31m\\u{202e}\\n", "x…"]);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.len() < 400 && !detail.contains(['\u{1b}', '\u{202e}', '\n']), "{detail:?}");
    }
    assert!(!server.log().contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn a_mask_whose_record_is_damaged_can_be_deleted() {
    let server = Server::start();
    let mask = create(&server, "", &npy(1, 2, &[0.0, 1.0]));
    let (url, id) = (mask["urls"]["mask"].as_str().unwrap(), mask["id"].as_str().unwrap());
    let folder = server.folder().join("masks").join(id);
    fs::write(folder.join("mask.json"), json!({"created_s": "soon"}).to_string()).unwrap();
    assert_eq!(server.get(url).status, 500);
    server.send("DELETE", url, &[], b"").ok(204);
    eventually("the files are gone", || !folder.exists());
    assert_eq!(server.send("DELETE", url, &[], b"").status, 404);
}
