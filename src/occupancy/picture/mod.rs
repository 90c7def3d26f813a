//! Pictures of grids.

mod cells;
mod contours;
mod grid_style;
mod heat;
mod terrain;
mod work;

pub use contours::{ContourLine, contours};
pub use grid_style::GridStyle;
pub use work::PictureWork;

use crate::encode::png::{self, PngOptions};
use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::occupancy::{Grid, GridLayer, PictureKind};
use crate::parameter::Parameter;

/// The limits of a picture.
#[derive(Clone, Copy, Debug)]
pub struct PictureLimits {
    /// The maximum number of pixels.
    pub pixels: u64,
    /// The maximum radius of a dot in pixels.
    pub radius_px: f64,
}

/// A picture of a grid.
#[derive(Clone, Debug)]
pub struct GridPicture {
    /// The PNG.
    pub png: Vec<u8>,
    /// The bounds: meters on a plane, degrees on the globe.
    pub bounds: Bounds,
    /// The values of the coldest and the hottest color.
    pub span: [f64; 2],
    /// The unit of the values.
    pub unit: String,
    /// Meters of height per unit, of a terrain picture.
    pub height_scale: Option<f64>,
}

/// Draws the picture of a grid of `layer`.
///
/// # Errors
/// [`Error::Invalid`] if the picture exceeds the limits, or a style parameter does not apply to it; as
/// [`PointSet::cells`](crate::source::PointSet::cells).
pub fn draw(grid: &Grid, layer: &GridLayer<'_>, style: &GridStyle, limits: PictureLimits) -> Result<GridPicture> {
    match style.picture {
        PictureKind::Cells => cells::draw(grid, style, limits, layer.workers()),
        PictureKind::Heat => heat::draw(grid, layer, style, limits),
        PictureKind::Contours => contours::draw(grid, layer, style, limits),
        PictureKind::Terrain => terrain::draw(grid, layer, style, limits),
    }
}

/// Encodes indices in the colors of a palette.
fn encode(indices: &crate::raster::Grid<u8>, palette: &[[u8; 4]; 256]) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    png::write_indexed(&mut png, indices, palette, PngOptions::default())?;
    Ok(png)
}

/// Rejects a picture with too many pixels.
fn check_pixels(width: u64, height: u64, limits: PictureLimits) -> Result<()> {
    let (pixels, limit) = (width.saturating_mul(height), limits.pixels);
    if pixels <= limit {
        return Ok(());
    }
    let detail = format!("{pixels} pixels exceed the limit of {limit}, limits.pixels");
    Err(Error::invalid(Parameter::SIZE, detail))
}
