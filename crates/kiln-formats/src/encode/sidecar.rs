//! Sidecar files that georeference a picture: KML ground overlays and world files.

use std::fmt::Write;

use super::geotiff::GeoReference;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Bounds, Canvas, Projection};
use kiln_core::message;
use kiln_core::parameter::Parameter;
use kiln_core::xml::escape;

/// A KML document with a ground overlay: the picture at `href` within the bounds of `canvas`.
///
/// # Errors
/// [`Error::Invalid`] unless the canvas is in plate carrée: a ground overlay is spaced evenly in degrees.
pub fn kml(canvas: &Canvas, name: &str, href: &str) -> Result<String> {
    if canvas.projection() != Projection::PlateCarree {
        let reason =
            message!("a KML ground overlay is spaced evenly in degrees; use ", Parameter::PROJECTION, " platecarree");
        return Err(Error::invalid(Parameter::KML, reason));
    }
    let Bounds { west, south, east, north } = canvas.bounds();
    // Rounded to a tenth of a millimeter, which drops the error of projecting and unprojecting.
    let [west, south, east, north] = [west, south, east, north].map(|degrees| (degrees * 1e9).round() / 1e9);
    let (name, href) = (escape(name), escape(href));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "<kml xmlns=\"http://www.opengis.net/kml/2.2\">\n<GroundOverlay>\n  <name>{name}</name>\n  \
         <Icon><href>{href}</href></Icon>\n  <LatLonBox>\n    <north>{north}</north>\n    <south>{south}</south>\n    \
         <east>{east}</east>\n    <west>{west}</west>\n  </LatLonBox>\n</GroundOverlay>\n</kml>\n"
    );
    Ok(text)
}

/// A world file: the size of a pixel, no rotation, and the center of the upper left pixel, in the unit of the
/// reference.
pub fn world_file(reference: &GeoReference) -> String {
    let GeoReference { west, north, pixel_width, pixel_height, .. } = *reference;
    let (x, y) = (west + pixel_width / 2.0, north - pixel_height / 2.0);
    format!("{pixel_width}\n0\n0\n{}\n{x}\n{y}\n", -pixel_height)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::encode::geotiff::Crs;

    #[test]
    fn kml_has_the_bounds_in_degrees_and_requires_plate_carree() {
        let bounds = Bounds::new(10.0, 40.0, 20.0, 45.0).unwrap();
        let text = kml(&Canvas::new(Projection::PlateCarree, bounds, 100, 50).unwrap(), "A & B", "a<b.png").unwrap();
        for expected in ["<north>45</north>", "<west>10</west>", "A &amp; B", "a&lt;b.png"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let mercator = Canvas::new(Projection::Mercator, bounds, 100, 50).unwrap();
        assert!(kml(&mercator, "", "").unwrap_err().to_string().contains("platecarree"));
    }

    #[test]
    fn a_world_file_has_the_center_of_the_first_pixel() {
        let reference =
            GeoReference { crs: Crs::Epsg4326, west: 10.0, north: 45.0, pixel_width: 0.5, pixel_height: 0.25 };
        assert_eq!(world_file(&reference), "0.5\n0\n0\n-0.25\n10.25\n44.875\n");
    }
}
