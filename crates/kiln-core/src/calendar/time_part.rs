//! Parts of local times.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A part of a local time, by which points are grouped. Its values are integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimePart {
    /// The hour of the day, 0 to 23.
    Hour,
    /// The day of the week: 0 is Monday, 6 is Sunday.
    Weekday,
    /// The day of the month, 1 to 31.
    Day,
    /// The week of the year by ISO 8601, 1 to 53: week 1 has the first Thursday of the year, and weeks start on Monday.
    Week,
    /// The month, 1 to 12.
    Month,
    /// The month of a year, as months since January of the year 0.
    YearMonth,
    /// The calendar date, as days since 1970-01-01.
    Date,
    /// The year of the Gregorian calendar.
    Year,
}

impl TimePart {
    /// All parts.
    pub const ALL: &[Self] =
        &[Self::Hour, Self::Weekday, Self::Day, Self::Week, Self::Month, Self::YearMonth, Self::Date, Self::Year];
    /// The names, in the order of [`ALL`](Self::ALL).
    pub const NAMES: &[&str] = &["hour", "weekday", "day", "week", "month", "year-month", "date", "year"];
    /// The English abbreviations of the days of the week, from Monday.
    pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    /// The English abbreviations of the months.
    pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

    /// The English names of the values in lower case, of which the first three letters are the abbreviations; empty unless
    /// the part is the day of the week or the month.
    pub fn full_names(self) -> &'static [&'static str] {
        match self {
            Self::Weekday => &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
            Self::Month => &[
                "january",
                "february",
                "march",
                "april",
                "may",
                "june",
                "july",
                "august",
                "september",
                "october",
                "november",
                "december",
            ],
            _ => &[],
        }
    }

    /// The first and last value; `None` if there are no limits.
    pub fn range(self) -> Option<[i64; 2]> {
        match self {
            Self::Hour => Some([0, 23]),
            Self::Weekday => Some([0, 6]),
            Self::Day => Some([1, 31]),
            Self::Week => Some([1, 53]),
            Self::Month => Some([1, 12]),
            Self::YearMonth | Self::Date | Self::Year => None,
        }
    }

    /// The label of a value: `Mon`, `Jan`, `2024-05`, `2024-05-01`, or the number.
    pub fn label(self, value: i64) -> String {
        let name = |names: &[&str], first: i64| {
            let index = usize::try_from(value - first).ok();
            index.and_then(|index| names.get(index)).map(|name| (*name).to_owned())
        };
        match self {
            Self::Weekday => name(&Self::WEEKDAYS, 0).unwrap_or_else(|| value.to_string()),
            Self::Month => name(&Self::MONTHS, 1).unwrap_or_else(|| value.to_string()),
            Self::YearMonth => format!("{:04}-{:02}", value.div_euclid(12), value.rem_euclid(12) + 1),
            Self::Date => {
                let CivilDate { year, month, day } = CivilDate::of(value);
                format!("{year:04}-{month:02}-{day:02}")
            }
            Self::Hour | Self::Day | Self::Week | Self::Year => value.to_string(),
        }
    }
}

impl FromStr for TimePart {
    type Err = Error;

    /// Finds a part by its name in any case; `year_month` and `yearmonth` are [`YearMonth`](Self::YearMonth) as well.
    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_ascii_lowercase();
        let is_year_month = name == "year_month" || name == "yearmonth";
        let name = if is_year_month { "year-month" } else { &name };
        let index = Self::NAMES.iter().position(|known| *known == name);
        index.map(|index| Self::ALL[index]).ok_or_else(|| {
            let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
            Error::invalid(Parameter::X, message)
        })
    }
}

impl fmt::Display for TimePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

/// A date of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CivilDate {
    /// The astronomical year: 0 is 1 BC.
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

impl CivilDate {
    /// The date of a number of days since 1970-01-01, by the algorithm `civil_from_days` of Howard Hinnant's
    /// [chrono-compatible date algorithms](https://howardhinnant.github.io/date_algorithms.html): eras of 400 years,
    /// which have 146,097 days, and years from March, so that a leap day is the last day of its year.
    pub(super) fn of(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// The days from 1970-01-01 to January 1 of `year`.
    pub(super) fn start_of_year(year: i64) -> i64 {
        let before = year - 1;
        before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
    }
}

/// The day of the week of a number of days since 1970-01-01, a Thursday: 0 is Monday.
pub(super) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// The ISO week of a number of days since 1970-01-01: that of the Thursday of the same week, counted from the first
/// Thursday of its year.
pub(super) fn iso_week(days: i64) -> i64 {
    let thursday = days - weekday(days) + 3;
    (thursday - CivilDate::start_of_year(CivilDate::of(thursday).year)) / 7 + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::civil;

    use super::*;

    #[test]
    fn dates_and_weeks_are_those_of_another_calendar_for_eight_centuries() {
        let mut date = civil::date(1599, 12, 1);
        let mut days = civil::date(1970, 1, 1).until(date).unwrap().get_days() as i64;
        while date.year() < 2401 {
            let CivilDate { year, month, day } = CivilDate::of(days);
            assert_eq!((year, month, day), (date.year().into(), date.month().into(), date.day().into()), "{date}");
            assert_eq!(iso_week(days), i64::from(date.iso_week_date().week()), "{date}");
            assert_eq!(weekday(days), i64::from(date.weekday().to_monday_zero_offset()), "{date}");
            if date.day_of_year() == 1 {
                assert_eq!(CivilDate::start_of_year(year), days, "{date}");
            }
            date = date.tomorrow().unwrap();
            days += 1;
        }
    }

    #[test]
    fn labels_are_names_where_values_have_names() {
        let labels = [(TimePart::Weekday, 0), (TimePart::Month, 12), (TimePart::Hour, 7), (TimePart::Date, 19_844)];
        assert_eq!(labels.map(|(part, value)| part.label(value)), ["Mon", "Dec", "7", "2024-05-01"]);
        assert_eq!(TimePart::Month.label(13), "13");
        assert_eq!(
            [0, 2024 * 12 + 2, -1].map(|value| TimePart::YearMonth.label(value)),
            ["0000-01", "2024-03", "-001-12"]
        );
        for name in ["year_month", "YearMonth", "year-month"] {
            assert_eq!(name.parse::<TimePart>().unwrap(), TimePart::YearMonth);
        }
        for (part, name) in TimePart::ALL.iter().zip(TimePart::NAMES) {
            assert_eq!((part.to_string(), name.parse::<TimePart>().unwrap()), ((*name).to_owned(), *part));
        }
    }
}
