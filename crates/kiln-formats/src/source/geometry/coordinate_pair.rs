//! A pair of coordinates as text.

use super::AxisOrder;
use super::coordinate::{self, Axis};
use super::decode::GeometryError;

/// Parses a text like `59.33, 18.07`, `(59.33 18.07)` or `59°20'N; 18°04'E`, and returns longitude and latitude.
///
/// Hemispheres determine the axes; without them, `order` does. Numbers separated by white space may be followed by
/// altitude and accuracy, which are ignored.
pub(super) fn read(text: &str, order: AxisOrder) -> Result<[f64; 2], GeometryError> {
    let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    let has_comma = text.contains([',', ';']);
    let is_separator =
        |character: char| if has_comma { matches!(character, ',' | ';') } else { character.is_whitespace() };
    let parts: Vec<&str> = text.split(is_separator).map(str::trim).filter(|part| !part.is_empty()).collect();
    let (first, second) = match parts[..] {
        [first, second] => (first, second),
        [first, second, _] | [first, second, _, _]
            if !has_comma && parts.iter().all(|part| part.parse::<f64>().is_ok()) =>
        {
            (first, second)
        }
        _ => return Err(GeometryError::Pair),
    };
    let angle = |part| coordinate::angle(part, false).map_err(|_| GeometryError::Pair);
    let ((first, first_axis), (second, second_axis)) = (angle(first)?, angle(second)?);
    match (first_axis, second_axis, order) {
        (Some(Axis::Longitude), Some(Axis::Longitude), _) | (Some(Axis::Latitude), Some(Axis::Latitude), _) => {
            Err(GeometryError::Pair)
        }
        (Some(Axis::Longitude), ..) | (_, Some(Axis::Latitude), _) | (None, None, AxisOrder::LonLat) => {
            Ok([first, second])
        }
        _ => Ok([second, first]),
    }
}
