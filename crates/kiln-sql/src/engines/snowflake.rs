//! Snowflake.

use kiln_core::Result;

use super::{folder, rounded_to_24_bits, scheme};
use crate::engine::{Dialect, Engine, backslashed, doubled, exponential, no_files, no_output};
use crate::name::Part;

/// Snowflake.
pub(crate) struct Snowflake;

impl Dialect for Snowflake {
    /// A plain name is in upper case, as in Snowflake; one in double quotes keeps its case.
    fn identifier(&self, name: &Part) -> String {
        if name.is_quoted { doubled(&name.text, '"') } else { doubled(&name.text.to_ascii_uppercase(), '"') }
    }

    fn string(&self, text: &str) -> String {
        backslashed(text, '\'')
    }

    /// A number would be a decimal.
    fn double(&self, value: f64) -> String {
        format!("'{}'::DOUBLE", exponential(value))
    }

    fn to_float(&self, double: &str) -> String {
        rounded_to_24_bits(self, double)
    }

    fn sum_of_floats(&self, double: &str) -> String {
        format!("SUM({})", self.to_float(double))
    }

    fn to_microseconds(&self, column: &str) -> String {
        format!("DATE_PART(EPOCH_MICROSECOND, {column})")
    }

    fn to_timestamp(&self, microseconds: &str) -> String {
        format!("TO_TIMESTAMP_NTZ({microseconds}, 6)")
    }

    fn files(&self, path: &str) -> Result<String> {
        Err(no_files(Engine::Snowflake, path))
    }

    fn write(&self, select: &str, to: &str) -> Result<String> {
        let to = match scheme(to) {
            Some("gs") => format!("gcs{}", &to["gs".len()..]),
            Some("s3" | "gcs" | "azure") => to.to_owned(),
            None if to.starts_with('@') => to.to_owned(),
            _ => return Err(no_output(Engine::Snowflake, to, "a @stage, s3://, gs:// or azure:// URL")),
        };
        let to = self.string(&folder(&to));
        Ok(format!("COPY INTO {to} FROM (\n{select}\n) FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE"))
    }
}
