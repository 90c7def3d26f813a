//! Frames of a layer over time, and animated pictures.

use std::fs;

use image::AnimationDecoder;
use serde_json::Value;

use crate::kiln::{data, kiln};
use crate::server::Server;

fn quakes() -> String {
    data("earthquakes.geojson").to_str().unwrap().to_owned()
}

#[test]
fn frames_cover_all_points_and_share_one_span() {
    let server = Server::start();
    let reply = server.get("/earthquakes/frames?every=1d&zoom=1&radius=9").ok(200).json();
    let frames = reply["frames"].as_array().unwrap();
    let points: u64 = frames.iter().map(|frame| frame["points"].as_u64().unwrap()).sum();
    assert_eq!((points, reply["zoom"].as_u64(), reply["every"].as_str()), (1707, Some(1), Some("1d")));
    assert_eq!((&frames[0]["start"], &frames[frames.len() - 1]["end"]), (&reply["start"], &reply["end"]));
    assert!(frames.windows(2).all(|pair| pair[0]["end"] == pair[1]["start"]));
    assert_eq!(frames[0]["start"], "2018-01-31T00:00:00Z");

    let template = reply["tiles"].as_str().unwrap();
    let (_, path) = template.split_once(server.address()).unwrap();
    let span = &reply["span"];
    let mut tiles = Vec::new();
    for frame in frames {
        let text = |name: &str| frame[name].as_str().unwrap().to_owned();
        let tile = path.replace("{start}", &text("start")).replace("{end}", &text("end"));
        tiles.push(server.get(&tile.replace("{z}/{x}/{y}", "1/0/0")).ok(200).body);
        // The legend of the same query has the span of the tile.
        let (_, query) = tile.split_once('?').unwrap();
        let query: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("v=")).collect();
        let legend = server.get(&format!("/earthquakes/legend.json?zoom=1&{}", query.join("&"))).ok(200).json();
        let close = |name: &str| {
            let [actual, expected] = [&legend["span"][name], &span[name]].map(|value: &Value| value.as_f64().unwrap());
            (actual - expected).abs() <= 1e-9 * expected.abs()
        };
        assert!(close("vmin") && close("vmax"), "{legend} {span}");
    }
    tiles.sort();
    tiles.dedup();
    assert_eq!(tiles.len(), frames.len(), "each frame has a picture of its own");

    let some = server.get("/earthquakes/frames?every=12h&start=2018-02-01&end=2018-02-02T06:00:00Z").ok(200).json();
    assert_eq!(some["frames"].as_array().unwrap().len(), 3);
    assert_eq!(some["frames"][2]["end"], "2018-02-02T06:00:00Z");
    server.get("/earthquakes/frames").rejected(400, &["1h or 1d"]);
    server.get("/earthquakes/frames?every=1s").rejected(400, &["limit of 10000"]);
    server.get("/earthquakes/frames?every=0").rejected(400, &["longer than 0"]);
    server.get("/earthquakes/frames?every=1d&curve=eqhist").rejected(400, &["log or sqrt"]);
    server.get("/cities/frames?every=1d").rejected(400, &["time"]);
}

#[test]
fn an_animation_has_a_frame_per_interval() {
    let home = tempfile::tempdir().unwrap();
    let args = ["animate", &quakes(), "--every", "2d", "--weight", "mag", "--size", "200", "--delay", "200"];
    let summary = kiln(home.path(), [&args[..], &["-o", "a.png"]].concat()).done();
    assert!(summary.starts_with("drew 4 frames of earthquakes, span 0 to "), "{summary}");
    let file = fs::File::open(home.path().join("a.png")).unwrap();
    let decoder = image::codecs::png::PngDecoder::new(std::io::BufReader::new(file)).unwrap();
    let frames = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
    assert_eq!(frames.len(), 4);
    assert!(frames.iter().all(|frame| frame.delay().numer_denom_ms() == (200, 1)));

    // The same frames as a GIF, where rare colors may be replaced by similar ones.
    kiln(home.path(), [&args[..], &["-o", "a.gif", "-q"]].concat()).done();
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(fs::File::open(home.path().join("a.gif")).unwrap()).unwrap();
    let mut canvas = image::RgbaImage::new(decoder.width().into(), decoder.height().into());
    for frame in &frames {
        let part = decoder.read_next_frame().unwrap().unwrap();
        assert_eq!(part.delay, 20);
        let (left, top) = (part.left.into(), part.top.into());
        let part = image::RgbaImage::from_raw(part.width.into(), part.height.into(), part.buffer.to_vec()).unwrap();
        image::imageops::replace(&mut canvas, &part, left, top);
        let differences: Vec<u8> = canvas.iter().zip(frame.buffer().iter()).map(|(a, b)| a.abs_diff(*b)).collect();
        let exact: usize = differences.iter().map(|difference| usize::from(*difference == 0)).sum();
        assert!(
            differences.iter().all(|difference| *difference < 16) && exact * 100 > differences.len() * 95,
            "{exact} of {}, {:?}",
            differences.len(),
            differences.iter().max()
        );
    }
    assert!(decoder.read_next_frame().unwrap().is_none());

    // The same frames in a folder.
    kiln(home.path(), [&args[..], &["-o", "frames", "-q"]].concat()).done();
    let mut names: Vec<_> =
        fs::read_dir(home.path().join("frames")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 4);
    assert!(names[0].ends_with("20180131T000000Z.png"), "{names:?}");
    for (name, frame) in names.iter().zip(&frames) {
        assert_eq!(&image::open(name).unwrap().to_rgba8(), frame.buffer(), "{name:?}");
    }
}

#[test]
fn the_animation_of_a_stored_layer_equals_that_of_its_file() {
    let home = tempfile::tempdir().unwrap();
    kiln(home.path(), ["import", &quakes(), "--layer", "quakes", "--weight", "mag", "--title", "T"]).done();
    let draw = |subject: &str, output: &str, more: &[&str]| {
        let args = [
            "animate", subject, "--every", "3d", "--bounds", "world", "--size", "120x120", "--title", "T", "-o", output,
        ];
        kiln(home.path(), [&args[..], more].concat()).done()
    };
    draw("quakes", "stored.png", &[]);
    draw(&quakes(), "file.png", &["--weight", "mag"]);
    let read = |name: &str| image::open(home.path().join(name)).unwrap().to_rgba8();
    assert_eq!(read("stored.png").dimensions(), read("file.png").dimensions());
    let differing =
        read("stored.png").pixels().zip(read("file.png").pixels()).filter(|(one, other)| one != other).count();
    assert!(differing < 200, "{differing}");
}

#[test]
fn invalid_animations_are_rejected() {
    let home = tempfile::tempdir().unwrap();
    let (quakes, cities) = (quakes(), data("cities.parquet").to_str().unwrap().to_owned());
    for (args, words) in [
        (vec![&*quakes, "--every", "1d", "-o", "a.mp4"], "expected .png"),
        (vec![&*quakes, "--every", "1s", "-o", "a.png"], "--every: 603375 frames exceed the limit"),
        (vec![&*quakes, "--every", "1d", "--curve", "eqhist", "-o", "a.png"], "--curve: with eqhist"),
        (vec![&*quakes, "--every", "soon", "-o", "a.png"], "soon"),
    ] {
        kiln(home.path(), [&["animate"][..], &args].concat()).failed(2, &[words]);
    }
    kiln(home.path(), ["animate", &cities, "--every", "1d", "-o", "a.png"]).failed(1, &["time"]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn frames_of_times_of_no_end_are_within_the_years_that_requests_accept() {
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,time\n1,2,9990-05-01\n3,4,9999-12-31\n5,6,9999-12-31T23:59:59.999Z\n";
    fs::write(home.path().join("a.csv"), rows).unwrap();
    fs::write(home.path().join("b.csv"), "lon,lat,time\n1,2,0000-01-01\n3,4,0003-05-01\n").unwrap();
    let server = Server::at(home, &["a.csv", "b.csv"]);
    for (layer, expected, edge) in [("a", 3, "end"), ("b", 2, "start")] {
        let reply = server.get(&format!("/{layer}/frames?every=365d&zoom=0")).ok(200).json();
        let frames = reply["frames"].as_array().unwrap();
        let points: u64 = frames.iter().map(|frame| frame["points"].as_u64().unwrap()).sum();
        assert_eq!(points, expected, "{reply}");
        let frame = if edge == "end" { frames.last().unwrap() } else { &frames[0] };
        let (start, end) = (frame["start"].as_str().unwrap(), frame["end"].as_str().unwrap());
        let found = server.get(&format!("/{layer}/points?start={start}&end={end}")).ok(200).json();
        assert_eq!(found["total"], frame["points"], "{start} to {end}");
        let query = format!("start={start}&end={end}&radius=3");
        server.get(&format!("/{layer}/0/0/0.png?{query}")).ok(200);
    }
}
