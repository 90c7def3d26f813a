//! The length of the time buckets of bins.

use std::str::FromStr;

use kiln_core::{Error, Parameter, Result};

/// Microseconds of a day.
pub(crate) const DAY_US: u64 = 86_400_000_000;

/// The length of a time bucket. A bucket begins in UTC: at midnight or a multiple of the length after it, on a Monday, on
/// the first of a month, or on the first of January.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// A length in seconds that divides a day.
    Seconds(u32),
    /// A week from Monday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl FromStr for Bucket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: &str| {
            let message = format!(
                "`{text}` {reason}; expected a length that divides a day, such as 15m, 1h or 1d, or 1w, 1mo or 1y"
            );
            Error::invalid(Parameter::EVERY, message)
        };
        let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
        let count: u32 = digits.parse().map_err(|_| invalid("is not a length of time"))?;
        let unit = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" | "mo" | "y" if count != 1 => return Err(invalid("is more than one week, month or year")),
            "w" => return Ok(Self::Week),
            "mo" => return Ok(Self::Month),
            "y" => return Ok(Self::Year),
            _ => return Err(invalid("has no known unit")),
        };
        match count.checked_mul(unit) {
            Some(seconds) if seconds > 0 && 86_400 % seconds == 0 => Ok(Self::Seconds(seconds)),
            _ => Err(invalid("does not divide a day")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn buckets_divide_a_day_or_are_of_the_calendar() {
        let parse = |text: &str| text.parse::<Bucket>();
        assert_eq!(parse("15m").unwrap(), Bucket::Seconds(900));
        assert_eq!(parse("24h").unwrap(), Bucket::Seconds(86_400));
        assert_eq!(parse("1d").unwrap(), Bucket::Seconds(86_400));
        assert_eq!(
            [parse("1w").unwrap(), parse("1mo").unwrap(), parse("1y").unwrap()],
            [Bucket::Week, Bucket::Month, Bucket::Year]
        );
        for text in ["", "d", "0h", "7h", "2d", "2w", "3mo", "1", "1D", "-1h", "1.5h", "9999999999d", "99999d", "1é"] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.starts_with("every: `") && message.contains("15m"), "{text}: {message}");
        }
    }
}
