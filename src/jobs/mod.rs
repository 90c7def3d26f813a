//! Pictures that are drawn again and again: what they show, when they are due, and where they are put.
//!
//! ```text
//! Schedule ── due ──> Planner ── start ──> Job ── drawn by layer ──> Output ── the newest stay
//!                        └── ended: history, retries ── StateFile
//! ```
//!
//! A [`Job`] draws; it knows no clock, but is told the time that it is due. The [`Planner`] decides what is to start: it knows
//! no clock either, draws nothing, and is told what ended how. So both are tried with any times.

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
pub use planner::{Planner, Refusal, Start};
pub use schedule::Schedule;
pub use state::{JobState, Outcome, Run, State, StateFile};
pub use subject::Subject;
pub use window::Window;
