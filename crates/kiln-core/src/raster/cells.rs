//! What a density is made of.

use super::Grid;

/// The points of each cell of a canvas, summed up.
#[derive(Clone, Debug)]
pub struct Cells {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The number of points per cell, where it was kept. Above 2^24 it is rounded as `f32` does.
    pub counts: Option<Grid<f32>>,
    /// The sum of weights per cell, rounded to `f32` once, where it was kept.
    pub sums: Option<Grid<f32>>,
    /// The greatest weight per cell, where it was kept; −∞ where there is no point.
    pub max: Option<Grid<f32>>,
    /// Points that were looked at.
    pub points: u64,
    /// Points that the cells hold; one that shows in several copies of the world counts in each.
    pub inside: u64,
    /// Whether points had weights; else each weighed 1.
    pub weighted: bool,
}
