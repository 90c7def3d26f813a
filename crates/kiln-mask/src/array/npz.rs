//! NumPy's `.npz`: a zip archive of `.npy` files.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{ReadArrayOptions, npy};
use crate::Mask;
use crate::limit::{Limit, Reason};

/// The maximum number of members that a message lists.
const LISTED: usize = 20;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, Reason> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| invalid(&error))?;
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| name.ok().filter(|name| name.ends_with(".npy")).map(std::borrow::Cow::into_owned))
        .collect();
    let name = choose(&names, options.member.as_deref())?;
    let limit = options.limits.max_bytes;
    let member = archive.by_name(name).map_err(|error| invalid(&error))?;
    // The declared size of a member is not trusted: at most the limit is read.
    let mut content = Vec::new();
    let taken = member.take((limit as u64).saturating_add(1)).read_to_end(&mut content);
    taken.map_err(|error| format!("member {} cannot be decompressed: {error}", printable(name)))?;
    if content.len() > limit {
        let why = format!("member {} exceeds the limit of {limit} bytes after decompression", printable(name));
        return Err(Reason::limit(Limit::Bytes, why));
    }
    npy::read(&content, options)
        .map_err(|reason| reason.map(|message| format!("member {}: {message}", printable(name))))
}

/// Returns the requested member, or the only one.
fn choose<'n>(names: &'n [String], requested: Option<&str>) -> Result<&'n str, String> {
    let array = |name: &'n str| name.strip_suffix(".npy").unwrap_or(name);
    let listed = || {
        let mut listed: Vec<String> = names.iter().take(LISTED).map(|name| printable(array(name))).collect();
        if names.len() > LISTED {
            listed.push("…".to_owned());
        }
        listed.join(", ")
    };
    match (requested, names) {
        (_, []) => Err("the archive has no .npy member".to_owned()),
        (Some(requested), names) => {
            let found = names.iter().find(|name| *name == requested || array(name) == requested);
            found
                .map(String::as_str)
                .ok_or_else(|| format!("unknown member `{}`; expected one of {}", printable(requested), listed()))
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("the archive has {} members; set member to one of {}", names.len(), listed())),
    }
}

/// The first 64 characters of a name, for a message. Control characters, bidirectional controls and invisible characters are
/// escaped, because a name in an archive is untrusted and messages are written to terminals and logs.
fn printable(name: &str) -> String {
    const MAX_CHARS: usize = 64;
    let mut text = String::new();
    for c in name.chars().take(MAX_CHARS) {
        if c.is_control() || is_format_mark(c) {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    if name.chars().nth(MAX_CHARS).is_some() {
        text.push('…');
    }
    text
}

/// Bidirectional controls (Unicode Standard Annex 9), separators of lines and paragraphs, and characters of no width.
fn is_format_mark(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn invalid(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(why) => format!("unsupported archive: {why}; expected a stored or deflated .npz"),
        other => format!("invalid .npz archive: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn names_in_messages_are_short_and_without_control_characters() {
        for (name, text) in [
            ("höhe_1", "höhe_1"),
            ("a\u{1b}[31m\nb", "a\\u{1b}[31m\\nb"),
            ("a\u{202e}b\u{2066}\u{200f}", "a\\u{202e}b\\u{2066}\\u{200f}"),
        ] {
            assert_eq!(printable(name), text);
        }
        assert_eq!(printable(&"x".repeat(64)), "x".repeat(64));
        assert_eq!(printable(&"x".repeat(60_000)), format!("{}…", "x".repeat(64)));
    }
}
