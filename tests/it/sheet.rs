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
    render("print.png", &["--background", "black", "--print", "--no-outlines"]).done();
    render(
        "full.png",
        &["--background", "black", "--no-outlines", "--title", "Cities", "--attribution", "GeoNames, CC BY"],
    )
    .done();
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

#[test]
fn a_sheet_has_land_below_the_heat_and_coasts_above_it() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("one.csv"), "lon,lat\n2.35,48.85\n").unwrap();
    let render = |output: &str, more: &[&str]| {
        let view = ["--bounds=-12,35,32,60", "--size", "400", "--print"];
        kiln(home, [&["render", "one.csv", "-o", output][..], &view, more].concat()).done();
        Picture::decode(Cursor::new(fs::read(home.join(output)).unwrap())).unwrap()
    };
    let (with, without) = (render("with.png", &[]), render("without.png", &["--no-outlines"]));
    // The attribution of the outlines is a line below the legend.
    assert!(with.width == without.width && with.height > without.height);
    let at = |picture: &Picture, x: usize, y: usize| picture.pixels[4 * (y * picture.width + x)..][..3].to_vec();
    // The Atlantic and Spain, far from the point.
    let [sea, land] = [at(&with, 26, 266), at(&with, 16 + 70, 16 + 290)];
    assert!(sea != land && sea != [255; 3] && land != [255; 3], "{sea:?} {land:?}");
    assert_eq!(at(&without, 26, 266), [255; 3]);
    let dark = |picture: &Picture| {
        let picture_rows = &picture.pixels[4 * picture.width * 20..4 * picture.width * 340];
        picture_rows.chunks(4).filter(|pixel| pixel[..3].iter().all(|part| *part < 170)).count()
    };
    assert!(dark(&with) > 500 && dark(&without) < 100, "{} {}", dark(&with), dark(&without));
    // On a plane there is no land.
    kiln(home, ["render", "one.csv", "-o", "plane.png", "--crs", "plane", "--size", "100", "--print"]).done();
}
