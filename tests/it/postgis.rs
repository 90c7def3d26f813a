//! Tables of a PostGIS database as layers, held against a real one.

mod cluster;
mod connections;
mod copy;
mod equivalence;
mod failures;
mod jobs;
mod layers;
mod tls;
