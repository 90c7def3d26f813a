//! Palettes of indexed pictures.

use super::{Background, Colors, Gradient, Opacity, Scheme};

/// 256 RGBA colors with straight alpha, one for each value of a quantized cell.
///
/// Index 0 means "no data" and is fully transparent; 1 to 255 run from cold to hot. Only [`Palette::classic`] has
/// another order: that of the classic density plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    colors: Box<Colors>,
}

impl Palette {
    /// The first index of the classic blend that is background.
    const CLASSIC_BACKGROUND: usize = 253;

    /// A palette of `colors`, cold first. The first color is made transparent and takes the RGB of the second, so that
    /// smoothing of the picture in a viewer causes no dark fringe.
    pub fn new(mut colors: Box<Colors>) -> Self {
        let [r, g, b, _] = colors[1];
        colors[0] = [r, g, b, 0];
        Self { colors }
    }

    /// The palette of the classic blend, whose density plane runs from 0 (hottest) to 255 (background).
    ///
    /// RGB is that of the scheme, hot first. Alpha is that of the scheme multiplied by `opacity` up to index 252, and 0
    /// in 253..=255.
    pub fn classic(scheme: &Scheme, opacity: Opacity) -> Self {
        let mut colors = Box::new(*scheme.colors());
        colors.reverse();
        for (index, [.., alpha]) in colors.iter_mut().enumerate() {
            *alpha = if index < Self::CLASSIC_BACKGROUND { opacity.scale(*alpha) } else { 0 };
        }
        Self { colors }
    }

    /// Multiplies the alpha of every color by `opacity`.
    #[must_use]
    pub fn with_opacity(mut self, opacity: Opacity) -> Self {
        for [.., alpha] in self.colors.iter_mut() {
            *alpha = opacity.scale(*alpha);
        }
        self
    }

    /// Fades the palette in over its coldest `fraction` (0..=1): alpha rises linearly from 0 to that of the color. 0
    /// changes nothing.
    #[must_use]
    pub fn fading_in(mut self, fraction: f64) -> Self {
        for (index, [.., alpha]) in self.colors.iter_mut().enumerate() {
            let position = index as f64 / 255.0;
            if position < fraction {
                *alpha = (f64::from(*alpha) * position / fraction).round() as u8;
            }
        }
        self
    }

    /// Composites every color over `background`; the result is opaque.
    #[must_use]
    pub fn on(mut self, background: Background) -> Self {
        for color in self.colors.iter_mut() {
            *color = background.composite(*color);
        }
        self
    }

    /// The color of `index`.
    pub fn rgba(&self, index: u8) -> [u8; 4] {
        self.colors[usize::from(index)]
    }

    /// The color at `position` between 0 (coldest) and 1 (hottest), for legends. Never that of index 0, "no data".
    pub fn at(&self, position: f64) -> [u8; 4] {
        self.rgba((position * 255.0).round().clamp(1.0, 255.0) as u8)
    }

    /// The colors by index.
    pub fn colors(&self) -> &Colors {
        &self.colors
    }

    /// The RGB of all colors by index: the content of a PNG's `PLTE` chunk.
    pub fn rgb_bytes(&self) -> [u8; 768] {
        let mut bytes = [0; 768];
        for (rgb, color) in bytes.chunks_exact_mut(3).zip(self.colors.iter()) {
            rgb.copy_from_slice(&color[..3]);
        }
        bytes
    }

    /// The alpha of all colors by index: the content of a PNG's `tRNS` chunk.
    pub fn alpha_bytes(&self) -> [u8; 256] {
        self.colors.map(|[.., alpha]| alpha)
    }
}

impl From<&Scheme> for Palette {
    fn from(scheme: &Scheme) -> Self {
        Self::new(Box::new(*scheme.colors()))
    }
}

impl From<&Gradient> for Palette {
    fn from(gradient: &Gradient) -> Self {
        gradient.to_palette()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn index_0_is_transparent_and_the_rest_of_an_opaque_scheme_is_opaque() {
        let palette = Palette::from(&Scheme::named("viridis").unwrap());
        assert_eq!(palette.rgba(0)[3], 0);
        assert_eq!(palette.rgba(0)[..3], palette.rgba(1)[..3]);
        assert!((1..=255).all(|index| palette.rgba(index)[3] == 255));
    }

    #[test]
    fn opacity_changes_alpha_alone() {
        let palette = Palette::from(&Scheme::named("heat").unwrap());
        let faint = palette.clone().with_opacity("50%".parse().unwrap());
        assert_eq!(palette.rgb_bytes(), faint.rgb_bytes());
        for (full, half) in palette.alpha_bytes().into_iter().zip(faint.alpha_bytes()) {
            assert_eq!(half, (f64::from(full) / 2.0).round() as u8);
        }
    }

    #[test]
    fn an_opaque_scheme_can_fade_in() {
        let palette = Palette::from(&Scheme::named("viridis").unwrap());
        let fading = palette.clone().fading_in(0.2);
        assert_eq!(fading.rgb_bytes(), palette.rgb_bytes());
        assert_eq!((fading.rgba(0)[3], fading.rgba(1)[3], fading.rgba(51)[3]), (0, 5, 255));
        assert!(fading.alpha_bytes().is_sorted());
        assert_eq!(palette.clone().fading_in(0.0), palette);
    }

    #[test]
    fn classic_is_hot_first_with_constant_alpha() {
        let scheme = Scheme::named("fire").unwrap();
        let palette = Palette::classic(&scheme, "200/255".parse().unwrap());
        assert_eq!(palette.rgba(0), [255, 255, 255, 200]);
        assert_eq!(palette.rgba(252), [176, 176, 176, 200]);
        assert_eq!(palette.rgba(253)[3], 0);
        assert_eq!(palette.rgba(255), [177, 177, 177, 0]);
        assert!(palette.alpha_bytes()[..253].iter().all(|alpha| *alpha == 200));
    }

    #[test]
    fn positions_are_clamped_to_the_visible_colors() {
        let palette = Palette::from(&Scheme::named("gray").unwrap());
        assert_eq!(palette.at(0.0), palette.rgba(1));
        assert_eq!(palette.at(-3.0), palette.rgba(1));
        assert_eq!(palette.at(1.0), palette.rgba(255));
        assert_eq!(palette.at(2.0), palette.rgba(255));
    }
}
