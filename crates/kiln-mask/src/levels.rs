//! From values to 8-bit levels.

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;

use crate::{Blur, Mask, MaskStyle};

/// The levels of a mask, before or after its blur: what colors are looked up by.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    levels: Grid<u8>,
    /// What is not drawn, where anything is not.
    hidden: Option<Grid<Hidden>>,
    vmin: f64,
    vmax: f64,
}

/// Why a pixel is not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Hidden {
    /// It is drawn.
    No,
    /// It has no value.
    NoData,
    /// It had the lowest level before the blur, in which it took part.
    Low,
}

impl Levels {
    /// The levels of `mask` in `style`, blurred.
    ///
    /// # Errors
    /// As [`new`](Self::new) and [`blurred`](Self::blurred).
    pub fn of(mask: &Mask, style: &MaskStyle, threads: usize) -> Result<Self> {
        let levels = Self::new(mask, style.vmin, style.vmax, style.transparent_low, threads)?;
        match &style.blur {
            Some(blur) => levels.blurred(blur, threads),
            None => Ok(levels),
        }
    }

    /// The levels of `mask`: (value − vmin) / (vmax − vmin) · 255, rounded down, 0 to 255. Values beyond `vmin` and `vmax`
    /// have the levels of these. Where the two are equal because no value differs from another, all have level 128. With
    /// `transparent_low` the pixels at level 0 are transparent.
    ///
    /// # Errors
    /// [`Error::Input`] if a bound that is not given cannot be taken from the mask because no value is finite;
    /// [`Error::Invalid`] if `vmin` is not below `vmax`, or one is not finite.
    pub fn new(
        mask: &Mask,
        vmin: Option<f64>,
        vmax: Option<f64>,
        transparent_low: bool,
        threads: usize,
    ) -> Result<Self> {
        let _ = (mask, vmin, vmax, transparent_low, threads);
        Err(Error::invalid(Parameter::VMIN, "not yet"))
    }

    /// The levels after a blur. Pixels without data take no part, and stay without.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the kernel does not fit: see [`Blur::new`].
    pub fn blurred(self, blur: &Blur, threads: usize) -> Result<Self> {
        let _ = (blur, threads);
        Ok(self)
    }

    /// The levels after a blur of the caller's own, which gets them as floats from 0 to 255, NaN where there is no data. What
    /// it returns is rounded and clipped.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it returns a grid of another size.
    pub fn blurred_by(self, blur: impl Fn(&Grid<f32>) -> Grid<f32>) -> Result<Self> {
        let _ = blur;
        Ok(self)
    }

    /// The value of level 0.
    pub fn vmin(&self) -> f64 {
        self.vmin
    }

    /// The value of level 255.
    pub fn vmax(&self) -> f64 {
        self.vmax
    }

    /// The levels, those of pixels that are not drawn too.
    pub fn levels(&self) -> &Grid<u8> {
        &self.levels
    }

    /// The width in cells of the mask.
    pub fn width(&self) -> usize {
        self.levels.width()
    }

    /// The height in cells of the mask.
    pub fn height(&self) -> usize {
        self.levels.height()
    }

    /// The bytes that they take in memory.
    pub fn bytes(&self) -> usize {
        self.levels.cells().len() * if self.hidden.is_some() { 2 } else { 1 }
    }

    pub(crate) fn hidden(&self) -> Option<&Grid<Hidden>> {
        self.hidden.as_ref()
    }
}
