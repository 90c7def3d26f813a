//! Values of parameters, from text and back.

use super::Kind;
use crate::error::Error;
use crate::geo::Bounds;
use crate::parameter::Message;
use crate::source::parse_time_us;

/// A value of a parameter.
pub trait Value: Sized {
    /// Reads a value that `kind` takes.
    ///
    /// # Errors
    /// What is wrong with the text, and what would be accepted.
    fn read(text: &str, kind: Kind) -> Result<Self, Message>;

    /// The text that [`read`](Self::read) takes; `None` if another parameter has the value.
    fn write(&self) -> Option<String>;

    /// Checks a value that may not come from text.
    ///
    /// # Errors
    /// What is wrong with it, and what would be accepted.
    fn check(&self, _kind: Kind) -> Result<(), Message> {
        Ok(())
    }
}

/// Implements [`Value`] for types that [`FromStr`](std::str::FromStr) reads and [`Display`](std::fmt::Display) writes.
macro_rules! from_str_values {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::parameters::Value for $type {
            fn read(text: &str, _: $crate::parameters::Kind) -> Result<Self, $crate::parameter::Message> {
                text.parse().map_err($crate::error::Error::into_message)
            }

            fn write(&self) -> Option<String> {
                Some(self.to_string())
            }
        })*
    };
}
pub(crate) use from_str_values;

from_str_values!(
    crate::color::Background,
    crate::color::Gradient,
    crate::color::Opacity,
    crate::geo::Projection,
    crate::geo::Zooms,
    crate::raster::Aggregation,
    crate::raster::Curve,
    crate::raster::Normalization,
    crate::raster::Shape,
    crate::source::AxisOrder,
    crate::source::Quote,
    crate::source::time::TimeFormat,
);

impl Value for String {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        match kind {
            Kind::Name => Ok(text.trim().to_owned()),
            Kind::Label if text.len() > Kind::LABEL_BYTES => {
                Err(format!("it is longer than {} bytes", Kind::LABEL_BYTES).into())
            }
            _ => Ok(text.to_owned()),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Value for Bounds {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        text.parse().map_err(Error::into_message)
    }

    /// In full, where [`Display`](std::fmt::Display) rounds.
    fn write(&self) -> Option<String> {
        let Self { west, south, east, north } = self;
        Some(format!("{west},{south},{east},{north}"))
    }
}

impl Value for bool {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        match text.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false").into()),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for f64 {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        let number: Self = text.trim().parse().map_err(|_| unaccepted(text, kind))?;
        number.check(kind).map(|()| number).map_err(|_| unaccepted(text, kind))
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn check(&self, kind: Kind) -> Result<(), Message> {
        let fits = match kind {
            Kind::Number { min, max } => self.is_finite() && (min..=max).contains(self),
            _ => true,
        };
        if fits { Ok(()) } else { Err(unaccepted(self, kind)) }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn read(text: &str, kind: Kind) -> Result<Self, Message> {
                let number: Self = text.trim().parse().map_err(|_| unaccepted(text, kind))?;
                number.check(kind).map(|()| number)
            }

            fn write(&self) -> Option<String> {
                Some(self.to_string())
            }

            fn check(&self, kind: Kind) -> Result<(), Message> {
                let fits = match kind {
                    Kind::Integer { min, max } => (min..=max).contains(&u64::from(*self)),
                    Kind::Choice(names) => names.contains(&self.to_string().as_str()),
                    _ => true,
                };
                if fits { Ok(()) } else { Err(unaccepted(self, kind)) }
            }
        })*
    };
}
integers!(u8, u32, u64);

/// Microseconds since 1970, in UTC.
impl Value for i64 {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        parse_time_us(text).ok_or_else(|| unaccepted(text, kind))
    }

    fn write(&self) -> Option<String> {
        Some(time_text(*self))
    }
}

/// In text a JSON list, or separated by commas.
impl Value for Vec<String> {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        if text.starts_with('[') {
            return serde_json::from_str(text).map_err(|_| "it is neither a text nor a list of texts".into());
        }
        Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    /// As JSON: a text may contain a comma.
    fn write(&self) -> Option<String> {
        if self.is_empty() { None } else { Some(serde_json::Value::from(self.as_slice()).to_string()) }
    }
}

fn unaccepted(value: impl std::fmt::Display, kind: Kind) -> Message {
    format!("`{value}` is not {}", kind.accepts()).into()
}

/// A time as RFC 3339, to the microsecond.
pub(crate) fn time_text(time_us: i64) -> String {
    // Beyond the calendar a time is its number.
    jiff::Timestamp::from_microsecond(time_us).map_or_else(|_| time_us.to_string(), |time| time.to_string())
}
