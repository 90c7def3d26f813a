//! Layers of PostGIS tables, tested with a real database.

mod book;
mod changes;
pub(crate) mod cluster;
mod connections;
mod copy;
mod equivalence;
mod failures;
mod jobs;
mod layers;
mod locks;
mod matrix;
mod narrow_extents;
mod occupancy;
mod proxy;
mod silence;
mod tls;
