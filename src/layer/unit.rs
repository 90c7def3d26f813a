//! What a picture's values count.

use crate::geo::Canvas;
use crate::raster::Aggregation;

/// The unit that a picture's values are told in: amounts per ground area, or the weight's own unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// What a value per pixel is multiplied by.
    pub factor: f64,
    /// How the unit is written, such as `points per km²`.
    pub name: String,
}

impl Unit {
    /// The unit of values on `canvas`. `weight` names the weights; `None` where every point weighs 1.
    ///
    /// Amounts are kept per pixel and told per km² of ground in the picture's middle row; Mercator's pixels cover less
    /// ground towards the poles. On a plane they are told per square unit.
    pub fn of(canvas: &Canvas, aggregation: Aggregation, weight: Option<&str>) -> Self {
        let thing = match aggregation {
            Aggregation::Count => "points",
            _ => weight.unwrap_or("points"),
        };
        if !aggregation.is_additive() {
            let weight = weight.unwrap_or("weight");
            return Self { factor: 1.0, name: format!("{aggregation} of {weight}") };
        }
        if let Some([width_m, height_m]) = canvas.pixel_size_m() {
            let lat = canvas.center_lat();
            let hemisphere = if lat < 0.0 { 'S' } else { 'N' };
            let name = format!("{thing} per km² at {:.0}°{hemisphere}", lat.abs());
            return Self { factor: 1e6 / (width_m * height_m), name };
        }
        let [x, y] = canvas.scale();
        Self { factor: x * y, name: format!("{thing} per square unit") }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Bounds, Projection};

    #[test]
    fn amounts_are_per_area_and_means_are_not() {
        // A degree square at 60° N is 111.2 km by 55.6 km; with 10 x 10 pixels each covers 61.8 km².
        let canvas =
            Canvas::new(Projection::PlateCarree, Bounds::new(10.0, 59.5, 11.0, 60.5).unwrap(), 10, 10).unwrap();
        let unit = Unit::of(&canvas, Aggregation::Sum, None);
        assert!((1.0 / unit.factor - 61.96).abs() < 0.1, "{}", 1.0 / unit.factor);
        assert_eq!(unit.name, "points per km² at 60°N");
        let mean = Unit::of(&canvas, Aggregation::Mean, Some("mag"));
        assert_eq!((mean.factor, mean.name.as_str()), (1.0, "mean of mag"));
    }
}
