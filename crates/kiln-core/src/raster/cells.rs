//! The reduced cells from which a density is computed.

use super::Grid;

/// Counts, sums and maxima of the points in each cell of a canvas.
#[derive(Clone, Debug)]
pub struct Cells {
    /// The number of columns.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
    /// The number of points per cell, if computed; rounded to `f32` above 2^24.
    pub counts: Option<Grid<f32>>,
    /// The sum of weights per cell, if computed; rounded to `f32` once.
    pub sums: Option<Grid<f32>>,
    /// The maximum weight per cell, if computed; −∞ in cells without points.
    pub max: Option<Grid<f32>>,
    /// The number of points read.
    pub points: u64,
    /// The number of points in the cells; a point in several copies of the world counts once per copy.
    pub inside: u64,
    /// Whether points had weights. Without weights, the weight of every point is 1.
    pub weighted: bool,
}
