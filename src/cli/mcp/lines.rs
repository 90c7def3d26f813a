//! Lines of standard input.

use std::io::BufRead;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::error::{Error, Result};

/// The maximum length of a line in bytes. Arguments of tools are much shorter.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(Vec<u8>),
    /// Longer than [`MAX_BYTES`]; its bytes were skipped.
    TooLong,
}

/// Reads the lines of standard input on a thread of their own, until its end.
///
/// # Errors
/// If the thread cannot be started.
pub(super) fn of_stdin() -> Result<Receiver<Line>> {
    // Few: the rest stays in the pipe until it is needed.
    let (sender, receiver) = channel(4);
    let read = move || {
        // An error is the end, too: nothing more can be read.
        let _ = read_lines(&mut std::io::stdin().lock(), &sender);
    };
    let thread = std::thread::Builder::new().name("stdin".into()).spawn(read);
    thread.map(|_| receiver).map_err(|error| Error::io("a thread", "start", error))
}

fn read_lines(input: &mut impl BufRead, lines: &Sender<Line>) -> std::io::Result<()> {
    let (mut text, mut is_too_long) = (Vec::new(), false);
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        is_too_long |= text.len() + part.len() > MAX_BYTES;
        if is_too_long {
            text = Vec::new();
        } else {
            text.extend_from_slice(part);
        }
        let (read, is_at_end) = (part.len() + usize::from(end.is_some()), buffer.is_empty());
        input.consume(read);
        if end.is_some() || is_at_end {
            let line = if is_too_long { Line::TooLong } else { Line::Text(std::mem::take(&mut text)) };
            is_too_long = false;
            if line != Line::Text(Vec::new()) && lines.blocking_send(line).is_err() {
                return Ok(());
            }
        }
        if is_at_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_that_are_too_long_are_skipped_and_the_last_one_needs_no_end() {
        let long = "x".repeat(MAX_BYTES + 1);
        let longest = "y".repeat(MAX_BYTES);
        let text = format!("one\n\n{long}\n{longest}\nlast");
        let (sender, mut receiver) = channel(8);
        read_lines(&mut BufReader::with_capacity(1000, text.as_bytes()), &sender).unwrap();
        drop(sender);
        let mut next = || receiver.try_recv().ok();
        assert_eq!(next(), Some(Line::Text(b"one".to_vec())));
        assert_eq!(next(), Some(Line::TooLong));
        assert_eq!(next(), Some(Line::Text(longest.into_bytes())));
        assert_eq!(next(), Some(Line::Text(b"last".to_vec())));
        assert_eq!(next(), None);
    }
}
