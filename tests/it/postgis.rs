//! Tables of a PostGIS database as layers, held against a real one.

mod cluster;
mod same;
