//! The jobs' schedule, as long as the server runs.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::config::{Config, JobConfig};
use crate::error::{Error, Result};
use crate::http::server::App;
use crate::http::server::pool::StopOnDrop;
use crate::jobs::{JobContext, JobReport, Planner, Refusal, Start, State, StateFile};

/// The jobs, and when they start.
#[derive(Debug)]
pub(crate) struct Scheduler {
    planner: Mutex<Planner>,
    file: StateFile,
    /// Held by whoever writes the file, so that what is newer is written later.
    saving: Mutex<()>,
    slots: Arc<Semaphore>,
    /// Runs that somebody asked for.
    asked: Mutex<Vec<Start>>,
    told: Notify,
}

impl Scheduler {
    /// Its file in the folder of images.
    const FILE: &str = "jobs.json";
    /// It looks at the clock at least so often: clocks are set.
    const LONGEST_SLEEP: Duration = Duration::from_secs(30);

    /// The jobs of `config`, with what is remembered of them. What is damaged is told in the log, and forgotten.
    ///
    /// # Errors
    /// If a job makes no sense.
    pub(crate) fn new(config: &Config, folder: &Path, threads: usize) -> Result<Self> {
        let jobs = config.jobs.iter().map(JobConfig::job).collect::<Result<Vec<_>>>()?;
        let file = StateFile::new(folder.join(Self::FILE));
        let state = if jobs.is_empty() { Ok(State::default()) } else { file.load() };
        let state = state.unwrap_or_else(|error| {
            tracing::warn!(%error, "nothing is remembered of the jobs");
            State::default()
        });
        Ok(Self {
            planner: Mutex::new(Planner::new(jobs, state, Timestamp::now())),
            file,
            saving: Mutex::default(),
            // The other half of the processors is for requests.
            slots: Arc::new(Semaphore::new((threads / 2).max(1))),
            asked: Mutex::default(),
            told: Notify::new(),
        })
    }

    /// What is known of the jobs.
    pub(crate) fn planner(&self) -> MutexGuard<'_, Planner> {
        self.planner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a job run now, and answers when that is.
    pub(crate) fn start(&self, name: &str) -> Result<Timestamp, Refusal> {
        let start = self.planner().start(name, Timestamp::now())?;
        let due = start.due;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(start);
        self.told.notify_one();
        Ok(due)
    }

    /// What is to start, and how long nothing else is.
    fn due(&self, now: Timestamp) -> (Vec<Start>, Duration) {
        let mut starts = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let mut planner = self.planner();
        starts.extend(planner.due(now));
        let wait = planner.wake().map(|wake| Duration::try_from(wake.duration_since(now)).unwrap_or_default());
        (starts, wait.unwrap_or(Self::LONGEST_SLEEP).min(Self::LONGEST_SLEEP))
    }

    /// Writes down what is to be remembered.
    fn save(&self) {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.planner().state();
        if let Err(error) = self.file.save(&state) {
            tracing::error!(%error, "what is to be remembered of the jobs could not be written");
        }
    }
}

/// Runs the jobs when they are due, as long as the server runs. What is running when this is dropped is told to stop.
pub(crate) async fn run_jobs(app: Arc<App>) {
    if app.config.jobs.is_empty() {
        return;
    }
    save(&app).await;
    let mut runs = JoinSet::new();
    loop {
        let (starts, wait) = app.scheduler.due(Timestamp::now());
        for start in starts {
            runs.spawn(run(Arc::clone(&app), start));
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = app.scheduler.told.notified() => {}
            // What ended may be due again.
            Some(_) = runs.join_next() => {}
        }
    }
}

async fn save(app: &Arc<App>) {
    let there = Arc::clone(app);
    // It has told all that can go wrong.
    let _ = tokio::task::spawn_blocking(move || there.scheduler.save()).await;
}

/// Runs a job.
async fn run(app: Arc<App>, start: Start) {
    let name = start.job.name.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let _stop = StopOnDrop(Arc::clone(&stop));
    let slot = Arc::clone(&app.scheduler.slots).acquire_owned().await;
    let begun = Instant::now();
    let (there, job, due) = (Arc::clone(&app), Arc::clone(&start.job), start.due);
    let work = tokio::task::spawn_blocking(move || {
        // Free again when the work has ended.
        let _slot = slot;
        let context = there.job_context();
        job.run(context, due, &stop)
    });
    let outcome = work.await.unwrap_or_else(|_| {
        app.metrics.panicked();
        Err(Error::input(&name, "it came to a sudden end"))
    });
    let took_s = begun.elapsed().as_secs_f64();
    tell(&name, &start, took_s, &outcome);
    app.metrics.job_ended(&name, took_s, outcome.is_ok());
    app.scheduler.planner().ended(&start, Timestamp::now(), took_s, &outcome);
    save(&app).await;
}

fn tell(job: &str, start: &Start, took_s: f64, outcome: &Result<JobReport>) {
    let (attempt, due) = (start.attempt, start.due.to_string());
    match outcome {
        Ok(JobReport { files, points, removed }) => {
            let output = files.first().map(|file| file.display().to_string());
            tracing::info!(job, due, attempt, took_s, pictures = files.len(), points, removed, output, "job done");
        }
        Err(error) => tracing::error!(job, due, attempt, took_s, %error, "job failed"),
    }
}

impl App {
    /// What jobs draw with: a thread each, of which there are several.
    pub(crate) fn job_context(&self) -> JobContext<'_> {
        let (catalog, database) = (&self.catalog, self.database.as_ref());
        JobContext { catalog, database, scheme_folders: &self.config.schemes.folders, threads: 1 }
    }
}
