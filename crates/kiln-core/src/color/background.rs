//! Opaque background colors.

use std::fmt;
use std::str::FromStr;

use colorgrad::Color;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// An opaque background color for pictures that are not map overlays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background {
    rgb: [u8; 3],
}

impl Background {
    /// Composites a color with straight alpha over the background.
    pub fn composite(self, [r, g, b, alpha]: [u8; 4]) -> [u8; 4] {
        let mix = |source: u8, backdrop: u8| {
            let (source, backdrop, alpha) = (u32::from(source), u32::from(backdrop), u32::from(alpha));
            ((source * alpha + backdrop * (255 - alpha) + 127) / 255) as u8
        };
        [mix(r, self.rgb[0]), mix(g, self.rgb[1]), mix(b, self.rgb[2]), 255]
    }
}

/// Writes `#rrggbb`.
impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.rgb;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

impl FromStr for Background {
    type Err = Error;

    /// Reads an opaque CSS color: `white`, `#10131a`, `rgb(16, 19, 26)`.
    fn from_str(text: &str) -> Result<Self> {
        match text.parse::<Color>().map(|color| color.to_rgba8()) {
            Ok([r, g, b, 255]) => Ok(Self { rgb: [r, g, b] }),
            _ => Err(Error::invalid(
                Parameter::BACKGROUND,
                format!("`{text}` is not an opaque CSS color such as white or #10131a"),
            )),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_composited_over_the_background() {
        let background: Background = "#102030".parse().unwrap();
        assert_eq!(background.composite([255, 255, 255, 0]), [16, 32, 48, 255]);
        assert_eq!(background.composite([255, 0, 9, 255]), [255, 0, 9, 255]);
        assert_eq!(background.composite([116, 132, 148, 128]), [66, 82, 98, 255]);
        for bad in ["", "nocolor", "transparent", "#00000080"] {
            assert!(bad.parse::<Background>().is_err(), "{bad}");
        }
    }
}
