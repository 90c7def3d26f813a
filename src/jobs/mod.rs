//! Pictures that are rendered on a schedule: their points, their due times and their files.
//!
//! ```text
//! Schedule ── due ──> Planner ── start ──> Job ── rendered by layer ──> Output ── the newest are kept
//!                        └── ended: history, retries ── StateFile
//! ```
//!
//! A [`Job`] renders and writes the pictures that are due at a given time. The [`Planner`] decides which jobs start: it gets the
//! current time and the results of the runs from its caller. Neither reads a clock, so tests run both at any time.

mod job;
mod job_context;
mod output;
mod planner;
mod schedule;
mod state;
mod subject;
mod window;

pub use job::{Job, JobReport, Place};
pub use job_context::JobContext;
pub use output::{Output, Series};
pub use planner::{Planner, Start, StartError};
pub use schedule::Schedule;
pub use state::{JobState, Outcome, Run, State, StateFile};
pub use subject::Subject;
pub use window::Window;
