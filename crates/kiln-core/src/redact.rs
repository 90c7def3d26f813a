//! Removal of passwords and folders from texts that are printed.
//!
//! A URL can be misspelled, or stand where a filename is expected, and any message may repeat it. So these functions do
//! not parse URLs: they remove whatever may be a password, and rather too much than too little.

use std::borrow::Cow;

/// Removes the passwords from a text: `postgres://ann:secret@host` becomes `postgres://ann@host`, and so does every other
/// word with a colon before an `@`, with any scheme or none. Values of parameters such as `password=` are removed, too.
///
/// A password with quotation marks is removed entirely only by [`without_password`].
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if !may_have_password(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_separator).unwrap_or(rest.len());
        let end = if begins_password(&rest[..end]) { end_of_password(rest).unwrap_or(end) } else { end };
        out.push_str(&without_password(&rest[..end]));
        rest = &rest[end..];
        let next = rest.find(|c| !is_separator(c)).unwrap_or(rest.len());
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(out)
}

/// Removes the password from a text that is one value, such as a URL: it may contain any characters.
pub fn without_password(value: &str) -> Cow<'_, str> {
    if !may_have_password(value) {
        return Cow::Borrowed(value);
    }
    let value = without_credentials(value);
    match without_parameters(&value) {
        Some(text) => Cow::Owned(text),
        None => value,
    }
}

fn may_have_password(text: &str) -> bool {
    text.contains('@') || PARAMETERS.iter().any(|name| find_ignoring_case(text, name).is_some())
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\0')
}

/// Whether a word has the user of a URL and the start of a password, but not its end: a password may contain spaces.
fn begins_password(word: &str) -> bool {
    let Some((_, rest)) = word.split_once("//").filter(|(_, rest)| !rest.contains('@')) else { return false };
    let Some((user, password)) = rest.split_once(':') else { return false };
    let port = password.split(['/', '?', ',', ';', ':', ')']).next().unwrap_or_default();
    !user.contains('/') && !(port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The end of the word with the last `@` before a quotation mark or the end of the line.
fn end_of_password(text: &str) -> Option<usize> {
    let line = text.find(['"', '\'', '`', '\n', '\0']).unwrap_or(text.len());
    let at = text[..line].rfind('@')?;
    Some(text[at..].find(is_separator).map_or(text.len(), |end| at + end))
}

/// Parameters of URLs and connection strings whose values are secret: passwords, and signatures of objects in buckets.
const PARAMETERS: [&str; 13] = [
    "password=",
    "passwd=",
    "pwd=",
    "passphrase=",
    "X-Amz-Signature=",
    "X-Amz-Credential=",
    "X-Amz-Security-Token=",
    "X-Goog-Signature=",
    "X-Goog-Credential=",
    "AccountKey=",
    "SharedAccessSignature=",
    "&sig=",
    "?sig=",
];

/// Removes what is between the first colon and the last `@`.
fn without_credentials(value: &str) -> Cow<'_, str> {
    let Some(at) = value.rfind('@') else { return Cow::Borrowed(value) };
    let slashes = value[..at].find("//");
    // Slashes without a scheme before them may be those of a password.
    let has_scheme = |slashes: usize| value[..slashes].ends_with(':') || !value[..slashes].contains(':');
    let start = slashes.filter(|slashes| has_scheme(*slashes)).map_or(0, |slashes| slashes + 2);
    let Some(colon) = value[start..at].find(':').map(|colon| start + colon) else { return Cow::Borrowed(value) };
    let scheme = value[..start].trim_end_matches('/').trim_end_matches(':');
    let is_web = ["http", "https"].iter().any(|web| {
        scheme.len() >= web.len()
            && scheme.is_char_boundary(scheme.len() - web.len())
            && scheme[scheme.len() - web.len()..].eq_ignore_ascii_case(web)
    });
    // The port of a server, whose path has the `@`, as in `http://host:3000/tiles/0@2x.png`.
    let port = value[colon + 1..at].split('/').next().filter(|port| colon + 1 + port.len() < at);
    if is_web && port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("{}{}", &value[..colon], &value[if colon == start { at + 1 } else { at }..]))
}

/// Removes the values of secret parameters; `None` if there are none.
fn without_parameters(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = value;
    loop {
        let found = PARAMETERS.iter().filter_map(|name| Some((find_ignoring_case(rest, name)?, name.len()))).min();
        let Some((at, length)) = found else { break };
        out.push_str(&rest[..at + length]);
        out.push('…');
        let secret = &rest[at + length..];
        rest = secret.find('&').map_or("", |end| &secret[end..]);
    }
    (!out.is_empty()).then(|| out + rest)
}

/// The position of an ASCII word in a text, in any case.
fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// Removes the folders from the absolute paths in a text: `/srv/data/a.csv: not found` becomes `a.csv: not found`.
pub fn without_folders(text: &str) -> String {
    let is_delimiter = |c: char| is_separator(c) || matches!(c, '(' | ')' | ',' | ';');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_delimiter).unwrap_or(rest.len());
        let (word, next) = rest.split_at(end);
        let drive = word.as_bytes().get(1..3).is_some_and(|drive| drive == b":\\" || drive == b":/");
        let is_path = drive || ["/", "./", "../", "\\\\"].iter().any(|start| word.starts_with(start));
        // The end may be the colon or the full stop of a sentence.
        let path = word.trim_end_matches([':', '.', '/']);
        let name = if is_path { path.rfind(['/', '\\']).map_or(0, |slash| slash + 1) } else { 0 };
        out.push_str(&word[name..]);
        let separator = next.chars().next().map_or(0, char::len_utf8);
        out.push_str(&next[..separator]);
        rest = &next[separator..];
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assume, proptest};

    use super::*;

    #[test]
    fn passwords_are_removed_from_any_spelling_of_a_url() {
        for (text, expected) in [
            ("postgres://ann:s3cret@h:5432/d?table=a.b", "postgres://ann@h:5432/d?table=a.b"),
            ("Postgres://ann:s3cret@h/d", "Postgres://ann@h/d"),
            ("postgres//ann:s3cret@h/d", "postgres//ann@h/d"),
            ("postgres:/ann:s3cret@h/d", "postgres@h/d"),
            ("postgresql+psycopg://ann:s3cret@h/d", "postgresql+psycopg://ann@h/d"),
            (" postgres://ann:s3cret@h/d", " postgres://ann@h/d"),
            ("ann:s3cret@h/d", "ann@h/d"),
            ("ann:s3//cret@h/d", "ann@h/d"),
            ("postgres://:s3cret@h/d", "postgres://h/d"),
            ("postgres://ann:s3/c?r#e@t@h/d", "postgres://ann@h/d"),
            ("jdbc:postgresql://ann:s3cret@h/d", "jdbc:postgresql://ann@h/d"),
            ("https://ann:s3cret@h/d", "https://ann@h/d"),
            ("https://ann:123@h/d", "https://ann@h/d"),
            ("https://ann:12/3@h/d", "https://ann:12/3@h/d"),
            ("postgres://h/d?PassWord=s3cret&table=a", "postgres://h/d?PassWord=…&table=a"),
            ("host=h password=s3cret", "host=h password=…"),
            ("https://h/a.csv?x-amz-signature=s3cret&b=1", "https://h/a.csv?x-amz-signature=…&b=1"),
            ("https://h/a.csv?se=1&sig=s3cret", "https://h/a.csv?se=1&sig=…"),
            ("cannot read \"pg://ann:s3cret@h/d\": not found", "cannot read \"pg://ann@h/d\": not found"),
            ("postgres://ann@h/d", "postgres://ann@h/d"),
            ("http://127.0.0.1:3000/cities/0/0/0@2x.png", "http://127.0.0.1:3000/cities/0/0/0@2x.png"),
            ("no file postgres://ann:my s3cret@h/d, it says", "no file postgres://ann@h/d, it says"),
            ("postgres://h:5432/d: refused by bob@h", "postgres://h:5432/d: refused by bob@h"),
            ("postgres://h/d: refused by bob@h", "postgres://h/d: refused by bob@h"),
            ("mail ann@h at 10:30", "mail ann@h at 10:30"),
            ("/srv/a b.csv: not found", "/srv/a b.csv: not found"),
        ] {
            assert_eq!(without_passwords(text), expected);
        }
        assert_eq!(without_password("postgres://ann:my 'big' \"s3cret\"@h/d"), "postgres://ann@h/d");
    }

    proptest! {
        #[test]
        fn a_random_password_is_not_in_the_text_of_any_spelling(
            scheme in r"(|[A-Za-z]{2,10}(\+[a-z0-9]{1,9})?(://|//|:/|:))",
            user in "[a-z]{0,8}",
            password in r"X[!#-&(-_a-~]{5,20}X",
            end in r"@[a-z]{1,9}(\.[a-z]{2,3})?(:[0-9]{4})?(/[a-z]{0,9})?",
            [before, after] in ["(|cannot read |input: \"|`|layers.a: )", "(|\": not found|`|: refused)"],
        ) {
            // The at sign ends the scheme of no URL.
            prop_assume!(!scheme.to_lowercase().starts_with("http") && !password.contains("://"));
            let text = format!("{before}{scheme}{user}:{password}{end}{after}");
            let printed = without_passwords(&text);
            prop_assert!(!printed.contains(&password), "{text}: {printed}");
            prop_assert!(printed.starts_with(&*before) && printed.ends_with(&after), "{text}: {printed}");
            let value = format!("{scheme}{user}:{password}'\" {password}{end}");
            prop_assert!(!without_password(&value).contains(&password), "{value}");
            let value = format!("{scheme}{user}@h/d?a=b&PASSWORD={password}", password = password.replace('&', ""));
            prop_assert!(!without_passwords(&value).contains(&password), "{value}");
        }
    }

    #[test]
    fn folders_are_removed_from_paths() {
        for (text, expected) in [
            ("/srv/data/a.csv: cannot read: not found", "a.csv: cannot read: not found"),
            ("a.csv: row 3 of ../x/b.csv, and (/c/d.csv)", "a.csv: row 3 of b.csv, and (d.csv)"),
            ("C:\\data\\a.csv: not found", "a.csv: not found"),
            ("postgres://ann@h/d: refused", "postgres://ann@h/d: refused"),
            ("points/s and 3/4", "points/s and 3/4"),
            ("the folder `/srv/imgs/` is full", "the folder `imgs/` is full"),
            ("/ is full", "/ is full"),
        ] {
            assert_eq!(without_folders(text), expected);
        }
    }
}
