//! The persistent state of jobs: their history and their last due times.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::images::AtomicFile;

/// The persistent state of all jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The state of each job, by name.
    #[serde(default)]
    pub jobs: BTreeMap<String, JobState>,
}

/// The persistent state of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// The time up to which all due runs have finished, in seconds since 1970.
    pub settled_s: i64,
    /// The end of the last successful run, in seconds since 1970.
    #[serde(default)]
    pub succeeded_s: Option<i64>,
    /// The last runs, the newest first.
    #[serde(default)]
    pub history: VecDeque<Run>,
}

/// The record of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The due time, in seconds since 1970.
    pub due_s: i64,
    /// The start time, in seconds since 1970.
    pub started_s: i64,
    /// The duration in seconds.
    pub took_s: f64,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// Whether the run succeeded.
    pub outcome: Outcome,
    /// The error of a failed run.
    #[serde(default)]
    pub error: Option<String>,
    /// The paths of the written pictures, at most the first 10.
    #[serde(default)]
    pub output: Vec<String>,
}

/// Whether a run succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All pictures were written.
    Done,
    /// At least one picture was not written.
    Failed,
}

impl JobState {
    /// The number of runs in the history.
    pub const HISTORY: usize = 20;

    /// Adds a run to the history.
    pub(super) fn record(&mut self, run: Run) {
        self.history.push_front(run);
        self.history.truncate(Self::HISTORY);
    }
}

/// The JSON file of the state.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// The file at `path`, which does not need to exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads the state. A missing file is an empty state.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if its contents are invalid.
    pub fn load(&self) -> Result<State> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::input(&self.path, format!("not a valid state of jobs: {error}"))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(Error::io(&self.path, "read", error)),
        }
    }

    /// Atomically writes the state.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, state: &State) -> Result<()> {
        let failed = |error| Error::io(&self.path, "write", error);
        let text = serde_json::to_vec_pretty(state).map_err(std::io::Error::from).map_err(failed)?;
        let mut file = AtomicFile::create(&self.path)?;
        file.file().write_all(&text).map_err(failed)?;
        file.commit_durably()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_state_is_read_back_and_a_damaged_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::new(folder.path().join("jobs.json"));
        assert_eq!(file.load().unwrap(), State::default());
        let mut job = JobState { settled_s: 7, ..JobState::default() };
        for started_s in 0..30 {
            job.record(Run {
                due_s: 1,
                started_s,
                took_s: 0.5,
                attempt: 1,
                outcome: Outcome::Failed,
                error: Some("disk".into()),
                output: vec!["a.png".into()],
            });
        }
        assert_eq!((job.history.len(), job.history[0].started_s), (JobState::HISTORY, 29));
        let state = State { jobs: [("rain".to_owned(), job)].into() };
        file.save(&state).unwrap();
        assert_eq!(file.load().unwrap(), state);
        fs::write(folder.path().join("jobs.json"), "{\"jobs\":5}").unwrap();
        assert!(file.load().unwrap_err().to_string().contains("jobs.json"));
        assert!(StateFile::new(folder.path().join("no/jobs.json")).save(&state).is_err());
    }
}
