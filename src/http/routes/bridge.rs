//! The legacy API of `heatmap.service.php`.
//!
//! The route accepts the parameters of the old PHP service, and responds with the same members, including numbers as
//! strings. Its bugs are not reproduced: the picture has the requested bounds, dots reach in from outside them, and the
//! scheme is applied.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::{HeaderMap, Method, Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::overlays::overlay;
use crate::color::Opacity;
use crate::geo::{Bounds, Projection};
use crate::http::parameters::body::{form_text, media_type};
use crate::http::parameters::canvas_parameters::{PolarRows, canvas, check_coordinate_space};
use crate::http::parameters::fields::pairs;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::render_request::{RenderRequest, Subject};
use crate::http::server::corners::corners;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{Blend, Radius, Size, StyleOptions};

/// The response to the old page; numbers are strings, as in the original API.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum BridgeReply {
    /// A picture, at `imgs/{filename}.png`.
    Picture {
        /// Always true; errors are problems.
        success: bool,
        /// Filename of the picture, without its extension.
        filename: String,
        /// Requested dot size.
        #[serde(rename = "dotSize")]
        dot_size: String,
        /// Requested opacity, 0 to 255.
        opacity: String,
        /// Color scheme.
        scheme: String,
        /// `[width, height]`, as a string.
        #[serde(rename = "imgSize")]
        size: String,
        /// `[[south, west], [north, east]]`, as a string.
        bounds: String,
    },
    /// The points, if `png` is false.
    Points {
        /// Always true; errors are problems.
        success: bool,
        /// Always false: there is no picture.
        filename: bool,
        /// `[latitude, longitude]` of each point.
        #[schema(value_type = Vec<Vec<f64>>)]
        data: Vec<[f64; 2]>,
        /// Total number of points within the bounds.
        total: u64,
        /// Whether `data` is a sample of the points within the bounds, of which each was as probable.
        truncated: bool,
    },
}

/// The parameters of the old page, with lists as repeated or indexed bracketed names, as jQuery serializes them.
#[derive(Debug, Default)]
struct BridgeRequest {
    pairs: Vec<(String, String)>,
}

impl BridgeRequest {
    fn read(query: &str) -> HttpResult<Self> {
        Ok(Self { pairs: pairs(query).collect::<HttpResult<_>>()? })
    }

    /// Reads a list of two numbers: `name[]` twice in order, or `name[0]` and `name[1]` in any order.
    fn numbers(&self, name: &str, meaning: &str) -> HttpResult<[f64; 2]> {
        let malformed = || {
            Problem::parameter(
                name,
                format!("expected two numbers, {meaning}: {name}[] twice, or {name}[0] and {name}[1]"),
            )
        };
        let mut numbers = [None; 2];
        let mut count = 0;
        for (sent_name, value) in &self.pairs {
            let Some(index) = sent_name.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'))
            else {
                continue;
            };
            let index = if index.is_empty() { count } else { index.parse().map_err(|_| malformed())? };
            let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            let slot: &mut Option<f64> = numbers.get_mut(index).ok_or_else(malformed)?;
            if number.is_none() || slot.replace(number.unwrap_or_default()).is_some() {
                return Err(malformed());
            }
            count += 1;
        }
        let [Some(first), Some(second)] = numbers else { return Err(malformed()) };
        Ok([first, second])
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(sent_name, _)| sent_name == name).map(|(_, value)| value.as_str())
    }

    /// Rejects unknown and repeated parameters.
    fn check(&self) -> HttpResult<()> {
        for (index, (name, _)) in self.pairs.iter().enumerate() {
            let is_list = ["imgSize[", "bounds[0][", "bounds[1]["].iter().any(|list| name.starts_with(list));
            if !is_list && !KNOWN.contains(&name.as_str()) {
                let all = KNOWN.join(", ");
                let detail = format!("unknown parameter; expected one of {all}, imgSize[], bounds[0][], bounds[1][]");
                return Err(Problem::parameter(name, detail));
            }
            if !is_list && self.pairs[..index].iter().any(|(other, _)| other == name) {
                return Err(Problem::parameter(name, "it is given twice"));
            }
        }
        Ok(())
    }
}

const KNOWN: [&str; 6] = ["png", "dotSize", "opacity", "scheme", "projection", "layer"];

/// The legacy request of the old page, with GET
#[utoipa::path(get, path = "/lib/heatmap.service.php", operation_id = "get_legacy_heatmap", tag = "bridge",
    params(
        ("png" = Option<bool>, Query, description = "Whether to render a picture; if false, the response contains the points. Default: true"),
        ("dotSize" = Option<f64>, Query, description = "Dot size of the old library in pixels. Default: 150"),
        ("opacity" = Option<u8>, Query, description = "0 to 255. Default: 128"),
        ("imgSize[]" = Vec<u32>, Query, description = "Width, then height", example = json!([800, 600])),
        ("bounds[0][]" = Vec<f64>, Query, description = "South, then west", example = json!([35, -12])),
        ("bounds[1][]" = Vec<f64>, Query, description = "North, then east", example = json!([60, 32])),
        ("scheme" = Option<String>, Query, description = "Default: fire"),
        ("projection" = Option<String>, Query, description = "mercator or platecarree. Default: bridge.projection of the config"),
        ("layer" = Option<String>, Query, description = "Default: bridge.layer of the config")),
    responses(
        (status = 200, description = "The picture or the points, in the format of the old page", body = BridgeReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn bridge(
    app: Session,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let mut request = BridgeRequest::read(query.as_deref().unwrap_or_default())?;
    if method == Method::POST {
        let media_type = media_type(&headers);
        if !["", "application/x-www-form-urlencoded"].contains(&media_type.as_str()) {
            let detail =
                format!("unsupported media type `{media_type}`; send a form, application/x-www-form-urlencoded");
            return Err(Problem::media_type(detail));
        }
        request.pairs.extend(BridgeRequest::read(form_text(&body)?)?.pairs);
    }
    let reply = handle(&app, &request).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

async fn handle(app: &Session, request: &BridgeRequest) -> HttpResult<BridgeReply> {
    request.check()?;
    let layer =
        match request.value("layer").or_else(|| app.config.bridge_layer().filter(|name| app.access().sees(name))) {
            Some(name) => app.layer(name)?,
            None => app.first_layer().ok_or_else(|| Problem::not_found("the server has no layers"))?,
        };
    let projection: Projection = match request.value("projection") {
        Some(name) => name.parse()?,
        None if layer.coordinate_space().wraps() => app.config.bridge.projection,
        None => Projection::Plane,
    };
    check_coordinate_space(layer.coordinate_space(), projection)?;
    let [south, west] = request.numbers("bounds[0]", "south and west")?;
    let [north, east] = request.numbers("bounds[1]", "north and east")?;
    let bounds = Bounds::new(west, south, east, north)?;
    let is_picture = match request.value("png").unwrap_or("true") {
        "true" | "1" => true,
        "false" | "0" | "" => false,
        other => return Err(Problem::parameter("png", format!("`{other}` is neither true nor false"))),
    };
    let subject = Subject::Layer(Arc::clone(&layer));
    if !is_picture {
        let found = subject.fetch_points_within(app, &Filter::default(), bounds, projection).await?;
        let (truncated, total) = (found.is_truncated(), found.total);
        let data: Vec<[f64; 2]> = found.points.into_iter().map(|point| [point.lat, point.lon]).collect();
        return Ok(BridgeReply::Points { success: true, filename: false, data, total, truncated });
    }
    let to_pixels =
        |value: f64| (value.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&value)).then_some(value as u32);
    let [width, height] = request.numbers("imgSize", "width and height")?;
    let (Some(width), Some(height)) = (to_pixels(width), to_pixels(height)) else {
        return Err(Problem::parameter("imgSize", "width and height must be positive integers"));
    };
    let dot_size = request.value("dotSize").unwrap_or("150").trim();
    let opacity = request.value("opacity").unwrap_or("128").trim();
    let share = opacity.parse::<u8>().map(|alpha| f64::from(alpha) / 255.0);
    let share =
        share.map_err(|_| Problem::parameter("opacity", format!("`{opacity}` is not a whole number from 0 to 255")))?;
    let scheme_name = request.value("scheme").unwrap_or("fire");
    let options =
        StyleOptions {
            blend: Some(Blend::Classic),
            radius: Some(Radius::from_dot_size(dot_size).map_err(|_| {
                Problem::parameter("dotSize", format!("`{dot_size}` is not a number of pixels above 0"))
            })?),
            opacity: Some(Opacity::new(share)?),
            scheme: Some(scheme_name.to_owned()),
            ..StyleOptions::default()
        };
    let scheme = app.schemes.find(Some(scheme_name))?;
    let canvas = canvas(&app.config.limits, projection, bounds, Size::Exact(width, height), PolarRows::Crop)?;
    let picture = RenderRequest { subject, filter: Filter::default(), options, scheme, canvas, ratio: PixelRatio::ONE };
    let (overlay, _) = overlay(app, picture).await?;
    let bounds = if canvas.height() == height { bounds } else { canvas.bounds() };
    Ok(BridgeReply::Picture {
        success: true,
        filename: overlay.filename.trim_end_matches(".png").to_owned(),
        dot_size: dot_size.to_owned(),
        opacity: opacity.to_owned(),
        scheme: scheme_name.to_owned(),
        size: format!("[{}, {}]", canvas.width(), canvas.height()),
        bounds: json!(corners(bounds)).to_string(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed_as_serialized_by_jquery() {
        let query = "png=true&imgSize%5B%5D=1653&imgSize%5B%5D=600&bounds%5B0%5D%5B%5D=-8.5&bounds%5B0%5D%5B%5D=100\
                     &bounds%5B1%5D%5B%5D=8&bounds%5B1%5D%5B%5D=120";
        let request = BridgeRequest::read(query).unwrap();
        assert_eq!(request.numbers("imgSize", "").unwrap(), [1653.0, 600.0]);
        assert_eq!(request.numbers("bounds[0]", "").unwrap(), [-8.5, 100.0]);
        assert_eq!(request.numbers("bounds[1]", "").unwrap(), [8.0, 120.0]);
        assert_eq!(request.value("png"), Some("true"));
        let indexed = BridgeRequest::read("imgSize[1]=4&imgSize[0]=3").unwrap();
        assert_eq!(indexed.numbers("imgSize", "").unwrap(), [3.0, 4.0]);
        for bad in ["imgSize[]=3", "imgSize[]=3&imgSize[]=x", "imgSize=3", "imgSize[]=1&imgSize[]=2&imgSize[]=3"] {
            assert!(BridgeRequest::read(bad).unwrap().numbers("imgSize", "").is_err(), "{bad}");
        }
        for bad in ["png=1&png=0", "bounds[7][]=3", "png[]=1", "sheme=x"] {
            assert!(BridgeRequest::read(bad).unwrap().check().is_err(), "{bad}");
        }
    }
}
