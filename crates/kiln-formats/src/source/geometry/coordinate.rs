//! A coordinate as text: decimal degrees, or degrees, minutes and seconds, with a sign or a hemisphere.

/// An axis of geographic coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Axis {
    Longitude,
    Latitude,
}

/// The reason why a text is not a coordinate, as a message that follows the text: "`18°75'E` has …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::source) enum CoordinateError {
    #[error("is not in degrees; expected a text like 18.07, 18.07E or 18°04'12\"E")]
    Malformed,
    #[error("has a decimal comma; expected a decimal point")]
    DecimalComma,
    #[error("has minutes or seconds of 60 or more")]
    SexagesimalRange,
    #[error("has both a sign and the opposite hemisphere; expected one of them")]
    ConflictingSign,
    #[error("has the hemisphere of a latitude; expected E or W")]
    LatitudeHemisphere,
    #[error("has the hemisphere of a longitude; expected N or S")]
    LongitudeHemisphere,
}

/// Degrees, minutes and seconds: the number per degree, the maximum, and the spellings of the unit, longer ones first.
/// 60 seconds are valid because some programs round up to them.
const UNITS: [(f64, f64, &[&str]); 3] = [
    (1.0, f64::MAX, &["degrees", "deg", "°", "º", "˚", "d"]),
    (60.0, 60.0_f64.next_down(), &["min", "'", "′", "’", "‘", "´", "m"]),
    (3600.0, 60.0, &["sec", "\"", "″", "”", "“", "''", "′′", "’’", "s"]),
];

/// Parses `text` as degrees, north and east positive. The range is not checked.
///
/// With `decimal_comma`, a comma between digits is read as a decimal point.
///
/// # Errors
///
/// A [`CoordinateError`] if the text is not a coordinate of this axis.
pub(in crate::source) fn parse(text: &str, axis: Axis, decimal_comma: bool) -> Result<f64, CoordinateError> {
    match (angle(text, decimal_comma)?, axis) {
        ((_, Some(Axis::Latitude)), Axis::Longitude) => Err(CoordinateError::LatitudeHemisphere),
        ((_, Some(Axis::Longitude)), Axis::Latitude) => Err(CoordinateError::LongitudeHemisphere),
        ((degrees, _), _) => Ok(degrees),
    }
}

/// Parses `text` as degrees, with the axis of its hemisphere, if any.
pub(super) fn angle(text: &str, decimal_comma: bool) -> Result<(f64, Option<Axis>), CoordinateError> {
    let text = text.trim();
    if let Ok(degrees) = fast_float2::parse::<f64, _>(text) {
        return if degrees.is_finite() { Ok((degrees, None)) } else { Err(CoordinateError::Malformed) };
    }
    let (prefix, rest) = split_letters(text);
    let negative = rest.starts_with(['-', '−']);
    let mut rest = rest.strip_prefix(['-', '−', '+']).unwrap_or(rest).trim_start();
    let (mut degrees, mut last) = (0.0, 0.0_f64);
    for (per_degree, max, units) in UNITS {
        let (number, remainder) = split_number(rest, decimal_comma)?;
        if number > max {
            return Err(CoordinateError::SexagesimalRange);
        }
        // Only the last number can have a fraction.
        if last.fract() != 0.0 {
            return Err(CoordinateError::Malformed);
        }
        last = number;
        degrees += number / per_degree;
        rest = remainder.trim_start();
        // If the minutes have no `m`, an `s` means south.
        let mut units = units.iter().filter(|&&unit| unit != "s" || text.contains('m'));
        rest = units.find_map(|unit| rest.strip_prefix(unit)).unwrap_or(rest).trim_start();
        if !rest.starts_with(|next: char| next.is_ascii_digit()) {
            break;
        }
    }
    let ((letters, "") | ("", letters)) = (prefix, rest) else { return Err(CoordinateError::Malformed) };
    if letters.is_empty() {
        return Ok((if negative { -degrees } else { degrees }, None));
    }
    let (axis, sign) = hemisphere(letters).ok_or(CoordinateError::Malformed)?;
    if negative && sign > 0.0 { Err(CoordinateError::ConflictingSign) } else { Ok((sign * degrees, Some(axis))) }
}

/// Returns the axis and the sign of a hemisphere, such as `N`, `south` or `E.`.
pub(in crate::source) fn hemisphere(text: &str) -> Option<(Axis, f64)> {
    let text = text.trim().trim_end_matches('.');
    [
        (["n", "north"], (Axis::Latitude, 1.0)),
        (["s", "south"], (Axis::Latitude, -1.0)),
        (["e", "east"], (Axis::Longitude, 1.0)),
        (["w", "west"], (Axis::Longitude, -1.0)),
    ]
    .into_iter()
    .find_map(|(names, hemisphere)| names.iter().any(|name| text.eq_ignore_ascii_case(name)).then_some(hemisphere))
}

/// Splits off the leading letters.
fn split_letters(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Splits off a leading number without a sign.
fn split_number(text: &str, decimal_comma: bool) -> Result<(f64, &str), CoordinateError> {
    let end = text.find(|digit: char| !(digit.is_ascii_digit() || matches!(digit, '.' | ','))).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if number.contains(',') && !decimal_comma {
        return Err(CoordinateError::DecimalComma);
    }
    let number = number.replace(',', ".").parse();
    number.map(|number| (number, rest)).map_err(|_| CoordinateError::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "tests/coordinate.rs"]
mod tests;
