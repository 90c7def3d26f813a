//! From the cells of a mask to the pixels of a picture of another size.

use std::fmt;
use std::str::FromStr;

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// How levels are found between the cells of a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resample {
    /// From the cells around, weighted by distance; where the picture is smaller than the mask, from all cells below a pixel.
    #[default]
    Linear,
    /// From the cell below the center of the pixel.
    Nearest,
}

impl Resample {
    /// Every kind, by name.
    pub const ALL: [(&'static str, Self); 2] = [("linear", Self::Linear), ("nearest", Self::Nearest)];
}

impl FromStr for Resample {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        found
            .map(|(_, resample)| *resample)
            .ok_or_else(|| Error::invalid(Parameter::RESAMPLE, format!("`{text}` is neither linear nor nearest")))
    }
}

impl fmt::Display for Resample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, resample)| resample == self).map_or("", |(name, _)| name))
    }
}
