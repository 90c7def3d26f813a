//! Secrets in a URI that is logged.
//!
//! The parameters of credentials are removed before a request is logged. A client that misspells one, or pastes a secret into
//! the path, sends the secret all the same, so whatever looks like a secret is masked.

use std::borrow::Cow;
use std::ops::Range;

use crate::config::{KeyConfig, Token};

/// What the secrets of keys start with.
const PREFIX: &str = KeyConfig::SECRET_PREFIX;
/// What stands for a secret.
const MASK: &str = "***";
/// The minimum length of the random part of a secret of a key; those of `kiln key new` have 43 characters.
const MIN_RANDOM: usize = 40;
/// The minimum length of a token that is masked: shorter ones occur in URIs by chance.
const MIN_TOKEN: usize = 4;
/// How many times a text may be percent-encoded.
const MAX_ENCODINGS: usize = 3;

/// Replaces the secrets of keys and the `token` of the server in a URI, also if they are percent-encoded.
pub(super) fn masked<'u>(uri: &'u str, token: Option<&Token>) -> Cow<'u, str> {
    let token = token.map(Token::reveal).filter(|token| token.len() >= MIN_TOKEN);
    let mut characters: Vec<Character> =
        uri.bytes().enumerate().map(|(at, byte)| Character { byte, sent: at..at + 1 }).collect();
    let mut secrets = Vec::new();
    for _ in 0..=MAX_ENCODINGS {
        find(&characters, token, &mut secrets);
        let decoded = decode(&characters);
        if decoded.len() == characters.len() {
            break;
        }
        characters = decoded;
    }
    if secrets.is_empty() { Cow::Borrowed(uri) } else { Cow::Owned(replace(uri, secrets)) }
}

/// A decoded byte, and its place in the URI.
struct Character {
    byte: u8,
    sent: Range<usize>,
}

/// Decodes one level of percent-encoding.
fn decode(characters: &[Character]) -> Vec<Character> {
    let digit = |at: usize| char::from(characters.get(at)?.byte).to_digit(16);
    let mut decoded = Vec::with_capacity(characters.len());
    let mut at = 0;
    while let Some(Character { byte, sent }) = characters.get(at) {
        let value = (*byte == b'%').then(|| Some(digit(at + 1)? * 16 + digit(at + 2)?)).flatten();
        let (byte, last) = value.and_then(|value| u8::try_from(value).ok()).map_or((*byte, at), |byte| (byte, at + 2));
        let end = characters.get(last).map_or(sent.end, |last| last.sent.end);
        decoded.push(Character { byte, sent: sent.start..end });
        at = last + 1;
    }
    decoded
}

/// Adds the places of the secrets.
fn find(characters: &[Character], token: Option<&str>, secrets: &mut Vec<Range<usize>>) {
    let starts_with = |at: usize, text: &str| {
        text.bytes().enumerate().all(|(index, byte)| characters.get(at + index).is_some_and(|c| c.byte == byte))
    };
    let is_random = |character: &&Character| character.byte.is_ascii_alphanumeric() || b"-_".contains(&character.byte);
    let mut at = 0;
    while at < characters.len() {
        let random = at + PREFIX.len();
        let length =
            if starts_with(at, PREFIX) { characters[random..].iter().take_while(is_random).count() } else { 0 };
        let end = if length >= MIN_RANDOM {
            random + length
        } else if let Some(token) = token.filter(|token| starts_with(at, token)) {
            at + token.len()
        } else {
            at += 1;
            continue;
        };
        secrets.push(characters[at].sent.start..characters[end - 1].sent.end);
        at = end;
    }
}

/// Replaces places of a URI, which may overlap.
fn replace(uri: &str, mut secrets: Vec<Range<usize>>) -> String {
    secrets.sort_unstable_by_key(|secret| (secret.start, secret.end));
    let (mut masked, mut written) = (String::with_capacity(uri.len()), 0);
    for secret in secrets {
        if secret.start >= written {
            masked.push_str(uri.get(written..secret.start).unwrap_or_default());
            masked.push_str(MASK);
        }
        written = written.max(secret.end);
    }
    masked + uri.get(written..).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::keys::Secret;
    use super::*;

    #[test]
    fn secrets_of_keys_are_masked_in_every_spelling() {
        let secret = Secret::new().unwrap();
        let secret = secret.reveal();
        let hex = secret.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let twice = hex.replace('%', "%25");
        for spelling in [secret, &secret.replace('_', "%5F"), &format!("%6B{}", &secret[1..]), &hex, &twice] {
            for (before, after) in [
                ("/", ""),
                ("/trips/", "/0/0/0.png"),
                ("/trips?%6bey=", ""),
                ("/trips?KEY=", "&radius=9"),
                ("/trips?a=1&amp;key=", "&b=2"),
                ("/trips?a=1;key=", ";b=2"),
                ("/trips?key=", "%20"),
                ("/trips?key=Bearer%20", "."),
                ("/trips?", ""),
            ] {
                let uri = format!("{before}{spelling}{after}");
                assert_eq!(masked(&uri, None), format!("{before}***{after}"), "{uri}");
            }
        }
        let two = format!("/{secret}?key={secret}");
        assert_eq!(masked(&two, None), "/***?key=***");
    }

    #[test]
    fn the_token_is_masked() {
        let token = Token::new("s3cret/+").unwrap();
        for (uri, expected) in [
            ("/?Token=s3cret/+", "/?Token=***"),
            ("/?token=s3cret%2f%2B&a=1", "/?token=***&a=1"),
            ("/s3cret/+/x", "/***/x"),
            ("/s3cret/x", "/s3cret/x"),
        ] {
            assert_eq!(masked(uri, Some(&token)), expected);
        }
        assert_eq!(masked("/abc/a", Token::new("a").as_ref()), "/abc/a");
        let random = Token::random();
        assert_eq!(masked(&format!("/?%74oken={}", random.reveal()), Some(&random)), "/?%74oken=***");
    }

    #[test]
    fn other_uris_are_unchanged() {
        let layer = "k".repeat(64);
        for uri in [
            "/",
            "/kiln_",
            "/kiln_trips/0/0/0.png?radius=9%",
            "/a%2",
            "/%E2%82%AC?x=%zz&y=%25",
            &format!("/{layer}"),
            "",
        ] {
            assert!(matches!(masked(uri, None), Cow::Borrowed(same) if same == uri), "{uri}");
        }
    }
}
