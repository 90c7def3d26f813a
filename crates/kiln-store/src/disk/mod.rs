//! The file operations of the store.
//!
//! All modules of the store use files only through this one. It forwards to [`std::fs`] and memory maps without any cost.
//! In the tests of this crate, threads of a simulation use its disk in their place.

mod real;

#[cfg(not(test))]
pub(super) use real::*;

#[cfg(test)]
mod switch;
#[cfg(test)]
pub(super) use switch::*;
