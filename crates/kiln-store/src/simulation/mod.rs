//! A deterministic simulation of the store: disk, clocks, faults, and the order of threads follow from one seed.
//!
//! [`disk`](super::disk), [`clock`](super::clock) and [`sync`](super::sync) use the simulation of the current thread, so the
//! store under test is the one that ships. A [`World`] is one computer: its [`Disk`](disk::Disk) loses what was not
//! synced in a power cut, its threads run one at a time in an order from the seed, and its processes can be killed.
//! [`Run`](run::Run) drives a server and a command on one store through random changes, and after each step compares the
//! store with a [model] of what was acknowledged.
//!
//! `make simulate SEEDS=10000` runs more seeds than the tests; `make simulate SEED=42` prints the steps of one.

mod check;
pub(crate) mod disk;
mod model;
mod operation;
mod outcome;
mod points;
mod random;
mod run;
mod tests;
mod world;

pub(crate) use world::{OpenMode, SimulatedFile, World};
