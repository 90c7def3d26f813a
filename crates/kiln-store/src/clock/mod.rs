//! The clocks of the store: those of the system, or of a simulation.

mod real;

#[cfg(not(test))]
pub(super) use real::*;

#[cfg(test)]
mod switch;
#[cfg(test)]
pub(super) use switch::*;
