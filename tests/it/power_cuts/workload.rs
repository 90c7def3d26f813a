//! Requests that change layers in each way that there is.

use std::fmt::Write as _;

use serde_json::json;

use super::check::Change;

pub(crate) const TOKEN: &str = "trusted";

/// A request, and the change that it makes.
#[derive(Clone, Debug)]
pub(crate) struct LayerRequest {
    pub(crate) method: &'static str,
    path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) change: Change,
}

impl LayerRequest {
    /// Creates a layer on the globe, or changes its title.
    pub(crate) fn title(layer: &'static str, title: &str) -> Self {
        let (body, title) = (json!({"title": title}).to_string().into_bytes(), title.to_owned());
        Self { method: "PUT", path: format!("/{layer}"), body, change: Change::Title { layer, title } }
    }

    /// Adds points of a weight.
    pub(crate) fn append(layer: &'static str, weight: u32, count: u64, csv: String) -> Self {
        let change = Change::Append { layer, weight, count };
        Self { method: "POST", path: format!("/{layer}/points"), body: csv.into_bytes(), change }
    }
}

/// The head of a request. A name that starts with `key-` is an idempotency key.
pub(crate) fn head(address: &str, name: &str, request: &LayerRequest) -> String {
    let LayerRequest { method, path, body, .. } = request;
    let media_type = match path.split(['/', '?']).nth(2) {
        Some("points") => "text/csv",
        Some("rooms") => "application/geo+json",
        Some("floorplan") => "image/png",
        _ => "application/json",
    };
    let key = if name.starts_with("key-") { format!("idempotency-key: {name}\r\n") } else { String::new() };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\
         x-request-id: {name}\r\ncontent-type: {media_type}\r\n{key}content-length: {}\r\n\r\n",
        body.len()
    )
}

/// CSV text of `count` points of a weight.
pub(crate) fn points_of(count: u64, weight: u32) -> String {
    let mut text = String::from("lon,lat,weight\n");
    for i in 0..count {
        let (lon, lat) = (i * 7919 % 36_000, i * 104_729 % 16_000);
        writeln!(text, "{:.2},{:.2},{weight}", lon as f64 / 100.0 - 180.0, lat as f64 / 100.0 - 80.0).unwrap();
    }
    text
}

/// Changes of the layer `floor`, which is on a plane and has rooms and a floor plan. The last one removes it.
pub(crate) fn plane_changes(round: u32) -> Vec<LayerRequest> {
    let layer = "floor";
    let points = |weight: u32| {
        let rows: Vec<_> = (0..30).map(|i| format!("{i},{},{weight}\n", i % 7)).collect();
        format!("x,y,weight\n{}", rows.concat())
    };
    let room = format!("Hall {round}");
    let ring = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]];
    let geometry = json!({"type": "Polygon", "coordinates": [ring]});
    let feature = json!({"type": "Feature", "properties": {"name": &room}, "geometry": geometry});
    let rooms = json!({"type": "FeatureCollection", "features": [feature]}).to_string().into_bytes();
    let mut image = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(40, 30).write_to(&mut image, image::ImageFormat::Png).unwrap();
    let other = |method, path: &str, body, change| LayerRequest { method, path: format!("/floor{path}"), body, change };
    let described = |title: String| {
        let body = json!({"crs": "plane", "title": title}).to_string().into_bytes();
        other("PUT", "", body, Change::Title { layer, title })
    };
    let weight = 10 * (round + 1);
    let append = |weight| LayerRequest::append(layer, weight, 30, points(weight));
    let replaced = Change::Replace { layer, weight: weight + 2, count: 30 };
    vec![
        described(format!("First {round}")),
        append(weight),
        other("PUT", "/rooms", rooms, Change::Rooms { layer, name: Some(room) }),
        other(
            "PUT",
            "/floorplan?bounds=0,-2.5,40,27.5",
            image.into_inner(),
            Change::FloorPlan { layer, is_there: true },
        ),
        append(weight + 1),
        other("PUT", "/points?crs=plane", points(weight + 2).into_bytes(), replaced),
        described(format!("Second {round}")),
        other("DELETE", "/floorplan", Vec::new(), Change::FloorPlan { layer, is_there: false }),
        other("DELETE", "/rooms", Vec::new(), Change::Rooms { layer, name: None }),
        other("DELETE", "", Vec::new(), Change::Drop { layer }),
    ]
}
