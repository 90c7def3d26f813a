//! Names of pictures: `….png`, or `…@2x.png` with twice the pixels a side for the same ground, up to `@4x`.

use crate::layer::Radius;

/// Pixels of a picture per pixel of the layout that it is shown in: 1, or 2 to 4 for dense screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PixelRatio(u32);

impl PixelRatio {
    /// A pixel of the picture for each of the layout.
    pub(crate) const ONE: Self = Self(1);

    /// The suffixes of names, each with its ratio.
    const SUFFIXES: [(&str, Self); 3] = [("@2x", Self(2)), ("@3x", Self(3)), ("@4x", Self(4))];

    /// What stands before `.png` or a suffix such as `@2x.png`, and the ratio; `None` for any other ending.
    pub(crate) fn split(name: &str) -> Option<(&str, Self)> {
        let stem = name.strip_suffix(".png")?;
        let dense = Self::SUFFIXES.iter().find_map(|(suffix, ratio)| Some((stem.strip_suffix(suffix)?, *ratio)));
        Some(dense.unwrap_or((stem, Self::ONE)))
    }

    /// So many pixels of the layout as pixels of the picture.
    pub(crate) fn pixels(self, layout_px: u32) -> u32 {
        layout_px.saturating_mul(self.0)
    }

    /// The radius in pixels of the picture: a dot is as large on the map whatever the ratio.
    pub(crate) fn radius(self, radius: Radius) -> Radius {
        let ratio = f64::from(self.0);
        match radius {
            Radius::Pixels(pixels) => Radius::Pixels(pixels * ratio),
            Radius::DotSize(pixels) => Radius::DotSize(pixels * ratio),
            Radius::Meters(meters) => Radius::Meters(meters),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_ratio() {
        assert_eq!(PixelRatio::split("800x600.png"), Some(("800x600", PixelRatio(1))));
        assert_eq!(PixelRatio::split("7@2x.png"), Some(("7", PixelRatio(2))));
        assert_eq!(PixelRatio::split("7@3x.png"), Some(("7", PixelRatio(3))));
        assert_eq!(PixelRatio::split("7@4x.png"), Some(("7", PixelRatio(4))));
        // Another ratio is no part of a number either.
        assert_eq!(PixelRatio::split("7@5x.png"), Some(("7@5x", PixelRatio::ONE)));
        for bad in ["7", "7@2x", "7.webp", "7.PNG", "7.png.gz"] {
            assert_eq!(PixelRatio::split(bad), None, "{bad}");
        }
        assert_eq!(PixelRatio(2).pixels(u32::MAX), u32::MAX);
        assert_eq!(PixelRatio(2).radius(Radius::DotSize(3.0)), Radius::DotSize(6.0));
        assert_eq!(PixelRatio(2).radius(Radius::Meters(3.0)), Radius::Meters(3.0));
    }
}
