//! Land, coasts and borders of the world beneath and above a heat map.

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use image::{Pixel, Rgba, RgbaImage};
use serde::Deserialize;

use super::coverage::Coverage;
use kiln_core::error::{Error, Result};
use kiln_core::geo::Canvas;

/// Natural Earth 1:50m, written by `scripts/outlines.mjs`.
static FILE: &[u8] = include_bytes!("outlines/outlines-50m.json.gz");

const SEA: [u8; 4] = [233, 239, 244, 255];
const LAND: [u8; 4] = [250, 249, 246, 255];
const COAST: [u8; 4] = [74, 86, 100, 190];
const BORDER: [u8; 4] = [74, 86, 100, 120];
const COAST_PX: f32 = 0.9;
const BORDER_PX: f32 = 0.7;
const COVERAGE_STEPS: f32 = 4.0;

/// The attribution of the outlines.
pub const OUTLINES_ATTRIBUTION: &str = "Natural Earth";

/// The file: lines as differences of longitudes and latitudes.
#[derive(Deserialize)]
struct Packed {
    units_per_degree: f64,
    land: Vec<Vec<i32>>,
    borders: Vec<Vec<i32>>,
}

/// Outlines in degrees.
struct World {
    /// Rings.
    land: Vec<Vec<[f64; 2]>>,
    /// The rings without their edges along the antimeridian and the pole.
    coasts: Vec<Vec<[f64; 2]>>,
    borders: Vec<Vec<[f64; 2]>>,
}

/// The outlines of a canvas: sea and land, which are drawn beneath a heat map, and coasts and borders, drawn above it.
#[derive(Clone, Debug)]
pub struct Outlines {
    /// Sea and land, opaque.
    pub below: RgbaImage,
    /// Coasts and borders, transparent elsewhere.
    pub above: RgbaImage,
}

impl Outlines {
    /// The width of a pixel on the ground, in meters, below which the outlines are too coarse to be drawn. They fade out
    /// from four times this width: about zoom 9 of web maps.
    pub const MIN_PIXEL_M: f64 = 76.0;

    /// Draws the outlines of a canvas. `None` on a plane, and where the outlines are too coarse.
    ///
    /// # Errors
    /// [`Error::Input`] if the outlines of the program are damaged, which the tests rule out.
    pub fn draw(canvas: &Canvas) -> Result<Option<Self>> {
        let Some([pixel_m, _]) = canvas.pixel_size_m(canvas.center_lat()) else { return Ok(None) };
        let strength = (pixel_m / Self::MIN_PIXEL_M).log2() / 2.0;
        if !canvas.projection().wraps() || strength <= 0.0 {
            return Ok(None);
        }
        let world = world()?;
        let (width, height) = (canvas.width(), canvas.height());
        let mask = || Coverage::new(width as usize, height as usize);
        let (mut land, mut coasts, mut borders) = (mask(), mask(), mask());
        land.fill(&on_canvas(canvas, &world.land));
        for line in on_canvas(canvas, &world.coasts) {
            coasts.stroke(&line, COAST_PX);
        }
        for line in on_canvas(canvas, &world.borders) {
            borders.stroke(&line, BORDER_PX);
        }
        let strength = strength.min(1.0) as f32;
        // In few steps, so that the 256 colors of a GIF suffice for most pixels.
        let covered = |[red, green, blue, alpha]: [u8; 4], coverage: u8| {
            let coverage = (f32::from(coverage) / 255.0 * COVERAGE_STEPS).round() / COVERAGE_STEPS;
            Rgba([red, green, blue, (f32::from(alpha) * coverage * strength).round() as u8])
        };
        let below = RgbaImage::from_fn(width, height, |column, row| {
            let mut pixel = Rgba([255; 4]);
            pixel.blend(&covered(SEA, 255));
            pixel.blend(&covered(LAND, land.at(column as usize, row as usize)));
            pixel
        });
        let above = RgbaImage::from_fn(width, height, |column, row| {
            let [coast, border] = [&coasts, &borders].map(|mask| mask.at(column as usize, row as usize));
            let (coast, border) = (covered(COAST, coast), covered(BORDER, border));
            if coast.0[3] >= border.0[3] { coast } else { border }
        });
        Ok(Some(Self { below, above }))
    }
}

/// The outlines, read at the first call.
fn world() -> Result<&'static World> {
    static WORLD: OnceLock<Option<World>> = OnceLock::new();
    let world = WORLD.get_or_init(|| {
        let mut text = String::new();
        GzDecoder::new(FILE).read_to_string(&mut text).ok()?;
        let Packed { units_per_degree, land, borders } = serde_json::from_str(&text).ok()?;
        let unpack = |lines: &[Vec<i32>]| lines.iter().map(|line| unpacked(line, units_per_degree)).collect::<Vec<_>>();
        let land = unpack(&land);
        let coasts = land.iter().flat_map(|ring| coasts_of(ring)).collect();
        Some(World { land, coasts, borders: unpack(&borders) })
    });
    world.as_ref().ok_or_else(|| Error::input("outlines-50m.json.gz", "not a file of outlines"))
}

/// The positions of a line, in degrees.
fn unpacked(line: &[i32], units_per_degree: f64) -> Vec<[f64; 2]> {
    let mut position = [0, 0];
    let mut positions = Vec::with_capacity(line.len() / 2);
    for step in line.chunks_exact(2) {
        position = [position[0] + step[0], position[1] + step[1]];
        positions.push(position.map(|units| f64::from(units) / units_per_degree));
    }
    positions
}

/// The edges of a ring apart from those along the antimeridian or the pole.
fn coasts_of(ring: &[[f64; 2]]) -> Vec<Vec<[f64; 2]>> {
    let is_cut = |[lon, lat]: [f64; 2]| ((lon.abs() % 360.0) - 180.0).abs() < 0.01 || lat < -85.1;
    let mut lines = vec![Vec::new()];
    for (i, position) in ring.iter().enumerate() {
        if i > 0 && is_cut(*position) && is_cut(ring[i - 1]) {
            lines.push(Vec::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push(*position);
        }
    }
    lines.retain(|line| line.len() > 1);
    lines
}

/// The lines that cross the canvas, in its pixels: one copy for each world that it shows.
fn on_canvas(canvas: &Canvas, lines: &[Vec<[f64; 2]>]) -> Vec<Vec<[f32; 2]>> {
    /// Pixels around the canvas in which a line is still visible.
    const MARGIN_PX: f64 = 2.0;
    let projection = canvas.projection();
    let (south, north) = projection.lat_range();
    let ([x0, y0], [x_scale, y_scale], [column, row]) = (canvas.origin(), canvas.scale(), canvas.offset());
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let mut found = Vec::new();
    for line in lines {
        let projected: Vec<[f64; 2]> = line
            .iter()
            .map(|[lon, lat]| {
                let (x, y) = projection.forward(*lon, lat.clamp(south, north));
                [(x - x0) * x_scale - column as f64, (y - y0) * y_scale - row as f64]
            })
            .collect();
        let range = |axis: usize| {
            let values = projected.iter().map(|position| position[axis]);
            values.fold([f64::MAX, f64::MIN], |[low, high], value| [low.min(value), high.max(value)])
        };
        let ([left, right], [top, bottom]) = (range(0), range(1));
        if bottom < -MARGIN_PX || top > height + MARGIN_PX {
            continue;
        }
        // The copies that begin left of the canvas's right edge and end right of its left edge.
        let first = ((-MARGIN_PX - right) / x_scale).ceil() as i32;
        let last = ((width + MARGIN_PX - left) / x_scale).floor() as i32;
        for turn in first..=last {
            let shift = f64::from(turn) * x_scale;
            found.push(projected.iter().map(|[x, y]| [(x + shift) as f32, *y as f32]).collect());
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use kiln_core::geo::{Bounds, Projection};

    fn draw(projection: Projection, [west, south, east, north]: [f64; 4], width: u32) -> Option<Outlines> {
        let bounds = Bounds { west, south, east, north };
        let height = Canvas::height_for(projection, bounds, width).unwrap();
        Outlines::draw(&Canvas::new(projection, bounds, width, height).unwrap()).unwrap()
    }

    /// Whether the color of the pixel at a position is that of land.
    fn is_land(outlines: &Outlines, x: f64, y: f64) -> bool {
        let below = &outlines.below;
        let pixel = |share: f64, end: u32| (share * f64::from(end)) as u32;
        below.get_pixel(pixel(x, below.width()), pixel(y, below.height())).0 == LAND
    }

    #[test]
    fn land_and_sea_are_where_they_are() {
        let world = draw(Projection::PlateCarree, [-180.0, -90.0, 180.0, 90.0], 720).unwrap();
        for (lon, lat, land) in [
            (10.0, 50.0, true),
            (-100.0, 40.0, true),
            (135.0, -25.0, true),
            (0.0, -88.0, true),
            (-30.0, 40.0, false),
            (80.0, -30.0, false),
            (50.0, 42.0, false), // the Caspian Sea, a hole
            (179.5, 67.5, true), // Chukotka, across the antimeridian
            (-179.5, 67.5, true),
        ] {
            assert_eq!(is_land(&world, (lon + 180.0) / 360.0, (90.0 - lat) / 180.0), land, "{lon}, {lat}");
        }
    }

    #[test]
    fn copies_of_the_world_are_equal() {
        let two = draw(Projection::Mercator, [-180.0, -60.0, 540.0, 75.0], 800).unwrap();
        for (column, row, pixel) in two.below.enumerate_pixels().filter(|(column, ..)| *column < 400) {
            let other = two.below.get_pixel(column + 400, row);
            let distance = pixel.0.iter().zip(other.0).map(|(a, b)| a.abs_diff(b)).max();
            assert!(distance < Some(3), "{column}, {row}: {pixel:?} and {other:?}");
        }
    }

    #[test]
    fn coasts_do_not_follow_the_antimeridian() {
        let fiji = draw(Projection::Mercator, [170.0, 66.0, 190.0, 70.0], 400).unwrap();
        // Between the coasts of Chukotka there is land on both sides of 180°, without a line.
        let column = 200;
        let rows = (0..fiji.above.height()).filter(|row| fiji.above.get_pixel(column, *row).0[3] > 40).count();
        assert!((1..20).contains(&rows), "{rows}");
    }

    #[test]
    fn outlines_fade_out_where_they_are_too_coarse() {
        let of = |degrees: f64| draw(Projection::Mercator, [5.0, 43.0, 5.0 + degrees, 43.0 + degrees / 2.0], 400);
        let strongest = |outlines: &Outlines| outlines.above.pixels().map(|pixel| pixel.0[3]).max().unwrap();
        assert!(strongest(&of(4.0).unwrap()) > 150);
        assert!(strongest(&of(0.7).unwrap()) < 150);
        assert!(of(0.1).is_none());
        let plane = Canvas::new(Projection::Plane, Bounds { west: 0.0, south: 0.0, east: 9.0, north: 9.0 }, 9, 9);
        assert!(Outlines::draw(&plane.unwrap()).unwrap().is_none());
    }
}
