//! The flow: from a source, a canvas and a style to a picture.

mod catalog;
mod fit;
mod frames;
mod input_points;
#[allow(clippy::module_inception, reason = "the main type stands in a file of its name")]
mod layer;
mod options;
mod remarks;
mod render;
mod rows;
mod schemes;
mod shading;
mod shown;
mod style;
mod survey;
mod unit;

pub use catalog::{Catalog, SelectedEntry};
pub use fit::{Fit, Size, canvas_for, canvas_of};
pub use frames::Frames;
pub use input_points::InputPoints;
pub use layer::{Layer, LayerSpec};
pub use options::StyleOptions;
pub use remarks::{remarks, remarks_with_rejections};
pub use render::{Heat, Values, is_occupied, render, render_occupied, render_shaded};
pub use rows::{ColumnOptions, FilterOptions, InputOptions};
pub use schemes::SchemeFolders;
pub use shading::Shading;
pub use shown::{bounds_with_reach, center, dot_reach};
pub use style::{Blend, Radius, Style};
pub use survey::Survey;
pub use unit::Unit;
