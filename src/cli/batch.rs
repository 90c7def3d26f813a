//! `kiln batch`: the jobs of the configuration, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::job_layers::check_layers;
use super::signals::stoppable;
use super::store::StoreArgs;
use super::summary::plural;
use super::{note, say, spelled};
use crate::config::{Config, JobConfig};
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

/// Run the jobs of the configuration once, whatever their schedules.
///
/// A job is a table `[[jobs]]` of kiln.toml: a layer or files, the ground, the style, and where the pictures go. `kiln serve`
/// runs them by their schedules; this is for cron, or for a first look. Where one fails, the others run all the same, its
/// last picture stays as it was, and the exit code is 1.
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
    /// The jobs by name [default: all]
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// Draw what was due at this time: a date, an RFC 3339 time, or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    at: Option<Timestamp>,
    /// Jobs at the same time [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = args.store.load()?;
    config.check()?;
    let jobs = chosen(&config, &args.jobs)?;
    let store = args.store.open()?;
    let Live { database, layers: live, away } = Live::of(&config, &jobs, &store)?;
    let layers = input_layers(&config, &jobs)?;
    if !args.quiet {
        for layer in &layers {
            note(&remarks_with_rejections(&layer.report(), Parameter::key));
        }
    }
    let catalog = Catalog::new(layers).with_provider(Arc::new(live)).with_provider(Arc::new(store));
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let at_once = threads.min(jobs.len());
    let context = JobContext {
        catalog: &catalog,
        database: database.as_ref(),
        scheme_folders: &config.schemes.folders,
        threads: (threads / at_once.max(1)).max(1),
    };
    let due = args.at.unwrap_or_else(Timestamp::now);
    let stop = AtomicBool::new(false);
    let batch =
        Batch { config: &config, jobs: &jobs, context, away: away.as_ref(), due, stop: &stop, quiet: args.quiet };
    for job in jobs.iter().filter(|job| batch.away(job).is_none()) {
        job.check(context).map_err(|error| of_job(error, &job.name))?;
    }
    let failed = stoppable(|| stop.store(true, Ordering::Relaxed), || batch.run(at_once))?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::input("batch", "stopped; pictures that were not finished are as they were"));
    }
    if failed.is_empty() {
        return Ok(());
    }
    let why = format!("{} of {} failed: {}", failed.len(), plural(jobs.len() as u64, "job"), failed.join(", "));
    Err(Error::input("batch", why))
}

/// What is run.
struct Batch<'a> {
    config: &'a Config,
    jobs: &'a [Job],
    context: JobContext<'a>,
    /// Why the database cannot be asked.
    away: Option<&'a Error>,
    due: Timestamp,
    stop: &'a AtomicBool,
    quiet: bool,
}

impl Batch<'_> {
    /// Why a job cannot begin: what it draws is in the database, which is away.
    fn away(&self, job: &Job) -> Option<&Error> {
        let is_there = || match &job.subject {
            Subject::Inputs(_) => true,
            Subject::Query(_) => false,
            Subject::Layer(name) if self.config.layers.get(name).is_some_and(|layer| layer.inputs.is_empty()) => false,
            // One that cannot be read is told by the job.
            Subject::Layer(name) => self.context.catalog.find(name).map_or(true, |layer| layer.is_some()),
        };
        self.away.filter(|_| !is_there())
    }

    /// Runs all jobs, so many at a time, and answers the names of those that failed, in their order.
    fn run(&self, at_once: usize) -> Result<Vec<String>> {
        let ended = AtomicUsize::new(0);
        let failed = try_map(self.jobs, at_once, |job| {
            let start = Instant::now();
            let run;
            let outcome = if let Some(away) = self.away(job) {
                Err(away)
            } else {
                run = job.run(self.context, self.due, self.stop);
                run.as_ref()
            };
            let (ended, count) = (ended.fetch_add(1, Ordering::Relaxed) + 1, self.jobs.len());
            if let Ok(report) = outcome
                && !self.quiet
            {
                note(&report.remarks);
            }
            if !self.quiet || outcome.is_err() {
                say(&format!("[{ended}/{count}] {}: {}", job.name, told(outcome, start)));
            }
            // Where one fails, the others run all the same.
            Ok(outcome.is_err().then(|| job.name.clone()))
        });
        Ok(failed?.into_iter().flatten().collect())
    }
}

/// What became of a job, in one line.
fn told(outcome: Result<&JobReport, &Error>, start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(JobReport { files, points, removed, .. }) => {
            let first = files.first().map(|file| file.display().to_string()).unwrap_or_default();
            let more = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
            let removed =
                if *removed > 0 { format!(", {} removed", plural(*removed, "old picture")) } else { String::new() };
            format!("drew {}{removed} in {seconds:.3} s: {first}{more}", plural(*points, "point"))
        }
        Err(error) => format!("failed after {seconds:.3} s: {}", spelled(error, Parameter::key)),
    }
}

/// The jobs that are named, or all.
fn chosen(config: &Config, names: &[String]) -> Result<Vec<Job>> {
    if config.jobs.is_empty() {
        let why = "there are no jobs in the configuration; a table [[jobs]] makes one, see `kiln batch --help`";
        return Err(Error::config("jobs", why));
    }
    for name in names {
        if !config.jobs.iter().any(|job| job.name == *name) {
            let known = || config.jobs.iter().map(|job| job.name.as_str());
            let hint = did_you_mean(&nearest(name, known(), str::to_lowercase));
            let all = known().collect::<Vec<_>>().join(", ");
            return Err(Error::config(name.as_str(), format!("there is no job of that name; {hint}there are {all}")));
        }
    }
    config.jobs.iter().filter(|job| names.is_empty() || names.contains(&job.name)).map(JobConfig::job).collect()
}

/// What jobs draw of the database.
#[derive(Default)]
struct Live {
    database: Option<Arc<Database>>,
    layers: LiveTables,
    /// Why it cannot be asked.
    away: Option<Error>,
}

impl Live {
    fn of(config: &Config, jobs: &[Job], store: &Store) -> Result<Self> {
        let stored = store.names()?;
        let drawn: BTreeMap<&str, &str> = jobs
            .iter()
            .filter_map(|job| match &job.subject {
                Subject::Layer(layer) => Some((layer.as_str(), job.name.as_str())),
                Subject::Inputs(_) | Subject::Query(_) => None,
            })
            .collect();
        let check = |tables: &[live::Table<'_>]| {
            check_layers(drawn.iter().map(|(layer, job)| (*job, *layer)), config, &stored, tables)
        };
        let is_of_inputs = |layer: &str| config.layers.get(layer).is_some_and(|layer| !layer.inputs.is_empty());
        let is_query = |job: &Job| matches!(job.subject, Subject::Query(_));
        if drawn.keys().all(|layer| is_of_inputs(layer)) && !jobs.iter().any(is_query) {
            return Ok(Self::default());
        }
        let look = || -> Result<Option<Self>> {
            let Some(database) = live::open(config)? else { return Ok(None) };
            let tables = live::tables(config, &database)?;
            check(&tables)?;
            let tables = tables.into_iter().filter(|table| drawn.contains_key(table.name.as_str()));
            let layers = tables.map(|table| Ok((table.name.clone(), table.open(&database)?))).collect::<Result<_>>()?;
            Ok(Some(Self { database: Some(database), layers: LiveTables(layers), away: None }))
        };
        match look() {
            Ok(Some(live)) => Ok(live),
            Ok(None) => check(&[]).map(|()| Self::default()),
            // The jobs that draw something else run all the same.
            Err(away @ Error::Database { .. }) => Ok(Self { away: Some(away), ..Self::default() }),
            Err(other) => Err(other),
        }
    }
}

/// The layers of inputs that the jobs draw.
fn input_layers(config: &Config, jobs: &[Job]) -> Result<Vec<Layer>> {
    let is_drawn =
        |name: &String| jobs.iter().any(|job| matches!(&job.subject, Subject::Layer(drawn) if drawn == name));
    let layers = config.layers.iter().filter(|(name, layer)| !layer.inputs.is_empty() && is_drawn(name));
    layers.map(|(name, layer)| config.open_layer(name, layer)).collect()
}

/// An error of a job, with the key at fault.
fn of_job(error: Error, job: &str) -> Error {
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
            "not a time such as 2024-05-01 or 2024-05-01T12:00:00Z, nor Unix seconds",
        )
    })
}
