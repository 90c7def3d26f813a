//! Responses to requests that list a bucket, checked before the client library decodes them.
//!
//! The library takes any XML for a list, so a page of a web server would be an empty bucket, and it rejects a whole page of a
//! list for one key that it does not support.

use std::borrow::Cow;

use http::Uri;
use object_store::path::Path;

/// The key that replaces one that is not supported. Lists leave it out, and count it.
pub(crate) const UNSUPPORTED_KEY: &str = "\u{FFFD}unsupported\u{FFFD}";

/// The maximum size of a page of a list: a thousand keys of a thousand characters, each of them escaped.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// The roots of lists of S3 and Google Cloud Storage, and of Azure.
const ROOTS: [&str; 2] = ["ListBucketResult", "EnumerationResults"];
/// The elements of objects and folders, and the one within them that has the key.
const ENTRIES: [[&str; 2]; 4] =
    [["Contents", "Key"], ["CommonPrefixes", "Prefix"], ["Blob", "Name"], ["BlobPrefix", "Name"]];

/// Whether a request lists a bucket.
pub(crate) fn is_list_request(uri: &Uri) -> bool {
    let mut parameters = uri.query().unwrap_or_default().split('&');
    parameters.any(|parameter| matches!(parameter, "list-type=2" | "comp=list"))
}

/// Checks the body of a list, and replaces the keys in it that are not supported; `None` if it is no list.
pub(crate) fn check(body: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(body).ok()?;
    ROOTS.contains(&root(text)?).then(|| with_supported_keys(text))
}

/// The name of the root element, without its namespace.
fn root(text: &str) -> Option<&str> {
    let mut rest = text.trim_start_matches('\u{FEFF}').trim_start();
    loop {
        rest = match rest {
            _ if rest.starts_with("<?") => rest.split_once("?>")?.1,
            _ if rest.starts_with("<!--") => rest.split_once("-->")?.1,
            _ => break,
        }
        .trim_start();
    }
    let name = rest.strip_prefix('<')?.split(|c: char| c.is_whitespace() || "/>".contains(c)).next()?;
    Some(name.rsplit(':').next().unwrap_or(name))
}

fn with_supported_keys(text: &str) -> Cow<'_, str> {
    let (mut checked, mut copied) = (String::new(), 0);
    let mut at = 0;
    while let Some(found) = text[at..].find('<') {
        let start = at + found;
        at = start + 1;
        let name = text[at..].split_once('>').map_or("", |(name, _)| name);
        let Some([_, key]) = ENTRIES.iter().find(|[entry, _]| *entry == name) else { continue };
        let end = text[at..].find(&format!("</{name}>")).map_or(text.len(), |end| at + end);
        if let Some(range) = range_of(&text[at..end], key)
            && !is_supported(&text[at + range.start..at + range.end])
        {
            checked += &text[copied..at + range.start];
            checked += UNSUPPORTED_KEY;
            copied = at + range.end;
        }
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    checked += &text[copied..];
    Cow::Owned(checked)
}

/// The content of the first element `name`.
fn range_of(text: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find(&format!("<{name}>"))? + name.len() + 2;
    let end = start + text[start..].find(&format!("</{name}>"))?;
    Some(start..end)
}

/// Whether the library supports a key, as it is written in XML.
fn is_supported(key: &str) -> bool {
    // Sections without markup are left to the library.
    key.starts_with("<![CDATA[") || unescaped(key).is_some_and(|key| Path::parse(key).is_ok())
}

/// The text of a key; `None` if an entity is invalid.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        let number = entity.strip_prefix("#x").map(|digits| u32::from_str_radix(digits, 16));
        let number = number.or_else(|| entity.strip_prefix('#').map(str::parse));
        plain.push(match (entity, number) {
            ("amp", _) => '&',
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            (_, Some(Ok(number))) => char::from_u32(number)?,
            _ => return None,
        });
        plain += rest;
    }
    Some(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_of_buckets_are_lists() {
        for (text, is_list) in [
            ("<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>", true),
            (
                "\u{FEFF}<!-- x --><EnumerationResults ServiceEndpoint=\"https://a/\"><Blobs/></EnumerationResults>",
                true,
            ),
            ("<s3:ListBucketResult></s3:ListBucketResult>", true),
            ("<!DOCTYPE html><html><body>Sign in</body></html>", false),
            ("<html><ListBucketResult/></html>", false),
            ("<Error><Code>NoSuchBucket</Code></Error>", false),
            ("{}", false),
            ("", false),
            ("<?xml", false),
        ] {
            assert_eq!(check(text.as_bytes()).is_some(), is_list, "{text}");
        }
        assert!(check(b"<ListBucketResult>\xFF</ListBucketResult>").is_none());
        for (uri, is_list) in [
            ("http://a/maps?list-type=2&prefix=x", true),
            ("/c?restype=container&comp=list", true),
            ("http://a/maps?prefix=list-type=2", false),
            ("http://a/maps/x", false),
        ] {
            assert_eq!(is_list_request(&uri.parse().unwrap()), is_list, "{uri}");
        }
    }

    #[test]
    fn keys_that_are_not_supported_are_replaced_and_others_stay() {
        let list = |keys: &[&str]| {
            let entries: Vec<String> = keys
                .iter()
                .map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents><CommonPrefixes><Prefix>{key}/</Prefix></CommonPrefixes>"))
                .collect();
            format!("<ListBucketResult><Prefix>maps//</Prefix>{}</ListBucketResult>", entries.concat())
        };
        let supported = ["a/b.csv", "a &amp; b&#x41;&lt;", "..a/b..", "ä/ö"];
        let checked = check(list(&supported).as_bytes()).unwrap().into_owned();
        assert_eq!(checked, list(&supported));
        for key in ["a//b", "a/../b", ".", "a&#10;b", "a&#x1b;b", "a&#0;b", "a\tb", "a&other;b", "a&#xD800;"] {
            let checked = check(list(&["x", key, "y"]).as_bytes()).unwrap().into_owned();
            let keys = checked.matches(UNSUPPORTED_KEY).count();
            assert!(
                keys == 2 && checked.contains("<Key>y</Key>") && !checked.contains(&format!(">{key}<")),
                "{key}: {checked}"
            );
        }
        let azure = "<EnumerationResults><Blobs><Blob><Name>a//b</Name></Blob><BlobPrefix><Name>c//</Name></BlobPrefix></Blobs></EnumerationResults>";
        assert_eq!(check(azure.as_bytes()).unwrap().matches(UNSUPPORTED_KEY).count(), 2);
    }
}
