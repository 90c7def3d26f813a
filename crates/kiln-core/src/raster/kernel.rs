//! Kernels: shapes and radii.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The shape of a kernel, as a function of the distance d from the point; r is the radius.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// exp(−d² / 2σ²) with σ = r/3: 1 % at r. The tail is truncated at 5σ, where the edge is invisible even around a
    /// thousand points at one location.
    #[default]
    Gaussian,
    /// 1 − d/r.
    Cone,
    /// (1 − d²/r²)², the biweight of the KDE literature (Silverman 1986, table 3.1).
    Quartic,
    /// 1 − d²/r² (Epanechnikov 1969).
    Epanechnikov,
    /// (1 − |x|/r)(1 − |y|/r): a pyramid, the product of two triangular kernels.
    Triangular,
    /// 1 within r: a disc.
    Uniform,
}

impl Shape {
    /// All shapes, with their names.
    pub const ALL: [(&'static str, Self); 6] = [
        ("gaussian", Self::Gaussian),
        ("cone", Self::Cone),
        ("quartic", Self::Quartic),
        ("epanechnikov", Self::Epanechnikov),
        ("triangular", Self::Triangular),
        ("uniform", Self::Uniform),
    ];

    /// The distance at which the shape ends, in radii.
    pub(super) fn reach(self) -> f64 {
        match self {
            Self::Gaussian => GAUSSIAN_REACH,
            _ => 1.0,
        }
    }
}

impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, shape)| *shape).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            Error::invalid(Parameter::KERNEL, format!("`{text}` is none of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, shape)| shape == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A kernel of a shape and radius, sampled at whole pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kernel {
    shape: Shape,
    radius_px: f64,
}

impl Kernel {
    /// The maximum radius in pixels.
    pub const MAX_RADIUS_PX: f64 = 1024.0;

    /// Creates a kernel. With a radius below about one pixel it is a single pixel.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless 0 < `radius_px` ≤ [`Self::MAX_RADIUS_PX`].
    pub fn new(shape: Shape, radius_px: f64) -> Result<Self> {
        if radius_px > 0.0 && radius_px <= Self::MAX_RADIUS_PX {
            Ok(Self { shape, radius_px })
        } else {
            let max = Self::MAX_RADIUS_PX;
            let message = format!("{radius_px} pixels is out of range; expected more than 0 and at most {max}");
            Err(Error::invalid(Parameter::RADIUS, message))
        }
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The radius in pixels.
    pub fn radius_px(&self) -> f64 {
        self.radius_px
    }

    /// The maximum distance in pixels at which a point contributes: the width of the halo around a picture.
    pub fn reach_px(&self) -> u32 {
        (self.radius_px * self.shape.reach()).floor() as u32
    }

    /// The factor of a separable kernel along each axis: its values at −reach..=reach, which sum to 1. `None` for round
    /// shapes.
    pub(super) fn axis(&self) -> Option<Vec<f32>> {
        let profile: fn(f64) -> f64 = match self.shape {
            Shape::Gaussian => gaussian,
            Shape::Triangular => triangle,
            _ => return None,
        };
        let values: Vec<f64> = self.offsets().map(|d| profile(d / self.radius_px)).collect();
        let sum: f64 = values.iter().sum();
        Some(values.iter().map(|value| (value / sum) as f32).collect())
    }

    /// The rows of the kernel from north to south, each with its values above zero, centered.
    ///
    /// The sum is 1 under [`Scale::Mass`], the center is 1 under [`Scale::Peak`].
    pub(super) fn rows(&self, scale: Scale) -> Vec<Vec<f32>> {
        let r = self.radius_px;
        let value = |x: f64, y: f64| {
            let (u, v) = (x / r, y / r);
            let square = u * u + v * v;
            match self.shape {
                // Tails do not add up in a maximum, so it ends at the radius.
                Shape::Gaussian if scale == Scale::Peak && square > 1.0 => 0.0,
                Shape::Gaussian => gaussian(u) * gaussian(v),
                Shape::Triangular => triangle(u) * triangle(v),
                Shape::Cone => (1.0 - square.sqrt()).max(0.0),
                Shape::Epanechnikov => (1.0 - square).max(0.0),
                Shape::Quartic => (1.0 - square).max(0.0).powi(2),
                Shape::Uniform => f64::from(u8::from(square <= 1.0)),
            }
        };
        let rows: Vec<Vec<f64>> = self
            .offsets()
            .map(|y| self.offsets().map(|x| value(x, y)).filter(|&value| value > 0.0).collect())
            .collect();
        let total = match scale {
            Scale::Mass => rows.iter().flatten().sum(),
            Scale::Peak => 1.0,
        };
        rows.iter().map(|row| row.iter().map(|value| (value / total) as f32).collect()).collect()
    }

    /// The rows of a disc of the kernel's radius: 1 if the center of a pixel is within it.
    pub(super) fn disc(&self) -> Vec<Vec<f32>> {
        let disc = Self { shape: Shape::Uniform, ..*self };
        // Padded to the reach of the kernel, whose tail may exceed the radius.
        let padding = (self.reach_px() - disc.reach_px()) as usize;
        let rows = disc.rows(Scale::Peak);
        let empty_rows = || std::iter::repeat_n(Vec::new(), padding);
        empty_rows().chain(rows).chain(empty_rows()).collect()
    }

    fn offsets(&self) -> impl Iterator<Item = f64> {
        let reach = self.reach_px() as i32;
        (-reach..=reach).map(f64::from)
    }
}

/// The normalization of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// The sum is 1: the total weight is preserved.
    Mass,
    /// The center is 1: a point has its full weight in its own pixel.
    Peak,
}

/// The distance at which the Gaussian is truncated, in radii: 5σ.
pub(super) const GAUSSIAN_REACH: f64 = 5.0 / 3.0;

/// The Gaussian at a distance of u radii.
fn gaussian(u: f64) -> f64 {
    (-4.5 * u * u).exp()
}

/// The triangle at a distance of u radii.
fn triangle(u: f64) -> f64 {
    (1.0 - u.abs()).max(0.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_mass_1_and_is_symmetric() {
        for (name, shape) in Shape::ALL {
            for radius_px in [0.3, 1.0, 1.7, 8.0, 20.0, 33.3] {
                let kernel = Kernel::new(shape, radius_px).unwrap();
                let rows = kernel.rows(Scale::Mass);
                let sum: f64 = rows.iter().flatten().map(|&value| f64::from(value)).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{name} {radius_px}: {sum}");
                let mirrored: Vec<Vec<f32>> =
                    rows.iter().rev().map(|row| row.iter().rev().copied().collect()).collect();
                assert_eq!(rows, mirrored, "{name} {radius_px}");
                let center_row = &kernel.rows(Scale::Peak)[kernel.reach_px() as usize];
                assert!((center_row[center_row.len() / 2] - 1.0).abs() < 1e-6);
                if let Some(axis) = kernel.axis() {
                    let sum: f64 = axis.iter().map(|&value| f64::from(value)).sum();
                    assert!((sum - 1.0).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn unknown_names_and_invalid_radii_are_rejected() {
        assert_eq!("Gaussian".parse::<Shape>().unwrap(), Shape::Gaussian);
        assert!("blob".parse::<Shape>().unwrap_err().to_string().contains("epanechnikov"));
        for bad in [0.0, -1.0, 1025.0, f64::NAN, f64::INFINITY] {
            assert!(Kernel::new(Shape::Cone, bad).is_err(), "{bad}");
        }
    }
}
