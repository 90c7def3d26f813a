//! Blurs of 8-bit levels. If every pixel has data, the results are those of OpenCV.

mod box_mean;
mod gaussian;
mod median;
mod separable;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::fmt;
use std::str::FromStr;

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;

/// A blur: its kind and the size of its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blur {
    kind: BlurKind,
    width: usize,
    height: usize,
}

/// The function applied to the pixels under the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BlurKind {
    /// Their mean, weighted by a Gaussian whose standard deviation depends on the size of the kernel.
    #[default]
    Gaussian,
    /// Their median.
    Median,
    /// Their mean.
    Box,
}

impl BlurKind {
    /// Every kind, by name.
    pub const ALL: [(&'static str, Self); 3] =
        [("gaussian", Self::Gaussian), ("median", Self::Median), ("box", Self::Box)];
}

impl FromStr for BlurKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        found.map(|(_, kind)| *kind).ok_or_else(|| {
            Error::invalid(Parameter::BLUR, format!("unknown blur `{text}`; expected gaussian, median or box"))
        })
    }
}

impl fmt::Display for BlurKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name))
    }
}

impl Blur {
    /// The maximum side of a kernel.
    pub const MAX_SIDE: usize = 255;
    /// The default side of a kernel.
    pub const DEFAULT_SIDE: usize = 5;

    /// Creates a blur with a kernel of `width` × `height` cells of the mask.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a side is even, 0 or exceeds [`MAX_SIDE`](Self::MAX_SIDE), or if the kernel of a median is not square.
    pub fn new(kind: BlurKind, width: usize, height: usize) -> Result<Self> {
        for side in [width, height] {
            if side % 2 == 0 || side > Self::MAX_SIDE {
                let max = Self::MAX_SIDE;
                let message = format!(
                    "invalid kernel side {side}; expected odd numbers from 1 to {max}, such as `5,5`, or `none`"
                );
                return Err(Error::invalid(Parameter::BLUR_KSIZE, message));
            }
        }
        if kind == BlurKind::Median && width != height {
            let message = format!("{width},{height} is not square; a median blur requires a square kernel");
            return Err(Error::invalid(Parameter::BLUR_KSIZE, message));
        }
        Ok(Self { kind, width, height })
    }

    /// Blurs levels. Pixels where `no_data` is nonzero are excluded; their output values are unspecified.
    pub(crate) fn apply(&self, levels: &Grid<u8>, no_data: Option<&Grid<u8>>, threads: usize) -> Grid<u8> {
        // A kernel of one cell is the identity.
        if (self.width, self.height) == (1, 1) {
            return levels.clone();
        }
        match self.kind {
            BlurKind::Gaussian => gaussian::blur(levels, no_data, (self.width, self.height), threads),
            BlurKind::Median => median::blur(levels, no_data, self.width, threads),
            BlurKind::Box => box_mean::blur(levels, no_data, (self.width, self.height), threads),
        }
    }

    /// The kind.
    pub fn kind(&self) -> BlurKind {
        self.kind
    }

    /// The width of the kernel in cells of the mask.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The height of the kernel in cells of the mask.
    pub fn height(&self) -> usize {
        self.height
    }
}

impl Default for Blur {
    fn default() -> Self {
        Self { kind: BlurKind::Gaussian, width: Self::DEFAULT_SIDE, height: Self::DEFAULT_SIDE }
    }
}
