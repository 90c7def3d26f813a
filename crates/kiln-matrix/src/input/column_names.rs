//! The columns of an input, from its beginning.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{InputFormat, csv};

/// The names of the columns of a table with a row per cell or point: the fields of the first line of CSV, or the keys of
/// the first point in JSON. No more of the input is read. Empty for an input that is no such table, or unreadable.
pub fn column_names(input: impl BufRead, format: InputFormat) -> Vec<String> {
    /// The maximum length of the first line.
    const MAX_BYTES: u64 = 1 << 20;
    match format {
        InputFormat::Csv => {
            let mut line = Vec::new();
            let read = input.take(MAX_BYTES).read_until(b'\n', &mut line);
            let text = String::from_utf8_lossy(&line);
            let names = read.map(|_| csv::first_record(text.trim_start_matches('\u{feff}')));
            names.unwrap_or_default()
        }
        InputFormat::Json => {
            let mut names = Vec::new();
            // Parsing stops after the first point, which is an error of the array.
            let _ = FirstPoint(&mut names).deserialize(&mut serde_json::Deserializer::from_reader(input));
            names
        }
    }
}

/// Sets the names to the keys of the first object in an array, or in the array `points` of an object.
struct FirstPoint<'n>(&'n mut Vec<String>);

impl<'de> DeserializeSeed<'de> for FirstPoint<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FirstPoint<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("points")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        items.next_element_seed(Keys(self.0)).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<String>()? {
            if key == "points" {
                return object.next_value_seed(self);
            }
            object.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Sets the names to the keys of an object.
struct Keys<'n>(&'n mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a point")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some((key, _)) = object.next_entry::<String, IgnoredAny>()? {
            self.0.push(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_first_line_or_point() {
        let of = |text: &str, format| column_names(text.as_bytes(), format);
        assert_eq!(of("\u{feff}hour;\"a;b\" ;count\n7;x;1\n", InputFormat::Csv), ["hour", "a;b", "count"]);
        let points = r#"[{"hour": 7, "at": {"x": 1}}, {"other": 1}, broken"#;
        assert_eq!(of(points, InputFormat::Json), ["hour", "at"]);
        let object = r#"{"title": ["a"], "points": [{"x": 1}], "y": 1}"#;
        assert_eq!(of(object, InputFormat::Json), ["x"]);
        for text in ["[[1, 2]]", "{\"values\": [[1]]}", "", "3"] {
            assert!(of(text, InputFormat::Json).is_empty(), "{text}");
        }
    }
}
