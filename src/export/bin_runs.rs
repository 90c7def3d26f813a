//! Sorted runs of records in a temporary file, and their merge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::cell_bins::BinRecord;
use crate::error::{Error, Result};

/// Sorted runs of records in a file without a name, which is created with the first run and removed by the operating system.
#[derive(Debug)]
pub(super) struct BinRuns {
    target: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    /// The records of each run.
    runs: Vec<Range<u64>>,
}

impl BinRuns {
    /// Runs in the folder of `target`, which errors name.
    pub(super) fn new(target: &Path) -> Self {
        Self { target: target.to_owned(), state: Mutex::default() }
    }

    /// Writes sorted records as a run.
    pub(super) fn write(&self, records: &[BinRecord]) -> Result<()> {
        const CHUNK: usize = 1 << 14;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { file, runs } = &mut *state;
        let mut write = || {
            let file = match file {
                Some(file) => file,
                None => file.insert(tempfile::tempfile_in(folder_of(&self.target))?),
            };
            for records in records.chunks(CHUNK) {
                let bytes: Vec<u8> = records.iter().flat_map(BinRecord::to_bytes).collect();
                file.write_all(&bytes)?;
            }
            Ok(())
        };
        write().map_err(|error| Error::io(&self.target, "write", error))?;
        let start = runs.last().map_or(0, |run| run.end);
        runs.push(start..start + records.len() as u64);
        Ok(())
    }

    /// Passes the records of the runs and of sorted vectors to `take`, in the order of their cells.
    pub(super) fn merge(
        self,
        memory: Vec<Vec<BinRecord>>,
        mut take: impl FnMut(BinRecord) -> Result<()>,
    ) -> Result<()> {
        /// The memory of the buffers of all runs, in records.
        const BUFFERED: usize = 1 << 20;
        let Self { target, state } = self;
        let State { mut file, runs } = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let buffered = (BUFFERED / runs.len().max(1)).clamp(1 << 6, 1 << 16);
        let in_memory = memory.into_iter().map(|records| Run { records: records.into_iter(), rest: 0..0 });
        let in_file = runs.into_iter().map(|rest| Run { records: Vec::new().into_iter(), rest });
        let mut runs: Vec<Run> = in_memory.chain(in_file).collect();
        let mut next = |run: &mut Run| {
            run.next(file.as_mut(), buffered).map_err(|error| Error::io(&target, "read temporary data of", error))
        };
        // The next record of each run, the one of the first cell on top.
        let mut heads = BinaryHeap::with_capacity(runs.len());
        let mut records = Vec::with_capacity(runs.len());
        for (index, run) in runs.iter_mut().enumerate() {
            let record = next(run)?;
            heads.extend(record.map(|record| Reverse((record.group.cell, index))));
            records.push(record);
        }
        while let Some(Reverse((_, index))) = heads.pop() {
            let Some(record) = records[index] else { continue };
            take(record)?;
            records[index] = next(&mut runs[index])?;
            heads.extend(records[index].map(|record| Reverse((record.group.cell, index))));
        }
        Ok(())
    }
}

/// A run that is being read.
struct Run {
    records: std::vec::IntoIter<BinRecord>,
    /// The records that are still in the file.
    rest: Range<u64>,
}

impl Run {
    fn next(&mut self, file: Option<&mut File>, buffered: usize) -> io::Result<Option<BinRecord>> {
        if let Some(record) = self.records.next() {
            return Ok(Some(record));
        }
        let count = (self.rest.end - self.rest.start).min(buffered as u64);
        let Some(file) = file.filter(|_| count > 0) else { return Ok(None) };
        let mut bytes = vec![0; count as usize * BinRecord::BYTES];
        file.seek(SeekFrom::Start(self.rest.start * BinRecord::BYTES as u64))?;
        file.read_exact(&mut bytes)?;
        self.rest.start += count;
        let (records, _) = bytes.as_chunks();
        self.records = records.iter().map(BinRecord::from_bytes).collect::<Vec<_>>().into_iter();
        Ok(self.records.next())
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cell_bins::BinGroup;

    #[test]
    fn runs_are_merged_in_the_order_of_cells() {
        let folder = tempfile::tempdir().unwrap();
        let runs = BinRuns::new(&folder.path().join("out.parquet"));
        let record = |cell: u64| {
            let group = BinGroup { cell, time_us: 0, category: 0 };
            BinRecord { group, n: 1, sum: cell as f64, max: 0.0 }
        };
        let every = |first: u64, step: usize| (first..90_000).step_by(step).map(record).collect::<Vec<_>>();
        runs.write(&every(0, 3)).unwrap();
        runs.write(&[]).unwrap();
        runs.write(&every(2, 3)).unwrap();
        let mut cells = Vec::new();
        runs.merge(vec![every(1, 3), vec![record(5)]], |record| {
            cells.push(record.group.cell);
            Ok(())
        })
        .unwrap();
        let mut expected: Vec<u64> = (0..90_000).collect();
        expected.insert(5, 5);
        assert!(cells == expected);
        // The file has no name.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_target() {
        let error = BinRuns::new(Path::new("none/out.parquet")).write(&[]).unwrap_err();
        assert!(error.to_string().starts_with("none/out.parquet: cannot write: "), "{error}");
    }
}
