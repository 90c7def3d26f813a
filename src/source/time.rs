//! Instants as people and programs write them.

/// Microseconds since 1970-01-01 UTC of an ISO 8601 text.
pub(super) fn parse_time_us(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// Microseconds since 1970-01-01 UTC of a Unix time in seconds, milliseconds or microseconds, told by its magnitude.
pub fn from_unix_number(value: f64) -> Option<i64> {
    let scale = match value.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        _ => 1.0,
    };
    value.is_finite().then_some((value * scale) as i64)
}
