//! The embedded web pages: the map page, if npm was available to `make`, or else a plain one, and the API
//! documentation.

use std::io::Read;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use flate2::read::GzDecoder;

use crate::http::server::App;
use crate::http::server::etag::{etag, is_cached};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// An embedded file of the plain pages.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    is_gzipped: bool,
}

const fn asset_of(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { name, content_type, bytes, is_gzipped: false }
}

/// The files of the plain pages, which are served without a build of `web/`, and of the pages that need no build.
const PLAIN: [Asset; 18] = [
    asset_of("page.js", SCRIPT, include_bytes!("../../../web/plain/page.js")),
    asset_of("page.css", STYLE, include_bytes!("../../../web/plain/page.css")),
    asset_of("mask.js", SCRIPT, include_bytes!("../../../web/plain/mask.js")),
    asset_of("mask.css", STYLE, include_bytes!("../../../web/plain/mask.css")),
    asset_of("matrix.js", SCRIPT, include_bytes!("../../../web/plain/matrix.js")),
    asset_of("key.js", SCRIPT, include_bytes!("../../../web/plain/key.js")),
    asset_of("requests.js", SCRIPT, include_bytes!("../../../web/plain/requests.js")),
    asset_of("land.js", SCRIPT, include_bytes!("../../../web/plain/land.js")),
    asset_of("surface.js", SCRIPT, include_bytes!("../../../web/plain/surface.js")),
    asset_of("surface-mesh.js", SCRIPT, include_bytes!("../../../web/plain/surface-mesh.js")),
    asset_of("surface-scene.js", SCRIPT, include_bytes!("../../../web/plain/surface-scene.js")),
    asset_of("surface.css", STYLE, include_bytes!("../../../web/plain/surface.css")),
    asset_of("docs.js", SCRIPT, include_bytes!("../../../web/plain/docs.js")),
    asset_of("leaflet.js", SCRIPT, include_bytes!("../../../web/plain/vendor/leaflet.js")),
    asset_of("leaflet.css", STYLE, include_bytes!("../../../web/plain/vendor/leaflet.css")),
    asset_of("land.json", "application/json", include_bytes!("../../../web/plain/vendor/land.json")),
    // Compressed to a quarter of their size, which saves 1.4 MB of the binary.
    Asset {
        is_gzipped: true,
        ..asset_of("swagger-ui.css", STYLE, include_bytes!("../../../web/plain/vendor/swagger-ui.css.gz"))
    },
    Asset {
        is_gzipped: true,
        ..asset_of("swagger-ui-bundle.js", SCRIPT, include_bytes!("../../../web/plain/vendor/swagger-ui-bundle.js.gz"))
    },
];

/// The files of the built page by path in `web/dist`; empty if it was not built.
const BUILT: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The `Cache-Control` of built files, whose names contain a hash of their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A file of the built page.
fn built(name: &str) -> Option<&'static [u8]> {
    BUILT.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

/// Whether the binary contains the full map page, which can add layers.
pub(crate) fn has_full_page() -> bool {
    built("index.html").is_some()
}

/// The map page.
pub(crate) async fn index(app: Session) -> Response<Body> {
    let html = built("index.html").unwrap_or(include_bytes!("../../../web/plain/index.html"));
    page(&app, html, &app.config.page.frame_sources())
}

/// The page of a mask, which any site may show in a frame.
pub(crate) fn mask_page(app: &App) -> Response<Body> {
    let html = built("mask.html").unwrap_or(include_bytes!("../../../web/plain/mask.html"));
    page(app, html, "*")
}

/// The API documentation in Swagger UI.
pub(crate) async fn docs(app: Session) -> Response<Body> {
    page(&app, include_bytes!("../../../web/plain/docs.html"), "'self'")
}

/// Show a layer in meters as a 3-D surface
///
/// Shows the occupancy grid of the layer as bars or as a surface over its floor plan. The fragment is that of the map page:
/// `#space=floor-1&cell=0.5`.
#[utoipa::path(get, path = "/{layer}/surface", operation_id = "get_surface_page", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities")),
    responses(
        (status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn surface(app: Session, Path(layer): Path<String>) -> HttpResult<Response<Body>> {
    check_layer(&app, &layer)?;
    let html = include_bytes!("../../../web/plain/surface.html");
    Ok(page(&app, html, &app.config.page.frame_sources()))
}

/// Show matrices of a layer with a map
///
/// Shows the points of the layer by the values of two axes, such as hours and days of the week, and the heat map of the
/// selected cells. The fragment has the state: `#x=hour&y=weekday&agg=mean`.
#[utoipa::path(get, path = "/matrix/{layer}", operation_id = "get_matrix_page", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities")),
    responses(
        (status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn matrix(app: Session, Path(layer): Path<String>) -> HttpResult<Response<Body>> {
    check_layer(&app, &layer)?;
    let html = built("matrix.html").unwrap_or(include_bytes!("../../../web/plain/matrix.html"));
    Ok(page(&app, html, &app.config.page.frame_sources()))
}

/// Checks that the layer of a page exists. On a server with keys, the page is the same for every name: browsers request it
/// without the key, and it must not reveal which layers exist.
fn check_layer(app: &Session, layer: &str) -> HttpResult<()> {
    if app.keys.has_keys() { Ok(()) } else { app.layer(layer).map(drop) }
}

/// Redirects `/docs/` to `/docs`, under any path prefix.
pub(crate) async fn docs_with_slash() -> Redirect {
    Redirect::permanent("../docs")
}

/// A page that sites of `frame_ancestors`, a source list of the content security policy, may show in a frame.
fn page(app: &App, html: &'static [u8], frame_ancestors: &str) -> Response<Body> {
    let policy = policy(app.config.page.basemap_origin().as_deref().unwrap_or_default(), frame_ancestors);
    let headers = [
        (header::CONTENT_TYPE, HTML),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    ];
    let mut response = (headers, html).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The content security policy: scripts, styles and requests from the server only, images also from the basemap's
/// server; frames in pages of `frame_ancestors`.
fn policy(basemap: &str, frame_ancestors: &str) -> String {
    let space = if basemap.is_empty() { "" } else { " " };
    format!(
        "default-src 'self'; img-src 'self' data: blob:{space}{basemap}; object-src 'none'; base-uri 'none'; \
         form-action 'none'; frame-ancestors {frame_ancestors}"
    )
}

/// The media type by the file extension.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js" | "mjs") => SCRIPT,
        Some("css") => STYLE,
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("txt") => "text/plain; charset=utf-8",
        Some("csv") => "text/csv; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("tgz") => "application/gzip",
        _ => "application/octet-stream",
    }
}

/// Whether the name of a built file has no hash of its content: the licenses, and the JavaScript packages, which other pages
/// name.
fn is_stable(name: &str) -> bool {
    name == "licenses.txt" || name.starts_with("kiln-")
}

/// A script, style sheet, image or data file of the pages, or a JavaScript package.
pub(crate) async fn asset(Path(name): Path<String>, request: HeaderMap) -> HttpResult<Response<Body>> {
    if let Some(bytes) = built(&format!("assets/{name}")) {
        let headers = [(header::CONTENT_TYPE, content_type(&name)), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
        if !is_stable(&name) {
            return Ok(([(header::CACHE_CONTROL, IMMUTABLE)], headers, bytes).into_response());
        }
        let tag = etag(bytes);
        let cached = [(header::CACHE_CONTROL, "no-cache"), (header::ETAG, tag.as_str())];
        if is_cached(&request, &tag) {
            return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
        }
        return Ok((cached, headers, bytes).into_response());
    }
    let found = PLAIN.iter().find(|asset| asset.name == name);
    let Asset { content_type, bytes, is_gzipped, .. } =
        found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let tag = etag(bytes);
    let cached = [(header::CACHE_CONTROL, "no-cache"), (header::ETAG, tag.as_str())];
    if is_cached(&request, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    let headers = [(header::CONTENT_TYPE, *content_type), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    if !is_gzipped {
        return Ok((cached, headers, *bytes).into_response());
    }
    let vary = [(header::VARY, "accept-encoding")];
    if accepts_gzip(&request) {
        return Ok((cached, headers, vary, [(header::CONTENT_ENCODING, "gzip")], *bytes).into_response());
    }
    let mut plain = Vec::new();
    let read = GzDecoder::new(*bytes).read_to_end(&mut plain);
    read.map_err(|error| Problem::internal(format!("{name}: {error}")))?;
    Ok((cached, headers, vary, plain).into_response())
}

/// Whether the client accepts gzip.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let lists = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let is_rejected = quality.trim().strip_prefix("q=").is_some_and(|quality| quality.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !is_rejected
    })
}

/// The favicon, as an SVG.
pub(crate) async fn favicon() -> impl IntoResponse {
    const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#7b2cbf"/><circle cx="16" cy="17" r="10" fill="#f3722c"/><circle cx="16" cy="18" r="5" fill="#fff3b0"/></svg>"##;
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")], ICON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_only_images_from_the_basemap_server() {
        let bare = policy("", "'self'");
        assert!(bare.contains("img-src 'self' data: blob:;") && !bare.contains("unsafe"), "{bare}");
        let policy = policy("https://*.tiles.example", "'self'");
        assert!(policy.contains("img-src 'self' data: blob: https://*.tiles.example;"));
        assert_eq!(policy.matches("example").count(), 1);
    }

    #[test]
    fn all_assets_of_built_pages_are_embedded() {
        // Without a build, the plain pages are served.
        for (page, base) in [("index.html", "./"), ("mask.html", "../../"), ("matrix.html", "../")] {
            let Some(html) = built(page) else { return };
            let html = String::from_utf8_lossy(html);
            let links = html.split(['"', '\'']).filter_map(|link| link.strip_prefix(base));
            let assets: Vec<&str> = links.filter(|link| link.starts_with("assets/")).collect();
            assert!(assets.len() >= 2 && assets.iter().all(|name| built(name).is_some()), "{page}: {assets:?}");
        }
        assert!(
            BUILT.iter().all(|(name, _)| content_type(name) != "application/octet-stream" || name.ends_with("html"))
        );
        for package in ["kiln-google", "kiln-heatmap", "kiln-leaflet", "kiln-maplibre", "kiln-openlayers"] {
            for extension in ["mjs", "tgz"] {
                let name = format!("assets/{package}.{extension}");
                assert!(built(&name).is_some(), "{name}");
            }
        }
    }
}
