//! The tables of rows of recent canvases.
//!
//! The tiles of one row of a zoom have the same tables, and so have the frames and categories of one picture. A table of
//! 256 rows takes as long as a third of the convolution by a Gaussian of 10 px radius.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::GroundKernel;
use super::row_tables::RowTables;
use crate::geo::{Canvas, Projection};
use crate::raster::Shape;

/// The maximum total size of the tables in bytes.
const MAX_BYTES: usize = 4 << 20;
/// The maximum size of a table in bytes.
const MAX_TABLE_BYTES: usize = MAX_BYTES / 4;

/// What the tables of rows depend on, with the bits of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    shape: Shape,
    projection: Projection,
    radius_m: u64,
    scale: [u64; 2],
    origin: u64,
    row: i64,
    height: u32,
}

struct Entry {
    key: Key,
    bytes: usize,
    tables: Arc<RowTables>,
}

/// The entries, of which the first was used last. There are few, since each has the size of many rows.
static ENTRIES: Mutex<VecDeque<Entry>> = Mutex::new(VecDeque::new());

/// The tables of the kernel on a canvas, from `make` unless a recent canvas had the same.
pub(super) fn get(kernel: GroundKernel, canvas: &Canvas, make: impl FnOnce() -> RowTables) -> Arc<RowTables> {
    let key = Key {
        shape: kernel.shape,
        projection: canvas.projection(),
        radius_m: kernel.radius_m.to_bits(),
        scale: canvas.scale().map(f64::to_bits),
        origin: canvas.origin()[1].to_bits(),
        row: canvas.offset()[1],
        height: canvas.height(),
    };
    let lock = || ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(tables) = find(&mut lock(), &key) {
        return tables;
    }
    let tables = Arc::new(make());
    let bytes = tables.max_bytes();
    if bytes <= MAX_TABLE_BYTES {
        let mut entries = lock();
        // Another thread may have made them in the meantime.
        if let Some(tables) = find(&mut entries, &key) {
            return tables;
        }
        insert(&mut entries, Entry { key, bytes, tables: Arc::clone(&tables) }, MAX_BYTES);
    }
    tables
}

/// The tables of `key`, whose entry becomes the first.
fn find(entries: &mut VecDeque<Entry>, key: &Key) -> Option<Arc<RowTables>> {
    let index = entries.iter().position(|entry| entry.key == *key)?;
    let entry = entries.remove(index)?;
    let tables = Arc::clone(&entry.tables);
    entries.push_front(entry);
    Some(tables)
}

/// Inserts an entry, and removes those that were not used for the longest time while all exceed `max_bytes`.
fn insert(entries: &mut VecDeque<Entry>, entry: Entry, max_bytes: usize) {
    entries.push_front(entry);
    let mut bytes: usize = entries.iter().map(|entry| entry.bytes).sum();
    while bytes > max_bytes {
        let Some(last) = entries.pop_back() else { return };
        bytes -= last.bytes;
    }
}
