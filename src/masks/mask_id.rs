//! The ids of stored masks.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The id of a stored mask: 122 random bits (UUID version 4) as 32 hexadecimal digits. The id grants access: any client that
/// knows it can read, change and delete the mask.
///
/// Parsing accepts only this form, so an id is safe as part of a path.
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
        // Only the canonical form: no upper case, no hyphens, no braces.
        id.filter(|id| id.to_string() == text)
            .ok_or_else(|| Error::invalid(Parameter::MASK, "invalid mask id; expected 32 hexadecimal digits"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_of_an_id_is_parsed() {
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
