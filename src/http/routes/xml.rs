//! Texts in XML documents.

/// Escapes a text for the content of an element and for an attribute in double quotes. Control characters, which XML
/// does not allow, become spaces.
pub(super) fn escape_xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_control_characters_are_spaces() {
        assert_eq!(escape_xml("<a b=\"1\">&\u{1}\n é"), "&lt;a b=&quot;1&quot;&gt;&amp;   é");
    }
}
