//! Layers of PostGIS tables, tested with a real database.

mod book;
pub(crate) mod cluster;
mod connections;
mod copy;
mod equivalence;
mod failures;
mod jobs;
mod layers;
mod matrix;
mod occupancy;
mod tls;
