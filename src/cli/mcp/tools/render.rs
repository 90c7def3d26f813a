//! The tool `render`: a picture of a layer.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::layers::edges;
use super::schema::Schema;
use super::{Output, ToolResult, describe as tool};
use crate::cli::describe_with;
use crate::cli::mcp::backend::Backend;
use crate::error::Error;
use crate::geo::{Bounds, MAX_MERCATOR_LAT_DEG, Projection};
use crate::layer::{Size, canvas_around, canvas_of};
use crate::parameter::Parameter;

/// The length of the longer side in pixels: details are visible, and the picture is a few hundred KB at most.
const SIDE_PX: u32 = 800;

/// The share of the longer side that is added on each side of the points, for their dots.
const PADDING: f64 = 0.05;

pub(super) fn describe() -> Value {
    let bounds = json!({ "type": ["array", "string"], "items": { "type": "number" } });
    let schema = Schema::new(&["layer"])
        .layer()
        .argument("bounds", bounds, "West, south, east and north in degrees (in meters of a layer on a plane), or `world`. Default: those of the points")
        .argument("size", json!({ "type": ["string", "integer"] }), "Width and height in pixels, such as `800x600`, whose shape the bounds are widened to; or the longer side. Default: 800")
        .argument("projection", json!({ "type": "string", "enum": ["mercator", "platecarree", "plane"] }), "Projection of the picture. Default: mercator; plane for a layer on a plane")
        .filters()
        .style()
        .argument("background", json!({ "type": "string" }), "Background of the picture: an opaque CSS color, or `transparent`, to overlay it on a map. Default: white");
    let description = "Renders a heat map of a layer as a PNG, with its bounds, size, number of points, the unit of its values, \
                       the values of the coldest and the hottest color, and the values and colors of its legend.";
    tool("render", "Render a picture", description, &schema.build())
}

pub(super) async fn run(backend: &Backend, mut arguments: Arguments<'_>) -> ToolResult {
    let layer = arguments.take_layer()?;
    let tile_json = backend.json(&layer).await?;
    let picture = Picture::read(&tile_json, &mut arguments)?;
    let Picture { projection, bounds, size: [width, height] } = picture;
    let edges = [bounds.west, bounds.south, bounds.east, bounds.north];
    let place = edges.map(|edge| edge.to_string()).join(",");
    let background = arguments.take("background").unwrap_or_else(|| "white".to_owned());
    let projection = projection.to_string();
    let mut style = vec![("projection", projection.as_str())];
    if background != "transparent" {
        style.push(("background", &background));
    }
    let query = arguments.query(&style);
    let png = backend.get(&format!("{layer}/bbox/{place}/{width}x{height}.png?{query}")).await?;
    let size = format!("{width}x{height}");
    style.extend([("bounds", place.as_str()), ("size", &size)]);
    let legend = backend.json(&format!("{layer}/legend.json?{}", arguments.query(&style))).await?;
    let mut value = json!({
        "title": tile_json["name"],
        "bounds": edges,
        "width": width,
        "height": height,
        "projection": projection,
        "legend": legend_colors(&legend),
    });
    for member in ["unit", "vmin", "vmax", "curve"] {
        value[member] = legend["span"][member].clone();
    }
    let filters = arguments.filters(&[("bounds", &place), ("limit", "1")]);
    // A key may allow pictures, but not points.
    if let Ok(points) = backend.json(&format!("{layer}/points?{filters}")).await {
        value["points"] = points["total"].clone();
        if points["total"] == 0 {
            value["note"] = "no point within the bounds passes the filters, so that the picture is empty and its legend has no meaning; \
                             the tool `statistics` lists the bounds, times and categories of the layer"
                .into();
        }
    }
    Ok(Output { value, png: Some(png.to_vec()) })
}

/// The area and the size of a picture.
struct Picture {
    projection: Projection,
    bounds: Bounds,
    size: [u32; 2],
}

impl Picture {
    fn read(tile_json: &Value, arguments: &mut Arguments<'_>) -> Result<Self, String> {
        let invalid = |error: Error| describe_with(&error, Parameter::key);
        let is_plane = tile_json["crs"] == "plane";
        let projection = match arguments.take("projection") {
            Some(text) => text.parse().map_err(invalid)?,
            None if is_plane => Projection::Plane,
            None => Projection::Mercator,
        };
        let bounds = match arguments.take("bounds") {
            Some(text) => text.parse().map_err(invalid)?,
            None => around(
                edges(&tile_json["kiln"]["bounds"])
                    .ok_or("bounds: the layer has none; expected west,south,east,north")?,
                is_plane,
            ),
        };
        let bounds = on_map(bounds, projection);
        let size = arguments.take("size").map(|text| text.parse().map_err(invalid));
        let size = size.transpose()?.unwrap_or(Size::Longest(SIDE_PX));
        Ok(match size {
            // A picture of another shape than the bounds would be distorted.
            Size::Exact(width, height) => {
                let canvas = canvas_around(projection, bounds, size).map_err(invalid)?;
                Self { projection, bounds: canvas.bounds(), size: [width, height] }
            }
            Size::Longest(_) => {
                let canvas = canvas_of(projection, bounds, size).map_err(invalid)?;
                Self { projection, bounds, size: [canvas.width(), canvas.height()] }
            }
        })
    }
}

/// The part of bounds that a map has: on a Mercator map, without the poles.
fn on_map(bounds: Bounds, projection: Projection) -> Bounds {
    if projection != Projection::Mercator {
        return bounds;
    }
    let [south, north] = [bounds.south.max(-MAX_MERCATOR_LAT_DEG), bounds.north.min(MAX_MERCATOR_LAT_DEG)];
    if south < north { Bounds { south, north, ..bounds } } else { bounds }
}

/// Bounds with a margin around points, and with an area if all are at one place.
fn around([west, south, east, north]: [f64; 4], is_plane: bool) -> Bounds {
    /// The margin around a single point: about a kilometer, or ten meters on a plane.
    const LEAST: [f64; 2] = [0.01, 10.0];
    let margin = ((east - west).max(north - south) * PADDING).max(LEAST[usize::from(is_plane)]);
    if is_plane {
        return Bounds { west: west - margin, south: south - margin, east: east + margin, north: north + margin };
    }
    // The world at most, without the poles, which are not on a Mercator map.
    let [west, east] =
        if east - west + 2.0 * margin >= 360.0 { [-180.0, 180.0] } else { [west - margin, east + margin] };
    Bounds {
        west,
        south: (south - margin).max(-MAX_MERCATOR_LAT_DEG),
        east,
        north: (north + margin).min(MAX_MERCATOR_LAT_DEG),
    }
}

/// The values of the legend's ticks with their labels and colors.
fn legend_colors(legend: &Value) -> Vec<Value> {
    let colors: Vec<&Value> = legend["colors"].as_array().into_iter().flatten().collect();
    let color_at = |position: f64| {
        let last = colors.len().saturating_sub(1);
        colors.get((position.clamp(0.0, 1.0) * last as f64).round() as usize).copied()
    };
    let tick = |tick: &Value| {
        let color = tick["position"].as_f64().and_then(color_at);
        json!({ "value": tick["value"], "label": tick["label"], "color": color })
    };
    legend["ticks"].as_array().into_iter().flatten().map(tick).collect()
}
