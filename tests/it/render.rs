//! The command `kiln render`.

use std::fs;

use crate::golden::{self, Picture};
use crate::kiln::{data, kiln, kiln_with_input};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Whether the folder contains exactly the files `names`.
fn contains_only(folder: &tempfile::TempDir, names: &[&str]) -> bool {
    let mut found: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    found == names
}

#[test]
fn cities_by_population_match_the_reference() {
    let folder = folder();
    let cities = data("cities.parquet");
    let args = ["render", cities.to_str().unwrap(), "--weight", "population", "--radius", "8", "-o", "out.png"];
    let bounds = ["--bounds=-12,35,32,60", "--size", "512"];
    let summary = kiln(folder.path(), args.iter().chain(&bounds)).done();
    assert!(summary.contains("read 135,233 rows, drew "), "{summary}");
    assert!(summary.contains(" population per km² (p99, linear)"), "{summary}");
    golden::check("render/cities-population", &Picture::read(&folder.path().join("out.png")).unwrap());
}

#[test]
fn earthquakes_by_magnitude_match_the_reference() {
    let folder = folder();
    let quakes = data("earthquakes.geojson");
    let args = ["render", quakes.to_str().unwrap(), "--weight", "mag", "--curve", "log", "--size", "512"];
    let summary = kiln(folder.path(), args.iter().chain(&["-o", "out.png", "--legend"])).done();
    assert!(summary.contains("read 1,707 rows, drew 1,707 points, 0 outside"), "{summary}");
    assert!(contains_only(&folder, &["out.legend.png", "out.png"]));
    golden::check("render/earthquakes-magnitude", &Picture::read(&folder.path().join("out.png")).unwrap());
}

#[test]
fn all_input_formats_render_identical_pictures() {
    let folder = folder();
    let rows = [(18.07, 59.33, 3.5), (17.64, 59.86, 1.25), (16.55, 59.61, 2.0), (18.07, 59.33, 0.5)];
    let join = |row: &dyn Fn(&(f64, f64, f64)) -> String, between: &str| {
        rows.iter().map(row).collect::<Vec<_>>().join(between)
    };
    let feature = |&(x, y, w): &(f64, f64, f64)| {
        format!(
            r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":[{x},{y}]}},"properties":{{"weight":{w}}}}}"#
        )
    };
    let array = |&(x, y, w): &(f64, f64, f64)| format!("[{x},{y},{w}]");
    let csv = format!("lat,name,lon,weight\n{}\n", join(&|(x, y, w)| format!("{y},\"a, b\",{x},{w}"), "\n"));
    let collection = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, join(&feature, ","));
    let files = [
        ("points.csv", csv.clone()),
        ("points.tsv", format!("x\ty\tvalue\n{}", join(&|(x, y, w)| format!("{x}\t{y}\t{w}"), "\r\n"))),
        ("points.geojson", collection.clone()),
        ("points.geojsonl", join(&feature, "\n")),
        ("points.json", format!("[{}]", join(&array, ","))),
        ("points.ndjson", join(&|(x, y, w)| format!(r#"{{"lng":{x},"latitude":{y},"w":{w}}}"#), "\n")),
    ];
    let draw = |input: &str, stdin: &[u8]| {
        let run = kiln_with_input(folder.path(), ["render", input, "-o", "-", "--size", "300x200"], stdin);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains("drew 4 points"), "{input}: {}", run.stderr);
        run.stdout
    };
    let expected = draw("-", csv.as_bytes());
    assert!(expected.starts_with(b"\x89PNG"));
    for (name, text) in &files {
        fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(draw(name, b""), expected, "{name}");
        assert_eq!(draw("-", text.as_bytes()), expected, "{name} on standard input");
    }
}

#[test]
fn the_picture_is_the_same_at_any_number_of_threads() {
    let folder = folder();
    let cities = data("cities.parquet");
    for style in [&["--agg", "count"][..], &["--agg", "mean", "--weight", "population"], &["--blend", "classic"]] {
        let draw = |threads: &str| {
            let args = ["render", cities.to_str().unwrap(), "-o", "-", "-q", "--size", "400", "--threads", threads];
            let run = kiln(folder.path(), args.iter().chain(style));
            assert_eq!((run.code, run.stderr.as_str()), (0, ""));
            run.stdout
        };
        let one = draw("1");
        assert_eq!(one, draw("2"), "{style:?}");
        assert_eq!(one, draw("3"), "{style:?}");
    }
}

#[test]
fn points_are_filtered_by_time_and_category() {
    let folder = folder();
    let quakes = data("earthquakes.geojson");
    let draw = |filters: &[&str]| {
        let args = ["render", quakes.to_str().unwrap(), "--bounds", "world", "-o", "out.png", "--size", "64"];
        kiln(folder.path(), args.iter().chain(filters)).done()
    };
    let all = draw(&[]);
    assert!(all.contains("read 1,707 rows, drew 1,707 points"), "{all}");
    let early = draw(&["--end", "2018-02-03"]);
    let late = draw(&["--start", "2018-02-03T00:00:00Z"]);
    let drawn = |summary: &str| {
        let after = summary.split("drew ").nth(1).unwrap();
        after.split(' ').next().unwrap().replace(',', "").parse::<u64>().unwrap()
    };
    assert_eq!(drawn(&early) + drawn(&late), 1707);
    assert!(drawn(&early) > 0 && drawn(&late) > 0);
    let quarry = draw(&["--category", "quarry blast"]);
    assert!((1..200).contains(&drawn(&quarry)), "{quarry}");
    assert_eq!(drawn(&draw(&["--category", "nothing such"])), 0);
}

#[test]
fn invalid_rows_are_counted_and_explained() {
    let folder = folder();
    fs::write(folder.path().join("p.csv"), "lon,lat\n1,2\nx,2\n3,nan\n4\n5,95\n6,7\n").unwrap();
    let summary = kiln(folder.path(), ["render", "p.csv", "-o", "out.png"]).done();
    assert!(summary.contains("read 6 rows, drew 2 points, 0 outside, 4 rejected (p.csv row 2: "), "{summary}");
    assert!(summary.contains("p.csv row 3: ") && summary.contains("p.csv row 4: "), "{summary}");
}

#[test]
fn a_year_alone_is_a_valid_time() {
    let folder = folder();
    fs::write(folder.path().join("p.csv"), "lon,lat,date\n1,2,2022\n3,4,2023\n5,6,2023-12-31\n7,8,2024\n").unwrap();
    let args = ["render", "p.csv", "-o", "out.png", "--start", "2023", "--end", "20240101"];
    let summary = kiln(folder.path(), args).done();
    assert!(summary.contains("read 4 rows, 2 filtered out, drew 2 points"), "{summary}");
}

#[test]
fn points_without_a_weight_are_reported_if_others_have_one() {
    let folder = folder();
    fs::write(folder.path().join("weighted.csv"), "lon,lat,w\n1,2,5\n3,4,6\n").unwrap();
    fs::write(folder.path().join("plain.csv"), "lon,lat\n1,2\n3,4\n5,6\nx,y\n").unwrap();
    let draw = |inputs: &[&str], args: &[&str]| {
        let all = ["render", "-o", "out.png", "--size", "64"];
        kiln(folder.path(), all.iter().chain(inputs).chain(args)).done()
    };
    let remark = ", 3 points without a weight (each weighs 1), 1 rejected";
    for args in [&[][..], &["--bounds", "0,0,9,9"]] {
        let both = draw(&["weighted.csv", "plain.csv"], args);
        assert!(both.contains(remark), "{both}");
        assert!(!draw(&["plain.csv"], args).contains("without a weight"));
        assert!(!draw(&["weighted.csv"], args).contains("without a weight"));
    }
    assert!(!draw(&["weighted.csv", "plain.csv"], &["--agg", "count"]).contains("without a weight"));
}

#[test]
fn invalid_usage_is_reported_in_one_line_with_exit_code_2() {
    let folder = folder();
    fs::write(folder.path().join("p.csv"), "lon,lat\n1,2\n3,4\n").unwrap();
    let try_args = |args: &[&str]| kiln(folder.path(), ["render", "p.csv", "-o", "out.png"].iter().chain(args));
    try_args(&["--scheme", "virdis"]).failed(2, &["--scheme", "viridis"]);
    try_args(&["--gradient", "red,nocolor"]).failed(2, &["nocolor"]);
    try_args(&["--size", "0x10"]).failed(2, &["--size", "0x10"]);
    try_args(&["--size", "100000x100000"]).failed(2, &["--size", "32768"]);
    try_args(&["--radius", "0"]).failed(2, &["--radius"]);
    try_args(&["--radius", "5000"]).failed(2, &["--radius", "1024"]);
    try_args(&["--radius", "12 parsecs"]).failed(2, &["--radius", "10km"]);
    try_args(&["--dot-size", "-1"]).failed(2, &["--dot-size"]);
    try_args(&["--opacity", "2"]).failed(2, &["--opacity"]);
    try_args(&["--bounds", "1,2,3"]).failed(2, &["--bounds", "west,south,east,north"]);
    try_args(&["--bounds", "0,10,10,0"]).failed(2, &["--bounds", "south"]);
    try_args(&["--vmin", "5", "--vmax", "1"]).failed(2, &["--vmin"]);
    try_args(&["--normalize", "p0"]).failed(2, &["--normalize", "p99"]);
    try_args(&["--kernel", "blob"]).failed(2, &["--kernel", "gaussian"]);
    try_args(&["--start", "soon"]).failed(2, &["--start", "Unix seconds"]);
    try_args(&["--start", "2024", "--end", "2023-06-01"]).failed(2, &["--start", "--end"]);
    try_args(&["--start", "2024", "--end", "20240101"]).failed(2, &["--start", "--end"]);
    try_args(&["--threads", "0"]).failed(2, &["--threads"]);
    try_args(&["--nonsense"]).failed(2, &["--nonsense"]);
    try_args(&["--blend", "classic", "--format", "geotiff"]).failed(2, &["--bands"]);
    try_args(&["--vmax", "nan"]).failed(2, &["--vmax", "finite"]);
    try_args(&["--blend", "classic", "--curve", "log"]).failed(2, &["--curve", "classic"]);
    try_args(&["--bands", "rgba"]).failed(2, &["--bands", "GeoTIFF"]);
    try_args(&["--format", "geotiff", "--background", "white"]).failed(2, &["--bands", "rgba"]);
    try_args(&["--legend=out.png"]).failed(2, &["--legend", "same file"]);
    kiln(folder.path(), ["render", "p.csv"]).failed(2, &["--output"]);
    kiln(folder.path(), ["render", "p.csv", "-o", "out.jpg"]).failed(2, &["--output", "jpg"]);
    // Outputs must not overwrite inputs. A path after `--legend` without `=` is an input.
    kiln(folder.path(), ["render", "p.csv", "-o", "./p.csv"]).failed(2, &["--output", "overwrite"]);
    kiln(folder.path(), ["render", "p.csv", "-o", "o.png", "--legend=p.csv"]).failed(2, &["overwrite"]);
    kiln(folder.path(), ["render", "-o", "o.png", "--legend", "missing.csv"])
        .failed(1, &["missing.csv", "No such file"]);
    assert!(contains_only(&folder, &["p.csv"]));
}

#[test]
fn failures_are_reported_in_one_line_with_exit_code_1() {
    let folder = folder();
    let cases: &[(&str, &[u8], &[&str])] = &[
        ("columns.csv", b"a,b\n1,2\n", &["columns.csv", "--lon", "\"a\", \"b\""]),
        ("empty.csv", b"", &["empty.csv"]),
        ("header.csv", b"lon,lat\n", &["header.csv", "no rows"]),
        ("text.csv", b"lon,lat\nfoo,2\n", &["text.csv", "row 1", "foo"]),
        ("swapped.csv", b"lon,lat\n59.3,118.1\n57.7,111.9\n", &["swapped.csv", "118.1", "swapped"]),
        (
            "lines.geojson",
            br#"{"type":"Feature","geometry":{"type":"LineString","coordinates":[[0,0],[1,1]]},"properties":{}}"#,
            &["lines.geojson", "LineString"],
        ),
        ("broken.geojson", br#"{"type":"FeatureCollection","features":[{"#, &["broken.geojson", "line 1"]),
        ("broken.parquet", b"PAR1 and then nothing that is a footer", &["broken.parquet", "Parquet"]),
        ("cut.parquet", &fs::read(data("cities.parquet")).unwrap()[..9000], &["cut.parquet", "Parquet"]),
    ];
    for (name, bytes, words) in cases {
        fs::write(folder.path().join(name), bytes).unwrap();
        kiln(folder.path(), ["render", name, "-o", "out.png"]).failed(1, words);
    }
    let both = ["render", "header.csv", "text.csv", "-o", "out.png"];
    kiln(folder.path(), both).failed(1, &["none of the 1 rows", "; text.csv row 1: ", "foo"]);
    fs::write(folder.path().join("lines.ndjson"), "{oops}\n{\"lon\":\n").unwrap();
    kiln(folder.path(), ["render", "lines.ndjson", "-o", "out.png"])
        .failed(1, &["lines.ndjson: none of the 2 rows has a valid point; row 1: invalid JSON"]);
    kiln(folder.path(), ["render", "missing.csv", "-o", "out.png"]).failed(1, &["missing.csv", "No such file"]);
    fs::write(folder.path().join("p.csv"), "lon,lat\n1,2\n3,4\n").unwrap();
    kiln(folder.path(), ["render", "p.csv", "-o", "no/such/folder.png"]).failed(1, &["no/such/folder.png", "write"]);
    kiln(folder.path(), ["render", "p.csv", "--weight", "mass", "-o", "out.png"])
        .failed(1, &["p.csv: there is no column \"mass\" for the weight; there are \"lon\", \"lat\""]);
    kiln(folder.path(), ["render", "p.csv", "--category", "x", "-o", "out.png"])
        .failed(1, &["p.csv", "category", "--category-column", "\"lon\", \"lat\""]);
    let names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.contains("out") && !name.contains("part")), "{names:?}");
}

#[test]
fn a_geotiff_has_the_bounds_of_the_picture() {
    let folder = folder();
    let cities = data("cities.parquet");
    for (projection, code, corners) in [
        // -12° E is 12/360 of 2π · 6378137 m, and 60° N is 8399737.89 m (EPSG guidance note 7-2's sphere).
        ("mercator", "EPSG\",3857", [-1_335_833.89, 8_399_737.89, 3_562_223.7, 4_163_881.14]),
        ("platecarree", "EPSG\",4326", [-12.0, 60.0, 32.0, 35.0]),
    ] {
        for bands in ["density", "rgba"] {
            let args = ["render", cities.to_str().unwrap(), "-o", "out.tif", "--bounds=-12,35,32,60", "--size", "300"];
            kiln(folder.path(), args.iter().chain(&["--projection", projection, "--bands", bands])).done();
            let report = crate::geotiff::gdalinfo(&folder.path().join("out.tif"));
            assert!(report["coordinateSystem"]["wkt"].as_str().unwrap().contains(code), "{report}");
            let corner = |name: &str, axis: usize| report["cornerCoordinates"][name][axis].as_f64().unwrap();
            let found =
                [corner("upperLeft", 0), corner("upperLeft", 1), corner("lowerRight", 0), corner("lowerRight", 1)];
            for (found, expected) in found.iter().zip(corners) {
                assert!((found - expected).abs() < 1e-6 * expected.abs(), "{projection}: {found} is not {expected}");
            }
            assert_eq!(report["bands"].as_array().unwrap().len(), if bands == "rgba" { 4 } else { 1 });
        }
    }
}

#[test]
fn adjacent_pictures_have_no_seam() {
    let folder = folder();
    let cities = data("cities.parquet");
    let draw = |name: &str, bounds: &str, size: &str| {
        let fixed_style = ["--projection=platecarree", "--radius=60km", "--vmin=0", "--vmax=0.02"];
        let args = ["render", cities.to_str().unwrap(), "--agg=count", bounds, "--size", size, "-o", name];
        let summary = kiln(folder.path(), args.iter().chain(&fixed_style)).done();
        assert!(summary.contains("span 0 to 0.02 points per km²"), "{summary}");
        Picture::read(&folder.path().join(name)).unwrap().pixels
    };
    let full = draw("whole.png", "--bounds=0,40,20,60", "400x400");
    let mut halves = draw("north.png", "--bounds=0,50,20,60", "400x200");
    halves.extend(draw("south.png", "--bounds=0,40,20,50", "400x200"));
    assert!(full.iter().any(|byte| *byte != 0));
    assert!(full == halves, "the halves differ from the full picture");
}

#[cfg(unix)]
#[test]
fn streams_and_symbolic_links_are_written_in_place() {
    let folder = folder();
    fs::write(folder.path().join("p.csv"), "lon,lat\n1,2\n3,4\n").unwrap();
    let args = ["render", "p.csv", "--size", "64", "-o"];
    kiln(folder.path(), args.iter().chain(&["out.png"])).done();
    let expected = fs::read(folder.path().join("out.png")).unwrap();
    for stream in ["-", "/dev/stdout"] {
        let run = kiln(folder.path(), args.iter().chain(&[stream]));
        assert_eq!((run.code, run.stdout), (0, expected.clone()), "{stream}: {}", run.stderr);
    }
    std::os::unix::fs::symlink("out.png", folder.path().join("link.png")).unwrap();
    kiln(folder.path(), args.iter().chain(&["link.png"])).done();
    assert!(folder.path().join("link.png").is_symlink());
    kiln(folder.path(), args.iter().chain(&["/dev/full"])).failed(1, &["/dev/full", "No space left"]);
    assert!(contains_only(&folder, &["link.png", "out.png", "p.csv"]));
}

#[test]
fn a_failed_run_keeps_the_old_picture() {
    let folder = folder();
    fs::write(folder.path().join("out.png"), "the old picture").unwrap();
    fs::write(folder.path().join("p.csv"), "lon,lat\nx,y\n").unwrap();
    kiln(folder.path(), ["render", "p.csv", "-o", "out.png"]).failed(1, &["p.csv"]);
    assert_eq!(fs::read_to_string(folder.path().join("out.png")).unwrap(), "the old picture");
    assert!(contains_only(&folder, &["out.png", "p.csv"]));
}

#[test]
fn the_classic_blend_renders_the_picture_of_the_old_library() {
    let folder = folder();
    // The case's points, as a CSV.
    let case = crate::classic::Case::read("nonsquare_tall_noarea");
    let rows: Vec<String> = case.points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    fs::write(folder.path().join("p.csv"), format!("x,y\n{}\n", rows.join("\n"))).unwrap();
    let (width, height) = case.params.size;
    let (size, dot_size) = (format!("{width}x{height}"), case.params.dot_size.to_string());
    let opacity = format!("{}/255", case.params.opacity);
    let args = ["render", "p.csv", "-o", "out.png", "--blend", "classic", "--projection", "plane", "--fit", "tight"];
    let style = ["--size", &size, "--dot-size", &dot_size, "--opacity", &opacity, "--scheme", &case.params.scheme];
    kiln(folder.path(), args.iter().chain(&style)).done();
    let drawn = Picture::read(&folder.path().join("out.png")).unwrap();
    let expected = Picture::read(&crate::classic::path("nonsquare_tall_noarea.png")).unwrap();
    golden::assert_same(
        "classic/by-command",
        &crate::classic_color::clear_transparent(expected),
        &crate::classic_color::clear_transparent(drawn),
    );
}

#[test]
fn a_single_number_as_the_size_is_the_longer_side() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    std::fs::write(home.join("far.csv"), "lon,lat\n18.07,59.33\n-74,40.7\n151.2,-33.9\n0,51.5\n").unwrap();
    std::fs::write(home.join("poles.csv"), "lon,lat\n0,90\n0,85.05\n-180,10\n180,10\n17,40\n0,-90\n").unwrap();
    std::fs::write(home.join("tall.csv"), "lon,lat\n17,84.9\n18,-20\n").unwrap();
    for input in ["far.csv", "poles.csv", "tall.csv"] {
        for size in ["1024", "256", "333"] {
            for more in
                [&[][..], &["--projection", "platecarree"], &["--radius", "300km"], &["--bounds=-10,-89,33.3,61"]]
            {
                let args = ["render", input, "--size", size, "-o", "out.png"];
                kiln(home, args.iter().chain(more)).done();
                let picture = Picture::read(&home.join("out.png")).unwrap();
                let side = picture.width.max(picture.height).to_string();
                assert_eq!(side, size, "{input} {more:?}: {}x{}", picture.width, picture.height);
            }
        }
    }
}
