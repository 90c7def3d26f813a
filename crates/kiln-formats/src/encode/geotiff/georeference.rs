//! The georeference of a picture.

use tiff::tags::Tag;

use kiln_core::geo::{Canvas, EARTH_RADIUS_M, Projection};
use kiln_core::parameter::Parameter;
use kiln_core::{Error, Result};

/// The coordinate reference system of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crs {
    /// Web Mercator, in meters.
    Epsg3857,
    /// Longitude and latitude on WGS 84, in degrees.
    Epsg4326,
    /// A local plane without a relation to the earth, such as a floor plan, in the unit of its points.
    Plane,
}

impl Crs {
    /// The geo keys (OGC 19-008, section 7), and the text that holds their citations.
    ///
    /// A plane has none, as GDAL writes it: for a user-defined model, programs expect a datum.
    pub(super) fn keys(self) -> Option<(Vec<u16>, &'static str)> {
        // A key: its ID, the tag that holds its value (0: the key itself), the number of values, the value or its
        // offset.
        const ASCII: u16 = Tag::GeoAsciiParamsTag.to_u16();
        const MODEL_TYPE: u16 = 1024;
        const CITATION: u16 = 1026;
        const GEODETIC_CITATION: u16 = 2049;
        const PIXEL_IS_AREA: [u16; 4] = [1025, 0, 1, 1];
        const ANGLES_IN_DEGREES: [u16; 4] = [2054, 0, 1, 9102];
        const LENGTHS_IN_METERS: [u16; 4] = [3076, 0, 1, 9001];
        let (keys, citations): (&[[u16; 4]], _) = match self {
            Self::Epsg3857 => (
                &[
                    [MODEL_TYPE, 0, 1, 1],
                    PIXEL_IS_AREA,
                    [CITATION, ASCII, 25, 0],
                    [GEODETIC_CITATION, ASCII, 7, 25],
                    ANGLES_IN_DEGREES,
                    [3072, 0, 1, 3857],
                    LENGTHS_IN_METERS,
                ],
                "WGS 84 / Pseudo-Mercator|WGS 84|",
            ),
            Self::Epsg4326 => (
                &[
                    [MODEL_TYPE, 0, 1, 2],
                    PIXEL_IS_AREA,
                    [2048, 0, 1, 4326],
                    [GEODETIC_CITATION, ASCII, 7, 0],
                    ANGLES_IN_DEGREES,
                ],
                "WGS 84|",
            ),
            Self::Plane => return None,
        };
        let header = [1, 1, 0, keys.len() as u16];
        Some((std::iter::once(&header).chain(keys).flatten().copied().collect(), citations))
    }
}

/// The georeference of a picture: its upper left corner and the size of its pixels, in the unit of its [`Crs`].
///
/// The first coordinate increases eastward and the second northward; row 0 is the northernmost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeoReference {
    /// The coordinate reference system, which determines the unit of the other fields.
    pub crs: Crs,
    /// The western edge of the westernmost pixels.
    pub west: f64,
    /// The northern edge of the northernmost pixels.
    pub north: f64,
    /// The width of a pixel; above 0.
    pub pixel_width: f64,
    /// The height of a pixel; above 0.
    pub pixel_height: f64,
}

impl GeoReference {
    /// The georeference of a canvas, in the unit of its coordinate system.
    pub fn of(canvas: &Canvas) -> Self {
        use std::f64::consts::PI;
        let [x0, y0] = canvas.world_at(0.0, 0.0);
        let [scale_x, scale_y] = canvas.scale();
        // The world's upper left corner and the length of a world unit, in the unit of the system.
        let (crs, west, north, unit) = match canvas.projection() {
            Projection::Mercator => {
                (Crs::Epsg3857, -PI * EARTH_RADIUS_M, PI * EARTH_RADIUS_M, 2.0 * PI * EARTH_RADIUS_M)
            }
            Projection::PlateCarree => (Crs::Epsg4326, -180.0, 90.0, 360.0),
            Projection::Plane => (Crs::Plane, 0.0, 0.0, 1.0),
        };
        Self {
            crs,
            west: west + x0 * unit,
            north: north - y0 * unit,
            pixel_width: unit / scale_x,
            pixel_height: unit / scale_y,
        }
    }

    /// Rejects a corner that is not finite and a pixel size that is not finite and above 0.
    pub(super) fn check(&self) -> Result<()> {
        let GeoReference { west, north, pixel_width, pixel_height, .. } = *self;
        if !(west.is_finite() && north.is_finite()) {
            return Err(Error::invalid(Parameter::BOUNDS, format!("corner {west}, {north} must be finite")));
        }
        if !(pixel_width.is_finite() && pixel_width > 0.0 && pixel_height.is_finite() && pixel_height > 0.0) {
            let message = format!("pixel size {pixel_width} by {pixel_height} must be finite and above 0");
            return Err(Error::invalid(Parameter::BOUNDS, message));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_and_sorted_and_cite_complete_texts() {
        for (crs, model, code) in
            [(Crs::Epsg3857, [1024, 0, 1, 1], [3072, 0, 1, 3857]), (Crs::Epsg4326, [1024, 0, 1, 2], [2048, 0, 1, 4326])]
        {
            let (numbers, citations) = crs.keys().unwrap();
            let (entries, rest) = numbers.as_chunks::<4>();
            let (header, keys) = entries.split_first().unwrap();
            assert_eq!((*header, rest), ([1, 1, 0, keys.len() as u16], &[][..]));
            assert!(keys.is_sorted_by_key(|key| key[0]));
            assert!(keys.contains(&model) && keys.contains(&code) && keys.contains(&[1025, 0, 1, 1]), "{keys:?}");
            let mut cited = String::new();
            for &[_, tag, length, start] in keys.iter().filter(|key| key[1] != 0) {
                assert_eq!(tag, Tag::GeoAsciiParamsTag.to_u16());
                cited += &citations[usize::from(start)..usize::from(start + length)];
                assert!(cited.ends_with('|'));
            }
            assert_eq!(cited, citations);
        }
        assert_eq!(Crs::Plane.keys(), None);
    }
}
