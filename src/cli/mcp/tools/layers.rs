//! The tool `layers`: the layers and their bounds.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::schema::Schema;
use super::{Output, ToolResult, describe as tool};
use crate::cli::mcp::backend::Backend;

/// The maximum number of layers in a result.
const MAX_LAYERS: usize = 100;

/// The members of a layer in the catalog that the result has, too.
const MEMBERS: [&str; 7] = ["name", "title", "points", "weight", "crs", "attribution", "style"];

pub(super) fn describe() -> Value {
    let schema =
        Schema::new(&[]).argument("search", json!({ "type": "string" }), "Text in the name or the title of a layer");
    let description = "Lists the layers of points with their titles, numbers of points, bounds (west, south, east, north), weights \
                       and default styles, and the names of the color schemes. Begin with this tool.";
    tool("layers", "Layers", description, &schema.build())
}

pub(super) async fn run(backend: &Backend, mut arguments: Arguments<'_>) -> ToolResult {
    let search = arguments.take("search").unwrap_or_default().to_lowercase();
    arguments.finish("search")?;
    let catalog = backend.json("/catalog").await?;
    let is_found = |layer: &&Value| {
        let has = |member: &str| layer[member].as_str().is_some_and(|text| text.to_lowercase().contains(&search));
        has("name") || has("title")
    };
    let found: Vec<&Value> = catalog["layers"].as_array().into_iter().flatten().filter(is_found).collect();
    let layers: Vec<Value> = found.iter().take(MAX_LAYERS).map(|layer| summary(layer)).collect();
    let schemes: Vec<&Value> =
        catalog["schemes"].as_array().into_iter().flatten().map(|scheme| &scheme["name"]).collect();
    let mut value = json!({ "layers": layers, "schemes": schemes });
    if found.len() > MAX_LAYERS {
        let omitted = found.len() - MAX_LAYERS;
        value["omitted"] = format!("{omitted} more layers; use `search` for a part of the name or the title").into();
    }
    Ok(Output::json(value))
}

fn summary(layer: &Value) -> Value {
    let members = MEMBERS.into_iter().filter(|member| !layer[member].is_null());
    let mut summary: serde_json::Map<String, Value> =
        members.map(|member| (member.to_owned(), layer[member].clone())).collect();
    if let Some(bounds) = edges(&layer["bounds"]) {
        summary.insert("bounds".into(), json!(bounds));
    }
    summary.into()
}

/// West, south, east and north of `[[south, west], [north, east]]`.
pub(super) fn edges(corners: &Value) -> Option<[f64; 4]> {
    let number = |corner: usize, axis: usize| corners[corner][axis].as_f64();
    Some([number(0, 1)?, number(0, 0)?, number(1, 1)?, number(1, 0)?])
}
