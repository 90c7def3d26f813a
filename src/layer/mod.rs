//! The flow: from a source, a canvas and a style to a picture.

mod catalog;
mod fit;
mod options;
mod render;
mod schemes;
mod style;
mod survey;
mod unit;

pub use catalog::{Catalog, Layer, LayerSpec};
pub use fit::{Fit, Size, canvas_for, canvas_of};
pub use options::StyleOptions;
pub use render::{Heat, Values, render};
pub use schemes::SchemeFolders;
pub use style::{Blend, Radius, Style};
pub use survey::Survey;
pub use unit::Unit;
