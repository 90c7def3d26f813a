//! JSON values taken as they come: a value of an unexpected kind spoils its own row, never the whole document.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::time;

/// A JSON value without its parts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plain<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    List,
    Object,
}

/// What takes one JSON value of any kind. By default lists and objects are passed over and told as [`Plain`].
pub(super) trait Take<'de>: Sized {
    /// What is made of the value.
    type Taken;

    /// Takes a value that has no parts, or whose parts were passed over.
    fn plain<E: Error>(self, value: Plain<'_>) -> Result<Self::Taken, E>;

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Taken, A::Error> {
        pass_over(&mut list)?;
        self.plain(Plain::List)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Taken, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.plain(Plain::Object)
    }
}

/// Reads what is left of a list and keeps nothing.
pub(super) fn pass_over<'de, A: SeqAccess<'de>>(list: &mut A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Hands a [`Take`] to serde.
pub(super) struct Any<T>(pub(super) T);

impl<'de, T: Take<'de>> DeserializeSeed<'de> for Any<T> {
    type Value = T::Taken;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de, T: Take<'de>> Visitor<'de> for Any<T> {
    type Value = T::Taken;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.0.plain(Plain::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.0.plain(Plain::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.0.plain(Plain::Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.0.plain(Plain::Number(value as f64))
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        self.0.plain(Plain::Number(value))
    }

    #[inline]
    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        self.0.plain(Plain::Text(value))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        self.0.list(list)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        self.0.object(object)
    }
}

/// One value kept, in a buffer that serves for the next one too.
#[derive(Clone, Debug, Default)]
pub(super) struct Scalar {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Kind {
    #[default]
    Absent,
    Null,
    Bool(bool),
    Number(f64),
    Text,
    List,
    Object,
}

impl Scalar {
    /// Characters of a text that messages show.
    const SHOWN_CHARACTERS: usize = 40;

    pub(super) fn clear(&mut self) {
        self.kind = Kind::Absent;
    }

    pub(super) fn is_absent(&self) -> bool {
        self.kind == Kind::Absent
    }

    /// The value as a number, which may be written as a text (`"4.5"`).
    #[inline]
    pub(super) fn number(&self) -> Option<f64> {
        match self.kind {
            Kind::Number(number) => Some(number),
            Kind::Text => self.text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Microseconds since 1970 UTC, of a Unix number or a text; the outer `None`: there is a value, but it is no time.
    #[allow(clippy::option_option)]
    pub(super) fn time_us(&self) -> Option<Option<i64>> {
        match self.kind {
            Kind::Absent | Kind::Null => Some(None),
            Kind::Number(number) => time::from_unix_number(number).map(Some),
            Kind::Text => time::parse_time_us(self.text.trim())
                .or_else(|| self.number().and_then(time::from_unix_number))
                .map(Some),
            Kind::Bool(_) | Kind::List | Kind::Object => None,
        }
    }

    /// The value as a text. A number or a truth value is first put into words.
    pub(super) fn text(&mut self) -> Option<&str> {
        match self.kind {
            Kind::Text => {}
            Kind::Number(number) => self.text = number.to_string(),
            Kind::Bool(truth) => self.text = truth.to_string(),
            Kind::Absent | Kind::Null | Kind::List | Kind::Object => return None,
        }
        Some(&self.text)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Absent => f.write_str("nothing"),
            Kind::Null => f.write_str("null"),
            Kind::Bool(truth) => truth.fmt(f),
            Kind::Number(number) => number.fmt(f),
            Kind::Text => match self.text.char_indices().nth(Self::SHOWN_CHARACTERS) {
                Some((end, _)) => write!(f, "{:?}…", &self.text[..end]),
                None => write!(f, "{:?}", self.text),
            },
            Kind::List => f.write_str("a list"),
            Kind::Object => f.write_str("an object"),
        }
    }
}

impl Take<'_> for &mut Scalar {
    type Taken = ();

    #[inline]
    fn plain<E: Error>(self, value: Plain<'_>) -> Result<(), E> {
        self.kind = match value {
            Plain::Null => Kind::Null,
            Plain::Bool(truth) => Kind::Bool(truth),
            Plain::Number(number) => Kind::Number(number),
            Plain::Text(text) => {
                self.text.clear();
                self.text.push_str(text);
                Kind::Text
            }
            Plain::List => Kind::List,
            Plain::Object => Kind::Object,
        };
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn scalar(json: &str) -> Scalar {
        let mut scalar = Scalar::default();
        Any(&mut scalar).deserialize(&mut serde_json::Deserializer::from_str(json)).unwrap();
        scalar
    }

    #[test]
    fn numbers_may_be_written_as_texts() {
        let number = |json| scalar(json).number();
        assert_eq!((number("-3"), number("4.5"), number("\" 4.5 \"")), (Some(-3.0), Some(4.5), Some(4.5)));
        assert_eq!((number("null"), number("true"), number("\"high\""), number("[1]")), (None, None, None, None));
    }

    #[test]
    fn times_are_unix_numbers_or_texts() {
        let expected = Some(Some(1_517_966_773_000_000));
        for json in ["1517966773", "1517966773000", "\"1517966773000\"", "\"2018-02-07T01:26:13Z\""] {
            assert_eq!(scalar(json).time_us(), expected, "{json}");
        }
        assert_eq!(scalar("null").time_us(), Some(None));
        assert_eq!(scalar("\"yesterday\"").time_us(), None);
    }

    #[test]
    fn values_are_shown_as_they_were_written_and_long_ones_shortened() {
        for json in ["null", "true", "2.5", "\"x\""] {
            assert_eq!(scalar(json).to_string(), json);
        }
        assert_eq!(scalar("[1,{}]").to_string(), "a list");
        assert_eq!(scalar("{\"a\":1}").to_string(), "an object");
        assert_eq!(scalar(&format!("{:?}", "é".repeat(100))).to_string(), format!("\"{}\"…", "é".repeat(40)));
    }

    #[test]
    fn a_category_may_be_a_number() {
        assert_eq!(scalar("3").text(), Some("3"));
        assert_eq!(scalar("\"quake\"").text(), Some("quake"));
        assert_eq!(scalar("null").text(), None);
    }
}
