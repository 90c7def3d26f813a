//! The names that Kiln gives to pictures.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The name of a picture: `1732158000-67e5504410b1426f9247bb680e5fe0c8.png`, the Unix time in seconds at which it was
/// made and a random number that no other picture has.
///
/// A name that was read from text is of exactly this form, so it is safe as part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    created_s: u64,
    id: Uuid,
}

impl ImageName {
    const ENDING: &str = ".png";
    /// Times beyond this, in the year 5138, are none of ours.
    const MAX_CREATED_S: u64 = 99_999_999_999;

    /// A new name for a picture made at `created_s`, in seconds since 1970.
    pub fn new(created_s: u64) -> Self {
        Self { created_s: created_s.min(Self::MAX_CREATED_S), id: Uuid::new_v4() }
    }

    /// When the picture was made, in seconds since 1970.
    pub fn created_s(&self) -> u64 {
        self.created_s
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}{}", self.created_s, self.id.simple(), Self::ENDING)
    }
}

impl FromStr for ImageName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (time, id) = text.strip_suffix(Self::ENDING)?.split_once('-')?;
            let name = Self { created_s: time.parse().ok()?, id: Uuid::try_parse(id).ok()? };
            (name.created_s <= Self::MAX_CREATED_S).then_some(name)
        };
        // Only the one way that the name is written counts: no plus sign, no leading zero, no other form of the id.
        read().filter(|name| name.to_string() == text).ok_or_else(|| {
            Error::invalid(
                Parameter::FILENAME,
                "it is not the name of a picture, such as 1732158000-67e5504410b1426f9247bb680e5fe0c8.png",
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_in_no_other_way() {
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
