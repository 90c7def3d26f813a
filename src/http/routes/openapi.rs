//! `GET /openapi.json`: the `OpenAPI` document.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::geo::{MAX_MERCATOR_LAT_DEG, PlaneTile, TileCoord};
use crate::http::server::App;

/// The `OpenAPI` 3.1 document of the server.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Kiln", description = "Heat maps from weighted points: PNG overlays with their bounds.",
        license(name = "MIT OR Apache-2.0")),
    servers((url = ".")),
    paths(
        super::overlays::create,
        super::images::image,
        super::overlays::legend,
        super::tile_json::tile_json,
        super::tiles::tile,
        super::tiles::tile_within,
        super::bbox::picture,
        super::bbox::picture_within,
        super::point::point,
        super::points::points,
        super::ingest::add,
        super::replace_points::put,
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
#[utoipa::path(get, path = "/openapi.json", tag = "server",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn openapi(State(app): State<Arc<App>>) -> impl IntoResponse {
    let document = serde_json::to_value(ApiDoc::openapi()).map(|mut document| {
        let layers = app.catalog.layers();
        let layers: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
        add_schemas(&mut document, &layers);
        document
    });
    ([(header::CACHE_CONTROL, "no-cache")], Json(document.unwrap_or_default()))
}

/// Adds the media types of uploads, the security scheme, the names of the layers, and the schemas of path parameters.
fn add_schemas(document: &mut Value, layers: &[&str]) {
    for method in ["post", "put"] {
        super::ingest::add_media_types(&mut document["paths"]["/{layer}/points"][method]["requestBody"]["content"]);
    }
    document["components"]["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer"}});
    let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = operations.filter_map(Value::as_object_mut).flat_map(|path| path.values_mut());
    // Indexing would insert a null into operations without parameters.
    let parameters = operations.flat_map(|operation| {
        let writes = operation["tags"][0] == "writes";
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        parameters.into_iter().flatten().map(move |parameter| (parameter, writes))
    });
    for (parameter, writes) in parameters {
        if parameter["in"] != "path" {
            continue;
        }
        let number = "-?[0-9]+(\\.[0-9]+)?";
        let schema = match parameter["name"].as_str() {
            Some("layer") if writes => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
            Some("layer") => json!({"type": "string", "enum": layers}),
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
            _ => continue,
        };
        parameter["schema"] = schema;
    }
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
        let document = serde_json::to_value(ApiDoc::openapi()).unwrap();
        let overlay = &document["components"]["schemas"]["OverlayRequest"]["properties"];
        let of_overlay: BTreeSet<&str> = overlay.as_object().unwrap().keys().map(String::as_str).collect();
        for path in [
            "/{layer}",
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

    #[test]
    fn operation_ids_are_unique() {
        let document = serde_json::to_value(ApiDoc::openapi()).unwrap();
        let operations = document["paths"].as_object().unwrap().values().filter_map(serde_json::Value::as_object);
        let ids: Vec<&str> = operations
            .flat_map(serde_json::Map::values)
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
    }
}
