//! How long something lasts.

use std::time::Duration;

use super::quantity::quantity;

/// A time span in whole seconds, written `90s`, `30m`, `1h` or `2d`; a number without a unit counts seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(u64);

impl TimeSpan {
    /// The units that are understood, the unit of 1 first.
    const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

    /// This many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Its length in seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// The same for the standard library.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

quantity!(TimeSpan, "time", "time such as 90s, 30m, 1h or 2d");

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_printed() {
        for (text, seconds, printed) in [
            ("90", 90, "90s"),
            ("1.5h", 5400, "90m"),
            (" 60 m", 3600, "1h"),
            ("2D", 172_800, "2d"),
            ("0", 0, "0s"),
            ("18446744073709551615", u64::MAX, "18446744073709551615s"),
        ] {
            let span: TimeSpan = text.parse().unwrap();
            assert_eq!((span.as_secs(), span.to_string().as_str()), (seconds, printed), "{text}");
            assert_eq!(printed.parse::<TimeSpan>().unwrap(), span);
        }
        for bad in ["", "-1s", "1 fortnight", "h", "nan", "inf", "0.2s", "1e300d", "18446744073709551615m", "1s s"] {
            assert!(bad.parse::<TimeSpan>().is_err(), "{bad}");
        }
    }
}
