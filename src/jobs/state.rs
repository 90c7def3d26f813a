//! What is remembered of the jobs from one start of the server to the next.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::images::AtomicFile;

/// What is remembered of all jobs, by their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The jobs by name.
    #[serde(default)]
    pub jobs: BTreeMap<String, JobState>,
}

/// What is remembered of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// Seconds since 1970: all that was due until then is done with.
    pub settled_s: i64,
    /// When it last ended well, in seconds since 1970.
    #[serde(default)]
    pub succeeded_s: Option<i64>,
    /// Its last runs, the newest first.
    #[serde(default)]
    pub history: VecDeque<Run>,
}

/// How a run of a job went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When the picture was due, in seconds since 1970.
    pub due_s: i64,
    /// When it started, in seconds since 1970.
    pub started_s: i64,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Whether it ended well.
    pub outcome: Outcome,
    /// Why it did not.
    #[serde(default)]
    pub error: Option<String>,
    /// The pictures that it wrote, the first of them at least.
    #[serde(default)]
    pub output: Vec<String>,
}

/// Whether a run ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All pictures are written.
    Done,
    /// At least one is not.
    Failed,
}

impl JobState {
    /// How many runs are remembered.
    pub const HISTORY: usize = 20;

    /// Remembers a run.
    pub(super) fn remember(&mut self, run: Run) {
        self.history.push_front(run);
        self.history.truncate(Self::HISTORY);
    }
}

/// The file that the state is kept in, as JSON.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// The file `path`, which need not be there.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// What was remembered; nothing, if there is no such file yet.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Input`] if something else is in it.
    pub fn load(&self) -> Result<State> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::input(&self.path, format!("not what is remembered of jobs: {error}"))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(Error::io(&self.path, "read", error)),
        }
    }

    /// Remembers `state`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, state: &State) -> Result<()> {
        let refused = |error| Error::io(&self.path, "write", error);
        let text = serde_json::to_vec_pretty(state).map_err(std::io::Error::from).map_err(refused)?;
        let mut file = AtomicFile::create(&self.path)?;
        file.file().write_all(&text).map_err(refused)?;
        file.commit_durably()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_reads_back_and_damage_is_told() {
        let home = tempfile::tempdir().unwrap();
        let file = StateFile::new(home.path().join("jobs.json"));
        assert_eq!(file.load().unwrap(), State::default());
        let mut job = JobState { settled_s: 7, ..JobState::default() };
        for started_s in 0..30 {
            job.remember(Run {
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
        fs::write(home.path().join("jobs.json"), "{\"jobs\":5}").unwrap();
        assert!(file.load().unwrap_err().to_string().contains("jobs.json"));
        assert!(StateFile::new(home.path().join("no/jobs.json")).save(&state).is_err());
    }
}
