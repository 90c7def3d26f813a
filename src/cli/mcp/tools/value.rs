//! The tool `value`: the value of a layer at a position.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::layers::edges;
use super::schema::Schema;
use super::{Output, ToolResult, describe as tool};
use crate::cli::mcp::backend::Backend;

pub(super) fn describe() -> Value {
    let number = || json!({ "type": "number" });
    let integer = || json!({ "type": "integer" });
    let schema = Schema::new(&["layer", "lon", "lat"])
        .layer()
        .argument("lon", number(), "Longitude in degrees; on a plane, x in meters")
        .argument("lat", number(), "Latitude in degrees, -85 to 85; on a plane, y in meters")
        .argument("zoom", integer(), "Zoom of the map whose pixel is read: a higher one has smaller pixels. Default: the zoom at which the layer fits a screen")
        .argument("categories", integer(), "Number of the most frequent categories near the position in the result. Default: 0")
        .filters()
        .style();
    let description = "Returns the value of the heat map at a position with its unit, the percentage of the map's pixels with at \
                       most this value, and the number of points within the radius.";
    tool("value", "Value at a position", description, &schema.build())
}

pub(super) async fn run(backend: &Backend, mut arguments: Arguments<'_>) -> ToolResult {
    let layer = arguments.take_layer()?;
    let [lon, lat] =
        [("lon", "a longitude in degrees, such as 18.07"), ("lat", "a latitude in degrees, such as 59.33")].map(
            |(name, expected)| {
                let text = arguments.take_required(name, expected)?;
                text.parse::<f64>().map_err(|_| format!("{name}: `{text}` is not a number; expected {expected}"))
            },
        );
    let target = format!("{layer}/point/{},{}?{}", lon?, lat?, arguments.query(&[]));
    let mut value = backend.json(&target).await?;
    if value["points"] == 0 {
        let bounds = edges(&backend.json(&layer).await?["kiln"]["bounds"]);
        let points = bounds.map_or_else(
            || "the layer has no points".to_owned(),
            |bounds| format!("the layer has points in {bounds:?}"),
        );
        value["note"] = format!("no point within the radius passes the filters; {points}").into();
    }
    Ok(Output::json(value))
}
