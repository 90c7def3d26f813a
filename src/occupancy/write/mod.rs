//! Formats of grids.

mod columns;
mod csv;
mod geojson;
mod json;
mod parquet;

pub use csv::write_csv;
pub use geojson::{write_contours, write_geojson};
pub use json::{detections_json, grid_json, number};
pub use parquet::write_parquet;
