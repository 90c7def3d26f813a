//! Which values a parameter takes.

use serde_json::{Value as Json, json};

/// Which values a parameter takes. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text of at most [`LABEL_BYTES`](Self::LABEL_BYTES), for people.
    Label,
    /// The name of something; spaces around it do not count.
    Name,
    /// One of these names, in any case.
    Choice(&'static [&'static str]),
    /// A finite number.
    Number {
        /// The least.
        least: f64,
        /// The greatest.
        most: f64,
    },
    /// A whole number.
    Integer {
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// True or false.
    Boolean,
    /// A number from 0 to 1, a percentage or a fraction.
    Share,
    /// The greatest value, or a percentile.
    Percentile,
    /// A number of pixels, or a length with its unit.
    Length,
    /// A CSS color.
    Color,
    /// CSS colors from cold to hot.
    Colors,
    /// A point in time.
    Time,
    /// An amount of time with its unit.
    Duration,
    /// A text, or a list of them.
    Texts,
    /// West, south, east and north, or the corners.
    Bounds,
    /// Width and height in pixels, or the longer side.
    Size,
    /// Two whole numbers, or one for both; or none.
    Pair,
    /// A zoom, or the first and the last of several.
    Zooms,
    /// JSON that is read on its own, such as `GeoJSON`.
    Json,
}

/// Where a request has a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the query string, as text.
    Query,
    /// In a JSON body.
    Body,
}

impl Kind {
    /// The most bytes of a label.
    pub const LABEL_BYTES: usize = 200;
    /// Any finite number.
    pub const NUMBER: Self = Self::Number { least: f64::NEG_INFINITY, most: f64::INFINITY };
    /// A whole number from 0 on.
    pub const COUNT: Self = Self::Integer { least: 0, most: u64::MAX };

    /// What it takes, as the end of a sentence.
    pub fn accepts(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::Label => format!("a text of at most {} bytes", Self::LABEL_BYTES),
            Self::Name => "a name".into(),
            Self::Choice(names) => format!("one of {}", names.join(", ")),
            Self::Number { least: f64::NEG_INFINITY, most: f64::INFINITY } => "a finite number".into(),
            Self::Number { least, most } => format!("a number from {least} to {most}"),
            Self::Integer { least, most: u64::MAX } => format!("a whole number from {least} on"),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Boolean => "true or false".into(),
            Self::Share => "a share such as 0.5, 50% or 128/255".into(),
            Self::Percentile => "max, or a percentile such as p99".into(),
            Self::Length => "a size such as 25, 25px, 500m or 10km".into(),
            Self::Color => "a CSS color".into(),
            Self::Colors => "CSS colors, separated by commas".into(),
            Self::Time => "a time such as 2024-05-01, 2024-05-01T12:00:00Z or 2024, or Unix seconds".into(),
            Self::Duration => "an amount of time such as 90s, 30m, 1h or 2d".into(),
            Self::Texts => "a text or a list of texts".into(),
            Self::Bounds => "west,south,east,north or world".into(),
            Self::Size => "a size such as 800x600 or 1024".into(),
            Self::Pair => "two whole numbers such as 7,5, one for both, or none".into(),
            Self::Zooms => "a zoom or a range of them such as 3-8".into(),
            Self::Json => "JSON".into(),
        }
    }

    /// What the help of the command line calls a value.
    pub fn value_name(self) -> String {
        match self {
            Self::Choice(names) => names.join("|"),
            Self::Text | Self::Label => "TEXT".into(),
            Self::Name | Self::Texts => "NAME".into(),
            Self::Number { .. } => "VALUE".into(),
            Self::Integer { .. } => "N".into(),
            Self::Boolean => "true|false".into(),
            Self::Share => "SHARE".into(),
            Self::Percentile => "POLICY".into(),
            Self::Length => "SIZE".into(),
            Self::Color => "COLOR".into(),
            Self::Colors => "COLORS".into(),
            Self::Time | Self::Duration => "TIME".into(),
            Self::Bounds => "W,S,E,N".into(),
            Self::Size => "WxH".into(),
            Self::Pair => "A,B".into(),
            Self::Zooms => "ZOOMS".into(),
            Self::Json => "JSON".into(),
        }
    }

    /// Whether a value may begin with a hyphen: a negative number.
    pub fn allows_hyphen(self) -> bool {
        matches!(self, Self::Number { .. } | Self::Length | Self::Bounds)
    }

    /// Its JSON schema. A query string has everything as text; a body has JSON's own types, and null for what is left out.
    pub fn schema(self, location: Location) -> Json {
        let in_body = location == Location::Body;
        let types = |types: &[&str]| match location {
            Location::Query => json!({"type": types[0]}),
            Location::Body => json!({"type": types.iter().chain(&["null"]).collect::<Vec<_>>()}),
        };
        match self {
            Self::Choice(names) if in_body => {
                let names = names.iter().copied().map(Json::from).chain([Json::Null]).collect::<Vec<_>>();
                json!({"type": ["string", "null"], "enum": names})
            }
            Self::Choice(names) => json!({"type": "string", "enum": names}),
            Self::Number { least, most } => {
                let mut schema = if in_body { types(&["number", "string"]) } else { types(&["number"]) };
                if least.is_finite() && most.is_finite() {
                    (schema["minimum"], schema["maximum"]) = (number(least), number(most));
                }
                schema
            }
            Self::Integer { least, most } => {
                let mut schema = if in_body { types(&["integer", "string"]) } else { types(&["integer"]) };
                schema["minimum"] = json!(least);
                if most < u64::MAX {
                    schema["maximum"] = json!(most);
                }
                schema
            }
            Self::Boolean => types(&["boolean"]),
            Self::Share | Self::Length | Self::Time if in_body => types(&["string", "number"]),
            Self::Texts if in_body => {
                json!({"type": ["string", "array", "null"], "items": {"type": "string"}})
            }
            Self::Bounds if in_body => types(&["string", "array"]),
            Self::Size | Self::Pair if in_body => {
                json!({"type": ["string", "integer", "array", "null"], "items": {"type": "integer"}})
            }
            Self::Json if in_body => types(&["object", "array"]),
            _ => types(&["string"]),
        }
    }
}

/// A number in JSON, without a fraction where there is none.
fn number(number: f64) -> Json {
    if number.fract() == 0.0 { Json::from(number as i64) } else { Json::from(number) }
}
