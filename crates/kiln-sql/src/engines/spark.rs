//! Spark SQL.

use kiln_core::Result;

use super::has_extension;
use crate::engine::{Calendar, Dialect, backslashed, doubled};
use crate::name::Part;

/// Spark SQL.
pub(crate) struct Spark;

impl Dialect for Spark {
    fn identifier(&self, name: &Part) -> String {
        doubled(&name.text, '`')
    }

    fn string(&self, text: &str) -> String {
        backslashed(text, '\'')
    }

    fn to_float(&self, double: &str) -> String {
        format!("CAST({double} AS FLOAT)")
    }

    fn to_category(&self, column: &str) -> String {
        format!("NULLIF(TRIM(CAST({column} AS STRING)), '')")
    }

    fn to_microseconds(&self, column: &str) -> String {
        format!("UNIX_MICROS(CAST({column} AS TIMESTAMP))")
    }

    fn to_timestamp(&self, microseconds: &str) -> String {
        format!("TIMESTAMP_MICROS({microseconds})")
    }

    fn start_of(&self, calendar: Calendar, microseconds: &str) -> String {
        // DATE_TRUNC would use the time zone of the session; dates have none.
        let day = format!("DATE_ADD(DATE '1970-01-01', CAST(FLOOR({microseconds} / 8.64E10) AS INT))");
        let days = format!("DATEDIFF(TRUNC({day}, '{}'), DATE '1970-01-01')", calendar.name());
        self.to_timestamp(&format!("CAST({days} AS BIGINT) * 86400000000"))
    }

    fn files(&self, path: &str) -> Result<String> {
        let format = if has_extension(path, "orc") { "orc" } else { "parquet" };
        Ok(format!("{format}.{}", doubled(path, '`')))
    }

    fn write(&self, select: &str, to: &str) -> Result<String> {
        Ok(format!("INSERT OVERWRITE DIRECTORY {} USING parquet\n{select}", self.string(to)))
    }
}
