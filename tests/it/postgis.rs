//! Tables of a PostGIS database as layers, held against a real one.

mod cluster;
mod faults;
mod same;
mod served;
