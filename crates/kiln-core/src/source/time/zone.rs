//! Whether a time in text has a zone.

use super::{from_unix_number, parse_time_us};

/// Names of zones in times, in lower case: those of ISO 8601 and RFC 2822.
const NAMES: &[&str] = &["z", "utc", "gmt", "ut", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt"];

/// Whether a time that [`parse_time_us`] accepts is an instant by itself: it has an offset from UTC or the name of a zone,
/// or is a Unix time. The others, such as `2024-05-01` or `2024-05-01T12:00`, are local times.
pub fn has_zone(text: &str) -> bool {
    let text = text.trim();
    if let Ok(number) = fast_float2::parse::<f64, _>(text) {
        // `2024` and `20240501` are numbers, too, but dates.
        return from_unix_number(number).is_some_and(|unix_us| parse_time_us(text) == Some(unix_us));
    }
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    if text.contains('[') || words.any(|word| NAMES.iter().any(|name| name.eq_ignore_ascii_case(word))) {
        return true;
    }
    // An offset follows the time of day; hyphens before that separate a date.
    let digit = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
    let mut starts = text.char_indices().filter(|(at, c)| match c {
        ':' => true,
        'T' | 't' => digit(at.checked_sub(1)) && digit(at.checked_add(1)),
        _ => false,
    });
    starts.next().is_some_and(|(at, _)| text[at..].contains(['+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_with_an_offset_a_name_of_a_zone_or_a_unix_time_is_an_instant() {
        for (text, expected) in [
            ("2024-05-01", false),
            ("2024", false),
            ("20240501", false),
            ("20240501T1515", false),
            ("2024-05-01T15:15:00.25", false),
            ("1 May 2024 3:15 PM", false),
            ("Wed May  1 15:15:00 2024", false),
            ("02-Jun-2024 15:15", false),
            ("2024:05:01 15:15:00", false),
            ("1714576500", true),
            ("1714576500.25", true),
            ("-1.5", true),
            ("2024-05-01T15:15:00Z", true),
            ("2024-05-01T15:15:00+02:00", true),
            ("2024-05-01T15:15:00-07:00", true),
            ("20240501T1515-0700", true),
            ("20240501T1515Z", true),
            ("2024-05-01T15:15[Europe/Berlin]", true),
            ("Wed, 01 May 2024 15:15:00 GMT", true),
            ("Wed May  1 15:15:00 +0000 2024", true),
            ("Wed, 01 May 2024 15:15:00 EST", true),
        ] {
            assert!(parse_time_us(text).is_some(), "{text}");
            assert_eq!(has_zone(text), expected, "{text}");
        }
    }
}
