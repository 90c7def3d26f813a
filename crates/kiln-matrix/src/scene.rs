//! The elements of a drawing, placed in layout units. PNG and SVG are written from them.

use kiln_formats::encode::paint::{Anchor, Rect, TextStyle};

use crate::colors::ColorScale;

/// A drawing.
pub(crate) struct Scene {
    /// The width in whole layout units.
    pub(crate) width: f32,
    /// The height in whole layout units.
    pub(crate) height: f32,
    /// What the drawing is, for readers who do not see it.
    pub(crate) description: String,
    /// The elements in drawing order.
    pub(crate) items: Vec<Item>,
    /// The colors of [`Item::Bar`]; `None` if there are no values.
    pub(crate) scale: Option<ColorScale>,
}

/// An element of a drawing.
pub(crate) enum Item {
    /// A filled rectangle with square corners, aligned to whole pixels.
    Cell { rect: Rect, fill: Fill, tooltip: String },
    /// A circle with a border, which is within the radius.
    Dot { x: f32, y: f32, radius: f32, fill: [u8; 4], border: [u8; 4], tooltip: String },
    /// A line of the width 1, horizontal or vertical.
    Line { from: (f32, f32), to: (f32, f32), color: [u8; 4] },
    /// A text.
    Text(Text),
    /// The color bar: vertical, with the greatest value on top, or with that on the right if it is wider than high.
    Bar { rect: Rect },
}

/// The filling of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// The color of a value.
    Color([u8; 4]),
    /// The hatch of a missing value.
    Hatch,
}

/// A text at a position.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The anchor's position: x and baseline, or of an upward text the baseline's x and y.
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) anchor: Anchor,
    /// Whether the text is rotated by 90° counterclockwise.
    pub(crate) upward: bool,
    pub(crate) style: TextStyle,
    pub(crate) content: String,
}

/// The hatch of missing values: background, lines, their distance along x, and their width.
pub(crate) const HATCH: ([u8; 4], [u8; 4], f32, f32) = ([246, 247, 249, 255], [190, 197, 206, 255], 6.0, 1.0);
/// The color of missing values in cells that are too small for a hatch: a gray between the dark and the light colors of
/// schemes, so that it is not taken for the largest values.
pub(crate) const MISSING: [u8; 4] = [128, 130, 133, 255];
/// The width of the border of dots.
pub(crate) const DOT_BORDER: f32 = 1.0;
