//! A stored layer is drawn as the points that it was made of.

use std::path::Path;

use crate::golden::Picture;
use crate::kiln::kiln;
use crate::server::Server;

/// 256 steps of gray, so that steps of the palette can be counted.
const GRAY: &str = "gradient=black,white&background=%23000000&opacity=1&transparent_low=0";

/// The bundled cities, from a store.
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

/// The most steps of the palette that a pixel is off, and how many pixels are.
fn steps(one: &Picture, other: &Picture) -> (u8, usize) {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let shown = one.pixels.chunks(4).filter(|pixel| pixel[0] > 0).count();
    assert!(shown > 100, "there is hardly anything to see: {shown} pixels");
    let pixels = one.pixels.chunks(4).zip(other.pixels.chunks(4));
    pixels
        .map(|(one, other)| one[0].abs_diff(other[0]))
        .fold((0, 0), |(most, count), off| (most.max(off), count + usize::from(off > 0)))
}

#[test]
fn tiles_of_a_store_are_those_of_its_points() {
    let (stored, exact) = (stored_cities(), Server::start());
    for tile in ["0/0/0", "3/4/2", "5/16/10", "6/34/21", "10/529/354"] {
        for style in
            [".png?radius=8", ".png?radius=20&agg=count", "@2x.png?radius=9&curve=linear", ".png?radius=9&agg=max"]
        {
            let path = format!("/cities/{tile}{style}&{GRAY}");
            let (most, count) = steps(&picture(&stored, &path), &picture(&exact, &path));
            println!("{tile}{style}: at most {most} steps off, {count} pixels");
            assert!(most <= 2, "{path}: {most} steps");
        }
    }
}

#[test]
fn any_ground_of_a_store_is_drawn_as_its_points_are() {
    let (stored, exact) = (stored_cities(), Server::start());
    for bounds in ["-11.3,35.1,31.7,60.2", "-170,-60,175,75", "170,-48,190,-30"] {
        for style in ["radius=8", "radius=20", "radius=12&projection=platecarree"] {
            let path = format!("/cities/bbox/{bounds}/400x300.png?vmin=0&vmax=100&{style}&{GRAY}");
            let (most, count) = steps(&picture(&stored, &path), &picture(&exact, &path));
            println!("{bounds} {style}: at most {most} steps off, {count} pixels");
            assert!(most <= 2, "{path}: {most} steps");
        }
    }
}

#[test]
fn tiles_of_a_store_meet_without_a_seam() {
    let server = stored_cities();
    for (z, x, y) in [(0, 0, 0), (3, 4, 2), (3, 0, 3), (7, 66, 43)] {
        for style in ["radius=20", "radius=9&agg=mean"] {
            // The same colors: one zoom further in, a tile of half the size has pixels as large.
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
