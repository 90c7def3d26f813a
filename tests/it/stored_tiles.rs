//! Pictures of a stored layer, compared with pictures of its points.

use std::path::Path;

use crate::golden::Picture;
use crate::kiln::kiln;
use crate::server::Server;

/// A palette of 256 grays, in which differences are counted in palette entries.
const GRAY: &str = "gradient=black,white&background=%23000000&opacity=1&transparent_low=0";

/// A server with the bundled cities as a stored layer.
fn stored_cities() -> Server {
    let home = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cities.parquet");
    let style = ["--style", "curve=sqrt", "--style", "radius=12"];
    let import = ["import", data.to_str().unwrap(), "--layer", "cities", "--weight", "population"];
    kiln(home.path(), [&import[..], &style[..]].concat()).done();
    Server::at(home, &[])
}

fn picture(server: &Server, path: &str) -> Picture {
    Picture::decode(std::io::Cursor::new(&server.get(path).ok(200).body)).unwrap()
}

/// Asserts that at most 1 % of the pixels differ by more than two palette entries. Those are dots at pixel edges:
/// pictures of files round positions to 1/256 of a pixel, so that a point may be in the adjacent pixel.
fn assert_close(path: &str, one: &Picture, other: &Picture) {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let visible = one.pixels.chunks(4).filter(|pixel| pixel[0] > 0).count();
    assert!(visible > 100, "{path} shows hardly anything: {visible} pixels");
    let differences = one.pixels.chunks(4).zip(other.pixels.chunks(4)).map(|(one, other)| one[0].abs_diff(other[0]));
    let differences: Vec<u8> = differences.collect();
    let [differing, far] =
        [0, 2].map(|max_difference| differences.iter().filter(|difference| **difference > max_difference).count());
    println!(
        "{path}: {differing} pixels off, {far} of them by more than 2 steps, at most {:?}",
        differences.iter().max()
    );
    assert!(far * 100 <= differences.len(), "{path}: {far} pixels are off by more than 2 steps");
}

#[test]
fn tiles_of_a_store_match_those_of_its_points() {
    let (stored, exact) = (stored_cities(), Server::start());
    for tile in ["0/0/0", "3/4/2", "5/16/10", "6/34/21", "10/529/354"] {
        for style in [
            ".png?radius=8&vmin=0&vmax=200",
            ".png?radius=20&agg=count&vmin=0&vmax=0.2",
            "@2x.png?radius=9&curve=linear&vmin=0&vmax=200",
            ".png?radius=9&agg=max&vmin=0&vmax=1000000",
        ] {
            let path = format!("/cities/{tile}{style}&{GRAY}");
            assert_close(&path, &picture(&stored, &path), &picture(&exact, &path));
        }
    }
}

#[test]
fn pictures_of_any_bounds_of_a_store_match_those_of_its_points() {
    let (stored, exact) = (stored_cities(), Server::start());
    for bounds in ["-11.3,35.1,31.7,60.2", "-170,-60,175,75", "170,-48,190,-30"] {
        for style in ["radius=8", "radius=20", "radius=12&projection=platecarree"] {
            let path = format!("/cities/bbox/{bounds}/400x300.png?vmin=0&vmax=100&{style}&{GRAY}");
            assert_close(&path, &picture(&stored, &path), &picture(&exact, &path));
        }
    }
}

#[test]
fn adjacent_tiles_of_a_store_have_no_seam() {
    let server = stored_cities();
    for (z, x, y) in [(0, 0, 0), (3, 4, 2), (3, 0, 3), (7, 66, 43)] {
        for style in ["radius=20&vmin=0&vmax=200", "radius=9&agg=mean"] {
            // A tile of 512 px has the pixel size of the tiles one zoom deeper, and therefore the same colors.
            let large = picture(&server, &format!("/cities/{z}/{x}/{y}.png?size=512&{style}&{GRAY}"));
            for (column, row) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let path = format!("/cities/{}/{}/{}.png?{style}&{GRAY}", z + 1, 2 * x + column, 2 * y + row);
                let tile = picture(&server, &path);
                for line in 0..256 {
                    let start = 4 * ((row * 256 + line) * 512 + column * 256);
                    let expected = &large.pixels[start..start + 4 * 256];
                    assert!(tile.pixels[4 * 256 * line..][..4 * 256] == *expected, "{path}: row {line}");
                }
            }
        }
    }
}
