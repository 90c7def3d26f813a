//! `NaN`, `Infinity` and `-Infinity` in JSON, which Python's `json.dumps` writes and RFC 8259 does not have.

/// The words, and the JSON number or null of each. A number beyond the range of floats is read as an infinity.
const WORDS: [(&[u8], &[u8]); 3] = [(b"NaN", b"null"), (b"-Infinity", b"-1e999"), (b"Infinity", b"1e999")];

/// Replaces the words within rows, which are lists in a list, and so leaves other values and texts as they are. `None` if there
/// are none.
pub(crate) fn with_json_numbers(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    let (mut copied, mut at, mut depth, mut is_text) = (0, 0, 0_usize, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if is_text => at += 1,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'N' | b'I' | b'-' if depth >= 2 => {
                if let Some((word, number)) = WORDS.iter().find(|(word, _)| bytes[at..].starts_with(word)) {
                    replaced.extend_from_slice(&bytes[copied..at]);
                    replaced.extend_from_slice(number);
                    copied = at + word.len();
                    at = copied;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    replaced.extend_from_slice(&bytes[copied..]);
    (copied > 0).then_some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_python_within_rows_are_replaced() {
        let replaced =
            |text: &str| with_json_numbers(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into());
        assert_eq!(
            replaced(r#"{"mask": [[0, NaN], [Infinity,-Infinity]], "a": "[[NaN"}"#),
            Some(r#"{"mask": [[0, null], [1e999,-1e999]], "a": "[[NaN"}"#.to_owned())
        );
        for text in [r#"{"vmin": NaN}"#, r#"{"a": [NaN]}"#, r#"{"a": [["\"NaN"]]}"#, r#"{"mask": [[-1]]}"#, "", "\"\\"]
        {
            assert_eq!(replaced(text), None, "{text}");
        }
    }
}
