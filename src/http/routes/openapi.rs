//! `GET /openapi.json`: the `OpenAPI` document.

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::geo::{MAX_MERCATOR_LAT_DEG, PlaneTile, TileCoord};
use crate::layer_name;

/// The `OpenAPI` 3.1 document of the server.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Kiln", description = "Heat maps from weighted points: tiles, pictures, values and statistics of layers.",
        license(name = "MIT OR Apache-2.0")),
    servers((url = ".")),
    paths(
        super::overlays::create,
        super::images::image,
        super::overlays::legend,
        super::tile_json::tile_json,
        super::kml::document,
        super::qgis::layer_definition,
        super::tiles::tile,
        super::tiles::tile_within,
        super::bbox::picture,
        super::bbox::picture_within,
        super::point::point,
        super::points::points,
        super::ingest::add,
        super::replace_points::put,
        super::partitions::delete,
        super::inspect::inspect,
        super::layer_changes::put,
        super::layer_changes::delete,
        super::floor_plan::image,
        super::floor_plan::describe,
        super::floor_plan::put,
        super::floor_plan::delete,
        super::pages::matrix,
        super::pages::surface,
        super::rooms::get,
        super::rooms::put,
        super::rooms::delete,
        super::categories::categories,
        super::statistics::statistics,
        super::area_statistics::statistics_within,
        super::frames::frames,
        super::grid::grid,
        super::grid::grid_of_body,
        super::matrix::matrix,
        super::matrix_body::draw,
        super::detections::detections,
        super::legend::legend_png,
        super::legend::legend_json,
        super::queries::create,
        super::sign::sign,
        super::masks::create::create,
        super::masks::describe::describe,
        super::masks::picture::picture,
        super::masks::put_mask::put,
        super::masks::put_background::put,
        super::masks::style::patch,
        super::masks::delete::delete,
        super::masks::value::value,
        super::masks::legend::legend_png,
        super::masks::legend::legend_json,
        super::masks::click::click,
        super::masks::events::events,
        super::masks::page::page,
        super::catalog::catalog,
        super::jobs::jobs,
        super::jobs::run,
        super::health::health,
        super::metrics::metrics,
        super::bridge::bridge,
        openapi,
    ),
    tags(
        (name = "overlays", description = "Stored pictures for `L.imageOverlay`"),
        (name = "masks", description = "Arrays rendered over images"),
        (name = "matrices", description = "Charts of matrices"),
        (name = "layers", description = "Tiles, pictures, points and statistics of layers"),
        (name = "writes", description = "Changes to the layers of the store"),
        (name = "server", description = "Catalog, jobs, health and metrics of the server"),
        (name = "bridge", description = "Legacy API compatible with `heatmap.service.php`. It also accepts POST with a form, and the path `/twine.heatmap.php`"),
    ),
)]
pub(crate) struct ApiDoc;

/// The API description
#[utoipa::path(get, path = "/openapi.json", operation_id = "get_openapi", tag = "server",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-cache")], Json(document()))
}

/// The errors that the server may return for any request, before the operation runs or while it waits: the status and the
/// description.
pub(crate) const COMMON_ERRORS: [(&str, &str); 6] = [
    ("401", "The key, the token or the signature is missing, unknown or expired"),
    ("403", "The key does not allow the request, or the server does not"),
    ("408", "The body arrived too slowly"),
    ("421", "The host is not a name of the server"),
    ("429", "The client or its key has used its quota"),
    ("503", "The server is busy, or the request exceeded a timeout"),
];

/// The complete document: that of the macros with the security scheme, the common errors, the schemas of path parameters and of
/// binary bodies.
pub(crate) fn document() -> Value {
    let mut document = serde_json::to_value(ApiDoc::openapi()).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "query", "name": "key"},
    });
    let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in operations.filter_map(Value::as_object_mut).flat_map(|path| path.values_mut()) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        parameters.into_iter().flatten().for_each(describe_path_parameter);
        let body = operation.get_mut("requestBody").and_then(|body| body.get_mut("content"));
        body.into_iter().for_each(describe_binary);
        let has_body = operation.get("requestBody").is_some();
        let mut responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, description) in COMMON_ERRORS.iter().filter(|(status, _)| has_body || *status != "408") {
            let Some(responses) = &mut responses else { continue };
            responses.entry(*status).or_insert_with(|| problem(description));
        }
        let contents = responses.into_iter().flat_map(|responses| responses.values_mut());
        contents.filter_map(|response| response.get_mut("content")).for_each(describe_binary);
    }
    describe_items(&mut document);
    document
}

/// A response with a problem.
fn problem(description: &str) -> Value {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    json!({"description": description, "content": {"application/problem+json": {"schema": schema}}})
}

/// Adds the schema of items to arrays without one, which code generators require: any value.
fn describe_items(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let is_array = match members.get("type") {
                Some(Value::Array(types)) => types.iter().any(|name| name == "array"),
                name => name.is_some_and(|name| name == "array"),
            };
            if is_array && !members.contains_key("items") {
                members.insert("items".to_owned(), json!({}));
            }
            members.values_mut().for_each(describe_items);
        }
        Value::Array(values) => values.iter_mut().for_each(describe_items),
        _ => {}
    }
}

/// Whether bodies of a media type are text, as opposed to bytes.
fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || media_type.ends_with("json")
        || media_type.ends_with("xml")
        || ["application/openmetrics-text", "multipart/form-data"].contains(&media_type)
}

/// Sets the schemas of bodies that are not text, which the macros describe as arrays of integers.
fn describe_binary(content: &mut Value) {
    for (media_type, body) in content.as_object_mut().into_iter().flatten() {
        if !is_text(media_type) {
            // `contentMediaType` is that of JSON Schema; code generators recognize `format`.
            body["schema"] = json!({"type": "string", "format": "binary", "contentMediaType": media_type});
        }
    }
}

/// Sets the schema of a path parameter.
fn describe_path_parameter(parameter: &mut Value) {
    if parameter["in"] != "path" {
        return;
    }
    let number = "-?[0-9]+(\\.[0-9]+)?";
    let schema = match parameter["name"].as_str() {
        Some("layer") => json!({"type": "string", "pattern": format!("^[A-Za-z0-9_-]{{1,{}}}$", layer_name::MAX_LEN)}),
        Some("bounds") => json!({"type": "string", "pattern": format!("^{number},{number},{number},{number}$")}),
        Some("z") => json!({"type": "integer", "minimum": PlaneTile::MIN_ZOOM, "maximum": TileCoord::MAX_ZOOM}),
        Some("lon") => json!({"type": "number", "minimum": -540, "maximum": 540}),
        Some("lat") => json!({"type": "number", "minimum": -MAX_MERCATOR_LAT_DEG, "maximum": MAX_MERCATOR_LAT_DEG}),
        Some("x") => json!({"type": "integer", "minimum": -PlaneTile::END, "maximum": PlaneTile::END - 1}),
        Some("y") => json!({"type": "string", "pattern": "^-?[0-9]{1,12}(@[2-4]x)?$"}),
        Some("size") => {
            json!({"type": "string", "pattern": "^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}((@[2-4]x)?\\.png|\\.tif)$"})
        }
        Some("id") => json!({"type": "string", "pattern": "^[0-9a-f]{32}$"}),
        Some("name") => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
        Some("filename") => json!({"type": "string", "pattern": "^[0-9]{1,11}-[0-9a-f]{32}\\.png$"}),
        _ => return,
    };
    parameter["schema"] = schema;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::layer::StyleOptions;
    use crate::parameters::ParameterSet;

    #[test]
    fn the_document_lists_every_style_parameter() {
        let document = document();
        let overlay = &document["components"]["schemas"]["OverlayRequest"]["properties"];
        let of_overlay: BTreeSet<&str> = overlay.as_object().unwrap().keys().map(String::as_str).collect();
        for path in [
            "/{layer}",
            "/{layer}/doc.kml",
            "/{layer}/qgis.qlr",
            "/{layer}/{z}/{x}/{y}.png",
            "/{layer}/bbox/{bounds}/{size}",
            "/{layer}/legend.png",
            "/{layer}/legend.json",
            "/{layer}/point/{lon},{lat}",
            "/{layer}/frames",
            "/overlays/legend.png",
        ] {
            let listed = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            let names: BTreeSet<&str> = listed.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
            for name in StyleOptions::names() {
                assert!(names.contains(name) && of_overlay.contains(name), "{path}: {name}");
            }
        }
        for name in ["layer", "points", "bounds", "size", "projection", "png", "start", "end", "category", "polygon"] {
            assert!(of_overlay.contains(name), "{name}");
        }
    }

    /// The operations, each with its method and path.
    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
        });
        operations.collect()
    }

    #[test]
    fn operation_ids_are_unique_names_of_functions() {
        const VERBS: [&str; 16] = [
            "add", "click", "compute", "create", "delete", "draw", "find", "get", "inspect", "list", "put", "query",
            "replace", "run", "stream", "update",
        ];
        let document = document();
        let mut ids = BTreeSet::new();
        for (name, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            let (verb, noun) = id.split_once('_').unwrap_or_default();
            assert!(VERBS.contains(&verb) && !noun.is_empty(), "{name}: `{id}` is not a verb and a noun");
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}: {id}");
            // A function that reads has a safe method, and the reverse.
            assert_eq!(name.starts_with("GET "), ["get", "list"].contains(&verb), "{name}: {id}");
            assert!(ids.insert(id), "{name}: {id} is not unique");
        }
        assert!(ids.len() > 50);
    }

    #[test]
    fn bodies_have_the_schema_of_their_media_type() {
        let document = document();
        let mut binary = BTreeSet::new();
        for (name, operation) in operations(&document) {
            let mut contents = vec![("request", &operation["requestBody"])];
            contents
                .extend(operation["responses"].as_object().unwrap().iter().map(|(status, it)| (status.as_str(), it)));
            for (part, content) in contents.into_iter().map(|(part, body)| (part, &body["content"])) {
                for (media_type, body) in content.as_object().into_iter().flatten() {
                    let at = format!("{name}, {part}, {media_type}");
                    let (kind, subtype) = media_type.split_once('/').unwrap();
                    assert!(["application", "image", "multipart", "text"].contains(&kind), "{at}");
                    assert!(!subtype.contains([',', ';', ' ', '*', '/']), "{at}");
                    let schema = &body["schema"];
                    let is_binary = schema["format"] == "binary";
                    assert_eq!(is_binary, !is_text(media_type), "{at}: {schema}");
                    assert!(!is_binary || schema["contentMediaType"] == **media_type, "{at}: {schema}");
                    assert!(!is_binary || schema["type"] == "string", "{at}: {schema}");
                    if kind == "text" || media_type.ends_with("xml") {
                        assert_eq!(schema["type"], "string", "{at}: {schema}");
                    } else if media_type.ends_with("json") {
                        let is_optional = schema["oneOf"][0]["$ref"].is_string();
                        assert!(
                            is_optional || schema["$ref"].is_string() || schema["type"] == "object",
                            "{at}: {schema}"
                        );
                    }
                    binary.extend(is_binary.then_some(media_type.as_str()));
                }
            }
        }
        let expected = [
            "application/octet-stream",
            "application/vnd.apache.parquet",
            "image/jpeg",
            "image/png",
            "image/tiff",
            "image/webp",
        ];
        assert_eq!(binary.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_operation_has_the_common_errors() {
        let document = document();
        for (name, operation) in operations(&document) {
            let has_body = operation["requestBody"].is_object();
            for (status, _) in COMMON_ERRORS {
                let is_listed = operation["responses"][status].is_object();
                assert!(is_listed == (has_body || status != "408"), "{name}, {status}");
            }
        }
    }

    #[test]
    fn errors_are_problem_details_and_successes_have_a_body_or_none_by_status() {
        let document = document();
        for (name, operation) in operations(&document) {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{name} has no success");
            for (status, response) in responses {
                let at = format!("{name}, {status}");
                assert!(!response["description"].as_str().unwrap().is_empty(), "{at}");
                let types: Vec<&str> = response["content"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(media_type, _)| media_type.as_str())
                    .collect();
                match (status.as_bytes()[0], types.as_slice()) {
                    (b'4' | b'5', ["application/problem+json"]) => {
                        let schema = &response["content"]["application/problem+json"]["schema"];
                        assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{at}");
                    }
                    // A page reports the error to its reader.
                    (b'4', ["text/html"]) => assert_eq!(name, "GET /masks/{id}/page"),
                    (b'2', []) => {
                        assert!(status == "204" || response["headers"]["Location"].is_object(), "{at} has no body");
                    }
                    (b'2', [_, ..]) => assert_ne!(status, "204", "{at}"),
                    (b'3', []) => assert_eq!(status, "304", "{at}"),
                    _ => assert_eq!(types, ["unexpected"], "{at}"),
                }
            }
        }
    }

    #[test]
    fn parameters_are_described_once_and_their_examples_fit() {
        let document = document();
        for (name, operation) in operations(&document) {
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
            let mut names = BTreeSet::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let at = format!("{name}, {}", parameter["name"]);
                assert!(
                    parameter["description"].as_str().is_some_and(|text| text.len() > 5),
                    "{at} has no description"
                );
                assert!(names.insert((parameter["in"].as_str(), parameter["name"].as_str())), "{at} is listed twice");
                let (schema, example) = (&parameter["schema"], &parameter["example"]);
                assert!(
                    schema.is_object() && schema["type"].is_string() || schema["type"].is_array(),
                    "{at}: {schema}"
                );
                if parameter["in"] == "path" {
                    assert_eq!(parameter["required"], true, "{at}");
                    assert!(!example.is_null(), "{at} has no example");
                    let in_path = format!("{{{}}}", parameter["name"].as_str().unwrap());
                    assert!(name.contains(&in_path), "{at}");
                    assert!(schema["enum"].is_null(), "{at} depends on the server");
                }
                let fits = match schema["type"].as_str() {
                    _ if example.is_null() => true,
                    Some("array") => example.is_array(),
                    Some("integer") => example.is_i64(),
                    Some("number") => example.is_number(),
                    Some("boolean") => example.is_boolean(),
                    _ => example.is_string(),
                };
                assert!(fits, "{at}: the example {example} does not fit {schema}");
            }
            let in_path = name.matches('{').count();
            assert_eq!(names.iter().filter(|(place, _)| *place == Some("path")).count(), in_path, "{name}");
        }
    }

    #[test]
    fn every_schema_is_referenced_and_every_reference_resolves() {
        let document = document();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in schemas.keys() {
            assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name} is not used");
        }
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name} is missing");
        }
    }
}
