//! Comparisons of columns with values.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A condition: a comparison of a column with a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The name of the column.
    pub column: String,
    /// The comparison operator.
    pub operator: Operator,
    /// The value to compare with.
    pub operand: Operand,
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`; missing values do not match.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// The value that a column is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A finite number.
    Number(f64),
    /// A text; for a column of times, a time.
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
    /// Writes the column, the operator and the operand, with texts as escaped string literals.
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
