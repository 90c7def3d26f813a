//! Quoting of identifiers and literals.

/// Quotes an identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a string literal.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(identifier("a\"; drop table b; --"), "\"a\"\"; drop table b; --\"");
        assert_eq!(literal("o'brien"), "'o''brien'");
        assert_eq!(literal("\\' or 1=1"), "E'\\\\'' or 1=1'");
    }
}
