//! Live tables: layers whose points stay in a PostGIS database, and tables without positions, which have matrices only.
//!
//! ```text
//! Address ── pool of read-only connections ──> Database ── discover ──> Relation: a table's columns as SQL
//!                                                                           │ statistics, refreshed by NOTIFY
//! Cells, locations, points  <── push-down, sample, scan ───────────── LiveSnapshot
//! ```
//!
//! The database aggregates the points of a picture: one `GROUP BY` over the columns and rows of pixels, whose edges are
//! passed as arrays of degrees. Each edge is the lowest number that the fixed-point arithmetic of the embedded store
//! ([`fixed`](kiln_core::geo::fixed)) assigns to the pixel, so both return the same bytes for the same points. If a
//! window has fewer points than pixels, the points are fetched instead.
//!
//! Text from a request never becomes SQL: identifiers come from the database's catalog, values are parameters.
//!
//! All functions block; one thread drives the connections.

mod address;
mod binary_copy;
mod cells;
mod columns;
mod database;
mod describe;
mod discover;
mod export;
mod fault;
mod listen;
mod liveness;
mod local_time;
mod matrix;
mod matrix_axis;
mod matrix_rows;
mod occupancy;
mod pixel_edges;
mod point_set;
mod pool;
mod quote;
mod relation;
mod resolve;
mod rows;
mod sample;
mod scan;
mod share;
mod snapshot;
mod sql;
mod statistics;
mod table;
mod tables;
mod tls;
mod watch;
mod window;

pub use address::Address;
pub use database::{Database, DatabaseOptions};
pub use discover::{Discovered, Discovery, Skipped};
pub use export::Export;
pub use listen::trigger;
pub use relation::{Relation, TableName, TableSpec};
pub use snapshot::{LiveSnapshot, LiveSummary};
pub use table::LiveTable;
pub use tables::LiveTables;
