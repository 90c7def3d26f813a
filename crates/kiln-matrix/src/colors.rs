//! Colors of values.

use kiln_core::color::{Colors, Scheme};

/// The colors of the values from `vmin` to `vmax`; others have the color of the nearer end.
#[derive(Clone, Debug)]
pub(crate) struct ColorScale {
    colors: Box<Colors>,
    pub(crate) vmin: f64,
    pub(crate) vmax: f64,
}

/// Black and white: the colors of values in cells.
const INKS: [[u8; 4]; 2] = [[0, 0, 0, 255], [255, 255, 255, 255]];

impl ColorScale {
    /// The scale of finite values `vmin <= vmax`. Transparent colors are composited over white.
    pub(crate) fn new(scheme: &Scheme, vmin: f64, vmax: f64) -> Self {
        let mut colors = Box::new(*scheme.colors());
        for color in colors.iter_mut() {
            let alpha = u32::from(color[3]);
            let over_white = |channel: u8| ((u32::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
            let [red, green, blue, _] = *color;
            *color = [over_white(red), over_white(green), over_white(blue), 255];
        }
        Self { colors, vmin, vmax }
    }

    /// The position of a value on the scale, 0 to 1; 0.5 for the value of a scale with a single one.
    pub(crate) fn position(&self, value: f64) -> f64 {
        if value <= self.vmin && self.vmin < self.vmax || value < self.vmin {
            return 0.0;
        }
        // Halves, because the difference of two values may exceed the range of a double.
        let position = (value / 2.0 - self.vmin / 2.0) / (self.vmax / 2.0 - self.vmin / 2.0);
        if position.is_nan() { 0.5 } else { position.clamp(0.0, 1.0) }
    }

    /// The opaque color of a value.
    pub(crate) fn color(&self, value: f64) -> [u8; 4] {
        self.at(self.position(value))
    }

    /// The opaque color at a position, 0 to 1.
    pub(crate) fn at(&self, position: f64) -> [u8; 4] {
        self.colors[(position * 255.0).round().clamp(0.0, 255.0) as usize]
    }
}

/// Black or white: the color with the greater contrast with `background`, by the contrast ratio of WCAG 2.
pub(crate) fn ink(background: [u8; 4]) -> [u8; 4] {
    let luminance = luminance(background);
    // The ratios (L + 0.05) / 0.05 and 1.05 / (L + 0.05).
    if (luminance + 0.05).powi(2) >= 0.05 * 1.05 { INKS[0] } else { INKS[1] }
}

/// The relative luminance of an sRGB color, 0 to 1: <https://www.w3.org/TR/WCAG21/#dfn-relative-luminance>.
fn luminance([red, green, blue, _]: [u8; 4]) -> f64 {
    let linear = |channel: u8| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// The border of a dot: its color, darker by a third.
pub(crate) fn border(color: [u8; 4]) -> [u8; 4] {
    let darker = |channel: u8| (u32::from(channel) * 2 / 3) as u8;
    let [red, green, blue, alpha] = color;
    [darker(red), darker(green), darker(blue), alpha]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_of_the_range_have_the_colors_of_its_ends() {
        let scheme = Scheme::named("viridis").unwrap();
        let scale = ColorScale::new(&scheme, -1.0, 3.0);
        assert_eq!(scale.color(-9.0), scheme.colors()[0]);
        assert_eq!(scale.color(9.0), scheme.colors()[255]);
        assert_eq!(scale.color(1.0), scheme.colors()[128]);
        let huge = ColorScale::new(&scheme, -f64::MAX, f64::MAX);
        assert!((huge.position(0.0) - 0.5).abs() < 1e-9);
        let single = ColorScale::new(&scheme, 2.0, 2.0);
        assert_eq!([1.0, 2.0, 3.0].map(|value| (2.0 * single.position(value)) as u8), [0, 1, 2]);
    }

    #[test]
    fn transparent_colors_are_composited_over_white() {
        let scale = ColorScale::new(&Scheme::named("heat").unwrap(), 0.0, 1.0);
        assert_eq!(scale.color(0.0), [255; 4]);
        assert_eq!(scale.color(1.0)[3], 255);
    }

    #[test]
    fn texts_are_black_on_light_and_white_on_dark_colors() {
        for (background, expected) in [
            ([255, 255, 255, 255], INKS[0]),
            ([253, 231, 37, 255], INKS[0]),
            ([68, 1, 84, 255], INKS[1]),
            ([0, 0, 255, 255], INKS[1]),
            ([118, 118, 118, 255], INKS[0]),
            ([116, 116, 116, 255], INKS[1]),
        ] {
            assert_eq!(ink(background), expected, "{background:?}");
        }
    }
}
