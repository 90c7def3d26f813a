//! The routes, and the middleware around them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, Method, Response, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, patch, post, put};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, CorsLayer};
use tower_http::decompression::RequestDecompressionLayer;

use super::app::App;
use super::body_budget::charge_body;
use super::host::{allowed_origins, check_host};
use super::keys::authenticate;
use super::middleware::{REQUEST_ID, access};
use super::problem::Problem;
use super::unread_body::close_unread;
use crate::http::routes::{
    area_statistics, bbox, bridge, catalog, categories, detections, floor_plan, frames, grid, guide, health, images,
    ingest, inspect, jobs, kml, layer_changes, legend, masks, matrix, matrix_body, metrics, openapi, overlays, pages,
    partitions, point, points, qgis, queries, replace_points, rooms, sign, statistics, tile_json, tiles,
};

/// Returns the router of all routes with their middleware.
pub(crate) fn router(app: Arc<App>) -> Router {
    // Texts are compressed; pictures are compressed already.
    let texts = Router::new()
        .route("/", get(pages::index))
        .route("/_/metrics", get(metrics::metrics))
        .route("/assets/{name}", get(pages::asset))
        .route("/catalog", get(catalog::catalog))
        .route("/docs", get(pages::docs))
        .route("/docs/", get(pages::docs_with_slash))
        .route("/docs/{*page}", get(guide::page))
        .route("/llms.txt", get(guide::contents))
        .route("/favicon.ico", get(pages::favicon))
        .route("/jobs", get(jobs::jobs))
        .route("/jobs/{name}/run", post(jobs::run))
        .route("/openapi.json", get(openapi::openapi))
        .route("/{layer}", get(tile_json::tile_json))
        .route("/masks/{id}/legend.json", get(masks::legend::legend_json))
        .route("/masks/{id}/page", get(masks::page::page))
        .route("/masks/{id}/value", get(masks::value::value))
        .route("/matrix/{layer}", get(pages::matrix))
        .route("/{layer}/categories", get(categories::categories))
        .route("/{layer}/doc.kml", get(kml::document))
        .route("/{layer}/floorplan.json", get(floor_plan::describe))
        .route("/{layer}/frames", get(frames::frames))
        .route("/{layer}/grid", get(grid::grid))
        .route("/{layer}/legend.json", get(legend::legend_json))
        .route("/{layer}/matrix", get(matrix::matrix))
        .route("/{layer}/point/{place}", get(point::point))
        .route("/{layer}/points", get(points::points))
        .route("/{layer}/qgis.qlr", get(qgis::layer_definition))
        .route("/{layer}/rooms", get(rooms::get))
        .route("/{layer}/statistics", get(statistics::statistics))
        .route("/{layer}/surface", get(pages::surface))
        .layer(CompressionLayer::new());
    let with_bodies = Router::new()
        .route("/_/inspect", post(inspect::inspect))
        .route("/lib/heatmap.service.php", get(bridge::bridge).post(bridge::bridge))
        .route("/masks/{id}", patch(masks::style::patch).delete(masks::delete::delete))
        .route("/masks/{id}/click", post(masks::click::click))
        .route("/matrix", post(matrix_body::draw))
        .route("/overlays", post(overlays::create))
        .route("/queries", post(queries::create))
        .route("/v3/detections", post(detections::detections))
        .route("/twine.heatmap.php", get(bridge::bridge).post(bridge::bridge))
        // A layer may be called `sign`: stores and configs of earlier versions can have one.
        .route("/{layer}", put(layer_changes::put).delete(layer_changes::delete).post(sign::sign))
        .route("/{layer}/rooms", put(rooms::put).delete(rooms::delete))
        .route("/{layer}/bbox/{bounds}/{size}", post(bbox::picture_within))
        .route("/{layer}/grid", post(grid::grid_of_body))
        .route("/{layer}/statistics", post(area_statistics::statistics_within))
        .route("/{layer}/{z}/{x}/{y}", post(tiles::tile_within))
        // The limit and the charge apply to the decompressed body.
        .layer(from_fn(charge_body))
        .layer(RequestDecompressionLayer::new())
        .layer(DefaultBodyLimit::max(usize::try_from(app.config.limits.body.bytes()).unwrap_or(usize::MAX)))
        .layer(CompressionLayer::new());
    let pictures = Router::new()
        .route("/health", get(health::health))
        .route("/imgs/{filename}", get(images::image))
        .route("/masks/{id}", get(masks::describe::describe_or_draw))
        .route("/masks/{id}/events", get(masks::events::events))
        .route("/masks/{id}/legend.png", get(masks::legend::legend_png))
        .route("/overlays/legend.png", get(overlays::legend))
        .route("/{layer}/bbox/{bounds}/{size}", get(bbox::picture))
        .route("/{layer}/floorplan", get(floor_plan::image))
        .route("/{layer}/legend.png", get(legend::legend_png))
        .route("/{layer}/{z}/{x}/{y}", get(tiles::tile));
    // These bodies are decompressed while they are read, and have their own limits.
    let points = Router::new()
        .route("/{layer}/points", post(ingest::add).put(replace_points::put).delete(partitions::delete))
        .layer(DefaultBodyLimit::disable())
        .layer(CompressionLayer::new());
    // These bodies have limits of their own, too. Those of masks are charged as far as they are in memory.
    let plans = Router::new()
        .route("/{layer}/floorplan", put(floor_plan::put).delete(floor_plan::delete))
        .layer(from_fn(charge_body));
    let uploads = Router::new()
        .route("/masks", post(masks::create::create))
        .route("/masks/{id}/background", put(masks::put_background::put))
        .route("/masks/{id}/mask", put(masks::put_mask::put))
        .merge(plans)
        .layer(RequestDecompressionLayer::new())
        .layer(DefaultBodyLimit::disable())
        .layer(CompressionLayer::new());
    with_middleware(texts.merge(with_bodies).merge(pictures).merge(points).merge(uploads), app)
}

/// Adds the middleware of all routes.
fn with_middleware(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    let panicked = {
        let app = Arc::clone(&app);
        move |panic: Box<dyn std::any::Any + Send>| -> Response<Body> {
            app.metrics.panicked();
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Problem::internal(format!("panic: {text}")).into_response()
        }
    };
    let cors = cors(&app);
    // The last layer is the outermost.
    routes
        .fallback(|| async { Problem::not_found("unknown path; /docs lists the routes") })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), authenticate))
        .layer(from_fn_with_state(Arc::clone(&app), check_host))
        .layer(from_fn_with_state(Arc::clone(&app), access))
        .layer(cors)
        .layer(from_fn(vary_preflight))
        .layer(from_fn(close_unread))
        .with_state(app)
}

/// The CORS layer for the allowed origins. Any request header is allowed: browsers send no credentials with these
/// requests.
fn cors(app: &Arc<App>) -> CorsLayer {
    let shared = Arc::clone(app);
    let (allowed, is_any) = allowed_origins(&app.config.server, move |origin| shared.keys.lists_origin(origin));
    let exposed = [
        header::ETAG,
        header::LOCATION,
        REQUEST_ID,
        points::TOTAL,
        points::TRUNCATED,
        points::ORDER,
        grid::BOUNDS,
        grid::SPAN,
        grid::HEIGHT_SCALE,
    ];
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        // Responses vary by `Origin` only, except those to preflight requests. Some caches store no response with a
        // longer list.
        .vary(if is_any { vec![] } else { vec![header::ORIGIN] })
        .max_age(std::time::Duration::from_secs(3600))
}

/// Adds `Vary: Access-Control-Request-Headers` to responses to preflight requests, which allow the requested headers.
async fn vary_preflight(request: Request, next: Next) -> Response<Body> {
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if is_preflight {
        let varies = HeaderValue::from_name(header::ACCESS_CONTROL_REQUEST_HEADERS);
        response.headers_mut().append(header::VARY, varies);
    }
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use tower::ServiceExt;

    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_panic_is_a_500_without_its_cause_and_other_requests_go_on() {
        async fn panics() -> &'static str {
            panic!("the s3cret of /srv/data")
        }
        let home = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.folder = home.path().join("store");
        config.images.folder = home.path().join("imgs");
        config.masks.folder = home.path().join("masks");
        let app = Arc::new(App::new(config).unwrap());
        let routes = Router::new().route("/panics", get(panics)).route("/works", get(|| async { "works" }));
        let router = with_middleware(routes, Arc::clone(&app));
        let get = async |path: &str| {
            let request = Request::builder().uri(path).header(header::HOST, "localhost").header(REQUEST_ID, "the-id");
            let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = response.status();
            (status, String::from_utf8(to_bytes(response.into_body(), 1 << 16).await.unwrap().to_vec()).unwrap())
        };
        for _ in 0..3 {
            let (status, body) = get("/panics").await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(body.contains("\"request_id\":\"the-id\""), "{body}");
            assert!(!body.contains("s3cret") && !body.contains("panic"), "{body}");
            assert_eq!(get("/works").await, (StatusCode::OK, "works".to_owned()));
        }
    }
}
