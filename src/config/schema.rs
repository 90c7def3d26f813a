//! The JSON schema of the configuration, which `schemars` derives from its types.
//!
//! It has every key with its documentation, type, range, default and example. Files, variables and flags are validated
//! against it, [`Config::to_toml`] prints from it, and editors read it.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value as Json;
use toml::Value;

use super::format::{FORMATS, Format};
use super::origin::Fault;
use super::{ByteSize, Config, KeyConfig, TimeSpan};
use crate::spelling::{did_you_mean, nearest};

static ROOT: LazyLock<Json> = LazyLock::new(|| {
    // Only the serialization contract keeps the order of declaration: its `required` lists all keys, while `properties`
    // are sorted.
    let settings = SchemaSettings::draft07().for_serialize().with(|settings| settings.inline_subschemas = true);
    let settings = settings.with_transform(RecursiveTransform(adapt_to_toml));
    settings.into_generator().into_root_schema_for::<Config>().to_value()
});

/// Removes null, which TOML does not have: an optional key is omitted. Strings must not be empty, except style
/// parameters, which are validated by the style.
fn adapt_to_toml(schema: &mut schemars::Schema) {
    for keyword in ["type", "enum"] {
        if let Some(Json::Array(items)) = schema.get_mut(keyword) {
            items.retain(|item| !item.is_null() && item != "null");
        }
    }
    if let Some(Json::Array(types)) = schema.get("type")
        && let [only] = &types[..]
    {
        schema.insert("type".into(), only.clone());
    }
    // A section has no default of its own, only its keys have. An empty default means that the key is omitted.
    let is_omitted = |default: &Json| default.is_null() || default == "" || schema.get("minItems").is_some();
    if schema.get("default").is_some_and(is_omitted) || schema.get("properties").is_some() {
        schema.remove("default");
    }
    let is = |name: &str| has_type(schema.as_value(), name);
    if is("string") && !is("number") && schema.get("enum").is_none() && schema.get("const").is_none() {
        let min = schema.get("minLength").and_then(Json::as_u64).unwrap_or(1);
        schema.insert("minLength".into(), min.into());
    }
}

fn has_type(schema: &Json, name: &str) -> bool {
    let types = &schema["type"];
    types == name || types.as_array().is_some_and(|types| types.iter().any(|other| other == name))
}

impl Config {
    /// The JSON schema of a configuration file, for editors.
    pub fn schema() -> Json {
        let mut schema = schemars::Schema::try_from(ROOT.clone()).unwrap_or_default();
        // No key is required: each has a default or is optional.
        RecursiveTransform(|schema: &mut schemars::Schema| drop(schema.remove("required"))).transform(&mut schema);
        schema.to_value()
    }
}

/// The schema of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema(&'static Json);

impl Schema {
    /// The schema of a configuration file.
    pub(super) fn root() -> Self {
        Self(&ROOT)
    }

    /// The sections by name, except layers and jobs, which contain further tables.
    pub(super) fn sections() -> impl Iterator<Item = (&'static str, Self)> {
        Self::root().keys().filter(|(_, section)| section.0.get("properties").is_some())
    }

    /// The keys of a table in the order of their declaration, each with its schema.
    pub(super) fn keys(self) -> impl Iterator<Item = (&'static str, Self)> {
        let names = self.0["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        names.filter_map(move |name| Some((name, self.key(name)?)))
    }

    /// The schema of the key `name` of a table.
    pub(super) fn key(self, name: &str) -> Option<Self> {
        let additional = || self.0.get("additionalProperties").filter(|schema| schema.is_object());
        self.0["properties"].get(name).or_else(additional).map(Self)
    }

    /// The schema of the items of a list, or of the tables of a map.
    pub(super) fn items(self) -> Option<Self> {
        self.0.get("items").or_else(|| self.0.get("additionalProperties")).filter(|items| items.is_object()).map(Self)
    }

    /// The schema of the key at `path`, such as `images.ttl`.
    ///
    /// # Errors
    /// A message with similar keys if there is no such key.
    pub(super) fn find(path: &str) -> Result<Self, String> {
        let (section, name) = path.split_once('.').unwrap_or((path, ""));
        let keys = Self::root().key(section).ok_or_else(|| Self::root().unknown("", section))?;
        keys.key(name).ok_or_else(|| keys.unknown(section, name))
    }

    /// The documentation of the value.
    pub(super) fn description(self) -> &'static str {
        self.0["description"].as_str().unwrap_or_default()
    }

    /// The default; `None` for an optional key.
    pub(super) fn default(self) -> Option<&'static Json> {
        self.0.get("default")
    }

    /// An example of a value.
    pub(super) fn example(self) -> &'static Json {
        &self.0["examples"][0]
    }

    /// Whether the value must not be printed.
    pub(super) fn is_secret(self) -> bool {
        self.0["writeOnly"] == true
    }

    fn is(self, type_name: &str) -> bool {
        has_type(self.0, type_name)
    }

    fn format(self) -> Option<&'static Format> {
        FORMATS.iter().find(|(name, ..)| self.0["format"] == *name)
    }

    fn range(self) -> (f64, f64) {
        let bound = |keyword: &str| self.0[keyword].as_f64();
        (bound("minimum").unwrap_or(f64::NEG_INFINITY), bound("maximum").unwrap_or(f64::INFINITY))
    }

    /// The values of an enumeration.
    fn choices(self) -> Option<Vec<String>> {
        let text = |json: &Json| json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        let documented = || Some(self.0["oneOf"].as_array()?.iter().map(|choice| text(&choice["const"])).collect());
        let mut names: Vec<String> =
            self.0["enum"].as_array().map(|names| names.iter().map(text).collect()).or_else(documented)?;
        names.dedup();
        Some(names)
    }

    /// Validates `value`, whose key is `path`.
    pub(super) fn check(self, path: &str, value: &Value) -> Result<(), Fault> {
        match (value, self.items()) {
            (Value::Table(table), _)
                if self.is("object") && (table.len() as u64) < self.0["minProperties"].as_u64().unwrap_or(0) =>
            {
                let names: Vec<_> = self.keys().map(|(name, _)| name).collect();
                Err(Fault::value(path, format!("empty; expected at least one of {}", names.join(", "))))
            }
            (Value::Table(table), _) if self.is("object") => table.iter().try_for_each(|(name, value)| {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match self.key(name) {
                    Some(schema) => schema.check(&inner, value),
                    None => Err(Fault::key(inner, self.unknown(path, name))),
                }
            }),
            (Value::Array(list), Some(items))
                if self.is("array") && !list.is_empty() && list.iter().all(Value::is_table) =>
            {
                list.iter().enumerate().try_for_each(|(i, item)| items.check(&format!("{path}[{i}]"), item))
            }
            _ if self.accepts(value) => Ok(()),
            _ => Err(Fault::value(path, self.describe_invalid(path, value))),
        }
    }

    /// Whether `value`, which is not a table, is valid.
    fn accepts(self, value: &Value) -> bool {
        let texts = texts(value);
        if let Some(choices) = self.choices() {
            return !value.is_array() && texts.iter().all(|text| choices.contains(text));
        }
        let is_type = match value {
            Value::String(_) => self.is("string"),
            Value::Integer(_) => self.is("integer") || self.is("number"),
            Value::Float(_) => self.is("number"),
            Value::Boolean(_) => self.is("boolean"),
            Value::Array(_) => self.is("array"),
            Value::Table(_) | Value::Datetime(_) => false,
        };
        let are_items = value.as_array().is_none_or(|list| {
            list.len() as u64 >= self.0["minItems"].as_u64().unwrap_or(0)
                && self.items().is_none_or(|items| list.iter().all(|item| items.accepts(item)))
        });
        let (min, max) = self.range();
        let is_in_range = |text: &String| self.amount(text).is_some_and(|amount| (min..=max).contains(&amount));
        is_type
            && are_items
            && texts.iter().all(|text| text.len() as u64 >= self.0["minLength"].as_u64().unwrap_or(0))
            && (self.0.get("minimum").is_none() || texts.iter().all(is_in_range))
            && self.format().is_none_or(|(.., has_format)| has_format(&texts.join("\n")))
    }

    /// Parses a number, a duration in seconds or a size in bytes.
    fn amount(self, text: &str) -> Option<f64> {
        match self.0["format"].as_str() {
            Some("time-span") => text.parse().ok().map(|span: TimeSpan| span.as_secs() as f64),
            Some("byte-size") => text.parse().ok().map(|size: ByteSize| size.bytes() as f64),
            _ => text.parse().ok(),
        }
    }

    /// The description of the accepted values, as the end of a sentence.
    pub(super) fn accepted(self) -> String {
        let (min, max) = self.range();
        let (first, last) = (min as u64, max as u64);
        if let Some(names) = self.choices() {
            return format!("one of {}", names.join(", "));
        }
        if let Some((_, accepted, _)) = self.format() {
            return (*accepted).to_owned();
        }
        match self.0["format"].as_str() {
            Some("time-span") => {
                let (first, last) = (TimeSpan::from_secs(first), TimeSpan::from_secs(last));
                format!("a time from {first} to {last}, such as 90s, 30m, 1h or 2d")
            }
            Some("byte-size") => {
                let (first, last) = (ByteSize::from_bytes(first), ByteSize::from_bytes(last));
                format!("a size from {first} to {last}, such as 500MB or 1GiB")
            }
            _ if self.is("boolean") => "true or false".into(),
            _ if self.is("integer") => format!("a whole number from {} to {}", grouped(first), grouped(last)),
            _ if self.is("number") && self.is("string") => "a string or a number".into(),
            _ if self.is("number") => format!("a number from {min} to {max}"),
            _ if self.is("array") && self.items().is_some_and(|items| items.is("object")) => "a list of tables".into(),
            _ if self.is("array") => match self.items().and_then(Self::choices) {
                Some(names) => format!("a list of {}", names.join(", ")),
                None => "a list of strings".into(),
            },
            _ if self.is("object") => "a table".into(),
            _ => "a non-empty string".into(),
        }
    }

    /// Whether an invalid value may contain a secret: that of a key in place of its hash, or a URL with a password.
    fn may_hold_secret(self, value: &Value) -> bool {
        let format = self.0["format"].as_str().unwrap_or_default();
        self.is_secret()
            || ["input", "key-hash"].contains(&format)
            || texts(value).iter().any(|text| text.contains('@') || text.contains(KeyConfig::SECRET_PREFIX))
    }

    /// The error message for an invalid `value` at `path`, with the accepted values.
    fn describe_invalid(self, path: &str, value: &Value) -> String {
        const MAX_CHARS: usize = 60;
        let accepted = self.accepted();
        let is_nested = path.contains('[');
        match accepted.as_str() {
            "a table" if is_nested => return "not a table".into(),
            "a table" if self.0.get("properties").is_none() => return format!("not a table; write [{path}.NAME]"),
            "a table" => return format!("not a table; write [{path}]"),
            "a list of tables" => return format!("not {accepted}; write [[{path}]] above each of them"),
            _ if self.may_hold_secret(value) => return format!("the value is not {accepted}"),
            _ => {}
        }
        let mut text = value.to_string().replace('\n', " ");
        if let Some((at, _)) = text.char_indices().nth(MAX_CHARS) {
            text.truncate(at);
            text.push('…');
        }
        format!("{text} is not {accepted}")
    }

    /// The error message for an unknown key `name` of the table at `path`, with similar keys and the list of all keys.
    fn unknown(self, path: &str, name: &str) -> String {
        let names: Vec<_> = self.keys().map(|(name, _)| name).collect();
        let near = nearest(name, names.iter().copied(), normalized);
        let hint = if near.is_empty() { in_other_section(name) } else { did_you_mean(&near) };
        let names = names.join(", ");
        match self.0["title"].as_str() {
            _ if path.is_empty() => format!("no such section; {hint}the sections are {names}"),
            Some(title) => format!("no such key; {hint}{title} has {names}"),
            None => format!("no such key; {hint}{path} has {names}"),
        }
    }

    /// Parses the text of an environment variable or a flag; commas separate the items of a list. Invalid text is
    /// returned as a string, which validation then rejects.
    pub(super) fn read(self, text: &str) -> Value {
        let trimmed = text.trim();
        let string = |text: &str| Value::String(text.to_owned());
        match (self.0["type"].as_str(), trimmed) {
            (Some("integer"), number) => number.replace('_', "").parse().map_or_else(|_| string(text), Value::Integer),
            (Some("number"), number) => number.parse().map_or_else(|_| string(text), Value::Float),
            (Some("boolean"), "true" | "1") => Value::Boolean(true),
            (Some("boolean"), "false" | "0") => Value::Boolean(false),
            (Some("array"), list) => {
                Value::Array(list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(string).collect())
            }
            _ => string(text),
        }
    }
}

/// The text of a string or a number, or of each item of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

/// Suggests the keys of the same name in other sections.
fn in_other_section(name: &str) -> String {
    let path_in = |section, keys: Schema| {
        let same = keys.keys().find(|(key, _)| *key == normalized(name));
        same.map(|(key, _)| format!("{section}.{key}"))
    };
    let paths: Vec<_> = Schema::sections().filter_map(|(section, keys)| path_in(section, keys)).collect();
    did_you_mean(&paths.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Normalizes a name for comparison: lower case and underscores.
pub(super) fn normalized(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// Formats a number with separators between thousands, as in TOML: `1_000_000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join("_")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use toml::Table;

    use super::super::{JobConfig, LayerConfig, PlaceConfig, ServerConfig};
    use super::*;

    fn schema(json: Json) -> Schema {
        Schema(Box::leak(Box::new(json)))
    }

    fn format(types: &[&str], format: &str) -> Schema {
        assert!(FORMATS.iter().any(|(name, ..)| *name == format));
        schema(json!({ "type": types, "format": format }))
    }

    fn value(toml: &str) -> Value {
        toml.parse().unwrap()
    }

    /// Asserts that the `valid` values, separated by ` | `, are accepted, and the `invalid` values rejected.
    #[track_caller]
    fn check(schema: Schema, valid: &str, invalid: &str) {
        for toml in valid.split(" | ") {
            assert!(schema.check("a", &value(toml)).is_ok(), "{schema:?} should accept {toml}");
        }
        for toml in invalid.split(" | ") {
            assert!(schema.check("a", &value(toml)).is_err(), "{schema:?} should reject {toml}");
        }
    }

    #[test]
    fn values_are_validated_by_type_range_and_format() {
        let (text, scalar) = (&["string"][..], &["string", "integer"][..]);
        check(
            format(scalar, "address"),
            r#"3000 | ":80" | "0.0.0.0:1" | "[::]:3000""#,
            r#"70000 | -1 | "host" | "host:80" | 1.5"#,
        );
        check(
            format(text, "url"),
            r#""https://a.example/heat" | "http://localhost:80""#,
            r#""a.example" | "ftp://a" | "https://" | "https://a?b" | "https:///a" | 7 | "http://a b" | "https://ann:pw@a" | "http://ann@a/b""#,
        );
        check(
            format(text, "tile-url"),
            r#""https://{s}.a.example/{z}/{x}/{y}.png?key=1" | "/base/{z}/{x}/{y}""#,
            r#""https://a.example/{z}/{x}.png" | "a/{z}/{x}/{y}" | "//a/{z}/{x}/{y}" | "https://a;b/{z}/{x}/{y}" | 7 | "https://ann:pw@a/{z}/{x}/{y}""#,
        );
        check(
            schema(json!({ "type": "array", "items": { "type": "string" }, "format": "origins" })),
            r#"[] | ["*"] | ["https://a.example", "http://b:81"]"#,
            r#""*" | [1] | ["https://a.example/"] | ["*", "https://a.example"] | ["a.example"] | ["http://a,http://b"]"#,
        );
        check(format(text, "cache-control"), r#""no-store""#, r#""" | "a\nb" | " a" | 1"#);
        let range = |name: &str| schema(json!({ "type": name, "minimum": 1, "maximum": 5 }));
        check(range("integer"), "1 | 5", r#"0 | 6 | -1 | "3" | 2.0"#);
        check(range("number"), "1 | 5.0", r#"0.9 | nan | inf | "3""#);
        let span = json!({ "type": scalar, "format": "time-span", "minimum": 3600, "maximum": 86_400 });
        check(schema(span), r#"3600 | "1h" | "1440m""#, r#""59m" | "2d" | 0 | "soon" | 4e3"#);
        let size = json!({ "type": scalar, "format": "byte-size", "minimum": 1000, "maximum": 1_000_000 });
        check(schema(size), r#"1000 | "1MB""#, r#""1MiB" | 999 | true"#);
        check(Schema::find("schemes.folders").unwrap(), r#"[] | ["a"]"#, r#""a" | [""]"#);
        check(schema(json!({ "enum": ["a", "b"] })), r#""a""#, r#""c" | 1 | ["a"]"#);
        check(schema(json!({ "oneOf": [{ "const": "a" }] })), r#""a""#, r#""c" | 1"#);
        check(schema(json!({ "enum": ["200", 200] })), r#""200" | 200"#, r#"204 | 200.0 | "2""#);
        check(schema(json!({ "type": "boolean" })), "true | false", r#"1 | "true""#);
        check(format(text, "name"), r#""docs" | "a-b_2""#, r#""a b" | "../a" | "" | 7"#);
        check(format(scalar, "pixels"), r#"1024 | "800x600""#, r#"0 | "wide" | -5 | 8.5"#);
        check(format(scalar, "time"), r#""2024-05-01" | 2024"#, r#""soon" | true | 2024-05-01"#);
        check(
            format(text, "signing-secret"),
            r#""0123456789abcdef""#,
            r#""0123456789abcde" | "" | "0123456789 abcdef" | 1234567890123456"#,
        );
        check(format(text, "token"), r#""s3cret""#, r#""" | "a b" | 7"#);
        check(format(text, "layer"), r#""a""#, r#""docs" | "a b""#);
        let key = |path: &str, name: &str| Schema::root().key(path).unwrap().items().unwrap().key(name).unwrap();
        check(key("layers", "input"), r#""a.csv" | ["a.csv", "-"]"#, r#"[] | "" | [""] | 5"#);
        check(
            key("jobs", "bounds"),
            r#"[5, 45.5, 10, 47] | "5,45,10,47" | "world""#,
            r#"[5, 45, 10] | [5, 47, 10, 45] | "here" | ["5", 45, 10, 47] | 5"#,
        );
        check(
            key("jobs", "places"),
            r#"[{ name = "a" }] | [{ name = "a" }, { name = "b" }]"#,
            r#"[] | [5] | { name = "a" } | [{ nam = "a" }]"#,
        );
        check(key("layers", "title"), r#""a""#, r#""" | 5"#);
        check(key("jobs", "style"), r#"{ radius = 5, agg = "sum" }"#, "5 | { radius = true } | { radius = [5] }");
    }

    #[test]
    fn secrets_in_the_wrong_place_are_not_printed() {
        let table = |name: &str| Schema::root().key(name).unwrap().key("a").unwrap();
        let section = |path: &str| Schema::find(path).unwrap();
        for (schema, secret) in [
            (table("keys").key("hash").unwrap(), "kiln_s3cret"),
            (table("keys").key("hash").unwrap(), "s3cret"),
            (table("keys").key("expires").unwrap(), "kiln_s3cret"),
            (section("server.base_url"), "https://ann:s3cret@maps.example"),
            (section("server.listen"), "https://ann:s3cret@maps.example"),
            (section("server.cors_origins"), "https://ann:s3cret@maps.example"),
            (section("server.signing_secret"), "s3cret"),
            (section("server.token"), "my s3cret"),
            (section("page.frame_ancestors"), "https://ann:s3cret@maps.example"),
            (section("page.basemap"), "https://ann:s3cret@a/{z}/{x}/{y}.png"),
            (section("masks.webhook_urls"), "http://ann:s3cret@a/"),
        ] {
            let value = if schema.is("array") { vec![secret].into() } else { Value::from(secret) };
            let fault = schema.check("a", &value).unwrap_err();
            assert!(!fault.message.contains("s3cret") && fault.message.contains(" is not "), "{}", fault.message);
        }
    }

    #[test]
    fn texts_are_parsed_by_type() {
        let read = |name: &str, text: &str| schema(json!({ "type": name })).read(text);
        assert_eq!(read("integer", "1_000"), value("1000"));
        assert_eq!(read("integer", "many"), value("\"many\""));
        assert_eq!(read("number", "2"), value("2.0"));
        assert_eq!(read("boolean", "true"), value("true"));
        assert_eq!(read("boolean", "0"), value("false"));
        assert_eq!(read("boolean", "maybe"), value("\"maybe\""));
        assert_eq!(read("array", "a, b,"), value("[\"a\", \"b\"]"));
        assert_eq!(read("string", "5"), value("\"5\""));
    }

    #[test]
    fn thousands_are_separated() {
        let accepted = |max: u64| schema(json!({ "type": "integer", "minimum": 0, "maximum": max })).accepted();
        assert_eq!(accepted(1_234_567), "a whole number from 0 to 1_234_567");
        assert_eq!(accepted(999), "a whole number from 0 to 999");
        assert_eq!(accepted(100_000), "a whole number from 0 to 100_000");
    }

    #[test]
    fn every_key_is_documented_and_has_a_valid_default_or_example() {
        let defaults = Config::default().table().unwrap();
        for (section, keys) in Schema::sections() {
            assert!(keys.0["additionalProperties"] == false && keys.description().ends_with('.'), "{section}");
            let names: BTreeSet<_> = keys.keys().map(|(name, _)| name).collect();
            assert!(
                defaults[section].as_table().unwrap().keys().all(|name| names.contains(name.as_str())),
                "{section}"
            );
            for (name, key) in keys.keys() {
                let path = format!("{section}.{name}");
                assert!(key.description().ends_with('.'), "{path}: {}", key.description());
                let default = defaults[section].get(name).cloned();
                assert_eq!(default.is_none(), key.default().is_none(), "{path}");
                let value = default.unwrap_or_else(|| key.example().to_string().parse().unwrap());
                assert_eq!(key.check(&path, &value), Ok(()));
                let single =
                    Table::from_iter([(section.to_owned(), Table::from_iter([(name.to_owned(), value)]).into())]);
                assert!(single.try_into::<Config>().is_ok(), "{path}");
            }
        }
    }

    /// Asserts that `T` reads and writes all keys of the schema and no others.
    fn has_all_keys<T: serde::Serialize + serde::de::DeserializeOwned>(schema: Schema, full: Table) {
        assert_eq!(schema.check("full", &Value::Table(full.clone())), Ok(()));
        let table = Table::try_from(full.try_into::<T>().unwrap()).unwrap();
        let names: BTreeSet<_> = schema.keys().map(|(name, _)| name).collect();
        assert_eq!(table.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
        assert!(schema.keys().all(|(_, key)| key.description().ends_with('.')));
    }

    #[test]
    fn layers_jobs_and_places_have_the_keys_of_the_schema() {
        let table = |toml: &str| toml.parse::<Table>().unwrap();
        let columns = "lon = \"x\"\nlat = \"x\"\ngeometry = \"x\"\nweight = \"x\"\ntime = \"x\"\ncrs = \"x\"\norder = \"lat-lon\"\n\
            time_format = \"x\"\nday_first = true\nencoding = \"x\"\nquote = \"none\"\nrecords = \"x\"\nstyle.scheme = \"fire\"\n";
        let layer = "input = \"a.csv\"\ntable = \"x\"\nsql = \"x\"\nfilter = \"x\"\nsrid = 3857\n\
            columns = [\"size\"]\nstore = true\nmin_count = 5\nmin_count_cell = \"5m\"\nmin_count_period = \"1h\"\nrefresh = \"1s\"\n\
             title = \"x\"\nattribution = \"x\"\nprojection = \"plane\"\ncategory = \"x\"\ntrack = \"x\"\nrooms = \"x\"\n\
             floorplan = { image = \"x\", bounds = [0, 0, 1, 1] }\n";
        let place = "name = \"x\"\nbounds = \"world\"\n";
        let job = "layer = \"x\"\ninput = \"a.csv\"\nquery = \"x\"\nschedule = \"x\"\ntimezone = \"x\"\nsize = 800\n\
            projection = \"plane\"\nwindow = \"x\"\nstart = 2024\nend = 2025\noutput = \"x\"\nkeep = 1\nlatest = true\n\
            retries = 0\nplaces = [{ name = \"x\", bounds = [1, 2, 3, 4] }]\n";
        let items = |name: &str| Schema::root().key(name).unwrap().items().unwrap();
        has_all_keys::<LayerConfig>(items("layers"), table(&format!("{layer}{columns}")));
        has_all_keys::<JobConfig>(items("jobs"), table(&format!("{place}{job}{columns}")));
        has_all_keys::<PlaceConfig>(items("jobs").key("places").unwrap().items().unwrap(), table(place));
    }

    #[test]
    fn every_format_is_known_and_used() {
        fn walk<'s>(schema: &'s Json, found: &mut BTreeSet<&'s str>) {
            found.extend(schema["format"].as_str());
            for (_, inner) in schema.as_object().into_iter().flatten().filter(|(name, _)| *name != "default") {
                walk(inner, found);
                inner.as_array().into_iter().flatten().for_each(|inner| walk(inner, found));
            }
        }
        let mut found = BTreeSet::new();
        walk(&ROOT, &mut found);
        let of_numbers = ["time-span", "byte-size", "uint", "uint8", "uint32", "uint64", "int32", "double"];
        let known: BTreeSet<_> = FORMATS.iter().map(|(name, ..)| *name).chain(of_numbers).collect();
        assert_eq!(found, known);
    }

    #[test]
    fn the_maximum_radius_is_that_of_a_kernel() {
        let (key, max) = (Schema::find("limits.radius_px").unwrap(), crate::raster::Kernel::MAX_RADIUS_PX);
        assert!(key.accepts(&Value::Float(max)) && !key.accepts(&Value::Float(max + 1.0)));
    }

    #[test]
    fn similar_keys_are_suggested() {
        let unknown = |path: &str, name: &str| Schema::root().key(path).unwrap().unknown(path, name);
        assert!(unknown("images", "Max-Count").contains("did you mean max_count? images has folder, ttl,"));
        assert!(unknown("server", "ttl").contains("did you mean images.ttl or queries.ttl or masks.ttl?"));
        let layer = Schema::root().key("layers").unwrap().key("a").unwrap();
        assert!(layer.unknown("layers.a", "colour").starts_with("no such key; a layer has input,"));
        assert!(Schema::root().unknown("", "imges").contains("did you mean images?"));
        assert!(Schema::root().unknown("", "listen").contains("did you mean server.listen?"));
    }

    #[test]
    fn keys_are_in_the_order_of_declaration() {
        let server = Schema::root().key("server").unwrap();
        let names: Vec<_> = server.keys().map(|(name, _)| name).collect();
        let printed = toml::to_string(&ServerConfig { token: None, ..ServerConfig::default() }).unwrap();
        let printed: Vec<_> = printed.lines().filter_map(|line| line.split(" = ").next()).collect();
        let with_default: Vec<_> =
            server.keys().filter(|(_, key)| key.default().is_some()).map(|(name, _)| name).collect();
        assert_eq!(with_default, printed);
        let position = |name: &str| names.iter().position(|other| *other == name).unwrap();
        assert!((1..position("token")).contains(&position("base_url")) && position("token") < position("tls_key"));
    }
}
