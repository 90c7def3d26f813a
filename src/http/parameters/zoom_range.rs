//! Ranges of zooms in requests.

use std::fmt;
use std::ops::RangeInclusive;

use super::tile_address::tile_zooms;
use crate::error::Error;
use crate::geo::Zooms;
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::Layer;

/// An inclusive range of the zooms of a layer's tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ZoomRange {
    first: i8,
    last: i8,
}

impl ZoomRange {
    /// The range from `first` to `last`.
    pub(crate) fn new(first: i8, last: i8) -> Self {
        Self { first, last }
    }

    /// Parses `5`, `0-10` or, for a layer on a plane, also `-3` and `-3-4`, from the parameter `name`.
    pub(crate) fn read(layer: &Layer, name: &str, text: &str) -> HttpResult<Self> {
        if layer.coordinate_space().wraps() {
            let zooms = text.parse().map_err(|error: Error| Problem::parameter(name, error.into_message().with_keys()));
            let Zooms { first, last } = zooms?;
            return Ok(Self { first: first as i8, last: last as i8 });
        }
        let [min, max] = tile_zooms(layer);
        // The hyphen of the range follows a digit; a minus sign does not.
        let hyphen =
            text.char_indices().skip(1).find(|&(at, c)| c == '-' && text[..at].ends_with(|c: char| c.is_ascii_digit()));
        let (first, last) = hyphen.map_or((text, text), |(at, _)| (&text[..at], &text[at + 1..]));
        let zoom = |text: &str| text.trim().parse::<i8>().ok().filter(|zoom| (min..=max).contains(zoom));
        match (zoom(first), zoom(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => {
                let detail = format!("`{text}` is neither a zoom from {min} to {max} nor a range such as -2-7");
                Err(Problem::parameter(name, detail))
            }
        }
    }

    /// The zooms in ascending order.
    pub(crate) fn all(self) -> RangeInclusive<i8> {
        self.first..=self.last
    }
}

impl fmt::Display for ZoomRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}
