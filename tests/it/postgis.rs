//! Tables of a PostGIS database as layers, held against a real one.

mod book;
mod cluster;
mod connections;
mod copy;
mod faults;
mod jobs;
mod same;
mod served;
mod tls;
