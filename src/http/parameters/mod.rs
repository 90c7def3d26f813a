//! Parsing, validation and documentation of request parameters.

pub(crate) mod area;
pub(crate) mod body;
pub(crate) mod bounds_crs;
pub(crate) mod canvas_parameters;
pub(crate) mod conditions;
pub(crate) mod fields;
pub(crate) mod filter;
pub(crate) mod layer_style;
pub(crate) mod mask_upload;
pub(crate) mod openapi;
pub(crate) mod pixel_ratio;
mod python_json;
pub(crate) mod render_request;
pub(crate) mod shared;
pub(crate) mod tile_address;
pub(crate) mod tile_style;
pub(crate) mod zoom_range;
