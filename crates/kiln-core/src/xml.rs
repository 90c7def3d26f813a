//! Texts in XML documents, such as SVG and KML.

/// Escapes a text for the content of an element, and for an attribute in quotes of either kind. Characters that XML 1.0 does not
/// allow (production 2 and its note), and line breaks, become spaces.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
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
        assert_eq!(escape("<a b=\"1\" c='2'>&\u{1}\n é"), "&lt;a b=&quot;1&quot; c=&#39;2&#39;&gt;&amp;   é");
        assert_eq!(escape("a\u{1b}[31m\u{ffff}"), "a [31m ");
    }
}
