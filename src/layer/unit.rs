//! The unit of a picture's values.

use super::Style;
use crate::geo::Canvas;
use crate::raster::Aggregation;
use crate::source::Columns;

/// The unit of a picture's displayed values: amounts per ground area, or the unit of the weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// The factor from values per pixel to this unit.
    pub factor: f64,
    /// The name of the unit, such as `points per km²`.
    pub name: String,
}

impl Unit {
    /// The label of weights from `column`: its name, or `weight` if it is selected by number.
    pub fn weight_label(column: Option<&str>) -> &str {
        let is_name = |name: &&str| *name != Columns::NO_COLUMN && !name.bytes().all(|byte| byte.is_ascii_digit());
        column.filter(is_name).unwrap_or("weight")
    }

    /// The unit of values on `canvas`. `weight` is the label of the weights; `None` if every point has a weight of 1.
    ///
    /// Amounts are computed per pixel and displayed per km² at the style's latitude of true scale; Mercator pixels
    /// cover less ground towards the poles. On a plane they are displayed per m².
    pub fn of(canvas: &Canvas, style: &Style, weight: Option<&str>) -> Self {
        let aggregation = style.aggregation;
        let counted = match aggregation {
            Aggregation::Count => "points",
            _ => weight.unwrap_or("points"),
        };
        if !aggregation.is_additive() {
            let weight = weight.unwrap_or("weight");
            return Self { factor: 1.0, name: format!("{aggregation} of {weight}") };
        }
        if let Some([width_m, height_m]) = style.pixel_size_m(canvas) {
            let lat = style.true_scale_lat_deg.unwrap_or_else(|| canvas.center_lat());
            let hemisphere = if lat < 0.0 { 'S' } else { 'N' };
            let name = format!("{counted} per km² at {:.0}°{hemisphere}", lat.abs());
            return Self { factor: 1e6 / (width_m * height_m), name };
        }
        let [x, y] = canvas.scale();
        Self { factor: x * y, name: format!("{counted} per m²") }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Bounds, Projection};

    #[test]
    fn the_label_of_weights_is_the_name_of_their_column_if_it_has_one() {
        let labels = [None, Some("none"), Some("3"), Some("mag"), Some("2024 sum")].map(Unit::weight_label);
        assert_eq!(labels, ["weight", "weight", "weight", "mag", "2024 sum"]);
    }

    #[test]
    fn amounts_on_a_plane_are_per_square_meter() {
        let canvas = Canvas::new(Projection::Plane, Bounds::new(0.0, 0.0, 10.0, 5.0).unwrap(), 100, 50).unwrap();
        let unit = Unit::of(&canvas, &Style::new().unwrap(), None);
        assert_eq!((unit.factor, unit.name.as_str()), (100.0, "points per m²"));
    }

    #[test]
    fn amounts_are_per_area_and_means_are_not() {
        // A degree square at 60° N is 111.2 km by 55.6 km; with 10 x 10 pixels each covers 61.8 km².
        let canvas =
            Canvas::new(Projection::PlateCarree, Bounds::new(10.0, 59.5, 11.0, 60.5).unwrap(), 10, 10).unwrap();
        let style = Style::new().unwrap();
        let unit = Unit::of(&canvas, &style, None);
        assert!((1.0 / unit.factor - 61.96).abs() < 0.1, "{}", 1.0 / unit.factor);
        assert_eq!(unit.name, "points per km² at 60°N");
        let equator = Unit::of(&canvas, &Style { true_scale_lat_deg: Some(0.0), ..style.clone() }, None);
        assert!((unit.factor / equator.factor - 2.0).abs() < 1e-9, "a pixel at 60° is half as wide");
        let mean = Style { aggregation: Aggregation::Mean, ..style };
        let mean = Unit::of(&canvas, &mean, Some("mag"));
        assert_eq!((mean.factor, mean.name.as_str()), (1.0, "mean of mag"));
    }
}
