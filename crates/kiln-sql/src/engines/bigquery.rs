//! `BigQuery`.

use kiln_core::Result;

use super::{folder, rounded_to_24_bits, scheme};
use crate::engine::{Calendar, Dialect, Engine, backslashed, no_files, no_output};
use crate::name::Part;

/// `BigQuery`, `GoogleSQL`.
pub(crate) struct BigQuery;

impl Dialect for BigQuery {
    fn identifier(&self, name: &Part) -> String {
        backslashed(&name.text, '`')
    }

    fn string(&self, text: &str) -> String {
        backslashed(text, '\'')
    }

    fn to_double(&self, column: &str) -> String {
        format!("CAST({column} AS FLOAT64)")
    }

    fn to_float(&self, double: &str) -> String {
        rounded_to_24_bits(self, double)
    }

    fn sum_of_floats(&self, double: &str) -> String {
        format!("SUM({})", self.to_float(double))
    }

    fn to_integer(&self, double: &str, _: bool) -> String {
        format!("CAST({double} AS INT64)")
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
        format!("TIMESTAMP_TRUNC({}, {}, 'UTC')", self.to_timestamp(microseconds), calendar.name())
    }

    fn files(&self, path: &str) -> Result<String> {
        Err(no_files(Engine::BigQuery, path))
    }

    fn write(&self, select: &str, to: &str) -> Result<String> {
        if !matches!(scheme(to), Some("gs" | "s3")) {
            return Err(no_output(Engine::BigQuery, to, "a gs:// URL, or s3:// in BigQuery Omni"));
        }
        // One wildcard is required.
        let uri = if to.contains('*') { to.to_owned() } else { format!("{}part-*.parquet", folder(to)) };
        Ok(format!(
            "EXPORT DATA OPTIONS (uri = {}, format = 'PARQUET', compression = 'ZSTD') AS\n{select}",
            self.string(&uri)
        ))
    }
}
