//! 32-bit fixed-point Web Mercator coordinates, as stores keep them.
//!
//! A unit is 2^−32 of the width of the world, 9.3 mm at the equator. x increases from the antimeridian to the east, y
//! from the northern edge of the square world ([`MAX_MERCATOR_LAT_DEG`]) to the south. A cell of level n is one of 2^n
//! × 2^n squares; its column and row are the leading n bits of x and y.

use super::cells::{floor_f64, mercator_y_f64, wrapped};
use super::{MAX_MERCATOR_LAT_DEG, Points, Projection};
use crate::simd::wide;

/// Units around the world.
const UNITS: f64 = (1u64 << 32) as f64;

/// Whether a latitude in degrees is inside the square world of Web Mercator.
pub fn is_on_map(lat: f64) -> bool {
    lat.abs() <= MAX_MERCATOR_LAT_DEG
}

/// Appends the fixed-point coordinates of `points` to `x` and `y`. Latitudes outside the map are clamped to its edge:
/// check them with [`is_on_map`] first.
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

/// Converts a world coordinate, 0..1, to units; others are clamped.
#[inline(always)]
#[allow(clippy::inline_always)]
fn to_units(world: f64) -> u32 {
    let units = world * UNITS;
    let units = if units > 0.0 { units } else { 0.0 };
    let units = if units < UNITS - 1.0 { units } else { UNITS - 1.0 };
    // SAFETY: the value is in 0..=2^32 - 1; NaN became 0.
    #[allow(unsafe_code)]
    let truncated: i64 = unsafe { units.to_int_unchecked() };
    truncated as u32
}

/// The smallest longitude in degrees with an x of at least `unit`, in the copy of the world that is `turn` · 360° to
/// the east. `unit` may be 2^32, the end of the world.
pub fn first_lon(turn: i64, unit: u64) -> f64 {
    let unwrapped_units = |lon: f64| {
        let world = lon / 360.0 + 0.5;
        let turns = floor_f64(world);
        turns as i64 * UNITS as i64 + i64::from(to_units(world - turns))
    };
    let target = turn * UNITS as i64 + unit as i64;
    first(((unit as f64 / UNITS) - 0.5) * 360.0 + turn as f64 * 360.0, |lon| unwrapped_units(lon) >= target)
}

/// The smallest latitude in degrees with a y below `unit`. For 0 it is the first latitude north of the map, for 2^32
/// the southern edge of the map.
pub fn first_lat(unit: u64) -> f64 {
    if unit == 0 {
        return MAX_MERCATOR_LAT_DEG.next_up();
    }
    if unit >= UNITS as u64 {
        return -MAX_MERCATOR_LAT_DEG;
    }
    let (_, guess) = Projection::Mercator.inverse(0.5, unit as f64 / UNITS);
    first(guess, |lat| u64::from(to_units(mercator_y_f64(lat))) < unit)
}

/// The smallest number near `guess` that satisfies the monotonic predicate `is_beyond`.
fn first(guess: f64, is_beyond: impl Fn(f64) -> bool) -> f64 {
    // Maps floats to integers in the same order.
    let order = |number: f64| {
        let bits = number.to_bits() as i64;
        bits ^ ((bits >> 63) as u64 >> 1) as i64
    };
    let number = |order: i64| f64::from_bits((order ^ ((order >> 63) as u64 >> 1) as i64) as u64);
    let mut radius = 1e-10;
    while is_beyond(guess - radius) || !is_beyond(guess + radius) {
        radius *= 2.0;
    }
    let (mut below, mut beyond) = (order(guess - radius), order(guess + radius));
    while below + 1 < beyond {
        let middle = below + (beyond - below) / 2;
        if is_beyond(number(middle)) { beyond = middle } else { below = middle }
    }
    number(beyond)
}

/// The maximum difference of [`from_fixed`] from the coordinates that were converted, in degrees: half a unit, which is
/// largest at the equator, and a margin for the arithmetic.
pub const TOLERANCE_DEG: f64 = 180.0 / UNITS * 1.001;

/// Longitude and latitude in degrees of the center of the unit at `x`, `y`.
pub fn from_fixed(x: u32, y: u32) -> (f64, f64) {
    let center = |units: u32| (f64::from(units) + 0.5) / UNITS;
    Projection::Mercator.inverse(center(x), center(y))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)]
    fn first_lon_and_first_lat_are_the_edges_of_units() {
        let fixed = |lon: f64, lat: f64| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            to_fixed(Points::new(&[lon], &[lat]).unwrap(), &mut x, &mut y);
            (u64::from(x[0]), u64::from(y[0]))
        };
        for unit in [1u64, 77, 1 << 20, 1 << 30, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 0xdead_beef] {
            let lon = first_lon(0, unit);
            assert_eq!((fixed(lon, 0.0).0, fixed(lon.next_down(), 0.0).0), (unit, unit - 1));
            let lat = first_lat(unit);
            assert!(fixed(0.0, lat).1 < unit && fixed(0.0, lat.next_down()).1 >= unit, "{unit}");
        }
        assert_eq!((first_lon(0, 0), first_lon(-1, 0)), (-180.0, -540.0));
        // The last number below 180 is rounded up to 180.
        assert_eq!((first_lon(1, 0), first_lon(0, 1 << 32)), (180f64.next_down(), 180f64.next_down()));
        assert!(first_lat(0) > MAX_MERCATOR_LAT_DEG && is_on_map(first_lat(0).next_down()));
    }

    #[test]
    fn round_trips_are_within_half_a_unit() {
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
