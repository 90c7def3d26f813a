//! Text for terminals and logs, in which names of files and answers of servers may have any characters.

use std::borrow::Cow;
use std::fmt::Write;

/// Replaces characters that control a terminal, or the order of its text, by their numbers, such as `\u001b`, which JSON has
/// as well. Line feeds and tabs stay.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    visible_except(text, |_| 0)
}

/// Like [`visible`], for a line of the log: only the last line feed stays, and colors if `has_colors`, which the formatter of
/// the log has added.
pub(super) fn visible_log_line(line: &str, has_colors: bool) -> Cow<'_, str> {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    let text = visible_except(text, |rest| if has_colors { color_length(rest) } else { 0 });
    if !text.contains('\n') {
        return if text.len() + end.len() == line.len() {
            Cow::Borrowed(line)
        } else {
            Cow::Owned(text.into_owned() + end)
        };
    }
    Cow::Owned(text.replace('\n', "\\u000a") + end)
}

/// Replaces characters, except for as many bytes as `kept` returns for the text from a control character on.
fn visible_except(text: &str, kept: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(is_control) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = kept(rest);
        if length > 0 {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        } else if let Some(c) = rest.chars().next() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
            rest = &rest[c.len_utf8()..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether a character controls a terminal, or the order of its text.
fn is_control(c: char) -> bool {
    let is_order =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    (c.is_control() || is_order) && !matches!(c, '\n' | '\t')
}

/// The length of a sequence that sets a color, or a weight of the text; 0 if the text begins with another.
fn color_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let Some((number, _)) = rest.split_once('m') else { return 0 };
    let is_color = matches!(number, "0" | "1" | "2" | "3") || number.len() == 2 && number.starts_with(['3', '9']);
    if is_color && number.bytes().all(|byte| byte.is_ascii_digit()) { number.len() + 3 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_control_a_terminal_are_visible() {
        for (text, expected) in [
            ("run=1: two lines\n\tand ä", "run=1: two lines\n\tand ä"),
            ("run=\u{1b}[2J\u{1b}]0;title\u{7}", "run=\\u001b[2J\\u001b]0;title\\u0007"),
            ("a\rb\u{8}\u{7f}\u{9b}31m", "a\\u000db\\u0008\\u007f\\u009b31m"),
            ("x\u{202e}gnp.csv", "x\\u202egnp.csv"),
        ] {
            assert_eq!(visible(text), expected);
        }
        assert!(matches!(visible("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_of_the_log_has_one_line_and_only_its_own_colors() {
        let line = "\u{1b}[2m12:00\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m x\u{1b}[2Jy\u{1b}[8mz\n12:01 ERROR forged\r\n";
        let colored = "\u{1b}[2m12:00\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m x\\u001b[2Jy\\u001b[8mz\\u000a12:01 ERROR forged\\u000d\n";
        assert_eq!(visible_log_line(line, true), colored);
        assert!(!visible_log_line(line, false).contains('\u{1b}'));
        assert_eq!(visible_log_line("a\nb\n", false), "a\\u000ab\n");
        assert!(matches!(visible_log_line("plain\n", false), Cow::Borrowed(_)));
    }
}
