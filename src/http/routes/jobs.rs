//! `GET /jobs` and `POST /jobs/{name}/run`: scheduled jobs.

use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::jobs::{Job, JobState, Outcome, Run, StartError, Subject};
use crate::redact::{without_folders, without_passwords};
use crate::spelling::{did_you_mean, nearest_of};

/// The jobs of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobsReply {
    /// Jobs in the order of the configuration.
    jobs: Vec<JobReply>,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
struct JobReply {
    /// Name of the job.
    #[schema(example = "rain")]
    name: String,
    /// Layer that the job renders; null if it reads inputs or a query.
    layer: Option<String>,
    /// Schedule in cron syntax; null if the job runs only on request.
    #[schema(example = "*/15 * * * *")]
    schedule: Option<String>,
    /// Time zone of the schedule.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// Names of the areas that the job renders; empty if it has a single unnamed area.
    places: Vec<String>,
    /// Path pattern of the pictures.
    #[schema(example = "imgs/{job}/{time}.png")]
    output: String,
    /// Start of the current run; null if the job is not running.
    running_since: Option<String>,
    /// Time of the next start, including retries; null while the job is running or if it has no schedule.
    next_start: Option<String>,
    /// Time of the last successful run.
    last_success: Option<String>,
    /// Last runs, newest first.
    history: Vec<RunReply>,
}

/// A run of a job.
#[derive(Debug, Serialize, ToSchema)]
struct RunReply {
    /// Due time of the run.
    #[schema(example = "2026-01-31T12:15:00Z")]
    due: String,
    /// Start time of the run.
    started: String,
    /// Duration in seconds.
    #[schema(example = 0.4)]
    took_s: f64,
    /// Number of the attempt, starting at 1.
    attempt: u32,
    /// Outcome: done or failed.
    #[schema(example = "done")]
    outcome: &'static str,
    /// Error of a failed run.
    error: Option<String>,
    /// Paths of the first 10 pictures that the run wrote.
    output: Vec<String>,
}

/// A started run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StartedReply {
    /// Name of the job.
    #[schema(example = "rain")]
    name: String,
    /// Due time of the run, the time of the request.
    due: String,
}

/// The jobs and their last runs
///
/// Jobs are `[[jobs]]` tables of the configuration. The server runs them on their schedules; runs of a job do not
/// overlap.
#[utoipa::path(get, path = "/jobs", operation_id = "list_jobs", tag = "server",
    responses((status = 200, description = "All jobs; may be empty", body = JobsReply)))]
pub(crate) async fn jobs(app: Session) -> impl IntoResponse {
    let planner = app.scheduler.planner();
    let jobs = planner.jobs().filter(|(job, ..)| app.sees_job(layer_of(job)));
    let jobs = jobs.map(|(job, state, since, next)| reply(job, state, since, next)).collect();
    ([(header::CACHE_CONTROL, "no-store")], Json(JobsReply { jobs }))
}

/// Run a job now
///
/// ```sh
/// curl -X POST localhost:3000/jobs/rain/run -H "Authorization: Bearer $KILN_TOKEN"
/// ```
///
/// The response is sent immediately; `GET /jobs` returns the outcome of the run. The schedule is not affected.
#[utoipa::path(post, path = "/jobs/{name}/run", operation_id = "run_job", tag = "server",
    params(("name" = String, Path, description = "Name of a job", example = "rain")),
    security((), ("token" = [])),
    responses(
        (status = 202, description = "The run was started", body = StartedReply, headers(("Location" = String))),
        (status = 401, description = "The bearer token is missing or invalid", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The job is already running", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn run(
    app: Session,
    Path(name): Path<String>,
    base: BaseUrl,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    app.authorize_write(&headers)?;
    let is_hidden = app.scheduler.planner().jobs().any(|(job, ..)| job.name == name && !app.sees_job(layer_of(job)));
    let started = if is_hidden { Err(StartError::Unknown) } else { app.scheduler.start(&name) };
    match started {
        Ok(due) => {
            let reply = StartedReply { name, due: format_time(due) };
            let headers = [(header::LOCATION, base.url("jobs")), (header::CACHE_CONTROL, "no-store".to_owned())];
            Ok((StatusCode::ACCEPTED, headers, Json(reply)).into_response())
        }
        Err(StartError::Running) => Err(Problem::conflict(format!("the job `{name}` is already running"))),
        Err(StartError::Unknown) => {
            let planner = app.scheduler.planner();
            let jobs = planner.jobs().filter(|(job, ..)| app.sees_job(layer_of(job)));
            let hint = did_you_mean(&nearest_of(&name, [], jobs.map(|(job, ..)| job.name.as_str())));
            Err(Problem::not_found(format!("there is no job of that name; {hint}GET /jobs lists all")))
        }
    }
}

/// The layer that a job renders.
fn layer_of(job: &Job) -> Option<&str> {
    match &job.subject {
        Subject::Layer(name) => Some(name),
        Subject::Inputs(_) | Subject::Query(_) => None,
    }
}

fn reply(job: &Job, state: &JobState, since: Option<Timestamp>, next: Option<Timestamp>) -> JobReply {
    let layer = layer_of(job).map(str::to_owned);
    JobReply {
        name: job.name.clone(),
        layer,
        schedule: job.schedule.as_ref().map(|schedule| schedule.pattern().to_owned()),
        timezone: job.schedule.as_ref().map(|schedule| schedule.zone().to_owned()),
        places: job.places.iter().map(|place| place.name.clone()).filter(|name| !name.is_empty()).collect(),
        output: job.output.pattern().to_owned(),
        running_since: since.map(format_time),
        next_start: next.filter(|_| since.is_none()).map(format_time),
        last_success: state.succeeded_s.map(format_unix_s),
        history: state.history.iter().map(run_reply).collect(),
    }
}

fn run_reply(run: &Run) -> RunReply {
    let Run { due_s, started_s, took_s, attempt, outcome, error, output } = run;
    RunReply {
        due: format_unix_s(*due_s),
        started: format_unix_s(*started_s),
        took_s: (took_s * 1e3).round() / 1e3,
        attempt: *attempt,
        outcome: if *outcome == Outcome::Done { "done" } else { "failed" },
        error: error.as_deref().map(|error| without_folders(&without_passwords(error))),
        output: output.clone(),
    }
}

/// Formats a time to the second.
fn format_time(time: Timestamp) -> String {
    format_unix_s(time.as_second())
}

/// Formats a Unix time in seconds.
fn format_unix_s(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
