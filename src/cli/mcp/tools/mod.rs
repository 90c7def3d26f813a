//! The tools: one file each.

mod arguments;
mod layers;
mod render;
mod schema;
mod statistics;
mod value;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use self::arguments::Arguments;
use super::backend::Backend;
use super::protocol::RpcError;

/// The result of a tool: a JSON object, and a picture as a PNG.
struct Output {
    value: Value,
    png: Option<Vec<u8>>,
}

impl Output {
    fn json(value: Value) -> Self {
        Self { value, png: None }
    }
}

/// The result of a tool, or why there is none: a sentence for the model, which can try again.
type ToolResult = Result<Output, String>;

/// The names of the tools.
const NAMES: [&str; 4] = ["layers", "render", "value", "statistics"];

/// The descriptions of the tools.
pub(super) fn list() -> Vec<Value> {
    vec![layers::describe(), render::describe(), value::describe(), statistics::describe()]
}

/// Describes a tool that changes nothing.
fn describe(name: &str, title: &str, description: &str, schema: &Value) -> Value {
    json!({
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": schema,
        "annotations": { "title": title, "readOnlyHint": true, "idempotentHint": true, "openWorldHint": false },
    })
}

/// Runs a tool, and returns the result of the request.
///
/// # Errors
/// If there is no such tool. Whatever else is wrong is part of the result.
pub(super) async fn call(backend: &Backend, name: &str, arguments: &Map<String, Value>) -> Result<Value, RpcError> {
    let arguments = Arguments::new(arguments);
    let output = match name {
        "layers" => layers::run(backend, arguments).await,
        "render" => render::run(backend, arguments).await,
        "value" => value::run(backend, arguments).await,
        "statistics" => statistics::run(backend, arguments).await,
        other => {
            let detail = format!("unknown tool `{other}`; expected one of {}", NAMES.join(", "));
            return Err(RpcError::invalid_params(detail));
        }
    };
    Ok(match output {
        Ok(Output { value, png }) => {
            let text = json!({ "type": "text", "text": value.to_string() });
            let image =
                png.map(|png| json!({ "type": "image", "data": STANDARD.encode(png), "mimeType": "image/png" }));
            let content: Vec<Value> = std::iter::once(text).chain(image).collect();
            json!({ "content": content, "structuredContent": value, "isError": false })
        }
        Err(message) => json!({ "content": [{ "type": "text", "text": message }], "isError": true }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_a_description_a_schema_and_a_name() {
        let tools = list();
        assert_eq!(tools.iter().map(|tool| &tool["name"]).collect::<Vec<_>>(), NAMES);
        for tool in &tools {
            assert!(tool["description"].as_str().is_some_and(|text| text.len() > 40), "{tool}");
            assert_eq!(tool["inputSchema"]["type"], "object");
            let properties = tool["inputSchema"]["properties"].as_object().into_iter().flatten();
            for (name, schema) in properties {
                assert!(schema["description"].as_str().is_some_and(|text| text.len() > 10), "{name}: {schema}");
            }
        }
        let properties = &tools[1]["inputSchema"]["properties"];
        assert!(properties["radius"].is_object() && properties["hours"].is_object(), "{properties}");
        assert!(properties.get("true_scale").is_none() && properties.get("dot_size").is_none(), "{properties}");
    }
}
