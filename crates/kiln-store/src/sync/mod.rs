//! The locks of the store that are held during file operations.
//!
//! They are those of the standard library. In the tests of this crate, a thread of a simulation that has to wait for one
//! passes its turn on to another thread.

#[cfg(not(test))]
mod real;
#[cfg(not(test))]
pub(super) use real::*;

#[cfg(test)]
mod switch;
#[cfg(test)]
pub(super) use switch::*;
