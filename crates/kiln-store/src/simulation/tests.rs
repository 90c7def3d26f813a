//! Seeds of the simulation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::Blind;
use super::run::run;

/// The number of seeds of a test run.
const SEEDS: u64 = 2000;

/// Runs seeds on all processors, and returns the failures, at most a few.
fn failures(seeds: std::ops::Range<u64>, blind: Blind, limit: usize) -> Vec<String> {
    let (next, failures) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let totals = [const { AtomicU64::new(0) }; 4];
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failures.lock().unwrap().len() >= limit {
                        break;
                    }
                    match run(seed, blind) {
                        Ok(run) => {
                            let counts = [run.operations_done(), run.points, run.power_cuts, run.kills];
                            for (total, count) in totals.iter().zip(counts) {
                                total.fetch_add(count, Ordering::Relaxed);
                            }
                        }
                        Err(failure) => failures.lock().unwrap().push(failure),
                    }
                }
            });
        }
    });
    let [operations, points, power_cuts, kills] = totals.map(AtomicU64::into_inner);
    eprintln!(
        "{} seeds: {operations} operations, {points} points compared, {power_cuts} power cuts, {kills} kills",
        seeds.end - seeds.start
    );
    failures.into_inner().unwrap()
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: not a number: {text}")))
}

#[test]
fn the_store_agrees_with_what_was_acknowledged() {
    if let Some(seed) = variable("KILN_SEED") {
        match run(seed, Blind::Nothing) {
            Ok(run) => eprintln!("{}\nseed {seed} passes", run.steps()),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let seeds = variable("KILN_SEEDS").unwrap_or(SEEDS);
    let first = variable("KILN_FIRST_SEED").unwrap_or_default();
    let failures = failures(first..first + seeds, Blind::Nothing, 3);
    assert!(failures.is_empty(), "{}\nreplay one by: make simulate SEED=N", failures.join("\n\n"));
}

#[test]
fn a_seed_always_takes_the_same_steps() {
    for seed in 0..20 {
        let [first, second] = [(); 2].map(|()| run(seed, Blind::Nothing).map_or_else(|error| error, |run| run.steps()));
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn the_simulation_notices_a_disk_that_ignores_syncs_or_locks() {
    for blind in [Blind::Files, Blind::Folders, Blind::SegmentsBeforeManifest, Blind::Locks] {
        // The rarest one takes about a thousand seeds.
        let failures = failures(0..10 * SEEDS, blind, 1);
        assert!(!failures.is_empty(), "{blind:?} is not noticed");
        let line = failures[0].lines().next().unwrap_or_default();
        eprintln!("{blind:?}: {line}");
    }
}
