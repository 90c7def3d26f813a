//! GeoTIFF files, read back by GDAL.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use kiln::encode::geotiff::{Band, Crs, GeoReference, write_colors, write_density};
use kiln::raster::Grid;
use serde_json::{Value, json};

use crate::arrow::python;

/// The output of `gdalinfo` for a file; needs the package `gdal-bin`.
pub(crate) fn gdalinfo(path: &Path) -> Value {
    let run = Command::new("gdalinfo").args(["-json", "-stats"]).arg(path).output();
    let output =
        run.unwrap_or_else(|error| panic!("cannot run gdalinfo ({error}): install GDAL's programs (gdal-bin)"));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && messages.is_empty(), "{}: gdalinfo: {messages}", path.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The values of all bands at each of the pixels (column, row).
fn gdal_values(path: &Path, pixels: &[(usize, usize)]) -> Vec<f64> {
    let mut run = Command::new("gdallocationinfo");
    let run = run.arg("-valonly").arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut run = run.unwrap_or_else(|error| panic!("cannot run gdallocationinfo ({error}): install gdal-bin"));
    let mut stdin = run.stdin.take().unwrap();
    for (column, row) in pixels {
        writeln!(stdin, "{column} {row}").unwrap();
    }
    drop(stdin);
    let output = run.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect()
}

const REFERENCES: [(GeoReference, Option<u64>); 3] = [
    (
        GeoReference {
            crs: Crs::Epsg3857,
            west: -20_037_508.342_789_244,
            north: 20_037_508.342_789_244,
            pixel_width: 156.25,
            pixel_height: 78.125,
        },
        Some(3857),
    ),
    (
        GeoReference { crs: Crs::Epsg4326, west: 10.125, north: 59.5, pixel_width: 0.001, pixel_height: 0.0005 },
        Some(4326),
    ),
    (GeoReference { crs: Crs::Plane, west: -3.0, north: 40.0, pixel_width: 0.25, pixel_height: 0.5 }, None),
];

/// With characters that XML escapes or that are not ASCII.
fn band(nodata: Option<f32>) -> Band<'static> {
    Band { name: "density of <A & B>", unit: "points per km²", nodata }
}

/// Smaller than a tile, not a multiple of the tile size, and many tiles.
const SHAPES: [(usize, usize); 3] = [(1, 1), (300, 517), (1500, 1000)];

fn assert_georeferenced(info: &Value, reference: &GeoReference, epsg: Option<u64>, (width, height): (usize, usize)) {
    assert_eq!(info["size"], json!([width, height]));
    let GeoReference { west, north, pixel_width, pixel_height, .. } = *reference;
    assert_eq!(info["geoTransform"], json!([west, pixel_width, 0.0, north, 0.0, -pixel_height]));
    // Without a reference system GDAL does not report `Area`, although it is the default.
    assert_eq!(info["metadata"][""]["AREA_OR_POINT"].as_str(), epsg.map(|_| "Area"));
    assert_eq!(info["metadata"]["IMAGE_STRUCTURE"]["COMPRESSION"], "DEFLATE");

    let (east, south) = (west + width as f64 * pixel_width, north - height as f64 * pixel_height);
    for (corner, x, y) in [("upperLeft", west, north), ("lowerRight", east, south)] {
        let found = &info["cornerCoordinates"][corner];
        let deviation = |i: usize, expected: f64| (found[i].as_f64().unwrap() - expected).abs();
        // gdalinfo rounds corners, to millimeters where the unit is a meter.
        assert!(deviation(0, x) < 1e-3 && deviation(1, y) < 1e-3, "{corner} {found} is not {x}, {y}");
    }
    assert_eq!(info["stac"]["proj:epsg"].as_u64(), epsg);
    let wkt = info["coordinateSystem"]["wkt"].as_str().unwrap_or_default();
    match epsg {
        Some(code) => assert!(wkt.ends_with(&format!("ID[\"EPSG\",{code}]]")), "{wkt}"),
        None => assert_eq!(wkt, ""),
    }
}

#[test]
fn gdal_reads_the_density_and_its_georeference() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in SHAPES {
        let mut density = Grid::filled(width, height, 0.0);
        for (i, cell) in density.cells_mut().iter_mut().enumerate() {
            *cell = if i % 7 == 6 { f32::NAN } else { i as f32 / 8.0 };
        }
        for (reference, epsg) in REFERENCES {
            let path = folder.path().join(format!("{:?}_{width}x{height}.tif", reference.crs));
            let file = BufWriter::new(File::create(&path).unwrap());
            write_density(file, &density, &band(Some(f32::NAN)), &reference, 2).unwrap();

            let info = gdalinfo(&path);
            assert_georeferenced(&info, &reference, epsg, (width, height));
            assert_eq!(info["bands"].as_array().unwrap().len(), 1);
            let band = &info["bands"][0];
            assert_eq!((&band["type"], &band["block"]), (&json!("Float32"), &json!([256, 256])));
            assert_eq!(band["noDataValue"], "NaN");
            let last = (0..width * height).rfind(|i| i % 7 != 6).unwrap();
            assert_eq!(band["maximum"].as_f64(), Some(last as f64 / 8.0));
            let cells = [0, last / 2, last].map(|i| if i % 7 == 6 { i - 1 } else { i });
            let values = gdal_values(&path, &cells.map(|i| (i % width, i / width)));
            assert_eq!(values, cells.map(|i| i as f64 / 8.0));
        }
    }
}

/// The minimum, maximum, mean, standard deviation and percentage of valid pixels of the only band.
fn statistics(info: &Value) -> [f64; 5] {
    let items = &info["bands"][0]["metadata"][""];
    ["MINIMUM", "MAXIMUM", "MEAN", "STDDEV", "VALID_PERCENT"].map(|name| {
        let text = items[format!("STATISTICS_{name}")].as_str();
        text.unwrap_or_else(|| panic!("no {name}: {info}")).parse().unwrap()
    })
}

#[test]
fn gdal_reads_the_name_the_unit_and_the_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zero.tif");
    let density = Grid::from_cells(4, 2, vec![0.0, 2.5, 0.0, 4.0, 0.0, 8.5, f32::NAN, 0.0]).unwrap();
    for (nodata, expected) in [
        (Some(0.0), [2.5, 8.5, 5.0, 6.5_f64.sqrt(), 37.5]),
        (Some(f32::NAN), [0.0, 8.5, 15.0 / 7.0, (94.5_f64 / 7.0 - (15.0_f64 / 7.0).powi(2)).sqrt(), 87.5]),
    ] {
        write_density(File::create(&path).unwrap(), &density, &band(nodata), &REFERENCES[0].0, 1).unwrap();
        let info = gdalinfo(&path);
        let band = &info["bands"][0];
        assert_eq!((&band["description"], &band["unit"]), (&json!("density of <A & B>"), &json!("points per km²")));
        let nodata = nodata.filter(|nodata| !nodata.is_nan()).map_or(json!("NaN"), |nodata| json!(nodata));
        assert_eq!(band["noDataValue"], nodata);
        for (found, expected) in statistics(&info).iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-12 * expected, "{found} is not {expected}: {info}");
        }
    }
}

#[test]
fn the_statistics_are_those_that_gdal_computes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bare) = (folder.path().join("band.tif"), folder.path().join("bare.tif"));
    let cells = (0..300 * 517).map(|i| match i % 7 {
        3 => f32::NAN,
        rest => 1000.0 + (i as f32).sqrt() * rest as f32,
    });
    let density = Grid::from_cells(300, 517, cells.collect()).unwrap();
    let reference = GeoReference { pixel_width: 0.001, pixel_height: 0.001, ..REFERENCES[1].0 };
    write_density(File::create(&path).unwrap(), &density, &band(Some(f32::NAN)), &reference, 2).unwrap();
    // A copy without metadata, for which gdalinfo computes the statistics.
    let run = Command::new("gdalwarp").args(["-q", "-nomd"]).args([&path, &bare]).status();
    assert!(run.unwrap_or_else(|error| panic!("cannot run gdalwarp ({error}): install gdal-bin")).success());
    let copy = gdalinfo(&bare);
    assert_eq!((&copy["size"], &copy["bands"][0]["noDataValue"]), (&json!([300, 517]), &json!("NaN")));
    assert_eq!(copy["bands"][0]["unit"], Value::Null);
    let (found, expected) = (statistics(&gdalinfo(&path)), statistics(&copy));
    for (found, expected) in found.iter().zip(&expected[..4]) {
        assert!((found - expected).abs() <= 1e-12 * expected, "{found} is not {expected}");
    }
    // GDAL rounds the percentage to 4 digits.
    assert!((found[4] - expected[4]).abs() < 0.01, "{found:?} {expected:?}");
}

#[test]
fn a_band_without_values_has_a_unit_but_no_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.tif");
    let density = Grid::filled(3, 2, f32::NAN);
    write_density(File::create(&path).unwrap(), &density, &band(Some(f32::NAN)), &REFERENCES[0].0, 1).unwrap();
    // Not with `-stats`, which fails for a band without values.
    let output = Command::new("gdalinfo").arg("-json").arg(&path).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let info: Value = serde_json::from_slice(&output.stdout).unwrap();
    let band = &info["bands"][0];
    assert_eq!((&band["unit"], &band["noDataValue"]), (&json!("points per km²"), &json!("NaN")));
    assert!(!info.to_string().contains("STATISTICS"), "{info}");
}

#[test]
fn gdal_reads_colors_as_four_bands_with_alpha() {
    let folder = tempfile::tempdir().unwrap();
    let palette: [[u8; 4]; 256] = std::array::from_fn(|i| [i as u8, 255 - i as u8, (i * 7) as u8, (i / 2) as u8]);
    for (width, height) in SHAPES {
        let indices = (0..width * height).map(|i| (i % 251) as u8).collect();
        let indices = Grid::from_cells(width, height, indices).unwrap();
        for (reference, epsg) in REFERENCES {
            let path = folder.path().join(format!("{:?}_{width}x{height}.tif", reference.crs));
            let file = BufWriter::new(File::create(&path).unwrap());
            write_colors(file, &indices, &palette, &reference, 2).unwrap();

            let info = gdalinfo(&path);
            assert_georeferenced(&info, &reference, epsg, (width, height));
            let bands = info["bands"].as_array().unwrap();
            assert_eq!(
                bands.iter().map(|band| &band["colorInterpretation"]).collect::<Vec<_>>(),
                ["Red", "Green", "Blue", "Alpha"]
            );
            for band in bands {
                assert_eq!((&band["type"], &band["block"]), (&json!("Byte"), &json!([256, 256])));
                assert_eq!(band["noDataValue"], Value::Null);
            }
            let pixels = [(0, 0), (width - 1, 0), (width / 2, height / 2), (width - 1, height - 1)];
            let colors = pixels.map(|(column, row)| palette[usize::from(indices.row(row)[column])]);
            assert_eq!(
                gdal_values(&path, &pixels),
                colors.as_flattened().iter().copied().map(f64::from).collect::<Vec<_>>()
            );
        }
    }
}

/// Validates `out.tif` as a cloud-optimized GeoTIFF.
const VALIDATE: &str = "
import json
from rio_cogeo.cogeo import cog_info, cog_validate
valid, errors, warnings = cog_validate('out.tif', strict=True)
print(json.dumps([valid, errors, warnings, [level.Decimation for level in cog_info('out.tif').IFD]]))
";

#[test]
fn rendered_files_are_cloud_optimized() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cities = crate::kiln::data("cities.parquet");
    for (size, more, decimations) in [
        ("1500x900", &[][..], json!([0, 2, 4, 8])),
        ("1100", &["--bands", "rgba"], json!([0, 2, 4, 8])),
        ("600x300", &["--agg", "mean"], json!([0, 2, 4])),
        ("200x100", &[], json!([0])),
    ] {
        let render = ["render", cities.to_str().unwrap(), "--bounds", "world", "--size", size, "-o", "out.tif"];
        crate::kiln::kiln(home, [&render[..], more].concat()).done();
        assert_eq!(python(home, VALIDATE), json!([true, [], [], decimations]), "{size} {more:?}");
    }
}
