//! The opacity of overlays.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// An opacity between 0 (invisible) and 1 (the alpha of the colors themselves); 1 by default.
///
/// Written as a number, a percentage or a fraction: `0.5`, `50%`, `128/255`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Opacity(f64);

impl Opacity {
    /// Leaves the alpha of the colors unchanged.
    pub const FULL: Self = Self(1.0);

    /// The opacity `value`.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `value` is between 0 and 1.
    pub fn new(value: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(Error::invalid(Parameter::OPACITY, format!("{value} is not between 0 and 1; {ACCEPTED}")))
        }
    }

    /// The opacity as a number, 0 to 1.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Multiplies `alpha` by the opacity, rounded to the nearest integer.
    pub fn scale(self, alpha: u8) -> u8 {
        (f64::from(alpha) * self.0).round() as u8
    }
}

const ACCEPTED: &str = "expected a number, percentage or fraction such as 0.5, 50% or 128/255";

impl Default for Opacity {
    fn default() -> Self {
        Self::FULL
    }
}

impl FromStr for Opacity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |part: &str| part.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        let value = if let Some(percent) = text.trim().strip_suffix('%') {
            number(percent).map(|percent| percent / 100.0)
        } else if let Some((part, whole)) = text.split_once('/') {
            number(part).zip(number(whole).filter(|whole| *whole > 0.0)).map(|(part, whole)| part / whole)
        } else {
            number(text)
        };
        match value {
            Some(value) if (0.0..=1.0).contains(&value) => Ok(Self(value)),
            Some(_) => Err(Error::invalid(Parameter::OPACITY, format!("`{text}` is not between 0 and 1; {ACCEPTED}"))),
            None => Err(Error::invalid(Parameter::OPACITY, format!("`{text}` is not a number; {ACCEPTED}"))),
        }
    }
}

/// Writes a plain number, from which [`FromStr`] reads the same opacity.
impl fmt::Display for Opacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_percentages_and_fractions() {
        for (text, alpha) in [("0.5", 128), ("50%", 128), (" 50 % ", 128), ("128/255", 128), ("0", 0), ("1", 255)] {
            assert_eq!(text.parse::<Opacity>().unwrap().scale(255), alpha, "{text}");
        }
        for step in 0..=255_u8 {
            assert_eq!(format!("{step}/255").parse::<Opacity>().unwrap().scale(255), step);
        }
    }

    #[test]
    fn errors_name_what_would_be_accepted() {
        for text in ["128", "-0.1", "101%", "300/255", "NaN", "", "half", "1/0", "inf"] {
            let message = text.parse::<Opacity>().unwrap_err().to_string();
            assert!(message.starts_with("opacity: ") && message.contains("128/255"), "{message}");
        }
        assert!(Opacity::new(f64::NAN).is_err());
    }

    #[test]
    fn display_is_read_as_the_same_opacity() {
        for text in ["0.5", "128/255", "33%"] {
            let opacity: Opacity = text.parse().unwrap();
            assert_eq!(opacity.to_string().parse::<Opacity>().unwrap(), opacity);
        }
    }
}
