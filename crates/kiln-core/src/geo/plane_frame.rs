//! Squares of a plane in meters, with 32-bit fixed-point coordinates.

use super::cells::floor_f64;
use super::{Bounds, Points};
use crate::simd::wide;

/// A square of a plane, 2^32 units of 0.1 mm wide: 429 496.7296 m.
///
/// Positions are meters, x to the east and y to the north. The unit of a position p is that of its step, the largest
/// whole number s with s / 10000 ≤ p in `f64`. x units increase to the east from the western edge, y units to the
/// **south** from the northern edge, as in Web Mercator, so that rows of a canvas and of units have the same order. A
/// unit stands for the position s / 10000, the `f64` that is nearest to the decimal number: positions with up to four
/// decimals are restored bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaneFrame {
    /// The south-western corner in steps.
    origin: [i64; 2],
}

/// Steps per meter.
const STEPS_PER_M: f64 = 10_000.0;
/// Units along a side.
const UNITS: i64 = 1 << 32;

impl PlaneFrame {
    /// The side of the square in meters.
    pub const SIDE_M: f64 = UNITS as f64 / STEPS_PER_M;
    /// The maximum absolute coordinate of the center in meters, at which steps are exact in `f64` by a wide margin.
    pub const MAX_CENTER_M: f64 = 1e9;
    /// The grid of the centers in meters.
    const CENTER_GRID_M: f64 = 100_000.0;

    /// The frame with the south-western corner `origin`, in steps of 0.1 mm; `None` if the center exceeds
    /// [`MAX_CENTER_M`](Self::MAX_CENTER_M).
    pub fn new(origin: [i64; 2]) -> Option<Self> {
        const MAX: i64 = (PlaneFrame::MAX_CENTER_M * STEPS_PER_M) as i64;
        let is_near = |start: i64| (-MAX..=MAX).contains(&start.saturating_add(UNITS / 2));
        origin.into_iter().all(is_near).then_some(Self { origin })
    }

    /// The frame for a layer whose first points are `points`: along each axis, its center is 0 if the median of the
    /// points is within ±100 km, else the multiple of 100 km that is nearest to the median. Medians, so that a single
    /// wrong position does not decide; of two medians, the one nearer to 0.
    pub fn around(points: Points<'_>) -> Self {
        let start = |values: &[f64]| {
            let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            finite.sort_unstable_by(f64::total_cmp);
            let middle = |round_up: usize| finite.get((finite.len() + round_up).saturating_sub(1) / 2).copied();
            let [low, high] = [0, 1].map(|round_up| middle(round_up).unwrap_or_default());
            let median = if low.abs() <= high.abs() { low } else { high };
            let median = median.clamp(-Self::MAX_CENTER_M, Self::MAX_CENTER_M);
            let is_near = median.abs() <= Self::CENTER_GRID_M;
            let center_m = if is_near { 0.0 } else { (median / Self::CENTER_GRID_M).round() * Self::CENTER_GRID_M };
            (center_m * STEPS_PER_M) as i64 - UNITS / 2
        };
        Self { origin: [start(points.lon()), start(points.lat())] }
    }

    /// The south-western corner in steps of 0.1 mm.
    pub fn origin(self) -> [i64; 2] {
        self.origin
    }

    /// The square in meters. Its northern and eastern edges are outside.
    pub fn bounds(self) -> Bounds {
        let [west, south] = self.origin.map(meters);
        let [east, north] = self.origin.map(|start| meters(start + UNITS));
        Bounds { west, south, east, north }
    }

    /// World coordinates of the north-western corner, in meters to the east and to the south.
    pub(crate) fn world_corner(self) -> [f64; 2] {
        [meters(self.origin[0]), -meters(self.origin[1] + UNITS)]
    }

    /// Whether a position is inside the square.
    #[inline]
    pub fn contains(self, x: f64, y: f64) -> bool {
        const END: f64 = UNITS as f64;
        // NaN compares false.
        (0.0..END).contains(&self.column(x)) && (0.0..END).contains(&self.row(y))
    }

    /// The position of the units `x`, `y` in meters.
    #[inline]
    pub fn position(self, x: u32, y: u32) -> (f64, f64) {
        (meters(self.origin[0] + i64::from(x)), meters(self.origin[1] + UNITS - 1 - i64::from(y)))
    }

    /// Writes the positions of the units `x`, `y` in meters to `x_m`, `y_m`.
    pub fn positions(self, x: &[u32], y: &[u32], x_m: &mut [f64], y_m: &mut [f64]) {
        const LAST: f64 = (UNITS - 1) as f64;
        positions_of(x, self.origin[0] as f64, 1.0, x_m);
        positions_of(y, self.origin[1] as f64 + LAST, -1.0, y_m);
    }

    /// The units of `bounds`, edges included, as `[[west, east], [north, south]]` with one unit more on each side;
    /// `None` if they are outside the square.
    pub fn window(self, bounds: Bounds) -> Option<[[u32; 2]; 2]> {
        let range = |first: f64, last: f64| {
            const LAST: f64 = u32::MAX as f64;
            let (first, last) = (first - 1.0, last + 1.0);
            (first <= LAST && last >= 0.0).then(|| [first.clamp(0.0, LAST) as u32, last.clamp(0.0, LAST) as u32])
        };
        let x = range(self.column(bounds.west), self.column(bounds.east))?;
        Some([x, range(self.row(bounds.north), self.row(bounds.south))?])
    }

    /// The unit of x, a whole number, outside 0..2^32 outside the square.
    #[inline]
    pub(super) fn column(self, x: f64) -> f64 {
        steps(x) - self.origin[0] as f64
    }

    /// The unit of y, a whole number, outside 0..2^32 outside the square.
    #[inline]
    pub(super) fn row(self, y: f64) -> f64 {
        (self.origin[1] + UNITS - 1) as f64 - steps(y)
    }
}

wide! {
    fn positions_of(units: &[u32], first: f64, sign: f64, meters: &mut [f64]) {
        // Sums of whole numbers below 2^53 are exact, so this is `meters`.
        for (meters, &unit) in meters.iter_mut().zip(units) {
            *meters = (first + sign * f64::from(unit)) / STEPS_PER_M;
        }
    }
}

/// The position of a step: the `f64` nearest to the decimal number, because the quotient of two whole numbers below
/// 2^53 is correctly rounded.
#[inline]
fn meters(step: i64) -> f64 {
    step as f64 / STEPS_PER_M
}

/// The step of a position. Beyond ±2^51 steps it is far outside of every frame.
#[inline]
fn steps(position: f64) -> f64 {
    // The product may be rounded across a whole number, so it is compared with the positions of the steps.
    let guess = floor_f64(position * STEPS_PER_M);
    let guess = if guess / STEPS_PER_M > position { guess - 1.0 } else { guess };
    if (guess + 1.0) / STEPS_PER_M <= position { guess + 1.0 } else { guess }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geo::Frame;

    const CENTERED: PlaneFrame = PlaneFrame { origin: [-UNITS / 2; 2] };

    fn around(x: f64, y: f64) -> PlaneFrame {
        PlaneFrame::around(Points::new(&[x], &[y]).unwrap())
    }

    fn fixed(frame: PlaneFrame, x: f64, y: f64) -> (u32, u32) {
        let (mut column, mut row) = (Vec::new(), Vec::new());
        Frame::Plane(frame).to_fixed(Points::new(&[x], &[y]).unwrap(), &mut column, &mut row);
        (column[0], row[0])
    }

    #[test]
    fn the_frame_is_centered_at_0_or_at_a_multiple_of_100_km_near_the_median() {
        assert_eq!(around(-99_999.0, 0.5), CENTERED);
        assert_eq!(around(100_000.0, -100_000.0), CENTERED);
        let utm = around(674_321.5, 6_580_822.25);
        let bounds = utm.bounds();
        assert_eq!((bounds.west + bounds.east, bounds.south + bounds.north), (1_400_000.0, 13_200_000.0));
        assert!((bounds.east - bounds.west - PlaneFrame::SIDE_M).abs() < 1e-9);
        let one_wrong = PlaneFrame::around(Points::new(&[1e8, 3.0, 4.0], &[2.0, -7e7, 1.0]).unwrap());
        assert_eq!(one_wrong, CENTERED);
        for wrong in [9e8, -9e8] {
            assert_eq!(PlaneFrame::around(Points::new(&[5.0, wrong], &[wrong, 5.0]).unwrap()), CENTERED);
        }
        assert_eq!(PlaneFrame::around(Points::default()), CENTERED);
        assert_eq!(PlaneFrame::new(utm.origin()), Some(utm));
        assert_eq!(PlaneFrame::new([i64::MAX, 0]), None);
        assert!(PlaneFrame::new(around(1e300, -1e300).origin()).is_some());
    }

    #[test]
    fn edges_are_half_open_and_invalid_positions_are_outside() {
        let half = PlaneFrame::SIDE_M / 2.0;
        assert!(CENTERED.contains(-half, -half) && !CENTERED.contains(half, 0.0) && !CENTERED.contains(0.0, half));
        assert!(CENTERED.contains(half.next_down(), half.next_down()));
        assert!(!CENTERED.contains((-half).next_down(), 0.0) && !CENTERED.contains(0.0, (-half).next_down()));
        assert_eq!(fixed(CENTERED, -half, half.next_down()), (0, 0));
        assert_eq!(fixed(CENTERED, half.next_down(), -half), (u32::MAX, u32::MAX));
        for invalid in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e15] {
            assert!(!CENTERED.contains(invalid, 0.0) && !CENTERED.contains(0.0, invalid), "{invalid}");
        }
    }

    #[test]
    fn windows_contain_their_bounds_and_end_at_the_frame() {
        let window = |west, south, east, north| CENTERED.window(Bounds { west, south, east, north });
        let [[west, east], [north, south]] = window(1.0, 2.0, 3.0, 4.0).unwrap();
        let ((first, last_row), (last, first_row)) = (fixed(CENTERED, 1.0, 2.0), fixed(CENTERED, 3.0, 4.0));
        assert_eq!([west, east, north, south], [first - 1, last + 1, first_row - 1, last_row + 1]);
        assert_eq!(window(-1e9, -1e9, 1e9, 1e9), Some([[0, u32::MAX]; 2]));
        assert_eq!(window(3e5, 0.0, 4e5, 1.0), None);
        assert_eq!(window(0.0, -4e5, 1.0, -3e5), None);
    }

    proptest! {
        #[test]
        fn decimals_with_four_places_are_restored_bit_for_bit(
            (x, y) in (-2_147_483_648i64..2_147_483_648, -2_147_483_648i64..2_147_483_648),
            (km_x, km_y) in (-9000i64..9000, -9000i64..9000),
        ) {
            let center = [km_x * 1_000_000_000, km_y * 1_000_000_000];
            let frame = PlaneFrame::new(center.map(|center| center - UNITS / 2)).unwrap();
            let decimal = |steps: i64| -> f64 {
                let (sign, steps) = (if steps < 0 { "-" } else { "" }, steps.abs());
                format!("{sign}{}.{:04}", steps / 10_000, steps % 10_000).parse().unwrap()
            };
            let (x, y) = (decimal(center[0] + x), decimal(center[1] + y));
            let (column, row) = fixed(frame, x, y);
            prop_assert!(frame.contains(x, y));
            prop_assert_eq!(frame.position(column, row), (x, y));
        }

        #[test]
        fn the_unit_of_a_position_is_the_floor_of_its_decimal(x in -2e5..2e5f64, y in -2e5..2e5f64) {
            let (column, row) = fixed(CENTERED, x, y);
            let (west, south) = CENTERED.position(column, row);
            let (east, north) = CENTERED.position(column + 1, row - 1);
            prop_assert!(west <= x && x < east && south <= y && y < north);
        }
    }
}
