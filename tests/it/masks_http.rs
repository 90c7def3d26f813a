//! Masks over HTTP: stored, drawn, changed, looked up and clicked on.

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::golden::Picture;
use crate::kiln::kiln;
use crate::server::{Reply, Server, eventually};

/// A NumPy file of 32-bit floats.
pub(crate) fn npy(rows: usize, columns: usize, values: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// A wave with a cell without data at row 2, column 3.
fn wave(rows: usize, columns: usize) -> Vec<f32> {
    let value = |row: usize, column: usize| ((row as f32 * 0.4).sin() + (column as f32 * 0.3).cos()) * 10.0;
    let mut values: Vec<f32> = (0..rows).flat_map(|row| (0..columns).map(move |column| value(row, column))).collect();
    values[2 * columns + 3] = f32::NAN;
    values
}

/// A PNG with a gradient.
pub(crate) fn photo(width: u32, height: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x % 256) as u8, (y % 256) as u8, 90]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

pub(crate) fn picture(reply: &Reply) -> Picture {
    assert_eq!(reply.header("content-type"), Some("image/png"));
    Picture::decode(Cursor::new(&reply.body)).unwrap()
}

/// A form with files and texts.
pub(crate) fn form(files: &[(&str, &[u8])], texts: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head = format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}.bin\"\r\n\r\n");
        body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    for (name, text) in texts {
        body.extend(format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n").bytes());
    }
    body.extend(b"--XX--\r\n");
    body
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");
const NPY: (&str, &str) = ("content-type", "application/x-npy");

pub(crate) fn create(server: &Server, query: &str, bytes: &[u8]) -> Value {
    server.send("POST", &format!("/masks{query}"), &[NPY], bytes).ok(201).json()
}

pub(crate) fn url<'m>(mask: &'m Value, name: &str) -> &'m str {
    mask["urls"][name].as_str().unwrap()
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn metric(server: &Server, line: &str) -> u64 {
    let text = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
    let found = text.lines().find_map(|there| there.strip_prefix(line));
    found.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or(0.0) as u64
}

#[test]
fn a_mask_is_stored_described_and_drawn_as_the_command_line_draws_it() {
    let server = Server::start();
    let bytes = npy(20, 30, &wave(20, 30));
    let reply = server.send("POST", "/masks?opacity=50&colormap=turbo", &[NPY], &bytes).ok(201);
    let mask = reply.json();
    assert_eq!(reply.header("location"), Some(url(&mask, "mask")));
    let id = mask["id"].as_str().unwrap();
    assert_eq!((id.len(), url(&mask, "image")), (32, format!("/masks/{id}.png").as_str()));
    assert_eq!(
        (&mask["width"], &mask["height"], &mask["rows"], &mask["columns"]),
        (&json!(30), &json!(20), &json!(20), &json!(30))
    );
    assert_eq!((&mask["missing"], &mask["urls"]["background"]), (&json!(1), &Value::Null));
    assert_eq!(mask["expires_at"].as_u64().unwrap() - mask["created_at"].as_u64().unwrap(), 3600);
    assert_eq!(server.get(url(&mask, "mask")).ok(200).json(), mask);

    std::fs::write(server.folder().join("wave.npy"), &bytes).unwrap();
    for (query, flags) in [
        ("", &["--colormap", "turbo", "--opacity", "50"][..]),
        ("?colormap=2&opacity=100", &["--colormap", "jet", "--opacity", "100"]),
        (
            "?blur_ksize=none&vmin=-5&vmax=5&transparent_low=true",
            &[
                "--colormap",
                "turbo",
                "--opacity",
                "50",
                "--blur-ksize",
                "none",
                "--vmin=-5",
                "--vmax",
                "5",
                "--transparent-low",
            ],
        ),
        (
            "?width=90&resample=nearest&blur=median",
            &["--colormap", "turbo", "--opacity", "50", "--width", "90", "--resample", "nearest", "--blur", "median"],
        ),
    ] {
        let drawn = picture(&server.get(&format!("{}{query}", url(&mask, "image"))).ok(200));
        kiln(server.folder(), ["mask", "wave.npy", "-o", "out.png"].iter().chain(flags)).done();
        assert_eq!(drawn, Picture::read(&server.folder().join("out.png")).unwrap(), "{query}");
    }
    let (vmin, vmax) = (mask["vmin"].as_f64().unwrap(), mask["vmax"].as_f64().unwrap());
    assert!(vmin < -15.0 && vmax > 15.0 && vmax < 20.0, "{vmin} {vmax}");
    let legend = server.get(&format!("{}?title=Wave&unit=mV", url(&mask, "legend_json"))).ok(200).json();
    assert_eq!(
        (&legend["vmin"], &legend["vmax"], &legend["colormap"]),
        (&mask["vmin"], &mask["vmax"], &json!("turbo"))
    );
    assert_eq!((legend["colors"].as_array().unwrap().len(), &legend["unit"]), (17, &json!("mV")));
    assert!(legend["ticks"].as_array().unwrap().len() > 2);
    assert!(picture(&server.get(url(&mask, "legend")).ok(200)).width > 200);
}

#[test]
fn a_client_that_has_a_picture_gets_no_bytes_until_something_changes() {
    let server = Server::start();
    let mask = create(&server, "", &npy(8, 8, &wave(8, 8)));
    let image = url(&mask, "image");
    let first = server.get(image).ok(200);
    let tag = first.header("etag").unwrap();
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    let again = server.send("GET", image, &[("if-none-match", tag)], b"").ok(304);
    assert!(again.body.is_empty());
    for query in ["?opacity=10", "?colormap=bone", "?width=9"] {
        server.send("GET", &format!("{image}{query}"), &[("if-none-match", tag)], b"").ok(200);
    }
    server.send("PATCH", url(&mask, "mask"), &[], br#"{"opacity": 20}"#).ok(200);
    let restyled = server.send("GET", image, &[("if-none-match", tag)], b"").ok(200);
    server.send("PUT", &format!("{}/mask", url(&mask, "mask")), &[NPY], &npy(8, 8, &wave(8, 8))).ok(200);
    server.send("GET", image, &[("if-none-match", restyled.header("etag").unwrap())], b"").ok(200);
}

#[test]
fn a_form_has_the_mask_its_background_and_its_style() {
    let server = Server::start();
    let values = npy(20, 30, &wave(20, 30));
    let body =
        form(&[("mask", &values), ("background", &photo(120, 80))], &[("opacity", "40"), ("blur_ksize", "[7, 5]")]);
    let mask = server.send("POST", "/masks", &[FORM], &body).ok(201).json();
    assert_eq!((&mask["width"], &mask["height"], &mask["remarks"]), (&json!(120), &json!(80), &json!([])));
    assert_eq!(mask["style"], json!({"opacity": "40", "blur_ksize": "7,5"}));
    let below = Picture::decode(Cursor::new(photo(120, 80))).unwrap();
    assert_eq!(picture(&server.get(url(&mask, "background")).ok(200)).pixels, below.pixels);
    let composite = picture(&server.get(url(&mask, "image")).ok(200));
    assert!(composite.pixels.chunks(4).all(|pixel| pixel[3] == 255) && composite.pixels != below.pixels);
    // By itself it has the size of the picture, so that a page can lay one over the other.
    let overlay = picture(&server.get(url(&mask, "overlay")).ok(200));
    assert_eq!((overlay.width, overlay.height), (120, 80));
    assert!(overlay.pixels.chunks(4).any(|pixel| pixel[3] == 102));
    // A different aspect ratio is reported.
    let body = form(&[("mask", &values), ("background", &photo(50, 80))], &[]);
    let stretched = server.send("POST", "/masks", &[FORM], &body).ok(201).json();
    assert!(stretched["remarks"][0].as_str().unwrap().contains("stretched"), "{stretched}");
}

#[test]
fn each_format_and_each_way_to_send_it_is_the_same_mask() {
    let server = Server::start();
    let values = [[0.0, 0.5, 1.0], [2.0, f32::NAN, 4.0]].concat();
    let rows = "[[0, 0.5, 1], [2, null, 4]]";
    let ask = json!({"mask": [[0, 0.5, 1], [2, null, 4]]}).to_string();
    let python = ask.replace("null", "NaN");
    let array = npy(2, 3, &values);
    let in_form = form(&[("mask", &array)], &[]);
    let text_in_form = form(&[], &[("mask", rows)]);
    let curl = ("content-type", "application/x-www-form-urlencoded");
    for (header, body) in [
        (NPY, &array[..]),
        (("content-type", "application/octet-stream"), &array),
        (curl, &array),
        (("content-type", "application/json"), rows.as_bytes()),
        (curl, rows.as_bytes()),
        (("content-type", "application/json"), ask.as_bytes()),
        (("content-type", "application/json"), python.as_bytes()),
        (("content-type", "text/csv"), b"0,0.5,1\n2,nan,4\n"),
        (FORM, &in_form),
        (FORM, &text_in_form),
    ] {
        let mask = server.send("POST", "/masks", &[header], body).ok(201).json();
        assert_eq!(
            (&mask["rows"], &mask["columns"], &mask["missing"]),
            (&json!(2), &json!(3), &json!(1)),
            "{header:?}"
        );
        let value = |row: usize, column: usize| {
            server.get(&format!("{}?row={row}&column={column}", url(&mask, "value"))).ok(200).json()["value"].clone()
        };
        assert_eq!(
            [value(0, 1), value(1, 0), value(1, 1), value(1, 2)],
            [json!(0.5), json!(2.0), Value::Null, json!(4.0)]
        );
    }
    // A PNG is read as numbers.
    let mask = server.send("POST", "/masks", &[("content-type", "image/png")], &photo(7, 5)).ok(201).json();
    let value = server.get(&format!("{}?row=4&column=6", url(&mask, "value"))).ok(200).json();
    assert_eq!(value["value"], json!((6.0 + 4.0 + 90.0) / 3.0));
}

#[test]
fn values_are_found_by_pixels_of_the_picture_and_by_cells() {
    let server = Server::start();
    let values = npy(2, 3, &[0.0, 1.0, 2.0, 3.0, f32::NAN, f32::INFINITY]);
    let mask =
        server.send("POST", "/masks", &[FORM], &form(&[("mask", &values), ("background", &photo(300, 200))], &[]));
    let mask = mask.ok(201).json();
    let value = |query: &str| server.get(&format!("{}?{query}", url(&mask, "value")));
    assert_eq!(
        value("x=150.5&y=99").ok(200).json(),
        json!({"x": 150.5, "y": 99.0, "row": 0, "column": 1, "value": 1.0})
    );
    assert_eq!(
        value("row=1&column=0").ok(200).json(),
        json!({"x": 50.0, "y": 150.0, "row": 1, "column": 0, "value": 3.0})
    );
    assert_eq!(value("x=150&y=199.9").ok(200).json()["value"], Value::Null);
    assert_eq!(value("row=1&column=2").ok(200).json()["value"], "Infinity");
    // The same from memory.
    server.get(url(&mask, "image")).ok(200);
    assert_eq!(value("row=1&column=0").ok(200).json()["value"], 3.0);
    for (query, parameter) in [
        ("x=300&y=0", "x"),
        ("x=0&y=-1", "y"),
        ("row=2&column=0", "row"),
        ("row=0&column=3", "column"),
        ("x=1", "y"),
        ("row=1", "column"),
        ("column=1", "row"),
        ("x=1&y=1&row=1&column=1", "x"),
        ("", "x"),
        ("x=nan&y=1", "x"),
        ("x=1&y=1&z=1", "z"),
    ] {
        let reply = value(query);
        reply.rejected(400, &[]);
        assert_eq!(reply.json()["parameter"], parameter, "{query}");
    }
}

#[test]
fn values_background_and_style_are_replaced_or_left_as_they_were() {
    let server = Server::start();
    let mask = create(&server, "?colormap=bone&vmax=100", &npy(4, 4, &[1.0; 16]));
    let id = url(&mask, "mask").to_owned();
    let put = |name: &str, header, body: &[u8]| server.send("PUT", &format!("{id}/{name}"), &[header], body);
    let patch = |json: &str| server.send("PATCH", &id, &[("content-type", "application/json")], json.as_bytes());

    let changed = put("mask", NPY, &npy(3, 5, &wave(3, 5))).ok(200).json();
    assert_eq!((&changed["rows"], &changed["columns"], &changed["vmax"]), (&json!(3), &json!(5), &json!(100.0)));
    assert_eq!((&changed["expires_at"], &changed["style"]["colormap"]), (&mask["expires_at"], &json!("bone")));
    let changed = put("background", ("content-type", "image/png"), &photo(50, 30)).ok(200).json();
    assert_eq!((&changed["width"], &changed["height"]), (&json!(50), &json!(30)));
    let changed = patch(r#"{"vmax": null, "opacity": 30, "blur_ksize": [3, 3]}"#).ok(200).json();
    assert_eq!(changed["style"], json!({"colormap": "bone", "opacity": "30", "blur_ksize": "3,3"}));
    assert!(changed["vmax"].as_f64().unwrap() < 20.0);

    let before = (server.get(&id).ok(200).json(), picture(&server.get(&format!("{id}.png")).ok(200)).pixels);
    put("mask", NPY, b"\x93NUMPY\x01\0").rejected(400, &["mask: "]);
    put("mask", NPY, &npy(2, 2, &[f32::NAN; 4])).rejected(400, &["mask: all values are NaN"]);
    put("background", ("content-type", "image/png"), b"GIF89a").rejected(400, &["background: "]);
    patch(r#"{"opacity": 101}"#).rejected(400, &["opacity: ", "0 to 100"]);
    patch(r#"{"colormap": "jett"}"#).rejected(400, &["colormap: ", "jet"]);
    patch(r#"{"vmin": 500}"#).rejected(400, &["vmin: 500 must be less than"]);
    patch(r#"{"colour": 1}"#).rejected(400, &["colour: ", "colormap"]);
    patch(r#"{"blur_ksize": [4, 4]}"#).rejected(400, &["blur_ksize: "]);
    patch("[1]").rejected(400, &[]);
    assert_eq!((server.get(&id).ok(200).json(), picture(&server.get(&format!("{id}.png")).ok(200)).pixels), before);

    server.send("DELETE", &id, &[], b"").ok(204);
    for reply in [
        server.get(&id),
        server.get(&format!("{id}.png")),
        server.get(&format!("{id}/value?row=0&column=0")),
        server.get(&format!("{id}/legend.png")),
        server.get(&format!("{id}/legend.json")),
        server.get(&format!("{id}/events")),
        server.send("DELETE", &id, &[], b""),
        server.post(&format!("{id}/click"), &json!({"x": 1, "y": 1})),
        put("mask", NPY, &npy(1, 1, &[1.0])),
        put("background", ("content-type", "image/png"), &photo(1, 1)),
        patch("{}"),
        server.get("/masks/frames"),
        server.get("/masks/../masks"),
    ] {
        reply.rejected(404, &[]);
    }
    assert_eq!(std::fs::read_dir(server.folder().join("masks")).unwrap().count(), 0);
}

#[test]
fn mistakes_name_the_parameter_and_what_is_accepted() {
    let server = Server::with(&[], "[limits]\nmask_cells = 100\nmask_body = 4096\npixels = 400\n");
    let post = |query: &str, header, body: &[u8]| server.send("POST", &format!("/masks{query}"), &[header], body);
    let small = npy(2, 2, &[0.0, 1.0, 2.0, 3.0]);
    post("", NPY, &npy(11, 10, &[0.5; 110])).rejected(413, &["limits.mask_cells: ", "11 × 10", "100"]);
    post("", NPY, &vec![0; 5000]).rejected(413, &["limits.mask_body: ", "4096"]);
    post("?width=21&height=20", NPY, &small).rejected(413, &["limits.pixels: ", "21 × 20", "400"]);
    post("", FORM, &form(&[("mask", &small), ("background", &photo(30, 30))], &[])).rejected(413, &["limits.pixels: "]);
    post("?colourmap=1", NPY, &small).rejected(400, &["colourmap: ", "did you mean colormap?"]);
    post("?vmin=3&vmax=2", NPY, &small).rejected(400, &["vmin: 3 must be less than vmax, 2"]);
    post("?blur_ksize=4", NPY, &small).rejected(400, &["blur_ksize: invalid kernel side 4"]);
    post("?member=a", NPY, &small).rejected(400, &["mask: ", ".npz"]);
    post("", NPY, b"").rejected(400, &["empty"]);
    post("", FORM, &form(&[], &[("opacity", "50")])).rejected(400, &["mask: missing"]);
    post("", FORM, &form(&[("mask", &small), ("photo", b"x")], &[]))
        .rejected(400, &["photo: ", "mask, background or class_names"]);
    post("", FORM, &form(&[("mask", &small), ("mask", &small)], &[])).rejected(400, &["mask: mask.bin: ", "COCO JSON"]);
    post("", FORM, b"--XX\r\n").rejected(400, &["form"]);
    post("", ("content-type", "video/mp4"), &small)
        .rejected(415, &["video/mp4", "multipart/form-data", "application/x-npy"]);
    post("", ("content-type", "application/json"), br#"{"mask": [[1, 2], [3]]}"#).rejected(400, &["mask: "]);
    post("", ("content-type", "application/json"), b"{\"mask\": [[1]], \"opacity\": [1]}")
        .rejected(400, &["opacity: "]);
    assert!(
        !server.folder().join("masks").exists()
            || std::fs::read_dir(server.folder().join("masks")).unwrap().count() == 0
    );
    // No token is needed, as for overlays.
    let locked = Server::with(&[], "[server]\ntoken = \"secret\"\n");
    create(&locked, "", &small);
}

/// An image of Supervisely of 6 × 4 pixels, with a rectangle of `class` over both rows from `top` on.
fn rectangle(class: &str, top: usize, columns: [usize; 2]) -> String {
    let ([left, right], bottom) = (columns, top + 1);
    let label = json!({
        "classTitle": class,
        "geometryType": "rectangle",
        "points": {"exterior": [[left, top], [right, bottom]], "interior": []},
    });
    json!({"size": {"width": 6, "height": 4}, "objects": [label]}).to_string()
}

/// Two boxes, a car and a bus, and one of an unknown category; the car is a crowd and reaches beyond the image.
fn coco() -> Value {
    json!({
        "images": [{"id": 1, "width": 6, "height": 4}],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [4, 2, 9, 1], "iscrowd": 1},
            {"image_id": 1, "category_id": 2, "bbox": [0, 0, 5, 3]},
            {"image_id": 1, "category_id": 9, "bbox": [0, 0, 1, 1]},
        ],
    })
}

/// The counts of a row of a mask, without those from the first zero at the end on.
fn row_of(server: &Server, mask: &Value, row: usize) -> String {
    let columns = mask["columns"].as_u64().unwrap();
    let value = |column| server.get(&format!("{}?row={row}&column={column}", url(mask, "value"))).ok(200).json();
    (0..columns).map(|column| value(column)["value"].to_string().trim_end_matches(".0").to_owned()).collect()
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn annotations_become_a_mask_that_counts_labels() {
    let server = Server::start();
    let post = |query: &str, header, body: &[u8]| server.send("POST", &format!("/masks{query}"), &[header], body);
    let coco_text = coco().to_string();
    let request = json!({"annotations": "coco", "mask": coco(), "class": ["car", "bus"]}).to_string();
    for (header, body) in [
        (JSON, coco_text.as_bytes()),
        (("content-type", "application/x-www-form-urlencoded"), coco_text.as_bytes()),
        (("content-type", "application/octet-stream"), coco_text.as_bytes()),
        (JSON, request.as_bytes()),
        (FORM, &form(&[("mask", coco_text.as_bytes())], &[("class", "car, bus")])),
    ] {
        let mask = post("", header, body).ok(201).json();
        assert_eq!((&mask["rows"], &mask["columns"], &mask["vmax"]), (&json!(4), &json!(6), &json!(2.0)), "{header:?}");
        assert_eq!([0, 2, 3].map(|row| row_of(&server, &mask, row)), ["111110", "111121", "000000"]);
        assert_eq!(
            mask["remarks"],
            json!([
                "1 of 2 labels reach beyond their image and were clipped",
                "1 label rejected: mask, annotations[2]: no category has the id 9",
                "the default blur of 5 × 5 cells is large for a mask of 6 × 4; use blur_ksize none"
            ])
        );
        // They stay with the mask.
        assert_eq!(server.get(url(&mask, "mask")).ok(200).json(), mask);
    }
    for query in ["?class=bus", "?skip_crowds=true", "?class=%5B%22bus%22%5D"] {
        let mask = post(query, JSON, coco_text.as_bytes()).ok(201).json();
        assert_eq!(row_of(&server, &mask, 2), "111110", "{query}");
    }
    // An array of images is annotations, one of rows is an array.
    let list = format!("[{},{}]", rectangle("car", 0, [0, 2]), rectangle("bus", 1, [2, 5]));
    let mask = post("", JSON, list.as_bytes()).ok(201).json();
    assert_eq!([0, 1, 2].map(|row| row_of(&server, &mask, row)), ["111000", "112111", "001111"]);
    let rows = post("?blur_ksize=none", JSON, b"[[1, 2], [3, 4]]").ok(201).json();
    assert_eq!((row_of(&server, &rows, 1), &rows["remarks"]), ("34".to_owned(), &json!([])));
    // Several files of a form; the size is that of the picture.
    let files = [rectangle("car", 0, [0, 2]), rectangle("car", 0, [2, 5])];
    let body = form(&[("mask", files[0].as_bytes()), ("mask", files[1].as_bytes())], &[("width", "12")]);
    let mask = post("", FORM, &body).ok(201).json();
    assert_eq!((&mask["rows"], &mask["columns"]), (&json!(8), &json!(12)));
}

#[test]
fn yolo_labels_need_a_size_and_are_expected_by_a_parameter_or_several_files() {
    let server = Server::start();
    let post = |query: &str, header, body: &[u8]| server.send("POST", &format!("/masks{query}"), &[header], body);
    let text = ("content-type", "text/plain");
    let labels = b"0 0.25 0.5 0.5 1\n1 0.5 0.5 1 1\n";
    // Without a parameter of annotations it is an array of numbers separated by spaces.
    let array = post("", text, labels).ok(201).json();
    assert_eq!((&array["rows"], &array["columns"]), (&json!(2), &json!(5)));
    post("?annotations=yolo", text, labels).rejected(400, &["mask: YOLO labels", "give width and height"]);
    let mask = post("?width=4&height=2&class=car&class_names=car,bus", text, labels).ok(201).json();
    assert_eq!(row_of(&server, &mask, 0), "1100");
    let names = ("class_names", &b"names:\n  0: car\n  1: bus\n"[..]);
    let size = [("width", "4"), ("height", "2"), ("class", "bus")];
    let body = form(&[("mask", labels), ("mask", b""), names], &size);
    assert_eq!(row_of(&server, &post("", FORM, &body).ok(201).json(), 1), "1111");
    post("?width=4&height=2&class=dog", text, labels).rejected(400, &["mask: unknown class \"dog\"; present are 0, 1"]);
    post("?annotations=voc", text, labels).rejected(400, &["annotations: ", "supervisely, coco, yolo"]);
    post("", FORM, &form(&[("mask", labels), ("class_names", b"a\n")], &[("class_names", "a")]))
        .rejected(400, &["class_names: duplicate field"]);
    post("", FORM, &form(&[("mask", labels), ("class_names", b"")], &size))
        .rejected(400, &["class_names: no class names"]);
    post("?member=a", JSON, coco().to_string().as_bytes()).rejected(400, &["mask: ", ".npz"]);
    let body = form(&[("mask", rectangle("car", 0, [0, 1]).as_bytes()), ("mask", b"[1")], &[]);
    post("", FORM, &body).rejected(400, &["mask: mask.bin: "]);

    // Other values: in the size of the style, or in a size of their own.
    let id = url(&mask, "mask");
    let put = |query: &str| server.send("PUT", &format!("{id}/mask{query}"), &[text], labels);
    let changed = put("?annotations=yolo").ok(200).json();
    assert_eq!((&changed["columns"], row_of(&server, &changed, 0)), (&json!(4), "2211".to_owned()));
    let changed = put("?annotations=yolo&width=2&height=1").ok(200).json();
    assert_eq!(
        (&changed["columns"], &changed["width"], row_of(&server, &changed, 0)),
        (&json!(2), &json!(4), "21".into())
    );
    let changed = server.send("PUT", &format!("{id}/mask"), &[JSON], coco().to_string().as_bytes()).ok(200).json();
    assert_eq!(changed["remarks"].as_array().unwrap().len(), 3, "{changed}");
    let changed = server.send("PUT", &format!("{id}/mask"), &[NPY], &npy(1, 1, &[1.0])).ok(200).json();
    let remark = "the default blur of 5 × 5 cells is large for a mask of 1 × 1; use blur_ksize none";
    assert_eq!(changed["remarks"], json!([remark]));
}

#[test]
fn each_limit_that_a_mask_exceeds_is_named() {
    let limits =
        "mask_cells = 100\nmask_body = 4096\npixels = 400\nmask_labels = 3\nmask_vertices = 10\nmask_steps = 60\n";
    let server = Server::with(&[], &format!("[limits]\n{limits}"));
    let post = |query: &str, header, body: &[u8]| server.send("POST", &format!("/masks{query}"), &[header], body);
    let yolo = |query: &str, labels: &str| {
        let query = format!("?annotations=yolo&width=8&height=8{query}");
        post(&query, ("content-type", "text/plain"), labels.as_bytes())
    };
    let square = "0 0.5 0.5 1 1\n";
    yolo("", square).ok(201);
    yolo("&class=1", &["1 0.5 0.5 1 1\n", &square.repeat(3)].concat())
        .rejected(413, &["limits.mask_labels: ", "limit of 3"]);
    yolo("", &square.repeat(3)).rejected(413, &["limits.mask_vertices: ", "limit of 10"]);
    // The edges of a zigzag, in each of the rows.
    let zigzag = "0 0 0 0.1 1 0.2 0 0.3 1 0.4 0 0.5 1 0.6 0 0.7 1 0.8 0\n";
    yolo("", zigzag).rejected(413, &["limits.mask_steps: ", "60 steps"]);
    let large = json!({"size": {"width": 11, "height": 10}, "objects": []}).to_string();
    post("", JSON, large.as_bytes()).rejected(413, &["limits.mask_cells: ", "11 × 10"]);
    // Each format of arrays, whatever it says of its limit.
    let rows = format!("[{}]", ["[1,2,3,4,5,6,7,8,9,10,11]"; 10].join(","));
    post("", JSON, rows.as_bytes()).rejected(413, &["limits.mask_cells: "]);
    post("", ("content-type", "text/csv"), "1,2,3,4,5,6,7,8,9,10,11\n".repeat(10).as_bytes())
        .rejected(413, &["limits.mask_cells: "]);
    post("", ("content-type", "image/png"), &photo(11, 10)).rejected(413, &["limits.mask_cells: "]);
    post("", NPY, &vec![0; 5000]).rejected(413, &["limits.mask_body: "]);
    let small = npy(2, 2, &[0.0, 1.0, 2.0, 3.0]);
    post("", FORM, &form(&[("mask", &small), ("background", &photo(30, 30))], &[])).rejected(413, &["limits.pixels: "]);
    // A number of a message that is that of a limit is none.
    post("", ("content-type", "text/csv"), b"100\nthe limit of 100\n").rejected(400, &["mask: "]);
}

#[test]
fn masks_survive_a_restart() {
    let mut server = Server::start();
    let body = form(&[("mask", &npy(6, 6, &wave(6, 6))), ("background", &photo(12, 12))], &[("colormap", "hot")]);
    let mask = server.send("POST", "/masks", &[FORM], &body).ok(201).json();
    let before = server.get(url(&mask, "image")).ok(200);
    server.restart();
    let after = server.get(url(&mask, "image")).ok(200);
    assert_eq!((after.header("etag"), picture(&after)), (before.header("etag"), picture(&before)));
    assert_eq!(server.get(url(&mask, "mask")).ok(200).json(), mask);
}

#[test]
fn a_mask_expires() {
    let server = Server::with(&[], "[masks]\nttl = \"5s\"\n[images]\nsweep_every = \"1s\"\n");
    let mask = create(&server, "", &npy(2, 2, &[0.0, 1.0, 2.0, 3.0]));
    server.get(url(&mask, "image")).ok(200);
    let until = mask["expires_at"].as_u64().unwrap();
    eventually("the expiry", || server.get(url(&mask, "image")).status == 404);
    assert!(now_s() >= until);
    server.get(url(&mask, "mask")).rejected(404, &["unknown or expired"]);
}

#[test]
fn the_oldest_masks_go_beyond_a_limit_and_a_burst_is_refused() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[masks]\nmax_count = 2\nmax_size = \"1MB\"\n").unwrap();
    let mut server = Server::at(home, &[]);
    let small = npy(2, 2, &[0.0, 1.0, 2.0, 3.0]);
    let masks = [create(&server, "", &small), create(&server, "", &small)];
    // A mask whose URL was returned recently is still available.
    server.send("POST", "/masks", &[NPY], &small).rejected(503, &["masks.max_count", "retry"]);
    server.send("POST", "/masks", &[NPY], &npy(600, 600, &vec![0.5; 360_000])).rejected(413, &["masks.max_size: "]);
    // A minute later they are the oldest.
    for (mask, age_s) in masks.iter().zip([100, 90]) {
        let path = server.folder().join("masks").join(mask["id"].as_str().unwrap()).join("mask.json");
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        record["created_s"] = json!(now_s() - age_s);
        std::fs::write(&path, record.to_string()).unwrap();
    }
    server.restart();
    eventually("the first cleanup", || metric(&server, "kiln_masks ") == 2);
    create(&server, "", &small);
    assert_eq!((server.get(url(&masks[0], "mask")).status, server.get(url(&masks[1], "mask")).status), (404, 200));
    assert_eq!(metric(&server, "kiln_masks_removed_total{reason=\"Evicted\"}"), 1);
    assert_eq!(metric(&server, "kiln_masks_created_total"), 1);
}

#[test]
fn a_killed_server_leaves_whole_masks_or_none() {
    let mut server = Server::start();
    let bytes = npy(200, 200, &wave(200, 200));
    let body = form(&[("mask", &bytes), ("background", &photo(200, 200))], &[]);
    let mut known: Vec<String> = Vec::new();
    for round in 0..6_u64 {
        let address = server.address().to_owned();
        let body = body.clone();
        let (sender, receiver) = channel();
        let client = std::thread::spawn(move || {
            // Until the server is gone.
            let ask = || -> std::io::Result<()> {
                loop {
                    let mut stream = TcpStream::connect(&address)?;
                    let head = format!(
                        "POST /masks HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{}: {}\r\ncontent-length: {}\r\n\r\n",
                        FORM.0,
                        FORM.1,
                        body.len()
                    );
                    stream.write_all(head.as_bytes())?;
                    stream.write_all(&body)?;
                    let mut reply = String::new();
                    stream.read_to_string(&mut reply)?;
                    let Some((_, json)) = reply.split_once("\r\n\r\n") else { return Ok(()) };
                    let Ok(mask) = serde_json::from_str::<Value>(json) else { return Ok(()) };
                    sender.send(mask["urls"]["image"].as_str().unwrap().to_owned()).unwrap();
                }
            };
            let _ = ask();
        });
        std::thread::sleep(Duration::from_millis(400 + 97 * round));
        server.kill();
        client.join().unwrap();
        known.extend(receiver.try_iter());
        server.restart();
    }
    assert!(known.len() > 3, "{}", known.len());
    let mut whole = 0;
    for entry in std::fs::read_dir(server.folder().join("masks")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with(".kiln-") {
            continue;
        }
        server.get(&format!("/masks/{name}.png")).ok(200);
        whole += 1;
    }
    assert!(whole >= known.len());
    for image in &known {
        server.get(image).ok(200);
    }
}
