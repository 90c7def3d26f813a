//! When jobs start, and what is remembered of their runs.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::config::{Config, JobConfig};
use crate::error::Result;
use crate::jobs::{Planner, Start, StartError, State, StateFile};

/// The jobs, and when they start.
#[derive(Debug)]
pub(crate) struct Scheduler {
    planner: Mutex<Planner>,
    file: StateFile,
    /// Held while the file is written, so that a newer state is written later.
    saving: Mutex<()>,
    slots: Arc<Semaphore>,
    /// Runs that requests have started.
    requested: Mutex<Vec<Start>>,
    woken: Notify,
}

impl Scheduler {
    /// Its file in the folder of images.
    const FILE: &str = "jobs.json";
    /// The clock is read at least so often, since it may be set.
    const LONGEST_SLEEP: Duration = Duration::from_secs(30);

    /// The jobs of `config` with their remembered state. A damaged state file is reported in the log, and ignored.
    ///
    /// # Errors
    /// If a job is invalid.
    pub(crate) fn new(config: &Config, folder: &Path, threads: usize) -> Result<Self> {
        let jobs = config.jobs.iter().map(JobConfig::job).collect::<Result<Vec<_>>>()?;
        let file = StateFile::new(folder.join(Self::FILE));
        let state = if jobs.is_empty() { Ok(State::default()) } else { file.load() };
        let state = state.unwrap_or_else(|error| {
            tracing::warn!(%error, "the state of the jobs is lost");
            State::default()
        });
        Ok(Self {
            planner: Mutex::new(Planner::new(jobs, state, Timestamp::now())),
            file,
            saving: Mutex::default(),
            // The other half of the threads is for requests.
            slots: Arc::new(Semaphore::new((threads / 2).max(1))),
            requested: Mutex::default(),
            woken: Notify::new(),
        })
    }

    /// The state of the jobs.
    pub(crate) fn planner(&self) -> MutexGuard<'_, Planner> {
        self.planner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a run of a job now, and returns when it is due.
    pub(crate) fn start(&self, name: &str) -> Result<Timestamp, StartError> {
        let start = self.planner().start(name, Timestamp::now())?;
        let due = start.due;
        self.requested.lock().unwrap_or_else(PoisonError::into_inner).push(start);
        self.woken.notify_one();
        Ok(due)
    }

    /// The runs to start now, and the time until the next one is due.
    pub(crate) fn due(&self, now: Timestamp) -> (Vec<Start>, Duration) {
        let mut starts = std::mem::take(&mut *self.requested.lock().unwrap_or_else(PoisonError::into_inner));
        let mut planner = self.planner();
        starts.extend(planner.due(now));
        let wait = planner.next_start().map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
        (starts, wait.unwrap_or(Self::LONGEST_SLEEP).min(Self::LONGEST_SLEEP))
    }

    /// Waits until a request starts a run.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Waits until fewer jobs run than may run at a time.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Writes the state file.
    pub(crate) fn save(&self) {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.planner().state();
        if let Err(error) = self.file.save(&state) {
            tracing::error!(%error, "the state of the jobs could not be written");
        }
    }
}
