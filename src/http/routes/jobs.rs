//! `GET /jobs` and `POST /jobs/{name}/run`: what is drawn by the schedule.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{Answer, Problem};
use crate::jobs::{Job, JobState, Outcome, Run, StartError, Subject};
use crate::spelling::nearest_first;

/// The jobs of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobsReply {
    /// In the order of the configuration.
    jobs: Vec<JobReply>,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
struct JobReply {
    /// Its name.
    #[schema(example = "rain")]
    name: String,
    /// The layer that it draws; null if it reads points of its own.
    layer: Option<String>,
    /// When it runs, as cron has it; null if only when it is asked to.
    #[schema(example = "*/15 * * * *")]
    schedule: Option<String>,
    /// Where the schedule's clock stands.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// The places that it draws; none if it has only one, without a name.
    places: Vec<String>,
    /// Where its pictures are put.
    #[schema(example = "imgs/{job}/{time}.png")]
    output: String,
    /// Since when it runs; null if it does not.
    running_since: Option<String>,
    /// When it starts next, a further attempt included; null while it runs, and if only when it is asked to.
    next_start: Option<String>,
    /// When it last ended well.
    last_success: Option<String>,
    /// Its last runs, the newest first.
    history: Vec<RunReply>,
}

/// How a run went.
#[derive(Debug, Serialize, ToSchema)]
struct RunReply {
    /// When its pictures were due.
    #[schema(example = "2026-01-31T12:15:00Z")]
    due: String,
    /// When it started.
    started: String,
    /// How long it took, in seconds.
    #[schema(example = 0.4)]
    took_s: f64,
    /// Which attempt it was, from 1.
    attempt: u32,
    /// done or failed.
    #[schema(example = "done")]
    outcome: &'static str,
    /// Why it failed.
    error: Option<String>,
    /// The first pictures that it wrote.
    output: Vec<String>,
}

/// A run that begins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StartedReply {
    /// The job's name.
    #[schema(example = "rain")]
    name: String,
    /// When its pictures are due, which is now.
    due: String,
}

/// The jobs and their last runs
///
/// Jobs are tables `[[jobs]]` of the configuration. The server runs them by their schedules, each once at a time.
#[utoipa::path(get, path = "/jobs", tag = "server",
    responses((status = 200, description = "All jobs; none is no error", body = JobsReply)))]
pub(crate) async fn jobs(State(app): State<Arc<App>>) -> impl IntoResponse {
    let jobs = app.scheduler.planner().jobs().map(|(job, state, since, next)| reply(job, state, since, next)).collect();
    ([(header::CACHE_CONTROL, "no-store")], Json(JobsReply { jobs }))
}

/// Run a job now
///
/// ```sh
/// curl -X POST localhost:3000/jobs/rain/run -H 'Authorization: Bearer TOKEN'
/// ```
///
/// It is answered at once; `GET /jobs` tells how the run went. The schedule goes on as if nothing had been.
#[utoipa::path(post, path = "/jobs/{name}/run", tag = "server",
    params(("name" = String, Path, description = "A job", example = "rain")),
    security((), ("token" = [])),
    responses(
        (status = 202, description = "The run begins", body = StartedReply, headers(("Location" = String))),
        (status = 401, description = "The request must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "The server takes no writes, or none from that origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It runs already", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    base: BaseUrl,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    app.may_write(&headers)?;
    match app.scheduler.start(&name) {
        Ok(due) => {
            let reply = StartedReply { name, due: second(due) };
            let headers = [(header::LOCATION, base.url("jobs")), (header::CACHE_CONTROL, "no-store".to_owned())];
            Ok((StatusCode::ACCEPTED, headers, Json(reply)).into_response())
        }
        Err(StartError::Running) => Err(Problem::conflict(format!("the job `{name}` runs already"))),
        Err(StartError::Unknown) => {
            let jobs = app.config.jobs.iter().map(|job| job.name.as_str());
            let near = nearest_first(&name, jobs);
            let near = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            Err(Problem::not_found(format!("there is no job of that name{near}")))
        }
    }
}

fn reply(job: &Job, state: &JobState, since: Option<Timestamp>, next: Option<Timestamp>) -> JobReply {
    let layer = match &job.subject {
        Subject::Layer(name) => Some(name.clone()),
        Subject::Inputs(_) | Subject::Query(_) => None,
    };
    JobReply {
        name: job.name.clone(),
        layer,
        schedule: job.schedule.as_ref().map(|schedule| schedule.pattern().to_owned()),
        timezone: job.schedule.as_ref().map(|schedule| schedule.zone().to_owned()),
        places: job.places.iter().map(|place| place.name.clone()).filter(|name| !name.is_empty()).collect(),
        output: job.output.pattern().to_owned(),
        running_since: since.map(second),
        next_start: next.filter(|_| since.is_none()).map(second),
        last_success: state.succeeded_s.map(of_seconds),
        history: state.history.iter().map(run_reply).collect(),
    }
}

fn run_reply(run: &Run) -> RunReply {
    let Run { due_s, started_s, took_s, attempt, outcome, error, output } = run;
    RunReply {
        due: of_seconds(*due_s),
        started: of_seconds(*started_s),
        took_s: (took_s * 1e3).round() / 1e3,
        attempt: *attempt,
        outcome: if *outcome == Outcome::Done { "done" } else { "failed" },
        error: error.clone(),
        output: output.clone(),
    }
}

/// A time to the second.
fn second(time: Timestamp) -> String {
    of_seconds(time.as_second())
}

fn of_seconds(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
