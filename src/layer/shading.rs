//! What the colors of a layer's pictures mean: the same in all that are as detailed.
//!
//! The values that colors span are found in a sample of the layer: in the tiles, at the picture's scale, that hold
//! points picked evenly from all. So each tile counts by its points, crowded places count for more than deserted ones, and
//! the outcome depends on the layer, the scale and the style alone, never on the part that a picture shows. At a scale where
//! one tile is the world, the sample is the whole picture.

use std::collections::HashMap;

use super::style::Style;
use crate::error::Result;
use crate::geo::{Canvas, Projection};
use crate::parallel::try_map;
use crate::raster::{Curve, Grid, Kernel, Quantizer, Span, density};
use crate::source::{PointSet, Query};

/// From values to colors, for all pictures of a layer at one scale.
#[derive(Clone, Debug)]
pub struct Shading {
    /// The values that the palette spans, per pixel.
    pub span: Span,
    /// From values to palette indices.
    pub quantizer: Quantizer,
    /// Values that hold anything, evenly picked from the sample and rising.
    ranks: Vec<f32>,
}

impl Shading {
    /// Steps of a histogram.
    pub const BARS: usize = 32;
    /// Points by which tiles are picked.
    pub const SAMPLE: usize = 32;
    /// A tile of the sample, in pixels.
    const SIDE_PX: u32 = 128;
    /// A world of no more pixels is a single tile.
    const WORLD_PX: u32 = 256;
    /// Of so many rows of a tile of the sample one is looked at.
    const EVERY_ROW: usize = 2;
    /// Steps of a doubling of the scale that are told apart. The scale of tiles is one of them.
    const STEPS: f64 = 8.0;

    /// The scale that a sample for `canvas` is drawn at, close to its own: of pictures that differ by less, the colors mean
    /// the same. In steps of an eighth of a doubling.
    pub(super) fn steps(canvas: &Canvas) -> [i32; 2] {
        canvas.scale().map(|scale| (scale.log2() * Self::STEPS).round() as i32)
    }

    /// The scale of steps, in pixels per world unit.
    pub(super) fn scale_of(steps: [i32; 2]) -> [f64; 2] {
        steps.map(|step| (f64::from(step) / Self::STEPS).exp2())
    }

    /// Width and height of a tile of the sample at a scale.
    fn side_px(scale: [f64; 2]) -> u32 {
        if scale[0] <= f64::from(Self::WORLD_PX) { Self::WORLD_PX } else { Self::SIDE_PX }
    }

    /// How well places have to be known at a scale: which square of a quadtree they lie in, so many levels down. Up to 32,
    /// as well as they are kept.
    pub(super) fn level(projection: Projection, steps: [i32; 2]) -> u32 {
        const FULL: u32 = 32;
        let scale = Self::scale_of(steps);
        let tiles = scale[0] / f64::from(Self::side_px(scale));
        // The tiles of web maps are such squares; others lie across them.
        let are_squares = projection == Projection::Mercator && steps[0] == steps[1] && tiles.log2().fract() == 0.0;
        if are_squares { tiles.log2().clamp(0.0, f64::from(FULL)) as u32 } else { FULL }
    }

    /// Finds it in the tiles around `places`, degrees of longitude and latitude, at the scale that `steps` says.
    #[allow(clippy::too_many_arguments, reason = "all of it makes the sample")]
    pub(super) fn find(
        points: &dyn PointSet,
        query: &Query<'_>,
        places: &[(f64, f64)],
        projection: Projection,
        steps: [i32; 2],
        radius_px: f64,
        style: &Style,
        threads: usize,
    ) -> Result<Self> {
        let scale = Self::scale_of(steps);
        let kernel = Kernel::new(style.shape, radius_px)?;
        let draw = |tile: &Canvas, threads: usize| {
            let (grown, reduction) = (tile.grow(kernel.reach_px()), style.aggregation.reduction());
            let (cells, _) = points.cells(query, &grown, reduction, radius_px, threads)?;
            density(&cells, kernel, style.aggregation, threads)
        };
        let side = Self::side_px(scale) as usize;
        let tiles = tiles(places, projection, scale)?;
        let is_one = tiles.len() == 1;
        let drawn = match &tiles[..] {
            [(tile, _)] => vec![draw(tile, threads)?],
            // Each is drawn by one thread: there are enough of them.
            _ => try_map(&tiles, threads, |(tile, _)| draw(tile, 1))?,
        };
        let mut values = Vec::new();
        for (density, (_, times)) in drawn.iter().zip(&tiles) {
            // Neighbors are alike: where there are other tiles, every fourth row tells as much as all.
            for row in (0..side).step_by(if is_one { 1 } else { Self::EVERY_ROW }) {
                (0..*times).for_each(|_| values.extend_from_slice(density.row(row)));
            }
        }
        let sample = Grid::from_cells(side, values.len() / side, values);
        let sample = sample.unwrap_or_else(|| Grid::filled(1, 1, 0.0));
        let span = style.span(&sample, threads)?;
        Ok(Self { span, quantizer: style.quantizer(&sample, span), ranks: ranks(&sample, style) })
    }

    /// What needs no sample: a span that is known, on a curve that looks at no values.
    pub(super) fn fixed(style: &Style, span: Span) -> Self {
        Self { span, quantizer: style.quantizer(&Grid::filled(1, 1, 0.0), span), ranks: Vec::new() }
    }

    /// The same for values that are `factor` times as great.
    #[must_use]
    pub(super) fn scaled(&self, factor: f64) -> Self {
        let ranks = self.ranks.iter().map(|value| (f64::from(*value) * factor) as f32).collect();
        let span = Span { vmin: self.span.vmin * factor, vmax: self.span.vmax * factor };
        Self { span, quantizer: self.quantizer.scaled(factor), ranks }
    }

    /// The share of the sample's pixels, of those that hold anything, that stay at or below `value`, 0 to 1; `None` without
    /// a sample.
    pub fn rank(&self, value: f64) -> Option<f64> {
        let below = self.ranks.partition_point(|rank| f64::from(*rank) <= value);
        (!self.ranks.is_empty()).then(|| below as f64 / self.ranks.len() as f64)
    }

    /// The shares of the sample's pixels, of those that hold anything, in evenly wide steps of the palette that `quantizer` lays
    /// values on, from cold to hot; `None` without a sample. What is beyond an end counts as the end.
    pub fn histogram(&self, quantizer: &Quantizer) -> Option<[f64; Self::BARS]> {
        let each = 1.0 / self.ranks.len() as f64;
        let mut shares = [0.0; Self::BARS];
        for value in &self.ranks {
            let step = (quantizer.position(f64::from(*value)) * Self::BARS as f64) as usize;
            shares[step.min(Self::BARS - 1)] += each;
        }
        (!self.ranks.is_empty()).then_some(shares)
    }

    /// The value that `share` (0 to 1) of the sample's pixels stay at or below, of those that hold anything; `None` without a
    /// sample.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.ranks.len().checked_sub(1)?;
        Some(f64::from(self.ranks[(share.clamp(0.0, 1.0) * last as f64).round() as usize]))
    }
}

/// The tiles that hold the places, and how many each holds; once where one holds all.
fn tiles(places: &[(f64, f64)], projection: Projection, scale: [f64; 2]) -> Result<Vec<(Canvas, usize)>> {
    let side_px = Shading::side_px(scale);
    let side = f64::from(side_px);
    let mut order = Vec::new();
    let mut counts: HashMap<[i64; 2], usize> = HashMap::new();
    for &(lon, lat) in places {
        let (x, y) = projection.forward(lon, lat);
        let tile = [x.rem_euclid(1.0) * scale[0], y * scale[1]].map(|px| (px / side).floor() as i64);
        let count = counts.entry(tile).or_insert(0);
        if *count == 0 {
            order.push(tile);
        }
        *count += 1;
    }
    let grid = Canvas::on_grid(projection, scale)?;
    let tiles = order.iter().map(|tile| {
        let [column, row] = tile.map(|tile| tile * i64::from(side_px));
        let times = if order.len() == 1 { 1 } else { counts[tile] };
        Ok((grid.window(column, row, side_px, side_px)?, times))
    });
    tiles.collect()
}

/// Values that hold anything, a few thousand of them, in order.
fn ranks(sample: &Grid<f32>, style: &Style) -> Vec<f32> {
    const KEPT: usize = 1 << 14;
    let holds =
        |value: &f32| if style.aggregation.is_additive() { *value != 0.0 && !value.is_nan() } else { !value.is_nan() };
    let count = sample.cells().iter().filter(|value| holds(value)).count();
    let every = count.div_ceil(KEPT).max(1);
    let mut ranks: Vec<f32> = sample.cells().iter().copied().filter(holds).step_by(every).collect();
    ranks.sort_unstable_by(f32::total_cmp);
    ranks
}

/// What a shading depends on beside the layer, as a text.
pub(super) fn key(query: &Query<'_>, projection: Projection, steps: [i32; 2], radius_px: f64, style: &Style) -> String {
    // Without `..`: whether a new field changes values has to be decided here. These change colors alone, or are in the other
    // arguments.
    let Style {
        shape,
        aggregation,
        normalization,
        vmin,
        vmax,
        curve,
        blend: _,
        radius: _,
        true_scale_lat_deg: _,
        scheme: _,
        opacity: _,
        transparent_low: _,
        background: _,
    } = style;
    let end = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let (vmin, vmax, [x, y], filter) = (end(*vmin), end(*vmax), steps, filter_key(query));
    format!("{projection} {x} {y} {radius_px} {shape} {aggregation} {normalization} {vmin};{vmax} {curve} {filter}")
}

/// Which points a query lets through, as a text.
pub(super) fn filter_key(query: &Query<'_>) -> String {
    let (weights, filter) = (query.columns.weights, &query.filter);
    format!("{weights} {filter}")
}

impl Style {
    /// Whether the values that colors stand for are known without looking at any points.
    pub(super) fn known_span(&self) -> Option<Span> {
        let is_formula = self.curve != Curve::EqHist;
        self.vmin.zip(self.vmax).filter(|_| is_formula).map(|(vmin, vmax)| Span { vmin, vmax })
    }

    /// The style with `vmin` and `vmax` multiplied, where values are amounts.
    pub(super) fn with_values_scaled(&self, factor: f64) -> Self {
        let scaled = |value: Option<f64>| value.map(|value| value * factor);
        Self { vmin: scaled(self.vmin), vmax: scaled(self.vmax), ..self.clone() }
    }
}
