//! The paper that a picture is printed on.

use std::fmt;
use std::str::FromStr;

use colorgrad::Color;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// An opaque color to lay under a picture that is not an overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Background {
    rgb: [u8; 3],
}

impl Background {
    /// What is seen of a color with straight alpha on this background.
    pub fn composite(self, [r, g, b, alpha]: [u8; 4]) -> [u8; 4] {
        let mix = |over: u8, under: u8| {
            let (over, under, alpha) = (u32::from(over), u32::from(under), u32::from(alpha));
            ((over * alpha + under * (255 - alpha) + 127) / 255) as u8
        };
        [mix(r, self.rgb[0]), mix(g, self.rgb[1]), mix(b, self.rgb[2]), 255]
    }
}

/// As `#rrggbb`.
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
    fn colors_are_laid_over_it() {
        let paper: Background = "#102030".parse().unwrap();
        assert_eq!(paper.composite([255, 255, 255, 0]), [16, 32, 48, 255]);
        assert_eq!(paper.composite([255, 0, 9, 255]), [255, 0, 9, 255]);
        assert_eq!(paper.composite([116, 132, 148, 128]), [66, 82, 98, 255]);
        for bad in ["", "nocolor", "transparent", "#00000080"] {
            assert!(bad.parse::<Background>().is_err(), "{bad}");
        }
    }
}
