//! The pixel positions of the Python library, computed in `f32` from the corner coordinates.

use crate::geo::Points;

/// The positions px, py of `points` in a picture of `width` × `height` pixels, computed as in heatmap 2.2.1.
///
/// `area` is `[min x, min y, max x, max y]` of the picture; `None` is the bounding box of the points. All numbers are
/// narrowed to `f32` first, and every operation is rounded to `f32`: in an area of 0.01 degrees the steps of `f32` are
/// visible. Both axes are linear, not a Mercator projection. Swapped corners mirror the picture.
///
/// If the area has no width or height (as the box of one point, or of points on a vertical or horizontal line), or a
/// coordinate is not finite, positions are not finite and are not drawn. Weights are not used.
pub fn legacy_positions(
    points: Points<'_>,
    area: Option<[f64; 4]>,
    width: usize,
    height: usize,
) -> (Vec<f32>, Vec<f32>) {
    let (x, y) = match area {
        Some([min_x, min_y, max_x, max_y]) => ((min_x as f32, max_x as f32), (min_y as f32, max_y as f32)),
        None => (extremes(points.lon()), extremes(points.lat())),
    };
    let px = points.lon().iter().map(|&lon| fraction(lon as f32, x) * width as f32).collect();
    let py = points.lat().iter().map(|&lat| (1.0 - fraction(lat as f32, y)) * height as f32).collect();
    (px, py)
}

/// The position of `value` between `min` (0) and `max` (1).
fn fraction(value: f32, (min, max): (f32, f32)) -> f32 {
    (value - min) / (max - min)
}

/// The minimum and maximum. NaN is ignored, except as the first value, where it makes both NaN.
fn extremes(values: &[f64]) -> (f32, f32) {
    let first = values.first().map_or(f32::NAN, |&value| value as f32);
    values.iter().fold((first, first), |(min, max), &value| {
        let value = value as f32;
        (if value < min { value } else { min }, if value > max { value } else { max })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn positions(lon: &[f64], lat: &[f64], area: Option<[f64; 4]>) -> (Vec<f32>, Vec<f32>) {
        legacy_positions(Points::new(lon, lat).unwrap(), area, 100, 80)
    }

    #[test]
    fn an_area_puts_north_on_row_0_and_west_on_column_0() {
        let (px, py) = positions(&[0.0, 10.0, 2.5], &[0.0, 10.0, 2.5], Some([0.0, 0.0, 10.0, 10.0]));
        assert_eq!((px, py), (vec![0.0, 100.0, 25.0], vec![80.0, 0.0, 60.0]));
    }

    #[test]
    fn swapped_corners_mirror() {
        let (px, py) = positions(&[2.5], &[2.5], Some([10.0, 10.0, 0.0, 0.0]));
        assert_eq!((px, py), (vec![75.0], vec![20.0]));
    }

    #[test]
    fn without_an_area_the_extremes_are_on_the_edge() {
        let (px, py) = positions(&[3.0, f64::NAN, 7.0, 4.0], &[1.0, 5.0, 2.0, 1.5], None);
        assert_eq!((px[0], px[2], px[3]), (0.0, 100.0, 25.0));
        assert!(px[1].is_nan());
        assert_eq!((py[0], py[1]), (80.0, 0.0));
    }

    #[test]
    fn a_flat_or_unknown_extent_gives_no_position() {
        let not_finite =
            |(px, py): (Vec<f32>, Vec<f32>)| px.iter().zip(&py).all(|(x, y)| !(x.is_finite() && y.is_finite()));
        assert!(not_finite(positions(&[3.0], &[4.0], None)));
        assert!(not_finite(positions(&[3.0, 3.0], &[1.0, 2.0], None)));
        assert!(not_finite(positions(&[f64::NAN, 3.0, 4.0], &[1.0, 2.0, 3.0], None)));
        assert!(not_finite(positions(&[1.0], &[2.0], Some([5.0, 0.0, 5.0, 9.0]))));
        assert!(positions(&[], &[], None).0.is_empty());
    }
}
