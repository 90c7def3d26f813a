//! A temporary file with the ranges of an object that were read so far.
//!
//! The file has the size of the object, and holes where nothing was read. So readers of files need no second implementation, later
//! scans read nothing again, and memory use does not grow with the object.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use kiln_core::error::{Error, Result};
use kiln_objects::{ObjectError, ObjectInfo, Objects};

use super::input::Spool;
use super::range_set::{RangeSet, coalesce, split};

/// A partial copy of one state of an object.
pub(super) struct RangedFile {
    objects: Objects,
    key: String,
    info: ObjectInfo,
    size: u64,
    spool: Spool,
    /// Held during a write, which has the position of the file.
    writing: Mutex<()>,
    state: Mutex<State>,
    /// Notified when ranges were read, or could not be read.
    changed: Condvar,
}

/// The ranges of a copy.
#[derive(Default)]
struct State {
    read: RangeSet,
    /// Those that a thread reads at the moment.
    busy: RangeSet,
}

impl RangedFile {
    /// Ranges with a smaller gap are read by one request: a request takes about as long as this number of bytes.
    const MAX_GAP: u64 = 1 << 20;
    /// The maximum size of one request.
    const MAX_REQUEST: u64 = 8 << 20;

    /// An empty copy of the object `key`, whose state `info` must have a size.
    ///
    /// # Errors
    /// [`Error::Io`] if no temporary file can be created.
    pub(super) fn new(objects: Objects, key: &str, info: ObjectInfo) -> Result<Self> {
        let failed = |error| Error::io(std::env::temp_dir(), "write the temporary copy", error);
        let size = info.size.unwrap_or(0);
        let spool = Spool::create(false).map_err(failed)?;
        spool.file.set_len(size).map_err(failed)?;
        let (writing, state, changed) = (Mutex::default(), Mutex::default(), Condvar::new());
        Ok(Self { objects, key: key.to_owned(), info, size, spool, writing, state, changed })
    }

    /// The size of the object.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The path of the copy.
    pub(super) fn path(&self) -> &Path {
        &self.spool.path
    }

    /// Opens the copy for reading.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened.
    pub(super) fn reopen(&self) -> Result<File> {
        File::open(self.path()).map_err(|error| Error::io(std::env::temp_dir(), "read the temporary copy", error))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the parts of `ranges` that the copy does not have. Threads that need the same parts wait for one of them.
    ///
    /// # Errors
    /// [`Error::Input`] if the object cannot be read, or has changed; [`Error::Cancelled`]; [`Error::Io`] if the copy cannot be written.
    pub(super) fn ensure(&self, ranges: &[Range<u64>]) -> Result<()> {
        loop {
            let missing = {
                let mut state = self.lock();
                let missing = state.read.missing(ranges);
                if missing.is_empty() {
                    return Ok(());
                }
                // What another thread reads is checked again when it is done.
                let free: Vec<Range<u64>> =
                    missing.iter().flat_map(|range| state.busy.missing(std::slice::from_ref(range))).collect();
                if free.is_empty() {
                    drop(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
                    continue;
                }
                let free = coalesce(free, Self::MAX_GAP);
                for range in &free {
                    state.busy.insert(range.clone());
                }
                free
            };
            let result = self.read(&missing);
            let mut state = self.lock();
            for range in missing {
                state.busy.remove(&range);
                if result.is_ok() {
                    state.read.insert(range);
                }
            }
            drop(state);
            self.changed.notify_all();
            result?;
        }
    }

    /// Reads ranges of the object to the copy.
    fn read(&self, ranges: &[Range<u64>]) -> Result<()> {
        let requests: Vec<Range<u64>> = ranges.iter().flat_map(|range| split(range, Self::MAX_REQUEST)).collect();
        let mut file = &self.spool.file;
        let write = &mut |start, bytes: &[u8]| {
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start)).and_then(|_| file.write_all(bytes))
        };
        self.objects.get_ranges(&self.key, &requests, &self.info, write).map_err(ObjectError::into_error)
    }
}

impl std::fmt::Debug for RangedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RangedFile").field("key", &self.key).field("info", &self.info).finish_non_exhaustive()
    }
}

/// A thread that reads ranges ahead of a scan, until it is dropped.
pub(super) struct ReadAhead(Arc<AtomicBool>);

impl ReadAhead {
    /// Reads groups of ranges in their order. An error ends the thread: the scan has it too.
    pub(super) fn start(file: &Arc<RangedFile>, groups: Vec<Vec<Range<u64>>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        if groups.len() > 1 {
            let (file, stop) = (Arc::clone(file), Arc::clone(&stop));
            let run = move || {
                let mut groups = groups.iter();
                while !stop.load(Ordering::Relaxed) && groups.next().is_some_and(|group| file.ensure(group).is_ok()) {}
            };
            // Without the thread, the scan reads all ranges.
            let _ = std::thread::Builder::new().name("kiln-read-ahead".to_owned()).spawn(run);
        }
        Self(stop)
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
