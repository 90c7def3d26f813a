//! The layers that the jobs of a configuration draw.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::live;
use crate::spelling::{did_you_mean, nearest};
use crate::store::Store;

/// Checks that each layer of `jobs`, pairs of a job and its layer, is a layer of the configuration, of the store, or a table of the
/// database.
pub(super) fn check_layers<'j>(
    jobs: impl IntoIterator<Item = (&'j str, &'j str)>,
    config: &Config,
    stored: &[String],
    tables: &[live::Table<'_>],
) -> Result<()> {
    let known = || {
        let tables = tables.iter().map(|table| table.name.as_str()).filter(|name| !config.layers.contains_key(*name));
        config.layers.keys().chain(stored).map(String::as_str).chain(tables)
    };
    for (job, layer) in jobs {
        if !known().any(|name| name == layer) {
            let hint = did_you_mean(&nearest(layer, known(), str::to_lowercase));
            let all = known().collect::<Vec<_>>().join(", ");
            let all = if all.is_empty() { "none at all" } else { &all };
            let why = format!("there is no layer `{layer}`; {hint}there are {all}");
            return Err(Error::config(format!("jobs.{job}.layer"), why));
        }
    }
    Ok(())
}

/// Checks the layers of the jobs of a configuration, as far as that needs no connection to its database.
pub(super) fn check_jobs(config: &Config, store: &Store) -> Result<()> {
    live::check(config)?;
    if config.database().is_some() {
        return Ok(());
    }
    let jobs = config.jobs.iter().filter_map(|job| Some((job.name.as_str(), job.layer.as_deref()?)));
    check_layers(jobs, config, &store.names()?, &[])
}
