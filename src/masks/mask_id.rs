//! The ids of stored masks.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The id of a stored mask: 122 random bits (UUID version 4) as 32 hexadecimal digits. Whoever has the id may read, change and
/// delete the mask.
///
/// An id that was read from text is of exactly this form, so it is safe as part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaskId(Uuid);

impl MaskId {
    /// A new id.
    pub(super) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for MaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl FromStr for MaskId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let id = Uuid::try_parse(text).ok().map(Self);
        // Only the form in which an id is written: no upper case, no hyphens, no braces.
        id.filter(|id| id.to_string() == text)
            .ok_or_else(|| Error::invalid(Parameter::MASK, "an id of a mask has 32 hexadecimal digits"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_the_form_in_which_they_are_written_alone() {
        let id = MaskId::random();
        let text = id.to_string();
        assert_eq!((text.len(), text.parse::<MaskId>().unwrap()), (32, id));
        assert_ne!(MaskId::random(), id);
        let hyphenated = id.0.hyphenated().to_string();
        for bad in ["", "..", &text[1..], &format!("{text}0"), &format!("../{text}"), &text.to_uppercase(), &hyphenated]
        {
            // An id without letters is the same in upper case.
            assert!(bad == text || bad.parse::<MaskId>().is_err(), "{bad}");
        }
    }
}
