//! The engines, and what their dialects of SQL differ in.

use std::fmt;
use std::str::FromStr;

use kiln_core::{Error, Parameter, Result};

use crate::bucket::Bucket;
use crate::engines::{BigQuery, ClickHouse, DuckDb, Snowflake, Spark, Trino};
use crate::name::Part;

pub(crate) const ENGINE: Parameter = Parameter::new("engine");
pub(crate) const TO: Parameter = Parameter::new("to");

/// An engine with SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Spark SQL, of Spark, Databricks, EMR, Dataproc and Sail.
    Spark,
    /// `DuckDB`.
    DuckDb,
    /// `ClickHouse`.
    ClickHouse,
    /// Trino, Starburst and Athena.
    Trino,
    /// `BigQuery`, `GoogleSQL`.
    BigQuery,
    /// Snowflake.
    Snowflake,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 6] =
        [Self::Spark, Self::DuckDb, Self::ClickHouse, Self::Trino, Self::BigQuery, Self::Snowflake];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spark => "spark",
            Self::DuckDb => "duckdb",
            Self::ClickHouse => "clickhouse",
            Self::Trino => "trino",
            Self::BigQuery => "bigquery",
            Self::Snowflake => "snowflake",
        }
    }

    /// Whether the tests of Kiln run the SQL in this engine.
    pub fn is_tested(self) -> bool {
        matches!(self, Self::Spark | Self::DuckDb | Self::ClickHouse)
    }

    pub(crate) fn dialect(self) -> &'static dyn Dialect {
        match self {
            Self::Spark => &Spark,
            Self::DuckDb => &DuckDb,
            Self::ClickHouse => &ClickHouse,
            Self::Trino => &Trino,
            Self::BigQuery => &BigQuery,
            Self::Snowflake => &Snowflake,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Engine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|engine| engine.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid(ENGINE, format!("`{text}` is unknown; expected one of {names}"))
        })
    }
}

/// A dialect of SQL. Expressions are texts; `column` is a qualified, quoted column of the table.
pub(crate) trait Dialect: Sync {
    /// A quoted identifier.
    fn identifier(&self, name: &Part) -> String;

    /// A string literal.
    fn string(&self, text: &str) -> String;

    /// A literal of type double.
    fn double(&self, value: f64) -> String {
        exponential(value)
    }

    /// A column as a double, which no row has as NULL after [`is_within`](Self::is_within).
    fn to_double(&self, column: &str) -> String {
        format!("CAST({column} AS DOUBLE)")
    }

    /// Whether the absolute value of a column is at most `bound`; not true for NULL and NaN.
    fn is_within(&self, column: &str, bound: f64) -> String {
        format!("ABS({}) <= {}", self.to_double(column), self.double(bound))
    }

    /// A double rounded to 32 bits, as a 32-bit float where the engine has them.
    fn to_float(&self, double: &str) -> String {
        format!("CAST({double} AS REAL)")
    }

    /// The sum of doubles, rounded to 32 bits, as a double.
    fn sum_of_floats(&self, double: &str) -> String {
        format!("SUM(CAST({} AS DOUBLE))", self.to_float(double))
    }

    /// A whole double as an integer; `is_long` if it may exceed 31 bits.
    fn to_integer(&self, double: &str, is_long: bool) -> String {
        format!("CAST({double} AS {})", if is_long { "BIGINT" } else { "INT" })
    }

    /// The level as an integer.
    fn level(&self, level: u8) -> String {
        level.to_string()
    }

    /// The number of rows as a signed integer.
    fn count(&self) -> &'static str {
        "COUNT(*)"
    }

    /// A column as a string without spaces around it; NULL if it is blank.
    fn to_category(&self, column: &str) -> String {
        format!("NULLIF(TRIM(CAST({column} AS VARCHAR)), '')")
    }

    /// A column of timestamps or dates as microseconds from 1970 UTC.
    fn to_microseconds(&self, column: &str) -> String;

    /// Microseconds from 1970 UTC as a timestamp.
    fn to_timestamp(&self, microseconds: &str) -> String;

    /// The first instant of the month or year of `microseconds`, as a timestamp.
    fn start_of(&self, calendar: Calendar, microseconds: &str) -> String {
        format!("DATE_TRUNC('{}', {})", calendar.name(), self.to_timestamp(microseconds))
    }

    /// The start of the bucket of `microseconds`, as a timestamp.
    fn bucket(&self, bucket: Bucket, microseconds: &str) -> String {
        // A remainder has the sign of the dividend.
        let start = |length: u64, offset: u64| {
            let shifted = if offset == 0 { microseconds.to_owned() } else { format!("({microseconds} + {offset})") };
            self.to_timestamp(&format!("{microseconds} - MOD(MOD({shifted}, {length}) + {length}, {length})"))
        };
        match bucket {
            Bucket::Seconds(seconds) => start(u64::from(seconds) * 1_000_000, 0),
            // 1970 began on a Thursday, three days after a Monday.
            Bucket::Week => start(7 * crate::bucket::DAY_US, 3 * crate::bucket::DAY_US),
            Bucket::Month => self.start_of(Calendar::Month, microseconds),
            Bucket::Year => self.start_of(Calendar::Year, microseconds),
        }
    }

    /// The table function or path syntax of files, for a `table` that is a path or URL.
    ///
    /// # Errors
    /// If the engine reads tables only.
    fn files(&self, path: &str) -> Result<String>;

    /// The statement that writes the rows of `select` as Parquet to `to`.
    ///
    /// # Errors
    /// If the engine cannot write there.
    fn write(&self, select: &str, to: &str) -> Result<String>;
}

/// A unit of the calendar without a fixed length.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Calendar {
    Month,
    Year,
}

impl Calendar {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Month => "MONTH",
            Self::Year => "YEAR",
        }
    }
}

/// A number that an SQL parser reads as the same double: with an exponent, since a number without one is a decimal in some
/// engines.
pub(crate) fn exponential(value: f64) -> String {
    format!("{value:E}")
}

/// A text in `quote`s, which are doubled inside.
pub(crate) fn doubled(text: &str, quote: char) -> String {
    let twice: String = [quote, quote].iter().collect();
    format!("{quote}{}{quote}", text.replace(quote, &twice))
}

/// A text in `quote`s, with backslashes before quotes and backslashes inside.
pub(crate) fn backslashed(text: &str, quote: char) -> String {
    let text = text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
    format!("{quote}{text}{quote}")
}

/// The error for files that an engine does not read in place.
pub(crate) fn no_files(engine: Engine, path: &str) -> Error {
    Error::invalid(
        Parameter::TABLE,
        format!("`{path}` is a path; {engine} needs the name of a table, such as an external table of these files"),
    )
}

/// The error for an output that an engine cannot write.
pub(crate) fn no_output(engine: Engine, to: &str, expected: &str) -> Error {
    Error::invalid(TO, format!("{engine} cannot write to `{to}`; expected {expected}"))
}
