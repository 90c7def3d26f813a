//! Parsing of dates and times in common formats.

use super::iso::{clock_us, date_days, fraction_us};

/// A parsed date, optionally with a time of day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ParsedTime {
    /// The date in days since 1970-01-01: with the day, the month or the year first. All three are the same except for
    /// numeric dates such as `05/01/2024`; at least one is valid.
    pub(super) days: [Option<i64>; 3],
    /// Microseconds from midnight UTC of that date.
    pub(super) time_us: i64,
    /// Whether the time has AM or PM.
    pub(super) has_meridiem: bool,
}

/// Parses a time of day, in microseconds from midnight UTC: `15:30:00.5`, `3:30 PM`, `1530`.
pub(super) fn time_of_day_us(text: &str) -> Option<i64> {
    let mut rest = Parser(text);
    let (time_us, _) = rest.time()?;
    rest.0.is_empty().then_some(time_us)
}

impl ParsedTime {
    /// Parses a date, optionally with a time of day; `None` if the format is unknown or a value is invalid.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Parser(text);
        rest.name(WEEKDAYS);
        let mut time = None;
        let days = if let Some(month) = rest.name(MONTHS) {
            let (number, digits) = rest.number()?;
            if digits == 4 {
                unambiguous(number, month, 1)?
            } else {
                rest.skip_gap();
                // In `May  1 15:15:00 +0000 2024`, the year comes last.
                if !matches!(Parser(rest.0).number()?, (_, 4)) {
                    time = Some(rest.time()?);
                }
                let (year, 4) = rest.number()? else { return None };
                unambiguous(year, month, number)?
            }
        } else {
            rest.date()?
        };
        let (time_us, has_meridiem) = if let Some(time) = time { time } else { rest.time_after_date()? };
        // `15:15:00 GMT+0200 (Central European Summer Time)`
        let is_complete = rest.0.is_empty() || rest.0.starts_with('(') && rest.0.ends_with(')');
        is_complete.then_some(Self { days, time_us, has_meridiem })
    }
}

const WEEKDAYS: &str = "sunday monday tuesday wednesday thursday friday saturday";
const MONTHS: &str = "january february march april may june july august september october november december";

/// A parser, which holds the remaining text.
struct Parser<'t>(&'t str);

impl<'t> Parser<'t> {
    /// Parses a date that does not start with a month name; see [`ParsedTime::days`].
    fn date(&mut self) -> Option<[Option<i64>; 3]> {
        let (first, first_digits) = self.number()?;
        if first_digits == 8 {
            return unambiguous(first / 10_000, first / 100 % 100, first % 100);
        }
        let before = self.0;
        self.skip_gap();
        if let Some(month) = self.name(MONTHS) {
            let (last, last_digits) = self.number()?;
            return match (first_digits, last_digits) {
                (4, 1 | 2) => unambiguous(first, month, last),
                // `1 May 15:15` has no year.
                (1 | 2, 2 | 4) if last_digits == 4 || !self.0.starts_with(':') => {
                    unambiguous(full_year(last, last_digits)?, month, first)
                }
                _ => None,
            };
        }
        self.0 = before;
        // EXIF writes `2024:05:01`.
        let separator = before.chars().next().filter(|c| "-/.".contains(*c) || (*c == ':' && first_digits == 4))?;
        self.skip(separator);
        let (second, second_digits) = self.number()?;
        match (first_digits, second_digits) {
            (4, 1 | 2) if self.skip(separator) => unambiguous(first, second, self.two_digits()?),
            (4, 1 | 2) if separator != ':' => unambiguous(first, second, 1),
            (1 | 2, 4) => unambiguous(second, first, 1),
            (1 | 2, 1 | 2) if self.skip(separator) => {
                let (third, third_digits) = self.number()?;
                let year = full_year(third, third_digits)?;
                if separator == '.' {
                    return unambiguous(year, second, first);
                }
                let may_begin_with_year = separator == '-' && first_digits == 2 && third_digits == 2;
                let year_first = may_begin_with_year.then(|| date_days(full_year(first, 2)?, second, third)).flatten();
                let days = [date_days(year, second, first), date_days(year, first, second), year_first];
                days.iter().any(Option::is_some).then_some(days)
            }
            _ => None,
        }
    }

    /// Parses the time of day after a date, midnight if there is none, and whether it has AM or PM.
    fn time_after_date(&mut self) -> Option<(i64, bool)> {
        let prefixes = ["T", "t", ",", ":", "_", "at "];
        self.0 = self.0.trim_start();
        let after = prefixes.iter().find_map(|prefix| self.0.strip_prefix(prefix)).map(str::trim_start);
        if let Some(after) = after.filter(|after| after.starts_with(|c: char| c.is_ascii_digit())) {
            self.0 = after;
        }
        match self.0.as_bytes().first() {
            Some(b'0'..=b'9') => self.time(),
            Some(b'+' | b'-') => None,
            _ => Some((-self.offset_us()?, false)),
        }
    }

    /// Parses a time of day and its zone, in microseconds from midnight UTC, and whether it has AM or PM.
    fn time(&mut self) -> Option<(i64, bool)> {
        let (hour, minute, second) = self.clock()?;
        let mut fraction = 0;
        if let (Some(_), Some(digits)) = (second, self.0.strip_prefix(['.', ','])) {
            let (us, after) = fraction_us(digits.as_bytes())?;
            (fraction, self.0) = (us, &digits[digits.len() - after.len()..]);
        }
        let (hour, has_meridiem) = match self.meridiem() {
            None => (hour, false),
            Some(is_pm) if hour <= 12 => (hour % 12 + if is_pm { 12 } else { 0 }, true),
            Some(_) => return None,
        };
        let time_us = clock_us(hour, minute, second.unwrap_or(0), fraction)?;
        Some((time_us - self.offset_us()?, has_meridiem))
    }

    /// Parses hour, minute and optional second: `15:30:00`, `15:30`, `15`, `1530`, `153000`.
    fn clock(&mut self) -> Option<(i64, i64, Option<i64>)> {
        let (number, digits) = self.number()?;
        Some(match digits {
            1 | 2 if self.skip(':') => {
                (number, self.two_digits()?, if self.skip(':') { Some(self.two_digits()?) } else { None })
            }
            1 | 2 => (number, 0, None),
            4 => (number / 100, number % 100, None),
            6 => (number / 10_000, number / 100 % 100, Some(number % 100)),
            _ => return None,
        })
    }

    /// Parses AM (`false`) or PM (`true`), if present.
    fn meridiem(&mut self) -> Option<bool> {
        let text = self.0.trim_start();
        let begins = |form: &&str| text.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form));
        let form = ["am", "pm", "a.m.", "p.m."].into_iter().find(begins)?;
        self.0 = &text[form.len()..];
        Some(form.starts_with('p'))
    }

    /// Parses an optional offset from UTC, in microseconds: `Z`, `UTC`, `+02`, `+0200`, `+02:00`, `GMT+2`.
    fn offset_us(&mut self) -> Option<i64> {
        self.0 = self.0.trim_start();
        let name = self.word();
        if !["", "Z", "UTC", "GMT", "UT"].iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        self.0 = &self.0[name.len()..];
        let sign = if self.skip('+') {
            1
        } else if self.skip('-') {
            -1
        } else {
            self.0 = self.0.trim_start();
            return Some(0);
        };
        let (hours, minutes, seconds) = self.clock()?;
        self.0 = self.0.trim_start();
        (hours <= 23).then(|| Some(sign * clock_us(hours, minutes, seconds.unwrap_or(0), 0)?))?
    }

    /// Parses one of `names`, or at least its first three letters, and returns its position from 1.
    fn name(&mut self, names: &str) -> Option<i64> {
        let word = self.word();
        let begins = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let index = names.split(' ').position(begins).filter(|_| word.len() >= 3)?;
        self.0 = &self.0[word.len()..];
        self.skip_gap();
        Some(index as i64 + 1)
    }

    fn word(&self) -> &'t str {
        let letters = self.0.bytes().take_while(u8::is_ascii_alphabetic).count();
        &self.0[..letters]
    }

    /// Parses a number of at most eight digits, and returns the number of digits, too.
    fn number(&mut self) -> Option<(i64, usize)> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).take(9).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        (digits <= 8).then(|| Some((number.parse().ok()?, digits)))?
    }

    fn two_digits(&mut self) -> Option<i64> {
        self.number().filter(|(_, digits)| *digits <= 2).map(|(number, _)| number)
    }

    /// Skips `separator` and spaces after it, if present.
    fn skip(&mut self, separator: char) -> bool {
        let after = self.0.strip_prefix(separator).map(str::trim_start);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    /// Skips ordinal suffixes and separators before or after the name of a month or weekday.
    fn skip_gap(&mut self) {
        let ordinals = ["st", "nd", "rd", "th"];
        let after = ordinals.iter().find_map(|ordinal| self.0.strip_prefix(ordinal)).unwrap_or(self.0);
        self.0 = after.trim_start_matches(|c: char| c.is_whitespace() || "-/.,".contains(c));
    }
}

/// A date whose order is unambiguous.
fn unambiguous(year: i64, month: i64, day: i64) -> Option<[Option<i64>; 3]> {
    date_days(year, month, day).map(|days| [Some(days); 3])
}

/// The year of four digits, or of two digits for 1970 to 2069.
fn full_year(number: i64, digits: usize) -> Option<i64> {
    match (digits, number) {
        (4, _) => Some(number),
        (2, 70..) => Some(1900 + number),
        (2, _) => Some(2000 + number),
        _ => None,
    }
}
