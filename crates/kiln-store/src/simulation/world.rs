//! The world of a simulation: its disk, clocks, faults and the order in which its threads run.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::disk::{Disk, EIO, FileKind, Status, system_error};
use super::random::Random;

/// The number of a thread of a simulation.
pub(crate) type Thread = usize;

#[derive(Debug)]
pub(crate) struct World {
    state: Mutex<State>,
    turn: Condvar,
}

/// The odds of faults: one in so many operations; zero for never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) error: u64,
    pub(crate) failed_sync: u64,
    pub(crate) short_write: u64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) random: Random,
    pub(crate) disk: Disk,
    pub(crate) faults: Faults,
    /// The number of operations until the power is cut.
    pub(crate) power_cut_in: Option<u64>,
    /// The number of operations of a process until it is killed.
    pub(crate) kill_in: Option<(u32, u64)>,
    pub(crate) is_powered: bool,
    killed: Vec<u32>,
    pub(crate) wall_us: u64,
    monotonic_us: u64,
    /// Counts power cuts: handles of an earlier boot are closed.
    boot: u64,
    /// The threads that have not ended, and the one that runs.
    threads: Vec<Thread>,
    running: Option<Thread>,
    /// Turns that were passed on since the last operation.
    idle_turns: u64,
    pub(crate) operations: u64,
    pub(crate) log: Vec<String>,
}

/// The process and the thread of a simulation that the current thread is.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) world: Arc<World>,
    process: u32,
    thread: Option<Thread>,
}

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMode {
    Read,
    Truncate,
    OpenOrCreate,
    CreateNew,
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        /// 2026-01-01.
        const START_S: u64 = 1_767_225_600;
        let state = State {
            random: Random::new(seed),
            disk: Disk::new(),
            faults: Faults::default(),
            power_cut_in: None,
            kill_in: None,
            is_powered: true,
            killed: Vec::new(),
            wall_us: START_S * 1_000_000,
            monotonic_us: 0,
            boot: 0,
            threads: Vec::new(),
            running: None,
            idle_turns: 0,
            operations: 0,
            log: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), turn: Condvar::new() })
    }

    /// The simulation of the current thread.
    pub(crate) fn current() -> Option<Context> {
        CONTEXT.with_borrow(Clone::clone)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self, line: impl Into<String>) {
        self.state().log.push(line.into());
    }

    pub(crate) fn wall_s(&self) -> u64 {
        self.state().wall_us / 1_000_000
    }

    pub(crate) fn monotonic(&self) -> Duration {
        Duration::from_micros(self.state().monotonic_us)
    }

    /// Lets time pass.
    pub(crate) fn sleep(&self, duration: Duration) {
        let mut state = self.state();
        let us = duration.as_micros() as u64;
        state.wall_us += us;
        state.monotonic_us += us;
    }

    /// Runs `work` as a process.
    pub(crate) fn enter<T>(self: &Arc<Self>, process: u32, thread: Option<Thread>, work: impl FnOnce() -> T) -> T {
        /// Restores the context, also after a panic.
        struct Restored(Option<Context>);
        impl Drop for Restored {
            fn drop(&mut self) {
                CONTEXT.set(self.0.take());
            }
        }
        let context = Context { world: Arc::clone(self), process, thread };
        let _restored = Restored(CONTEXT.replace(Some(context)));
        work()
    }

    /// Runs `tasks`, each as a thread of a process, in an order that only depends on the seed. One runs at a time, and
    /// passes its turn on before some of its operations, and where it waits for a lock.
    pub(crate) fn run<T: Send>(self: &Arc<Self>, tasks: Vec<(u32, Task<'_, T>)>) -> Vec<std::thread::Result<T>> {
        {
            let mut state = self.state();
            state.threads = (0..tasks.len()).collect();
            let first = state.random.below(tasks.len().max(1) as u64) as usize;
            state.running = Some(first);
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = tasks
                .into_iter()
                .enumerate()
                .map(|(thread, (process, task))| {
                    scope.spawn(move || {
                        let _ended = Ended { world: self, thread };
                        self.enter(process, Some(thread), || {
                            self.wait_for_turn(self.state(), thread);
                            std::panic::catch_unwind(std::panic::AssertUnwindSafe(task))
                        })
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().and_then(|result| result)).collect()
        })
    }

    fn wait_for_turn(&self, state: MutexGuard<'_, State>, thread: Thread) {
        let is_waiting = |state: &mut State| state.running != Some(thread);
        drop(self.turn.wait_while(state, is_waiting).unwrap_or_else(PoisonError::into_inner));
    }

    /// Passes the turn of the current thread on to any thread, which may be itself.
    pub(crate) fn pause(&self) {
        const ONE_IN: u64 = 6;
        let Some(Context { thread: Some(thread), .. }) = Self::current() else { return };
        let mut state = self.state();
        if state.threads.len() > 1 && state.random.one_in(ONE_IN) {
            let threads = state.threads.clone();
            state.running = state.random.choose(&threads).copied();
            self.turn.notify_all();
            self.wait_for_turn(state, thread);
        }
    }

    /// Passes the turn of the current thread, which cannot continue, on to another one.
    pub(crate) fn pass_on(&self) {
        const MAX_IDLE_TURNS: u64 = 100_000;
        let thread = Self::current().and_then(|context| context.thread);
        let mut state = self.state();
        state.idle_turns += 1;
        let others: Vec<Thread> = state.threads.iter().copied().filter(|other| Some(*other) != thread).collect();
        let is_stuck = state.idle_turns > MAX_IDLE_TURNS;
        match (thread, state.random.choose(&others).copied()) {
            (Some(thread), Some(next)) if !is_stuck => {
                state.running = Some(next);
                self.turn.notify_all();
                self.wait_for_turn(state, thread);
            }
            _ => {
                drop(state);
                panic!("all threads wait for each other");
            }
        }
    }

    /// Restarts the computer after a power cut.
    pub(crate) fn restart(&self) {
        let mut state = self.state();
        let State { random, disk, .. } = &mut *state;
        disk.cut_power(random);
        (state.is_powered, state.power_cut_in, state.kill_in) = (true, None, None);
        state.killed.clear();
        state.boot += 1;
    }

    /// Whether a process was killed, or the power is off.
    pub(crate) fn has_ended(&self, process: u32) -> bool {
        let state = self.state();
        !state.is_powered || state.killed.contains(&process)
    }

    /// Whether a process was killed. A new one of the same number can start afterwards.
    pub(crate) fn take_killed(&self, process: u32) -> bool {
        let mut state = self.state();
        let was_killed = state.killed.contains(&process);
        state.killed.retain(|killed| *killed != process);
        state.kill_in = None;
        was_killed
    }
}

pub(crate) type Task<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// Ends the thread of a simulation, also after a panic.
struct Ended<'a> {
    world: &'a World,
    thread: Thread,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.world.state();
        state.threads.retain(|thread| *thread != self.thread);
        let threads = state.threads.clone();
        state.running = state.random.choose(&threads).copied();
        self.world.turn.notify_all();
    }
}

impl Context {
    /// Runs an operation of the disk.
    fn operate<T>(&self, what: &dyn Fn() -> String, run: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.world.pause();
        let mut state = self.world.state();
        state.idle_turns = 0;
        state.operations += 1;
        let step_us = state.random.below(300);
        state.wall_us += step_us;
        state.monotonic_us += step_us;
        let counted = |left: &mut u64| {
            *left = left.saturating_sub(1);
            *left == 0
        };
        if state.is_powered && state.power_cut_in.as_mut().is_some_and(counted) {
            state.is_powered = false;
            state.log.push(format!("    the power is cut at {}", what()));
        }
        if let Some((process, left)) = &mut state.kill_in
            && *process == self.process
            && *left > 0
            && counted(left)
        {
            let process = *process;
            state.killed.push(process);
            state.log.push(format!("    process {process} is killed at {}", what()));
        }
        if !state.is_powered || state.killed.contains(&self.process) {
            return Err(io::Error::other("the process has ended"));
        }
        run(&mut state)
    }

    /// Runs an operation of the disk that can fail.
    fn attempt<T>(&self, what: &dyn Fn() -> String, run: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.operate(what, |state| {
            let odds = state.faults.error;
            if state.random.one_in(odds) {
                state.log.push(format!("    EIO at {}", what()));
                return Err(system_error(EIO));
            }
            run(state)
        })
    }

    pub(crate) fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.attempt(&|| format!("mkdir {}", path.display()), |state| state.disk.create_dir(path))
    }

    pub(crate) fn create_unique_dir(&self, parent: &Path, prefix: &str) -> io::Result<PathBuf> {
        let path = parent.join(format!("{prefix}{}", self.random_id()));
        self.create_dir(&path).map(|()| path)
    }

    pub(crate) fn random_id(&self) -> String {
        format!("{:08x}", self.world.state().random.next() as u32)
    }

    pub(crate) fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, bool)>> {
        self.attempt(&|| format!("readdir {}", path.display()), |state| {
            let mut entries = state.disk.read_dir(path)?;
            // The order of entries is that of the disk.
            for end in (1..entries.len()).rev() {
                let other = state.random.below(end as u64 + 1) as usize;
                entries.swap(end, other);
            }
            Ok(entries)
        })
    }

    pub(crate) fn remove(&self, path: &Path, kind: FileKind) -> io::Result<()> {
        self.attempt(&|| format!("remove {}", path.display()), |state| state.disk.remove(path, kind))
    }

    pub(crate) fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        for (name, is_dir) in self.read_dir(path)? {
            let path = path.join(name);
            if is_dir { self.remove_dir_all(&path)? } else { self.remove(&path, FileKind::File)? }
        }
        self.remove(path, FileKind::Folder)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.attempt(&|| format!("rename {} to {}", from.display(), to.display()), |state| state.disk.rename(from, to))
    }

    pub(crate) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.operate(&|| format!("fsync {}", path.display()), |state| {
            let odds = state.faults.failed_sync;
            if state.random.one_in(odds) {
                state.log.push(format!("    EIO at fsync {}", path.display()));
                return Err(system_error(EIO));
            }
            state.disk.sync_folder(path)
        })
    }

    pub(crate) fn status(&self, path: &Path) -> io::Result<Status> {
        self.operate(&|| format!("stat {}", path.display()), |state| state.disk.status(path))
    }

    pub(crate) fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SimulatedFile> {
        self.attempt(&|| format!("open {} ({mode:?})", path.display()), |state| {
            let create = match mode {
                OpenMode::Read => None,
                OpenMode::CreateNew => Some(false),
                OpenMode::Truncate | OpenMode::OpenOrCreate => Some(true),
            };
            let now_us = state.file_time();
            let handle = state.disk.open(path, create, mode == OpenMode::Truncate, now_us)?;
            Ok(SimulatedFile { context: self.clone(), handle, position: 0, boot: state.boot, path: path.to_owned() })
        })
    }
}

impl State {
    /// Whether operations can fail.
    pub(crate) fn has_faults(&self) -> bool {
        let Faults { error, failed_sync, .. } = self.faults;
        error + failed_sync > 0
            || !self.is_powered
            || !self.killed.is_empty()
            || self.disk.is_read_only
            || self.disk.capacity.is_some()
    }

    /// The time of changes of files, which advances in steps of 4 ms.
    fn file_time(&self) -> u64 {
        self.wall_us / 4000 * 4000
    }
}

/// An open file of a simulation.
#[derive(Debug)]
pub(crate) struct SimulatedFile {
    context: Context,
    handle: u64,
    position: usize,
    boot: u64,
    path: PathBuf,
}

impl SimulatedFile {
    fn operate<T>(&self, what: &str, run: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.context.operate(&|| format!("{what} {}", self.path.display()), |state| {
            if state.boot == self.boot { run(state) } else { Err(io::Error::other("the computer was restarted")) }
        })
    }

    pub(crate) fn status(&self) -> io::Result<Status> {
        self.operate("fstat", |state| state.disk.status_of_handle(self.handle))
    }

    pub(crate) fn content(&self) -> io::Result<Vec<u8>> {
        self.operate("map", |state| state.disk.content(self.handle).map(<[u8]>::to_vec))
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (handle, position) = (self.handle, self.position);
        let read = self.operate("read", |state| {
            let rest = state.disk.content(handle)?.get(position..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })?;
        self.position += read;
        Ok(read)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.operate("write", |state| {
            if bytes.is_empty() {
                return Ok(0);
            }
            let Faults { error, short_write, .. } = state.faults;
            let mut count = bytes.len();
            if state.random.one_in(short_write) {
                count = 1 + state.random.below(count as u64) as usize;
            }
            let now_us = state.file_time();
            let written = state.disk.write(self.handle, &bytes[..count], now_us)?;
            if state.random.one_in(error) {
                state.log.push(format!("    EIO at write {}", self.path.display()));
                return Err(system_error(EIO));
            }
            Ok(written)
        })
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.operate("fsync", |state| {
            let odds = state.faults.failed_sync;
            if state.random.one_in(odds) {
                state.disk.fail_sync(self.handle);
                state.log.push(format!("    EIO at fsync {}", self.path.display()));
                return Err(system_error(EIO));
            }
            state.disk.sync(self.handle)
        })
    }

    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        self.operate("lock", |state| state.disk.try_lock(self.handle))
    }

    pub(crate) fn lock(&self) -> io::Result<()> {
        while !self.try_lock()? {
            self.context.world.pass_on();
        }
        Ok(())
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        let mut state = self.context.world.state();
        if state.boot == self.boot {
            state.disk.close(self.handle);
        }
    }
}
