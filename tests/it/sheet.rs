//! The title, legend and attribution around a picture, and its KML and world files.

use std::fs;
use std::io::Cursor;

use crate::geotiff::gdalinfo;
use crate::golden::Picture;
use crate::kiln::{data, kiln};

const EUROPE: [&str; 6] = ["--weight", "population", "--bounds=-11,35,32,60", "--size", "400", "-q"];

#[test]
fn a_sheet_contains_the_unchanged_picture() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cities = data("cities.parquet");
    let render = |output: &str, more: &[&str]| {
        kiln(home, [&["render", cities.to_str().unwrap(), "-o", output][..], &EUROPE, more].concat())
    };
    let read_picture = |name: &str| Picture::decode(Cursor::new(fs::read(home.join(name)).unwrap())).unwrap();
    render("bare.png", &["--background", "black"]).done();
    render("print.png", &["--background", "black", "--print"]).done();
    render("full.png", &["--background", "black", "--title", "Cities", "--attribution", "GeoNames, CC BY"]).done();
    let (bare, print, full) = (read_picture("bare.png"), read_picture("print.png"), read_picture("full.png"));
    assert_eq!((bare.width, print.width, full.width), (400, 432, 432));
    assert!(bare.height < print.height && print.height < full.height);
    // The sheet contains the picture unchanged, and its corner is white.
    let row = |picture: &Picture, x: usize, y: usize| picture.pixels[4 * (y * picture.width + x)..][..1600].to_vec();
    for line in [0, 100, bare.height - 1] {
        assert!(row(&bare, 0, line) == row(&print, 16, 16 + line), "row {line}");
    }
    for sheet in [&print, &full] {
        assert_eq!(sheet.pixels[..4], [255; 4]);
        assert!(sheet.pixels.chunks(4).all(|pixel| pixel[3] == 255));
    }
    render("no.tif", &["--print"]).failed(2, &["--print", "GeoTIFF"]);
    render("no.png", &["--print", "--world-file"]).failed(2, &["--world-file", "sheet"]);
}

#[test]
fn kml_and_world_files_have_the_bounds_of_the_picture() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cities = data("cities.parquet");
    let render = |output: &str, more: &[&str]| {
        kiln(home, [&["render", cities.to_str().unwrap(), "-o", output][..], &EUROPE, more].concat())
    };
    render("flat.png", &["--projection", "platecarree", "--kml", "--world-file"]).done();
    let info = gdalinfo(&home.join("flat.png"));
    let transform: Vec<f64> = info["geoTransform"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
    assert!((transform[0] + 11.0).abs() < 1e-9 && (transform[3] - 60.0).abs() < 1e-9, "{info}");
    assert!((transform[1] - 43.0 / 400.0).abs() < 1e-9, "{info}");
    let kml = fs::read_to_string(home.join("flat.kml")).unwrap();
    assert!(kml.contains("<href>flat.png</href>") && kml.contains("<west>-11</west>"), "{kml}");
    render("merc.png", &["--kml"]).failed(2, &["--kml", "platecarree"]);
    kiln(home, ["render", cities.to_str().unwrap(), "-o", "-", "--world-file"])
        .failed(2, &["--world-file", "standard output"]);
    assert!(!home.join("merc.png").exists());
}
