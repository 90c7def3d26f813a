//! An array of values becomes a picture, alone or over an image.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use crate::golden::{self, Picture};
use crate::kiln::{Run, kiln, kiln_with_input};

/// A NumPy file of 32-bit floats.
fn npy(rows: usize, columns: usize, values: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

fn decoded(png: &[u8]) -> Picture {
    Picture::decode(Cursor::new(png)).unwrap()
}

fn mask(home: &Path, args: &[&str]) -> Run {
    kiln(home, [&["mask"][..], args].concat())
}

/// Two Gaussian blobs, 0 to 255, and a gradient of the same size: the example of the widget that users know.
fn example(home: &Path) {
    let (width, height) = (320, 240);
    let blob = |column: usize, row: usize, x: f64, y: f64, sigma: f64| {
        let square = (column as f64 - x).powi(2) + (row as f64 - y).powi(2);
        (-square / (2.0 * sigma * sigma)).exp()
    };
    let value = |column: usize, row: usize| {
        let sum = blob(column, row, 100.0, 90.0, 28.0) + 0.75 * blob(column, row, 225.0, 150.0, 42.0);
        (255.0 * sum).min(255.0) as f32
    };
    let values: Vec<f32> = (0..height).flat_map(|row| (0..width).map(move |column| value(column, row))).collect();
    fs::write(home.join("mask.npy"), npy(height, width, &values)).unwrap();
    let gradient = image::RgbImage::from_fn(width as u32, height as u32, |column, row| {
        image::Rgb([(60 + column / 2) as u8, (40 + 3 * row / 4) as u8, 150])
    });
    gradient.save(home.join("photo.png")).unwrap();
}

#[test]
fn the_example_of_the_widget_has_its_picture() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    example(home);
    let style = ["--vmin", "0", "--vmax", "255", "--transparent-low", "true", "--colormap", "jet"];
    let more = ["--blur-ksize", "7,7", "--opacity", "70", "--legend", "-o", "out.png"];
    let summary = mask(home, &[&["mask.npy", "--background", "photo.png"], &style[..], &more].concat()).done();
    assert!(summary.contains("read 320x240 cells; span 0 to 255; drew 320x240 px"), "{summary}");
    golden::check("masks/example", &decoded(&fs::read(home.join("out.png")).unwrap()));
    golden::check("masks/example_legend", &decoded(&fs::read(home.join("out.legend.png")).unwrap()));
    // By itself it is an overlay.
    mask(home, &[&["mask.npy"], &style[..], &more].concat()).done();
    let alone = decoded(&fs::read(home.join("out.png")).unwrap());
    assert_eq!((alone.pixels[3], alone.pixels[4 * (90 * 320 + 100) + 3]), (0, 179));
}

#[test]
fn an_array_comes_from_a_file_or_standard_input_in_any_format() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sharp = ["--blur-ksize", "none", "-q", "-o", "-"];
    let expected = {
        fs::write(home.join("a.npy"), npy(2, 2, &[0.0, 0.25, f32::NAN, 1.0])).unwrap();
        mask(home, &[&["a.npy"], &sharp[..]].concat())
    };
    assert_eq!(expected.code, 0, "{}", expected.stderr);
    for text in ["[[0, 0.25], [NaN, 1]]", "[[0,0.25],[null,1]]", "0,0.25\n,1\n", "0 0.25\nnan 1\n"] {
        let run = kiln_with_input(home, [&["mask", "-"][..], &sharp].concat(), text.as_bytes());
        assert_eq!(run.stdout, expected.stdout, "{text}: {}", run.stderr);
    }
    let picture = decoded(&expected.stdout);
    assert_eq!((picture.width, picture.height), (2, 2));
    assert_eq!((picture.pixels[3], picture.pixels[11]), (179, 0));
}

#[test]
fn a_mask_is_stretched_over_its_background_and_a_remark_says_so() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    example(home);
    fs::write(home.join("cam.json"), "[[0,1],[2,3]]").unwrap();
    let summary = mask(home, &["cam.json", "--background", "photo.png", "-o", "out.png"]).done();
    assert!(
        summary.contains("note: the mask of 2 × 2 cells is stretched over the background of 320 × 240 px"),
        "{summary}"
    );
    let summary = mask(home, &["cam.json", "--background", "photo.png", "--width", "160", "-o", "out.png"]).done();
    assert!(summary.contains("drew 160x120 px"), "{summary}");
}

#[test]
fn what_is_wrong_is_one_line_with_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), "1,2\n3,4\n").unwrap();
    fs::write(home.join("none.csv"), "nan,nan\n").unwrap();
    fs::write(
        home.join("object.npy"),
        b"\x93NUMPY\x01\0\x40\0{'descr': '|O', 'fortran_order': False, 'shape': (3, 4), }         \n",
    )
    .unwrap();
    let failed = |args: &[&str], code: i32, words: &[&str]| {
        mask(home, &[args, &["-o", "out.png"]].concat()).failed(code, words);
        assert!(!home.join("out.png").exists());
    };
    failed(&["a.csv", "--vmin", "4"], 2, &["--vmin: 4 must be less than the greatest value", "--vmax"]);
    failed(&["a.csv", "--vmin", "2", "--vmax", "1"], 2, &["--vmin: 2 must be less than --vmax, 1"]);
    failed(&["a.csv", "--blur-ksize", "4,5"], 2, &["--blur-ksize", "odd"]);
    failed(&["a.csv", "--colormap", "jett"], 2, &["--colormap", "did you mean jet"]);
    failed(&["a.csv", "--opacity", "101"], 2, &["--opacity", "0 to 100"]);
    failed(&["a.csv", "--width", "40000"], 2, &["--width"]);
    failed(&["a.csv", "--width", "20000", "--height", "20000"], 2, &["--width", "at most"]);
    failed(&["a.csv", "--member", "x"], 1, &["a.csv", "not an .npz archive"]);
    failed(&["a.csv", "--background", "a.csv"], 1, &["a.csv", "PNG, JPEG, WebP or TIFF"]);
    failed(&["none.csv"], 1, &["none.csv", "none.csv: all values are NaN; expected at least one number"]);
    failed(&["object.npy"], 1, &["object.npy", "not unpickled"]);
    failed(&["nosuch.npy"], 1, &["nosuch.npy", "cannot read"]);
    mask(home, &["a.csv", "-o", "a.csv"]).failed(2, &["--output", "is an input"]);
    mask(home, &["a.csv", "-o", "a.jpg"]).failed(2, &["--output", ".jpg"]);
    mask(home, &["a.csv", "-o", "-", "--legend"]).failed(2, &["--legend", "standard output"]);
    mask(home, &["a.csv", "-o", "b.png", "--legend=b.png"]).failed(2, &["--legend", "same file"]);
}

#[test]
fn the_schemes_of_a_user_are_colormaps() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("schemes")).unwrap();
    fs::write(home.join("schemes/mine.txt"), "#102030\n#405060\n").unwrap();
    fs::write(home.join("a.csv"), "0,1\n").unwrap();
    let run = mask(home, &["a.csv", "-o", "-", "-q", "--blur-ksize", "none", "--colormap", "mine", "--opacity", "100"]);
    assert_eq!(decoded(&run.stdout).pixels, [0x10, 0x20, 0x30, 255, 0x40, 0x50, 0x60, 255], "{}", run.stderr);
}

#[test]
fn annotations_are_drawn_as_a_density() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let label = |class: &str, corners: &str| {
        let points = format!(r#"{{"exterior": {corners}, "interior": []}}"#);
        format!(r#"{{"classTitle": "{class}", "geometryType": "rectangle", "points": {points}}}"#)
    };
    let labels = [label("car", "[[0, 0], [2, 1]]"), label("dog", "[[0, 0], [5, 3]]")].join(",");
    let image = format!(r#"{{"size": {{"width": 6, "height": 4}}, "objects": [{labels}]}}"#);
    fs::write(home.join("a.json"), &image).unwrap();
    fs::write(home.join("b.json"), image.replace("[2, 1]", "[9, 0]")).unwrap();
    let plain = ["--blur-ksize", "none", "-o", "out.png"];
    let summary = mask(home, &[&["a.json", "b.json", "--class", "car"], &plain[..]].concat()).done();
    assert!(summary.contains("read 2 labels of 2 images, 6x4 cells; span 0 to 2; drew 6x4 px"), "{summary}");
    assert!(summary.contains("note: 1 of 2 labels reach beyond their image and were clipped"), "{summary}");
    let summary = mask(home, &[&["a.json", "--width", "12"], &plain[..]].concat()).done();
    assert!(summary.contains("read 2 labels of 1 image, 12x8 cells; span 0 to 2; drew 12x8 px"), "{summary}");
    mask(home, &[&["a.json", "--class", "cat"], &plain[..]].concat()).failed(1, &["unknown class", "cat", "car, dog"]);

    // Numbers are an array, unless annotations are expected.
    fs::write(home.join("labels.txt"), "0 0.5 0.5 1 1\n1 0.25 0.5 0.5 1\n").unwrap();
    fs::write(home.join("data.yaml"), "names: [car, dog]\n").unwrap();
    let summary = mask(home, &[&["labels.txt"], &plain[..]].concat()).done();
    assert!(summary.contains("read 5x2 cells"), "{summary}");
    let note = "note: labels.txt looks like YOLO labels; use --annotations yolo to draw them";
    assert!(summary.contains(note), "{summary}");
    let yolo = ["labels.txt", "--class", "dog", "--class-names", "data.yaml", "--width", "4", "--height", "2"];
    let summary = mask(home, &[&yolo[..], &plain[..]].concat()).done();
    assert!(summary.contains("read 1 label of 1 image, 4x2 cells; span 0 to 1"), "{summary}");
    mask(home, &[&["labels.txt", "--annotations", "yolo"], &plain[..]].concat()).failed(1, &["give width and height"]);
}

#[test]
fn a_broken_yolo_line_is_rejected_and_the_other_lines_count() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("1.txt"), "0 0.5 0.5 1 1\n0 0.5\n").unwrap();
    fs::write(home.join("2.txt"), "1 0.25 0.5 0.5 1\n").unwrap();
    fs::write(home.join("notes.txt"), "0 0.5 0.5 1 1\nto be\nchecked\n").unwrap();
    fs::write(home.join("cam.npy"), npy(1, 2, &[0.0, 1.0])).unwrap();
    let size = ["--width", "4", "--height", "2", "-o", "out.png"];
    for inputs in [&["1.txt", "2.txt"][..], &["1.txt", "--class", "0"]] {
        let summary = mask(home, &[inputs, &size[..]].concat()).done();
        assert!(summary.contains("note: 1 label rejected: 1.txt, line 2: 1 value"), "{summary}");
    }
    mask(home, &[&["1.txt", "notes.txt"], &size[..]].concat())
        .failed(1, &["notes.txt", "line 2, `to be`, is not a YOLO label", "set annotations to yolo"]);
    for inputs in [&["cam.npy", "cam.npy"][..], &["cam.npy", "--class", "car"]] {
        mask(home, &[inputs, &size[..]].concat()).failed(1, &["cam.npy: the file is an array"]);
    }
}

#[test]
fn likely_slips_are_notes_with_flags() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("chw.json"), format!("[[{}]]", vec!["[0,1,2,3,4,5]"; 24].join(","))).unwrap();
    let summary = mask(home, &["chw.json", "--opacity", "0.7", "-o", "out.png"]).done();
    for note in [
        "note: the array of 1 × 24 × 6 looks like channels × rows × columns; use --channels-first",
        "note: --opacity is 0 to 100; 0.7 is 0.7 %",
        "note: the default blur of 5 × 5 cells is large for a mask of 24 × 1; use --blur-ksize none",
    ] {
        assert!(summary.contains(note), "{note}: {summary}");
    }
    let summary = mask(home, &["chw.json", "--channels-first", "--blur-ksize", "none", "-o", "out.png"]).done();
    assert!(!summary.contains("note: ") && summary.contains("read 6x24 cells"), "{summary}");
}
