//! The routes, one file each: API documentation, handler and response types.

pub(crate) mod bbox;
pub(crate) mod bridge;
pub(crate) mod catalog;
pub(crate) mod detections;
pub(crate) mod floor_plan;
pub(crate) mod frames;
pub(crate) mod grid;
pub(crate) mod health;
pub(crate) mod images;
pub(crate) mod ingest;
pub(crate) mod jobs;
pub(crate) mod layer_changes;
pub(crate) mod legend;
pub(crate) mod masks;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod overlays;
pub(crate) mod pages;
pub(crate) mod point;
pub(crate) mod points;
pub(crate) mod queries;
pub(crate) mod rooms;
pub(crate) mod statistics;
pub(crate) mod tile_json;
pub(crate) mod tiles;
