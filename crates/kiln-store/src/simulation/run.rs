//! One run of a simulation: rounds of concurrent operations, power cuts, kills and faults, each followed by a check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kiln_core::source::{CoordinateSpace, MemorySource, Query};

use super::World;
use super::disk::{Blind, FileKind};
use super::model::{Fate, Fates, Layer, Seen};
use super::points::{self, Columns, Contents, MAX_POINTS, Request};
use super::world::{Faults, Task};
use crate::{AppendOutcome, Description, ExistingPoints, Progress, Snapshot, Store, StoredLayer};
use kiln_core::error::Error;

/// The processes: a server that has claimed the store, and a command.
const PROCESSES: [&str; 2] = ["server", "command"];
const LAYERS: [&str; 2] = ["trips", "stops"];
const FOLDER: &str = "/data/store";
const DAY_S: u64 = 24 * 60 * 60;

/// One operation of a round.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Append(Request, Option<crate::Request>),
    Compact,
    CompactSome,
    Title(u32),
    Rooms(Option<u32>),
    Plan(Option<u32>),
    Read,
    Verify,
    Sweep,
    /// Operations that affect the points of others, of which there is one in a round.
    Expire(i64),
    Replace(Request),
    Remove,
    Create(Option<Request>),
}

/// The outcome of an operation.
#[derive(Debug)]
#[allow(dead_code, reason = "the log prints the errors")]
enum Outcome {
    Done,
    Duplicate,
    Missing,
    Ended,
    Failed(String),
    Read(Contents),
    Wrong(String),
}

pub(super) struct Run {
    world: Arc<World>,
    stores: [Option<Store>; 2],
    layers: [Option<Layer>; 2],
    /// The idempotency keys of requests, by their number.
    keys: BTreeMap<u32, crate::Request>,
    /// All requests that were sent to a layer, which old snapshots may still contain.
    sent: BTreeMap<u32, Request>,
    old: Vec<(Arc<Snapshot>, Contents)>,
    /// The contents of each version that was seen since the last power cut.
    versions: BTreeMap<String, (Contents, Option<u32>)>,
    next: u32,
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
        old: Vec::new(),
        versions: BTreeMap::new(),
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

    fn below(&self, end: u64) -> u64 {
        self.world.state().random.below(end)
    }

    fn let_time_pass(&self) {
        const JUMPS_S: [i64; 4] = [-40 * 365 * 86_400, -86_400, 2 * 86_400, 174 * 365 * 86_400];
        let pause_ms = 250 + self.below(100_000_000);
        self.world.sleep(Duration::from_millis(pause_ms));
        if self.below(12) == 0 {
            let jump_s = JUMPS_S[self.below(JUMPS_S.len() as u64) as usize];
            let mut state = self.world.state();
            state.wall_us = state.wall_us.saturating_add_signed(jump_s * 1_000_000);
            state.log.push(format!("the clock jumps by {jump_s} s"));
        }
    }

    /// Chooses the faults of a round.
    fn prepare_faults(&self) {
        let mut state = self.world.state();
        let faults = state.random.below(8);
        match faults {
            0 => state.faults = Faults { error: 40, failed_sync: 20, ..state.faults },
            1 => {
                let space = state.random.below(8000);
                state.disk.capacity = Some(state.disk.used() + space);
                state.log.push(format!("the disk has {space} bytes left"));
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
        let request = Request { number, points, time_us };
        self.sent.insert(number, request);
        request
    }

    /// The operations of a round, each with its process.
    fn operations(&mut self, layer: usize) -> Vec<(usize, Operation)> {
        let Some(model) = &self.layers[layer] else { return vec![(self.process(), self.creation())] };
        let retries: Vec<Request> =
            model.requests.values().filter(|entry| self.can_retry(entry)).map(|(request, _)| *request).collect();
        let mut operations = Vec::new();
        match self.below(12) {
            0 => operations.push(Operation::Expire(1_767_000_000_000_000 + self.below(45) as i64 * 18_000_000_000)),
            1 => operations.push(Operation::Replace(self.request())),
            2 if self.below(2) == 0 => operations.push(Operation::Remove),
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
        operations.into_iter().map(|operation| (self.process(), operation)).collect()
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
    fn round(&mut self, layer: usize, operations: Vec<(usize, Operation)>) -> Result<(), String> {
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
                        if world.has_ended(process as u32) { Outcome::Ended } else { outcome }
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
        for ((process, operation), outcome) in operations.iter().zip(outcomes) {
            let outcome = outcome.map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                format!("{operation:?} panics: {}", text.unwrap_or_default())
            })?;
            self.world.log(format!("  {} {name} {operation:?}: {outcome:?}", PROCESSES[*process]));
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

    /// Adds the requests of a round to the model, before they can be seen.
    fn announce(&mut self, layer: usize, operations: &[(usize, Operation)]) {
        for (_, operation) in operations {
            match operation {
                Operation::Create(request) => {
                    let model = self.layers[layer].insert(Layer::new());
                    model.may_be_absent = true;
                    model.requests.extend(request.map(|request| (request.number, (request, Fates::from([Fate::ALL])))));
                }
                Operation::Append(request, _) | Operation::Replace(request) => {
                    if let Some(model) = &mut self.layers[layer] {
                        model.requests.entry(request.number).or_insert((*request, Fates::from([Fate::Absent])));
                    }
                }
                _ => {}
            }
        }
    }

    /// Applies the outcome of an operation to the model.
    fn apply(
        &mut self,
        layer: usize,
        before: Option<&Layer>,
        operation: &Operation,
        operations: &[(usize, Operation)],
        outcome: Outcome,
    ) -> Result<(), String> {
        let is_done = matches!(outcome, Outcome::Done | Outcome::Duplicate);
        let exclusive = operations.iter().find_map(|(_, operation)| match operation {
            Operation::Expire(_) | Operation::Replace(_) | Operation::Remove => Some(operation.clone()),
            _ => None,
        });
        if let Outcome::Wrong(error) = outcome {
            return Err(error);
        }
        let Some(model) = &mut self.layers[layer] else { return Ok(()) };
        let is_change = !matches!(operation, Operation::Read | Operation::Verify | Operation::Sweep);
        model.is_unsure |= !is_done && is_change;
        match operation {
            Operation::Append(request, _) => {
                let Some((_, fates)) = model.requests.get_mut(&request.number) else { return Ok(()) };
                let is_new = before.is_none_or(|before| !before.requests.contains_key(&request.number));
                if matches!(outcome, Outcome::Duplicate) && is_new && *fates == Fates::from([Fate::Absent]) {
                    let sent = operations.iter().filter(
                        |(_, other)| matches!(other, Operation::Append(other, _) if other.number == request.number),
                    );
                    if sent.count() < 2 {
                        return Err(format!("request {} was never sent before, but is a duplicate", request.number));
                    }
                }
                if is_done {
                    *fates = Fates::from([Fate::ALL]);
                } else if !fates.contains(&Fate::ALL) {
                    fates.insert(Fate::ALL);
                }
                match exclusive {
                    Some(Operation::Expire(before_us)) => drop(fates.insert(Fate::Since(before_us))),
                    Some(Operation::Replace(_)) => drop(fates.insert(Fate::Absent)),
                    _ => {}
                }
            }
            Operation::Title(title) => change(&mut model.titles, Some(*title), is_done, operations, |operation| {
                matches!(operation, Operation::Title(_))
            }),
            Operation::Rooms(rooms) => change(&mut model.rooms, *rooms, is_done, operations, |operation| {
                matches!(operation, Operation::Rooms(_))
            }),
            Operation::Plan(plan) => change(&mut model.plans, *plan, is_done, operations, |operation| {
                matches!(operation, Operation::Plan(_))
            }),
            Operation::Expire(before_us) => model.expire(*before_us, is_done),
            Operation::Replace(request) => {
                let number = request.number;
                model.clear(is_done);
                let fates = if is_done { vec![Fate::ALL] } else { vec![Fate::ALL, Fate::Absent] };
                model.requests.insert(number, (*request, Fates::from_iter(fates)));
            }
            Operation::Remove if is_done => self.layers[layer] = None,
            Operation::Remove => model.may_be_absent = true,
            Operation::Create(_) => model.may_be_absent = !is_done,
            _ => {}
        }
        if let Outcome::Read(contents) = outcome {
            self.check_atomic(layer, before, &contents, exclusive.is_some())?;
        }
        Ok(())
    }

    /// Checks what a reader saw during a round: requests entirely or not at all, and none missing that nobody removed.
    fn check_atomic(
        &self,
        layer: usize,
        before: Option<&Layer>,
        contents: &Contents,
        is_removed: bool,
    ) -> Result<(), String> {
        for (number, points) in contents {
            let Some(request) = self.sent.get(number) else { return Err(format!("request {number} was never sent")) };
            let cuts = (0..45).map(|step| 1_767_000_000_000_000 + step * 18_000_000_000);
            let is_whole = cuts.chain([i64::MIN]).any(|cut| *points == request.since(cut));
            if !is_whole {
                return Err(format!("a reader saw {points:?} of request {number}"));
            }
        }
        let settled = before.filter(|before| before.is_settled() && !is_removed).into_iter();
        for (number, (request, fates)) in settled.flat_map(|before| &before.requests) {
            if *fates == Fates::from([Fate::ALL]) && contents.get(number) != Some(&request.since(i64::MIN)) {
                return Err(format!("a reader of {} missed request {number}", LAYERS[layer]));
            }
        }
        Ok(())
    }

    /// Starts a process, again if it has run before.
    fn start(&mut self, process: usize) -> Result<(), String> {
        self.world.clone().enter(process as u32, None, || self.stores[process] = None);
        let store = self.world.enter(process as u32, None, || {
            let folder = Path::new(FOLDER);
            if process == 0 {
                let store = Store::open_for_server(folder)?;
                store.claim().map(|()| store)
            } else {
                Store::open(folder)
            }
        });
        self.world.log(format!("{} starts", PROCESSES[process]));
        self.stores[process] = Some(store.map_err(|error| format!("{} does not start: {error}", PROCESSES[process]))?);
        Ok(())
    }

    fn restart_processes(&mut self) -> Result<(), String> {
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

    /// Checks that both processes see what the model expects.
    fn check_all(&mut self) -> Result<(), String> {
        self.world.sleep(StoredLayer::REFRESH_INTERVAL + Duration::from_millis(50));
        for process in 0..PROCESSES.len() {
            for layer in 0..LAYERS.len() {
                let seen = self.world.clone().enter(process as u32, None, || self.see(process, layer));
                let seen = seen.and_then(|seen| self.check(layer, seen));
                seen.map_err(|error| format!("{} of {}: {error}", PROCESSES[process], LAYERS[layer]))?;
            }
        }
        let checks_old = self.below(4) == 0;
        for (snapshot, contents) in self.old.iter().filter(|_| checks_old) {
            if points::read(snapshot, &self.sent)? != *contents {
                return Err("an old snapshot has changed".to_owned());
            }
        }
        self.old.truncate(4);
        Ok(())
    }

    fn check(&mut self, layer: usize, seen: Option<Seen>) -> Result<(), String> {
        match (&mut self.layers[layer], seen) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err("the layer was removed, but is there".to_owned()),
            (Some(model), None) if model.may_be_absent => {
                if !model.is_unsure {
                    self.layers[layer] = None;
                }
                Ok(())
            }
            (Some(_), None) => Err("the layer is missing".to_owned()),
            (Some(model), Some(seen)) => {
                self.points += seen.contents.values().map(|points| points.len() as u64).sum::<u64>();
                model.check(&seen)
            }
        }
    }

    /// What a process sees of a layer.
    fn see(&mut self, process: usize, layer: usize) -> Result<Option<Seen>, String> {
        let Some(store) = &self.stores[process] else { return Ok(None) };
        let name = LAYERS[layer];
        let failed = |error: Error| format!("it cannot be read: {error}");
        let Some(layer) = store.layer(name).map_err(failed)? else { return Ok(None) };
        let snapshot = layer.snapshot();
        if let Some(damage) = snapshot.damaged().first() {
            return Err(format!("damage: {}", damage.reason));
        }
        let contents = points::read(&snapshot, &self.sent)?;
        let title = parse("title", snapshot.description().title.as_deref())?;
        let known = self.versions.entry(snapshot.version()).or_insert_with(|| (contents.clone(), title));
        if *known != (contents.clone(), title) {
            return Err(format!("the version {} had other contents before", snapshot.version()));
        }
        let rooms = parse("rooms", store.rooms(name).map_err(failed)?.as_deref())?;
        let mut plan = None;
        if let Some(mut file) = store.floor_plan(name).map_err(failed)? {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut file, &mut text).map_err(|error| error.to_string())?;
            plan = parse("plan", Some(&text))?;
        }
        self.old.push((snapshot, contents.clone()));
        Ok(Some(Seen { contents, title, rooms, plan }))
    }

    /// Flips a bit of a file while no process runs: the damage is reported, or changes nothing.
    fn rot(&mut self) -> Result<(), String> {
        let layer = self.below(LAYERS.len() as u64) as usize;
        let name = LAYERS[layer];
        let folder = Path::new(FOLDER).join(name);
        let is_settled = self.layers[layer].as_ref().is_some_and(|layer| layer.is_settled() && !layer.is_unsure);
        let files = self.world.state().disk.read_dir(&folder).unwrap_or_default();
        let is_checked = |name: &String| name == "manifest.json" || name.ends_with(".arrow");
        let files: Vec<String> = files.into_iter().map(|(name, _)| name).filter(is_checked).collect();
        let Some(file) = self.world.state().random.choose(&files).cloned().filter(|_| is_settled) else {
            return Ok(());
        };
        let expected: u64 = self.layers[layer]
            .iter()
            .flat_map(|model| model.requests.values())
            .map(|(request, fates)| {
                let count = |fate: &Fate| match fate {
                    Fate::Absent => 0,
                    Fate::Since(time) => request.since(*time).len() as u64,
                };
                fates.iter().map(count).sum::<u64>()
            })
            .sum();
        for process in 0..PROCESSES.len() {
            self.world.clone().enter(process as u32, None, || self.stores[process] = None);
        }
        let bit = self.world.state().random.next();
        let path = folder.join(&file);
        if !self.world.state().disk.flip(&path, bit) {
            return self.restart_processes();
        }
        self.world.log(format!("a bit of {name}/{file} flips"));
        let sent = &self.sent;
        self.world.enter(0, None, || {
            let store = Store::open_for_server(Path::new(FOLDER)).map_err(|error| error.to_string())?;
            let layer = match store.layer(name) {
                Ok(Some(layer)) => layer,
                Ok(None) => return Err("the damaged layer is missing".to_owned()),
                Err(error) if error.to_string().contains("damaged") || error.to_string().contains("format") => {
                    return Ok(());
                }
                Err(error) => return Err(format!("damage is not reported as such: {error}")),
            };
            layer.verify();
            let snapshot = layer.snapshot();
            let lost: u64 = snapshot.damaged().iter().map(|damage| damage.points).sum();
            let read: u64 = points::read(&snapshot, sent)?.values().map(|points| points.len() as u64).sum();
            if read + lost != expected {
                return Err(format!("{read} points are read and {lost} reported as damaged of {expected}"));
            }
            Ok(())
        })?;
        self.world.state().disk.flip(&path, bit);
        self.world.log("the bit is restored");
        self.restart_processes()
    }

    /// Checks that a sweep leaves nothing but what is in use.
    fn check_sweep(&mut self) -> Result<(), String> {
        let Some(store) = &self.stores[0] else { return Ok(()) };
        self.world.enter(0, None, || store.sweep());
        let state = self.world.state();
        for (name, _) in state.disk.read_dir(Path::new(FOLDER)).unwrap_or_default() {
            if name.starts_with(".work-") {
                return Err(format!("the sweep leaves {name}"));
            }
            let folder: PathBuf = Path::new(FOLDER).join(&name);
            for (file, _) in state.disk.read_dir(&folder).unwrap_or_default() {
                let is_segment = file.ends_with(".arrow");
                let path = folder.join(&file);
                let is_unfinished = [".new", ".part"].iter().any(|end| file.ends_with(end));
                if is_unfinished
                    || is_segment && state.disk.status(&path).is_ok_and(|status| status.kind == FileKind::Folder)
                {
                    return Err(format!("the sweep leaves {name}/{file}"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn operations_done(&self) -> u64 {
        self.world.state().operations
    }

    pub(super) fn steps(&self) -> String {
        self.world.state().log.join("\n")
    }
}

/// Checks that an operation succeeds on a disk without faults. Merges and removals of old points are cancelled by other
/// changes.
fn check_success(
    before: Option<&Layer>,
    operation: &Operation,
    operations: &[(usize, Operation)],
    outcome: &Outcome,
) -> Result<(), String> {
    let is_removed = operations.iter().any(|(_, operation)| matches!(operation, Operation::Remove));
    let exists = before.is_some_and(|before| !before.may_be_absent) && !is_removed;
    let can_fail = match operation {
        Operation::Compact | Operation::CompactSome | Operation::Expire(_) => true,
        Operation::Create(_) => before.is_some(),
        _ => !exists,
    };
    let has_failed = matches!(outcome, Outcome::Missing | Outcome::Ended | Outcome::Failed(_));
    if has_failed && !can_fail { Err(format!("{operation:?} fails without a fault: {outcome:?}")) } else { Ok(()) }
}

/// Sets a value that one or more operations of a round change.
fn change(
    values: &mut std::collections::BTreeSet<Option<u32>>,
    value: Option<u32>,
    is_done: bool,
    operations: &[(usize, Operation)],
    is_same: impl Fn(&Operation) -> bool,
) {
    let is_alone = operations.iter().filter(|(_, operation)| is_same(operation)).count() == 1;
    if is_done && is_alone {
        values.clear();
    }
    values.insert(value);
}

/// The number in a title or file; an error if it is not entire.
fn parse(kind: &str, text: Option<&str>) -> Result<Option<u32>, String> {
    let Some(text) = text else { return Ok(None) };
    let number = text.split(' ').nth(1).and_then(|number| number.parse().ok());
    match number {
        Some(number) if text == content(kind, number) => Ok(Some(number)),
        _ => Err(format!("{kind} is torn: {text:?}")),
    }
}

/// The text of a title or file of a number.
fn content(kind: &str, number: u32) -> String {
    let fill = if kind == "title" { 0 } else { number as usize % 7 * 300 };
    format!("{kind} {number} {}", "x".repeat(fill))
}

/// Performs an operation in a process.
fn perform(store: &Store, name: &str, operation: Operation, sent: &BTreeMap<u32, Request>) -> Outcome {
    match attempt(store, name, operation, sent) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn attempt(store: &Store, name: &str, operation: Operation, sent: &BTreeMap<u32, Request>) -> Result<Outcome, Error> {
    let progress = Progress::default();
    let done = |is_done: Option<bool>| if is_done.is_some() { Outcome::Done } else { Outcome::Missing };
    match operation {
        Operation::Sweep => {
            store.sweep();
            return Ok(Outcome::Done);
        }
        Operation::Rooms(Some(number)) => return store.set_rooms(name, &content("rooms", number)).map(done),
        Operation::Rooms(None) => return store.remove_rooms(name).map(Some).map(done),
        Operation::Plan(Some(number)) => {
            let text = content("plan", number);
            let (head, rest) = text.as_bytes().split_at(4);
            return store.set_floor_plan(name, &[head, rest]).map(done);
        }
        Operation::Plan(None) => return store.remove_floor_plan(name).map(Some).map(done),
        Operation::Remove => return store.remove(name).map(Some).map(done),
        Operation::Create(None) => return store.create(name, Description::default()).map(|_| Outcome::Done),
        Operation::Create(Some(request)) => {
            let columns = Columns::of(request);
            let source = MemorySource(columns.points());
            let fill = |layer: &StoredLayer| {
                layer.import(&source, &Query::default(), ExistingPoints::Keep, None, 1, &progress).map(drop)
            };
            let created = store.create_with(name, CoordinateSpace::Globe, Description::default(), fill);
            return created.map(|()| Outcome::Done);
        }
        _ => {}
    }
    let Some(layer) = store.layer(name)? else { return Ok(Outcome::Missing) };
    match operation {
        Operation::Append(request, key) => match layer.append(Columns::of(request).batch(), key)? {
            AppendOutcome::Appended => return Ok(Outcome::Done),
            AppendOutcome::Duplicate(_) => return Ok(Outcome::Duplicate),
        },
        Operation::Compact => layer.compact(1, &progress)?,
        Operation::CompactSome => drop(layer.compact_some(0..=u64::MAX, 1, &progress)?),
        Operation::Title(number) => {
            layer.set_description(Description { title: Some(content("title", number)), ..Description::default() })?;
        }
        Operation::Expire(before_us) => drop(layer.expire(before_us, 1, &progress)?),
        Operation::Replace(request) => {
            let columns = Columns::of(request);
            let source = MemorySource(columns.points());
            layer.import(&source, &Query::default(), ExistingPoints::Replace, None, 1, &progress)?;
        }
        Operation::Verify => drop(layer.verify()),
        _ => {
            return Ok(match points::read(&layer.snapshot(), sent) {
                Ok(contents) => Outcome::Read(contents),
                Err(error) => Outcome::Wrong(error),
            });
        }
    }
    Ok(Outcome::Done)
}
