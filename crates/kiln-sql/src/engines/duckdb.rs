//! `DuckDB`.

use kiln_core::Result;

use super::{has_extension, is_parquet, scheme};
use crate::engine::{Dialect, Engine, doubled, no_output};
use crate::name::Part;

/// `DuckDB`.
pub(crate) struct DuckDb;

impl Dialect for DuckDb {
    fn identifier(&self, name: &Part) -> String {
        doubled(&name.text, '"')
    }

    fn string(&self, text: &str) -> String {
        doubled(text, '\'')
    }

    fn to_microseconds(&self, column: &str) -> String {
        format!("EPOCH_US({column})")
    }

    fn to_timestamp(&self, microseconds: &str) -> String {
        format!("MAKE_TIMESTAMP({microseconds})")
    }

    fn files(&self, path: &str) -> Result<String> {
        let is_text = ["csv", "tsv", "gz"].iter().any(|extension| has_extension(path, extension));
        Ok(format!("{}({})", if is_text { "read_csv" } else { "read_parquet" }, self.string(path)))
    }

    fn write(&self, select: &str, to: &str) -> Result<String> {
        if matches!(scheme(to), Some("http" | "https")) {
            return Err(no_output(Engine::DuckDb, to, "a path, s3://, gs:// or az://"));
        }
        // A folder gets one file per thread.
        let threads = if is_parquet(to) { "" } else { ", PER_THREAD_OUTPUT true" };
        let to = if is_parquet(to) { to } else { to.trim_end_matches('/') };
        Ok(format!("COPY (\n{select}\n) TO {} (FORMAT parquet, COMPRESSION zstd{threads})", self.string(to)))
    }
}
