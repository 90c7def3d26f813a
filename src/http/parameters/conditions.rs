//! The conditions of queries on columns of live tables.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::filter::check_text;
use crate::config::LimitsConfig;
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::Layer;
use crate::source::{Comparison, Operand};

/// The name of the parameter.
const NAME: &str = "where";

/// A condition on a column in a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    column: String,
    op: String,
    value: Scalar,
}

/// A list of conditions, whose elements beyond the maximum are not read.
struct Conditions(Vec<Condition>);

/// A number, a text or a boolean.
#[derive(Clone, Debug)]
struct Scalar(Operand);

impl Conditions {
    const MAX: usize = 32;
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = Conditions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of conditions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Conditions, A::Error> {
                let mut conditions = Vec::new();
                while let Some(condition) = list.next_element()? {
                    if conditions.len() == Conditions::MAX {
                        return Err(serde::de::Error::custom(TOO_MANY));
                    }
                    conditions.push(condition);
                }
                Ok(Conditions(conditions))
            }
        }
        deserializer.deserialize_seq(ListVisitor)
    }
}

/// The messages of errors that are not about the form of the list.
const TOO_MANY: &str = "there are more than 32 conditions";
const NO_SCALAR: &str = "the value of a condition is neither a number nor a string";

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(NO_SCALAR)
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(Operand::Number(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(Operand::Number(number as f64)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(Operand::Number(number as f64)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(Operand::Text(text.to_owned())))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar(Operand::Text(flag.to_string())))
            }
        }
        // Lists and objects are rejected before they are read.
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Reads the conditions of a request, and checks that the layer can compare their columns.
pub(crate) fn comparisons(layer: &Layer, json: &str, limits: &LimitsConfig) -> HttpResult<Vec<Comparison>> {
    let invalid = |detail: String| Problem::parameter(NAME, detail);
    let conditions: Conditions = serde_json::from_str(json).map_err(|error| {
        let message = error.to_string();
        let known = [TOO_MANY, NO_SCALAR].into_iter().find(|known| message.contains(known));
        let form = r#"expected a list such as [{"column": "speed", "op": ">=", "value": 30}]"#;
        invalid(known.unwrap_or(form).to_owned())
    })?;
    let bytes = |Condition { column, op, value }: &Condition| {
        let value = if let Operand::Text(text) = &value.0 { text.len() } else { 0 };
        column.len() + op.len() + value
    };
    check_text(NAME, conditions.0.iter().map(bytes).sum(), limits)?;
    let comparisons = conditions.0.into_iter().map(|Condition { column, op, value: Scalar(operand) }| {
        if !layer.comparable().is_empty() && !layer.comparable().contains(&column) {
            let names = layer.comparable().join(", ");
            return Err(invalid(format!("the column `{column}` cannot be compared; expected one of {names}")));
        }
        let operator = op.parse().map_err(|_| invalid(format!("`{op}` is not =, !=, <, <=, > or >=")))?;
        let comparison = Comparison { column, operator, operand };
        layer.point_set().check_comparison(&comparison)?;
        Ok(comparison)
    });
    comparisons.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::LayerSpec;
    use crate::source::{ReadOptions, read};

    #[test]
    fn conditions_are_limited_and_their_values_are_scalars() {
        let source = read(&b"x,y\n1,2\n"[..], "a.csv", &ReadOptions::default()).unwrap();
        let layer = Layer::of_source(LayerSpec { name: "a".to_owned(), ..LayerSpec::default() }, source).unwrap();
        let detail = |json: &str| comparisons(&layer, json, &LimitsConfig::default()).unwrap_err().detail().to_owned();
        let condition = r#"{"column": "a", "op": "=", "value": 1}"#;
        let list = |count: usize| format!("[{}]", vec![condition; count].join(","));
        assert!(!detail(&list(32)).contains("more than"), "{}", detail(&list(32)));
        assert_eq!(detail(&list(33)), "where: there are more than 32 conditions");
        for value in ["[0,0]", "{}", "null"] {
            let json = format!(r#"[{{"column": "a", "op": "=", "value": {value}}}]"#);
            assert_eq!(detail(&json), "where: the value of a condition is neither a number nor a string");
        }
        let long = format!(r#"[{{"column": "a", "op": "=", "value": "{}"}}]"#, "a".repeat(300_000));
        assert!(detail(&long).contains("exceed the limit of 262144, limits.filter_text"));
        assert!(detail(r#"[{"column": "a"}]"#).contains("expected a list such as"));
    }
}
