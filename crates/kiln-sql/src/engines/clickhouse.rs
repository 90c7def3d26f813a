//! `ClickHouse`.

use kiln_core::Result;

use super::{file_in, scheme};
use crate::engine::{Calendar, Dialect, Engine, backslashed, no_output};
use crate::name::Part;

/// `ClickHouse`.
pub(crate) struct ClickHouse;

impl Dialect for ClickHouse {
    fn identifier(&self, name: &Part) -> String {
        backslashed(&name.text, '`')
    }

    fn string(&self, text: &str) -> String {
        backslashed(text, '\'')
    }

    /// Columns of Parquet files are Nullable, which is slower; rows with NULL are removed by the condition.
    fn to_double(&self, column: &str) -> String {
        format!("assumeNotNull(toFloat64({column}))")
    }

    fn is_within(&self, column: &str, bound: f64) -> String {
        format!("ABS(toFloat64({column})) <= {}", self.double(bound))
    }

    fn to_float(&self, double: &str) -> String {
        format!("toFloat32({double})")
    }

    fn sum_of_floats(&self, double: &str) -> String {
        format!("SUM(toFloat64(toFloat32({double})))")
    }

    fn to_integer(&self, double: &str, is_long: bool) -> String {
        format!("{}({double})", if is_long { "toInt64" } else { "toInt32" })
    }

    fn level(&self, level: u8) -> String {
        format!("toInt32({level})")
    }

    fn count(&self) -> &'static str {
        "toInt64(COUNT(*))"
    }

    fn to_category(&self, column: &str) -> String {
        format!("NULLIF(trimBoth(toString({column})), '')")
    }

    fn to_microseconds(&self, column: &str) -> String {
        format!("toUnixTimestamp64Micro(toDateTime64({column}, 6, 'UTC'))")
    }

    fn to_timestamp(&self, microseconds: &str) -> String {
        format!("fromUnixTimestamp64Micro({microseconds}, 'UTC')")
    }

    fn start_of(&self, calendar: Calendar, microseconds: &str) -> String {
        // toStartOfMonth returns a Date, which begins in 1970.
        let time = self.to_timestamp(microseconds);
        let month = match calendar {
            Calendar::Month => format!("toMonth({time})"),
            Calendar::Year => "1".to_owned(),
        };
        format!("toDateTime64(makeDate32(toYear({time}), {month}, 1), 6, 'UTC')")
    }

    fn files(&self, path: &str) -> Result<String> {
        Ok(table_function(path, &self.string(path), "").unwrap_or_else(|| format!("url({})", self.string(path))))
    }

    fn write(&self, select: &str, to: &str) -> Result<String> {
        let file = file_in(to);
        let function = table_function(to, &self.string(&file), ", 'Parquet'");
        let function = function.ok_or_else(|| no_output(Engine::ClickHouse, to, "a path, s3:// or gs://"))?;
        Ok(format!("INSERT INTO FUNCTION {function}\n{select}"))
    }
}

/// The table function for a path or the URL of an object.
fn table_function(path: &str, literal: &str, format: &str) -> Option<String> {
    match scheme(path) {
        None => Some(format!("file({literal}{format})")),
        Some("s3" | "gs") => Some(format!("s3({literal}{format})")),
        Some(_) => None,
    }
}
