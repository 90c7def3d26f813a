//! Sets of values of a part of time.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use super::TimePart;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A part of time whose sets a parameter selects.
pub trait PartDomain: Copy + fmt::Debug + PartialEq {
    /// The part.
    const PART: TimePart;
    /// The parameter.
    const PARAMETER: Parameter;
    /// The accepted text, as the end of a sentence.
    const EXPECTED: &'static str;
}

/// Domain of [`Hours`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourDomain;
/// Domain of [`Weekdays`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekdayDomain;
/// Domain of [`Months`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthDomain;

impl PartDomain for HourDomain {
    const PART: TimePart = TimePart::Hour;
    const PARAMETER: Parameter = Parameter::HOURS;
    const EXPECTED: &'static str = "hours of the day such as 7-9, 22-4 or 8,12,17";
}

impl PartDomain for WeekdayDomain {
    const PART: TimePart = TimePart::Weekday;
    const PARAMETER: Parameter = Parameter::WEEKDAYS;
    const EXPECTED: &'static str = "days of the week such as mon-fri, sat-sun or mon,wed";
}

impl PartDomain for MonthDomain {
    const PART: TimePart = TimePart::Month;
    const PARAMETER: Parameter = Parameter::MONTHS;
    const EXPECTED: &'static str = "months such as 6-8, jun-aug, 12-2 or 1,7";
}

/// A set of hours of the day.
pub type Hours = PartSet<HourDomain>;
/// A set of days of the week.
pub type Weekdays = PartSet<WeekdayDomain>;
/// A set of months.
pub type Months = PartSet<MonthDomain>;

/// A non-empty set of values of a part of time.
///
/// Written as a list of values and ranges, `7-9,16-18`. Ranges include both ends and may wrap around: hours `22-4` are
/// 22:00 to 04:59, months `11-2` are November to February. Days of the week and months may be English names or their
/// first three letters; days as numbers are those of ISO 8601, where 1 is Monday and 7 is Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartSet<D> {
    /// Bit i is the value `first + i`.
    bits: u32,
    domain: PhantomData<D>,
}

impl<D: PartDomain> PartSet<D> {
    /// The set of these values of the part; `None` if it is empty or a value is out of range.
    pub fn of(values: impl IntoIterator<Item = i64>) -> Option<Self> {
        let [first, last] = Self::range();
        let mut bits = 0;
        for value in values {
            if !(first..=last).contains(&value) {
                return None;
            }
            bits |= 1 << (value - first);
        }
        Self::from_bits(bits)
    }

    /// The values in both sets; `None` if there are none.
    pub fn and(self, other: Self) -> Option<Self> {
        Self::from_bits(self.bits & other.bits)
    }

    /// Whether a value of the part is in the set.
    #[inline]
    pub fn contains(self, value: i64) -> bool {
        u32::try_from(value - Self::range()[0]).is_ok_and(|bit| self.bits.checked_shr(bit).unwrap_or(0) & 1 == 1)
    }

    /// The values, ascending.
    pub fn values(self) -> impl Iterator<Item = i64> {
        let [first, last] = Self::range();
        (first..=last).filter(move |&value| self.contains(value))
    }

    fn from_bits(bits: u32) -> Option<Self> {
        (bits != 0).then_some(Self { bits, domain: PhantomData })
    }

    fn range() -> [i64; 2] {
        D::PART.range().unwrap_or([0, 31])
    }

    /// The number of the first value in text.
    fn first_number() -> i64 {
        if D::PART == TimePart::Weekday { 1 } else { Self::range()[0] }
    }

    /// Parses one value.
    fn value(text: &str) -> Option<i64> {
        let [first, last] = Self::range();
        let text = text.trim().to_ascii_lowercase();
        let is_name = |name: &&str| text.len() >= 3 && name.starts_with(&text);
        if let Some(index) = D::PART.full_names().iter().position(is_name) {
            return Some(first + index as i64);
        }
        if text.is_empty() || text.len() > 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let value = text.parse::<i64>().ok()? - Self::first_number() + first;
        (first..=last).contains(&value).then_some(value)
    }
}

impl<D: PartDomain> FromStr for PartSet<D> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const MAX_CHARS: usize = 40;
        let invalid = |part: &str| {
            let part: String = part.trim().chars().take(MAX_CHARS).collect();
            Error::invalid(D::PARAMETER, format!("`{part}` is invalid; expected {}", D::EXPECTED))
        };
        let [first, last] = Self::range();
        let mut bits = 0;
        for part in text.split(',') {
            let (start, end) = part.split_once('-').unwrap_or((part, part));
            let (Some(start), Some(end)) = (Self::value(start), Self::value(end)) else { return Err(invalid(part)) };
            let mut value = start;
            loop {
                bits |= 1 << (value - first);
                if value == end {
                    break;
                }
                value = if value == last { first } else { value + 1 };
            }
        }
        Self::from_bits(bits).ok_or_else(|| invalid(text))
    }
}

impl<D: PartDomain> fmt::Display for PartSet<D> {
    /// Writes the canonical text, which is the same for equal sets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, last] = Self::range();
        let text = |value: i64| match D::PART {
            TimePart::Weekday => TimePart::WEEKDAYS[(value - first) as usize].to_ascii_lowercase(),
            _ => (value - first + Self::first_number()).to_string(),
        };
        let mut separator = "";
        let mut value = first;
        while value <= last {
            if !self.contains(value) {
                value += 1;
                continue;
            }
            let end = (value..=last).take_while(|&next| self.contains(next)).last().unwrap_or(value);
            write!(f, "{separator}{}", text(value))?;
            if end > value {
                write!(f, "-{}", text(end))?;
            }
            separator = ",";
            value = end + 1;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_lists_of_values_and_ranges_that_may_wrap_around() {
        let hours = |text: &str| text.parse::<Hours>().map(|hours| hours.values().collect::<Vec<_>>());
        assert_eq!(hours("7-9").unwrap(), [7, 8, 9]);
        assert_eq!(hours(" 22-1, 12 ").unwrap(), [0, 1, 12, 22, 23]);
        assert_eq!(hours("0-23").unwrap().len(), 24);
        let days = |text: &str| text.parse::<Weekdays>().map(|days| days.values().collect::<Vec<_>>());
        assert_eq!(days("mon-fri").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(days("Saturday-MON").unwrap(), [0, 5, 6]);
        assert_eq!(days("1,7").unwrap(), [0, 6]);
        let months = |text: &str| text.parse::<Months>().map(|months| months.values().collect::<Vec<_>>());
        assert_eq!(months("6-8").unwrap(), months("jun-aug").unwrap());
        assert_eq!(months("nov-2").unwrap(), [1, 2, 11, 12]);
    }

    #[test]
    fn invalid_sets_are_errors_that_name_the_part_and_what_is_accepted() {
        for (error, words) in [
            ("".parse::<Hours>().unwrap_err(), "hours: `` is invalid; expected hours of the day such as 7-9"),
            ("7-24".parse::<Hours>().unwrap_err(), "hours: `7-24` is invalid"),
            ("7,,9".parse::<Hours>().unwrap_err(), "hours: `` is invalid"),
            ("7:00-9:00".parse::<Hours>().unwrap_err(), "hours: `7:00-9:00`"),
            ("mo".parse::<Weekdays>().unwrap_err(), "weekdays: `mo` is invalid; expected days of the week"),
            ("0-5".parse::<Weekdays>().unwrap_err(), "weekdays: `0-5`"),
            ("0".parse::<Months>().unwrap_err(), "months: `0` is invalid; expected months such as 6-8"),
            ("-1".parse::<Months>().unwrap_err(), "months: `-1`"),
            ("мay".parse::<Months>().unwrap_err(), "months: `мay`"),
        ] {
            assert!(error.to_string().starts_with(words), "{error}");
        }
    }

    #[test]
    fn the_text_of_a_set_is_canonical() {
        let text = |text: &str| text.parse::<Weekdays>().unwrap().to_string();
        assert_eq!((text("5,1-3"), text("monday,wed,tue,fri")), ("mon-wed,fri".into(), "mon-wed,fri".into()));
        assert_eq!("23-1,5".parse::<Hours>().unwrap().to_string(), "0-1,5,23");
        assert_eq!("dec-feb".parse::<Months>().unwrap().to_string(), "1-2,12");
        assert!(Hours::of([]).is_none() && Hours::of([24]).is_none() && Months::of([0]).is_none());
        assert_eq!(Months::of([3]).unwrap().and("1-2".parse().unwrap()), None);
        assert!(!Hours::of([3]).unwrap().contains(-1) && !Hours::of([3]).unwrap().contains(99));
    }
}
