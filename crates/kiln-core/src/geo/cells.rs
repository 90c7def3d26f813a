//! Vectorized mapping of points to the cells of a canvas.
//!
//! All arithmetic is plain IEEE without fused operations, so a point falls into the same cell on every machine.
//! Positions are computed on the pixel grid before the offset of the window is subtracted, so a point falls into the
//! same cell in every window. Up to 2^16 pixels around the world the arithmetic is in `f32`, above that in `f64`; the
//! error is below 1/16 pixel in both.

use super::mercator_series::{ARTANH, COS, HALF_DEGREE, INVERSE_TURN, LN_2, SIN};
use super::{Canvas, Points, Projection};
use crate::simd::wide;

/// Maps points to the cells of a window. Cells are numbered row by row from the north-western corner.
#[derive(Clone, Debug)]
pub struct CellMapper {
    projection: Projection,
    frame: Frame,
    /// The copies of the world in the window; a plane has one.
    copies: Vec<WorldCopy>,
    single: bool,
}

/// The parameters of a canvas for the arithmetic.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Pixels per world unit.
    scale: [f64; 2],
    /// The corner of the grid, in pixels from the corner of the world.
    corner: [f64; 2],
    width: u32,
    height: u32,
}

/// A copy of the world, shifted east by a multiple of 360°.
#[derive(Clone, Copy, Debug)]
struct WorldCopy {
    /// World units to add to x before scaling. Zero if the world is a whole number of pixels wide.
    turns: f64,
    /// The corner of the window in the grid of this copy.
    offset: [i64; 2],
}

/// Points projected at a time, so that the intermediate columns stay in the L1 cache.
const CHUNK: usize = 1024;

/// The maximum number of pixels around the world at which the error of `f32` is below 1/16 pixel.
const MAX_SINGLE_SCALE: f64 = 65_536.0;

/// The world y of invalid latitudes.
const FAR_OUTSIDE: f64 = 1e9;

impl CellMapper {
    /// A mapper for the window of `canvas`.
    pub fn new(canvas: &Canvas) -> Self {
        let (scale, origin) = (canvas.scale(), canvas.origin());
        let corner = [origin[0] * scale[0], origin[1] * scale[1]];
        let frame = Frame { scale, corner, width: canvas.width(), height: canvas.height() };
        let copies = world_copies(canvas);
        let single = canvas.projection().wraps() && scale.iter().all(|&scale| scale <= MAX_SINGLE_SCALE);
        Self { projection: canvas.projection(), frame, copies, single }
    }

    /// The number of cells of the window. Points outside the window are mapped to this number.
    pub fn outside(&self) -> u32 {
        self.frame.width * self.frame.height
    }

    /// The number of copies of the world in the window; points have to be mapped once per copy.
    pub fn copies(&self) -> usize {
        self.copies.len()
    }

    /// Maps `points` to cells in the world copy `copy`, in chunks and in order. `each` is called with the index of the
    /// first point of a chunk and with the cells, which are [`outside`](Self::outside) for points outside the window
    /// and for coordinates that are not finite.
    pub fn map(&self, copy: usize, points: Points<'_>, mut each: impl FnMut(usize, &[u32])) {
        let Some(copy) = self.copies.get(copy) else { return };
        let mut cells = [0u32; CHUNK];
        let mut start = 0;
        while start < points.len() {
            let chunk = points.slice(start..start + CHUNK);
            // The next chunk is loaded while the caller processes this one.
            let next = points.slice(start + CHUNK..start + 2 * CHUNK);
            prefetch(next.lon());
            prefetch(next.lat());
            let cells = &mut cells[..chunk.len()];
            match (self.single, self.projection) {
                (true, Projection::Mercator) => mercator_single(chunk.lon(), chunk.lat(), &self.frame, copy, cells),
                (true, _) => plate_carree_single(chunk.lon(), chunk.lat(), &self.frame, copy, cells),
                (false, Projection::Mercator) => mercator_double(chunk.lon(), chunk.lat(), &self.frame, copy, cells),
                (false, Projection::PlateCarree) => {
                    plate_carree_double(chunk.lon(), chunk.lat(), &self.frame, copy, cells);
                }
                (false, Projection::Plane) => plane(chunk.lon(), chunk.lat(), &self.frame, copy, cells),
            }
            each(start, cells);
            start += chunk.len();
        }
    }
}

/// Prefetches values. The hardware prefetcher does not cross page boundaries.
#[inline]
fn prefetch(values: &[f64]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(8) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint that cannot fault at any address; this address is valid as well.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

fn world_copies(canvas: &Canvas) -> Vec<WorldCopy> {
    let offset = canvas.offset();
    if !canvas.projection().wraps() {
        return vec![WorldCopy { turns: 0.0, offset }];
    }
    let west = canvas.world_at(0.0, 0.0)[0].floor() as i64;
    let east = canvas.world_at(f64::from(canvas.width()), 0.0)[0].ceil() as i64;
    let pixels_around = canvas.scale()[0];
    (west..east)
        .map(|turns| {
            if pixels_around.fract() == 0.0 {
                WorldCopy { turns: 0.0, offset: [offset[0] - turns * pixels_around as i64, offset[1]] }
            } else {
                WorldCopy { turns: turns as f64, offset }
            }
        })
        .collect()
}

wide! {
    fn mercator_single(lon: &[f64], lat: &[f64], frame: &Frame, copy: &WorldCopy, cells: &mut [u32]) {
        let (mut x, mut y) = ([0.0f32; CHUNK], [0.0f32; CHUNK]);
        narrow(lon, &mut x);
        narrow(lat, &mut y);
        for y in &mut y[..cells.len()] {
            *y = mercator_y_f32(*y);
        }
        single_to_cells(&mut x, &y, frame, copy, cells);
    }
}

wide! {
    fn plate_carree_single(lon: &[f64], lat: &[f64], frame: &Frame, copy: &WorldCopy, cells: &mut [u32]) {
        let (mut x, mut y) = ([0.0f32; CHUNK], [0.0f32; CHUNK]);
        narrow(lon, &mut x);
        narrow(lat, &mut y);
        for y in &mut y[..cells.len()] {
            *y = 0.25 - *y * (1.0 / 360.0);
        }
        single_to_cells(&mut x, &y, frame, copy, cells);
    }
}

wide! {
    fn mercator_double(lon: &[f64], lat: &[f64], frame: &Frame, copy: &WorldCopy, cells: &mut [u32]) {
        let (mut x, mut y) = ([0.0f64; CHUNK], [0.0f64; CHUNK]);
        for (x, lon) in x.iter_mut().zip(lon) {
            *x = wrapped(*lon / 360.0 + 0.5);
        }
        for (y, lat) in y.iter_mut().zip(lat) {
            *y = mercator_y_f64(*lat);
        }
        double_to_cells(&x, &y, frame, copy, cells);
    }
}

wide! {
    fn plate_carree_double(lon: &[f64], lat: &[f64], frame: &Frame, copy: &WorldCopy, cells: &mut [u32]) {
        let (mut x, mut y) = ([0.0f64; CHUNK], [0.0f64; CHUNK]);
        for (x, lon) in x.iter_mut().zip(lon) {
            *x = wrapped(*lon / 360.0 + 0.5);
        }
        for (y, lat) in y.iter_mut().zip(lat) {
            *y = 0.25 - *lat / 360.0;
        }
        double_to_cells(&x, &y, frame, copy, cells);
    }
}

wide! {
    fn plane(lon: &[f64], lat: &[f64], frame: &Frame, copy: &WorldCopy, cells: &mut [u32]) {
        // World y is −lat; negating the scale instead gives the same product.
        let frame = Frame { scale: [frame.scale[0], -frame.scale[1]], ..*frame };
        double_to_cells(lon, lat, &frame, copy, cells);
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn narrow(from: &[f64], to: &mut [f32; CHUNK]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from as f32;
    }
}

/// Maps longitudes in `x` and world y to cells, at scales up to [`MAX_SINGLE_SCALE`].
#[inline(always)]
#[allow(clippy::inline_always)]
fn single_to_cells(x: &mut [f32; CHUNK], y: &[f32; CHUNK], frame: &Frame, copy: &WorldCopy, cells: &mut [u32]) {
    let scale = [frame.scale[0] as f32, frame.scale[1] as f32];
    let corner = [frame.corner[0] as f32, frame.corner[1] as f32];
    let turns = copy.turns as f32;
    let offset = [copy.offset[0] as i32, copy.offset[1] as i32];
    for x in &mut x[..cells.len()] {
        let turn = *x * (1.0 / 360.0) + 0.5;
        // Halfway cases of the rounding are multiples of 1/2, which stay in 0..=1.
        let wrapped = turn - floor_f32(turn);
        *x = (wrapped + turns) * scale[0] - corner[0];
    }
    for ((x, y), cell) in x.iter().zip(y).zip(cells) {
        let col = floor_to_i32(*x) - offset[0];
        let row = floor_to_i32(*y * scale[1] - corner[1]) - offset[1];
        *cell = cell_of(col, row, frame);
    }
}

/// Maps world coordinates to cells.
#[inline(always)]
#[allow(clippy::inline_always)]
fn double_to_cells(x: &[f64], y: &[f64], frame: &Frame, copy: &WorldCopy, cells: &mut [u32]) {
    let offset = [copy.offset[0] as f64, copy.offset[1] as f64];
    let limit = [f64::from(frame.width), f64::from(frame.height)];
    for ((x, y), cell) in x.iter().zip(y).zip(cells) {
        let col = floor_f64((*x + copy.turns) * frame.scale[0] - frame.corner[0]) - offset[0];
        let row = floor_f64(*y * frame.scale[1] - frame.corner[1]) - offset[1];
        *cell = cell_of(clamp_to_i32(col, limit[0]), clamp_to_i32(row, limit[1]), frame);
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn cell_of(col: i32, row: i32, frame: &Frame) -> u32 {
    let (col, row) = (col as u32, row as u32);
    // Where the product wraps, the cell is outside.
    let inside = col < frame.width && row < frame.height;
    let cell = row.wrapping_mul(frame.width).wrapping_add(col);
    if inside { cell } else { frame.width * frame.height }
}

/// Converts an integral coordinate in 0..`limit` to an integer; others become -1 or `limit`.
#[inline(always)]
#[allow(clippy::inline_always)]
fn clamp_to_i32(value: f64, limit: f64) -> i32 {
    let value = if value > -1.0 { value } else { -1.0 };
    let value = if value < limit { value } else { limit };
    // SAFETY: the value is in -1..=limit (NaN became -1), and limit is at most the side of a grown canvas.
    #[allow(unsafe_code)]
    unsafe {
        value.to_int_unchecked()
    }
}

/// ⌊value⌋ for |value| < 2^22; otherwise an integer of the same sign far outside any window. NaN is -1e9, far outside
/// too.
#[inline(always)]
#[allow(clippy::inline_always)]
fn floor_to_i32(value: f32) -> i32 {
    const FAR: f32 = 1e9;
    let value = if value > -FAR { value } else { -FAR };
    let value = if value < FAR { value } else { FAR };
    // SAFETY: the value is in -1e9..=1e9 (NaN became -1e9).
    #[allow(unsafe_code)]
    let truncated: i32 = unsafe { value.to_int_unchecked() };
    truncated - i32::from(value < truncated as f32)
}

/// ⌊value⌋ for |value| < 2^22, without a library call on processors that have no rounding instruction.
#[inline(always)]
#[allow(clippy::inline_always)]
fn floor_f32(value: f32) -> f32 {
    const ROUNDER: f32 = 12_582_912.0; // 1.5 · 2^23: adding it rounds to an integer
    let nearest = (value + ROUNDER) - ROUNDER;
    if nearest > value { nearest - 1.0 } else { nearest }
}

/// ⌊value⌋ for |value| < 2^51; see [`floor_f32`].
#[inline(always)]
#[allow(clippy::inline_always)]
pub(crate) fn floor_f64(value: f64) -> f64 {
    const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 · 2^52
    let nearest = (value + ROUNDER) - ROUNDER;
    if nearest > value { nearest - 1.0 } else { nearest }
}

/// The fractional part of a number of turns, 0..1.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(super) fn wrapped(turn: f64) -> f64 {
    turn - floor_f64(turn)
}

// Web Mercator y = ½ − artanh(tan(φ/2)) / π = ½ − ln((c + s) / (c − s)) / 2π with s = sin(φ/2), c = cos(φ/2) (Snyder,
// Map Projections: A Working Manual, USGS PP 1395, eq. 7-1 and 7-2, by the half-angle tangent). φ/2 stays within ±π/4,
// so the Taylor series of sine and cosine are short, and c − s does not cancel before the pole. The logarithm is e·ln 2
// + 2 artanh((m − 1) / (m + 1)) after the powers of two are taken off numerator and denominator, with the two divisions
// made one: (m − 1) / (m + 1) = (a − b) / (a + b).

/// Web Mercator y of a latitude in degrees, within 5e-7 up to the edge of the square world.
#[inline(always)]
#[allow(clippy::inline_always)]
fn mercator_y_f32(lat: f32) -> f32 {
    const MANTISSA: u32 = 0x007f_ffff;
    const ONE: u32 = 0x3f80_0000;
    let h = lat * (std::f32::consts::PI / 360.0);
    let h2 = h * h;
    let sin = h + h * h2 * (-1.0 / 6.0 + h2 * (1.0 / 120.0 + h2 * (-1.0 / 5040.0 + h2 * (1.0 / 362_880.0))));
    let cos =
        1.0 + h2 * (-0.5 + h2 * (1.0 / 24.0 + h2 * (-1.0 / 720.0 + h2 * (1.0 / 40320.0 + h2 * (-1.0 / 3_628_800.0)))));
    let (above, below) = ((cos + sin).to_bits(), (cos - sin).to_bits());
    let exponent = (above >> 23) as i32 - (below >> 23) as i32;
    let a = f32::from_bits(above & MANTISSA | ONE);
    let b = f32::from_bits(below & MANTISSA | ONE);
    let z = (a - b) / (a + b);
    let z2 = z * z;
    let series = 1.0
        + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 * (1.0 / 7.0 + z2 * (1.0 / 9.0 + z2 * (1.0 / 11.0 + z2 * (1.0 / 13.0))))));
    let ln = exponent as f32 * std::f32::consts::LN_2 + 2.0 * z * series;
    let y = 0.5 - ln * (0.5 * std::f32::consts::FRAC_1_PI);
    if lat.abs() <= 90.0 { y } else { FAR_OUTSIDE as f32 }
}

/// Web Mercator y of a latitude in degrees, within 1e-13 up to the edge of the square world.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(super) fn mercator_y_f64(lat: f64) -> f64 {
    const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    let h = lat * HALF_DEGREE;
    let h2 = h * h;
    let sin = h * SIN.iter().rev().fold(0.0, |sum, term| sum * h2 + term);
    let cos = COS.iter().rev().fold(0.0, |sum, term| sum * h2 + term);
    let (above, below) = ((cos + sin).to_bits(), (cos - sin).to_bits());
    // The difference of exponents fits in 32 bits, which every instruction set can convert to a float.
    let exponent = (above >> 52) as i32 - (below >> 52) as i32;
    let a = f64::from_bits(above & MANTISSA | ONE);
    let b = f64::from_bits(below & MANTISSA | ONE);
    let z = (a - b) / (a + b);
    let z2 = z * z;
    let series = ARTANH.iter().rev().fold(0.0, |sum, term| sum * z2 + term);
    let ln = f64::from(exponent) * LN_2 + 2.0 * z * series;
    let y = 0.5 - ln * INVERSE_TURN;
    if lat.abs() <= 90.0 { y } else { FAR_OUTSIDE }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Bounds, TileCoord};

    fn cells(canvas: &Canvas, lon: &[f64], lat: &[f64]) -> Vec<Vec<u32>> {
        let mapper = CellMapper::new(canvas);
        (0..mapper.copies())
            .map(|copy| {
                let mut all = Vec::new();
                mapper.map(copy, Points::new(lon, lat).unwrap(), |_, cells| all.extend_from_slice(cells));
                all
            })
            .collect()
    }

    #[test]
    fn projected_latitudes_are_within_a_sixteenth_of_a_pixel() {
        let (mut worst_single, mut worst_double) = (0.0f64, 0.0f64);
        for step in -850_500..=850_500 {
            let lat = f64::from(step) * 1e-4;
            let exact = Projection::Mercator.forward(0.0, lat).1;
            worst_single = worst_single.max((f64::from(mercator_y_f32(lat as f32)) - exact).abs());
            worst_double = worst_double.max((mercator_y_f64(lat) - exact).abs());
        }
        assert!(worst_single * MAX_SINGLE_SCALE < 1.0 / 16.0, "{worst_single:e}");
        assert!(worst_double * 256.0 * f64::from(1 << 24) < 1.0 / 16.0, "{worst_double:e}");
        assert!(worst_single < 5e-7 && worst_double < 1e-13, "{worst_single:e} {worst_double:e}");
    }

    #[test]
    fn cells_are_half_open_and_longitudes_wrap() {
        let world = Canvas::new(Projection::PlateCarree, Bounds::WORLD, 8, 4).unwrap();
        let lon = [-180.0, -135.0, -135.000_01, 179.999, 180.0, 190.0, 0.0, 0.0, f64::NAN];
        let lat = [90.0, 45.0, 44.999_9, -89.9, 0.0, 0.0, -90.0, 90.1, 0.0];
        assert_eq!(cells(&world, &lon, &lat), [[0, 9, 8, 31, 16, 16, 32, 32, 32]]);
    }

    #[test]
    fn poles_and_invalid_latitudes_are_outside() {
        let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 64, 64).unwrap();
        let lat = [90.0, -90.0, 89.999, f64::NAN, f64::INFINITY, 1e300];
        assert_eq!(cells(&world, &[0.0; 6], &lat), [[4096; 6]]);
        let deep = Canvas::tile(TileCoord::new(20, 5, 5).unwrap(), 256).unwrap();
        assert_eq!(cells(&deep, &[0.0; 6], &lat), [[65536; 6]]);
    }

    #[test]
    fn windows_have_the_cells_of_the_full_canvas() {
        let n = 20_000;
        let lon: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.618_034 % 360.0 - 180.0).collect();
        let lat: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.414_214 % 170.0 - 85.0).collect();
        let bounds = [Bounds::WORLD, Bounds::new(100.3, -50.1, 290.7, 63.3).unwrap()];
        let sizes = [(1024, 1024), (777, 501), (200_000, 300)];
        for (projection, bounds, size) in [
            (Projection::Mercator, bounds[0], sizes[0]),
            (Projection::Mercator, bounds[1], sizes[1]),
            (Projection::PlateCarree, bounds[1], sizes[1]),
            (Projection::Plane, bounds[1], sizes[1]),
            (Projection::Mercator, bounds[1], sizes[2]),
        ] {
            let full = Canvas::new(projection, bounds, size.0.min(Canvas::MAX_SIDE_PX), size.1).unwrap();
            let (width, height) = (full.width(), full.height());
            let window = full.window(100, 33, 256, 128).unwrap();
            let (in_full, in_window) = (cells(&full, &lon, &lat), cells(&window, &lon, &lat));
            let pixels = |all: &[Vec<u32>], canvas: &Canvas, left: u32, top: u32| {
                let mut pixels: Vec<(u32, u32)> = all
                    .iter()
                    .flatten()
                    .filter(|&&cell| cell < canvas.width() * canvas.height())
                    .map(|cell| (cell % canvas.width() + left, cell / canvas.width() + top))
                    .filter(|(col, row)| (100..356).contains(col) && (33..161).contains(row))
                    .collect();
                pixels.sort_unstable();
                pixels
            };
            let expected = pixels(&in_full, &full, 0, 0);
            assert!(!expected.is_empty() && width > 356 && height > 161);
            assert_eq!(expected, pixels(&in_window, &window, 100, 33));
        }
    }
}
