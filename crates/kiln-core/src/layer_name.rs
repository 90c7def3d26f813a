//! The syntax of layer names: a name is a URL path segment, a folder of a store and a key of the configuration.

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The maximum length of a name, in bytes.
pub const MAX_LEN: usize = 64;

/// The syntax of names, for error messages.
pub const RULE: &str = "a layer's name has 1 to 64 letters A-Z, a-z, digits, _ or -";

/// Whether a name is valid. A valid name is a single path component: no separator, no `.` or `..`, no hidden file.
pub fn is_valid(name: &str) -> bool {
    (1..=MAX_LEN).contains(&name.len()) && name.chars().all(is_valid_char)
}

/// Whether a name may contain a character.
pub fn is_valid_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// Checks a name before it becomes part of a path.
///
/// # Errors
/// [`Error::Invalid`] if the name is not [valid](is_valid).
pub fn check(name: &str) -> Result<()> {
    if is_valid(name) { Ok(()) } else { Err(Error::invalid(Parameter::LAYER, RULE)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_name_is_a_single_path_component() {
        for valid in ["a", "-", "Cities_2024-05", &"x".repeat(MAX_LEN)] {
            assert!(check(valid).is_ok(), "{valid}");
        }
        let too_long = "x".repeat(MAX_LEN + 1);
        for invalid in ["", ".", "..", ".a", "a b", "å", "a/b", "a\\b", "a.b", "C:", "a\0", "a\n", &too_long] {
            assert!(check(invalid).is_err_and(|error| error.to_string().contains(RULE)), "{invalid:?}");
        }
        assert!(RULE.contains(&MAX_LEN.to_string()));
    }
}
