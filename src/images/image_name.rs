//! The file names of pictures.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The name of a picture, `1732158000-67e5504410b1426f9247bb680e5fe0c8.png`: the Unix time in seconds at which it was
/// created, and a random UUID.
///
/// Parsing accepts exactly this form, so a parsed name is safe as part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    created_s: u64,
    id: Uuid,
}

impl ImageName {
    const EXTENSION: &str = ".png";
    /// The maximum time, in the year 5138.
    const MAX_CREATED_S: u64 = 99_999_999_999;

    /// A new name for a picture created at `created_s`, in seconds since 1970.
    pub fn new(created_s: u64) -> Self {
        Self { created_s: created_s.min(Self::MAX_CREATED_S), id: Uuid::new_v4() }
    }

    /// The creation time of the picture, in seconds since 1970.
    pub fn created_s(&self) -> u64 {
        self.created_s
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}{}", self.created_s, self.id.simple(), Self::EXTENSION)
    }
}

impl FromStr for ImageName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (time, id) = text.strip_suffix(Self::EXTENSION)?.split_once('-')?;
            let name = Self { created_s: time.parse().ok()?, id: Uuid::try_parse(id).ok()? };
            (name.created_s <= Self::MAX_CREATED_S).then_some(name)
        };
        // Only the canonical form is accepted: no plus sign, no leading zero, no other form of the UUID.
        read().filter(|name| name.to_string() == text).ok_or_else(|| {
            Error::invalid(
                Parameter::FILENAME,
                "not the name of a picture, such as 1732158000-67e5504410b1426f9247bb680e5fe0c8.png",
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_of_a_name_is_accepted() {
        let name = ImageName::new(1_732_158_000);
        let text = name.to_string();
        assert_eq!(text.parse::<ImageName>().unwrap(), name);
        assert!(text.starts_with("1732158000-"));
        assert_ne!(ImageName::new(1_732_158_000), name);
        let id = "67e5504410b1426f9247bb680e5fe0c8";
        for bad in [
            String::new(),
            "photo.png".into(),
            format!("../1-{id}.png"),
            format!("+1-{id}.png"),
            format!("01-{id}.png"),
            format!("1-{}.png", id.to_uppercase()),
            format!("1-{{{id}}}.png"),
            format!("1-{id}.PNG"),
            format!("1-{id}"),
            format!("1-{id}.png/.."),
            format!("999999999999-{id}.png"),
            format!("1-{id}\0.png"),
        ] {
            assert!(bad.parse::<ImageName>().is_err(), "{bad}");
        }
    }
}
