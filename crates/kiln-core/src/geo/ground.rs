//! The pixels of a canvas on the ground: latitude, size and area, which are the same for all pixels of a row.
//!
//! The ground is the sphere of Web Mercator, of radius [`EARTH_RADIUS_M`].

use std::f64::consts::{FRAC_PI_2, PI};

use super::{Canvas, EARTH_RADIUS_M, Projection};

/// A row of pixels on the ground.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroundRow {
    /// The distance of its center from the equator along the meridian, in meters to the north.
    pub(crate) north_m: f64,
    /// The width of a pixel along the parallel of the center, in meters.
    pub(crate) width_m: f64,
    /// The height of a pixel at its center, in meters.
    pub(crate) height_m: f64,
    /// The area of a pixel in m²; 0 beyond a pole.
    pub(crate) area_m2: f64,
    /// Whether points of the map can be in the row: in the square world of Web Mercator, or not beyond a pole. Points exactly
    /// at the edge are in the first row beyond it.
    pub(crate) is_on_map: bool,
}

impl GroundRow {
    /// The distance from the equator to a pole, in meters.
    pub(crate) const POLE_M: f64 = FRAC_PI_2 * EARTH_RADIUS_M;
}

impl Canvas {
    /// The area of a pixel of the window's row `row`, which may be outside the window: on the globe, its area on the ground
    /// in m², 0 beyond a pole; on a plane, its area in square plane units (m²). It is exact on the sphere of radius
    /// [`EARTH_RADIUS_M`]: R² · Δλ · (sin φ₁ − sin φ₂), where φ₁ and φ₂ are the latitudes of the edges.
    pub fn pixel_area_m2(&self, row: i64) -> f64 {
        let [scale_x, scale_y] = self.scale();
        self.ground().map_or(1.0 / (scale_x * scale_y), |ground| ground.area_m2(row))
    }

    /// The areas of a pixel of each row of the window from row 0 on, without an end: see [`pixel_area_m2`](Self::pixel_area_m2).
    pub(crate) fn pixel_areas_m2(&self) -> impl Iterator<Item = f64> {
        let ([scale_x, scale_y], ground) = (self.scale(), self.ground());
        (0..).map(move |row| ground.map_or(1.0 / (scale_x * scale_y), |ground| ground.area_m2(row)))
    }

    /// The rows on the ground; `None` on a plane.
    pub(crate) fn ground(&self) -> Option<Ground> {
        let step = 2.0 * PI / self.scale()[1];
        let (sine, cosine) = match self.projection() {
            Projection::Mercator => (step.sinh(), step.cosh()),
            Projection::PlateCarree => ((step / 2.0).sin(), 1.0),
            Projection::Plane => return None,
        };
        let width = 2.0 * PI / self.scale()[0];
        let area_factor_m2 = 2.0 * EARTH_RADIUS_M * EARTH_RADIUS_M * width * sine;
        Some(Ground { canvas: *self, sine, cosine, area_factor_m2 })
    }
}

/// The rows of a canvas on the ground. They depend on the rows of the grid alone, so they have the same bits in every window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground {
    canvas: Canvas,
    /// In Web Mercator, the hyperbolic sine and cosine of the height of a pixel; in plate carrée, the sine of half of it.
    sine: f64,
    cosine: f64,
    /// The area of a pixel in m² is a multiple of it: 2 R² Δλ times `sine`.
    area_factor_m2: f64,
}

impl Ground {
    /// The window's row `row`, which may be outside the window.
    pub(crate) fn row(&self, row: i64) -> GroundRow {
        let scale_y = self.canvas.scale()[1];
        let [width_m, height_m] = self.canvas.scale().map(|scale| 2.0 * PI * EARTH_RADIUS_M / scale);
        let y = self.world_y(row);
        if self.canvas.projection() == Projection::Mercator {
            let (sine, cosine) = hyperbolic(y);
            return GroundRow {
                north_m: EARTH_RADIUS_M * sine.atan(),
                width_m: width_m / cosine,
                height_m: height_m / cosine,
                area_m2: self.mercator_area_m2(cosine),
                is_on_map: (-0.75..=scale_y + 0.75).contains(&(y * scale_y)),
            };
        }
        let latitude = plate_carree_latitude(y);
        let cosine = latitude.cos().max(0.0);
        GroundRow {
            north_m: EARTH_RADIUS_M * latitude,
            width_m: width_m * cosine,
            height_m,
            area_m2: self.plate_carree_area_m2(latitude, cosine),
            is_on_map: latitude.abs() <= FRAC_PI_2 + 1.5 * PI / scale_y,
        }
    }

    /// The area of a pixel in m² in the window's row `row`; 0 beyond a pole. It is that of [`row`](Self::row), at half the cost.
    fn area_m2(&self, row: i64) -> f64 {
        let y = self.world_y(row);
        if self.canvas.projection() == Projection::Mercator {
            return self.mercator_area_m2(hyperbolic(y).1);
        }
        let latitude = plate_carree_latitude(y);
        self.plate_carree_area_m2(latitude, latitude.cos().max(0.0))
    }

    /// The world coordinate of the center of a row.
    fn world_y(&self, row: i64) -> f64 {
        self.canvas.world_at(0.0, row as f64 + 0.5)[1]
    }

    /// sin φ = tanh t, whose difference between the edges is sinh Δ / (cosh t₁ · cosh t₂), with the product
    /// 2 cosh t₁ · cosh t₂ = cosh 2t + cosh Δ.
    fn mercator_area_m2(&self, cosine: f64) -> f64 {
        self.area_factor_m2 / (2.0 * cosine * cosine - 1.0 + self.cosine)
    }

    fn plate_carree_area_m2(&self, latitude: f64, cosine: f64) -> f64 {
        let half = PI / self.canvas.scale()[1];
        if latitude.abs() + half <= FRAC_PI_2 {
            return self.area_factor_m2 * cosine;
        }
        let [north, south] = [latitude + half, latitude - half].map(|edge| edge.clamp(-FRAC_PI_2, FRAC_PI_2));
        self.area_factor_m2 / self.sine * ((north - south) / 2.0).sin() * f64::midpoint(north, south).cos()
    }
}

/// tan φ = sinh t and 1 / cos φ = cosh t of a world coordinate of Web Mercator.
fn hyperbolic(y: f64) -> (f64, f64) {
    let t = (PI * (1.0 - 2.0 * y)).exp();
    ((t - t.recip()) / 2.0, f64::midpoint(t, t.recip()))
}

/// The latitude in radians of a world coordinate of plate carrée.
fn plate_carree_latitude(y: f64) -> f64 {
    2.0 * PI * (0.25 - y)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Bounds, MAX_MERCATOR_LAT_DEG, TileCoord};

    #[test]
    fn the_areas_of_all_pixels_of_the_world_sum_to_the_sphere() {
        let sphere = 4.0 * PI * EARTH_RADIUS_M * EARTH_RADIUS_M;
        for (projection, height, share) in
            [(Projection::PlateCarree, 300, 1.0), (Projection::Mercator, 600, MAX_MERCATOR_LAT_DEG.to_radians().sin())]
        {
            let canvas = Canvas::new(projection, Bounds::WORLD, 600, height).unwrap();
            let area: f64 = (0..i64::from(height)).map(|row| canvas.pixel_area_m2(row) * 600.0).sum();
            assert!((area / sphere / share - 1.0).abs() < 1e-12, "{projection}: {}", area / sphere);
        }
    }

    #[test]
    fn a_row_has_the_size_of_its_pixels_and_the_same_bits_in_every_window() {
        for projection in [Projection::Mercator, Projection::PlateCarree] {
            let bounds = Bounds::new(10.0, 59.0, 12.0, 61.0).unwrap();
            let canvas = Canvas::new(projection, bounds, 200, 400).unwrap();
            let window = canvas.window(30, 100, 50, 60).unwrap();
            for row in [-3, 0, 17, 59, 120] {
                let ground = window.ground().unwrap().row(row);
                let lat_deg = (ground.north_m / EARTH_RADIUS_M).to_degrees();
                let [width_m, height_m] = canvas.pixel_size_m(lat_deg).unwrap();
                assert!((ground.width_m / width_m - 1.0).abs() < 1e-12, "{projection} {row}");
                assert!((ground.height_m / height_m - 1.0).abs() < 1e-12, "{projection} {row}");
                assert!((ground.area_m2 / (width_m * height_m) - 1.0).abs() < 1e-6, "{projection} {row}");
                let same = canvas.ground().unwrap().row(row + 100);
                assert_eq!(format!("{ground:?}"), format!("{same:?}"));
            }
        }
    }

    #[test]
    fn rows_beyond_the_map_have_no_area_or_are_beyond_its_edge() {
        let world = Canvas::new(Projection::PlateCarree, Bounds::WORLD, 40, 20).unwrap();
        assert!(world.pixel_area_m2(0) > 0.0 && world.pixel_area_m2(-1).abs() < 1e-3);
        let on_map = |canvas: &Canvas, row| canvas.ground().unwrap().row(row).is_on_map;
        assert!(on_map(&world, -1) && on_map(&world, 20) && !on_map(&world, -2) && !on_map(&world, 21));
        let tile = Canvas::tile(TileCoord::new(0, 0, 0).unwrap(), 256).unwrap();
        assert!(on_map(&tile, -1) && !on_map(&tile, -2) && on_map(&tile, 256) && !on_map(&tile, 257));
        assert!(tile.pixel_area_m2(-1) > 0.0 && tile.pixel_area_m2(-1) < tile.pixel_area_m2(0));
        let plane = Canvas::new(Projection::Plane, Bounds::new(0.0, 0.0, 10.0, 5.0).unwrap(), 100, 50).unwrap();
        assert!(plane.ground().is_none() && (plane.pixel_area_m2(7) - 0.01).abs() < 1e-15);
    }
}
