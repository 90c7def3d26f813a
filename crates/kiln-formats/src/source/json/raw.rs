//! JSON values split one level at a time. The parts are slices of the text, so unused parts are not parsed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A value whose parts are slices of valid JSON.
#[derive(Debug)]
pub(super) enum JsonValue<'t> {
    /// The names and values of its members.
    Object(Vec<(Cow<'t, str>, &'t str)>),
    /// Its elements.
    Array(Vec<&'t str>),
    /// A number, a string, a truth value or null.
    Plain(&'t str),
}

impl<'t> JsonValue<'t> {
    /// Reads the value at the start of `text`. Returns it and its length including leading white space, or `None` if
    /// there is only white space.
    ///
    /// # Errors
    /// If it is invalid JSON.
    #[inline]
    pub(super) fn read(text: &'t str) -> serde_json::Result<Option<(Self, usize)>> {
        if text.trim_ascii_start().starts_with(['{', '[']) {
            return read(text);
        }
        Ok(read(text)?.map(|(value, length): (&RawValue, _)| (Self::Plain(value.get()), length)))
    }

    /// The value of valid JSON text.
    #[inline]
    pub(super) fn of(text: &'t str) -> Self {
        match first(text) {
            b'{' | b'[' => serde_json::from_str(text).unwrap_or(Self::Plain(text)),
            _ => Self::Plain(text),
        }
    }

    /// Its members; empty if it is not an object.
    #[inline]
    pub(super) fn members(&self) -> &[(Cow<'t, str>, &'t str)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The value of the member called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&'t str> {
        self.members().iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The value of the member called `path`, or at a dotted path such as `place.lat`.
    #[inline]
    pub(super) fn find(&self, path: &str) -> Option<&'t str> {
        self.members().iter().find_map(|(name, value)| match path.strip_prefix(&**name)? {
            "" => Some(*value),
            rest if first(value) == b'{' => Self::of(value).find(rest.strip_prefix('.')?),
            _ => None,
        })
    }

    /// The value of the member `type`.
    pub(super) fn kind(&self) -> Cow<'t, str> {
        self.get("type").map(text).unwrap_or_default()
    }

    /// Whether it is an array of objects or arrays, or an empty array.
    pub(super) fn is_array_of_rows(&self) -> bool {
        matches!(self, Self::Array(array) if array.first().is_none_or(|element| element.starts_with(['{', '['])))
    }
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> serde_json::Result<Option<(T, usize)>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let value = values.next().transpose()?;
    Ok(value.map(|value| (value, values.byte_offset())))
}

impl<'t> Deserialize<'t> for JsonValue<'t> {
    #[inline]
    fn deserialize<D: Deserializer<'t>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Parts)
    }
}

struct Parts;

impl<'t> Visitor<'t> for Parts {
    type Value = JsonValue<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    #[inline]
    fn visit_map<A: MapAccess<'t>>(self, mut object: A) -> Result<JsonValue<'t>, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some((name, value)) = object.next_entry::<&RawValue, &RawValue>()? {
            members.push((text(name.get()), value.get()));
        }
        Ok(JsonValue::Object(members))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'t>>(self, mut array: A) -> Result<JsonValue<'t>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element::<&RawValue>()? {
            elements.push(element.get());
        }
        Ok(JsonValue::Array(elements))
    }
}

/// Decodes UTF-8 and replaces invalid sequences by U+FFFD.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // Several times as fast as `from_utf8_lossy` on valid text.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::from)
}

/// The first byte of a value, which identifies its type.
#[inline]
pub(super) fn first(value: &str) -> u8 {
    value.as_bytes().first().copied().unwrap_or(b' ')
}

/// The content of a string without quotes and escapes; other values unchanged.
#[inline]
pub(super) fn text(value: &str) -> Cow<'_, str> {
    match value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) if memchr::memchr(b'\\', text.as_bytes()).is_some() => {
            let read = |string: &str| serde_json::from_str(string);
            read(value).or_else(|_| read(&replace_surrogates(value))).unwrap_or_else(|_| text.to_owned()).into()
        }
        Some(text) => text.into(),
        None => value.into(),
    }
}

/// The text of a plain value; empty for an object or an array.
pub(super) fn plain(value: &JsonValue<'_>) -> String {
    if let JsonValue::Plain(value) = value { text(value).into_owned() } else { String::new() }
}

/// Replaces each unpaired surrogate in a string by `\ufffd`.
fn replace_surrogates(string: &str) -> String {
    let unit = |escape: &str| u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let (mut replaced, mut rest) = (String::with_capacity(string.len()), string);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let (length, replacement) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, None),
            (Some(0xD800..=0xDFFF), _) => (6, Some("\\ufffd")),
            _ => (2, None),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        replaced.extend([before, replacement.unwrap_or(escape)]);
        rest = after;
    }
    replaced + rest
}

/// Repairs the value at the start of `text`: replaces `NaN` and infinities, which Python and JavaScript may write, by
/// `null`. Returns the JSON and the length of the original, or `None` if the text ends before the value does.
pub(super) fn repair(text: &str) -> Option<(String, usize)> {
    let (mut repaired, mut rest, mut depth) = (String::new(), text, 0_usize);
    while let Some(byte) = rest.bytes().next() {
        let number = ["NaN", "Infinity", "-Infinity"].into_iter().find(|number| rest.starts_with(number));
        let mut length = 1;
        match byte {
            b'"' => length = string_length(rest)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' | b':' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 && !repaired.is_empty() => break,
            _ => length = number.map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), str::len),
        }
        let (part, after) = rest.split_at(length);
        repaired.push_str(number.map_or(part, |_| "null"));
        rest = after;
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            break;
        }
    }
    (depth == 0).then_some((repaired, text.len() - rest.len()))
}

/// The length of the string at the start of `text`, including its quotes.
fn string_length(text: &str) -> Option<usize> {
    let mut length = 1;
    loop {
        length += memchr::memchr2(b'"', b'\\', text.as_bytes().get(length..)?)? + 1;
        if text.as_bytes()[length - 1] == b'"' {
            return Some(length);
        }
        length += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_repaired_to_its_end() {
        let text = r#"{"a":NaN,"}NaN":[-Infinity,Infinity , "\"NaN",1]},2"#;
        let json = r#"{"a":null,"}NaN":[null,null , "\"NaN",1]}"#;
        assert_eq!(repair(text), Some((json.to_owned(), text.len() - 2)));
        for (text, json) in [
            (r#"["\"]",[]] ,"#, r#"["\"]",[]]"#),
            (r#""a\\" , "b""#, r#""a\\""#),
            ("-1.5e3,", "-1.5e3"),
            ("nil}", "nil"),
        ] {
            assert_eq!(repair(text), Some((json.to_owned(), json.len())));
        }
        assert_eq!(repair("NaN]"), Some(("null".to_owned(), 3)));
        for truncated in ["{\"a\":1", "[\"]", "\"a\\\"", "\"a\\"] {
            assert_eq!(repair(truncated), None, "{truncated}");
        }
    }

    #[test]
    fn unpaired_surrogates_are_replaced() {
        assert_eq!(text(r#""\ud83d\ude00!""#), "\u{1F600}!");
        assert_eq!(text(r#""a\ud83d b\\ud83d\n\uDE00""#), "a\u{FFFD} b\\ud83d\n\u{FFFD}");
        assert_eq!(text(r#""\ud83d\u0041""#), "\u{FFFD}A");
        assert_eq!((text("\"plain\""), text("12.50"), text("\"\"")), ("plain".into(), "12.50".into(), "".into()));
    }

    #[test]
    fn parts_are_slices_of_the_text() {
        let (value, length) = JsonValue::read(r#" {"a" : {"b":[1, 2]}, "\u0063":"x"} ,"#).unwrap().unwrap();
        assert_eq!(value.members(), [("a".into(), r#"{"b":[1, 2]}"#), ("c".into(), "\"x\"")]);
        assert_eq!(length, 35);
        assert!(
            matches!(&JsonValue::of(r#"[1, [2,3] ,"x",null]"#), JsonValue::Array(list) if *list == ["1", "[2,3]", "\"x\"", "null"])
        );
        assert!(matches!(JsonValue::of("-1.50"), JsonValue::Plain("-1.50")));
        assert!(JsonValue::read(" \n").unwrap().is_none());
    }
}
