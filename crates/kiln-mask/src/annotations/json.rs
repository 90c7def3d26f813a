//! Objects and lists of JSON, field by field and element by element, so that only one label is in memory at a time.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The bytes after a byte order mark.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Calls `each` with every key of the object in `bytes` and the text of its value, until one fails.
pub(super) fn object<'b, E: From<String>>(
    bytes: &'b [u8],
    mut each: impl FnMut(&str, &'b RawValue) -> Result<(), E>,
) -> Result<(), E> {
    run(bytes, |failed, reader| Fields { each: &mut each, failed }.deserialize(reader))
}

/// Calls `each` with the position and the text of every element of the list in `bytes`, until one fails.
pub(super) fn list<'b, E: From<String>>(
    bytes: &'b [u8],
    mut each: impl FnMut(usize, &'b RawValue) -> Result<(), E>,
) -> Result<(), E> {
    run(bytes, |failed, reader| Elements { each: &mut each, failed }.deserialize(reader))
}

/// The first of what `find` makes of the keys of the object in `bytes`. What follows is not read, be it valid or not.
pub(super) fn first_key<T>(bytes: &[u8], find: impl FnMut(&str) -> Option<T>) -> Option<T> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // An error that comes first leaves nothing found.
    let _ = reader.deserialize_map(Keys { find, found: &mut found });
    found
}

struct Keys<'f, F, T> {
    find: F,
    found: &'f mut Option<T>,
}

impl<'b, T, F: FnMut(&str) -> Option<T>> Visitor<'b> for Keys<'_, F, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'b>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            *self.found = (self.find)(&key);
            if self.found.is_some() {
                break;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

type Reader<'r, 'b> = &'r mut serde_json::Deserializer<serde_json::de::SliceRead<'b>>;

fn run<'b, E: From<String>>(
    bytes: &'b [u8],
    read: impl FnOnce(&mut Option<E>, Reader<'_, 'b>) -> serde_json::Result<()>,
) -> Result<(), E> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut failed = None;
    let result = read(&mut failed, &mut reader).and_then(|()| reader.end());
    // The message of a callback is its own; the position is that of the element after it.
    result.map_err(|error| failed.unwrap_or_else(|| format!("invalid JSON: {error}").into()))
}

/// A value of a label. Its position in the file is that of the label, so that serde's, within the label, is left out.
pub(super) fn parse<'b, T: Deserialize<'b>>(value: &'b RawValue) -> Result<T, String> {
    serde_json::from_str(value.get()).map_err(|error| {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        text.strip_suffix(&position).unwrap_or(&text).to_owned()
    })
}

struct Fields<'c, F, E> {
    each: &'c mut F,
    failed: &'c mut Option<E>,
}

impl<'b, E, F: FnMut(&str, &'b RawValue) -> Result<(), E>> DeserializeSeed<'b> for Fields<'_, F, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'b>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'b, E, F: FnMut(&str, &'b RawValue) -> Result<(), E>> Visitor<'b> for Fields<'_, F, E> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'b>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<&'b RawValue>()?;
            if let Err(message) = (self.each)(&key, value) {
                *self.failed = Some(message);
                return Err(M::Error::custom(""));
            }
        }
        Ok(())
    }
}

struct Elements<'c, F, E> {
    each: &'c mut F,
    failed: &'c mut Option<E>,
}

impl<'b, E, F: FnMut(usize, &'b RawValue) -> Result<(), E>> DeserializeSeed<'b> for Elements<'_, F, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'b>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'b, E, F: FnMut(usize, &'b RawValue) -> Result<(), E>> Visitor<'b> for Elements<'_, F, E> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'b>>(self, mut list: S) -> Result<(), S::Error> {
        let mut position = 0;
        while let Some(value) = list.next_element::<&'b RawValue>()? {
            if let Err(message) = (self.each)(position, value) {
                *self.failed = Some(message);
                return Err(S::Error::custom(""));
            }
            position += 1;
        }
        Ok(())
    }
}

/// A list of at most `MOST` elements, which stops to be read at the first beyond.
#[derive(Debug)]
pub(super) struct Bounded<T, const MOST: usize>(pub(super) Vec<T>);

impl<T, const MOST: usize> Default for Bounded<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct List<T, const MOST: usize>(Vec<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
            type Value = Bounded<T, MOST>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(mut self, mut list: S) -> Result<Self::Value, S::Error> {
                while let Some(value) = list.next_element()? {
                    if self.0.len() == MOST {
                        return Err(S::Error::custom(format_args!("a list exceeds the limit of {MOST} elements")));
                    }
                    self.0.push(value);
                }
                Ok(Bounded(self.0))
            }
        }
        reader.deserialize_seq(List(Vec::new()))
    }
}

/// Two numbers, across and down.
#[derive(Debug)]
pub(super) struct Point(pub(super) [f64; 2]);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Point;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a point, [x, y]")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Point, S::Error> {
                let fault =
                    |count: &str| S::Error::custom(format_args!("a point of {count} numbers; expected x and y"));
                let x = list.next_element()?.ok_or_else(|| fault("0"))?;
                let y = list.next_element()?.ok_or_else(|| fault("1"))?;
                match list.next_element::<IgnoredAny>()? {
                    None => Ok(Point([x, y])),
                    Some(_) => Err(fault("more than 2")),
                }
            }
        }
        reader.deserialize_seq(Pair)
    }
}
