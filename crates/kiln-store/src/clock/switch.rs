//! The clocks of the tests: those of the system, or of the simulation of a thread.

use std::time::Duration;

use super::real;
use crate::simulation::World;

/// A reading of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instant {
    Real(real::Instant),
    Simulated(Duration),
}

impl Instant {
    pub(crate) fn now() -> Self {
        match World::current() {
            Some(context) => Self::Simulated(context.world.monotonic()),
            None => Self::Real(real::Instant::now()),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        match (self, World::current()) {
            (Self::Simulated(before), Some(context)) => context.world.monotonic().saturating_sub(*before),
            (Self::Simulated(_), None) => Duration::ZERO,
            (Self::Real(instant), _) => instant.elapsed(),
        }
    }
}

/// The current time in Unix seconds.
pub(crate) fn now_s() -> u64 {
    World::current().map_or_else(real::now_s, |context| context.world.wall_s())
}
