//! What Kiln does for its users, from the outside. One module per thing a user does.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod architecture;
mod arrow;
mod bad_requests;
mod classic;
mod classic_color;
mod clean;
mod cleanup;
mod config;
mod export;
mod faults;
mod geotiff;
mod golden;
mod import;
mod ingest;
mod ingest_faults;
mod ingest_refused;
mod jobs;
mod kills;
mod kiln;
mod layer_addresses;
mod old_page;
mod overlays;
mod parameter_names;
mod picture_rules;
mod polygons;
mod postgis;
mod render;
mod schemes;
mod server;
mod server_pages;
mod sheet;
mod stored_tiles;
mod through_time;
mod tiles;
mod together;
