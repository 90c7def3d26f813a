//! Confirmation of changes that cannot be undone.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::signals;
use super::visible::visible;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The flag that confirms a change.
pub(super) const YES: Parameter = Parameter::new("yes");

/// Whether a person can answer a question: standard input and standard error are terminals.
pub(super) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks `question` on the terminal. Only `y` and `yes` confirm.
///
/// # Errors
/// [`Error::Cancelled`] on Ctrl-C; [`Error::Io`] if the terminal cannot be read.
pub(super) fn is_confirmed(question: &str) -> Result<bool> {
    /// The interval at which a signal is noticed.
    const POLL: Duration = Duration::from_millis(50);
    let terminal_error = |error| Error::io("-", "ask for confirmation on", error);
    let mut output = std::io::stderr();
    write!(output, "{} [y/N] ", visible(question)).and_then(|()| output.flush()).map_err(terminal_error)?;
    // A read of the terminal is not interrupted by a signal, so another thread waits for the line.
    let (sender, answers) = channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer).map(|_| answer);
        // Fails if the question was cancelled.
        let _ = sender.send(read);
    });
    loop {
        match answers.recv_timeout(POLL) {
            Ok(answer) => {
                let answer = answer.map_err(terminal_error)?;
                return Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"));
            }
            Err(RecvTimeoutError::Timeout) if signals::received().is_none() => {}
            Err(_) => {
                // The next message starts on a line of its own.
                let _ = writeln!(output);
                return Err(Error::Cancelled);
            }
        }
    }
}
