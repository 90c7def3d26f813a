//! The trigger that notifies of changes of a table, by NOTIFY.

use super::quote::{identifier, literal};
use super::relation::TableName;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// The channel of the notifications. The payload is the table's name, `schema.table`.
pub(super) const CHANNEL: &str = "kiln";

/// The SQL of a trigger that sends a notification for each statement that changes a table.
///
/// # Errors
/// [`Error::Invalid`] unless the name has the form `table` or `schema.table`, with quotes around names that are not
/// lower case.
pub fn trigger(table: &str) -> Result<String> {
    let invalid = || {
        Error::invalid(
            Parameter::TABLE,
            "expected table or schema.table, with quotes around names that are not lower case",
        )
    };
    let (first, rest) = name(table).ok_or_else(invalid)?;
    let TableName { schema, name } = match rest.strip_prefix('.') {
        Some(rest) => match name(rest) {
            Some((second, "")) => TableName { schema: first, name: second },
            _ => return Err(invalid()),
        },
        None if rest.is_empty() => TableName { schema: "public".into(), name: first },
        None => return Err(invalid()),
    };
    let table = format!("{}.{}", identifier(&schema), identifier(&name));
    let function = format!("{}.kiln_notify", identifier(&schema));
    let payload = literal(&format!("{schema}.{name}"));
    Ok(format!(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$\n\
         BEGIN\n  PERFORM pg_notify('{CHANNEL}', TG_ARGV[0]);\n  RETURN NULL;\nEND $$;\n\
         DROP TRIGGER IF EXISTS kiln_notify ON {table};\n\
         CREATE TRIGGER kiln_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}\n  \
         FOR EACH STATEMENT EXECUTE FUNCTION {function}({payload});\n"
    ))
}

/// Splits off a leading SQL identifier, folded to lower case unless it is quoted.
fn name(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = quoted;
        loop {
            let (part, remainder) = rest.split_once('"')?;
            name.push_str(part);
            match remainder.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => return (!name.is_empty()).then_some((name, remainder)),
            }
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let has_valid_start = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    has_valid_start.then(|| (name.to_lowercase(), rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_names_its_table() {
        assert!(trigger("stops").unwrap().contains("ON \"public\".\"stops\";"));
        assert!(trigger("Maps.\"My \"\"Stops\"\"\"").unwrap().contains("ON \"maps\".\"My \"\"Stops\"\"\";"));
        for invalid in ["", "a.b.c", "a b", "a; drop table b", "\"a", "a.", ".a", "1a"] {
            assert!(trigger(invalid).is_err(), "{invalid}");
        }
    }
}
