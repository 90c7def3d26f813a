use std::io::Write;

use ::base64::Engine as _;
use proptest::prelude::*;

use super::*;

fn file<'b>(name: &'b str, text: &'b str) -> AnnotationFile<'b> {
    AnnotationFile { name, bytes: text.as_bytes() }
}

fn of_class(class: &str) -> AnnotationOptions {
    AnnotationOptions { classes: vec![class.to_owned()], ..AnnotationOptions::default() }
}

fn sized(width: usize, height: usize) -> AnnotationOptions {
    AnnotationOptions { width: Some(width), height: Some(height), ..AnnotationOptions::default() }
}

fn drawn(text: &str, options: &AnnotationOptions) -> (Vec<String>, AnnotationReport) {
    let (mask, report) = read(&[file("file", text)], options).unwrap();
    (picture(&mask), report)
}

/// The counts of each row; a dot is 0.
fn picture(mask: &Mask) -> Vec<String> {
    let row = |row| {
        let counts = (0..mask.columns()).map(|column| mask.value(row, column).unwrap());
        counts.map(|count| if count > 0.0 { count.to_string() } else { ".".to_owned() }).collect()
    };
    (0..mask.rows()).map(row).collect()
}

fn rejection(files: &[AnnotationFile<'_>], options: &AnnotationOptions) -> String {
    let message = read(files, options).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

fn refused_text(text: &str) -> String {
    rejection(&[file("file", text)], &AnnotationOptions::default())
}

/// One Supervisely image of 6 × 4 pixels with these objects.
fn image(objects: &str) -> String {
    format!(r#"{{"description": "", "size": {{"height": 4, "width": 6}}, "objects": [{objects}]}}"#)
}

fn object(class: &str, geometry: &str, exterior: &str, interior: &str) -> String {
    format!(
        r#"{{"classTitle": "{class}", "geometryType": "{geometry}", "tags": [],
            "points": {{"exterior": {exterior}, "interior": {interior}}}, "bitmap": null}}"#
    )
}

fn bitmap(origin: &str, data: &[u8]) -> String {
    let data = ::base64::engine::general_purpose::STANDARD.encode(data);
    format!(
        r#"{{"classTitle": "car", "geometryType": "bitmap", "bitmap": {{"data": "{data}", "origin": {origin}}},
            "points": {{"exterior": [], "interior": []}}}}"#
    )
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    bytes
}

/// A COCO dataset of an image of 6 × 4 pixels with these annotations.
fn dataset(annotations: &str) -> String {
    format!(
        r#"{{"info": {{}}, "images": [{{"id": 1, "width": 6, "height": 4, "file_name": "a.jpg"}}],
            "annotations": [{annotations}],
            "categories": [{{"id": 1, "name": "car"}}, {{"id": 2, "name": "dog"}}]}}"#
    )
}

fn annotation(category: u32, rest: &str) -> String {
    format!(r#"{{"id": 9, "image_id": 1, "category_id": {category}, {rest}}}"#)
}

#[test]
fn labels_of_supervisely_add_up() {
    let objects = [
        object("car", "rectangle", "[[4, 2], [1, 1]]", "[]"),
        object("car", "polygon", "[[0, 0], [5, 0], [5, 3], [0, 3]]", "[[[1, 1], [3, 1], [3, 2], [1, 2]]]"),
        object("dog", "line", "[[0, 3], [5, 3], [0, 3]]", "[]"),
        object("dog", "point", "[[4.6, 0.4]]", "[]"),
    ];
    let text = image(&objects.join(","));
    let (rows, report) = drawn(&text, &AnnotationOptions::default());
    assert_eq!(rows, ["111112", "111121", "111121", "222222"]);
    let counts = [("car".to_owned(), 2), ("dog".to_owned(), 2)];
    assert_eq!(report, AnnotationReport { images: 1, labels: 4, classes: counts.to_vec(), ..Default::default() });
    let (rows, report) = drawn(&text, &of_class("dog"));
    assert_eq!(rows, [".....1", "......", "......", "111111"]);
    assert_eq!((report.labels, report.filtered, report.classes.len()), (2, 2, 1));
}

#[test]
fn a_list_the_api_s_form_and_several_files_are_images() {
    let point = object("car", "point", "[[2, 1]]", "[]");
    let one = image(&point);
    let list = format!("\u{feff} [{one}, {{\"imageId\": 3, \"annotation\": {one}}}, {}]", image(""));
    let (mask, report) = read(&[file("a", &one), file("b", &list)], &AnnotationOptions::default()).unwrap();
    assert_eq!(picture(&mask)[1], "..3...");
    assert_eq!((report.images, report.labels), (4, 3));
}

#[test]
fn bitmaps_are_set_where_their_png_is() {
    let pixels = png(3, 2, &[255, 0, 1, 0, 9, 0]);
    for data in [zlib(&pixels), pixels.clone()] {
        let (rows, report) = drawn(&image(&bitmap("[2, 1]", &data)), &AnnotationOptions::default());
        assert_eq!(rows, ["......", "..1.1.", "...1..", "......"]);
        assert_eq!(report.clipped, 0);
    }
    let (rows, report) = drawn(&image(&bitmap("[-1, 3]", &pixels)), &AnnotationOptions::default());
    assert_eq!((rows[3].as_str(), report.clipped), (".1....", 1));
    // Stretched, each pixel is as many as its image has per pixel.
    let (rows, _) = drawn(&image(&bitmap("[2, 1]", &pixels)), &sized(12, 8));
    assert_eq!(rows[2..6], ["....11..11..", "....11..11..", "......11....", "......11...."]);
}

#[test]
fn labels_of_coco_add_up() {
    let annotations = [
        annotation(1, r#""segmentation": [[0, 0, 2, 0, 2, 2, 0, 2], [1, 0, 3, 0, 3, 1, 1, 1]], "iscrowd": 0"#),
        annotation(2, r#""segmentation": {"size": [4, 6], "counts": "01=1G2"}, "iscrowd": 1"#),
        annotation(2, r#""segmentation": {"counts": [20, 4], "size": [4, 6]}, "iscrowd": 0"#),
        annotation(1, r#""segmentation": [], "bbox": [0, 2.5, 1.5, 1]"#),
    ];
    let text = dataset(&annotations.join(","));
    let (rows, report) = drawn(&text, &AnnotationOptions::default());
    assert_eq!(rows, ["211..2", "11...2", "1..1.2", "...1.2"]);
    assert_eq!((report.images, report.labels, report.filtered), (1, 4, 0));
    let options = AnnotationOptions { skip_crowds: true, ..of_class("dog") };
    let (rows, report) = drawn(&text, &options);
    assert_eq!(rows, [".....1"; 4]);
    assert_eq!((report.labels, report.filtered), (1, 3));
    // Runs are stretched as bitmaps are.
    assert_eq!(drawn(&text, &AnnotationOptions { width: Some(12), ..options }).0, ["..........11"; 8]);
}

#[test]
fn labels_of_yolo_add_up() {
    let text = "0 0.5 0.5 0.5 0.5\r\n1 0 0 0.5 0 0.5 1 0 1\n\n 0 0.25 0.25 0.5 0.5 0.93\n1 0 0 1 0 1 .5 0.77\n";
    let options = AnnotationOptions { names: vec!["car".to_owned(), "dog".to_owned()], ..sized(8, 4) };
    let (rows, report) = drawn(text, &options);
    assert_eq!(rows, ["22331111", "22331111", "112211..", "1111...."]);
    assert_eq!(report.classes, [("car".to_owned(), 2), ("dog".to_owned(), 2)]);
    let (rows, _) = drawn(text, &AnnotationOptions { classes: vec!["0".to_owned()], ..sized(8, 4) });
    assert_eq!(rows, ["1111....", "112211..", "..1111..", "........"]);
    // An empty file is an image without labels.
    let (mask, report) = read(&[file("a", "0 .5 .5 1 1"), file("b", " \n")], &sized(2, 1)).unwrap();
    assert_eq!((picture(&mask), report.images), (vec!["11".to_owned()], 2));
}

#[test]
fn the_size_is_that_given_or_that_of_the_images() {
    let small = image(&object("car", "rectangle", "[[0, 0], [2, 3]]", "[]"));
    let large = small.replace("\"height\": 4, \"width\": 6", "\"height\": 8, \"width\": 12");
    let files = [file("small", &small), file("large", &large)];
    let message = rejection(&files, &AnnotationOptions::default());
    let expected = "small: images of other sizes than small (6 × 4): large (12 × 8); give width and height to stretch all to \
                    one size";
    assert_eq!(message, expected);
    let message = rejection(&files, &AnnotationOptions { width: Some(6), ..AnnotationOptions::default() });
    assert_eq!(message, expected);
    let (mask, _) = read(&files, &sized(6, 4)).unwrap();
    assert_eq!(picture(&mask), ["221...", "221...", "221...", "111..."]);
    let width = AnnotationOptions { width: Some(3), ..AnnotationOptions::default() };
    assert_eq!(drawn(&small, &width).0.len(), 2);
    let height = AnnotationOptions { height: Some(1), ..AnnotationOptions::default() };
    assert_eq!(drawn(&small, &height).0, ["11"]);
    let message = rejection(&[file("file", "0 .5 .5 1 1")], &width);
    assert_eq!(message, "file: YOLO labels do not have the size of their image; give width and height");
}

#[test]
fn shapes_beyond_the_image_are_clipped_and_counted() {
    let objects = [
        object("car", "rectangle", "[[-5, -5], [0, 0]]", "[]"),
        object("car", "polygon", "[[4, 2], [9, 2], [9, 9], [4, 9]]", "[]"),
        object("car", "line", "[[-1000000, 1], [1000000, 1]]", "[]"),
        object("car", "point", "[[6, 3]]", "[]"),
        object("car", "point", "[[5, 3]]", "[]"),
    ];
    let (rows, report) = drawn(&image(&objects.join(",")), &AnnotationOptions::default());
    assert_eq!(rows, ["1.....", "111111", "....11", "....12"]);
    assert_eq!((report.labels, report.clipped), (5, 4));
    assert_eq!(report.remarks(), ["4 of 5 labels reach beyond their image and were clipped"]);
    let text = dataset(&annotation(1, r#""segmentation": [[4, -1, 9, -1, 9, 1, 4, 1]]"#));
    let (rows, report) = drawn(&text, &AnnotationOptions::default());
    assert_eq!((rows[0].as_str(), report.clipped), ("....11", 1));
    // The edge of the last pixel is within.
    let text = dataset(&annotation(1, r#""bbox": [0, 0, 6, 4]"#));
    assert_eq!(drawn(&text, &AnnotationOptions::default()).1.clipped, 0);
}

#[test]
fn broken_labels_are_rejected_with_their_place_and_the_others_count() {
    let good = object("car", "point", "[[2, 1]]", "[]");
    let bomb = zlib(&vec![0; 1 << 20]);
    for (label, reason) in [
        (r#"{"geometryType": "point"}"#.to_owned(), "missing field `classTitle`"),
        (r#"{"classTitle": "car"}"#.to_owned(), "missing `geometryType`"),
        (r#"{"classTitle": "car", "geometryType": "point"}"#.to_owned(), "missing `points`"),
        (r#"{"classTitle": "car", "geometryType": "bitmap"}"#.to_owned(), "missing `bitmap`"),
        ("[]".to_owned(), "invalid length 0"),
        (object("car", "cuboid", "[]", "[]"), "unsupported geometry \"cuboid\"; rectangle, polygon, bitmap"),
        (object("car", "rectangle", "[[0, 0]]", "[]"), "a rectangle of 1 points; expected 2 opposite corners"),
        (object("car", "polygon", "[]", "[]"), "a polygon of 0 points; expected 1 or more"),
        (object("car", "line", "[[0, 0]]", "[]"), "a line of 1 points; expected 2 or more"),
        (object("car", "point", "[[0, 0], [1, 1]]", "[]"), "a point of 2 points; expected 1"),
        (object("car", "polygon", "[[0, 0, 0]]", "[]"), "a point of more than 2 numbers; expected x and y"),
        (object("car", "polygon", "[[0]]", "[]"), "a point of 1 numbers; expected x and y"),
        (object("car", "polygon", "[[0, \"1\"]]", "[]"), "invalid type: string"),
        (object("car", "polygon", "[[0, 1]]", "[[[1, null]]]"), "invalid type: null"),
        (object("car", "polygon", "[[0, 0], [1e300, 0], [0, 1]]", "[]"), "the coordinate 1"),
        (bitmap("[0, 0]", b"junk"), "invalid zlib data"),
        (bitmap("[0, 0]", &zlib(b"junk")), "the bitmap is not a PNG image"),
        (bitmap("[0, 0]", &bomb), "the bitmap exceeds the limit of 65632 bytes"),
        (bitmap("[0, 0]", &png(2, 2, &[1; 4])[..60]), "invalid PNG"),
        (bitmap("[0, 0]", &png(5, 5, &[1; 25])), "a bitmap of 5 × 5 pixels exceeds the 24 of its image"),
        (bitmap("[1e99, 0]", &png(2, 2, &[1; 4])), "the origin 1"),
        (bitmap("[0, 0]", b"x").replace("eA==", "e*"), "invalid Base64"),
    ] {
        let (rows, report) = drawn(&image(&format!("{label}, {good}")), &AnnotationOptions::default());
        assert_eq!((rows[1].as_str(), report.labels, report.rejected), ("..1...", 1, 1), "{label}");
        let start = format!("file, objects[0]: {reason}");
        assert!(report.reasons[0].starts_with(&start), "{label}: {:?}", report.reasons);
        assert!(refused_text(&image(&label)).starts_with(&format!("file: the only label is rejected: {start}")));
    }
    let good = annotation(1, r#""bbox": [2, 1, 1, 1]"#);
    for (label, reason) in [
        (annotation(3, r#""bbox": [0, 0, 1, 1]"#), "no category has the id 3"),
        (r#"{"image_id": 2, "category_id": 1}"#.to_owned(), "no image has the id 2"),
        (r#"{"image_id": 1}"#.to_owned(), "missing field `category_id`"),
        (annotation(1, r#""segmentation": []"#), "no segmentation and no bbox"),
        (annotation(1, r#""bbox": [0, 0, -1, 1]"#), "a bbox of -1 × 1"),
        (annotation(1, r#""segmentation": [[0, 0, 1, 1]]"#), "segmentation: a polygon of 4 numbers"),
        (annotation(1, r#""segmentation": [[0, 0, 1, 1, 2, 2, 3]]"#), "segmentation: a polygon of 7 numbers"),
        (
            annotation(1, r#""segmentation": 5"#),
            "segmentation: invalid JSON: invalid type: integer `5`, expected a list",
        ),
        (annotation(1, r#""segmentation": {"size": [4, 6], "counts": "0"}"#), "RLE counts of 0 pixels for 6 × 4"),
    ] {
        let (rows, report) = drawn(&dataset(&format!("{label}, {good}")), &AnnotationOptions::default());
        assert_eq!((rows[1].as_str(), report.labels, report.rejected), ("..1...", 1, 1), "{label}");
        assert!(report.reasons[0].starts_with(&format!("file, annotations[0]: {reason}")), "{:?}", report.reasons);
    }
    let names = AnnotationOptions { names: vec!["car".to_owned()], ..sized(6, 4) };
    let options = AnnotationOptions { format: Some(AnnotationFormat::Yolo), ..names };
    for (line, reason) in [
        ("car 0 0 1 1", "the class `car` is no whole number"),
        ("1 0 0 1 1", "class 1 is not among the 1 names"),
        ("0 0 0 1", "3 values after the class; expected 4 of a box"),
        ("0 0 0 nan 1", "`nan` is no number"),
        ("0 0 0 0.5 -1", "a box of 0.5 × -1"),
        ("0 120 80 50 50", "the value 120 is not from -1 to 2; expected fractions of the width and the height"),
    ] {
        let (_, report) = drawn(&format!("{line}\n0 .5 .5 1 1"), &options);
        assert_eq!((report.labels, report.rejected), (1, 1), "{line}");
        assert!(report.reasons[0].starts_with(&format!("file, line 1: {reason}")), "{:?}", report.reasons);
    }
}

#[test]
fn a_broken_line_does_not_make_labels_another_format() {
    for broken in ["0 0.5", "car 0.5 0.5 1 1", "0 120 80 50 50", "a comment"] {
        let text = format!("0 .5 .5 1 1\n{broken}\n1 .5 .5 1 1\n");
        let (_, report) = read(&[file("file", &text)], &sized(6, 4)).unwrap();
        assert_eq!((report.labels, report.rejected), (2, 1), "{broken}");
        let remarks = report.remarks();
        assert!(remarks[0].starts_with("1 label rejected: file, line 2: "), "{remarks:?}");
    }
    assert!(rejection(&[file("file", "0.5 0.5 0.5 1 1\n0.1 0 0 0 0")], &sized(6, 4)).contains("is an array"));
    let message = rejection(&[file("file", "0 .5 .5 1 1\nto do\nto check\n")], &sized(6, 4));
    assert!(message.contains("line 2, `to do`, is not a YOLO label"), "{message}");
}

#[test]
fn files_that_are_no_annotations_are_errors() {
    let cut = image("");
    for (text, reason) in [
        (
            "[[1, 2], [3, 4]]",
            "the file is an array; an array is drawn alone and without options of annotations; expect",
        ),
        ("1,2\n3,4", "the file is an array; an array is drawn alone and without options of annotations; if its lines"),
        ("0 1 2\n\nroad 5", "unknown annotation format; line 1, `0 1 2`, is not a YOLO label; set annotations to yolo"),
        ("{}", "unknown annotation format"),
        ("{\"objects\": []}", "missing `size`"),
        ("{\"annotation\": {\"annotation\": {}}}", "file.annotation: missing `size`"),
        (&cut[..cut.len() - 1], "invalid JSON: EOF while parsing"),
        (&format!("{cut}]"), "invalid JSON: trailing characters at line 1"),
        (&cut.replace('4', "0"), "an image of 6 × 0 pixels; at least 1 × 1 is needed"),
        (&cut.replace('4', "4000000000"), "6 × 4000000000 pixels exceed the limit of 134217728"),
        (&cut.replace('4', "99999999999999999999"), "size: invalid type: floating point"),
        (&cut, "no label in 1 image"),
        ("{\"images\": []}", "no image; expected at least one with a size"),
        ("{\"images\": [{\"id\": 1, \"width\": 5}]}", "images[0]: missing field `height`"),
        (&dataset("").replace("annotations", "notes"), "missing `annotations`; expected a COCO dataset"),
        (&dataset("").replace("\"id\": 2", "\"id\": 1"), "two categories have the id 1"),
        (&format!("{{\"size\": {}", "[".repeat(100_000)), "invalid JSON: EOF"),
        (&format!("[{cut}, 5]"), "file[1]: invalid JSON: invalid type: integer `5`, expected an object"),
    ] {
        let message = refused_text(text);
        assert!(message.starts_with(&format!("file: {reason}")), "{}: {message}", &text[..text.len().min(90)]);
    }
    assert_eq!(
        read(&[], &AnnotationOptions::default()).unwrap_err().to_string(),
        "annotations: no file; at least one is needed"
    );
}

#[test]
fn an_unknown_class_is_an_error_that_lists_those_present() {
    let text = image(&[object("car", "point", "[[0, 0]]", "[]"), object("dog", "point", "[[0, 0]]", "[]")].join(","));
    let expected = "file: unknown class \"cat\"; present are car, dog";
    assert_eq!(rejection(&[file("file", &text)], &of_class("cat")), expected);
    let text = dataset(&annotation(1, r#""bbox": [0, 0, 1, 1]"#));
    assert_eq!(rejection(&[file("file", &text)], &of_class("cat")), expected);
    // A category without labels is known.
    assert_eq!(rejection(&[file("file", &text)], &of_class("dog")), "file: no label of the chosen classes in 1 image");
}

#[test]
fn limits_stop_the_work() {
    let limited = |change: &dyn Fn(&mut AnnotationLimits)| {
        let mut options = AnnotationOptions::default();
        change(&mut options.limits);
        options
    };
    let point = object("car", "point", "[[2, 1]]", "[]");
    let text = image(&[point.as_str(); 3].join(","));
    let exceeded =
        |change: &dyn Fn(&mut AnnotationLimits)| read(&[file("file", &text)], &limited(change)).unwrap_err().limit();
    assert_eq!(exceeded(&|limits| limits.max_labels = 2), Some(Limit::Labels));
    assert_eq!(exceeded(&|limits| limits.max_cells = 23), Some(Limit::Cells));
    assert_eq!(exceeded(&|limits| limits.max_bytes = 99), Some(Limit::Bytes));
    assert_eq!(exceeded(&|limits| limits.max_vertices = 2), Some(Limit::Vertices));
    assert_eq!(exceeded(&|limits| limits.max_steps = 5), Some(Limit::Steps));
    assert_eq!(read(&[file("file", "{}")], &AnnotationOptions::default()).unwrap_err().limit(), None);
    assert_eq!(drawn(&text, &limited(&|limits| limits.max_vertices = 3)).0[1], "..3...");
    let over = |options: &AnnotationOptions| rejection(&[file("file", &text)], options);
    assert_eq!(over(&limited(&|limits| limits.max_labels = 2)), "file: the labels exceed the limit of 2");
    assert_eq!(over(&limited(&|limits| limits.max_cells = 23)), "file: 6 × 4 pixels exceed the limit of 23");
    assert_eq!(over(&limited(&|limits| limits.max_bytes = 99)), "file: the annotations exceed the limit of 99 bytes");
    assert!(
        over(&limited(&|limits| limits.max_steps = 5))
            .starts_with("file: drawing the shapes exceeds the limit of 5 steps")
    );
    assert_eq!(drawn(&text, &limited(&|limits| limits.max_steps = 6)).0[1], "..3...");
    let packed = image(&bitmap("[0, 0]", &zlib(&png(5, 4, &[1; 20]))));
    let over = rejection(&[file("file", &packed)], &limited(&|limits| limits.max_steps = 5));
    assert!(over.starts_with("file: drawing the shapes exceeds the limit of 5 steps"), "{over}");
    let over = rejection(&[file("file", &text)], &sized(1 << 20, 1 << 20));
    assert_eq!(over, "file: 1048576 × 1048576 pixels exceed the limit of 134217728");
    let ring = format!("[{}[0,0]]", "[1,1],".repeat(MAX_VERTICES));
    let message = refused_text(&image(&object("car", "polygon", &ring, "[]")));
    assert!(message.ends_with("a list exceeds the limit of 1048576 elements"), "{message}");
    let ring = format!("[{}[0,0]]", "[1,1],".repeat(MAX_VERTICES / 2));
    let message = refused_text(&image(&object("car", "polygon", &ring, &format!("[{ring}]"))));
    assert!(message.ends_with("the label exceeds the limit of 1048576 vertices in 65536 rings"), "{message}");
}

#[test]
fn the_format_is_found_by_content() {
    use AnnotationFormat::{Coco, Supervisely, Yolo};
    let long = "0 0.5 0.5 0.25 0.25\n".repeat(2000);
    let polygon = format!("7{}", " 0.25".repeat(9001));
    for (text, format) in [
        (image("").as_str(), Some(Supervisely)),
        (&format!("[{}]", image("")), Some(Supervisely)),
        (&dataset(""), Some(Coco)),
        ("{\"info\": {\"size\": 1}, \"images\": [", Some(Coco)),
        ("{\"type\": \"FeatureCollection\", \"features\": []}", None),
        ("[[1]]", None),
        ("", None),
        ("0 0.5 0.5 0.25 0.25", Some(Yolo)),
        (&long, Some(Yolo)),
        (&polygon, Some(Yolo)),
        ("0 0.5 0.5 0.25 0.25\n0.5 0.5 0.25 0.25 1", None),
        ("1 200 300 400 500", None),
        ("0,0.5,0.5,0.25,0.25", None),
    ] {
        assert_eq!(AnnotationFormat::detect(text.as_bytes()), format, "{}", &text[..text.len().min(90)]);
    }
}

/// Whether a center is within polygons, one by one, by counting the edges to its left.
fn covers(rings: &[Vec<[f64; 2]>], [x, y]: [f64; 2]) -> bool {
    rings.iter().any(|ring| {
        let edges = (0..ring.len()).map(|at| (ring[at], ring[(at + 1) % ring.len()]));
        let left =
            edges.filter(|([x0, y0], [x1, y1])| (*y0 <= y) != (*y1 <= y) && x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x);
        left.count() % 2 == 1
    })
}

proptest! {
    #[test]
    fn polygons_cover_the_pixels_whose_centers_are_within(
        rings in proptest::collection::vec(proptest::collection::vec([-3.0..15.0_f64, -3.0..12.0_f64], 3..9), 1..4),
    ) {
        let numbers: Vec<Vec<f64>> = rings.iter().map(|ring| ring.as_flattened().to_vec()).collect();
        let text = format!(
            r#"{{"images": [{{"id": 1, "width": 12, "height": 9}}], "categories": [{{"id": 1, "name": "car"}}],
                "annotations": [{{"image_id": 1, "category_id": 1, "segmentation": {numbers:?}}}]}}"#
        );
        let (mask, _) = read(&[file("file", &text)], &AnnotationOptions::default()).unwrap();
        for (row, column) in (0..108).map(|at| (at / 12, at % 12)) {
            let within = covers(&rings, [column as f64 + 0.5, row as f64 + 0.5]);
            prop_assert_eq!(mask.value(row, column), Some(f64::from(u8::from(within))), "row {}, column {}", row, column);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in "[\\[\\]{}\":, 0-9a-z.-]{0,60}") {
        for (_, format) in AnnotationFormat::ALL {
            let options = AnnotationOptions { format: Some(format), ..sized(5, 4) };
            let _ = read(&[file("file", &text)], &options);
        }
    }
}
