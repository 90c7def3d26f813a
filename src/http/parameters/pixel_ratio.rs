//! Pixel ratios in filenames: `….png`, or `…@2x.png` with twice the pixels per side for the same bounds, up to `@4x`.

use crate::layer::Radius;

/// Picture pixels per CSS pixel: 1, or 2 to 4 for high-density screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PixelRatio(u32);

impl PixelRatio {
    /// One picture pixel per CSS pixel.
    pub(crate) const ONE: Self = Self(1);

    /// The filename suffixes and their ratios.
    const SUFFIXES: [(&str, Self); 3] = [("@2x", Self(2)), ("@3x", Self(3)), ("@4x", Self(4))];

    /// Splits a filename into the part before `.png` or a suffix such as `@2x.png`, and the ratio; `None` for any other
    /// extension.
    pub(crate) fn split(name: &str) -> Option<(&str, Self)> {
        let stem = name.strip_suffix(".png")?;
        let dense = Self::SUFFIXES.iter().find_map(|(suffix, ratio)| Some((stem.strip_suffix(suffix)?, *ratio)));
        Some(dense.unwrap_or((stem, Self::ONE)))
    }

    /// Converts CSS pixels to picture pixels.
    pub(crate) fn pixels(self, css_px: u32) -> u32 {
        css_px.saturating_mul(self.0)
    }

    /// The picture pixels per CSS pixel, along each axis.
    pub(crate) fn factor(self) -> f64 {
        f64::from(self.0)
    }

    /// Converts a radius to picture pixels, so that dots have the same size on the map at any ratio.
    pub(crate) fn radius(self, radius: Radius) -> Radius {
        radius.scaled(self.factor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filenames_contain_the_ratio() {
        assert_eq!(PixelRatio::split("800x600.png"), Some(("800x600", PixelRatio(1))));
        assert_eq!(PixelRatio::split("7@2x.png"), Some(("7", PixelRatio(2))));
        assert_eq!(PixelRatio::split("7@3x.png"), Some(("7", PixelRatio(3))));
        assert_eq!(PixelRatio::split("7@4x.png"), Some(("7", PixelRatio(4))));
        // An unknown ratio is kept, and rejected as a part of the number.
        assert_eq!(PixelRatio::split("7@5x.png"), Some(("7@5x", PixelRatio::ONE)));
        for bad in ["7", "7@2x", "7.webp", "7.PNG", "7.png.gz"] {
            assert_eq!(PixelRatio::split(bad), None, "{bad}");
        }
        assert_eq!(PixelRatio(2).pixels(u32::MAX), u32::MAX);
        assert_eq!(PixelRatio(2).radius(Radius::DotSize(3.0)), Radius::DotSize(6.0));
        assert_eq!(PixelRatio(2).radius(Radius::Meters(3.0)), Radius::Meters(3.0));
    }
}
