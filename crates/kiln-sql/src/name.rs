//! Names of tables and columns as a user writes them.

use kiln_core::{Error, Parameter, Result};

/// A part of a name: its text, and whether it was in double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) is_quoted: bool,
}

/// Splits a name at its dots: `lake.trips`, `"lake.eu".trips`. In double quotes a dot is a part of the name, and `""` is
/// one quote.
pub(crate) fn parts(parameter: Parameter, name: &str) -> Result<Vec<Part>> {
    check_characters(parameter, name)?;
    let invalid = || {
        let message =
            format!("`{name}` is not a name; write parts with dots or quotes in double quotes: lake.\"my.trips\"");
        Error::invalid(parameter, message)
    };
    let mut parts = Vec::new();
    let mut rest = name;
    loop {
        let part = if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut after = quoted;
            loop {
                let (run, tail) = after.split_once('"').ok_or_else(invalid)?;
                text.push_str(run);
                rest = tail;
                let Some(tail) = tail.strip_prefix('"') else { break };
                text.push('"');
                after = tail;
            }
            Part { text, is_quoted: true }
        } else {
            let end = rest.find(['.', '"']).unwrap_or(rest.len());
            let text = rest[..end].to_owned();
            rest = &rest[end..];
            Part { text, is_quoted: false }
        };
        if part.text.trim().is_empty() {
            return Err(invalid());
        }
        parts.push(part);
        if rest.is_empty() {
            return Ok(parts);
        }
        rest = rest.strip_prefix('.').ok_or_else(invalid)?;
    }
}

/// Rejects empty texts and control characters, which no engine needs in a name or a path.
pub(crate) fn check_characters(parameter: Parameter, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(parameter, "it is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(parameter, format!("{text:?} has a control character")));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_dots_outside_of_quotes() {
        let split = |name: &str| -> Vec<String> {
            parts(Parameter::TABLE, name).unwrap().into_iter().map(|part| part.text).collect()
        };
        assert_eq!(split("trips"), ["trips"]);
        assert_eq!(split("my-project.lake.trips"), ["my-project", "lake", "trips"]);
        assert_eq!(split("\"a.b\".c"), ["a.b", "c"]);
        assert_eq!(split("a.\"say \"\"hi\"\"\""), ["a", "say \"hi\""]);
        for name in ["", " ", "a..b", ".a", "a.", "\"a", "\"a\"b", "a\"b\"", "\"\"", "a\nb", "a\0"] {
            assert!(parts(Parameter::TABLE, name).is_err(), "{name:?}");
        }
    }
}
