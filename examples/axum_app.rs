//! Heat-map tiles as a route of your own axum application. It needs the feature `formats`,
//! and axum and tokio as dependencies of the application:
//!
//! ```sh
//! cargo run --example axum_app --no-default-features --features formats -- 127.0.0.1:8080
//! ```

use std::sync::Arc;
use std::{env, error};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use kiln::color::Scheme;
use kiln::encode::png;
use kiln::geo::{Canvas, TileCoord};
use kiln::layer::{Layer, LayerSpec, Radius, Style, render_shaded};
use kiln::raster::Curve;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

/// The state shared by all requests: the points and their style.
struct Heatmap {
    layer: Layer,
    style: Style,
}

impl Heatmap {
    fn open() -> kiln::Result<Self> {
        let input = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cities.parquet");
        let layer =
            Layer::open(LayerSpec { name: "cities".into(), inputs: vec![input.into()], ..LayerSpec::default() })?;
        let style = Style {
            scheme: Scheme::named("fire")?,
            radius: Radius::Pixels(12.0),
            curve: Curve::Sqrt,
            transparent_low: 0.2,
            ..Style::new()?
        };
        Ok(Self { layer, style })
    }

    /// The PNG of a tile.
    fn tile(&self, tile: TileCoord) -> kiln::Result<Vec<u8>> {
        let canvas = Canvas::tile(tile, 256)?;
        let query = self.layer.query().with_weights(true);
        // The span of the color scale is computed once per zoom, so that tiles join without a seam.
        let shading = self.layer.shading(&query, &canvas, &self.style, 1)?;
        let heat = render_shaded(&**self.layer.point_set(), &query, &canvas, &self.style, shading.as_deref(), 1)?;
        let mut bytes = Vec::new();
        png::write_indexed(&mut bytes, &heat.indices, heat.palette.colors(), png::PngOptions::default())?;
        Ok(bytes)
    }
}

async fn tile(State(heat): State<Arc<Heatmap>>, Path((z, x, y)): Path<(u8, u32, u32)>) -> Response {
    let Ok(tile) = TileCoord::new(z, x, y) else { return StatusCode::NOT_FOUND.into_response() };
    // Rendering blocks for about a millisecond, so it does not run on a thread of the async runtime.
    match spawn_blocking(move || heat.tile(tile)).await {
        Ok(Ok(bytes)) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

const PAGE: &str = r#"<!doctype html>
<title>Cities</title>
<link rel="stylesheet" href="https://unpkg.com/leaflet@1.9.4/dist/leaflet.css">
<script src="https://unpkg.com/leaflet@1.9.4/dist/leaflet.js"></script>
<body style="margin: 0; background: #10131a"><div id="map" style="height: 100vh; background: none"></div>
<script>L.tileLayer('/heat/{z}/{x}/{y}').addTo(L.map('map').setView([30, 15], 3));</script>"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn error::Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/heat/{z}/{x}/{y}", get(tile))
        .with_state(Arc::new(Heatmap::open()?));
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}/", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
