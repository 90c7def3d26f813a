//! `kiln batch`: runs the jobs of the configuration once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::flags::whole_number;
use super::job_layers::check_layers;
use super::signals::run_cancellable;
use super::store::StoreArgs;
use super::summary::plural;
use super::{describe_with, print_message, print_notes};
use crate::config::{Config, JobConfig, LayerConfig};
use crate::error::{Error, Result};
use crate::jobs::{Job, JobContext, JobReport, Subject};
use crate::layer::{Catalog, Layer, remarks_with_rejections};
use crate::live;
use crate::parallel::try_map;
use crate::parameter::Parameter;
use crate::postgis::{Database, LiveTables};
use crate::source::parse_time_us;
use crate::spelling::{did_you_mean, nearest};
use crate::store::Store;

/// Run the jobs of the configuration once, regardless of their schedules.
///
/// A job is a `[[jobs]]` table of kiln.toml: a layer or files, the bounds, the style, and the output path. `kiln serve`
/// runs jobs on their schedules; this command is for cron, or to try them out. If a job fails, its last picture is
/// kept, the other jobs run, and the exit code is 1.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln batch
  kiln batch rain traffic -c /etc/kiln.toml
  kiln batch rain --at 2024-05-01T12:00:00Z

A job in kiln.toml:
  [[jobs]]
  name = \"rain\"
  input = \"gauges.csv\"
  window = \"last 24h\"
  schedule = \"*/15 * * * *\"
  output = \"imgs/{job}/{time}.png\"
  keep = 96")]
pub(super) struct Args {
    /// Names of jobs [default: all]
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// Due time of the runs: a date, an RFC 3339 time, or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    at: Option<Timestamp>,
    /// Maximum number of concurrent jobs [default: one per processor]
    #[arg(long, value_name = "N", value_parser = whole_number::<u16>(1..=1024))]
    threads: Option<u16>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = args.store.load()?;
    config.check()?;
    if !args.quiet {
        print_notes(&config.deprecations());
    }
    let jobs = select_jobs(&config, &args.jobs)?;
    let store = args.store.open()?;
    let LiveLayers { database, layers: live, unavailable } = LiveLayers::of(&config, &jobs, &store)?;
    let layers = input_layers(&config, &jobs)?;
    for job in jobs.iter().filter(|job| job.skip_damaged) {
        // Otherwise the run fails in which a read finds a damaged segment, and only the next one leaves it out.
        if let Subject::Layer(name) = &job.subject
            && let Ok(Some(stored)) = store.layer(name)
        {
            stored.verify();
        }
    }
    if !args.quiet {
        for layer in &layers {
            print_notes(&remarks_with_rejections(&layer.report(), Parameter::key));
        }
    }
    let catalog = Catalog::new(layers).with_provider(Arc::new(live)).with_provider(Arc::new(store));
    let catalog = catalog.with_protected(config.protected_layers()?);
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let concurrency = threads.min(jobs.len());
    let context = JobContext {
        catalog: &catalog,
        database: database.as_ref(),
        scheme_folders: &config.schemes.folders,
        threads: (threads / concurrency.max(1)).max(1),
    };
    let due = args.at.unwrap_or_else(Timestamp::now);
    let stop = AtomicBool::new(false);
    let unavailable = unavailable.as_ref();
    let batch = Batch { config: &config, jobs: &jobs, context, unavailable, due, stop: &stop, quiet: args.quiet };
    for job in jobs.iter().filter(|job| batch.database_error(job).is_none()) {
        job.check(context).map_err(|error| job_error(error, &job.name))?;
    }
    let failed = run_cancellable(|| stop.store(true, Ordering::Relaxed), || batch.run(concurrency))?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::input("batch", "cancelled; unfinished pictures were not replaced"));
    }
    if failed.is_empty() {
        return Ok(());
    }
    let detail = format!("{} of {} failed: {}", failed.len(), plural(jobs.len() as u64, "job"), failed.join(", "));
    Err(Error::input("batch", detail))
}

/// A run of several jobs.
struct Batch<'a> {
    config: &'a Config,
    jobs: &'a [Job],
    context: JobContext<'a>,
    /// The error of an unavailable database.
    unavailable: Option<&'a Error>,
    due: Timestamp,
    stop: &'a AtomicBool,
    quiet: bool,
}

impl Batch<'_> {
    /// The database error, if the job needs the unavailable database.
    fn database_error(&self, job: &Job) -> Option<&Error> {
        let is_available = || match &job.subject {
            Subject::Inputs(_) => true,
            Subject::Query(_) => false,
            Subject::Layer(name) if self.config.layers.get(name).is_some_and(LayerConfig::is_table) => false,
            // The job reports an error of the catalog.
            Subject::Layer(name) => self.context.catalog.find(name).map_or(true, |layer| layer.is_some()),
        };
        self.unavailable.filter(|_| !is_available())
    }

    /// Runs all jobs, at most `concurrency` at a time, and returns the names of the failed ones in order.
    fn run(&self, concurrency: usize) -> Result<Vec<String>> {
        let completed = AtomicUsize::new(0);
        let failed = try_map(self.jobs, concurrency, |job| {
            let start = Instant::now();
            let run;
            let outcome = if let Some(error) = self.database_error(job) {
                Err(error)
            } else {
                run = job.run(self.context, self.due, self.stop);
                run.as_ref()
            };
            let (number, count) = (completed.fetch_add(1, Ordering::Relaxed) + 1, self.jobs.len());
            if let Ok(report) = outcome
                && !self.quiet
            {
                print_notes(&report.remarks);
            }
            if !self.quiet || outcome.is_err() {
                print_message(&format!("[{number}/{count}] {}: {}", job.name, outcome_line(outcome, start)));
            }
            // A failed job does not stop the others.
            Ok(outcome.is_err().then(|| job.name.clone()))
        });
        Ok(failed?.into_iter().flatten().collect())
    }
}

/// Describes the outcome of a job in one line.
fn outcome_line(outcome: Result<&JobReport, &Error>, start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(JobReport { files, points, removed, .. }) => {
            let first = files.first().map(|file| file.display().to_string()).unwrap_or_default();
            let more = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
            let removed =
                if *removed > 0 { format!(", {} removed", plural(*removed, "old picture")) } else { String::new() };
            format!("drew {}{removed} in {seconds:.3} s: {first}{more}", plural(*points, "point"))
        }
        Err(error) => format!("failed after {seconds:.3} s: {}", describe_with(error, Parameter::key)),
    }
}

/// Selects jobs by name, or all of them.
fn select_jobs(config: &Config, names: &[String]) -> Result<Vec<Job>> {
    if config.jobs.is_empty() {
        let detail = "the configuration has no jobs; add a [[jobs]] table, see `kiln batch --help`";
        return Err(Error::config("jobs", detail));
    }
    for name in names {
        if !config.jobs.iter().any(|job| job.name == *name) {
            let known = || config.jobs.iter().map(|job| job.name.as_str());
            let hint = did_you_mean(&nearest(name, known(), str::to_lowercase));
            let all = known().collect::<Vec<_>>().join(", ");
            return Err(Error::config(
                name.as_str(),
                format!("there is no job of that name; {hint}expected one of {all}"),
            ));
        }
    }
    config.jobs.iter().filter(|job| names.is_empty() || names.contains(&job.name)).map(JobConfig::job).collect()
}

/// The layers of live tables that jobs render.
#[derive(Default)]
struct LiveLayers {
    database: Option<Arc<Database>>,
    layers: LiveTables,
    /// The error of an unavailable database.
    unavailable: Option<Error>,
}

impl LiveLayers {
    fn of(config: &Config, jobs: &[Job], store: &Store) -> Result<Self> {
        let stored = store.names()?;
        let jobs_by_layer: BTreeMap<&str, &str> = jobs
            .iter()
            .filter_map(|job| match &job.subject {
                Subject::Layer(layer) => Some((layer.as_str(), job.name.as_str())),
                Subject::Inputs(_) | Subject::Query(_) => None,
            })
            .collect();
        let check = |tables: &[live::Table<'_>]| {
            check_layers(jobs_by_layer.iter().map(|(layer, job)| (*job, *layer)), config, &stored, tables)
        };
        let is_input_layer = |layer: &str| config.layers.get(layer).is_some_and(|layer| !layer.inputs.is_empty());
        let is_query = |job: &Job| matches!(job.subject, Subject::Query(_));
        if jobs_by_layer.keys().all(|layer| is_input_layer(layer)) && !jobs.iter().any(is_query) {
            return Ok(Self::default());
        }
        let open = || -> Result<Option<Self>> {
            let Some(database) = live::open(config)? else { return Ok(None) };
            let tables = live::tables(config, &database)?;
            check(&tables)?;
            let tables = tables.into_iter().filter(|table| jobs_by_layer.contains_key(table.name.as_str()));
            let layers = tables.map(|table| Ok((table.name.clone(), table.open(&database)?))).collect::<Result<_>>()?;
            Ok(Some(Self { database: Some(database), layers, unavailable: None }))
        };
        match open() {
            Ok(Some(live)) => Ok(live),
            Ok(None) => check(&[]).map(|()| Self::default()),
            // Jobs that do not need the database are still run.
            Err(error @ Error::Database { .. }) => Ok(Self { unavailable: Some(error), ..Self::default() }),
            Err(other) => Err(other),
        }
    }
}

/// Opens the layers of input files that the jobs render.
fn input_layers(config: &Config, jobs: &[Job]) -> Result<Vec<Layer>> {
    let is_used = |name: &String| jobs.iter().any(|job| matches!(&job.subject, Subject::Layer(layer) if layer == name));
    let layers = config.layers.iter().filter(|(name, layer)| !layer.inputs.is_empty() && is_used(name));
    layers.map(|(name, layer)| config.open_layer(name, layer)).collect()
}

/// Converts an invalid parameter of a job to an error of its config key.
fn job_error(error: Error, job: &str) -> Error {
    match error {
        Error::Invalid { parameter, message } => {
            Error::config(format!("jobs.{job}.{}", parameter.key()), message.with_keys())
        }
        other => other,
    }
}

fn read_time(text: &str) -> Result<Timestamp> {
    let time = parse_time_us(text).and_then(|us| Timestamp::from_microsecond(us).ok());
    time.ok_or_else(|| {
        Error::invalid(
            const { Parameter::new("at") },
            "expected a time such as 2024-05-01 or 2024-05-01T12:00:00Z, or Unix seconds",
        )
    })
}
