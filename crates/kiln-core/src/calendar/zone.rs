//! Time zones and their offsets.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::spelling;

/// Names that systems list besides those of the IANA database, or that have no offset. `localtime` and `posixrules` differ
/// from machine to machine.
const NO_ZONES: [&str; 4] = ["localtime", "posixrules", "factory", "etc/unknown"];

/// Whether a name is one of the IANA database: `posix/` and `right/` are folders of systems.
fn is_zone(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !NO_ZONES.contains(&&*name) && !name.starts_with("posix/") && !name.starts_with("right/")
}

/// Finds a time zone of the IANA database. Case is ignored.
///
/// # Errors
/// [`Error::Invalid`] for `tz` if it is unknown; the message has the nearest names.
pub fn find_zone(name: &str) -> Result<TimeZone> {
    const MAX_BYTES: usize = 64;
    let zone = if is_zone(name) { TimeZone::get(name).ok() } else { None };
    zone.ok_or_else(|| {
        let known = jiff::tz::db().available().map(|known| known.to_string());
        let known: Vec<String> = known.filter(|known| is_zone(known)).collect();
        let name: String = name.chars().take(MAX_BYTES).collect();
        let near = spelling::nearest(&name, known.iter().map(String::as_str), str::to_lowercase);
        let near = spelling::did_you_mean(&near);
        Error::invalid(
            Parameter::TZ,
            format!("unknown time zone `{name}`; {near}expected one such as Europe/Berlin or UTC"),
        )
    })
}

/// The IANA name of a time zone; `UTC` for one without a name.
pub fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// The offset of a time zone from UTC in microseconds, and the range of times around `time_us` in which it is valid.
pub fn offset_at(zone: &TimeZone, time_us: i64) -> (Range<i64>, i64) {
    let Ok(time) = Timestamp::from_microsecond(time_us) else {
        return (time_us..time_us.saturating_add(1), 0);
    };
    let offset_us = i64::from(zone.to_offset(time).seconds()) * 1_000_000;
    // `preceding` lists transitions before a time, so one more microsecond includes a transition at the time itself.
    let after = Timestamp::from_microsecond(time_us + 1).unwrap_or(time);
    let start = zone.preceding(after).next().map_or(i64::MIN, |transition| transition.timestamp().as_microsecond());
    let end = zone.following(time).next().map_or(i64::MAX, |transition| transition.timestamp().as_microsecond());
    (start..end, offset_us)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_time_zone_is_an_error_with_the_nearest_names() {
        let message = find_zone("Europe/Pari").unwrap_err().to_string();
        assert!(message.starts_with("tz: unknown time zone `Europe/Pari`; did you mean Europe/Paris"), "{message}");
        assert!(find_zone("europe/paris").is_ok());
        for name in ["localtime", "LOCALTIME", "posixrules", "Factory", "Etc/Unknown", "right/Europe/Paris"] {
            let message = find_zone(name).unwrap_err().to_string();
            let expected = format!("tz: unknown time zone `{name}`; ");
            assert!(message.starts_with(&expected) && !message.contains("did you mean localtime"), "{message}");
        }
        assert_eq!((zone_name(&find_zone("UTC").unwrap()), zone_name(&TimeZone::UTC)), ("UTC", "UTC"));
    }
}
