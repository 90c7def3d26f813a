//! Live tables: layers whose points stay in a PostGIS database.
//!
//! ```text
//! Address ── connections, few and read-only ──> Database ── discover ──> Relation: a table's columns as SQL
//!                                                                            │ survey, anew when it is told to
//! Cells, places, points  <── push-down, sample, scan ──────────────── LiveSnapshot
//! ```
//!
//! A picture is summed up in the database: one `GROUP BY` over the columns and rows of pixels that a window has, which come
//! as arrays of degrees. Each limit is the very first number that lies in its pixel by the arithmetic of the embedded store
//! ([`fixed`](crate::geo::fixed)), so both give the same bytes for the same points. Where a window holds fewer points than
//! pixels the points themselves are fetched.
//!
//! Text from a request never becomes SQL: identifiers come from the database's catalog, values are parameters.
//!
//! Everything here blocks; the connections are driven by a thread of their own.

mod address;
mod cells;
mod columns;
mod database;
mod discover;
mod export;
mod fault;
mod lease;
mod listen;
mod pixel_edges;
mod quote;
mod relation;
mod resolve;
mod rows;
mod sample;
mod scan;
mod snapshot;
mod sql;
mod statistics;
mod table;
mod tls;
mod window;

pub use address::Address;
pub use database::{Database, DatabaseOptions};
pub use discover::{Discovery, Skipped};
pub use export::Export;
pub use listen::trigger;
pub use relation::{Relation, TableName, TableSpec};
pub use snapshot::{LiveSnapshot, LiveSummary};
pub use table::LiveTable;
