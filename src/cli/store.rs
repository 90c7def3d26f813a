//! What the commands on stored layers have in common.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::config::environment;
use super::signals::stoppable;
use crate::config::{Config, check_layer_name};
use crate::error::{Error, Result};
use crate::layer_name;
use crate::spelling::{did_you_mean, nearest};
use crate::store::{Progress, Store, StoredLayer};

/// The flags that say where the store is.
#[derive(Debug, ClapArgs)]
pub(super) struct StoreArgs {
    /// The folder of the layers [default: `KILN_STORE`, or what ./kiln.toml says, else `store`]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The configuration file to read [default: ./kiln.toml if it is there]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl StoreArgs {
    /// Opens the store.
    pub(super) fn open(&self) -> Result<Store> {
        match &self.store {
            Some(folder) => Store::open(folder),
            None => Store::open(&self.load()?.store.folder),
        }
    }

    /// The configuration.
    pub(super) fn load(&self) -> Result<Config> {
        Config::load(self.config.as_deref(), environment()?)
    }
}

/// The name of a layer.
pub(super) fn read_name(name: &str) -> Result<String, String> {
    check_layer_name(name).map(|()| name.to_owned())
}

/// The layer `name` of a store.
pub(super) fn layer(store: &Store, name: &str) -> Result<Arc<StoredLayer>> {
    let layer = if layer_name::is_valid(name) { store.layer(name)? } else { None };
    layer.ok_or_else(|| missing(store, name))
}

/// That there is no layer `name` in a store, and which one may have been meant.
pub(super) fn missing(store: &Store, name: &str) -> Error {
    let names = store.names().unwrap_or_default();
    let near = nearest(name, names.iter().map(String::as_str), str::to_lowercase);
    let hint = match did_you_mean(&near) {
        none if none.is_empty() && names.is_empty() => "it has no layer yet".to_owned(),
        none if none.is_empty() => "`kiln layers` lists all".to_owned(),
        hint => hint.trim_end().to_owned(),
    };
    Error::input(store.folder(), format!("there is no layer `{name}`; {hint}"))
}

/// Does `work`, which ends early when the process is asked to stop, and is done again where another process changed the
/// layer meanwhile.
pub(super) fn undisturbed<T>(progress: &Progress, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    const TRIES: usize = 5;
    stoppable(
        || progress.stop(),
        || {
            for _ in 1..TRIES {
                match work() {
                    Err(Error::Cancelled) if !progress.is_stopped() => {}
                    outcome => return outcome,
                }
            }
            work()
        },
    )
}

/// What became of stopped work.
pub(super) fn unchanged(error: Error, layer: &StoredLayer) -> Error {
    match error {
        Error::Cancelled => Error::input(layer.folder(), "stopped; the layer is as it was"),
        other => other,
    }
}

/// An instant, given in microseconds, to the second in UTC.
pub(super) fn time_of(us: i64) -> String {
    let seconds = Timestamp::from_second(us.div_euclid(1_000_000));
    seconds.map_or_else(|_| format!("{us} µs"), |time| time.to_string())
}

/// An instant, given in Unix seconds.
pub(super) fn second_of(seconds: u64) -> String {
    time_of(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}
