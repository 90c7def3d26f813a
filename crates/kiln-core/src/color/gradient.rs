//! Gradients: colors interpolated between color stops.

use std::fmt;
use std::str::FromStr;

use colorgrad::Color;

use super::{Colors, Palette};
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A color gradient: color stops from 0 (cold) to 1 (hot).
///
/// The syntax is that of CSS gradients: `transparent, blue, lime 60%, rgb(255, 0, 0)`. A color is any CSS color (a
/// name, `#rrggbb`, `rgb(…)`, `hsl(…)`, `oklch(…)`, …); a position is a percentage or a number between 0 and 1. Stops
/// without a position are spaced evenly between their neighbors. Colors are interpolated in premultiplied sRGB, as in
/// CSS, so a fade from `transparent` does not darken.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    stops: Vec<Stop>,
}

/// A color at a position between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
struct Stop {
    position: f64,
    color: Color,
}

/// A color stop with an optional position between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ParsedStop {
    pub(super) color: Color,
    pub(super) position: Option<f64>,
}

/// An error in a stop.
pub(super) struct StopError {
    /// The index of the stop, from 0.
    pub(super) index: usize,
    pub(super) message: String,
}

/// Writes the syntax that [`FromStr`] reads: `#0000ff00 0%,#00ff00ff 60%,#ff0000ff 100%`.
impl fmt::Display for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, stop) in self.stops.iter().enumerate() {
            let separator = if index > 0 { "," } else { "" };
            let [r, g, b, a] = stop.color.to_rgba8();
            write!(f, "{separator}#{r:02x}{g:02x}{b:02x}{a:02x} {}%", percent(stop.position))?;
        }
        Ok(())
    }
}

impl Gradient {
    /// A gradient of `parsed` stops, with missing positions filled in.
    pub(super) fn new(parsed: &[ParsedStop]) -> Result<Self, StopError> {
        let Some(last) = parsed.len().checked_sub(1).filter(|last| *last > 0) else {
            return Err(StopError { index: 0, message: "a gradient needs at least 2 colors".into() });
        };
        let known = |index: usize| match parsed[index].position {
            None if index == 0 => Some(0.0),
            None if index == last => Some(1.0),
            position => position,
        };
        let mut stops: Vec<Stop> = Vec::with_capacity(parsed.len());
        for index in 0..=last {
            let Some(position) = known(index) else { continue };
            let low = stops.last().map_or(position, |stop| stop.position);
            if position < low {
                let (position, low) = (percent(position), percent(low));
                let message =
                    format!("position {position}% is below {low}% of an earlier color; positions must not decrease");
                return Err(StopError { index, message });
            }
            let segment = &parsed[stops.len()..=index];
            let steps = segment.len() as f64;
            for (step, stop) in segment.iter().enumerate() {
                let position = low + (position - low) * (step as f64 + 1.0) / steps;
                stops.push(Stop { position, color: stop.color });
            }
        }
        Ok(Self { stops: tint_transparent(stops) })
    }

    /// The color at `position` between 0 and 1, with straight alpha; before the first and after the last stop, the
    /// color of that stop.
    pub fn at(&self, position: f64) -> [u8; 4] {
        let next = self.stops.partition_point(|stop| stop.position <= position);
        let (low, high) = match (next.checked_sub(1).map(|low| &self.stops[low]), self.stops.get(next)) {
            (Some(low), Some(high)) => (low, high),
            (Some(only), None) | (None, Some(only)) => (only, only),
            (None, None) => return [0; 4],
        };
        let width = high.position - low.position;
        let t = if width > 0.0 { (position - low.position) / width } else { 0.0 };
        mix(&low.color, &high.color, t as f32).to_rgba8()
    }

    /// 256 colors at evenly spaced positions from 0 to 1.
    pub fn colors(&self) -> Box<Colors> {
        Box::new(std::array::from_fn(|index| self.at(index as f64 / 255.0)))
    }

    /// The palette of these colors. Index 0 is transparent, whatever the first stop is.
    pub fn to_palette(&self) -> Palette {
        Palette::new(self.colors())
    }
}

/// Gives each fully transparent stop the RGB of the nearest visible stop, so that transparent pixels are not black.
fn tint_transparent(mut stops: Vec<Stop>) -> Vec<Stop> {
    for index in 0..stops.len() {
        let (before, after) = stops.split_at(index);
        let visible = after.iter().chain(before.iter().rev()).find(|stop| stop.color.a > 0.0);
        if let Some(Color { r, g, b, .. }) = visible.map(|stop| stop.color) {
            let alpha = stops[index].color.a;
            stops[index].color = Color::new(r, g, b, alpha);
        }
    }
    stops
}

/// Interpolates from `low` (`t` = 0) to `high` (`t` = 1) in premultiplied sRGB.
fn mix(low: &Color, high: &Color, t: f32) -> Color {
    let (low_alpha, high_alpha) = (low.a * (1.0 - t), high.a * t);
    let alpha = low_alpha + high_alpha;
    if alpha <= 0.0 {
        return *low;
    }
    let channel = |low: f32, high: f32| (low * low_alpha + high * high_alpha) / alpha;
    Color::new(channel(low.r, high.r), channel(low.g, high.g), channel(low.b, high.b), alpha)
}

impl ParsedStop {
    /// Reads `COLOR [POSITION]`. The error message has no location.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (color, position) = match text.rsplit_once(char::is_whitespace) {
            Some((color, tail)) if tail.starts_with(is_numeric) && !tail.contains(')') => (color, Some(tail)),
            _ => (text, None),
        };
        Ok(Self { color: parse_color(color)?, position: position.map(parse_position).transpose()? })
    }
}

/// Reads any CSS color.
fn parse_color(text: &str) -> Result<Color, String> {
    colorgrad::Color::from_html(text).map_err(|_| {
        "not a color; expected a CSS color such as blue, #00f or rgb(0, 0, 255), optionally with a position such as 60%"
            .to_owned()
    })
}

/// Reads `60%` or `0.6`.
pub(super) fn parse_position(text: &str) -> Result<f64, String> {
    let position = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    position
        .ok()
        .filter(|position| (0.0..=1.0).contains(position))
        .ok_or_else(|| format!("`{text}` is not a position; expected 0% to 100%, or 0 to 1"))
}

/// A position as a percentage, rounded to 4 decimals.
fn percent(position: f64) -> f64 {
    (position * 1e6).round() / 1e4
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | '+' | '-')
}

/// Splits `text` at the commas outside of parentheses.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth <= 0
    })
    .collect()
}

impl FromStr for Gradient {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = split_at_commas(text);
        let fail = |StopError { index, message }: StopError| {
            Error::invalid(Parameter::GRADIENT, format!("color {} (`{}`): {message}", index + 1, parts[index].trim()))
        };
        let stops = parts
            .iter()
            .enumerate()
            .map(|(index, part)| ParsedStop::parse(part).map_err(|message| fail(StopError { index, message })))
            .collect::<Result<Vec<_>>>()?;
        Self::new(&stops).map_err(fail)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn gradient(text: &str) -> Gradient {
        text.parse().unwrap()
    }

    fn positions(text: &str) -> Vec<f64> {
        gradient(text).stops.iter().map(|stop| (stop.position * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn missing_positions_are_spaced_evenly() {
        assert_eq!(positions("red, lime, blue"), [0.0, 0.5, 1.0]);
        assert_eq!(positions("transparent,blue,lime 60%,red"), [0.0, 0.3, 0.6, 1.0]);
        assert_eq!(positions("red 20%, lime, gold, blue .8"), [0.2, 0.4, 0.6, 0.8]);
        assert_eq!(positions("red, blue 50%, lime 50%"), [0.0, 0.5, 0.5]);
        assert_eq!(positions("red 0, lime 1, blue"), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn reads_every_css_color() {
        let colors = gradient("rgb(255, 0, 0) 0%, #0f08 50%, hsl(240, 100%, 50%), rgb(1 2 3 / 40%)");
        assert_eq!(colors.at(0.0), [255, 0, 0, 255]);
        assert_eq!(colors.at(0.5), [0, 255, 0, 136]);
        assert_eq!(colors.at(0.75), [0, 0, 255, 255]);
        assert_eq!(colors.at(1.0), [1, 2, 3, 102]);
    }

    #[test]
    fn a_fade_from_transparent_does_not_darken() {
        let fade = gradient("transparent, red");
        for index in 0..=255 {
            let color = fade.at(f64::from(index) / 255.0);
            assert_eq!(color[..3], [255, 0, 0]);
            assert!(i32::from(color[3]).abs_diff(index) <= 1);
        }
        assert_eq!(gradient("red, transparent").at(1.0), [255, 0, 0, 0]);
        let dip = gradient("red, transparent, blue");
        assert_eq!((dip.at(0.25), dip.at(0.75)), ([255, 0, 0, 128], [0, 0, 255, 128]));
    }

    #[test]
    fn positions_beyond_the_stops_have_the_end_colors_and_hard_stops_the_later_color() {
        let edge = gradient("red 20%, red 50%, blue 50%, blue 80%");
        assert_eq!(edge.at(0.0), [255, 0, 0, 255]);
        assert_eq!(edge.at(0.499), [255, 0, 0, 255]);
        assert_eq!(edge.at(0.5), [0, 0, 255, 255]);
        assert_eq!(edge.at(1.0), [0, 0, 255, 255]);
        assert_eq!(edge.at(f64::NAN), [255, 0, 0, 255]);
    }

    #[test]
    fn errors_name_the_stop() {
        let message = |text: &str| text.parse::<Gradient>().unwrap_err().to_string();
        assert!(message("red, blurple 20%, blue").contains("color 2 (`blurple 20%`)"));
        assert!(message("red 40%, lime 20%").contains("color 2 (`lime 20%`): position 20% is below 40%"));
        assert!(message("red, lime 60, blue").contains("`60` is not a position; expected 0% to 100%, or 0 to 1"));
        assert!(message("red").contains("at least 2 colors"));
        assert!(message("red,,blue").contains("color 2 (``)"));
        assert!(message("").starts_with("gradient: "));
    }

    #[test]
    fn a_palette_has_index_0_transparent() {
        let palette = gradient("red, blue").to_palette();
        assert_eq!(palette.rgba(0)[3], 0);
        assert_eq!(palette.rgba(1)[3], 255);
    }
}
