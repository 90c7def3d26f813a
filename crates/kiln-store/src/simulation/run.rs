//! One run of a simulation: rounds of concurrent operations, power cuts, kills and faults, each followed by a check.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::World;
use super::disk::Blind;
use super::model::{Fate, Fates, Layer};
use super::operation::{Operation, Outcome, perform};
use super::outcome::check_success;
use super::points::{Contents, MAX_POINTS, PARTITIONS, Request};
use super::world::{Faults, Task};
use crate::{Snapshot, Store};

/// The processes: a server that has claimed the store, and a command.
pub(super) const PROCESSES: [&str; 2] = ["server", "command"];
pub(super) const LAYERS: [&str; 2] = ["trips", "stops"];
pub(super) const FOLDER: &str = "/data/store";
const DAY_S: u64 = 24 * 60 * 60;

/// The state of a run.
pub(super) struct Run {
    pub(super) world: Arc<World>,
    pub(super) stores: [Option<Store>; 2],
    pub(super) layers: [Option<Layer>; 2],
    /// The idempotency keys of requests, by their number.
    pub(super) keys: BTreeMap<u32, crate::Request>,
    /// All requests that were sent to a layer, which old snapshots may still contain.
    pub(super) sent: BTreeMap<u32, Request>,
    /// The times before which points were removed.
    pub(super) cuts: Vec<i64>,
    /// The time to which the clock jumped, less the true one, and the checks until it is set right.
    jump: Option<(i64, u32)>,
    pub(super) old: Vec<(Arc<Snapshot>, Contents)>,
    /// The contents of each version that was seen since the last power cut.
    pub(super) versions: BTreeMap<String, (Contents, Option<u32>)>,
    /// The grace time of removed segments, in seconds.
    pub(super) grace_s: u64,
    /// The files that must stay, by layer and name, each with the time of the monotonic clock until which it must.
    pub(super) kept: BTreeMap<(usize, String), Duration>,
    pub(super) next: u32,
    pub(super) points: u64,
    pub(super) power_cuts: u64,
    pub(super) kills: u64,
}

/// Runs the simulation of a seed. Returns the steps on failure.
pub(super) fn run(seed: u64, blind: Blind) -> Result<Run, String> {
    let world = World::new(seed);
    world.state().disk.blind = blind;
    let mut run = Run {
        world: Arc::clone(&world),
        stores: [None, None],
        layers: [None, None],
        keys: BTreeMap::new(),
        sent: BTreeMap::new(),
        cuts: vec![i64::MIN],
        jump: None,
        old: Vec::new(),
        versions: BTreeMap::new(),
        grace_s: 0,
        kept: BTreeMap::new(),
        next: 1,
        points: 0,
        power_cuts: 0,
        kills: 0,
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.rounds()));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    match result {
        Ok(()) => Ok(run),
        Err(error) => {
            let steps = world.state().log.join("\n");
            Err(format!("seed {seed} failed: {error}\n{steps}"))
        }
    }
}

impl Run {
    fn rounds(&mut self) -> Result<(), String> {
        const ROUNDS: u64 = 14;
        self.grace_s = [0, 0, 900, 100_000][self.below(4) as usize];
        self.world.state().faults.short_write = 8;
        for process in 0..PROCESSES.len() {
            self.start(process)?;
        }
        for layer in 0..LAYERS.len() {
            self.round(layer, vec![(0, Operation::Create(None))])?;
        }
        let rounds = ROUNDS / 2 + self.below(ROUNDS);
        for _ in 0..rounds {
            self.let_time_pass();
            match self.below(12) {
                0 => self.rot()?,
                1 => self.restart_processes()?,
                _ => {
                    let layer = self.below(LAYERS.len() as u64) as usize;
                    let operations = self.operations(layer);
                    self.prepare_faults();
                    self.round(layer, operations)?;
                }
            }
        }
        self.restart_computer()?;
        self.check_sweep()
    }

    pub(super) fn below(&self, end: u64) -> u64 {
        self.world.state().random.below(end)
    }

    /// Lets up to 14 hours pass. The clock may jump, and is set right within a day.
    fn let_time_pass(&mut self) {
        const JUMPS_S: [i64; 4] = [-40 * 365 * 86_400, -20 * 86_400, 30 * 86_400, 174 * 365 * 86_400];
        let pause_ms = 250 + self.below(if self.jump.is_some() { 30_000_000 } else { 50_000_000 });
        self.world.sleep(Duration::from_millis(pause_ms));
        self.tick();
        let jump_s = match self.jump {
            Some((jump_s, 0)) => -jump_s,
            None if self.below(12) == 0 => JUMPS_S[self.below(JUMPS_S.len() as u64) as usize],
            _ => 0,
        };
        self.jump = match self.jump {
            Some((jump_s, left)) => left.checked_sub(1).map(|left| (jump_s, left)),
            None => (jump_s != 0).then_some((jump_s, 1)),
        };
        if jump_s != 0 {
            let mut state = self.world.state();
            state.wall_us = state.wall_us.saturating_add_signed(jump_s * 1_000_000);
            state.log.push(format!("the clock jumps by {jump_s} s"));
            drop(state);
            // A grace time ends by the clock.
            self.kept.clear();
        }
    }

    /// The server looks at the clock from time to time.
    fn tick(&self) {
        let Some(store) = &self.stores[0] else { return };
        self.world.enter(0, None, || {
            for layer in LAYERS.into_iter().filter_map(|name| store.layer(name).ok().flatten()) {
                store.check_clock(&layer.snapshot());
            }
        });
    }

    /// The true time, in seconds.
    fn true_s(&self) -> i64 {
        self.world.wall_s() as i64 - self.jump.map_or(0, |(jump_s, _)| jump_s)
    }

    /// Chooses the faults of a round.
    fn prepare_faults(&mut self) {
        let world = Arc::clone(&self.world);
        let mut state = world.state();
        let faults = state.random.below(8);
        match faults {
            0 => state.faults = Faults { error: 40, failed_sync: 20, ..state.faults },
            1 => {
                let space = state.random.below(8000);
                state.disk.capacity = Some(state.disk.used() + space);
                state.log.push(format!("the disk has {space} bytes left"));
                // A full disk ends all grace times.
                self.kept.clear();
            }
            2 => {
                state.disk.is_read_only = true;
                state.log.push("the disk is read-only".to_owned());
            }
            _ => {}
        }
        match state.random.below(6) {
            0 => state.power_cut_in = Some(1 + state.random.below(160)),
            1 => {
                let process = state.random.below(2) as u32;
                state.kill_in = Some((process, 1 + state.random.below(100)));
            }
            _ => {}
        }
    }

    fn end_faults(&self) {
        let mut state = self.world.state();
        state.faults = Faults { short_write: 8, ..Faults::default() };
        (state.disk.capacity, state.disk.is_read_only) = (None, false);
        (state.power_cut_in, state.kill_in) = (None, None);
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn request(&mut self) -> Request {
        let (number, points) = (self.number(), 1 + self.below(u64::from(MAX_POINTS)) as u32);
        // Times around the start of the simulation, a day and more apart.
        let time_us = (self.below(4) > 0).then(|| 1_767_000_000_000_000 + self.below(40) as i64 * 20_000_000_000);
        let request = Request { number, points, time_us, partition: None };
        self.sent.insert(number, request);
        request
    }

    /// A new run of a partition.
    fn partition_run(&mut self) -> Request {
        let partition = Some(self.partition());
        let request = Request { partition, ..self.request() };
        self.sent.insert(request.number, request);
        request
    }

    fn partition(&self) -> usize {
        self.below(PARTITIONS.len() as u64) as usize
    }

    /// The operations of a round, each with its process.
    fn operations(&mut self, layer: usize) -> Vec<(usize, Operation)> {
        let Some(model) = &self.layers[layer] else { return vec![(self.process(), self.creation())] };
        let retries: Vec<Request> =
            model.requests.values().filter(|entry| self.can_retry(entry)).map(|(request, _)| *request).collect();
        let runs: Vec<Request> = model.requests.values().map(|(request, _)| *request).collect();
        let runs: Vec<Request> = runs.into_iter().filter(|request| request.partition.is_some()).collect();
        let mut operations = Vec::new();
        match self.below(14) {
            0 => operations.push(Operation::Expire(1_767_000_000_000_000 + self.below(45) as i64 * 18_000_000_000)),
            1 => operations.push(Operation::Replace(self.request())),
            2 if self.below(2) == 0 => operations.push(Operation::Remove),
            3 | 4 => operations.push(Operation::Age(1 + self.below(9))),
            5 | 6 => operations.push(Operation::ImportPartition(self.partition_run())),
            7 => operations.extend(self.world.state().random.choose(&runs).copied().map(Operation::ImportPartition)),
            8 if self.below(2) == 0 => operations.push(Operation::RemovePartition(self.partition())),
            _ => {}
        }
        let is_exclusive = !operations.is_empty();
        for _ in 0..=self.below(4) {
            let retry = self.world.state().random.choose(&retries).copied();
            operations.push(match self.below(16) {
                0..=5 => {
                    let request = self.request();
                    let key = (self.below(2) == 0).then(|| self.new_key(request));
                    Operation::Append(request, key)
                }
                6 | 7 => match retry.filter(|_| !is_exclusive) {
                    Some(request) => Operation::Append(request, self.keys.get(&request.number).cloned()),
                    None => Operation::Read,
                },
                8 => Operation::Compact,
                9 => Operation::CompactSome,
                10 => Operation::Title(self.number()),
                11 => Operation::Rooms(Some(self.number()).filter(|_| self.below(4) > 0)),
                12 => Operation::Plan(Some(self.number()).filter(|_| self.below(4) > 0)),
                13 => Operation::Sweep,
                14 => Operation::Verify,
                _ => Operation::Read,
            });
        }
        // Only servers remove points by their age.
        let process = |operation: &Operation| if matches!(operation, Operation::Age(_)) { 0 } else { self.process() };
        operations.into_iter().map(|operation| (process(&operation), operation)).collect()
    }

    fn process(&self) -> usize {
        self.below(PROCESSES.len() as u64) as usize
    }

    fn creation(&mut self) -> Operation {
        if self.below(2) == 0 { Operation::Create(None) } else { Operation::Create(Some(self.request())) }
    }

    fn new_key(&mut self, request: Request) -> crate::Request {
        let key = format!("key-{}", request.number);
        let (digest, accepted) = (u64::from(request.number), u64::from(request.points));
        let key = crate::Request { key, digest, accepted, rejected: 0, at_s: self.world.wall_s() };
        self.keys.insert(request.number, key.clone());
        key
    }

    /// Whether a request has a key that the store must still know: no other came a day later, and its points are there,
    /// or it failed.
    fn can_retry(&self, (request, fates): &(Request, Fates)) -> bool {
        let Some(key) = self.keys.get(&request.number) else { return false };
        let newest = self.keys.values().map(|key| key.at_s).max().unwrap_or_default();
        let is_whole = |fate: &Fate| *fate == Fate::ALL || *fate == Fate::Absent && fates.len() == 2;
        key.at_s + DAY_S > newest && fates.iter().all(is_whole)
    }

    /// Runs operations concurrently, and checks the store.
    fn round(&mut self, layer: usize, mut operations: Vec<(usize, Operation)>) -> Result<(), String> {
        let before = self.layers[layer].clone();
        self.announce(layer, &operations);
        let name = LAYERS[layer];
        self.world.log(format!("{} operations at once:", operations.len()));
        let outcomes = {
            let (stores, sent) = (&self.stores, &self.sent);
            let task = |(process, operation): &(usize, Operation)| {
                let (process, operation) = (*process, operation.clone());
                let world = &self.world;
                let task: Task<'_, Outcome> = Box::new(move || match &stores[process] {
                    Some(store) => {
                        let outcome = perform(store, name, operation, sent);
                        // A process that has ended acknowledges nothing.
                        match outcome {
                            outcome if !world.has_ended(process as u32) => outcome,
                            Outcome::Aged { before_us, .. } => Outcome::Aged { before_us, is_done: false },
                            _ => Outcome::Ended,
                        }
                    }
                    None => Outcome::Missing,
                });
                (process as u32, task)
            };
            self.world.run(operations.iter().map(task).collect())
        };
        let (is_powered, is_faulty) = {
            let state = self.world.state();
            (state.is_powered, state.has_faults())
        };
        self.end_faults();
        let mut ended = Vec::with_capacity(outcomes.len());
        for ((process, operation), outcome) in operations.iter_mut().zip(outcomes) {
            let outcome = outcome.map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                format!("{operation:?} panics: {}", text.unwrap_or_default())
            })?;
            self.world.log(format!("  {} {name} {operation:?}: {outcome:?}", PROCESSES[*process]));
            ended.push(self.judge_age(operation, outcome)?);
        }
        for ((_, operation), outcome) in operations.iter().zip(ended) {
            if !is_faulty {
                check_success(before.as_ref(), operation, &operations, &outcome)?;
            }
            self.apply(layer, before.as_ref(), operation, &operations, outcome)?;
        }
        if !is_powered {
            return self.restart_computer();
        }
        for process in 0..PROCESSES.len() {
            if self.world.take_killed(process as u32) {
                self.kills += 1;
                self.start(process)?;
            }
        }
        self.check_all()
    }

    /// Replaces a removal by age by what it did. It never removes points that are younger than is true.
    fn judge_age(&mut self, operation: &mut Operation, outcome: Outcome) -> Result<Outcome, String> {
        /// The clock may be wrong by a day without being noticed.
        const TOLERANCE_S: i64 = 86_400 + 3600;
        let Operation::Age(days) = *operation else { return Ok(outcome) };
        let Outcome::Aged { before_us, is_done } = outcome else {
            *operation = Operation::Verify;
            return Ok(outcome);
        };
        let oldest_s = self.true_s() - days as i64 * 86_400;
        if before_us / 1_000_000 > oldest_s + TOLERANCE_S {
            return Err(format!("points before {before_us} are removed, but only those before {oldest_s} s are old"));
        }
        *operation = Operation::Expire(before_us);
        Ok(if is_done { Outcome::Done } else { Outcome::Failed(String::new()) })
    }

    /// Starts a process, again if it has run before.
    fn start(&mut self, process: usize) -> Result<(), String> {
        let grace = Some(Duration::from_secs(self.grace_s));
        self.world.clone().enter(process as u32, None, || self.stores[process] = None);
        let store = self.world.enter(process as u32, None, || {
            let folder = Path::new(FOLDER);
            if process == 0 {
                let store = Store::open_for_server(folder)?.with_grace(grace);
                store.claim().map(|()| store)
            } else {
                Store::open(folder).map(|store| store.with_grace(grace))
            }
        });
        self.world.log(format!("{} starts", PROCESSES[process]));
        self.stores[process] = Some(store.map_err(|error| format!("{} does not start: {error}", PROCESSES[process]))?);
        Ok(())
    }

    pub(super) fn restart_processes(&mut self) -> Result<(), String> {
        for process in 0..PROCESSES.len() {
            self.start(process)?;
        }
        self.check_all()
    }

    /// Cuts the power, and starts the computer and the processes again.
    fn restart_computer(&mut self) -> Result<(), String> {
        self.world.state().is_powered = false;
        self.old.clear();
        self.versions.clear();
        self.kept.clear();
        for process in 0..PROCESSES.len() {
            self.world.clone().enter(process as u32, None, || self.stores[process] = None);
        }
        self.world.restart();
        self.world.log("the computer restarts");
        self.power_cuts += 1;
        for layer in self.layers.iter_mut().flatten() {
            layer.is_unsure = false;
        }
        self.restart_processes()
    }

    pub(super) fn operations_done(&self) -> u64 {
        self.world.state().operations
    }

    pub(super) fn steps(&self) -> String {
        self.world.state().log.join("\n")
    }
}
