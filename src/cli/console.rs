//! Output to the terminal: lines, JSON and errors.

use std::io::Write;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Prints a line on standard error. A closed pipe is ignored.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints remarks on standard error, each in a line of its own.
pub(super) fn note(remarks: &[String]) {
    for remark in remarks {
        say(&format!("kiln: note: {remark}"));
    }
}

/// Prints a value as JSON on standard output.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    let mut out = std::io::stdout().lock();
    let written = text.and_then(|text| writeln!(out, "{text}")).and_then(|()| out.flush());
    written.map_err(|error| Error::io("-", "write", error))
}

/// Describes an error in one line; a parameter is named by its flag.
pub(super) fn described(error: &Error) -> String {
    spelled(error, Parameter::flag)
}

/// Describes an error in one line; `spell` writes parameters.
pub(super) fn spelled<S: AsRef<str>>(error: &Error, spell: impl Fn(Parameter) -> S) -> String {
    let line = match error {
        Error::Invalid { parameter, message } => {
            format!("{}: {}", spell(*parameter).as_ref(), message.spelled(spell))
        }
        Error::Input { input, message } => format!("{}: {}", input.display(), message.spelled(spell)),
        other => other.to_string(),
    };
    line.replace('\n', " ")
}
