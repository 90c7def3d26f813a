//! The units of a picture's values.

use std::fmt;
use std::str::FromStr;

use super::Style;
use crate::error::{Error, Result};
use crate::geo::{Canvas, Projection};
use crate::parameter::Parameter;
use crate::raster::{Aggregation, Curve, Grid, divide_by_area};
use crate::source::Columns;

/// The unit of sums and counts. Other aggregations have the unit of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Units {
    /// Per km² of the ground under a pixel.
    PerKm2,
    /// Per m² of the ground under a pixel; on a plane, per square plane unit.
    PerM2,
    /// Per pixel: the values of all pixels sum to the weights. In pictures of higher density, per pixel of the picture with
    /// one pixel per CSS pixel, so that they have the same colors: see [`Style::pixel_ratio`].
    PerPx,
}

impl Units {
    /// All units, with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("per_km2", Self::PerKm2), ("per_m2", Self::PerM2), ("per_px", Self::PerPx)];

    /// The default unit of pictures in a projection: per km² on the globe, and per m² on a plane.
    pub fn default_of(projection: Projection) -> Self {
        if projection == Projection::Plane { Self::PerM2 } else { Self::PerKm2 }
    }

    /// The area in m² that amounts are divided by; `None` for amounts per pixel.
    fn area_m2(self) -> Option<f64> {
        match self {
            Self::PerKm2 => Some(1e6),
            Self::PerM2 => Some(1.0),
            Self::PerPx => None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::PerKm2 => "per km²",
            Self::PerM2 => "per m²",
            Self::PerPx => "per pixel",
        }
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, units)| units == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Units {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found
            .map(|(_, units)| *units)
            .ok_or_else(|| Error::invalid(Parameter::UNITS, format!("`{text}` is none of per_km2, per_m2, per_px")))
    }
}

/// The label of weights from `column`: its name, or `weight` if it is selected by number.
pub fn weight_label(column: Option<&str>) -> &str {
    let is_name = |name: &&str| *name != Columns::NO_COLUMN && !name.bytes().all(|byte| byte.is_ascii_digit());
    column.filter(is_name).unwrap_or("weight")
}

/// The unit in which a scale that ends at `vmax` has readable numbers, and the factor to it: 0.00003 points per km² are 30
/// points per million km². Values that are not tiny, and units without an area, stay as they are.
pub fn readable_unit(unit: &str, vmax: f64) -> (f64, String) {
    let (factor, count) = match vmax.abs() {
        size if size >= 0.01 || size <= 0.0 || size.is_nan() => return (1.0, unit.to_owned()),
        1e-5.. => (1e3, "1,000"),
        _ => (1e6, "million"),
    };
    for area in ["km²", "m²"] {
        if let Some(amount) = unit.strip_suffix(area).and_then(|text| text.strip_suffix("per ")) {
            return (factor, format!("{amount}per {count} {area}"));
        }
    }
    (1.0, unit.to_owned())
}

impl Style {
    /// The name of the unit of values, such as `points per km²`. `weight` is the label of the weights; `None` if every
    /// point has a weight of 1.
    pub fn unit(&self, projection: Projection, weight: Option<&str>) -> String {
        let aggregation = self.aggregation;
        if !aggregation.is_additive() {
            return format!("{aggregation} of {}", weight.unwrap_or("weight"));
        }
        let counted = match aggregation {
            Aggregation::Count => "points",
            _ => weight.unwrap_or("points"),
        };
        format!("{counted} {}", self.units(projection).label())
    }

    /// The style of a `GeoTIFF`'s values: amounts are per pixel by default, so that they sum to the weights, and there is no
    /// span.
    #[must_use]
    pub fn for_geotiff(self) -> Self {
        Self { units: self.units.or(Some(Units::PerPx)), vmin: None, vmax: None, curve: Curve::Linear, ..self }
    }

    /// Whether values are amounts per pixel, which depend on the scale of the picture.
    pub(super) fn is_per_pixel(&self, projection: Projection) -> bool {
        self.aggregation.is_additive() && self.units(projection) == Units::PerPx
    }

    /// Converts amounts per pixel of `canvas` to the unit of the style.
    pub(super) fn convert_to_unit(&self, density: &mut Grid<f32>, canvas: &Canvas) {
        if !self.aggregation.is_additive() {
            return;
        }
        if let Some(area_m2) = self.units(canvas.projection()).area_m2() {
            divide_by_area(density, canvas, area_m2);
        } else if self.pixel_ratio > 1.0 {
            let factor = (self.pixel_ratio * self.pixel_ratio) as f32;
            density.cells_mut().iter_mut().for_each(|value| *value *= factor);
        }
    }

    fn units(&self, projection: Projection) -> Units {
        self.units.unwrap_or(Units::default_of(projection))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Bounds;

    #[test]
    fn the_label_of_weights_is_the_name_of_their_column_if_it_has_one() {
        let labels = [None, Some("none"), Some("3"), Some("mag"), Some("2024 sum")].map(weight_label);
        assert_eq!(labels, ["weight", "weight", "weight", "mag", "2024 sum"]);
    }

    #[test]
    fn small_densities_are_given_for_a_larger_area() {
        for (unit, vmax, factor, readable) in [
            ("points per km²", 2.5, 1.0, "points per km²"),
            ("points per km²", 0.004, 1e3, "points per 1,000 km²"),
            ("mag per km²", 3e-6, 1e6, "mag per million km²"),
            ("kg per m²", 0.001, 1e3, "kg per 1,000 m²"),
            ("points per km²", 0.0, 1.0, "points per km²"),
            ("mean of mag", 1e-7, 1.0, "mean of mag"),
            ("points per pixel", 1e-7, 1.0, "points per pixel"),
        ] {
            assert_eq!(readable_unit(unit, vmax), (factor, readable.to_owned()), "{vmax} {unit}");
        }
    }

    #[test]
    fn amounts_have_a_unit_of_area_and_means_do_not() {
        let style = Style::new().unwrap();
        let of = |aggregation, units| Style { aggregation, units, ..style.clone() };
        let (globe, plane) = (Projection::Mercator, Projection::Plane);
        assert_eq!(style.unit(globe, None), "points per km²");
        assert_eq!(style.unit(plane, Some("kg")), "kg per m²");
        assert_eq!(of(Aggregation::Count, None).unit(globe, Some("kg")), "points per km²");
        assert_eq!(of(Aggregation::Sum, Some(Units::PerPx)).unit(globe, Some("kg")), "kg per pixel");
        assert_eq!(of(Aggregation::Sum, Some(Units::PerKm2)).unit(plane, None), "points per km²");
        assert_eq!(of(Aggregation::Mean, Some(Units::PerPx)).unit(globe, Some("mag")), "mean of mag");
        assert_eq!("PER_PX".parse::<Units>().unwrap(), Units::PerPx);
        assert!("per_mile".parse::<Units>().unwrap_err().to_string().contains("per_km2"));
    }

    #[test]
    fn amounts_are_converted_and_means_are_not() {
        // A square of 1 degree at 60° N has 111.3 km by 55.7 km, and each of 10 x 10 pixels 62 km².
        let bounds = Bounds::new(10.0, 59.5, 11.0, 60.5).unwrap();
        let canvas = Canvas::new(Projection::PlateCarree, bounds, 10, 10).unwrap();
        let value = |aggregation, units| {
            let style = Style { aggregation, units, ..Style::new().unwrap() };
            let mut density = Grid::filled(10, 10, 1.0);
            style.convert_to_unit(&mut density, &canvas);
            f64::from(density.row(5)[0])
        };
        assert!((1.0 / value(Aggregation::Sum, None) - 62.05).abs() < 0.1);
        assert!((1e-6 / value(Aggregation::Count, Some(Units::PerM2)) - 62.05).abs() < 0.1);
        let unchanged = [value(Aggregation::Sum, Some(Units::PerPx)), value(Aggregation::Mean, None)];
        assert!(unchanged.iter().all(|value| value.to_bits() == 1f64.to_bits()), "{unchanged:?}");
    }
}
