//! Checks of the layers that jobs render.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::live;
use crate::spelling::{did_you_mean, nearest};
use crate::store::Store;

/// Checks that the layers of `jobs`, pairs of job and layer names, exist in the configuration, the store or the
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
            let all = if all.is_empty() { "no layers exist".to_owned() } else { format!("expected one of {all}") };
            let detail = format!("there is no layer `{layer}`; {hint}{all}");
            return Err(Error::config(format!("jobs.{job}.layer"), detail));
        }
    }
    Ok(())
}

/// Checks the layers of the jobs of a configuration. Without a database only, since the check does not connect to it.
pub(super) fn check_jobs(config: &Config, store: &Store) -> Result<()> {
    live::check(config)?;
    if config.database().is_some() {
        return Ok(());
    }
    let jobs = config.jobs.iter().filter_map(|job| Some((job.name.as_str(), job.layer.as_deref()?)));
    check_layers(jobs, config, &store.names()?, &[])
}
