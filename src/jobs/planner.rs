//! Decides which jobs start, and when.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::job::{Job, JobReport};
use super::state::{JobState, Outcome, Run, State};
use crate::error::{Error, Result};

/// Decides when jobs start, and records their results. The caller passes the current time to each call.
///
/// A job has at most one run at a time. Due times that were missed, because the job or no server was running, are
/// caught up by a single run for the last of them. A failed run is retried until the next due time.
#[derive(Debug)]
pub struct Planner {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    state: JobState,
    /// The start of the current run.
    running: Option<Timestamp>,
    /// The time up to which all due runs have been started.
    started: Timestamp,
    retry: Option<Start>,
}

/// A run to start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The job.
    pub job: Arc<Job>,
    /// The due time of the pictures.
    pub due: Timestamp,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// The start time.
    pub at: Timestamp,
    /// Whether the run is scheduled, rather than requested.
    pub is_scheduled: bool,
}

/// The reason why a job cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// There is no job of that name.
    Unknown,
    /// The job is already running.
    Running,
}

impl Planner {
    /// The delay before the first retry, in seconds. It doubles with each further retry.
    pub const RETRY_AFTER_S: i64 = 30;
    /// The maximum delay before a retry, in seconds.
    pub const MAX_RETRY_WAIT_S: i64 = 600;
    /// If the clock is set back by up to this many seconds, no run is repeated; if by more, the schedule restarts at
    /// the new time.
    pub const CLOCK_TOLERANCE_S: i64 = 3600;

    /// A planner of `jobs` with the `state` of earlier processes. A job whose due time was missed is due now; a job
    /// without state starts at its next due time.
    pub fn new(jobs: Vec<Job>, mut state: State, now: Timestamp) -> Self {
        let entry = |job: Job| {
            let saved = state.jobs.remove(&job.name);
            let state = saved.unwrap_or_else(|| JobState { settled_s: now.as_second(), ..JobState::default() });
            let started = Timestamp::from_second(state.settled_s).unwrap_or(now);
            Entry { job: Arc::new(job), state, running: None, started, retry: None }
        };
        Self { entries: jobs.into_iter().map(entry).collect() }
    }

    /// Returns the runs to start at `now`, and marks them as running.
    pub fn due(&mut self, now: Timestamp) -> Vec<Start> {
        self.entries.iter_mut().filter_map(|entry| entry.due(now)).collect()
    }

    /// Starts a requested run of the job `name`.
    ///
    /// # Errors
    /// [`StartError`] if there is no such job, or it is running.
    pub fn start(&mut self, name: &str, now: Timestamp) -> Result<Start, StartError> {
        let entry = self.entries.iter_mut().find(|entry| entry.job.name == name).ok_or(StartError::Unknown)?;
        if entry.running.is_some() {
            return Err(StartError::Running);
        }
        entry.running = Some(now);
        // File names have a resolution of a second.
        let due = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Ok(Start { job: Arc::clone(&entry.job), due, attempt: 1, at: now, is_scheduled: false })
    }

    /// Records the result of a run that finished at `now` after `took_s` seconds. A cancelled run is not recorded.
    pub fn finish(&mut self, start: &Start, now: Timestamp, took_s: f64, outcome: &Result<JobReport>) {
        const MAX_FILES: usize = 10;
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.job.name == start.job.name) else { return };
        entry.running = None;
        let (error, files) = match outcome {
            Ok(report) => (None, &report.files[..]),
            Err(Error::Cancelled) => return,
            Err(error) => (Some(error.without_folders()), &[][..]),
        };
        let may_retry = start.is_scheduled && start.attempt <= entry.job.retries;
        if error.is_some() && may_retry {
            let doubled = Self::RETRY_AFTER_S.saturating_mul(1 << start.attempt.saturating_sub(1).min(20));
            let wait = SignedDuration::from_secs(doubled.min(Self::MAX_RETRY_WAIT_S));
            let at = now.checked_add(wait).unwrap_or(now);
            entry.retry = Some(Start { attempt: start.attempt + 1, at, ..start.clone() });
        } else if start.is_scheduled {
            entry.state.settled_s = start.due.as_second();
        }
        if error.is_none() {
            entry.state.succeeded_s = Some(now.as_second());
        }
        entry.state.record(Run {
            due_s: start.due.as_second(),
            started_s: start.at.as_second(),
            took_s,
            attempt: start.attempt,
            outcome: if error.is_none() { Outcome::Done } else { Outcome::Failed },
            error,
            output: files.iter().take(MAX_FILES).map(|file| file.display().to_string()).collect(),
        });
    }

    /// The time of the next start; `None` if no idle job is scheduled.
    pub fn next_start(&self) -> Option<Timestamp> {
        self.entries.iter().filter(|entry| entry.running.is_none()).filter_map(Entry::next_start).min()
    }

    /// The state to save.
    pub fn state(&self) -> State {
        State { jobs: self.entries.iter().map(|entry| (entry.job.name.clone(), entry.state.clone())).collect() }
    }

    /// The jobs in their order, each with its state, the start of its current run, and the time of its next start.
    pub fn jobs(&self) -> impl Iterator<Item = (&Arc<Job>, &JobState, Option<Timestamp>, Option<Timestamp>)> {
        self.entries.iter().map(|entry| (&entry.job, &entry.state, entry.running, entry.next_start()))
    }
}

impl Entry {
    fn due(&mut self, now: Timestamp) -> Option<Start> {
        let schedule = self.job.schedule.as_ref()?;
        let tolerance = SignedDuration::from_secs(Planner::CLOCK_TOLERANCE_S);
        if self.started.duration_since(now) > tolerance {
            self.started = now;
            self.state.settled_s = now.as_second();
        }
        let max_wait = SignedDuration::from_secs(Planner::MAX_RETRY_WAIT_S);
        if let Some(retry) = self.retry.as_mut().filter(|retry| retry.at.duration_since(now) > max_wait) {
            retry.at = now;
        }
        if self.running.is_some() {
            return None;
        }
        let start = match schedule.next_after(self.started).filter(|next| *next <= now) {
            Some(next) => {
                let due = schedule.last_until(now).map_or(next, |last| last.max(next));
                self.retry = None;
                Start { job: Arc::clone(&self.job), due, attempt: 1, at: now, is_scheduled: true }
            }
            None => Start { at: now, ..self.retry.take_if(|retry| retry.at <= now)? },
        };
        self.started = self.started.max(start.due);
        self.running = Some(now);
        Some(start)
    }

    fn next_start(&self) -> Option<Timestamp> {
        let next = self.job.schedule.as_ref()?.next_after(self.started);
        let retry = self.retry.as_ref().map(|retry| retry.at);
        next.into_iter().chain(retry).min()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::schedule::Schedule;
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-01T{text}Z").parse().unwrap()
    }

    fn job(pattern: &str) -> Job {
        Job { schedule: Some(Schedule::new(pattern, "UTC").unwrap()), retries: 2, ..Job::example() }
    }

    fn planner(pattern: &str, now: Timestamp) -> Planner {
        Planner::new(vec![job(pattern)], State::default(), now)
    }

    /// Returns the only run that starts.
    fn start_one(planner: &mut Planner, now: Timestamp) -> Start {
        let mut starts = planner.due(now);
        assert_eq!(starts.len(), 1, "at {now}");
        starts.pop().unwrap()
    }

    fn finish(planner: &mut Planner, start: &Start, now: Timestamp, is_success: bool) {
        let outcome = if is_success { Ok(JobReport::default()) } else { Err(Error::input("disk", "it is full")) };
        planner.finish(start, now, 1.0, &outcome);
    }

    #[test]
    fn a_job_starts_when_it_is_due_and_not_before() {
        let mut planner = planner("*/15 * * * *", at("12:00:01"));
        assert_eq!(planner.next_start(), Some(at("12:15:00")));
        assert!(planner.due(at("12:14:59")).is_empty());
        let start = start_one(&mut planner, at("12:15:02"));
        assert_eq!((start.due, start.attempt), (at("12:15:00"), 1));
        finish(&mut planner, &start, at("12:15:03"), true);
        assert!(planner.due(at("12:15:03")).is_empty());
        assert_eq!(planner.next_start(), Some(at("12:30:00")));
    }

    #[test]
    fn due_times_missed_during_a_long_run_are_caught_up_by_one_run() {
        let mut planner = planner("* * * * *", at("12:00:30"));
        let start = start_one(&mut planner, at("12:01:00"));
        assert!((2..9).all(|minute| planner.due(at(&format!("12:0{minute}:00"))).is_empty()));
        assert_eq!(planner.start("example", at("12:05:00")).unwrap_err(), StartError::Running);
        assert_eq!(planner.next_start(), None);
        finish(&mut planner, &start, at("12:09:10"), true);
        let next = start_one(&mut planner, at("12:09:10"));
        assert_eq!(next.due, at("12:09:00"));
        finish(&mut planner, &next, at("12:09:20"), true);
        assert!(planner.due(at("12:09:59")).is_empty());
    }

    #[test]
    fn due_times_missed_while_no_server_runs_are_caught_up_once() {
        let mut before = planner("*/15 * * * *", at("08:00:00"));
        let start = start_one(&mut before, at("08:15:00"));
        finish(&mut before, &start, at("08:15:01"), true);
        let mut after = Planner::new(vec![job("*/15 * * * *")], before.state(), at("11:50:00"));
        let start = start_one(&mut after, at("11:50:00"));
        assert_eq!(start.due, at("11:45:00"));
        finish(&mut after, &start, at("11:50:01"), true);
        assert!(after.due(at("11:59:59")).is_empty());
        // Another restart does not repeat the run.
        let mut again = Planner::new(vec![job("*/15 * * * *")], after.state(), at("11:55:00"));
        assert!(again.due(at("11:55:00")).is_empty());
    }

    #[test]
    fn a_run_interrupted_by_the_end_of_the_server_is_repeated() {
        let mut before = planner("*/15 * * * *", at("08:00:00"));
        let start = start_one(&mut before, at("08:15:00"));
        let killed = before.state();
        before.finish(&start, at("08:15:01"), 1.0, &Err(Error::Cancelled));
        assert!(before.state().jobs["example"].history.is_empty());
        for state in [killed, before.state()] {
            let mut after = Planner::new(vec![job("*/15 * * * *")], state, at("08:20:00"));
            assert_eq!(start_one(&mut after, at("08:20:00")).due, at("08:15:00"));
        }
    }

    #[test]
    fn a_failed_run_is_retried_with_backoff_until_the_next_due_time() {
        let mut planner = planner("0 * * * *", at("11:30:00"));
        let first = start_one(&mut planner, at("12:00:00"));
        finish(&mut planner, &first, at("12:00:01"), false);
        assert!(planner.due(at("12:00:30")).is_empty());
        let second = start_one(&mut planner, at("12:00:31"));
        assert_eq!((second.due, second.attempt), (at("12:00:00"), 2));
        finish(&mut planner, &second, at("12:00:32"), false);
        assert!(planner.due(at("12:01:31")).is_empty());
        let third = start_one(&mut planner, at("12:01:32"));
        finish(&mut planner, &third, at("12:01:33"), false);
        assert_eq!(planner.next_start(), Some(at("13:00:00")), "two retries, and no more");
        let state = &planner.state().jobs["example"];
        assert_eq!((state.history.len(), state.succeeded_s), (3, None));
        assert_eq!(state.history[0].error.as_deref(), Some("disk: it is full"));

        let first = start_one(&mut planner, at("13:00:00"));
        finish(&mut planner, &first, at("13:59:50"), false);
        let next = start_one(&mut planner, at("14:00:00"));
        assert_eq!((next.due, next.attempt), (at("14:00:00"), 1));
        finish(&mut planner, &next, at("14:00:01"), true);
        assert!(planner.due(at("14:30:00")).is_empty(), "the retry is dropped");
    }

    #[test]
    fn a_clock_set_back_a_little_repeats_no_run_and_set_back_far_restarts_the_schedule() {
        let mut planner = planner("*/15 * * * *", at("12:00:00"));
        let start = start_one(&mut planner, at("12:15:00"));
        finish(&mut planner, &start, at("12:15:01"), true);
        assert!(planner.due(at("12:14:58")).is_empty());
        assert!(planner.due(at("12:15:00")).is_empty());
        assert!(planner.due(at("11:30:00")).is_empty());
        assert_eq!(planner.next_start(), Some(at("12:30:00")));
        // Set back far, as when a wrong clock is corrected.
        assert!(planner.due(at("03:10:00")).is_empty());
        assert_eq!(start_one(&mut planner, at("03:15:00")).due, at("03:15:00"));
    }

    #[test]
    fn a_retry_does_not_wait_for_a_clock_that_was_set_back() {
        let mut planner = planner("0 0 1 1 *", "2025-12-31T23:00:00Z".parse().unwrap());
        let start = start_one(&mut planner, at("00:00:00"));
        finish(&mut planner, &start, at("20:00:01"), false);
        let early = at("01:00:00");
        let retry = start_one(&mut planner, early);
        assert_eq!((retry.attempt, retry.at), (2, early));
    }

    #[test]
    fn a_requested_run_does_not_affect_the_schedule() {
        let mut planner = planner("0 * * * *", at("11:30:00"));
        assert_eq!(planner.start("none", at("11:40:00")).unwrap_err(), StartError::Unknown);
        let requested = planner.start("example", at("11:40:00")).unwrap();
        assert_eq!((requested.due, requested.is_scheduled), (at("11:40:00"), false));
        finish(&mut planner, &requested, at("11:40:05"), false);
        assert_eq!(planner.next_start(), Some(at("12:00:00")), "a requested run is not retried");
        assert_eq!(start_one(&mut planner, at("12:00:00")).due, at("12:00:00"));
    }
}
