//! The flow: from a source, a canvas and a style to a picture.

mod fit;
mod render;
mod style;

pub use fit::{Fit, Size, Survey, canvas_for, canvas_of};
pub use render::{Heat, Values, render};
pub use style::{Blend, Radius, Style};
