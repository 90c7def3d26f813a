//! SQL that sums points per cell of Kiln's lattice in the engine that has them.
//!
//! A [`BinsQuery`] names the table, its columns and the zoom; its `SELECT` returns one row per cell with points: `level`,
//! `cell_x`, `cell_y`, `n`, and on request `weight`, `max_weight`, `time` and `category`. The cell of a point is computed
//! with the constants and the operations of [`kiln_core::geo::fixed`], by `+ − × ÷`, `FLOOR` and `CASE` alone, so every
//! engine with IEEE doubles has the bins of a layer of the same points, to the cell.
//!
//! ```
//! use kiln_sql::{BinsQuery, Engine};
//!
//! let bins = BinsQuery { weight: Some("fare".into()), ..BinsQuery::new("lake.trips", 14) };
//! let select = bins.select(Engine::DuckDb)?;
//! assert!(select.starts_with("SELECT 22 AS \"level\", "));
//! let job = bins.export(Engine::DuckDb, "bins.parquet")?;
//! assert!(job.starts_with("COPY (") && job.contains("'bins.parquet'"));
//! # Ok::<(), kiln_core::Error>(())
//! ```
//!
//! Text only: the crate opens no files and no connections.

mod bucket;
mod engine;
mod engines;
mod lattice;
mod name;
mod pyspark;
mod query;
mod select;

pub use bucket::Bucket;
pub use engine::Engine;
pub use query::BinsQuery;

#[cfg(test)]
mod tests;
