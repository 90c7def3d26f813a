//! Jobs: pictures that are rendered on a schedule.
//!
//! ```text
//! Schedule ── due ──> Planner ── start ──> Job ── rendered by layer ──> Output ── old pictures are removed
//!                        └── finish: history, retries ── StateFile
//! ```
//!
//! A [`Job`] renders and writes the pictures that are due at a given time. The [`Planner`] decides which jobs start.
//! Its caller passes the current time and the results of runs; neither type reads a clock, so tests can set any time.

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
