//! Flags and helpers of the commands on stored layers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as ClapArgs;

use super::config::environment;
use super::signals::run_cancellable;
use crate::config::{Config, StoreConfig, TimeSpan, check_layer_name};
use crate::error::{Error, Result};
use crate::layer_name;
use crate::parameters::time_text;
use crate::spelling::{did_you_mean, nearest_of};
use crate::store::{Mirror, Progress, Store, StoredLayer};

/// The flags for the location of the store.
#[derive(Debug, ClapArgs)]
pub(super) struct StoreArgs {
    /// Folder of the stored layers [default: `KILN_STORE`, or that of ./kiln.toml, else `store`]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Configuration file [default: ./kiln.toml if it exists]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl StoreArgs {
    /// Opens the store, to read it: of a bucket, the copies of a replica.
    pub(super) fn open(&self) -> Result<Store> {
        let config = self.config()?;
        if let Some(bucket) = config.bucket().filter(|_| !config.cache.exists()) {
            let cache = config.cache.display();
            let reason =
                format!("its layers are not on this machine; `kiln serve --store {bucket}` copies them to {cache}");
            return Err(Error::input(bucket, reason));
        }
        if let Some(bucket) = config.bucket()
            && let Some(other) = Mirror::bucket_of(&config.cache)
            && other != bucket.trim_end_matches('/')
        {
            let cache = config.cache.display();
            let reason = format!("{cache} has the layers of another bucket, {other}; set --cache, or store.cache");
            return Err(Error::input(bucket, reason));
        }
        Ok(Store::open(config.local_folder())?.with_grace(config.grace.map(TimeSpan::duration)))
    }

    /// Opens the store, to change it.
    pub(super) fn open_for_changes(&self) -> Result<Store> {
        let config = self.config()?;
        if let Some(bucket) = config.bucket() {
            return Err(Error::input(
                bucket,
                "a bucket cannot be changed in place; change a store, and publish it by `kiln publish`",
            ));
        }
        check_not_cache(&config.folder)?;
        Ok(Store::open(&config.folder)?.with_grace(config.grace.map(TimeSpan::duration)))
    }

    /// The section of the configuration, with the store of the flag.
    fn config(&self) -> Result<StoreConfig> {
        let Some(folder) = &self.store else { return Ok(self.load()?.store) };
        // Another store than that of the configuration, which may be missing or for another version.
        let config = self.load().map(|config| config.store).unwrap_or_default();
        Ok(StoreConfig { folder: folder.clone(), ..config })
    }

    /// Loads the configuration.
    pub(super) fn load(&self) -> Result<Config> {
        Config::load(self.config.as_deref(), environment()?)
    }
}

/// Checks that a folder does not have the copies of a replica, which only its server changes.
fn check_not_cache(folder: &Path) -> Result<()> {
    if Mirror::is_cache(folder) {
        return Err(Error::input(folder, "it is the cache of a replica; change the store whose layers are published"));
    }
    Ok(())
}

/// Parses the name of a layer.
pub(super) fn read_name(name: &str) -> Result<String, String> {
    check_layer_name(name).map(|()| name.to_owned())
}

/// Opens the layer `name` of a store.
pub(super) fn layer(store: &Store, name: &str) -> Result<Arc<StoredLayer>> {
    let layer = if layer_name::is_valid(name) { store.layer(name)? } else { None };
    layer.ok_or_else(|| unknown_layer(store, name))
}

/// The error of an unknown layer, with a suggestion.
pub(super) fn unknown_layer(store: &Store, name: &str) -> Error {
    let names = store.names().unwrap_or_default();
    let near = nearest_of(name, [], names.iter().map(String::as_str));
    let hint = match did_you_mean(&near) {
        none if none.is_empty() && names.is_empty() => "the store has no layers".to_owned(),
        none if none.is_empty() => "`kiln layers` lists all".to_owned(),
        hint => hint.trim_end().to_owned(),
    };
    Error::input(store.folder(), format!("there is no layer `{name}`; {hint}"))
}

/// Runs `work`, and retries it if a concurrent change of the layer cancels it. A stop signal cancels it without a
/// retry.
pub(super) fn retry_on_conflict<T>(progress: &Progress, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    const MAX_TRIES: usize = 5;
    run_cancellable(
        || progress.stop(),
        || {
            for _ in 1..MAX_TRIES {
                match work() {
                    Err(Error::Cancelled) if !progress.is_stopped() => {}
                    outcome => return outcome,
                }
            }
            work()
        },
    )
}

/// Converts a cancellation to an error of the layer.
pub(super) fn cancelled_error(error: Error, layer: &StoredLayer) -> Error {
    match error {
        Error::Cancelled => Error::input(layer.folder(), "cancelled; the layer is unchanged"),
        other => other,
    }
}

/// Formats a Unix time in microseconds to the second in UTC.
pub(super) fn time_of(us: i64) -> String {
    time_text(us.div_euclid(1_000_000).saturating_mul(1_000_000))
}

/// Formats a Unix time in seconds.
pub(super) fn second_of(seconds: u64) -> String {
    time_of(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}
