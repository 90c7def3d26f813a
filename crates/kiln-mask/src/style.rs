//! The style of a mask.

use kiln_core::error::Result;

use super::{Blur, Colormap, Resample};

/// The style of a mask. [`new`](Self::new) returns the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskStyle {
    /// The value of level 0; the least finite value if `None`. Values below have level 0.
    pub vmin: Option<f64>,
    /// The value of level 255; the greatest finite value if `None`. Values above have level 255.
    pub vmax: Option<f64>,
    /// Whether pixels with level 0 before the blur are transparent. Default: false.
    pub transparent_low: bool,
    /// The blur of the levels; Gaussian, 5 × 5 by default.
    pub blur: Option<Blur>,
    /// The colors of the levels; OpenCV's jet by default.
    pub colormap: Colormap,
    /// The opacity in percent, 0 to 100; 70 by default. It is multiplied by the alpha of a color.
    pub opacity: f64,
    /// The width of the picture in pixels. `None`: from `height` and the aspect ratio, or else the width of the background, or
    /// else of the mask.
    pub width: Option<usize>,
    /// The height of the picture in pixels. `None`: as for the width.
    pub height: Option<usize>,
    /// The interpolation of levels between the cells of the mask; linear by default.
    pub resample: Resample,
}

impl MaskStyle {
    /// The default opacity in percent.
    pub const DEFAULT_OPACITY: f64 = 70.0;
    /// The maximum side of a picture in pixels.
    pub const MAX_SIDE_PX: usize = 32_768;
    /// The maximum number of pixels of a picture.
    pub const MAX_PIXELS: usize = 1 << 27;

    /// The default style.
    ///
    /// # Errors
    /// [`Error::Input`](kiln_core::Error::Input) if a built-in table is invalid, which the tests exclude.
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

    /// Whether both styles have the same levels, so that levels computed for one can be used for the other.
    pub fn has_levels_of(&self, other: &Self) -> bool {
        (self.vmin, self.vmax, self.transparent_low, &self.blur)
            == (other.vmin, other.vmax, other.transparent_low, &other.blur)
    }
}
