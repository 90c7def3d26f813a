//! Values of parameters, from text and back.

use std::borrow::Cow;

use jiff::{SignedDuration, civil};

use super::Kind;
use crate::error::Error;
use crate::geo::Bounds;
use crate::parameter::Message;
use crate::source::{CategoryCollector, CategorySet, parse_time_us};

/// A value of a parameter.
pub trait Value: Sized {
    /// Parses a value of `kind`.
    ///
    /// # Errors
    /// A message with the reason and the accepted values.
    fn read(text: &str, kind: Kind) -> Result<Self, Message>;

    /// The text that [`read`](Self::read) parses; `None` if the value belongs to another parameter.
    fn write(&self) -> Option<String>;

    /// Checks a value that was not read from text.
    ///
    /// # Errors
    /// A message with the reason and the accepted values.
    fn check(&self, _kind: Kind) -> Result<(), Message> {
        Ok(())
    }
}

/// Implements [`Value`] by [`FromStr`](std::str::FromStr) and [`Display`](std::fmt::Display).
macro_rules! from_str_values {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::parameters::Value for $type {
            fn read(text: &str, _: $crate::parameters::Kind) -> Result<Self, $crate::parameter::Message> {
                text.parse().map_err($crate::error::Error::into_message)
            }

            fn write(&self) -> Option<String> {
                Some(self.to_string())
            }
        })*
    };
}
pub(crate) use from_str_values;

from_str_values!(
    crate::calendar::Hours,
    crate::calendar::Months,
    crate::calendar::Weekdays,
    crate::color::Background,
    crate::color::Gradient,
    crate::color::Opacity,
    crate::geo::Projection,
    crate::geo::Zooms,
    crate::raster::Aggregation,
    crate::raster::Curve,
    crate::raster::Normalization,
    crate::raster::Shape,
    crate::source::AxisOrder,
    crate::source::Quote,
    crate::source::time::TimeFormat,
);

#[cfg(feature = "matrix")]
from_str_values!(kiln_matrix::CellShape, kiln_matrix::ShowValues, kiln_matrix::ValueFormat);

impl Value for String {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        match kind {
            Kind::Name => Ok(text.trim().to_owned()),
            Kind::Label if text.len() > Kind::LABEL_BYTES => {
                Err(format!("longer than {} bytes", Kind::LABEL_BYTES).into())
            }
            _ => Ok(text.to_owned()),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.clone())
    }
}

/// A JSON value as unparsed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson(pub String);

impl Value for RawJson {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        Ok(Self(text.to_owned()))
    }

    fn write(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

impl Value for Bounds {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        text.parse().map_err(Error::into_message)
    }

    /// Writes the exact numbers, which [`Display`](std::fmt::Display) rounds.
    fn write(&self) -> Option<String> {
        let Self { west, south, east, north } = self;
        Some(format!("{west},{south},{east},{north}"))
    }
}

impl Value for bool {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        match text.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false").into()),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for f64 {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        let number: Self = text.trim().parse().map_err(|_| invalid(text, kind))?;
        number.check(kind).map(|()| number).map_err(|_| invalid(text, kind))
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn check(&self, kind: Kind) -> Result<(), Message> {
        let fits = match kind {
            Kind::Number { min, max } => self.is_finite() && (min..=max).contains(self),
            _ => true,
        };
        if fits { Ok(()) } else { Err(invalid(self, kind)) }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn read(text: &str, kind: Kind) -> Result<Self, Message> {
                let number: Self = text.trim().parse().map_err(|_| invalid(text, kind))?;
                number.check(kind).map(|()| number)
            }

            fn write(&self) -> Option<String> {
                Some(self.to_string())
            }

            fn check(&self, kind: Kind) -> Result<(), Message> {
                let fits = match kind {
                    Kind::Integer { min, max } => (min..=max).contains(&u64::from(*self)),
                    Kind::Choice(names) => names.contains(&self.to_string().as_str()),
                    _ => true,
                };
                if fits { Ok(()) } else { Err(invalid(self, kind)) }
            }
        })*
    };
}
integers!(u8, u32, u64);

/// Microseconds since 1970, in UTC.
impl Value for i64 {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        parse_time_us(text).ok_or_else(|| invalid(text, kind))
    }

    fn write(&self) -> Option<String> {
        Some(time_text(*self))
    }
}

/// A JSON array, or texts separated by commas.
impl Value for Vec<String> {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        let mut texts = Self::new();
        read_list(text, |text| {
            /// The labels of a matrix of the most cells.
            const MAX_TEXTS: usize = 1 << 20;
            if texts.len() == MAX_TEXTS {
                return Err(format!("the list has more than {MAX_TEXTS} texts").into());
            }
            texts.push(text.into_owned());
            Ok(())
        })?;
        Ok(texts)
    }

    /// Writes a JSON array, since a text may contain a comma.
    fn write(&self) -> Option<String> {
        if self.is_empty() { None } else { Some(serde_json::Value::from(self.as_slice()).to_string()) }
    }
}

/// As a list of texts. Equal ones are merged while they are read, and the distinct ones are limited.
impl Value for CategorySet {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        let mut names = CategoryCollector::default();
        read_list(text, |name| names.add(&name).map_err(|error| error.to_string().into()))?;
        Ok(names.finish())
    }

    fn write(&self) -> Option<String> {
        let list = || serde_json::Value::from(self.to_strings()).to_string();
        (!self.is_empty()).then(list)
    }
}

/// Passes each element of a list to `add`: of a JSON array of texts, or of texts separated by commas.
fn read_list(text: &str, mut add: impl FnMut(Cow<'_, str>) -> Result<(), Message>) -> Result<(), Message> {
    const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
    if !text.starts_with('[') {
        let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        return parts.try_for_each(|part| add(part.into()));
    }
    let invalid = || Message::from("neither a text nor a list of texts");
    let mut rest = text[1..].trim_start_matches(SPACE);
    while !rest.starts_with(']') {
        // Element by element: a vector of many short strings would take several times the size of the text.
        if let Some(plain) = plain_string(rest) {
            add(plain.into())?;
            rest = &rest[plain.len() + 2..];
        } else {
            let mut elements = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let element = elements.next().and_then(Result::ok).ok_or_else(invalid)?;
            add(element.into())?;
            rest = rest.get(elements.byte_offset()..).unwrap_or_default();
        }
        rest = rest.trim_start_matches(SPACE);
        match rest.strip_prefix(',') {
            Some(next) => {
                rest = next.trim_start_matches(SPACE);
                if rest.starts_with(']') {
                    return Err(invalid());
                }
            }
            None if rest.starts_with(']') => {}
            None => return Err(invalid()),
        }
    }
    if rest[1..].trim_matches(SPACE).is_empty() { Ok(()) } else { Err(invalid()) }
}

/// The content of the JSON string at the start of `text`, if it has no escapes.
fn plain_string(text: &str) -> Option<&str> {
    let content = text.strip_prefix('"')?;
    let end = content.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\')?;
    (content.as_bytes()[end] == b'"').then(|| &content[..end])
}

fn invalid(value: impl std::fmt::Display, kind: Kind) -> Message {
    format!("`{value}` is not {}", kind.accepts()).into()
}

/// Formats a time as RFC 3339, to the microsecond.
pub(crate) fn time_text(time_us: i64) -> String {
    // The last days that can be read are beyond the range of timestamps. Those of the year 10000 are written with an
    // offset.
    const OFFSETS: [(&str, SignedDuration); 2] =
        [("Z", SignedDuration::ZERO), ("-23:59", SignedDuration::from_mins(23 * 60 + 59))];
    if let Ok(time) = jiff::Timestamp::from_microsecond(time_us) {
        return time.to_string();
    }
    let local = |(zone, offset): (&str, SignedDuration)| {
        let since_1970 = SignedDuration::from_micros(time_us) - offset;
        Some(format!("{}{zone}", civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since_1970).ok()?))
    };
    OFFSETS.into_iter().find_map(local).unwrap_or_else(|| time_us.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_json_or_by_commas_and_nothing_else() {
        let texts = |text: &str| <Vec<String> as Value>::read(text, Kind::Texts).ok();
        for (text, expected) in [
            ("", &[][..]),
            ("a, b,,c", &["a", "b", "c"]),
            ("[]", &[]),
            (" [\"a\"]", &["[\"a\"]"]),
            ("[ \"a,b\" ,\n\"\\u00e9]\" ] ", &["a,b", "é]"]),
        ] {
            assert_eq!(texts(text).unwrap(), expected, "{text}");
        }
        for bad in [
            "[",
            "[\"a\"",
            "[\"a\",]",
            "[,]",
            "[\"a\" \"b\"]",
            "[1]",
            "[null]",
            "[[\"a\"]]",
            "[\"a\"]]",
            "[\"a]",
            "[\"a\n\"]",
            "[\"\\x\"]",
        ] {
            assert!(texts(bad).is_none(), "{bad}");
        }
        let set = |text: &str| <CategorySet as Value>::read(text, Kind::Texts);
        assert_eq!(set("b,a,b").unwrap().write().as_deref(), Some("[\"a\",\"b\"]"));
        assert_eq!(set("").unwrap().write(), None);
        let many: Vec<String> = (0..=CategorySet::MAX_CATEGORIES).map(|number| number.to_string()).collect();
        assert!(set(&many.join(",")).unwrap_err().with_keys().contains("exceed the limit of 100000"));
    }

    #[test]
    fn a_written_time_is_read_as_the_same_time() {
        for text in [
            "9999-12-31",
            "9999-12-31T23:59:59.999999",
            "9999-12-31T23:59:59.999999-23:59",
            "9999-12-30T12:00:00Z",
            "0000-01-01",
            "0000-01-01T00:00:00+23:59",
            "2024-05-01T10:00:00.5",
            "99999999999",
        ] {
            let time_us = parse_time_us(text).unwrap();
            assert_eq!(parse_time_us(&time_text(time_us)), Some(time_us), "{text}: {}", time_text(time_us));
        }
        assert_eq!(time_text(parse_time_us("9999-12-31").unwrap()), "9999-12-31T00:00:00Z");
    }
}
