//! The properties of a floor plan, and the checks of its image.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::LimitsConfig;
use crate::geo::{Bounds, Polygon};
use crate::http::server::corners::corners;
use crate::http::server::digest::digest_of_parts;
use crate::mask::{Background, ImageLimits, Limit};

/// The format of the image of a floor plan. SVG is not among them: it may contain scripts and references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImageFormat {
    Png,
    Jpeg,
    WebP,
}

impl ImageFormat {
    /// The accepted formats, as the end of a sentence.
    pub(crate) const ACCEPTED: &str = "expected a PNG, JPEG or WebP image";

    /// Detects the format by the first bytes of a file.
    pub(crate) fn detect(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// The media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }
}

/// A floor plan, without its image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FloorPlan {
    /// West, south, east and north in meters.
    pub(crate) bounds: [f64; 4],
    pub(crate) format: ImageFormat,
    /// Width in pixels, as browsers display it.
    pub(crate) width: u32,
    /// Height in pixels, as browsers display it.
    pub(crate) height: u32,
    /// Size of the image in bytes.
    pub(crate) bytes: u64,
    /// A text that changes with the image and the bounds.
    pub(crate) version: String,
}

/// The reason why an image is not a floor plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlanError {
    /// The format is not supported.
    Format,
    /// The image is invalid.
    Invalid(String),
    /// The image exceeds a limit of the config: its key, and the reason.
    Limit(&'static str, String),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => write!(f, "unsupported image format; {}", ImageFormat::ACCEPTED),
            Self::Invalid(why) => f.write_str(why),
            Self::Limit(key, why) => write!(f, "{why}, {key}"),
        }
    }
}

impl FloorPlan {
    /// Checks an image by decoding it, and returns the properties of the plan. `bounds` must have been
    /// [checked](check_bounds).
    pub(crate) fn of_image(image: &[u8], bounds: Bounds, limits: &LimitsConfig) -> Result<Self, PlanError> {
        let format = ImageFormat::detect(image).ok_or(PlanError::Format)?;
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let image_limits =
            ImageLimits { max_pixels: size(limits.pixels), max_bytes: size(limits.floorplan_body.bytes()) };
        let decoded = Background::decode(image, "floorplan", &image_limits).map_err(|error| {
            let why = error.message().to_owned();
            match error.limit() {
                Some(Limit::Bytes) => PlanError::Limit("limits.floorplan_body", why),
                Some(_) => PlanError::Limit("limits.pixels", why),
                None => PlanError::Invalid(why),
            }
        })?;
        let Bounds { west, south, east, north } = bounds;
        let bounds = [west, south, east, north];
        let edges: Vec<u8> = bounds.iter().flat_map(|edge| edge.to_bits().to_le_bytes()).collect();
        Ok(Self {
            bounds,
            format,
            width: decoded.width() as u32,
            height: decoded.height() as u32,
            bytes: image.len() as u64,
            version: format!("{:032x}", digest_of_parts(&[&edges, image])),
        })
    }

    /// The bounds in meters.
    pub(crate) fn bounds(&self) -> Bounds {
        let [west, south, east, north] = self.bounds;
        Bounds { west, south, east, north }
    }
}

/// Checks that bounds on a plane, rounded as in responses, have an area within the range of coordinates.
pub(crate) fn check_bounds(bounds: Bounds) -> Result<(), String> {
    let Bounds { west, south, east, north } = bounds;
    if ![west, south, east, north].iter().all(|number| number.abs() <= Polygon::MAX_PLANE) {
        let max = Polygon::MAX_PLANE;
        return Err(format!("west, south, east and north must be numbers from -{max} to {max}"));
    }
    let [[south, west], [north, east]] = corners(bounds);
    let reject = |less: &str, more: &str, values: [f64; 2]| {
        let [low, high] = values;
        Err(format!("{less} ({low}) must be less than {more} ({high}); expected west, south, east, north in meters"))
    };
    if west >= east {
        return reject("west", "east", [west, east]);
    }
    if south >= north {
        return reject("south", "north", [south, north]);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat as Encoding};

    use super::*;

    const BOUNDS: Bounds = Bounds { west: 0.0, south: -2.5, east: 40.0, north: 24.0 };

    fn encoded(format: Encoding) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(40, 24).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn check(bytes: &[u8], limits: &LimitsConfig) -> Result<FloorPlan, PlanError> {
        FloorPlan::of_image(bytes, BOUNDS, limits)
    }

    #[test]
    fn images_are_accepted_by_their_content() {
        let limits = LimitsConfig::default();
        for (encoding, format) in [
            (Encoding::Png, ImageFormat::Png),
            (Encoding::Jpeg, ImageFormat::Jpeg),
            (Encoding::WebP, ImageFormat::WebP),
        ] {
            let bytes = encoded(encoding);
            let plan = check(&bytes, &limits).unwrap();
            assert_eq!((plan.format, plan.width, plan.height, plan.bytes), (format, 40, 24, bytes.len() as u64));
            assert_eq!(plan.bounds(), BOUNDS);
            let moved = FloorPlan::of_image(&bytes, Bounds { east: 41.0, ..BOUNDS }, &limits).unwrap();
            assert_ne!(moved.version, plan.version);
            assert!(matches!(check(&bytes[..bytes.len() / 2], &limits), Err(PlanError::Invalid(_))), "{format:?}");
        }
        for other in [&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], b"GIF89a", b"", b"II*\0\x08\0\0\0"] {
            assert_eq!(check(other, &limits), Err(PlanError::Format));
        }
    }

    #[test]
    fn limits_apply_to_bytes_and_pixels() {
        let bytes = encoded(Encoding::Png);
        let few_pixels = LimitsConfig { pixels: 40 * 24 - 1, ..LimitsConfig::default() };
        assert!(matches!(check(&bytes, &few_pixels), Err(PlanError::Limit("limits.pixels", _))));
        let few_bytes =
            LimitsConfig { floorplan_body: crate::config::ByteSize::from_bytes(10), ..LimitsConfig::default() };
        assert!(matches!(check(&bytes, &few_bytes), Err(PlanError::Limit("limits.floorplan_body", _))));
    }

    #[test]
    fn bounds_must_have_an_area() {
        assert_eq!(check_bounds(BOUNDS), Ok(()));
        for (bad, word) in [
            (Bounds { east: 0.0, ..BOUNDS }, "west (0) must be less than east (0)"),
            (Bounds { north: -3.0, ..BOUNDS }, "south (-2.5) must be less than north (-3)"),
            (Bounds { east: 1e-10, ..BOUNDS }, "west (0) must be less than east (0)"),
            (Bounds { east: f64::NAN, ..BOUNDS }, "from -1000000000 to 1000000000"),
            (Bounds { west: -1.7e308, east: 1.7e308, ..BOUNDS }, "from -1000000000"),
            (Bounds { north: 1.1e9, ..BOUNDS }, "from -1000000000"),
        ] {
            let why = check_bounds(bad).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }
}
