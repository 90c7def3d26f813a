//! The style options of a mask.

use std::fmt;
use std::str::FromStr;

use crate::color::Scheme;
use crate::error::{Error, Result};
use crate::mask::{Blur, BlurKind, Colormap, MaskStyle, Resample};
use crate::message;
use crate::parameter::{Message, Parameter};
use crate::parameters::{Declaration, Kind, ParameterSet, from_str_values, parameter_set};

const PERCENT: Kind = Kind::Number { min: 0.0, max: 100.0 };
const SIDE: Kind = Kind::Integer { min: 1, max: MaskStyle::MAX_SIDE_PX as u64 };

parameter_set! {
    /// The style options of a mask; `None` is the default. [`MaskStyle`] documents the fields.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct MaskOptions {
        /// Value of the lowest level; values below take its color.
        pub vmin: f64 = Declaration::new(Parameter::VMIN, Kind::NUMBER).default("the least finite value"),
        /// Value of the highest level; values above take its color.
        pub vmax: f64 = Declaration::new(Parameter::VMAX, Kind::NUMBER).default("the greatest finite value"),
        /// Whether pixels at the lowest level before the blur are transparent.
        pub transparent_low: bool = Declaration::new(Parameter::TRANSPARENT_LOW, Kind::Boolean).default("false"),
        /// Colors of the levels: an OpenCV colormap by name or number (`jet`, `2`), or a Kiln scheme; `NAME_r` is reversed.
        pub colormap: String = Declaration::new(Parameter::COLORMAP, Kind::Name).default(Colormap::DEFAULT).example("turbo"),
        /// Opacity of the colors in percent.
        pub opacity: f64 = Declaration::new(Parameter::OPACITY, PERCENT).value_name("PERCENT").default("70").example("50"),
        /// Width and height of the blur's kernel in cells of the mask, both odd: `7,5`, `[7,5]`, `7` for both; `none` for no
        /// blur.
        pub kernel_size: KernelSize = Declaration::new(Parameter::BLUR_KSIZE, Kind::Pair)
            .value_name("W,H|none")
            .default("5,5")
            .example("7,7"),
        /// What blurs the levels: a Gaussian, the median or the mean (box) of the kernel's cells.
        pub blur: BlurKind = Declaration::new(Parameter::BLUR, Kind::Choice(&["gaussian", "median", "box"]))
            .default("gaussian"),
        /// Width of the picture in pixels.
        pub width: u32 = Declaration::new(Parameter::WIDTH, SIDE)
            .value_name("PX")
            .default("by the height, else that of the background, else the mask's columns"),
        /// Height of the picture in pixels.
        pub height: u32 = Declaration::new(Parameter::HEIGHT, SIDE)
            .value_name("PX")
            .default("by the width, else that of the background, else the mask's rows"),
        /// How levels are found between the cells of the mask where the picture has another size: linear or nearest.
        pub resample: Resample = Declaration::new(Parameter::RESAMPLE, Kind::Choice(&["linear", "nearest"]))
            .default("linear"),
    }
}

from_str_values!(BlurKind, KernelSize, Resample);

/// The size of the blur kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelSize {
    /// No blur.
    None,
    /// Width and height in cells of the mask.
    Sides(usize, usize),
}

impl FromStr for KernelSize {
    type Err = Error;

    /// Reads `7,5`, `[7, 5]`, `7` (both), `none` or `null`.
    fn from_str(text: &str) -> Result<Self> {
        let inner = text.trim();
        if ["none", "null", ""].iter().any(|none| inner.eq_ignore_ascii_case(none)) {
            return Ok(Self::None);
        }
        let inner = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(inner);
        let (width, height) = inner.split_once(',').unwrap_or((inner, inner));
        let side = |text: &str| text.trim().parse::<usize>().ok();
        let sides = side(width).zip(side(height)).ok_or_else(|| {
            let why = format!("invalid size `{text}`; expected two odd numbers such as 7,7, one such as 7, or none");
            Error::invalid(Parameter::BLUR_KSIZE, why)
        })?;
        Blur::new(BlurKind::Gaussian, sides.0, sides.1)?;
        Ok(Self::Sides(sides.0, sides.1))
    }
}

/// Formats the size in the form that [`FromStr`] reads.
impl fmt::Display for KernelSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Sides(width, height) => write!(f, "{width},{height}"),
        }
    }
}

impl MaskOptions {
    /// Remarks on options that are likely mistakes, for a mask of `columns` × `rows` cells.
    pub fn remarks(&self, (columns, rows): (usize, usize)) -> Vec<Message> {
        let mut remarks = Vec::new();
        if let Some(opacity) = self.opacity.filter(|opacity| *opacity > 0.0 && *opacity < 1.0) {
            remarks.push(message!(Parameter::OPACITY, format!(" is 0 to 100; {opacity} is {opacity} %")));
        }
        let side = Blur::DEFAULT_SIDE;
        if self.kernel_size.is_none() && self.blur.is_none() && 4 * side > columns.min(rows) {
            let what =
                format!("the default blur of {side} × {side} cells is large for a mask of {columns} × {rows}; use ");
            remarks.push(message!(what, Parameter::BLUR_KSIZE, " none"));
        }
        remarks
    }

    /// Resolves the options to a style; `find` looks up Kiln schemes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a number is out of range or two options contradict each other; errors of `find`.
    pub fn resolve(&self, find: impl FnOnce(&str) -> Result<Scheme>) -> Result<MaskStyle> {
        self.check_ranges()?;
        if let (Some(vmin), Some(vmax)) = (self.vmin, self.vmax)
            && vmin >= vmax
        {
            let reason = message!(format!("{vmin} must be less than "), Parameter::VMAX, format!(", {vmax}"));
            return Err(Error::invalid(Parameter::VMIN, reason));
        }
        let kind = self.blur.unwrap_or_default();
        let blur = match self.kernel_size {
            Some(KernelSize::None) if self.blur.is_some() => {
                let why = message!(format!("{kind} has no kernel: "), Parameter::BLUR_KSIZE, " is none");
                return Err(Error::invalid(Parameter::BLUR, why));
            }
            Some(KernelSize::None) => None,
            Some(KernelSize::Sides(width, height)) => Some(Blur::new(kind, width, height)?),
            None => Some(Blur::new(kind, Blur::DEFAULT_SIDE, Blur::DEFAULT_SIDE)?),
        };
        Ok(MaskStyle {
            vmin: self.vmin,
            vmax: self.vmax,
            transparent_low: self.transparent_low.unwrap_or(false),
            blur,
            colormap: Colormap::find(self.colormap.as_deref().unwrap_or(Colormap::DEFAULT), find)?,
            opacity: self.opacity.unwrap_or(MaskStyle::DEFAULT_OPACITY),
            width: self.width.map(|px| px as usize),
            height: self.height.map(|px| px as usize),
            resample: self.resample.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> MaskOptions {
        let mut options = MaskOptions::default();
        for (name, text) in pairs {
            assert!(options.set(name, text).unwrap());
        }
        options
    }

    #[test]
    fn nothing_given_is_the_default_style() {
        assert_eq!(MaskOptions::default().resolve(Scheme::named).unwrap(), MaskStyle::new().unwrap());
    }

    #[test]
    fn kernel_sizes_are_read_in_each_form_and_written_so_that_they_read_back() {
        for (text, size) in [("7,5", (7, 5)), ("[7, 5]", (7, 5)), ("9", (9, 9)), (" [3] ", (3, 3))] {
            let read: KernelSize = text.parse().unwrap();
            assert_eq!(read, KernelSize::Sides(size.0, size.1));
            assert_eq!(read.to_string().parse::<KernelSize>().unwrap(), read);
        }
        assert_eq!("none".parse::<KernelSize>().unwrap(), KernelSize::None);
        for text in ["4", "5,6", "0", "257", "5,5,5", "x", "[5,5", "-3"] {
            let message = text.parse::<KernelSize>().unwrap_err().to_string();
            assert!(message.starts_with("blur_ksize: ") && message.contains("none"), "{message}");
        }
    }

    #[test]
    fn likely_slips_have_a_remark() {
        let remarks = |pairs: &[(&str, &str)], size| {
            options(pairs).remarks(size).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(remarks(&[("opacity", "0.7")], (640, 480)), ["opacity is 0 to 100; 0.7 is 0.7 %"]);
        let expected = "the default blur of 5 × 5 cells is large for a mask of 14 × 14; use blur_ksize none";
        assert_eq!(remarks(&[], (14, 14)), [expected]);
        assert_eq!(remarks(&[], (640, 19)).len(), 1);
        for pairs in [&[("opacity", "0")][..], &[("opacity", "1")], &[]] {
            assert_eq!(remarks(pairs, (20, 20)).len(), 0, "{pairs:?}");
        }
        for pairs in [("blur_ksize", "5,5"), ("blur_ksize", "none"), ("blur", "gaussian")] {
            assert_eq!(remarks(&[pairs], (2, 2)).len(), 0, "{pairs:?}");
        }
    }

    #[test]
    fn contradictions_are_rejected() {
        for (pairs, start) in [
            (vec![("vmin", "2"), ("vmax", "2")], "vmin: 2 must be less than vmax, 2"),
            (vec![("blur_ksize", "none"), ("blur", "box")], "blur: box has no kernel"),
            (vec![("blur_ksize", "3,5"), ("blur", "median")], "blur_ksize: 3,5 is not square"),
            (vec![("colormap", "jett")], "colormap: "),
        ] {
            let message = options(&pairs).resolve(Scheme::named).unwrap_err().to_string();
            assert!(message.starts_with(start), "{message}");
        }
        assert!(MaskOptions::default().set("opacity", "101").is_err());
    }
}
