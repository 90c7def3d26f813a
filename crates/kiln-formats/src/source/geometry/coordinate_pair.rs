//! Two coordinates in one text.

use super::AxisOrder;
use super::coordinate::{self, Axis};
use super::decode::GeometryError;

/// Reads the point of a text like `59.33, 18.07`, `(59.33 18.07)` or `59°20'N; 18°04'E`, longitude first. Letters say which
/// coordinate is which, and `order` does where there are none. Behind numbers without commas, altitude and accuracy may follow.
pub(super) fn read(text: &str, order: AxisOrder) -> Result<[f64; 2], GeometryError> {
    let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    let has_comma = text.contains([',', ';']);
    let is_separator = |at: char| if has_comma { matches!(at, ',' | ';') } else { at.is_whitespace() };
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
