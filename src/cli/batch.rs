//! `kiln batch`: the jobs of the configuration, once.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::signals::stoppable;
use super::store::StoreArgs;
use super::summary::plural;
use super::{described, say};
use crate::config::{Config, JobConfig};
use crate::error::{Error, Result};
use crate::jobs::{Done, Job, Subject, Workshop};
use crate::layer::{Catalog, Layer};
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
    check_layers(&config, &store)?;
    let catalog = catalog(&config, &jobs, store)?;
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);
    let at_once = threads.min(jobs.len());
    let workshop = Workshop {
        catalog: &catalog,
        scheme_folders: &config.schemes.folders,
        threads: (threads / at_once.max(1)).max(1),
    };
    for job in &jobs {
        job.check(workshop).map_err(|error| of_job(error, &job.name))?;
    }
    let due = args.at.unwrap_or_else(Timestamp::now);
    let stop = AtomicBool::new(false);
    let batch = Batch { jobs: &jobs, workshop, due, stop: &stop, quiet: args.quiet };
    let failed = stoppable(|| stop.store(true, Ordering::Relaxed), || Ok(batch.run(at_once)))?;
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
    jobs: &'a [Job],
    workshop: Workshop<'a>,
    due: Timestamp,
    stop: &'a AtomicBool,
    quiet: bool,
}

impl Batch<'_> {
    /// Runs all jobs, so many at a time, and answers the names of those that failed, in their order.
    fn run(&self, at_once: usize) -> Vec<String> {
        let (next, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let failed = Mutex::new(BTreeSet::new());
        let work = || {
            while let Some((i, job)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, self.jobs.get(i)?)))
            {
                let start = Instant::now();
                let outcome = job.run(self.workshop, self.due, self.stop);
                let (ended, count) = (ended.fetch_add(1, Ordering::Relaxed) + 1, self.jobs.len());
                if !self.quiet || outcome.is_err() {
                    say(&format!("[{ended}/{count}] {}: {}", job.name, told(&outcome, start)));
                }
                if outcome.is_err() {
                    failed.lock().unwrap_or_else(PoisonError::into_inner).insert(i);
                }
            }
        };
        std::thread::scope(|scope| {
            (1..at_once).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.into_iter().map(|i| self.jobs[i].name.clone()).collect()
    }
}

/// What became of a job, in one line.
fn told(outcome: &Result<Done>, start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(Done { files, points, removed }) => {
            let first = files.first().map(|file| file.display().to_string()).unwrap_or_default();
            let more = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
            let removed =
                if *removed > 0 { format!(", {} removed", plural(*removed, "old picture")) } else { String::new() };
            format!("drew {}{removed} in {seconds:.3} s: {first}{more}", plural(*points, "point"))
        }
        Err(error) => format!("failed after {seconds:.3} s: {}", described(error)),
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

/// Makes sure that the layers that the jobs of a configuration draw are in it or in the store.
pub(super) fn check_layers(config: &Config, store: &Store) -> Result<()> {
    let mut names: Option<Vec<String>> = None;
    for (job, layer) in config.jobs.iter().filter_map(|job| Some((job, job.layer.as_ref()?))) {
        if config.layers.contains_key(layer) {
            continue;
        }
        let stored = names.get_or_insert(store.names()?);
        if !stored.contains(layer) {
            let known = || config.layers.keys().chain(stored.iter()).map(String::as_str);
            let hint = did_you_mean(&nearest(layer, known(), str::to_lowercase));
            let all = known().collect::<Vec<_>>().join(", ");
            let all = if all.is_empty() { "none at all" } else { &all };
            let why = format!("there is no layer `{layer}`; {hint}there are {all}");
            return Err(Error::config(format!("jobs.{}.layer", job.name), why));
        }
    }
    Ok(())
}

/// The layers of the store, and those of the configuration that the jobs draw.
fn catalog(config: &Config, jobs: &[Job], store: Store) -> Result<Catalog> {
    let mut layers = Vec::new();
    for (name, layer) in &config.layers {
        if jobs.iter().any(|job| matches!(&job.subject, Subject::Layer(wanted) if wanted == name)) {
            layers.push(Layer::open(layer.spec(name)?)?);
        }
    }
    Ok(Catalog::new(layers, Some(store)))
}

/// An error of a job, with the key at fault.
fn of_job(error: Error, job: &str) -> Error {
    match error {
        Error::Invalid { parameter, message } => Error::config(format!("jobs.{job}.{parameter}"), message),
        other => other,
    }
}

fn read_time(text: &str) -> Result<Timestamp> {
    let time = parse_time_us(text).and_then(|us| Timestamp::from_microsecond(us).ok());
    time.ok_or_else(|| Error::invalid("at", "not a time such as 2024-05-01 or 2024-05-01T12:00:00Z, nor Unix seconds"))
}
