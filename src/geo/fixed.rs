//! Web Mercator in 32-bit whole numbers: what a store keeps of a place.
//!
//! A unit is 2^−32 of the way around the world, 9.3 mm at the equator. x counts from the antimeridian to the east, y from
//! the northern edge of the square world ([`MAX_MERCATOR_LAT_DEG`]) to the south. A cell of level n is one of 2^n × 2^n
//! squares; its column and row are the leading n bits of x and y.

use super::cells::{mercator_y_f64, wrapped};
use super::{MAX_MERCATOR_LAT_DEG, Points, Projection};
use crate::simd::wide;

/// Units around the world.
const UNITS: f64 = (1u64 << 32) as f64;

/// Whether the square world of Web Mercator reaches as far as a latitude in degrees.
pub fn is_on_map(lat: f64) -> bool {
    lat.abs() <= MAX_MERCATOR_LAT_DEG
}

/// The places of `points` in fixed-point units, appended to `x` and `y`. Latitudes beyond the map are drawn to its edge:
/// ask [`is_on_map`] before.
pub fn to_fixed(points: Points<'_>, x: &mut Vec<u32>, y: &mut Vec<u32>) {
    let start = x.len();
    x.resize(start + points.len(), 0);
    y.resize(start + points.len(), 0);
    project(points.lon(), points.lat(), &mut x[start..], &mut y[start..]);
}

wide! {
    fn project(lon: &[f64], lat: &[f64], x: &mut [u32], y: &mut [u32]) {
        for (x, lon) in x.iter_mut().zip(lon) {
            *x = to_units(wrapped(*lon / 360.0 + 0.5));
        }
        for (y, lat) in y.iter_mut().zip(lat) {
            *y = to_units(mercator_y_f64(*lat));
        }
    }
}

/// A share of the world, 0..1, in units; what lies beyond is drawn to the edge.
#[inline(always)]
#[allow(clippy::inline_always)]
fn to_units(share: f64) -> u32 {
    let units = share * UNITS;
    let units = if units > 0.0 { units } else { 0.0 };
    let units = if units < UNITS - 1.0 { units } else { UNITS - 1.0 };
    // SAFETY: the value lies in 0..=2^32 - 1; a NaN became 0.
    #[allow(unsafe_code)]
    let whole: i64 = unsafe { units.to_int_unchecked() };
    whole as u32
}

/// Longitude and latitude in degrees of the middle of a unit.
pub fn from_fixed(x: u32, y: u32) -> (f64, f64) {
    let middle = |units: u32| (f64::from(units) + 0.5) / UNITS;
    Projection::Mercator.inverse(middle(x), middle(y))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_within_half_a_unit() {
        let lon = [-180.0, -179.999_999, 0.0, 18.07, 179.999_999, 200.0];
        let lat = [85.0, -85.0, 0.0, 59.33, -MAX_MERCATOR_LAT_DEG, MAX_MERCATOR_LAT_DEG];
        let (mut x, mut y) = (Vec::new(), Vec::new());
        to_fixed(Points::new(&lon, &lat).unwrap(), &mut x, &mut y);
        assert_eq!((x[0], y[4], y[5]), (0, u32::MAX, 0));
        for i in 0..lon.len() {
            let (back_lon, back_lat) = from_fixed(x[i], y[i]);
            let turn = (back_lon - lon[i]).rem_euclid(360.0);
            assert!(turn.min(360.0 - turn) < 0.6 * 360.0 / UNITS, "{} {back_lon}", lon[i]);
            assert!((back_lat - lat[i]).abs() < 0.6 * 360.0 / UNITS, "{} {back_lat}", lat[i]);
        }
        assert!(is_on_map(85.05) && !is_on_map(85.06) && !is_on_map(f64::NAN));
    }
}
