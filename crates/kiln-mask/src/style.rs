//! How a mask is drawn.

use kiln_core::error::Result;

use super::{Blur, Colormap, Resample};

/// How a mask is drawn. [`new`](Self::new) has the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskStyle {
    /// The value of level 0; the least finite value if `None`. Values below have level 0.
    pub vmin: Option<f64>,
    /// The value of level 255; the greatest finite value if `None`. Values above have level 255.
    pub vmax: Option<f64>,
    /// Whether the pixels that have level 0 before the blur are transparent; not by default.
    pub transparent_low: bool,
    /// The blur of the levels; Gaussian, 5 × 5 by default.
    pub blur: Option<Blur>,
    /// The colors of the levels; OpenCV's jet by default.
    pub colormap: Colormap,
    /// How much of the colors is seen, in percent: 0 to 100; 70 by default. The own alpha of a color counts as well.
    pub opacity: f64,
    /// The width of the picture in pixels; that of the background if `None`, or of the mask. With `height` alone given, the
    /// one that keeps the proportions.
    pub width: Option<usize>,
    /// The height of the picture in pixels, likewise.
    pub height: Option<usize>,
    /// How levels are found between the cells of the mask; linearly by default.
    pub resample: Resample,
}

impl MaskStyle {
    /// Percent of the colors that is seen where nothing else is given.
    pub const DEFAULT_OPACITY: f64 = 70.0;
    /// The longest side of a picture, in pixels.
    pub const MAX_SIDE_PX: usize = 32_768;
    /// The most pixels of a picture.
    pub const MAX_PIXELS: usize = 1 << 27;

    /// The default style.
    ///
    /// # Errors
    /// [`Error::Input`](kiln_core::Error::Input) if a built-in table is broken, which the tests rule out.
    pub fn new() -> Result<Self> {
        Ok(Self {
            vmin: None,
            vmax: None,
            transparent_low: false,
            blur: Some(Blur::default()),
            colormap: Colormap::named(Colormap::DEFAULT)?,
            opacity: Self::DEFAULT_OPACITY,
            width: None,
            height: None,
            resample: Resample::default(),
        })
    }

    /// Whether the levels that were made for one style are those of the other as well, so that they need not be made again.
    pub fn has_levels_of(&self, other: &Self) -> bool {
        (self.vmin, self.vmax, self.transparent_low, &self.blur)
            == (other.vmin, other.vmax, other.transparent_low, &other.blur)
    }
}
