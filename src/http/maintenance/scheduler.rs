//! The job scheduler and its state file.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::config::{Config, JobConfig};
use crate::error::Result;
use crate::jobs::{Planner, Start, StartError, State, StateFile};

/// The job scheduler.
#[derive(Debug)]
pub(crate) struct Scheduler {
    planner: Mutex<Planner>,
    file: StateFile,
    /// Locked while the file is written, so that states are written in order.
    saving: Mutex<()>,
    slots: Arc<Semaphore>,
    /// Runs that were started by requests.
    requested: Mutex<Vec<Start>>,
    woken: Notify,
}

impl Scheduler {
    /// The name of the state file in the image folder.
    const FILE: &str = "jobs.json";
    /// The maximum time between readings of the clock, which may be adjusted.
    const MAX_SLEEP: Duration = Duration::from_secs(30);

    /// Creates the scheduler of the jobs in `config`, with the saved state. A damaged state file is logged and ignored.
    ///
    /// # Errors
    /// If a job is invalid.
    pub(crate) fn new(config: &Config, folder: &Path, threads: usize) -> Result<Self> {
        let jobs = config.jobs.iter().map(JobConfig::job).collect::<Result<Vec<_>>>()?;
        let file = StateFile::new(folder.join(Self::FILE));
        let state = if jobs.is_empty() { Ok(State::default()) } else { file.load() };
        let state = state.unwrap_or_else(|error| {
            tracing::warn!(%error, "ignored the damaged state file of the jobs");
            State::default()
        });
        Ok(Self {
            planner: Mutex::new(Planner::new(jobs, state, Timestamp::now())),
            file,
            saving: Mutex::default(),
            // The other half of the threads serves requests.
            slots: Arc::new(Semaphore::new((threads / 2).max(1))),
            requested: Mutex::default(),
            woken: Notify::new(),
        })
    }

    /// Locks the planner of the jobs.
    pub(crate) fn planner(&self) -> MutexGuard<'_, Planner> {
        self.planner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a run of a job, and returns its due time, now.
    pub(crate) fn start(&self, name: &str) -> Result<Timestamp, StartError> {
        let start = self.planner().start(name, Timestamp::now())?;
        let due = start.due;
        self.requested.lock().unwrap_or_else(PoisonError::into_inner).push(start);
        self.woken.notify_one();
        Ok(due)
    }

    /// Returns the runs to start now, and the time until the next one is due.
    pub(crate) fn due(&self, now: Timestamp) -> (Vec<Start>, Duration) {
        let mut starts = std::mem::take(&mut *self.requested.lock().unwrap_or_else(PoisonError::into_inner));
        let mut planner = self.planner();
        starts.extend(planner.due(now));
        let wait = planner.next_start().map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
        (starts, wait.unwrap_or(Self::MAX_SLEEP).min(Self::MAX_SLEEP))
    }

    /// Waits until a request starts a run.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Waits for the permit to run a job.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Writes the state file.
    pub(crate) fn save(&self) {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.planner().state();
        if let Err(error) = self.file.save(&state) {
            tracing::error!(%error, "failed to write the state file of the jobs");
        }
    }
}
