//! The flow: from a source, a canvas and a style to a picture.

mod catalog;
mod fit;
mod frames;
mod inputs;
mod named;
mod options;
mod origin;
mod render;
mod rows;
mod schemes;
mod selection;
mod shading;
mod shown;
mod style;
mod survey;
mod unit;

pub use catalog::{Catalog, LiveEntry, SelectedEntry};
pub use fit::{Fit, Size, canvas_for, canvas_of};
pub use frames::Frames;
pub use inputs::OpenInputs;
pub use named::{Layer, LayerSpec, Totals};
pub use options::StyleOptions;
pub use origin::Origin;
pub use render::{Heat, Values, is_occupied, render, render_occupied, render_shaded};
pub use rows::{ColumnOptions, FilterOptions};
pub use schemes::SchemeFolders;
pub use selection::Selection;
pub use shading::Shading;
pub use shown::{bounds_with_reach, center, dot_reach};
pub use style::{Blend, Radius, Style};
pub use survey::Survey;
pub use unit::Unit;
