//! The programs in `examples/`, compiled and run.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::golden::{Picture, assert_same};
use super::server::{Server, receive};

/// Builds the examples, and returns the folder of the binaries.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // `cargo test --all-targets` builds examples as test binaries, not as programs. With `--workspace`, the crates have
        // the features of `cargo test --workspace`, so that they are not compiled again.
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--examples", "--manifest-path"]).arg(manifest("Cargo.toml"));
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the examples do not compile");
        // target/debug/deps/it-… -> target/debug/examples
        std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples")
    })
}

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs an example with `output` as its argument, and returns what it printed.
fn run(name: &str, output: &Path) -> String {
    let result = Command::new(folder().join(name)).arg(output).output().unwrap();
    assert!(result.status.success(), "{name}: {}", String::from_utf8_lossy(&result.stderr));
    String::from_utf8(result.stdout).unwrap()
}

/// Asserts the size of a picture, and that it has visible pixels of several colors, but also transparent ones.
fn check(path: &Path, size: (usize, usize)) {
    let picture = Picture::read(path).unwrap();
    assert_eq!((picture.width, picture.height), size, "{}", path.display());
    let pixels = picture.pixels.as_chunks::<4>().0;
    let visible = pixels.iter().filter(|pixel| pixel[3] > 0).count();
    let colors: HashSet<_> = pixels.iter().collect();
    assert!(visible * 500 > pixels.len() && visible < pixels.len(), "{visible} of {} pixels visible", pixels.len());
    assert!(colors.len() > 2, "{} colors in {}", colors.len(), path.display());
}

#[test]
fn five_lines_render_points_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heat.png");
    assert_eq!(run("five_lines", &path), "drew 3 points, 0 outside\n");
    check(&path, (512, 504));
}

#[test]
fn a_custom_source_is_rendered_and_its_invalid_record_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heat.png");
    let printed = run("own_source", &path);
    assert!(printed.starts_with("read 100000, drew 99999, rejected 1\n"), "{printed}");
    assert!(printed.contains("record 70001: "), "{printed}");
    check(&path, (581, 600));
}

#[test]
fn custom_schemes_color_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    run("own_scheme", folder.path());
    for name in ["lagoon", "lava", "stripes"] {
        check(&folder.path().join(name).with_extension("png"), (400, 400));
    }
    let stripes = Picture::read(&folder.path().join("stripes.png")).unwrap();
    let opaque = stripes.pixels.as_chunks::<4>().0.iter().filter(|pixel| pixel[3] > 0);
    let colors: HashSet<_> = opaque.collect();
    assert_eq!(colors, HashSet::from([&[33, 52, 88, 255], &[244, 186, 64, 255]]));
}

#[test]
fn an_animation_has_a_different_frame_per_day() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earthquakes.png");
    let printed = run("animate", &path);
    let mut reader = png::Decoder::new(BufReader::new(std::fs::File::open(&path).unwrap())).read_info().unwrap();
    let frames = reader.info().animation_control().unwrap().num_frames;
    assert!((7..=9).contains(&frames), "{frames}");
    assert!(printed.starts_with(&format!("{frames} frames of 640x")), "{printed}");
    let mut sizes = HashSet::new();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    for _ in 0..frames {
        reader.next_frame(&mut bytes).unwrap();
        let control = reader.info().frame_control().unwrap();
        sizes.insert((control.x_offset, control.y_offset, control.width, control.height));
    }
    assert!(sizes.len() > 2, "the frames change nothing: {sizes:?}");
}

/// A running server, killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn tiles_of_an_axum_application_equal_those_of_the_server() {
    let mut app = Command::new(folder().join("axum_app"));
    let mut app = Running(app.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap());
    let mut url = String::new();
    BufReader::new(app.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let address = url.trim().trim_start_matches("http://").trim_end_matches('/');
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        receive(&mut stream)
    };
    assert!(String::from_utf8(get("/").body).unwrap().contains("/heat/{z}/{x}/{y}"));
    assert_eq!(get("/heat/1/2/0").status, 404);

    let server = Server::with(&[manifest("data/cities.parquet").to_str().unwrap()], "");
    let style = "scheme=fire&radius=12&curve=sqrt&transparent_low=0.2&agg=sum";
    for tile in ["0/0/0", "3/4/2", "6/34/20"] {
        let own = get(&format!("/heat/{tile}"));
        assert_eq!(own.status, 200, "{tile}");
        let own = Picture::decode(std::io::Cursor::new(own.body)).unwrap();
        assert!(own.pixels.as_chunks::<4>().0.iter().any(|pixel| pixel[3] > 0), "{tile} is empty");
        let served = server.get(&format!("/cities/{tile}.png?{style}"));
        assert_eq!(served.status, 200, "{tile}");
        assert_same("examples/axum_app", &Picture::decode(std::io::Cursor::new(served.body)).unwrap(), &own);
    }
}

#[test]
fn the_library_without_features_depends_on_no_server_database_or_file_format() {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--no-default-features", "--edges", "normal,build", "--prefix", "none"]);
    let tree = tree.args(["--format", "{p}", "--manifest-path"]).arg(manifest("Cargo.toml")).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crates: HashSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("kiln-core"), "{crates:?}");
    for heavy in ["arrow-array", "axum", "clap", "libsqlite3-sys", "parquet", "rustls", "tokio", "tokio-postgres"] {
        assert!(!crates.contains(heavy), "{heavy} is a dependency of the library alone");
    }
    assert!(crates.len() <= 60, "{} crates: {crates:?}", crates.len());
}
