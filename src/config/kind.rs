//! What a key accepts.

use toml::Value;

use super::layer::check_name;
use super::sections::read_listen;
use super::{ByteSize, TimeSpan, Token};
use crate::geo::Bounds;
use crate::layer::Size;
use crate::layer_name;
use crate::source::parse_time_us;

/// The values of a key. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Listen,
    Url,
    Origins,
    CacheControl,
    Folder,
    Folders,
    Count(u64, u64),
    Number(f64, f64),
    Flag,
    Time(TimeSpan, TimeSpan),
    Size(ByteSize, ByteSize),
    LayerName,
    Choice(&'static [&'static str]),
    /// The address of map tiles, with `{z}`, `{x}` and `{y}` in it.
    Tiles,
    Text,
    /// A list of texts.
    Names,
    /// A token, which is never printed.
    Secret,
    /// A file with points, or a list of them.
    Inputs,
    /// A table of a style's parameters, which are checked one by one.
    Style,
    /// The name of a job or a place, which becomes part of a path.
    JobName,
    /// Ground in degrees, as a text or as a list of four numbers.
    Bounds,
    /// A list of tables, which are checked one by one.
    Places,
    /// How many pixels a picture has.
    Pixels,
    /// A point in time.
    Moment,
}

impl Kind {
    /// What is accepted, as the end of a sentence.
    pub(super) fn accepts(self) -> String {
        let plain = match self {
            Self::Listen => "an address and port such as 127.0.0.1:3000 or [::1]:3000, or a port such as 3000",
            Self::Url => "a URL such as https://maps.example.org/heat",
            Self::Origins => r#"a list of origins such as ["https://example.org"], or ["*"] for all"#,
            Self::CacheControl => "a Cache-Control header such as public, max-age=60",
            Self::Folder => "the path of a folder",
            Self::Folders => "a list of folders",
            Self::Names => "a list of names",
            Self::LayerName => "the name of a layer",
            Self::Tiles => "an address of tiles such as https://tiles.example.org/{z}/{x}/{y}.png",
            Self::Text => "a text that is not empty",
            Self::Secret => "a token of 1 to 512 letters, digits and signs, without spaces",
            Self::Flag => "true or false",
            Self::Inputs => r#"a file with points such as "a.csv", or a list of them"#,
            Self::Style => "a table of a style's parameters",
            Self::JobName => "a name of 1 to 64 letters A-Z, a-z, digits, _ or -",
            Self::Bounds => "west, south, east, north in degrees, such as [5.9, 45.8, 10.5, 47.8]",
            Self::Places => r#"a list of tables such as { name = "bern", bounds = [7.3, 46.9, 7.6, 47.0] }"#,
            Self::Pixels => "a size such as \"800x600\" or 1024, the longer side",
            Self::Moment => "a time such as \"2024-05-01\" or \"2024-05-01T12:00:00Z\"",
            Self::Count(least, most) => {
                return format!("a whole number from {} to {}", grouped(least), grouped(most));
            }
            Self::Number(least, most) => return format!("a number from {least} to {most}"),
            Self::Time(least, most) => return format!("a time from {least} to {most}, such as 90s, 30m, 1h or 2d"),
            Self::Size(least, most) => return format!("a size from {least} to {most}, such as 500MB or 1GiB"),
            Self::Choice(names) => return format!("one of {}", names.join(", ")),
        };
        plain.into()
    }

    /// Whether it accepts `value`.
    pub(super) fn takes(self, value: &Value) -> bool {
        let text = value.as_str();
        // Numbers with a unit, and ports, may be written as plain numbers.
        let scalar = text.map(str::to_owned).or_else(|| value.as_integer().map(|number| number.to_string()));
        let scalar = scalar.as_deref();
        match self {
            Self::Listen => scalar.is_some_and(|text| read_listen(text).is_some()),
            Self::Url => text.is_some_and(is_url),
            Self::Tiles => text.is_some_and(is_tiles),
            Self::Origins => texts(value).is_some_and(|list| list == ["*"] || list.iter().copied().all(is_origin)),
            Self::CacheControl => text.is_some_and(is_header_value),
            Self::Folder | Self::Text => text.is_some_and(|text| !text.is_empty()),
            Self::Secret => text.is_some_and(|text| Token::new(text).is_some()),
            Self::Flag => value.as_bool().is_some(),
            Self::Folders | Self::Names => {
                texts(value).is_some_and(|list| list.iter().all(|folder| !folder.is_empty()))
            }
            Self::Count(least, most) => value
                .as_integer()
                .and_then(|number| u64::try_from(number).ok())
                .is_some_and(|number| (least..=most).contains(&number)),
            Self::Number(least, most) => value
                .as_float()
                .or_else(|| value.as_integer().map(|number| number as f64))
                .is_some_and(|number| (least..=most).contains(&number)),
            Self::Time(least, most) => {
                scalar.and_then(|text| text.parse().ok()).is_some_and(|time| (least..=most).contains(&time))
            }
            Self::Size(least, most) => {
                scalar.and_then(|text| text.parse().ok()).is_some_and(|size| (least..=most).contains(&size))
            }
            Self::LayerName => text.is_some_and(|name| check_name(name).is_ok()),
            Self::Choice(names) => scalar.is_some_and(|text| names.contains(&text)),
            Self::Inputs => texts(value)
                .or(text.map(|input| vec![input]))
                .is_some_and(|inputs| !inputs.is_empty() && inputs.iter().all(|input| !input.is_empty())),
            Self::Style => value.is_table(),
            Self::JobName => text.is_some_and(layer_name::is_valid),
            Self::Bounds => read_bounds(value).is_some(),
            Self::Places => {
                value.as_array().is_some_and(|places| !places.is_empty() && places.iter().all(Value::is_table))
            }
            Self::Pixels => scalar.is_some_and(|text| text.parse::<Size>().is_ok()),
            Self::Moment => scalar.is_some_and(|text| parse_time_us(text).is_some()),
        }
    }

    /// The value that is written as `text` in an environment variable or behind a flag; lists are separated by commas.
    pub(super) fn read(self, text: &str) -> Value {
        let as_text = || Value::String(text.to_owned());
        match self {
            Self::Count(..) => text.trim().replace('_', "").parse().map_or_else(|_| as_text(), Value::Integer),
            Self::Number(..) => text.trim().parse().map_or_else(|_| as_text(), Value::Float),
            Self::Flag => match text.trim() {
                "true" | "1" => Value::Boolean(true),
                "false" | "0" => Value::Boolean(false),
                _ => as_text(),
            },
            Self::Origins | Self::Folders | Self::Names | Self::Inputs => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }
            _ => as_text(),
        }
    }
}

/// The bounds of a text or of a list of four numbers.
fn read_bounds(value: &Value) -> Option<Bounds> {
    let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Array(edges) => match edges.iter().map(number).collect::<Option<Vec<_>>>()?[..] {
            [west, south, east, north] => Bounds::new(west, south, east, north).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The texts of a list, if it is one and holds nothing else.
fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// What follows `http://` or `https://`.
fn behind_scheme(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_plain = rest.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '?' | '#'));
    (is_plain && !rest.is_empty() && !rest.starts_with(['/', ':'])).then_some(rest)
}

fn is_url(text: &str) -> bool {
    behind_scheme(text).is_some()
}

/// Whether it is an address with the places of a tile in it; it may begin at this server, with a `/`.
fn is_tiles(text: &str) -> bool {
    let path = behind_scheme(text.split(['?', '#']).next().unwrap_or_default());
    let is_here = text.starts_with('/') && !text.starts_with("//");
    let is_plain = text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | ';' | ','));
    (path.is_some() || is_here) && is_plain && ["{z}", "{x}", "{y}"].iter().all(|place| text.contains(place))
}

/// Whether it is a scheme, a host and perhaps a port, as browsers send it.
fn is_origin(text: &str) -> bool {
    behind_scheme(text).is_some_and(|rest| !rest.contains(['/', '@', '*', ',']))
}

fn is_header_value(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic() || c == ' ') && text.trim() == text
}

/// A number with its thousands apart, as TOML takes it: `1_000_000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn value(toml: &str) -> Value {
        toml.parse().unwrap()
    }

    #[track_caller]
    fn check(kind: Kind, good: &[&str], bad: &[&str]) {
        for toml in good {
            assert!(kind.takes(&value(toml)), "{kind:?} should take {toml}");
        }
        for toml in bad {
            assert!(!kind.takes(&value(toml)), "{kind:?} should refuse {toml}");
        }
    }

    #[test]
    fn values_are_held_against_their_kind() {
        check(
            Kind::Listen,
            &["3000", "\":80\"", "\"0.0.0.0:1\"", "\"[::]:3000\""],
            &["70000", "-1", "\"host\"", "\"host:80\"", "1.5"],
        );
        check(
            Kind::Url,
            &["\"https://a.example/heat\"", "\"http://localhost:80\""],
            &[
                "\"a.example\"",
                "\"ftp://a\"",
                "\"https://\"",
                "\"https://a?b\"",
                "\"https:///a\"",
                "7",
                "\"http://a b\"",
            ],
        );
        check(
            Kind::Tiles,
            &["\"https://{s}.a.example/{z}/{x}/{y}.png?key=1\"", "\"/base/{z}/{x}/{y}\""],
            &[
                "\"https://a.example/{z}/{x}.png\"",
                "\"a/{z}/{x}/{y}\"",
                "\"//a/{z}/{x}/{y}\"",
                "\"https://a;b/{z}/{x}/{y}\"",
                "7",
            ],
        );
        check(
            Kind::Origins,
            &["[]", "[\"*\"]", "[\"https://a.example\", \"http://b:81\"]"],
            &["\"*\"", "[1]", "[\"https://a.example/\"]", "[\"*\", \"https://a.example\"]", "[\"a.example\"]"],
        );
        check(Kind::CacheControl, &["\"no-store\""], &["\"\"", "\"a\\nb\"", "\" a\"", "1"]);
        check(Kind::Count(1, 5), &["1", "5"], &["0", "6", "-1", "\"3\"", "2.0"]);
        check(Kind::Number(1.0, 5.0), &["1", "5.0"], &["0.9", "nan", "inf", "\"3\""]);
        let (hour, day) = (TimeSpan::from_secs(3600), TimeSpan::from_secs(86_400));
        check(Kind::Time(hour, day), &["3600", "\"1h\"", "\"1440m\""], &["\"59m\"", "\"2d\"", "0", "\"soon\"", "4e3"]);
        let (kb, mb) = (ByteSize::from_bytes(1000), ByteSize::from_bytes(1_000_000));
        check(Kind::Size(kb, mb), &["1000", "\"1MB\""], &["\"1MiB\"", "999", "true"]);
        check(Kind::Inputs, &["\"a.csv\"", "[\"a.csv\", \"-\"]"], &["[]", "\"\"", "[\"\"]", "5"]);
        check(Kind::Folders, &["[]", "[\"a\"]"], &["\"a\"", "[\"\"]"]);
        check(Kind::Choice(&["a", "b"]), &["\"a\""], &["\"c\"", "1"]);
        check(Kind::Choice(&["200", "404"]), &["\"200\"", "404"], &["204", "200.0", "\"2\""]);
        check(Kind::Flag, &["true", "false"], &["1", "\"true\""]);
        check(Kind::JobName, &["\"docs\"", "\"a-b_2\""], &["\"a b\"", "\"../a\"", "\"\"", "7"]);
        check(
            Kind::Bounds,
            &["[5, 45.5, 10, 47]", "\"5,45,10,47\"", "\"world\""],
            &["[5, 45, 10]", "[5, 47, 10, 45]", "\"here\"", "[\"5\", 45, 10, 47]", "5"],
        );
        check(Kind::Places, &["[{ name = \"a\" }]"], &["[]", "[5]", "{ name = \"a\" }"]);
        check(Kind::Pixels, &["1024", "\"800x600\""], &["0", "\"wide\"", "-5", "8.5"]);
        check(Kind::Moment, &["\"2024-05-01\"", "2024"], &["\"soon\"", "true"]);
        check(Kind::Secret, &["\"s3cret\""], &["\"\"", "\"a b\"", "7"]);
        check(Kind::LayerName, &["\"a\""], &["\"docs\"", "\"a b\""]);
    }

    #[test]
    fn variables_become_values() {
        assert_eq!(Kind::Count(0, 9).read("1_000"), value("1000"));
        assert_eq!(Kind::Count(0, 9).read("many"), value("\"many\""));
        assert_eq!(Kind::Number(0.0, 9.0).read("2"), value("2.0"));
        assert_eq!(Kind::Flag.read("true"), value("true"));
        assert_eq!(Kind::Flag.read("0"), value("false"));
        assert_eq!(Kind::Flag.read("maybe"), value("\"maybe\""));
        assert_eq!(Kind::Folders.read("a, b,"), value("[\"a\", \"b\"]"));
        assert_eq!(Kind::Text.read("5"), value("\"5\""));
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(Kind::Count(0, 1_234_567).accepts(), "a whole number from 0 to 1_234_567");
    }
}
