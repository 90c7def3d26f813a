//! What is to start when.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::job::{Job, JobReport};
use super::state::{JobState, Outcome, Run, State};
use crate::error::{Error, Result};

/// Decides when jobs start, and remembers how they ended. It is told the time with every call.
///
/// A job runs once at a time. What came due while it ran, or while nobody was there, is made up for by one run, that of the last
/// time that it was due. One that failed is tried again, until it is due anew.
#[derive(Debug)]
pub struct Planner {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    state: JobState,
    /// Since when it runs.
    running: Option<Timestamp>,
    /// All that was due until then has been started.
    started: Timestamp,
    retry: Option<Start>,
}

/// A run that is to start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The job.
    pub job: Arc<Job>,
    /// When its pictures are due.
    pub due: Timestamp,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// When it starts.
    pub at: Timestamp,
    /// Whether the schedule asks for it, rather than somebody.
    pub is_scheduled: bool,
}

/// Why a job does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// There is none of that name.
    Unknown,
    /// It runs already.
    Running,
}

impl Planner {
    /// How long after the first failure a job is tried again, in seconds; after each further one it is twice as long.
    pub const RETRY_AFTER_S: i64 = 30;
    /// The longest wait before a job is tried again, in seconds.
    pub const MAX_RETRY_WAIT_S: i64 = 600;
    /// A clock that was set back by less than this, in seconds, repeats nothing; by more, the schedule begins anew from there.
    pub const CLOCK_TOLERANCE_S: i64 = 3600;

    /// The planner of some jobs, of which `state` is remembered. What a job was due for while nobody was there is due now; one
    /// that nothing is remembered of begins with the next time.
    pub fn new(jobs: Vec<Job>, mut state: State, now: Timestamp) -> Self {
        let entry = |job: Job| {
            let known = state.jobs.remove(&job.name);
            let state = known.unwrap_or_else(|| JobState { settled_s: now.as_second(), ..JobState::default() });
            let started = Timestamp::from_second(state.settled_s).unwrap_or(now);
            Entry { job: Arc::new(job), state, running: None, started, retry: None }
        };
        Self { entries: jobs.into_iter().map(entry).collect() }
    }

    /// The runs that are to start at `now`. They count as running from then on.
    pub fn due(&mut self, now: Timestamp) -> Vec<Start> {
        self.entries.iter_mut().filter_map(|entry| entry.due(now)).collect()
    }

    /// A run of the job `name` that somebody asks for.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn start(&mut self, name: &str, now: Timestamp) -> Result<Start, StartError> {
        let entry = self.entries.iter_mut().find(|entry| entry.job.name == name).ok_or(StartError::Unknown)?;
        if entry.running.is_some() {
            return Err(StartError::Running);
        }
        entry.running = Some(now);
        // Pictures are named to the second.
        let due = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Ok(Start { job: Arc::clone(&entry.job), due, attempt: 1, at: now, is_scheduled: false })
    }

    /// A run has ended at `now` after `took_s` seconds. One that was stopped is as if it had not begun.
    pub fn ended(&mut self, start: &Start, now: Timestamp, took_s: f64, outcome: &Result<JobReport>) {
        const NAMED: usize = 10;
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.job.name == start.job.name) else { return };
        entry.running = None;
        let (error, files) = match outcome {
            Ok(done) => (None, &done.files[..]),
            Err(Error::Cancelled) => return,
            Err(error) => (Some(error.to_string()), &[][..]),
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
        entry.state.remember(Run {
            due_s: start.due.as_second(),
            started_s: start.at.as_second(),
            took_s,
            attempt: start.attempt,
            outcome: if error.is_none() { Outcome::Done } else { Outcome::Failed },
            error,
            output: files.iter().take(NAMED).map(|file| file.display().to_string()).collect(),
        });
    }

    /// When something is to start next; `None` if nothing ever is, unless a run ends.
    pub fn next_start(&self) -> Option<Timestamp> {
        self.entries.iter().filter(|entry| entry.running.is_none()).filter_map(Entry::next_start).min()
    }

    /// What is to be remembered.
    pub fn state(&self) -> State {
        State { jobs: self.entries.iter().map(|entry| (entry.job.name.clone(), entry.state.clone())).collect() }
    }

    /// The jobs in their order: each with what is remembered of it, since when it runs, and when it starts next.
    pub fn jobs(&self) -> impl Iterator<Item = (&Arc<Job>, &JobState, Option<Timestamp>, Option<Timestamp>)> {
        self.entries.iter().map(|entry| (&entry.job, &entry.state, entry.running, entry.next_start()))
    }
}

impl Entry {
    fn due(&mut self, now: Timestamp) -> Option<Start> {
        let schedule = self.job.schedule.as_ref()?;
        let set_back = SignedDuration::from_secs(Planner::CLOCK_TOLERANCE_S);
        if self.started.duration_since(now) > set_back {
            self.started = now;
            self.state.settled_s = now.as_second();
        }
        let longest = SignedDuration::from_secs(Planner::MAX_RETRY_WAIT_S);
        if let Some(retry) = self.retry.as_mut().filter(|retry| retry.at.duration_since(now) > longest) {
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

    /// The one run that starts.
    fn one(planner: &mut Planner, now: Timestamp) -> Start {
        let mut starts = planner.due(now);
        assert_eq!(starts.len(), 1, "at {now}");
        starts.pop().unwrap()
    }

    fn ended(planner: &mut Planner, start: &Start, now: Timestamp, is_well: bool) {
        let outcome = if is_well { Ok(JobReport::default()) } else { Err(Error::input("disk", "it is full")) };
        planner.ended(start, now, 1.0, &outcome);
    }

    #[test]
    fn a_job_starts_when_it_is_due_and_not_before() {
        let mut planner = planner("*/15 * * * *", at("12:00:01"));
        assert_eq!(planner.next_start(), Some(at("12:15:00")));
        assert!(planner.due(at("12:14:59")).is_empty());
        let start = one(&mut planner, at("12:15:02"));
        assert_eq!((start.due, start.attempt), (at("12:15:00"), 1));
        ended(&mut planner, &start, at("12:15:03"), true);
        assert!(planner.due(at("12:15:03")).is_empty());
        assert_eq!(planner.next_start(), Some(at("12:30:00")));
    }

    #[test]
    fn a_run_longer_than_its_interval_is_alone_and_followed_by_one() {
        let mut planner = planner("* * * * *", at("12:00:30"));
        let start = one(&mut planner, at("12:01:00"));
        assert!((2..9).all(|minute| planner.due(at(&format!("12:0{minute}:00"))).is_empty()));
        assert_eq!(planner.start("example", at("12:05:00")).unwrap_err(), StartError::Running);
        assert_eq!(planner.next_start(), None);
        ended(&mut planner, &start, at("12:09:10"), true);
        let next = one(&mut planner, at("12:09:10"));
        assert_eq!(next.due, at("12:09:00"));
        ended(&mut planner, &next, at("12:09:20"), true);
        assert!(planner.due(at("12:09:59")).is_empty());
    }

    #[test]
    fn what_was_due_while_nobody_was_there_is_made_up_for_once() {
        let mut before = planner("*/15 * * * *", at("08:00:00"));
        let start = one(&mut before, at("08:15:00"));
        ended(&mut before, &start, at("08:15:01"), true);
        let mut after = Planner::new(vec![job("*/15 * * * *")], before.state(), at("11:50:00"));
        let start = one(&mut after, at("11:50:00"));
        assert_eq!(start.due, at("11:45:00"));
        ended(&mut after, &start, at("11:50:01"), true);
        assert!(after.due(at("11:59:59")).is_empty());
        // Nor is it made up for again.
        let mut again = Planner::new(vec![job("*/15 * * * *")], after.state(), at("11:55:00"));
        assert!(again.due(at("11:55:00")).is_empty());
    }

    #[test]
    fn a_run_that_the_end_of_the_server_cut_short_is_made_up_for() {
        let mut before = planner("*/15 * * * *", at("08:00:00"));
        let start = one(&mut before, at("08:15:00"));
        let killed = before.state();
        before.ended(&start, at("08:15:01"), 1.0, &Err(Error::Cancelled));
        assert!(before.state().jobs["example"].history.is_empty());
        for state in [killed, before.state()] {
            let mut after = Planner::new(vec![job("*/15 * * * *")], state, at("08:20:00"));
            assert_eq!(one(&mut after, at("08:20:00")).due, at("08:15:00"));
        }
    }

    #[test]
    fn what_failed_is_tried_again_later_and_later_until_it_is_due_anew() {
        let mut planner = planner("0 * * * *", at("11:30:00"));
        let first = one(&mut planner, at("12:00:00"));
        ended(&mut planner, &first, at("12:00:01"), false);
        assert!(planner.due(at("12:00:30")).is_empty());
        let second = one(&mut planner, at("12:00:31"));
        assert_eq!((second.due, second.attempt), (at("12:00:00"), 2));
        ended(&mut planner, &second, at("12:00:32"), false);
        assert!(planner.due(at("12:01:31")).is_empty());
        let third = one(&mut planner, at("12:01:32"));
        ended(&mut planner, &third, at("12:01:33"), false);
        assert_eq!(planner.next_start(), Some(at("13:00:00")), "two retries, and no more");
        let state = &planner.state().jobs["example"];
        assert_eq!((state.history.len(), state.succeeded_s), (3, None));
        assert_eq!(state.history[0].error.as_deref(), Some("disk: it is full"));

        let first = one(&mut planner, at("13:00:00"));
        ended(&mut planner, &first, at("13:59:50"), false);
        let anew = one(&mut planner, at("14:00:00"));
        assert_eq!((anew.due, anew.attempt), (at("14:00:00"), 1));
        ended(&mut planner, &anew, at("14:00:01"), true);
        assert!(planner.due(at("14:30:00")).is_empty(), "the retry is forgotten");
    }

    #[test]
    fn a_clock_set_back_a_little_repeats_nothing_and_far_begins_anew() {
        let mut planner = planner("*/15 * * * *", at("12:00:00"));
        let start = one(&mut planner, at("12:15:00"));
        ended(&mut planner, &start, at("12:15:01"), true);
        assert!(planner.due(at("12:14:58")).is_empty());
        assert!(planner.due(at("12:15:00")).is_empty());
        assert!(planner.due(at("11:30:00")).is_empty());
        assert_eq!(planner.next_start(), Some(at("12:30:00")));
        // Years may lie between, as where a clock was wrong at first.
        assert!(planner.due(at("03:10:00")).is_empty());
        assert_eq!(one(&mut planner, at("03:15:00")).due, at("03:15:00"));
    }

    #[test]
    fn a_retry_does_not_wait_for_a_clock_that_was_set_back() {
        let mut planner = planner("0 0 1 1 *", "2025-12-31T23:00:00Z".parse().unwrap());
        let start = one(&mut planner, at("00:00:00"));
        ended(&mut planner, &start, at("20:00:01"), false);
        let early = at("01:00:00");
        let retry = one(&mut planner, early);
        assert_eq!((retry.attempt, retry.at), (2, early));
    }

    #[test]
    fn somebody_may_ask_for_a_run_without_disturbing_the_schedule() {
        let mut planner = planner("0 * * * *", at("11:30:00"));
        assert_eq!(planner.start("none", at("11:40:00")).unwrap_err(), StartError::Unknown);
        let asked = planner.start("example", at("11:40:00")).unwrap();
        assert_eq!((asked.due, asked.is_scheduled), (at("11:40:00"), false));
        ended(&mut planner, &asked, at("11:40:05"), false);
        assert_eq!(planner.next_start(), Some(at("12:00:00")), "who asked sees that it failed, and asks again");
        assert_eq!(one(&mut planner, at("12:00:00")).due, at("12:00:00"));
    }
}
