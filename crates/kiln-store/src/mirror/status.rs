//! The status of a mirror.

use std::sync::atomic::Ordering;

use super::Mirror;
use super::state::Problem;

/// The status of a mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorStatus {
    /// Whether all layers were copied once, by this process or an earlier one.
    pub is_ready: bool,
    /// The numbers of files that were copied and of all, of the copies in progress; zeros without any.
    pub files: [u64; 2],
    /// The same in bytes.
    pub bytes: [u64; 2],
    /// The time of the last contact with the bucket in Unix seconds; `None` if there was none.
    pub contact_s: Option<u64>,
    /// Whether this time was saved by an earlier process, which may have had contacts in the minute after it, if it was killed.
    pub is_contact_saved: bool,
    /// Why the bucket cannot be reached; `None` if it can.
    pub outage: Option<String>,
    /// The layers whose published version is not served, by name.
    pub problems: Vec<MirrorProblem>,
}

/// A layer whose published version is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorProblem {
    /// The name of the layer.
    pub layer: String,
    /// The reason, with URLs and paths.
    pub reason: String,
    /// The reason without folders and hosts, for clients of a server.
    pub public_reason: String,
    /// Whether an earlier version is served.
    pub is_served: bool,
}

/// Counters of a mirror since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorCounters {
    /// The number of bytes that were copied.
    pub copied_bytes: u64,
    /// The number of versions that were installed.
    pub versions: u64,
    /// The number of failed checks and copies.
    pub failures: u64,
}

impl Mirror {
    /// The status.
    pub fn status(&self) -> MirrorStatus {
        let problems: Vec<(String, Problem)> = {
            let state = self.lock();
            state.layers.iter().filter_map(|(name, layer)| Some((name.clone(), layer.problem.clone()?))).collect()
        };
        let problem = |(layer, problem): (String, Problem)| MirrorProblem {
            is_served: self.is_served(&layer),
            reason: problem.reason(&layer),
            public_reason: problem.public_reason(),
            layer,
        };
        let problems = problems.into_iter().map(problem).collect();
        let state = self.lock();
        let is_copying = state.is_copying();
        let count =
            |counter: &std::sync::atomic::AtomicU64| if is_copying { counter.load(Ordering::Relaxed) } else { 0 };
        MirrorStatus {
            is_ready: state.is_ready,
            files: self.counters.files.each_ref().map(count),
            bytes: self.counters.bytes.each_ref().map(count),
            contact_s: state.contact_s,
            is_contact_saved: state.is_contact_saved,
            outage: state.outage.clone(),
            problems,
        }
    }

    /// The counters.
    pub fn counters(&self) -> MirrorCounters {
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        MirrorCounters {
            copied_bytes: of(&counters.copied_bytes),
            versions: of(&counters.swaps),
            failures: of(&counters.failures),
        }
    }
}
