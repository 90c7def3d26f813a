//! Terminal output: messages, JSON and errors.

use std::io::Write;

use serde::Serialize;

use super::visible::visible;
use crate::error::{Error, Result, printed};
use crate::parameter::Parameter;
use crate::redact::without_passwords;

/// Prints a line on standard error, without passwords and control characters. A closed pipe is ignored.
pub(super) fn print_message(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible(&without_passwords(line)));
}

/// Prints remarks on standard error, one per line.
pub(super) fn print_notes(remarks: &[String]) {
    for remark in remarks {
        print_message(&format!("kiln: note: {remark}"));
    }
}

/// Prints text on standard output.
pub(super) fn print_text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error::io("-", "write", error))
}

/// Prints a value as JSON on standard output.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    let mut out = std::io::stdout().lock();
    let written = text.and_then(|text| writeln!(out, "{text}")).and_then(|()| out.flush());
    written.map_err(|error| Error::io("-", "write", error))
}

/// Describes an error in one line, with the flags of parameters.
pub(super) fn describe(error: &Error) -> String {
    describe_with(error, Parameter::flag)
}

/// Describes an error in one line; `spell` formats parameters.
pub(super) fn describe_with<S: AsRef<str>>(error: &Error, spell: impl Fn(Parameter) -> S) -> String {
    let line = match error {
        Error::Invalid { parameter, message } => {
            format!("{}: {}", spell(*parameter).as_ref(), message.spelled(spell))
        }
        Error::Input { input, message } => format!("{}: {}", printed(input), message.spelled(spell)),
        other => other.to_string(),
    };
    line.replace('\n', " ")
}
