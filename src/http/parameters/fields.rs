//! Parameters by name, whether they came in a query, a form or a JSON object.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::Error;
use crate::geo::{Bounds, TileCoord};
use crate::http::server::problem::{Answer, Problem};
use crate::layer::{Size, StyleOptions};
use crate::parameters::ParameterSet;
use crate::source::parse_time_us;

/// The parameters of a request. Each is taken once; what is left in the end is a mistake, told with the names there are.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: BTreeMap<String, Value>,
    /// The names that were asked for.
    known: Vec<&'static str>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Json(Box<RawValue>),
}

impl Fields {
    /// The longest text of a parameter. A gradient of 256 colors fits.
    const MAX_BYTES: usize = 8192;

    /// Reads a query or a form: `name=value&…`.
    pub(crate) fn from_query(query: &str) -> Answer<Self> {
        let mut fields = Self::default();
        for pair in pairs(query) {
            let (name, value) = pair?;
            if fields.values.insert(name.clone(), Value::Text(value)).is_some() {
                return Err(Problem::parameter(&name, "it is given twice"));
            }
        }
        Ok(fields)
    }

    /// Reads a JSON object.
    pub(crate) fn from_json(body: &[u8]) -> Answer<Self> {
        let broken = |error: serde_json::Error| Problem::body(format!("the body is not a JSON object: {error}"));
        let Members(members) = serde_json::from_slice(body).map_err(broken)?;
        let mut values = BTreeMap::new();
        for (name, value) in members {
            if values.insert(name.clone(), Value::Json(value)).is_some() {
                return Err(Problem::parameter(&name, "it is given twice"));
            }
        }
        Ok(Self { values, known: Vec::new() })
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.values.remove(name).filter(|value| !matches!(value, Value::Json(json) if json.get() == "null"))
    }

    /// The parameter as a text: a JSON string, number, true or false as it is written.
    pub(crate) fn text(&mut self, name: &'static str) -> Answer<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Text(text)) => not_too_long(name, text, Self::MAX_BYTES).map(Some),
            Some(Value::Json(json)) => not_too_long(name, scalar(name, json.get())?, Self::MAX_BYTES).map(Some),
        }
    }

    /// A parameter that is written on a legend.
    pub(crate) fn short_text(&mut self, name: &'static str) -> Answer<Option<String>> {
        const MAX_BYTES: usize = 200;
        self.text(name)?.map(|text| not_too_long(name, text, MAX_BYTES)).transpose()
    }

    /// The parameter, read by its type.
    pub(crate) fn parse<T: FromStr<Err = Error>>(&mut self, name: &'static str) -> Answer<Option<T>> {
        let text = self.text(name)?;
        text.map(|text| text.trim().parse().map_err(|error| named(name, error))).transpose()
    }

    /// A parameter that is true or false.
    pub(crate) fn flag(&mut self, name: &'static str) -> Answer<Option<bool>> {
        self.text(name)?
            .map(|text| match text.trim() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(Problem::parameter(name, format!("`{text}` is neither true nor false"))),
            })
            .transpose()
    }

    /// A whole number from 0 on.
    pub(crate) fn count(&mut self, name: &'static str) -> Answer<Option<u64>> {
        let why = |text: &str| Problem::parameter(name, format!("`{text}` is not a whole number from 0 on"));
        self.text(name)?.map(|text| text.trim().parse().map_err(|_| why(&text))).transpose()
    }

    /// An instant, in microseconds since 1970.
    pub(crate) fn zoom(&mut self, name: &'static str) -> Answer<Option<u8>> {
        let most = TileCoord::MAX_ZOOM;
        match self.count(name)? {
            Some(zoom) if zoom > u64::from(most) => Err(Problem::parameter(name, format!("{zoom} is above {most}"))),
            zoom => Ok(zoom.map(|zoom| zoom as u8)),
        }
    }

    pub(crate) fn time_us(&mut self, name: &'static str) -> Answer<Option<i64>> {
        self.text(name)?
            .map(|text| {
                let why = || format!("`{text}` is not a time such as 2024-05-01 or 2024-05-01T12:00:00Z");
                parse_time_us(&text).ok_or_else(|| Problem::parameter(name, why()))
            })
            .transpose()
    }

    /// One text or a list of them; in a query, separated by commas.
    pub(crate) fn texts(&mut self, name: &'static str) -> Answer<Vec<String>> {
        let why = || Problem::parameter(name, "it is neither a text nor a list of texts");
        Ok(match self.take(name) {
            None => Vec::new(),
            // As JSON where a name may hold a comma.
            Some(Value::Text(text)) if text.starts_with('[') => serde_json::from_str(&text).map_err(|_| why())?,
            Some(Value::Text(text)) => {
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            }
            Some(Value::Json(json)) if json.get().starts_with('[') => {
                serde_json::from_str(json.get()).map_err(|_| why())?
            }
            Some(Value::Json(json)) => vec![scalar(name, json.get())?],
        })
    }

    /// Bounds: `west,south,east,north` or `world` as a text, `[west, south, east, north]` as GeoJSON has it, or
    /// `[[south, west], [north, east]]` as Leaflet has it.
    pub(crate) fn bounds(&mut self, name: &'static str) -> Answer<Option<Bounds>> {
        let bounds = match self.take(name) {
            None => return Ok(None),
            Some(Value::Json(json)) if json.get().starts_with('[') => {
                let why = "it is neither [west, south, east, north] nor [[south, west], [north, east]]";
                let corners = serde_json::from_str::<[[f64; 2]; 2]>(json.get());
                let edges = match (corners, serde_json::from_str(json.get())) {
                    (Ok([[south, west], [north, east]]), _) => [west, south, east, north],
                    (_, Ok(edges)) => edges,
                    _ => return Err(Problem::parameter(name, why)),
                };
                let [west, south, east, north] = edges;
                Bounds::new(west, south, east, north)
            }
            Some(Value::Json(json)) => scalar(name, json.get())?.parse(),
            Some(Value::Text(text)) => text.parse(),
        };
        bounds.map(Some).map_err(|error| named(name, error))
    }

    /// A size: `800x600`, `1024` for the longer side, or `[width, height]`.
    pub(crate) fn size(&mut self, name: &'static str) -> Answer<Option<Size>> {
        let text = match self.take(name) {
            None => return Ok(None),
            Some(Value::Json(json)) if json.get().starts_with('[') => {
                let why = || Problem::parameter(name, "it is not [width, height] in whole pixels");
                let [width, height] = serde_json::from_str::<[u32; 2]>(json.get()).map_err(|_| why())?;
                format!("{width}x{height}")
            }
            Some(Value::Json(json)) => scalar(name, json.get())?,
            Some(Value::Text(text)) => text,
        };
        text.parse().map(Some).map_err(|error| named(name, error))
    }

    /// The parameter as the JSON text that it is.
    pub(crate) fn json(&mut self, name: &'static str) -> Option<Box<RawValue>> {
        match self.take(name) {
            Some(Value::Json(json)) => Some(json),
            Some(Value::Text(text)) => RawValue::from_string(text).ok(),
            None => None,
        }
    }

    /// All parameters of a set.
    pub(crate) fn read<S: ParameterSet>(&mut self) -> Answer<S> {
        let mut options = S::default();
        for entry in S::ENTRIES {
            for name in entry.declaration.names() {
                if let Some(text) = self.text(name)? {
                    entry.set(&mut options, text.trim()).map_err(|error| named(name, error))?;
                }
            }
        }
        Ok(options)
    }

    /// All parameters of a style.
    pub(crate) fn style(&mut self) -> Answer<StyleOptions> {
        self.read()
    }

    /// Makes sure that nothing is left over.
    pub(crate) fn finish(self) -> Answer<()> {
        const WORTH_COMPARING: usize = 64;
        let Some(name) = self.values.keys().next() else { return Ok(()) };
        let known = self.known.iter().copied().filter(|_| name.len() <= WORTH_COMPARING);
        let near = crate::spelling::nearest_first(name, known);
        let all = self.known.join(", ");
        let near = near.first().map(|near| format!("did you mean {near}? ")).unwrap_or_default();
        Err(Problem::parameter(name, format!("there is no such parameter; {near}There are: {all}")))
    }
}

/// The members of a JSON object, in their order; one that is there twice is there twice.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

fn not_too_long(name: &str, text: String, max_bytes: usize) -> Answer<String> {
    if text.len() <= max_bytes {
        Ok(text)
    } else {
        Err(Problem::parameter(name, format!("it is longer than {max_bytes} bytes")))
    }
}

/// A JSON string, number, true or false, as a text.
fn scalar(name: &str, json: &str) -> Answer<String> {
    if json.starts_with('"') {
        return serde_json::from_str(json).map_err(|error| Problem::parameter(name, error.to_string()));
    }
    if json.starts_with(['[', '{']) {
        return Err(Problem::parameter(name, "it has to be a text or a number"));
    }
    Ok(json.to_owned())
}

/// The error of a value, told under the name that the value came by.
fn named(name: &str, error: Error) -> Box<Problem> {
    match error {
        Error::Invalid { message, .. } => Problem::parameter(name, message.with_keys()),
        other => other.into(),
    }
}

/// The names and values of a query or a form.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = Answer<(String, String)>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(name)?, decoded(value)?))
    })
}

/// A part of a query with its `+` and `%XX` decoded.
fn decoded(text: &str) -> Answer<String> {
    // The decoder would keep a malformed escape as it is.
    let is_hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let mut escapes = text.match_indices('%').map(|(at, _)| text.as_bytes().get(at + 1..at + 3));
    if !escapes.all(|digits| digits.is_some_and(is_hexadecimal)) {
        return Err(Problem::parameter(text, "a % is not followed by two hexadecimal digits"));
    }
    let decoded = percent_decode_str(&text.replace('+', " ")).decode_utf8().map(Cow::into_owned);
    decoded.map_err(|_| Problem::parameter(text, "it is not UTF-8"))
}

/// A query of names and values.
pub(crate) fn query_string(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

/// A value as part of a query: commas and colons stay legible.
fn encoded(text: &str) -> impl fmt::Display {
    const ESCAPED: AsciiSet =
        NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',').remove(b':');
    utf8_percent_encode(text, &ESCAPED)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::Radius;

    fn told(problem: &Problem) -> String {
        serde_json::to_string(problem).unwrap()
    }

    #[test]
    fn query_and_json_say_the_same() {
        let json =
            br#"{"bounds": [[50, 10], [60, 20]], "size": [800, 600], "radius": 25, "scheme": "fire", "vmin": null}"#;
        let query = "bounds=10,50,20,60&size=800x600&radius=25&scheme=fire";
        for mut fields in [Fields::from_json(json).unwrap(), Fields::from_query(query).unwrap()] {
            let bounds = fields.bounds("bounds").unwrap().unwrap();
            assert_eq!(bounds, Bounds { west: 10.0, south: 50.0, east: 20.0, north: 60.0 });
            assert_eq!(fields.size("size").unwrap(), Some(Size::Exact(800, 600)));
            let style = fields.style().unwrap();
            assert_eq!((style.radius, style.scheme.as_deref()), (Some(Radius::Pixels(25.0)), Some("fire")));
            fields.finish().unwrap();
        }
    }

    #[test]
    fn mistakes_name_the_parameter() {
        let style = |query: &str| told(&Fields::from_query(query).unwrap().style().unwrap_err());
        assert!(style("radius=wide").contains(r#""parameter":"radius""#));
        assert!(style("dotSize=-1").contains(r#""parameter":"dotSize""#));
        let mut fields = Fields::from_query("radios=5").unwrap();
        fields.style().unwrap();
        let left = told(&fields.finish().unwrap_err());
        assert!(left.contains("radios") && left.contains("did you mean radius?"), "{left}");
        assert!(told(&Fields::from_query("a=1&a=2").unwrap_err()).contains("twice"));
        assert!(told(&Fields::from_query("a=%zz").unwrap_err()).contains("hexadecimal"));
        assert!(Fields::from_json(b"[1,2]").is_err());
        let mut fields = Fields::from_json(br#"{"radius": [1], "bounds": [1, 2], "size": [0, -1]}"#).unwrap();
        assert!(fields.style().is_err() && fields.bounds("bounds").is_err() && fields.size("size").is_err());
    }

    #[test]
    fn queries_are_decoded_and_encoded_byte_by_byte() {
        for (text, value) in [("a+b%20c", "a b c"), ("%c3%A9%2B", "é+"), ("100%25", "100%"), ("é", "é")] {
            assert_eq!(decoded(text).unwrap(), value, "{text}");
        }
        for (bad, word) in [
            ("%", "hexadecimal"),
            ("a%2", "hexadecimal"),
            ("%+1", "hexadecimal"),
            ("%é", "hexadecimal"),
            ("%C3%28", "UTF-8"),
        ] {
            assert!(told(&decoded(bad).unwrap_err()).contains(word), "{bad}");
        }
        assert_eq!(encoded("a b-._~,:+&=/%é[]").to_string(), "a%20b-._~,:%2B%26%3D%2F%25%C3%A9%5B%5D");
    }

    #[test]
    fn values_survive_a_query() {
        for text in ["transparent,blue,lime 60%,red", "a+b&c=d/é", ""] {
            assert_eq!(decoded(&encoded(text).to_string()).unwrap(), text);
        }
    }
}
