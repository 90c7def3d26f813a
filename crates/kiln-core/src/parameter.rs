//! Parameter names, and messages that mention parameters.
//!
//! A parameter has one name in the library. Each front end spells it in its own way: the command line as a flag
//! (`--true-scale`), requests and configuration files as a key (`true_scale`).

use std::fmt;

/// A parameter name in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameter(&'static str);

macro_rules! names {
    ($($constant:ident = $name:literal,)*) => {
        impl Parameter {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: Self = Self::new($name);
            )*
        }
    };
}

names! {
    AGG = "agg",
    ANNOTATIONS = "annotations",
    ATTRIBUTION = "attribution",
    AXES = "axes",
    BACKGROUND = "background",
    BINS = "bins",
    BLEND = "blend",
    BLUR = "blur",
    BLUR_KSIZE = "blur_ksize",
    BOUNDS = "bounds",
    BY_CATEGORY = "by_category",
    CATEGORIES = "categories",
    CATEGORY = "category",
    CATEGORY_COLUMN = "category_column",
    CELLS = "cells",
    CELL_PX = "cell_px",
    CELL_SIZE = "cell_size",
    CHANNELS_FIRST = "channels_first",
    CLASS = "class",
    CLASS_NAMES = "class_names",
    COLORMAP = "colormap",
    COLUMN = "column",
    COMPARE = "compare",
    CRS = "crs",
    CURVE = "curve",
    DATABASE = "database",
    DATA_TYPES = "data_types",
    DAY_FIRST = "day_first",
    DOT_SIZE = "dot_size",
    ENCODING = "encoding",
    END = "end",
    END_BYTES = "end_bytes",
    EVERY = "every",
    EXPIRE = "expire",
    FILENAME = "filename",
    FILE_BYTES = "file_bytes",
    FIT = "fit",
    FORMAT = "format",
    FRAMES = "frames",
    GEOMETRY = "geometry",
    GRADIENT = "gradient",
    HEATMAP_TYPE = "heatmap_type",
    HEIGHT = "height",
    HEIGHT_SCALE = "height_scale",
    HOURS = "hours",
    IDEMPOTENCY_KEY = "idempotency_key",
    INDEX = "index",
    INPUT = "input",
    KEEP = "keep",
    KERNEL = "kernel",
    KML = "kml",
    LAT = "lat",
    LAYER = "layer",
    LEGEND = "legend",
    LEVELS = "levels",
    LIMIT = "limit",
    LON = "lon",
    MASK = "mask",
    MAX_PIXELS = "max_pixels",
    MEMBER = "member",
    MIN_COUNT = "min_count",
    MIN_COUNT_CELL = "min_count_cell",
    MIN_COUNT_PERIOD = "min_count_period",
    MONTHS = "months",
    NORMALIZE = "normalize",
    OMIT_EMPTY = "omit_empty",
    OP = "op",
    OPACITY = "opacity",
    ORDER = "order",
    OUTPUT = "output",
    PARTITION = "partition",
    PARTITION_BEFORE = "partition_before",
    PICTURE = "picture",
    PIXEL_RATIO = "pixel_ratio",
    PNG = "png",
    POINTS = "points",
    POLYGON = "polygon",
    POLYGONS = "polygons",
    PROFILE = "profile",
    PROJECTION = "projection",
    QUERY = "query",
    QUOTE = "quote",
    RADIUS = "radius",
    READ_ONLY = "read_only",
    RECORDS = "records",
    RESAMPLE = "resample",
    RESCALE = "rescale",
    RESOLUTION = "resolution",
    ROOMS = "rooms",
    ROW = "row",
    SCALE = "scale",
    SCHEDULE = "schedule",
    SCHEME = "scheme",
    SCHEMES = "schemes",
    SEARCH = "search",
    SHAPE = "shape",
    SHOW_VALUES = "show_values",
    SIZE = "size",
    SKIP_CROWDS = "skip_crowds",
    SPACE_ID = "space_id",
    START = "start",
    STYLE = "style",
    TABLE = "table",
    TILE = "tile",
    TIME = "time",
    TIMEZONE = "timezone",
    TIME_FORMAT = "time_format",
    TITLE = "title",
    TRANSPARENT_LOW = "transparent_low",
    TRACK = "track",
    TRUE_SCALE = "true_scale",
    TZ = "tz",
    UNIT = "unit",
    UNITS = "units",
    V = "v",
    VALUE = "value",
    VALUES = "values",
    VALUE_FORMAT = "value_format",
    VMAX = "vmax",
    VMIN = "vmin",
    WEBHOOK = "webhook",
    WEEKDAYS = "weekdays",
    WEIGHT = "weight",
    WHERE = "where",
    WIDTH = "width",
    X = "x",
    X_BINS = "x_bins",
    X_LABELS = "x_labels",
    X_TITLE = "x_title",
    Y = "y",
    Y_BINS = "y_bins",
    Y_LABELS = "y_labels",
    Y_TITLE = "y_title",
    Z = "z",
    ZOOM = "zoom",
}

impl Parameter {
    /// The parameter called `name`.
    ///
    /// # Panics
    /// If the name has characters other than `a`-`z`, digits and `_`; in a constant this is a compile error.
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(matches!(bytes[i], b'a'..=b'z' | b'0'..=b'9' | b'_'), "a name is in snake case");
            i += 1;
        }
        Self(name)
    }

    /// The name: `true_scale`.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The key in a request or a configuration file. The key of [`CATEGORY_COLUMN`](Self::CATEGORY_COLUMN) is
    /// `category`.
    pub fn key(self) -> &'static str {
        if self == Self::CATEGORY_COLUMN { Self::CATEGORY.0 } else { self.0 }
    }

    /// The long option on the command line, without the hyphens: `true-scale`.
    pub fn option(self) -> String {
        self.0.replace('_', "-")
    }

    /// The flag on the command line: `--true-scale`.
    pub fn flag(self) -> String {
        format!("--{}", self.option())
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// An error message or notice: text, and the parameters that it mentions. [`message!`](crate::message) creates one from
/// several parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Parameter(Parameter),
}

/// Creates a [`Message`] from texts and parameters:
/// `message!("it is not before ", Parameter::END)`.
#[macro_export]
macro_rules! message {
    ($($part:expr),+ $(,)?) => {
        $crate::parameter::Message::default()$(.with($part))+
    };
}

impl Message {
    /// Appends `part` to the message.
    #[must_use]
    pub fn with(mut self, part: impl Into<Self>) -> Self {
        self.0.extend(part.into().0);
        self
    }

    /// The parameters that the message mentions.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Parameter(parameter) => Some(*parameter),
        })
    }

    /// The text of the message, with parameters spelled by `spell`.
    pub fn spelled<S: AsRef<str>>(&self, spell: impl Fn(Parameter) -> S) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Parameter(parameter) => text.push_str(spell(*parameter).as_ref()),
            }
        }
        text
    }

    /// The text of the message, with parameters as keys: see [`Parameter::key`].
    pub fn with_keys(&self) -> String {
        self.spelled(Parameter::key)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Parameter(parameter) => parameter.fmt(f),
        })
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self(vec![Part::Text(text)])
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Parameter> for Message {
    fn from(parameter: Parameter) -> Self {
        Self(vec![Part::Parameter(parameter)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_spelled_per_front_end() {
        assert_eq!(Parameter::TRUE_SCALE.to_string(), "true_scale");
        assert_eq!(Parameter::TRUE_SCALE.flag(), "--true-scale");
        assert_eq!((Parameter::TRUE_SCALE.key(), Parameter::CATEGORY_COLUMN.key()), ("true_scale", "category"));
    }

    #[test]
    fn messages_spell_the_parameters_that_they_mention() {
        let message = message!("no column; name one with ", Parameter::CATEGORY_COLUMN, format!(": {}", "a, b"));
        assert_eq!(message.to_string(), "no column; name one with category_column: a, b");
        assert_eq!(message.with_keys(), "no column; name one with category: a, b");
        assert_eq!(message.spelled(Parameter::flag), "no column; name one with --category-column: a, b");
        assert_eq!(message.parameters().collect::<Vec<_>>(), [Parameter::CATEGORY_COLUMN]);
    }
}
