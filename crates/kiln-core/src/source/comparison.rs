//! What a column has to be.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// What a column has to be: its values, compared with one.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The column's name.
    pub column: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub operand: Operand,
}

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// It is the same.
    Equal,
    /// It is another, and not missing.
    NotEqual,
    /// It is less.
    Less,
    /// It is less or the same.
    AtMost,
    /// It is greater.
    Greater,
    /// It is greater or the same.
    AtLeast,
}

/// What a column is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A finite number.
    Number(f64),
    /// A text; for a column of times, an instant.
    Text(String),
}

impl FromStr for Operator {
    type Err = Error;

    /// Reads `=`, `!=`, `<`, `<=`, `>` or `>=`.
    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Equal, Self::NotEqual, Self::Less, Self::AtMost, Self::Greater, Self::AtLeast];
        let found = all.into_iter().find(|operator| operator.to_string() == text);
        found.ok_or_else(|| Error::invalid(Parameter::OP, format!("`{text}` is not =, !=, <, <=, > or >=")))
    }
}

impl fmt::Display for Comparison {
    /// Writes the column, the operator and the operand; texts as Rust writes string literals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"{}", self.column.escape_default(), self.operator)?;
        match &self.operand {
            Operand::Number(number) => write!(f, "{number}"),
            Operand::Text(text) => write!(f, "\"{}\"", text.escape_default()),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        })
    }
}
