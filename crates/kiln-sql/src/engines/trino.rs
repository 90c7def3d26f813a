//! Trino and Athena.

use kiln_core::{Parameter, Result};

use super::{folder, scheme};
use crate::engine::{Dialect, Engine, TO, doubled, no_files, no_output};
use crate::name::{Part, parts};

/// Trino and Athena.
pub(crate) struct Trino;

impl Trino {
    fn name(&self, parameter: Parameter, name: &str) -> Result<String> {
        let parts = parts(parameter, name)?;
        Ok(parts.iter().map(|part| self.identifier(part)).collect::<Vec<_>>().join("."))
    }
}

impl Dialect for Trino {
    fn identifier(&self, name: &Part) -> String {
        doubled(&name.text, '"')
    }

    fn string(&self, text: &str) -> String {
        doubled(text, '\'')
    }

    /// Microseconds below a second are dropped: buckets begin at whole seconds.
    fn to_microseconds(&self, column: &str) -> String {
        format!("(CAST(FLOOR(TO_UNIXTIME(CAST({column} AS TIMESTAMP(6) WITH TIME ZONE))) AS BIGINT) * 1000000)")
    }

    fn to_timestamp(&self, microseconds: &str) -> String {
        format!("DATE_ADD('second', ({microseconds}) / 1000000, TIMESTAMP '1970-01-01 00:00:00.000000')")
    }

    fn files(&self, path: &str) -> Result<String> {
        Err(no_files(Engine::Trino, path))
    }

    fn write(&self, select: &str, to: &str) -> Result<String> {
        match scheme(to) {
            Some("s3") => {
                let to = self.string(&folder(to));
                Ok(format!("UNLOAD (\n{select}\n) TO {to} WITH (format = 'PARQUET', compression = 'ZSTD')"))
            }
            None if !to.contains('/') => {
                Ok(format!("CREATE TABLE {} WITH (format = 'PARQUET') AS\n{select}", self.name(TO, to)?))
            }
            _ => {
                let expected = "the name of a new table, such as hive.lake.bins, or for Athena an s3:// URL";
                Err(no_output(Engine::Trino, to, expected))
            }
        }
    }
}
