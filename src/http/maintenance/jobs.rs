//! The runner of scheduled jobs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::http::server::App;
use crate::http::server::pool::CancelOnDrop;
use crate::jobs::{JobReport, Start};

/// Runs the jobs when they are due, while the server runs. Dropping the future cancels running jobs.
pub(crate) async fn run(app: Arc<App>) {
    if app.config.jobs.is_empty() {
        return;
    }
    save(&app).await;
    let mut runs = JoinSet::new();
    loop {
        let (starts, wait) = app.scheduler.due(Timestamp::now());
        for start in starts {
            runs.spawn(run_job(Arc::clone(&app), start));
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = app.scheduler.woken() => {}
            // A finished job may be due again.
            Some(_) = runs.join_next() => {}
        }
    }
}

async fn save(app: &Arc<App>) {
    let app = Arc::clone(app);
    // `Scheduler::save` logs errors.
    let _ = tokio::task::spawn_blocking(move || app.scheduler.save()).await;
}

/// Runs a job.
async fn run_job(app: Arc<App>, start: Start) {
    let name = start.job.name.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let _stop = CancelOnDrop(Arc::clone(&stop));
    let slot = app.scheduler.slot().await;
    let started = Instant::now();
    let (shared, job, due) = (Arc::clone(&app), Arc::clone(&start.job), start.due);
    let work = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        job.run(shared.job_context(), due, &stop)
    });
    let outcome = work.await.unwrap_or_else(|_| {
        app.metrics.panicked();
        Err(Error::input(&name, "it panicked"))
    });
    let took_s = started.elapsed().as_secs_f64();
    report(&name, &start, took_s, &outcome);
    app.metrics.job_ended(&name, took_s, outcome.is_ok());
    app.scheduler.planner().finish(&start, Timestamp::now(), took_s, &outcome);
    save(&app).await;
}

fn report(job: &str, start: &Start, took_s: f64, outcome: &Result<JobReport>) {
    let (attempt, due) = (start.attempt, start.due.to_string());
    match outcome {
        Ok(JobReport { files, points, removed, remarks }) => {
            for remark in remarks {
                tracing::warn!(job, "{remark}");
            }
            let output = files.first().map(|file| file.display().to_string());
            tracing::info!(job, due, attempt, took_s, pictures = files.len(), points, removed, output, "job done");
        }
        Err(error) => tracing::error!(job, due, attempt, took_s, %error, "job failed"),
    }
}
