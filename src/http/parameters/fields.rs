//! Request parameters by name, from a query string, a form or a JSON object.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::Error;
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::StyleOptions;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet};
use crate::spelling::{did_you_mean, nearest_of};

/// The parameters of a request. Reading a parameter removes it; [`finish`](Self::finish) rejects the remaining ones as
/// unknown.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: BTreeMap<String, Value>,
    /// The names of the parameters that were read, for the message about an unknown one.
    known: Vec<&'static str>,
    /// The aliases by which parameters were given, after their keys.
    aliases: Vec<[&'static str; 2]>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    /// The values of a parameter that a query string repeats: at least two.
    Repeated(Vec<String>),
    Json(Box<RawValue>),
}

impl Value {
    /// The maximum length of a value in bytes. A gradient of 256 colors fits.
    const MAX_BYTES: usize = 8192;

    /// Converts the value to the text format of a parameter of `kind`.
    fn into_text(self, name: &str, declaration: &Declaration) -> HttpResult<String> {
        let kind = declaration.kind;
        let text = match self {
            Self::Text(text) => text,
            Self::Repeated(_) if !declaration.is_list => return Err(Problem::parameter(name, "it is given twice")),
            Self::Repeated(texts) if kind == Kind::Texts => joined(&texts),
            Self::Repeated(texts) => texts.join(","),
            Self::Json(json) => json_to_text(name, json.get(), kind)?,
        };
        match kind {
            Kind::Json | Kind::Texts => Ok(text),
            _ if text.len() > Self::MAX_BYTES => {
                Err(Problem::parameter(name, format!("it is longer than {} bytes", Self::MAX_BYTES)))
            }
            Kind::Text | Kind::Label => Ok(text),
            _ => Ok(text.trim().to_owned()),
        }
    }
}

impl Fields {
    /// The maximum number of parameters, so that many empty ones take no more memory than a large one.
    const MAX_PARAMETERS: usize = 10_000;

    /// Parses a query string or a form: `name=value&…`.
    pub(crate) fn from_query(query: &str) -> HttpResult<Self> {
        if query.bytes().filter(|byte| *byte == b'&').count() >= Self::MAX_PARAMETERS {
            return Err(Problem::body(format!("there are more than {} parameters", Self::MAX_PARAMETERS)));
        }
        Ok(Self::from_pairs(pairs(query).collect::<HttpResult<Vec<_>>>()?))
    }

    /// Collects parameters from names and values.
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            match fields.values.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(Value::Text(value));
                }
                Entry::Occupied(mut entry) => {
                    let first = std::mem::replace(entry.get_mut(), Value::Repeated(Vec::new()));
                    let mut texts = match first {
                        Value::Text(text) => vec![text],
                        Value::Repeated(texts) => texts,
                        Value::Json(_) => Vec::new(),
                    };
                    texts.push(value);
                    entry.insert(Value::Repeated(texts));
                }
            }
        }
        fields
    }

    /// Parses a JSON object.
    pub(crate) fn from_json(body: &[u8]) -> HttpResult<Self> {
        let invalid = |error: serde_json::Error| Problem::body(format!("the body is not a JSON object: {error}"));
        let Members(members) = serde_json::from_slice(body).map_err(invalid)?;
        let mut values = BTreeMap::new();
        for (name, value) in members {
            if values.insert(name.clone(), Value::Json(value)).is_some() {
                return Err(Problem::parameter(&name, "it is given twice"));
            }
        }
        Ok(Self { values, ..Self::default() })
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.values.remove(name).filter(|value| !matches!(value, Value::Json(json) if json.get() == "null"))
    }

    /// Reads the parameters of a set.
    pub(crate) fn read<S: ParameterSet>(&mut self) -> HttpResult<S> {
        let mut options = S::default();
        for entry in S::ENTRIES {
            let mut given = None;
            for name in entry.declaration.names() {
                let Some(value) = self.take(name) else { continue };
                // A form field that was left blank.
                if entry.declaration.kind == Kind::Json && matches!(&value, Value::Text(text) if text.trim().is_empty())
                {
                    continue;
                }
                if entry.declaration.is_deprecated {
                    report_deprecated(&entry.declaration);
                }
                if let Some(first) = given.replace(name) {
                    return Err(Problem::parameter(name, format!("it is given twice, also as {first}")));
                }
                let key = entry.declaration.parameter.key();
                if name != key {
                    self.aliases.push([key, name]);
                }
                let is_decoded = matches!(value, Value::Text(_));
                let text = value.into_text(name, &entry.declaration)?;
                let is_time = entry.declaration.kind == Kind::Time || entry.declaration.parameter == Parameter::COMPARE;
                entry.set(&mut options, &text).map_err(|error| match error {
                    Error::Invalid { message, .. } if is_decoded && is_time && lacks_plus(&text) => {
                        let message = message.with_keys();
                        Problem::parameter(name, format!("{message}; write the + of an offset as %2B"))
                    }
                    other => with_name(name, other),
                })?;
            }
        }
        Ok(options)
    }

    /// The name by which a parameter was given: its key, or an alias. It is that of messages.
    pub(crate) fn name_of(&self, parameter: Parameter) -> &'static str {
        let key = parameter.key();
        self.aliases.iter().find(|[known, _]| *known == key).map_or(key, |[_, name]| name)
    }

    /// Rejects parameters that were not read.
    pub(crate) fn finish(self) -> HttpResult<()> {
        const MAX_SUGGESTION_BYTES: usize = 64;
        let Some(name) = self.values.keys().next() else { return Ok(()) };
        let known = self.known.iter().copied().filter(|_| name.len() <= MAX_SUGGESTION_BYTES);
        // The others are often aliases of the first.
        let near = nearest_of(name, known, []);
        let hint = did_you_mean(near.get(..1).unwrap_or_default());
        let all = self.known.join(", ");
        Err(Problem::parameter(name, format!("unknown parameter; {hint}expected one of {all}")))
    }
}

/// Logs the first use of a deprecated parameter.
fn report_deprecated(declaration: &Declaration) {
    static REPORTED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let name = declaration.parameter.key();
    if REPORTED.lock().unwrap_or_else(PoisonError::into_inner).insert(name) {
        tracing::warn!("a request has a deprecated parameter: {}", declaration.deprecation(name));
    }
}

/// Whether a query string has a deprecated parameter of a style.
pub(crate) fn has_deprecated(query: &str) -> bool {
    let names = || query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    StyleOptions::declarations()
        .filter(|declaration| declaration.is_deprecated)
        .any(|declaration| declaration.names().any(|deprecated| names().any(|name| name == deprecated)))
}

/// The members of a JSON object in order, with duplicates.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() == Fields::MAX_PARAMETERS {
                        let limit = Fields::MAX_PARAMETERS;
                        return Err(serde::de::Error::custom(format_args!("there are more than {limit} members")));
                    }
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A JSON array of the texts of a repeated parameter. Each is a JSON array, or texts separated by commas. The elements of
/// arrays are checked by the reader of the result: a list of many short texts would take several times its size.
fn joined(texts: &[String]) -> String {
    let mut joined = String::from("[");
    let mut add = |elements: &str| {
        if joined.len() > 1 {
            joined.push(',');
        }
        joined.push_str(elements);
    };
    for text in texts.iter().map(|text| text.trim()) {
        if let Some(elements) = text.strip_prefix('[') {
            // Without its end the array stays invalid.
            let elements = elements.strip_suffix(']').unwrap_or(text).trim();
            if !elements.is_empty() {
                add(elements);
            }
        } else {
            for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                add(&serde_json::Value::from(part).to_string());
            }
        }
    }
    joined.push(']');
    joined
}

/// Converts JSON to the text format of a parameter of `kind`.
fn json_to_text(name: &str, json: &str, kind: Kind) -> HttpResult<String> {
    let invalid = |detail: &str| Problem::parameter(name, detail);
    let is_list = json.starts_with('[');
    match kind {
        Kind::Json => Ok(json.to_owned()),
        Kind::Texts if is_list => Ok(json.to_owned()),
        // A single text may contain a comma, which must not split it.
        Kind::Texts => Ok(serde_json::Value::from(vec![scalar(name, json)?]).to_string()),
        Kind::Bounds if is_list => {
            let corners = serde_json::from_str::<[[f64; 2]; 2]>(json);
            let edges = match (corners, serde_json::from_str(json)) {
                (Ok([[south, west], [north, east]]), _) => [west, south, east, north],
                (_, Ok(edges)) => edges,
                _ => {
                    return Err(invalid("expected [west, south, east, north] or [[south, west], [north, east]]"));
                }
            };
            Ok(edges.map(|edge| edge.to_string()).join(","))
        }
        Kind::Size if is_list => {
            let sides = serde_json::from_str::<[u32; 2]>(json);
            let [width, height] = sides.map_err(|_| invalid("expected [width, height] in whole pixels"))?;
            Ok(format!("{width}x{height}"))
        }
        Kind::Pair if is_list => {
            let pair = serde_json::from_str::<[u32; 2]>(json);
            let [first, second] = pair.map_err(|_| invalid("expected a list of two integers"))?;
            Ok(format!("{first},{second}"))
        }
        _ => scalar(name, json),
    }
}

/// Converts a JSON string, number or boolean to text.
fn scalar(name: &str, json: &str) -> HttpResult<String> {
    if json.starts_with('"') {
        return serde_json::from_str(json).map_err(|error| Problem::parameter(name, error.to_string()));
    }
    if json.starts_with(['[', '{']) {
        return Err(Problem::parameter(name, "expected a string or a number"));
    }
    Ok(json.to_owned())
}

/// Whether a time in `text` has a space in place of the + of its offset: `2024-01-01T00:00:00 01:00`.
fn lacks_plus(text: &str) -> bool {
    text.split('/').filter_map(|time| time.trim().rsplit_once(' ')).any(|(time, offset)| {
        let is_offset = offset.len() >= 2 && offset.chars().all(|digit| digit.is_ascii_digit() || digit == ':');
        time.contains(':') && is_offset
    })
}

/// Converts the error of a value to a problem, with the name or alias that the request used.
fn with_name(name: &str, error: Error) -> Box<Problem> {
    match error {
        Error::Invalid { message, .. } => Problem::parameter(name, message.with_keys()),
        other => other.into(),
    }
}

/// Iterates over the decoded names and values of a query string or a form.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = HttpResult<(String, String)>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(name)?, decoded(value)?))
    })
}

/// Decodes `+` and `%XX`.
fn decoded(text: &str) -> HttpResult<String> {
    // The decoder would keep a malformed escape unchanged.
    let is_hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let mut escapes = text.match_indices('%').map(|(at, _)| text.as_bytes().get(at + 1..at + 3));
    if !escapes.all(|digits| digits.is_some_and(is_hexadecimal)) {
        return Err(Problem::parameter(text, "a % is not followed by two hexadecimal digits"));
    }
    let decoded = percent_decode_str(&text.replace('+', " ")).decode_utf8().map(Cow::into_owned);
    decoded.map_err(|_| Problem::parameter(text, "it is not UTF-8"))
}

/// Encodes names and values as a query string.
pub(crate) fn query_string(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

/// Percent-encodes a value. Commas and colons are kept, for legibility.
fn encoded(text: &str) -> impl fmt::Display {
    const ESCAPED: AsciiSet =
        NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',').remove(b':');
    utf8_percent_encode(text, &ESCAPED)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Bounds;
    use crate::http::parameters::shared::{BOUNDS, SIZE};
    use crate::layer::{FilterOptions, Radius, Size};
    use crate::parameters::parameter_set;

    parameter_set! {
        #[derive(Debug, Default)]
        struct CanvasOptions {
            bounds: Bounds = BOUNDS,
            size: Size = SIZE,
        }
    }

    fn to_json(problem: &Problem) -> String {
        serde_json::to_string(problem).unwrap()
    }

    #[test]
    fn query_strings_and_json_are_equivalent() {
        let json =
            br#"{"bounds": [[50, 10], [60, 20]], "size": [800, 600], "radius": 25, "scheme": "fire", "vmin": null}"#;
        let query = "bounds=10,50,20,60&size=800x600&radius=25&scheme=fire";
        for mut fields in [Fields::from_json(json).unwrap(), Fields::from_query(query).unwrap()] {
            let CanvasOptions { bounds, size } = fields.read().unwrap();
            assert_eq!(bounds, Some(Bounds { west: 10.0, south: 50.0, east: 20.0, north: 60.0 }));
            assert_eq!(size, Some(Size::Exact(800, 600)));
            let style: StyleOptions = fields.read().unwrap();
            assert_eq!((style.radius, style.scheme.as_deref()), (Some(Radius::Pixels(25.0)), Some("fire")));
            fields.finish().unwrap();
        }
    }

    #[test]
    fn problems_name_the_parameter() {
        let style = |query: &str| to_json(&Fields::from_query(query).unwrap().read::<StyleOptions>().unwrap_err());
        assert!(style("radius=wide").contains(r#""parameter":"radius""#));
        assert!(style("dotSize=-1").contains(r#""parameter":"dotSize""#));
        let mut fields = Fields::from_query("radios=5").unwrap();
        fields.read::<StyleOptions>().unwrap();
        let unknown = to_json(&fields.finish().unwrap_err());
        assert!(unknown.contains("radios") && unknown.contains("did you mean radius?"), "{unknown}");
        assert!(style("radius=1&radius=1").contains("it is given twice"));
        let mut unknown = Fields::from_query("a=1&a=2").unwrap();
        unknown.read::<StyleOptions>().unwrap();
        assert!(to_json(&unknown.finish().unwrap_err()).contains("a: unknown parameter"));
        for query in ["end=2024&stop=2025", "space_id=a&category=a"] {
            let aliases = Fields::from_query(query).unwrap().read::<FilterOptions>().unwrap_err();
            assert!(to_json(&aliases).contains("given twice, also as"), "{query}");
        }
        let null = Fields::from_json(br#"{"end": null, "stop": 2024}"#).unwrap().read::<FilterOptions>().unwrap();
        assert!(null.end.is_some());
        assert!(to_json(&Fields::from_query("a=%zz").unwrap_err()).contains("hexadecimal"));
        assert!(Fields::from_json(b"[1,2]").is_err());
        for (json, detail) in [
            (r#"{"radius": [1]}"#, "a string or a number"),
            (r#"{"bounds": [1, 2]}"#, "[west, south, east, north]"),
            (r#"{"size": [0, -1]}"#, "[width, height]"),
            (r#"{"category": [1]}"#, "a list of texts"),
        ] {
            let fields = || Fields::from_json(json.as_bytes()).unwrap();
            let errors = [
                fields().read::<StyleOptions>().err(),
                fields().read::<CanvasOptions>().err(),
                fields().read::<FilterOptions>().err(),
            ];
            let problems: Vec<String> = errors.iter().flatten().map(|problem| to_json(problem)).collect();
            assert!(problems.len() == 1 && problems[0].contains(detail), "{json}: {problems:?}");
        }
    }

    #[test]
    fn a_list_of_strings_is_json_or_comma_separated() {
        let categories = |fields: HttpResult<Fields>| {
            fields.unwrap().read::<FilterOptions>().unwrap().categories.unwrap().to_strings()
        };
        assert_eq!(categories(Fields::from_query("category=bus,+tram")), ["bus", "tram"]);
        assert_eq!(categories(Fields::from_query("category=[\"a,b\"]")), ["a,b"]);
        assert_eq!(categories(Fields::from_json(br#"{"category": "a,b"}"#)), ["a,b"]);
        assert_eq!(categories(Fields::from_json(br#"{"category": ["a", "b"]}"#)), ["a", "b"]);
    }

    #[test]
    fn a_repeated_parameter_adds_to_its_list() {
        let read = |query: &str| Fields::from_query(query).unwrap().read::<FilterOptions>();
        let categories = |query: &str| read(query).unwrap().categories.unwrap().to_strings();
        assert_eq!(categories("category=bus&category=tram"), ["bus", "tram"]);
        assert_eq!(categories("category=bus,ferry&start=2024&category=[\"a,b\"]&category="), ["a,b", "bus", "ferry"]);
        assert_eq!(categories("space_id=a&space_id=b"), ["a", "b"]);
        assert!(to_json(&read("category=bus&category=[1]").unwrap_err()).contains("list of texts"));
        let times = |query: &str| {
            let FilterOptions { hours, weekdays, months, .. } = read(query).unwrap();
            format!("{hours:?} {weekdays:?} {months:?}")
        };
        assert_eq!(
            times("hours=7-9&weekdays=mon&months=6&hours=16&weekdays=fri&months=dec"),
            times("hours=7-9,16&weekdays=mon,fri&months=6,dec")
        );
        // Whatever a set declares as a list may be repeated, and nothing else.
        for declaration in FilterOptions::declarations().chain(StyleOptions::declarations()) {
            let name = declaration.parameter.key();
            let fields = || Fields::from_query(&format!("{name}=1&{name}=1")).unwrap();
            let problems = [fields().read::<FilterOptions>().err(), fields().read::<StyleOptions>().err()];
            let is_twice = problems.iter().flatten().any(|problem| problem.detail().contains("it is given twice"));
            assert_eq!(is_twice, !declaration.is_list, "{name}");
        }
    }

    #[test]
    fn an_offset_whose_plus_was_decoded_is_an_error_with_a_hint() {
        let problem = |query: &str| {
            let mut fields = Fields::from_query(query).unwrap();
            let filter = fields.read::<FilterOptions>().map(drop);
            to_json(&filter.and_then(|()| fields.read::<crate::occupancy::GridOptions>().map(drop)).unwrap_err())
        };
        let hint = "write the + of an offset as %2B";
        for query in ["start=2024-01-01T00:00:00+01:00", "compare=2024-01-01/2024-01-02T00:00:00+01:00"] {
            assert!(problem(query).contains(hint), "{query}: {}", problem(query));
        }
        assert!(!problem("start=now+then").contains(hint));
        assert!(Fields::from_query("start=2024-01-01T00:00:00%2B01:00").unwrap().read::<FilterOptions>().is_ok());
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
            assert!(to_json(&decoded(bad).unwrap_err()).contains(word), "{bad}");
        }
        assert_eq!(encoded("a b-._~,:+&=/%é[]").to_string(), "a%20b-._~,:%2B%26%3D%2F%25%C3%A9%5B%5D");
    }

    #[test]
    fn a_blank_polygon_field_of_a_form_is_ignored() {
        let pairs = |form: &str| {
            let options = Fields::from_query(form).unwrap().read::<crate::http::routes::queries::QueryOptions>();
            options.unwrap().pairs().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(pairs("layer=a&polygon=+"), ["layer"]);
        assert_eq!(pairs("layer=a&polygon=%5B"), ["layer", "polygon"]);
    }

    #[test]
    fn values_are_the_same_after_encoding_and_decoding() {
        for text in ["transparent,blue,lime 60%,red", "a+b&c=d/é", ""] {
            assert_eq!(decoded(&encoded(text).to_string()).unwrap(), text);
        }
    }
}
