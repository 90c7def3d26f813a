//! One file per engine.

mod bigquery;
mod clickhouse;
mod duckdb;
mod snowflake;
mod spark;
mod trino;

pub(crate) use self::{
    bigquery::BigQuery, clickhouse::ClickHouse, duckdb::DuckDb, snowflake::Snowflake, spark::Spark, trino::Trino,
};

/// The path of a file for an engine that writes one file: `path`, or a file in that folder.
fn file_in(path: &str) -> String {
    if is_parquet(path) { path.to_owned() } else { format!("{}/part-0.parquet", path.trim_end_matches('/')) }
}

fn is_parquet(path: &str) -> bool {
    has_extension(path, "parquet")
}

fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found.eq_ignore_ascii_case(extension))
}

/// The scheme of a URL.
fn scheme(path: &str) -> Option<&str> {
    path.split_once("://").map(|(scheme, _)| scheme)
}

/// A text as a folder: with a slash at its end.
fn folder(path: &str) -> String {
    format!("{}/", path.trim_end_matches('/'))
}

/// The SQL that rounds a double to the 24 bits of a 32-bit float, for engines that have none (Veltkamp's splitting; exact
/// for numbers that are not subnormal as 32-bit floats).
fn rounded_to_24_bits(dialect: &dyn crate::engine::Dialect, double: &str) -> String {
    let scaled = format!("{double} * {}", dialect.double(SPLITTER));
    format!("({scaled} - ({scaled} - {double}))")
}

/// 2^29 + 1: a double has 53 bits, 29 more than a 32-bit float.
const SPLITTER: f64 = 536_870_913.0;

#[cfg(test)]
mod tests {
    use super::SPLITTER;

    #[test]
    #[allow(clippy::float_cmp)]
    fn splitting_a_double_rounds_it_to_a_32_bit_float() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let w = ((seed >> 11) as f64 - (1u64 << 52) as f64) * 2f64.powi(-((seed >> 3) as i32 & 63));
            let scaled = w * SPLITTER;
            assert_eq!(scaled - (scaled - w), f64::from(w as f32), "{w}");
        }
    }
}
