//! Ranges of zoom levels.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::TileCoord;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// An inclusive range of zoom levels; written `5` or `0-10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zooms {
    /// The minimum zoom, 0..=24.
    pub first: u8,
    /// The maximum zoom, `first`..=24.
    pub last: u8,
}

impl Zooms {
    /// The zoom levels in ascending order.
    pub fn all(self) -> RangeInclusive<u8> {
        self.first..=self.last
    }
}

impl FromStr for Zooms {
    type Err = Error;

    /// Reads `5` or `0-10`.
    fn from_str(text: &str) -> Result<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let zoom = |text: &str| text.trim().parse::<u8>().ok().filter(|zoom| *zoom <= TileCoord::MAX_ZOOM);
        match (zoom(first), zoom(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => {
                let max = TileCoord::MAX_ZOOM;
                Err(Error::invalid(
                    Parameter::ZOOM,
                    format!("`{text}` is neither a zoom from 0 to {max} nor a range such as 0-10"),
                ))
            }
        }
    }
}

impl fmt::Display for Zooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn zooms_are_parsed_and_displayed() {
        for (text, first, last) in [("5", 5, 5), ("0-10", 0, 10), ("24", 24, 24), (" 3 - 4 ", 3, 4)] {
            let zooms: Zooms = text.parse().unwrap();
            assert_eq!(zooms, Zooms { first, last });
            assert_eq!(zooms.to_string().parse::<Zooms>().unwrap(), zooms);
        }
        for bad in ["", "-", "-1", "25", "5-", "6-5", "0-25", "1-2-3", "x"] {
            assert!(bad.parse::<Zooms>().is_err(), "{bad}");
        }
    }
}
