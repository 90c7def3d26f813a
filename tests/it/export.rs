//! Exports of tiles: their contents as other software reads them, interruption and resumption.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::arrow::python;
use crate::geotiff::gdalinfo;
use crate::golden::Picture;
use crate::kiln::{Run, kiln};
use crate::server::Server;
use crate::store_failures::SmallDisk;

/// Points around 0° N 0° E, which is the corner of four tiles at every zoom, and two far away.
pub(crate) fn write_points(path: &Path) {
    let mut text = String::from("lon,lat,weight\n");
    for i in 0..600 {
        let at = |share: f64| (share.fract() - 0.5) * 9.0;
        let (lon, lat) = (at(f64::from(i) * 0.618_034), at(f64::from(i) * 0.414_214));
        writeln!(text, "{lon:.4},{lat:.4},{}", 1 + i % 7).unwrap();
    }
    text.push_str("179.99,-40,5\n-120,62,9\n");
    fs::write(path, text).unwrap();
}

/// A folder with a store, whose layer `spots` has these points.
pub(crate) fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_points(&home.path().join("points.csv"));
    let style = ["--style", "radius=6", "--style", "scheme=fire"];
    let import = ["import", "points.csv", "--layer", "spots", "--title", "Spots & more", "--attribution", "OSM"];
    kiln(home.path(), [&import[..], &style[..]].concat()).done();
    home
}

fn export(home: &Path, output: &str, more: &[&str]) -> Run {
    kiln(home, [&["export", "spots", "-o", output][..], more].concat())
}

/// Bounds around the corner of four blocks of tiles, so that there are several blocks with few tiles.
const CORNER_BOUNDS: [&str; 3] = ["--zoom", "0-6", "--bounds=-5,-5,5,5"];
/// The same bounds with a fixed span, which needs no sampling and is therefore fast.
const FIXED_SPAN: [&str; 7] = ["--zoom", "0-6", "--bounds=-5,-5,5,5", "--vmin", "0", "--vmax", "0.01"];

/// The tiles of a folder by zoom, column and row.
fn tiles(folder: &Path) -> BTreeMap<[u32; 3], Vec<u8>> {
    let mut found = BTreeMap::new();
    let numbers = |folder: &Path| -> Vec<(u32, PathBuf)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path))).collect()
    };
    for (z, folder) in numbers(folder) {
        for (x, folder) in numbers(&folder) {
            for (y, path) in numbers(&folder) {
                found.insert([z, x, y], fs::read(path).unwrap());
            }
        }
    }
    found
}

/// All files below a folder, with their bytes.
fn all_files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    if folder.is_file() {
        return BTreeMap::from([(folder.to_owned(), fs::read(folder).unwrap())]);
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| all_files(&path)).collect()
}

fn is_transparent(png: &[u8]) -> bool {
    let picture = Picture::decode(std::io::Cursor::new(png)).unwrap();
    picture.pixels.chunks(4).all(|pixel| pixel[3] == 0)
}

#[test]
fn exported_tiles_equal_those_of_the_server_and_only_empty_tiles_are_omitted() {
    let home = home();
    export(home.path(), "out/", &["--zoom", "0-3"]).done();
    export(home.path(), "near/", &CORNER_BOUNDS).done();
    // Files are exported without a store. (Their span is computed from another sample.)
    kiln(home.path(), ["export", "points.csv", "-o", "files/", "--zoom", "0-1", "--radius", "6", "--scheme", "fire"])
        .done();
    let [all, near, files] = ["out", "near", "files"].map(|name| tiles(&home.path().join(name)));
    let exported: Value = serde_json::from_slice(&fs::read(home.path().join("out/tiles.json")).unwrap()).unwrap();
    let server = Server::at(home, &[]);
    let served = |[z, x, y]: [u32; 3]| server.get(&format!("/spots/{z}/{x}/{y}.png")).ok(200).body;
    let mut omitted = 0;
    for z in 0..4u32 {
        for (x, y) in (0..1 << z).flat_map(|x| (0..1 << z).map(move |y| (x, y))) {
            let served = served([z, x, y]);
            if let Some(tile) = all.get(&[z, x, y]) {
                assert!(*tile == served, "{z}/{x}/{y}");
            } else {
                omitted += 1;
                assert!(is_transparent(&served), "{z}/{x}/{y}");
            }
        }
    }
    assert!(omitted > 40 && all.len() + omitted == 85, "{omitted}");
    for ([z, x, y], tile) in &near {
        let half = 1 << z >> 1;
        let reach = (half / 36).max(1) + 1;
        assert!(
            *z == 0 || (x.abs_diff(half) <= reach && y.abs_diff(half) <= reach),
            "{z}/{x}/{y} is outside of the bounds"
        );
        assert!(*tile == served([*z, *x, *y]), "{z}/{x}/{y}");
    }
    assert!(near.keys().filter(|[z, ..]| *z == 6).count() == 4, "{:?}", near.keys());
    let shallow = all.keys().filter(|[z, ..]| *z <= 1);
    assert!(files.len() == 5 && files.keys().eq(shallow), "{:?}", files.keys());
    assert!(files.values().all(|tile| !is_transparent(tile)));
    let tile_json: Value = server.get("/spots").ok(200).json();
    for member in ["tilejson", "name", "description", "scheme"] {
        assert_eq!(exported[member], tile_json[member], "{member}");
    }
    assert_eq!(
        (&exported["minzoom"], &exported["maxzoom"], &exported["attribution"]),
        (&json!(0), &json!(3), &json!("OSM"))
    );
}

/// Prints the header, the metadata and the hashes of all tiles.
const READ_PMTILES: &str = "
import json, hashlib
from pmtiles.reader import Reader, MmapSource, all_tiles
with open('out.pmtiles', 'rb') as file:
    source = MmapSource(file)
    reader = Reader(source)
    header = {k: getattr(v, 'value', v) for k, v in reader.header().items()}
    tiles = {'/'.join(map(str, at)): hashlib.sha256(tile).hexdigest() for at, tile in all_tiles(source)}
    one = hashlib.sha256(reader.get(3, 4, 3)).hexdigest()
    print(json.dumps({'header': header, 'metadata': reader.metadata(), 'tiles': tiles, 'one': one}))
";

const HASHES: &str = "
import json, hashlib, pathlib
print(json.dumps({'/'.join(path.with_suffix('').parts[-3:]): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in pathlib.Path('out').glob('*/*/*.png')}))
";

#[test]
fn pmtiles_are_read_by_the_reference_library() {
    let home = home();
    let home = home.path();
    export(home, "out/", &["--zoom", "0-4"]).done();
    export(home, "out.pmtiles", &["--zoom", "0-4"]).done();
    let read = python(home, READ_PMTILES);
    let expected = python(home, HASHES);
    assert_eq!(read["tiles"], expected);
    assert_eq!(read["one"], expected["3/4/3"]);
    let count = expected.as_object().unwrap().len();
    let header = &read["header"];
    for (member, value) in [
        ("addressed_tiles_count", json!(count)),
        ("min_zoom", json!(0)),
        ("max_zoom", json!(4)),
        ("tile_type", json!(2)),
        ("clustered", json!(true)),
    ] {
        assert_eq!(header[member], value, "{member}: {header}");
    }
    let metadata = &read["metadata"];
    assert_eq!((&metadata["name"], &metadata["attribution"]), (&json!("Spots & more"), &json!("OSM")));
    assert_eq!(metadata["description"], "602 points, weighted by weight");
}

#[test]
fn gdal_reads_mbtiles_with_the_right_bounds() {
    let home = home();
    let home = home.path();
    export(home, "out/", &CORNER_BOUNDS).done();
    export(home, "out.mbtiles", &CORNER_BOUNDS).done();
    let program = "
import json, hashlib, sqlite3
db = sqlite3.connect('out.mbtiles')
tiles = {f'{z}/{x}/{2**z - 1 - y}': hashlib.sha256(tile).hexdigest() for z, x, y, tile in db.execute('select * from tiles')}
check = db.execute('pragma integrity_check').fetchall()
print(json.dumps({'tiles': tiles, 'about': dict(db.execute('select * from metadata')), 'check': check}))
";
    let read = python(home, program);
    assert_eq!((&read["tiles"], &read["check"]), (&python(home, HASHES), &json!([["ok"]])));
    let metadata = &read["about"];
    assert_eq!((&metadata["bounds"], &metadata["format"]), (&json!("-5,-5,5,5"), &json!("png")), "{metadata}");
    assert_eq!((&metadata["minzoom"], &metadata["maxzoom"]), (&json!("0"), &json!("6")));
    let info = gdalinfo(&home.join("out.mbtiles"));
    assert_eq!(info["driverShortName"], "MBTiles");
    // 5° at the equator, in meters, within half a pixel of zoom 6.
    let expected = [-556_597.45, 557_305.26, 556_597.45, -557_305.26];
    let (upper, lower) = (&info["cornerCoordinates"]["upperLeft"], &info["cornerCoordinates"]["lowerRight"]);
    for (found, expected) in [&upper[0], &upper[1], &lower[0], &lower[1]].into_iter().zip(expected) {
        assert!((found.as_f64().unwrap() - expected).abs() < 2500.0, "{info}");
    }
}

/// Compares each overview of a COG with the tiles of that zoom.
const COMPARE_WITH_TILES: &str = "
import json, math, pathlib, rasterio, warnings
warnings.simplefilter('ignore', rasterio.errors.NotGeoreferencedWarning)
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate
valid, errors, warnings = cog_validate('out.tif', strict=True)
world = 2 * math.pi * 6378137
different, compared, levels = [], 0, []
with rasterio.open('out.tif') as full:
    overviews = full.overviews(1)
    transform, crs, size = full.transform, full.crs.to_epsg(), full.shape
last = 6
for level in range(len(overviews) + 1):
    zoom = last - level
    with rasterio.open('out.tif', **({} if level == 0 else {'overview_level': level - 1})) as picture:
        tile_width = world / 2 ** zoom
        column0 = round((transform.c + world / 2) / tile_width)
        row0 = round((world / 2 - transform.f) / tile_width)
        levels.append([zoom, picture.width, picture.height])
        for row in range(picture.height // 256):
            for column in range(picture.width // 256):
                pixels = picture.read(window=Window(column * 256, row * 256, 256, 256))
                path = pathlib.Path(f'out/{zoom}/{column0 + column}/{row0 + row}.png')
                if path.exists():
                    with rasterio.open(path) as tile:
                        index, colors = tile.read(1), tile.colormap(1)
                        expected = [[[colors[i][band] for i in line] for line in index] for band in range(4)]
                    same = (pixels == expected).all()
                    compared += 1
                else:
                    same = not pixels[3].any()
                if not same:
                    different.append(str(path))
print(json.dumps({'valid': valid, 'errors': errors, 'warnings': warnings, 'crs': crs, 'size': size,
                  'overviews': overviews, 'different': different, 'compared': compared, 'levels': levels}))
";

#[test]
fn a_cog_is_valid_and_each_overview_has_the_tiles_of_its_zoom() {
    let home = home();
    let home = home.path();
    let bounds = ["--zoom", "0-6", "--bounds=-11,-11,11,11"];
    export(home, "out/", &bounds).done();
    export(home, "out.tif", &bounds).done();
    let read = python(home, COMPARE_WITH_TILES);
    assert_eq!((&read["valid"], &read["errors"], &read["warnings"]), (&json!(true), &json!([]), &json!([])), "{read}");
    assert_eq!((&read["different"], &read["crs"]), (&json!([]), &json!(3857)), "{read}");
    // At zoom 5 the bounds cover two by two tiles.
    assert_eq!(read["levels"], json!([[6, 1024, 1024], [5, 512, 512]]), "{read}");
    assert!(read["compared"].as_u64().unwrap() >= 8, "{read}");
    // A single zoom is that of the full resolution, and without bounds the whole map is exported.
    export(home, "world.tif", &["--zoom", "3"]).done();
    let info = gdalinfo(&home.join("world.tif"));
    assert_eq!((&info["size"], &info["bands"][0]["overviews"][1]["size"]), (&json!([2048, 2048]), &json!([512, 512])));
}

#[test]
fn identical_tiles_are_stored_once() {
    let home = home();
    let home = home.path();
    let summary = export(home, "out.pmtiles", &["--zoom", "4", "--background", "navy"]).done();
    assert!(summary.contains("256 tiles, ") && summary.contains(" distinct"), "{summary}");
    let header = &python(home, READ_PMTILES.replace("reader.get(3, 4, 3)", "b''").as_str())["header"];
    let count = |member: &str| header[member].as_u64().unwrap();
    assert_eq!(count("addressed_tiles_count"), 256);
    assert!(count("tile_contents_count") < 30 && count("tile_entries_count") < 60, "{header}");
    export(home, "out/", &["--zoom", "4", "--background", "navy"]).done();
    export(home, "out.mbtiles", &["--zoom", "4", "--background", "navy"]).done();
    assert_eq!(tiles(&home.join("out")).len(), 256);
    let sizes = python(
        home,
        "
import json, sqlite3
db = sqlite3.connect('out.mbtiles')
print(json.dumps([db.execute(f'select count(*) from {table}').fetchone()[0] for table in ['tiles', 'images']]))
",
    );
    assert_eq!(sizes, json!([256, count("tile_contents_count")]));
}

/// The length of the journal's write-ahead log; `None` without one.
fn wal_bytes(home: &Path, output: &str) -> Option<u64> {
    Some(fs::metadata(home.join(format!(".{output}.part/journal.sqlite-wal"))).ok()?.len())
}

/// The numbers of finished blocks and of their tiles in the journal, read from a copy: `SQLite` changes the files that it opens.
fn finished(home: &Path, output: &str) -> [i64; 2] {
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        let _ = fs::copy(home.join(format!(".{output}.part/{name}")), copy.path().join(name));
    }
    let journal = rusqlite::Connection::open(copy.path().join("journal.sqlite")).unwrap();
    // Before its first commit the journal has no tables.
    ["SELECT count(*) FROM block", "SELECT count(*) FROM tile"]
        .map(|sql| journal.query_row(sql, [], |row| row.get(0)).unwrap_or(0))
}

#[test]
fn killed_exports_resume_and_write_the_same_bytes() {
    let home = home();
    let home = home.path();
    // The commit of a block takes about 2 KB of the log; a COG of bounds this small has the blocks of one zoom.
    for (output, step) in [("out.pmtiles", 6000), ("out.mbtiles", 6000), ("out", 6000), ("out.tif", 2000)] {
        export(home, output, &FIXED_SPAN).done();
        let expected = all_files(&home.join(output));
        let (mut kills, mut max_tiles) = (0, 0);
        // At least one kill per block, each at an arbitrary moment.
        for kill in 0..8u64 {
            let remove = |path: &Path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            remove(&home.join(output)).unwrap();
            let [mut blocks, mut tiles] = [0; 2];
            let mut is_written = false;
            for min_bytes in [kill * step, kill * step + 1] {
                let mut child = Command::new(env!("CARGO_BIN_EXE_kiln"))
                    .args([&["export", "spots", "-q", "-o", output][..], &FIXED_SPAN].concat())
                    .current_dir(home)
                    .env_remove("KILN_STORE")
                    .stdin(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                let is_moment = || wal_bytes(home, output).is_some_and(|bytes| bytes >= min_bytes);
                while child.try_wait().unwrap().is_none() && !is_moment() {
                    std::thread::yield_now();
                }
                child.kill().unwrap();
                kills += usize::from(child.wait().unwrap().code().is_none());
                let blocks_before = blocks;
                [blocks, tiles] = finished(home, output);
                max_tiles = max_tiles.max(tiles);
                // Once the output is written, the journal is removed.
                is_written = home.join(output).exists();
                assert!(blocks >= blocks_before || is_written, "{output}: blocks are lost, killed at {kill}");
            }
            let summary = export(home, output, &FIXED_SPAN).done();
            let resumed = format!("; {tiles} resumed from an interrupted export");
            assert!(summary.contains(&resumed) == (tiles > 0) || is_written, "{output}: {tiles} tiles: {summary}");
            assert!(all_files(&home.join(output)) == expected, "{output}: killed at {kill}");
            assert!(!home.join(format!(".{output}.part")).exists(), "{output}: temporary files are left");
        }
        assert!(kills > 4 && max_tiles > 0, "{output}: only {kills} were killed, after {max_tiles} tiles");
        println!("{output}: {kills} killed, after {max_tiles} tiles at most");
    }
}

#[test]
fn an_unfinished_export_of_an_older_version_is_restarted() {
    let home = home();
    let home = home.path();
    export(home, "whole.pmtiles", &FIXED_SPAN).done();
    let part = home.join(".out.pmtiles.part");
    fs::create_dir_all(part.join("out/0")).unwrap();
    for (name, bytes) in [("lock", ""), ("key", "0.1.0 PmTiles spots"), ("blocks", "block")] {
        fs::write(part.join(name), bytes).unwrap();
    }
    fs::write(part.join("tiles"), vec![7; 40_000]).unwrap();
    let summary = export(home, "out.pmtiles", &FIXED_SPAN).done();
    assert!(!summary.contains("resumed"), "{summary}");
    assert!(!part.exists());
    let read = |name: &str| fs::read(home.join(name)).unwrap();
    assert!(read("out.pmtiles") == read("whole.pmtiles"));
}

#[test]
fn an_unfinished_export_of_another_style_or_version_is_not_resumed() {
    let home = home();
    let home = home.path();
    export(home, "other.pmtiles", &["--zoom", "0-2", "--scheme", "viridis"]).done();
    // Leaves an unfinished export behind: the limit of the file size makes it fail at its end.
    let leave_unfinished = |more: &[&str]| {
        let script = "trap '' XFSZ; ulimit -f 40; exec \"$KILN\" export spots -o out.pmtiles \"$@\"";
        let run = Command::new("sh")
            .args([&["-c", script, "sh"][..], more].concat())
            .env("KILN", env!("CARGO_BIN_EXE_kiln"))
            .current_dir(home)
            .output();
        assert!(!run.unwrap().status.success());
        assert!(finished(home, "out.pmtiles")[1] > 0);
    };
    leave_unfinished(&["--zoom", "0-2"]);
    let summary = export(home, "out.pmtiles", &["--zoom", "0-2", "--scheme", "viridis"]).done();
    assert!(!summary.contains("resumed"), "{summary}");
    let read = |name: &str| fs::read(home.join(name)).unwrap();
    assert!(read("out.pmtiles") == read("other.pmtiles"));
    // Changed points prevent resumption, too.
    leave_unfinished(&["--zoom", "0-2", "--scheme", "viridis"]);
    kiln(home, ["import", "points.csv", "--layer", "spots", "--append"]).done();
    let summary = export(home, "out.pmtiles", &["--zoom", "0-2", "--scheme", "viridis"]).done();
    assert!(!summary.contains("resumed"), "{summary}");
}

#[test]
fn a_full_disk_is_reported_keeps_the_old_file_and_the_export_can_be_resumed() {
    let home = home();
    let home = home.path();
    let Some(_disk) = SmallDisk::mount(&home.join("disk"), 1024) else {
        println!("no file system can be mounted here");
        return;
    };
    export(home, "whole.pmtiles", &FIXED_SPAN).done();
    let expected = fs::read(home.join("whole.pmtiles")).unwrap();
    fs::write(home.join("disk/out.pmtiles"), "old").unwrap();
    fs::write(home.join("disk/filler"), vec![1; 1024 * 1024 - expected.len() / 2 - 40_000]).unwrap();
    let quiet_export = |output: &str| export(home, output, &[&FIXED_SPAN[..], &["-q"]].concat());
    let export = |output: &str| export(home, output, &FIXED_SPAN);
    quiet_export("disk/out.pmtiles").failed(1, &["disk/.out.pmtiles.part/", "cannot write: No space left on device"]);
    assert_eq!(fs::read(home.join("disk/out.pmtiles")).unwrap(), b"old");
    fs::remove_file(home.join("disk/filler")).unwrap();
    let summary = export("disk/out.pmtiles").done();
    assert!(summary.contains("resumed"), "{summary}");
    assert!(fs::read(home.join("disk/out.pmtiles")).unwrap() == expected);
    fs::remove_file(home.join("disk/out.pmtiles")).unwrap();
    for output in ["disk/out.mbtiles", "disk/out", "disk/out.tif"] {
        fs::write(home.join("disk/filler"), vec![1; 1024 * 1024 - 36_000]).unwrap();
        quiet_export(output).failed(1, &["disk/", "cannot write: "]);
        assert!(!home.join(output).exists());
        fs::remove_file(home.join("disk/filler")).unwrap();
        export(output).done();
        let path = home.join(output);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    // An export of bins starts over: only the old file is left.
    fs::write(home.join("disk/out.parquet"), "old").unwrap();
    let names = || {
        let names = fs::read_dir(home.join("disk")).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    fs::write(home.join("disk/filler"), vec![1; 1024 * 1024 - 16_000]).unwrap();
    let export_bins = || kiln(home, ["export", "spots", "--zoom", "0-20", "--bins", "disk/out.parquet"]);
    export_bins().failed(1, &["disk/out.parquet: cannot write: No space left on device"]);
    assert_eq!(fs::read(home.join("disk/out.parquet")).unwrap(), b"old");
    fs::remove_file(home.join("disk/filler")).unwrap();
    assert_eq!(names(), before);
    export_bins().done();
}

#[test]
fn invalid_exports_are_rejected_in_one_line() {
    let home = home();
    let home = home.path();
    export(home, "out.gpkg", &["--zoom", "1"]).failed(2, &["--output", ".gpkg", ".pmtiles"]);
    export(home, "out.pmtiles", &["--zoom", "9-3"]).failed(2, &["zoom"]);
    export(home, "out.pmtiles", &["--zoom", "3", "--weight", "w"]).failed(2, &["--weight", "`spots` is a layer"]);
    export(home, "out.pmtiles", &["--zoom", "0-20", "--radius", "500km"]).failed(2, &["--radius"]);
    export(home, "none/out.pmtiles", &["--zoom", "1", "-q"]).failed(1, &["none/out.pmtiles", "cannot write"]);
    kiln(home, ["export", "sports", "-o", "a.pmtiles", "--zoom", "1"]).failed(1, &["no layer `sports`", "spots"]);
    kiln(home, ["export", "none.csv", "-o", "a.pmtiles", "--zoom", "1"]).failed(1, &["none.csv"]);
    fs::create_dir(home.join("mine")).unwrap();
    fs::write(home.join("mine/photo.png"), "x").unwrap();
    export(home, "mine", &["--zoom", "1"]).failed(2, &["--output", "mine", "not from an earlier export"]);
    export(home, "mine.pmtiles", &["--zoom", "1"]).done();
    // An earlier export is replaced, unless other files were added to its folder.
    export(home, "ours", &["--zoom", "0-2"]).done();
    fs::write(home.join("ours/index.html"), "mine").unwrap();
    export(home, "ours", &["--zoom", "1"]).failed(2, &["--output", "not from an earlier export"]);
    fs::remove_file(home.join("ours/index.html")).unwrap();
    export(home, "ours", &["--zoom", "1"]).done();
    assert_eq!(tiles(&home.join("ours")).keys().map(|[z, ..]| *z).max(), Some(1));
    let names: Vec<String> =
        fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains(".part")), "{names:?}");
}

#[test]
fn the_number_of_tiles_is_printed_first_and_many_require_a_confirmation() {
    let home = home();
    let home = home.path();
    let bound = |summary: &str| -> u64 {
        let first = summary.lines().next().unwrap();
        let count = first.split("at most ").nth(1).unwrap_or_else(|| panic!("{summary}"));
        count.split(' ').next().unwrap().replace(',', "").parse().unwrap()
    };
    for (output, zoom) in [("a.pmtiles", "0-6"), ("a.mbtiles", "3-7"), ("a/", "4"), ("a.tif", "5")] {
        let summary = export(home, output, &["--zoom", zoom]).done();
        let tiles: u64 = {
            let line = summary.lines().nth(1).unwrap();
            let count = line.split(": ").nth(1).unwrap().split(' ').next().unwrap();
            count.replace(',', "").parse().unwrap()
        };
        let bound = bound(&summary);
        assert!(bound >= tiles && tiles > 0, "{summary}");
        // Close to the number of tiles, where the blocks are probed.
        assert!(bound <= 20 * tiles, "{summary}");
    }
    // A background has tiles everywhere.
    let many = ["--zoom", "0-22", "--background", "navy"];
    let words =
        ["--yes: required without a terminal", "zoom 0-22 of spots has up to ", "limits.export_tiles, 1,000,000"];
    export(home, "many.pmtiles", &many).failed(2, &words);
    fs::write(home.join("kiln.toml"), "[limits]\nexport_tiles = 5\n").unwrap();
    export(home, "few.pmtiles", &["--zoom", "0-4"]).failed(2, &["--yes", "tiles, more than limits.export_tiles, 5"]);
    assert!(!home.join("few.pmtiles").exists() && !home.join("many.pmtiles").exists());
    export(home, "few.pmtiles", &["--zoom", "0-4", "--yes"]).done();
    assert!(home.join("few.pmtiles").exists());
}
