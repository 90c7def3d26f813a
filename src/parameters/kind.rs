//! The kinds of parameter values.

use serde_json::{Value as Json, json};

/// The values that a parameter accepts. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A display text of at most [`LABEL_BYTES`](Self::LABEL_BYTES).
    Label,
    /// A name. Leading and trailing spaces are removed.
    Name,
    /// One of these names. Case is ignored.
    Choice(&'static [&'static str]),
    /// A finite number.
    Number {
        /// The minimum.
        min: f64,
        /// The maximum.
        max: f64,
    },
    /// A whole number.
    Integer {
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
    /// True or false.
    Boolean,
    /// A number from 0 to 1, a percentage or a fraction.
    Share,
    /// The maximum, or a percentile.
    Percentile,
    /// A number of pixels, or a length with its unit.
    Length,
    /// A CSS color.
    Color,
    /// CSS colors from cold to hot.
    Colors,
    /// A point in time.
    Time,
    /// A duration with its unit.
    Duration,
    /// A text, or a list of texts.
    Texts,
    /// West, south, east and north, or two corners.
    Bounds,
    /// Width and height in pixels, or the longer side.
    Size,
    /// Two integers, one for both, or none.
    Pair,
    /// A zoom, or a range of zooms.
    Zooms,
    /// A JSON document, such as `GeoJSON`.
    Json,
}

/// The location of a parameter in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// The query string, as text.
    Query,
    /// A JSON body.
    Body,
}

impl Kind {
    /// The maximum length of a label, in bytes.
    pub const LABEL_BYTES: usize = 200;
    /// Any finite number.
    pub const NUMBER: Self = Self::Number { min: f64::NEG_INFINITY, max: f64::INFINITY };
    /// A non-negative integer.
    pub const COUNT: Self = Self::Integer { min: 0, max: u64::MAX };

    /// The accepted values, as the end of a sentence.
    pub fn accepts(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::Label => format!("a text of at most {} bytes", Self::LABEL_BYTES),
            Self::Name => "a name".into(),
            Self::Choice(names) => format!("one of {}", names.join(", ")),
            Self::Number { min: f64::NEG_INFINITY, max: f64::INFINITY } => "a finite number".into(),
            Self::Number { min, max } => format!("a number from {min} to {max}"),
            Self::Integer { min, max: u64::MAX } => format!("a whole number of at least {min}"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Boolean => "true or false".into(),
            Self::Share => "a share such as 0.5, 50% or 128/255".into(),
            Self::Percentile => "max, or a percentile such as p99".into(),
            Self::Length => "a size such as 25, 25px, 500m or 10km".into(),
            Self::Color => "a CSS color".into(),
            Self::Colors => "CSS colors, separated by commas".into(),
            Self::Time => "a time such as 2024-05-01, 2024-05-01T12:00:00Z or 2024, or Unix seconds".into(),
            Self::Duration => "a duration such as 90s, 30m, 1h or 2d".into(),
            Self::Texts => "a text or a list of texts".into(),
            Self::Bounds => "west,south,east,north or world".into(),
            Self::Size => "a size such as 800x600 or 1024".into(),
            Self::Pair => "two integers such as 7,5, one for both, or none".into(),
            Self::Zooms => "a zoom or a range of zooms such as 3-8".into(),
            Self::Json => "JSON".into(),
        }
    }

    /// The placeholder of a value in the help of the command line.
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

    /// Whether a value may start with a hyphen, like a negative number.
    pub fn allows_hyphen(self) -> bool {
        matches!(self, Self::Number { .. } | Self::Length | Self::Bounds)
    }

    /// The JSON schema of a value. Values are text in a query string, and JSON types in a body, where null means the
    /// default.
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
            Self::Number { min, max } => {
                let mut schema = if in_body { types(&["number", "string"]) } else { types(&["number"]) };
                if min.is_finite() && max.is_finite() {
                    (schema["minimum"], schema["maximum"]) = (number(min), number(max));
                }
                schema
            }
            Self::Integer { min, max } => {
                let mut schema = if in_body { types(&["integer", "string"]) } else { types(&["integer"]) };
                schema["minimum"] = json!(min);
                if max < u64::MAX {
                    schema["maximum"] = json!(max);
                }
                schema
            }
            Self::Boolean => types(&["boolean"]),
            Self::Share | Self::Length | Self::Time if in_body => types(&["string", "number"]),
            Self::Texts if in_body => {
                json!({"type": ["string", "array", "null"], "items": {"type": "string"}})
            }
            // A repeated parameter adds to the list.
            Self::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Self::Bounds if in_body => {
                let edge_or_corner = json!({"type": ["number", "array"], "items": {"type": "number"}});
                json!({"type": ["string", "array", "null"], "items": edge_or_corner})
            }
            Self::Size | Self::Pair if in_body => {
                json!({"type": ["string", "integer", "array", "null"], "items": {"type": "integer"}})
            }
            Self::Json if in_body => types(&["object", "array"]),
            _ => types(&["string"]),
        }
    }
}

/// A JSON number, written as an integer if it has no fraction.
fn number(number: f64) -> Json {
    if number.fract() == 0.0 { Json::from(number as i64) } else { Json::from(number) }
}
