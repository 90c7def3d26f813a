//! Requests of the old page, which was written for a PHP script.

use serde_json::Value;

use crate::golden::Picture;
use crate::server::Server;

/// The form that jQuery sends for `{png, dotSize, opacity, imgSize: [w, h], bounds: [[s, w], [n, e]]}`.
const FORM: &str = "png=true&dotSize=42&opacity=200&imgSize%5B%5D=826&imgSize%5B%5D=300\
    &bounds%5B0%5D%5B%5D=-10&bounds%5B0%5D%5B%5D=90&bounds%5B1%5D%5B%5D=10&bounds%5B1%5D%5B%5D=145.0666666666667";

#[test]
fn an_old_request_gets_the_old_response_and_its_picture_at_the_expected_url() {
    let server = Server::start();
    for path in ["/lib/heatmap.service.php", "/twine.heatmap.php"] {
        for reply in [server.form(path, FORM), server.get(&format!("{path}?{FORM}"))] {
            let reply = reply.ok(200).json();
            assert_eq!(reply["success"], true);
            // Numbers are strings, and the bounds are a string of JSON.
            assert_eq!(
                (&reply["dotSize"], &reply["opacity"], &reply["scheme"]),
                (&"42".into(), &"200".into(), &"fire".into())
            );
            assert_eq!(reply["imgSize"], "[826, 300]");
            let bounds: [[f64; 2]; 2] = serde_json::from_str(reply["bounds"].as_str().unwrap()).unwrap();
            for (got, expected) in bounds.concat().into_iter().zip([-10.0, 90.0, 10.0, 145.066_666_666_666_7]) {
                assert!((got - expected).abs() < 1e-8, "{bounds:?}");
            }
            // The page builds the URL as 'imgs/' + filename + '.png'.
            let filename = reply["filename"].as_str().unwrap();
            assert!(!filename.contains('.'));
            let image = server.get(&format!("/imgs/{filename}.png")).ok(200);
            let picture = Picture::decode(std::io::Cursor::new(image.body)).unwrap();
            assert_eq!((picture.width, picture.height), (826, 300));
            let alphas: std::collections::BTreeSet<u8> = picture.pixels.chunks(4).map(|pixel| pixel[3]).collect();
            assert_eq!(alphas.into_iter().collect::<Vec<u8>>(), [0, 200]);
        }
    }
    assert_eq!(server.files().len(), 1, "the same request is the same picture");
}

#[test]
fn points_for_rendering_in_the_client_have_the_latitude_first() {
    let server = Server::start();
    let reply = server.form("/lib/heatmap.service.php", &FORM.replace("png=true", "png=false")).ok(200).json();
    assert_eq!(
        (&reply["success"], &reply["filename"], &reply["truncated"]),
        (&Value::Bool(true), &Value::Bool(false), &Value::Bool(false))
    );
    let data: Vec<[f64; 2]> = serde_json::from_value(reply["data"].clone()).unwrap();
    assert!(data.len() > 1000);
    let across = FORM.replace("=90", "=170").replace("145.0666666666667", "-170").replace("png=true", "png=false");
    let fiji = server.form("/lib/heatmap.service.php", &across).ok(200).json();
    assert!(fiji["total"].as_u64().unwrap() > 0, "{fiji}");
    assert!(data.iter().all(|[lat, lon]| (-10.0..=10.0).contains(lat) && (90.0..=145.1).contains(lon)));
}

#[test]
fn old_requests_may_have_new_parameters_and_invalid_ones_are_rejected() {
    let server = Server::start();
    let path = "/lib/heatmap.service.php";
    let more = |text: &str| server.form(path, &format!("{FORM}&{text}"));
    assert_eq!(more("scheme=omg").ok(200).json()["scheme"], "omg");
    assert_eq!(more("layer=earthquakes").ok(200).json()["success"], true);
    assert_ne!(
        more("projection=mercator").ok(200).json()["filename"],
        more("projection=platecarree").json()["filename"]
    );
    more("scheme=firre").rejected(400, &["firre", "fire"]);
    more("layer=city").rejected(404, &["cities"]);
    more("sheme=fire").rejected(400, &["sheme", "scheme"]);
    server.form(path, "png=true").rejected(400, &["bounds[0]"]);
    server.form(path, &FORM.replace("dotSize=42", "dotSize=wide")).rejected(400, &["dotSize", "wide"]);
    server.form(path, &FORM.replace("opacity=200", "opacity=300")).rejected(400, &["opacity", "255"]);
    server.form(path, &FORM.replace("=826", "=8e9")).rejected(400, &["imgSize"]);
    server.form(path, &FORM.replace("=-10", "=NaN")).rejected(400, &["bounds[0]"]);
    assert_eq!(server.files().len(), 4);
}
