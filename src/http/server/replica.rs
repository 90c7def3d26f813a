//! A replica: a server of the layers in a bucket, which it copies.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::mpsc::{SendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::oneshot;

use super::app::App;
use super::problem::{HttpResult, Problem};
use crate::bucket;
use crate::config::{StoreConfig, TimeSpan};
use crate::error::{Error, Result};
use crate::store::{Mirror, MirrorOptions, MirrorStatus, Store};

/// The number of files that a replica copies at once.
const DOWNLOADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// Opens the store of the config. Its folder may be missing until a request or another process creates the first layer. Of a
/// bucket, the store has the copies of a mirror, which copies nothing yet.
///
/// # Errors
/// [`Error::Input`] if another server uses the folder, or the bucket of a replica without a copy cannot be used;
/// [`Error::Io`] if the folder cannot be written.
pub(super) fn open_store(config: &StoreConfig) -> Result<(Arc<Store>, Option<Replica>)> {
    if let Some(url) = config.bucket() {
        let options = MirrorOptions { refresh: config.refresh.duration(), downloads: DOWNLOADS };
        let mirror = Arc::new(Mirror::open(bucket::open(url)?, &config.cache, options)?);
        // A replica with a copy serves it, whatever is the matter with the bucket.
        let failure = if mirror.status().is_ready { None } else { first_contact(&mirror)? };
        return Ok((Arc::clone(mirror.store()), Some(Replica { mirror, failure: Mutex::new(failure) })));
    }
    if !config.read_only && Mirror::is_cache(&config.folder) {
        let reason = "it is the cache of a replica; serve it with store.read_only = true, or the bucket by its URL";
        return Err(Error::input(&config.folder, reason));
    }
    let open = if config.read_only { Store::open } else { Store::open_for_server };
    Ok((Arc::new(open(&config.folder)?.with_grace(config.grace.map(TimeSpan::duration))), None))
}

/// The mirror of a replica.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) mirror: Arc<Mirror>,
    /// The error of the first contact, if that takes long.
    failure: Mutex<Option<oneshot::Receiver<Error>>>,
}

/// Lists the layers of the bucket, without which a replica without a copy has nothing to serve. The server does not wait long
/// for a bucket that does not respond; the receiver gets an error that follows later.
///
/// # Errors
/// [`Error::Input`] if the bucket cannot be used.
fn first_contact(mirror: &Arc<Mirror>) -> Result<Option<oneshot::Receiver<Error>>> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let (in_time, checked) = sync_channel(0);
    let (late, failure) = oneshot::channel();
    let mirror = Arc::clone(mirror);
    let check = move || {
        // Fails if nobody waits anymore.
        if let Err(SendError(Err(error))) = in_time.send(mirror.check_bucket()) {
            let _ = late.send(error);
        }
    };
    let spawned = std::thread::Builder::new().name("first-contact".to_owned()).spawn(check);
    spawned.map_err(|error| Error::io("a thread", "start", error))?;
    match checked.recv_timeout(PATIENCE) {
        Ok(checked) => checked.map(|()| None),
        Err(_) => Ok(Some(failure)),
    }
}

impl Replica {
    /// Completes once the bucket turns out to be unusable, for a replica without a copy.
    pub(super) fn failure(&self) -> impl Future<Output = Error> + use<> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        async {
            match failure {
                Some(failure) => match failure.await {
                    Ok(error) => error,
                    // The bucket can be used, or cannot be reached now.
                    Err(_) => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        }
    }
}

/// A number of files.
fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// The progress of the first copy of all layers.
fn describe_copy(status: &MirrorStatus) -> String {
    let [done, total] = status.files;
    match status {
        _ if total > 0 => {
            let [done_mb, total_mb] = status.bytes.map(|bytes| bytes.div_ceil(1_000_000));
            format!("copying the layers of the bucket: {done} of {}, {done_mb} of {total_mb} MB", files(total))
        }
        MirrorStatus { contact_s: None, outage: None, .. } => "asking the bucket for its layers".to_owned(),
        MirrorStatus { outage: Some(_), .. } => {
            "the bucket cannot be read, and its layers are not copied yet; the log has the reason".to_owned()
        }
        MirrorStatus { problems, .. } => {
            let names: Vec<&str> = problems.iter().map(|problem| problem.layer.as_str()).collect();
            let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            format!("not all layers of the bucket are copied yet{names}; the log has the reason")
        }
    }
}

/// The state of the copies after the first one, a line for each remark.
fn describe_state(status: &MirrorStatus, names_layers: bool) -> String {
    let mut text = match status.contact_s {
        Some(contact_s) => {
            let age_s = super::clock::now_s().saturating_sub(contact_s);
            let bound = if status.is_contact_saved { "at most " } else { "" };
            format!("last contact with the bucket {bound}{} ago", TimeSpan::from_secs(age_s))
        }
        None => "no contact with the bucket yet".to_owned(),
    };
    if status.outage.is_some() {
        text += "; it cannot be read now, and the log has the reason";
    }
    let [done, total] = status.files;
    if total > 0 {
        text.extend([&*format!("\ncopying a new version: {done} of {}", files(total))]);
    }
    for problem in status.problems.iter().filter(|_| names_layers) {
        let state = if problem.is_served { "an earlier version of" } else { "no version of the layer" };
        text.extend(["\n", state, " `", &*problem.layer, "` is served: ", &*problem.public_reason]);
    }
    text
}

impl App {
    /// The lines of the health check about a replica; `None` for other servers.
    pub(crate) fn replica_health(&self, names_layers: bool) -> Option<String> {
        let status = self.replica.as_ref()?.mirror.status();
        Some(if status.is_ready { describe_state(&status, names_layers) } else { describe_copy(&status) })
    }

    /// Checks that a replica has copied all layers once.
    pub(crate) fn check_replica(&self) -> HttpResult<()> {
        match self.replica.as_ref().map(|replica| replica.mirror.status()) {
            Some(status) if !status.is_ready => Err(Problem::copying(describe_copy(&status))),
            _ => Ok(()),
        }
    }

    /// Whether layers may be missing that the bucket of a replica has.
    pub(super) fn is_copying(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| !replica.mirror.status().is_ready)
    }
}

/// The metrics of a replica.
#[derive(Debug)]
pub(crate) struct ReplicaMetrics {
    ready: Gauge,
    contact: Gauge,
    files_left: Gauge,
    problems: Gauge,
    copied: Counter,
    versions: Counter,
    failures: Counter,
}

impl ReplicaMetrics {
    /// Creates and registers the metrics, at 0.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let new = Self {
            ready: Gauge::default(),
            contact: Gauge::default(),
            files_left: Gauge::default(),
            problems: Gauge::default(),
            copied: Counter::default(),
            versions: Counter::default(),
            failures: Counter::default(),
        };
        registry.register(
            "replica_ready",
            "Whether all layers of the bucket were copied once, 1 or 0",
            new.ready.clone(),
        );
        let help = "Unix time of the last contact with the bucket";
        registry.register_with_unit("replica_last_contact_timestamp", help, Unit::Seconds, new.contact.clone());
        registry.register(
            "replica_files_left",
            "Files of new versions that are not copied yet",
            new.files_left.clone(),
        );
        let help = "Number of layers whose published version cannot be copied or read";
        registry.register("replica_problems", help, new.problems.clone());
        registry.register_with_unit("replica_copied", "Size of the copied files", Unit::Bytes, new.copied.clone());
        registry.register(
            "replica_versions",
            "Versions of layers that were copied and are served",
            new.versions.clone(),
        );
        registry.register("replica_failures", "Failed checks of the bucket, and failed copies", new.failures.clone());
        new
    }

    /// Sets the metrics.
    pub(crate) fn set(&self, mirror: &Mirror) {
        let (status, counters) = (mirror.status(), mirror.counters());
        let [done, total] = status.files;
        self.ready.set(i64::from(status.is_ready));
        self.contact.set(status.contact_s.unwrap_or(0) as i64);
        self.files_left.set(total.saturating_sub(done) as i64);
        self.problems.set(status.problems.len() as i64);
        for (counter, value) in [
            (&self.copied, counters.copied_bytes),
            (&self.versions, counters.versions),
            (&self.failures, counters.failures),
        ] {
            counter.inc_by(value.saturating_sub(counter.get()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MirrorProblem;

    #[test]
    fn the_health_of_a_replica_has_its_progress_and_then_the_age_of_its_copy() {
        let cold = MirrorStatus::default();
        assert_eq!(describe_copy(&cold), "asking the bucket for its layers");
        let copying = MirrorStatus { files: [3, 12], bytes: [1_200_000, 40_000_000], ..cold.clone() };
        assert_eq!(describe_copy(&copying), "copying the layers of the bucket: 3 of 12 files, 2 of 40 MB");
        let contact_s = Some(super::super::clock::now_s() - 3600);
        let warm = MirrorStatus { is_ready: true, contact_s, ..cold.clone() };
        assert_eq!(describe_state(&warm, true), "last contact with the bucket 1h ago");
        let problem = |layer: &str, is_served| MirrorProblem {
            layer: layer.to_owned(),
            reason: "s3://secret: disk full".to_owned(),
            public_reason: "disk full".to_owned(),
            is_served,
        };
        let problems = vec![problem("old", true), problem("new", false)];
        let failed = describe_state(&MirrorStatus { problems, ..warm.clone() }, true);
        let expected =
            "\nan earlier version of `old` is served: disk full\nno version of the layer `new` is served: disk full";
        assert!(failed.ends_with(expected), "{failed}");
        let restarted = MirrorStatus { is_contact_saved: true, ..warm.clone() };
        assert_eq!(describe_state(&restarted, true), "last contact with the bucket at most 1h ago");
        let away = MirrorStatus { outage: Some("s3://secret: connection refused".into()), ..warm };
        assert!(describe_state(&away, true).ends_with("it cannot be read now, and the log has the reason"));
        let away = MirrorStatus { outage: away.outage, ..cold };
        assert!(!describe_copy(&away).contains("secret"));
    }
}
