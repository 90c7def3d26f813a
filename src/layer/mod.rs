//! Layers, styles, and the rendering of a picture from a source, a canvas and a style.

mod canvas_kernel;
mod catalog;
mod cell_limit;
mod extent_scan;
mod fit_bounds;
mod frames;
mod input_points;
#[allow(clippy::module_inception, reason = "the main type is in a file of its name")]
mod layer;
mod options;
mod plane_extent;
mod protected_layers;
mod remarks;
mod render;
mod rows;
mod schemes;
mod selections;
mod shading;
mod shading_cache;
mod style;
mod tile_extent;
mod time_bound;
mod units;
mod view;
mod views;

pub use catalog::{Catalog, SelectedEntry, SelectionOwner};
pub use cell_limit::check_cells;
pub use extent_scan::ExtentScan;
pub use fit_bounds::{Fit, Size, canvas_around, canvas_for, canvas_of};
pub use frames::Frames;
pub use input_points::InputPoints;
pub use layer::{Layer, LayerSpec};
pub use options::StyleOptions;
#[cfg(feature = "server")]
pub(crate) use options::of_style;
pub use plane_extent::{PlaneView, plane_bounds_with_reach};
pub use protected_layers::{LayerProtection, ProtectedLayers};
pub use remarks::{remarks, remarks_with_rejections};
pub use render::{Heatmap, Values, is_occupied, render, render_occupied, render_shaded};
pub use rows::{ColumnOptions, FilterOptions, InputOptions};
pub use schemes::SchemeFolders;
pub use selections::SelectionLimits;
pub use shading::Shading;
pub use shading_cache::set_max_bytes as set_shading_cache_bytes;
pub use style::{Blend, Radius, Style};
pub use tile_extent::{DotReach, bounds_with_reach, center};
pub use time_bound::TimeBound;
pub use units::{Units, readable_unit, weight_label};
pub use view::View;
