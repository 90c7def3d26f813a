//! What a picture is painted with: one color per byte.

use super::{Background, Colors, Gradient, Opacity, Scheme};

/// 256 RGBA colors with straight alpha, one for each value of a quantized cell.
///
/// Index 0 means "nothing here" and is fully transparent; 1 to 255 run from cold to hot. Only
/// [`Palette::classic`] has another order, because there the density plane has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    colors: Box<Colors>,
}

impl Palette {
    /// The first index of the classic blend that is background.
    const CLASSIC_BACKGROUND: usize = 253;

    /// A palette over `colors`, cold first. The first of them is made transparent, and takes the RGB of the second so
    /// that a viewer which smooths the picture sees no dark rim.
    pub fn new(mut colors: Box<Colors>) -> Self {
        let [r, g, b, _] = colors[1];
        colors[0] = [r, g, b, 0];
        Self { colors }
    }

    /// The palette of the classic blend, whose density plane runs from 0 (hottest) to 255 (background).
    ///
    /// RGB is the scheme, hot first. Alpha is constant, `opacity`, up to index 252, and 0 in 253..=255; a scheme that
    /// has an alpha of its own keeps it beneath the opacity.
    pub fn classic(scheme: &Scheme, opacity: Opacity) -> Self {
        let mut colors = Box::new(*scheme.colors());
        colors.reverse();
        for (index, [.., alpha]) in colors.iter_mut().enumerate() {
            *alpha = if index < Self::CLASSIC_BACKGROUND { opacity.scale(*alpha) } else { 0 };
        }
        Self { colors }
    }

    /// The same colors, each as much more transparent as `opacity` says.
    #[must_use]
    pub fn with_opacity(mut self, opacity: Opacity) -> Self {
        for [.., alpha] in self.colors.iter_mut() {
            *alpha = opacity.scale(*alpha);
        }
        self
    }

    /// The same colors, fading in over the coldest `share` of them: the alpha of what lies below is scaled by how far up it
    /// lies. 0 changes nothing.
    #[must_use]
    pub fn fading_in(mut self, share: f64) -> Self {
        for (index, [.., alpha]) in self.colors.iter_mut().enumerate() {
            let position = index as f64 / 255.0;
            if position < share {
                *alpha = (f64::from(*alpha) * position / share).round() as u8;
            }
        }
        self
    }

    /// The same colors as they look on `background`, all of them opaque.
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

    /// The color at `position` between 0 (coldest) and 1 (hottest), as a legend shows it: never "nothing here".
    pub fn at(&self, position: f64) -> [u8; 4] {
        self.rgba((position * 255.0).round().clamp(1.0, 255.0) as u8)
    }

    /// All colors, by index.
    pub fn colors(&self) -> &Colors {
        &self.colors
    }

    /// Red, green and blue of all colors in turn: a PNG's PLTE.
    pub fn rgb_bytes(&self) -> [u8; 768] {
        let mut bytes = [0; 768];
        for (rgb, color) in bytes.chunks_exact_mut(3).zip(self.colors.iter()) {
            rgb.copy_from_slice(&color[..3]);
        }
        bytes
    }

    /// The alpha of all colors in turn: a PNG's tRNS.
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
    fn index_0_is_nothing_and_the_rest_of_an_opaque_scheme_is_opaque() {
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
