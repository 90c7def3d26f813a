//! The mapping from values to colors that all pictures of a layer at one scale share.
//!
//! The value range is computed from sample tiles at the scale of the picture: the tiles around a systematic sample of
//! the layer's points. Each tile is thus weighted by its number of points, so dense areas count for more than sparse
//! ones, and the result depends on the layer, the scale and the style alone, not on the bounds of a picture. At a scale
//! where one tile is the world, the sample is the whole picture. A plane has no world of a fixed size: its sample tiles
//! are always quarters of the tiles of its matrix.

use std::collections::HashMap;

use super::render::{sum_cells, values};
use super::style::Style;
use crate::error::Result;
use crate::geo::{Canvas, Projection};
use crate::parallel::try_map;
use crate::raster::{Curve, Grid, Quantizer, Span};
use crate::source::{PointSet, Query};
use crate::workers::Workers;

/// The mapping from values to colors for all pictures of a layer at one scale.
#[derive(Clone, Debug)]
pub struct Shading {
    /// The value range of the palette, in the unit of the style.
    pub span: Span,
    /// The mapping from values to palette indices.
    pub quantizer: Quantizer,
    /// A systematic sample of the values of non-empty sample pixels, in ascending order.
    ranks: Vec<f32>,
}

impl Shading {
    /// The number of bars of a histogram.
    pub const BARS: usize = 32;
    /// The number of points whose tiles are sampled.
    pub const SAMPLE_POINTS: usize = 32;
    /// Side of a sample tile, in pixels.
    const SIDE_PX: u32 = 128;
    /// A world of at most this many pixels per side is a single tile.
    const WORLD_PX: u32 = 256;
    /// Only every n-th row of a sample tile is evaluated.
    const EVERY_ROW: usize = 2;
    /// Steps of the quantized scale per doubling. The scales of tiles are exact steps.
    const STEPS_PER_DOUBLING: f64 = 8.0;

    /// The memory of the shading in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.quantizer.heap_bytes() + self.ranks.capacity() * size_of::<f32>()
    }

    /// A scale, quantized to eighths of a doubling: 8·log2 of the pixels per world unit, rounded.
    /// Pictures with the same quantized scale share a shading.
    pub(super) fn log_scale(scale: [f64; 2]) -> [i32; 2] {
        scale.map(|scale| (scale.log2() * Self::STEPS_PER_DOUBLING).round() as i32)
    }

    /// The scale of `log_scale`, in pixels per world unit.
    pub(super) fn scale_of(log_scale: [i32; 2]) -> [f64; 2] {
        log_scale.map(|step| (f64::from(step) / Self::STEPS_PER_DOUBLING).exp2())
    }

    /// Width and height in pixels of a sample tile at a scale.
    fn side_px(projection: Projection, scale: [f64; 2]) -> u32 {
        let is_world = projection.wraps() && scale[0] <= f64::from(Self::WORLD_PX);
        if is_world { Self::WORLD_PX } else { Self::SIDE_PX }
    }

    /// The required precision of sample positions at a scale, as a quadtree level: 0 to 32, the precision of stored
    /// positions.
    pub(super) fn level(projection: Projection, log_scale: [i32; 2]) -> u32 {
        const FULL: u32 = 32;
        let scale = Self::scale_of(log_scale);
        let tiles = scale[0] / f64::from(Self::side_px(projection, scale));
        // The tiles of web maps are quadtree squares; other sample tiles are not aligned with them.
        let are_squares =
            projection == Projection::Mercator && log_scale[0] == log_scale[1] && tiles.log2().fract() == 0.0;
        if are_squares { tiles.log2().clamp(0.0, f64::from(FULL)) as u32 } else { FULL }
    }

    /// Computes the shading from the tiles around `positions`, longitude and latitude in degrees or x and y in meters, at
    /// `log_scale`.
    #[allow(clippy::too_many_arguments, reason = "the sample depends on all of them")]
    pub(super) fn compute(
        points: &dyn PointSet,
        query: &Query<'_>,
        positions: &[(f64, f64)],
        projection: Projection,
        log_scale: [i32; 2],
        style: &Style,
        threads: usize,
    ) -> Result<Self> {
        let scale = Self::scale_of(log_scale);
        let render = |tile: &Canvas, threads: usize| {
            let (kernel, cells, _) = sum_cells(|q, c, t, r| points.cells(q, c, t, r, threads), query, tile, style)?;
            values(&kernel, &cells, tile, style, Workers::new(threads, query.scan.stop))
        };
        let side = Self::side_px(projection, scale) as usize;
        // Tiles at latitudes where the radius exceeds the maximum are left out.
        let (tiles, invalid): (Vec<_>, Vec<_>) =
            tiles(positions, projection, scale)?.into_iter().partition(|(tile, _)| style.check_rows(tile).is_ok());
        if let ([], [(tile, _), ..]) = (&tiles[..], &invalid[..]) {
            style.check_rows(tile)?;
        }
        let is_single = tiles.len() == 1;
        let densities = match &tiles[..] {
            [(tile, _)] => vec![render(tile, threads)?],
            // One thread per tile: there are enough tiles to use all threads.
            _ => try_map(&tiles, threads, |(tile, _)| render(tile, 1))?,
        };
        let mut sampled = Vec::new();
        for (density, (_, count)) in densities.iter().zip(&tiles) {
            // Neighboring rows are similar, so a part of them is enough if there are several tiles.
            for row in (0..side).step_by(if is_single { 1 } else { Self::EVERY_ROW }) {
                (0..*count).for_each(|_| sampled.extend_from_slice(density.row(row)));
            }
        }
        let sample = Grid::from_cells(side, sampled.len() / side, sampled);
        let sample = sample.unwrap_or_else(|| Grid::filled(1, 1, 0.0));
        let span = style.span(&sample, threads)?;
        Ok(Self { span, quantizer: style.quantizer(&sample, span), ranks: ranks(&sample, style) })
    }

    /// The shading of a known span, which needs no sample. The curve must not depend on the values.
    pub(super) fn fixed(style: &Style, span: Span) -> Self {
        Self { span, quantizer: style.quantizer(&Grid::filled(1, 1, 0.0), span), ranks: Vec::new() }
    }

    /// The shading for values multiplied by `factor`.
    #[must_use]
    pub(super) fn scaled(&self, factor: f64) -> Self {
        let ranks = self.ranks.iter().map(|value| (f64::from(*value) * factor) as f32).collect();
        let span = Span { vmin: self.span.vmin * factor, vmax: self.span.vmax * factor };
        Self { span, quantizer: self.quantizer.scaled(factor), ranks }
    }

    /// The percentile rank of `value`, 0 to 1: the share of the non-empty sample pixels with a value less than or equal
    /// to it. `None` without a sample.
    pub fn rank(&self, value: f64) -> Option<f64> {
        let below = self.ranks.partition_point(|rank| f64::from(*rank) <= value);
        (!self.ranks.is_empty()).then(|| below as f64 / self.ranks.len() as f64)
    }

    /// The histogram of the non-empty sample pixels over the palette of `quantizer`, from cold to hot: the share of the
    /// pixels per bar. `None` without a sample. Values beyond either end of the palette count in the outermost bar.
    pub fn histogram(&self, quantizer: &Quantizer) -> Option<[f64; Self::BARS]> {
        let share = 1.0 / self.ranks.len() as f64;
        let mut shares = [0.0; Self::BARS];
        for value in &self.ranks {
            let bar = (quantizer.position(f64::from(*value)) * Self::BARS as f64) as usize;
            shares[bar.min(Self::BARS - 1)] += share;
        }
        (!self.ranks.is_empty()).then_some(shares)
    }

    /// The `share` quantile (0 to 1) of the values of the non-empty sample pixels; `None` without a sample.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.ranks.len().checked_sub(1)?;
        Some(f64::from(self.ranks[(share.clamp(0.0, 1.0) * last as f64).round() as usize]))
    }
}

/// The tiles that contain the positions, each with its number of positions; 1 if a single tile contains all. Positions on
/// a plane that are too far from the origin for exact pixels are skipped.
fn tiles(positions: &[(f64, f64)], projection: Projection, scale: [f64; 2]) -> Result<Vec<(Canvas, usize)>> {
    /// Pixels up to this distance from the origin are exact in `f64`.
    const MAX_PX: f64 = (1u64 << 51) as f64;
    let side_px = Shading::side_px(projection, scale);
    let side = f64::from(side_px);
    let mut order = Vec::new();
    let mut counts: HashMap<[i64; 2], usize> = HashMap::new();
    for &(lon, lat) in positions {
        let (x, y) = projection.forward(lon, lat);
        let x = if projection.wraps() { x.rem_euclid(1.0) } else { x };
        let corner_px = [x * scale[0], y * scale[1]];
        if corner_px.iter().any(|px| px.abs() > MAX_PX) {
            continue;
        }
        let tile = corner_px.map(|px| (px / side).floor() as i64);
        let count = counts.entry(tile).or_insert(0);
        if *count == 0 {
            order.push(tile);
        }
        *count += 1;
    }
    let grid = Canvas::on_grid(projection, scale)?;
    let tiles = order.iter().map(|tile| {
        let [column, row] = tile.map(|tile| tile * i64::from(side_px));
        let count = if order.len() == 1 { 1 } else { counts[tile] };
        Ok((grid.window(column, row, side_px, side_px)?, count))
    });
    tiles.collect()
}

/// A systematic sample of the values of non-empty pixels, in ascending order.
fn ranks(sample: &Grid<f32>, style: &Style) -> Vec<f32> {
    const MAX_VALUES: usize = 1 << 14;
    let is_filled =
        |value: &f32| if style.aggregation.is_additive() { *value != 0.0 && !value.is_nan() } else { !value.is_nan() };
    let count = sample.cells().iter().filter(|value| is_filled(value)).count();
    let every = count.div_ceil(MAX_VALUES).max(1);
    let mut ranks: Vec<f32> = sample.cells().iter().copied().filter(is_filled).step_by(every).collect();
    ranks.sort_unstable_by(f32::total_cmp);
    ranks.shrink_to_fit();
    ranks
}

/// The cache key of a shading within a layer.
pub(super) fn key(query: &Query<'_>, projection: Projection, log_scale: [i32; 2], style: &Style) -> String {
    // Without `..`, so that the compiler requires a decision on each new field. The ignored fields affect colors only,
    // or are covered by the other arguments.
    let Style {
        shape,
        radius,
        aggregation,
        normalization,
        units,
        vmin,
        vmax,
        curve,
        // Of the picture, not of the sample.
        pixel_ratio: _,
        blend: _,
        scheme: _,
        opacity: _,
        transparent_low: _,
        background: _,
    } = style;
    let limit = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let (vmin, vmax, [x, y], filter) = (limit(*vmin), limit(*vmax), log_scale, filter_key(query));
    let units = units.map(|units| units.to_string()).unwrap_or_default();
    format!(
        "{projection} {x} {y} {radius} {shape} {aggregation} {normalization} {units} {vmin};{vmax} {curve} {filter}"
    )
}

/// The cache key of the points that pass a query.
pub(super) fn filter_key(query: &Query<'_>) -> String {
    let (weights, filter) = (query.columns.weights, query.filter.key());
    format!("{weights} {filter}")
}

impl Style {
    /// The span of the colors, if it does not depend on the points.
    pub(super) fn known_span(&self) -> Option<Span> {
        let is_formula = self.curve != Curve::EqHist;
        self.vmin.zip(self.vmax).filter(|_| is_formula).map(|(vmin, vmax)| Span { vmin, vmax })
    }

    /// The style with `vmin` and `vmax` multiplied by `factor`.
    pub(super) fn with_values_scaled(&self, factor: f64) -> Self {
        let scaled = |value: Option<f64>| value.map(|value| value * factor);
        Self { vmin: scaled(self.vmin), vmax: scaled(self.vmax), ..self.clone() }
    }
}
