//! The tool `statistics`: statistics of a layer.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::schema::Schema;
use super::{Output, ToolResult, describe as tool};
use crate::cli::mcp::backend::Backend;

pub(super) fn describe() -> Value {
    let zoom = json!({ "type": ["integer", "string"] });
    let schema = Schema::new(&["layer"])
        .layer()
        .argument("zoom", zoom, "Zoom of the map whose values are described, or a range such as `3-6`. Default: the zoom at which the layer fits a screen")
        .filters()
        .style();
    let description = "Returns the number of points, their weights, bounds, times and categories, and the percentiles of the heat \
                       map's values at a zoom. Filters select a part of the points.";
    tool("statistics", "Statistics", description, &schema.build())
}

pub(super) async fn run(backend: &Backend, mut arguments: Arguments<'_>) -> ToolResult {
    let layer = arguments.take_layer()?;
    let zoom = match arguments.take("zoom") {
        Some(zoom) => Some(zoom),
        None if arguments.has("z") => None,
        None => backend.json(&layer).await?["center"][2].as_i64().map(|zoom| zoom.to_string()),
    };
    let zoom = zoom.as_deref().map(|zoom| ("zoom", zoom));
    let query = arguments.query(zoom.as_slice());
    let mut statistics = backend.json(&format!("{layer}/statistics?{query}")).await?;
    // Long, and the percentiles describe the same.
    for zoom in statistics["zooms"].as_array_mut().into_iter().flatten() {
        zoom.as_object_mut().map(|zoom| zoom.remove("histogram"));
    }
    // West, south, east, north, as in the arguments and the other tools.
    if let Some([[south, west], [north, east]]) = corners(&statistics["bounds"]) {
        statistics["bounds"] = json!([west, south, east, north]);
    }
    Ok(Output::json(statistics))
}

/// The corners of bounds as the HTTP API has them, latitude first.
fn corners(bounds: &Value) -> Option<[[f64; 2]; 2]> {
    serde_json::from_value(bounds.clone()).ok()
}
