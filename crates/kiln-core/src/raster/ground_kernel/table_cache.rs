//! The tables of rows of recent canvases.
//!
//! The tiles of one row of a zoom have the same tables, and so have the frames and categories of one picture. The tables
//! of 256 rows take half as long as the convolution by a Gaussian of 10 px radius, without which it takes 0.15 ms.

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

impl Key {
    fn new(kernel: GroundKernel, canvas: &Canvas) -> Self {
        Self {
            shape: kernel.shape,
            projection: canvas.projection(),
            radius_m: kernel.radius_m.to_bits(),
            scale: canvas.scale().map(f64::to_bits),
            origin: canvas.origin()[1].to_bits(),
            row: canvas.offset()[1],
            height: canvas.height(),
        }
    }
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
    let key = Key::new(kernel, canvas);
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

/// Removes all entries.
#[cfg(test)]
pub(super) fn clear() {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner).clear();
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::TileCoord;

    fn tile(x: u32, y: u32) -> Canvas {
        Canvas::tile(TileCoord::new(9, x, y).unwrap(), 64).unwrap()
    }

    fn key(shape: Shape, radius_m: f64, canvas: &Canvas) -> Key {
        Key::new(GroundKernel::new(shape, radius_m).unwrap(), canvas)
    }

    #[test]
    fn tiles_of_one_row_share_their_tables_and_others_do_not() {
        let first = key(Shape::Gaussian, 2e3, &tile(7, 200));
        assert_eq!(first, key(Shape::Gaussian, 2e3, &tile(300, 200)));
        assert_eq!(first, key(Shape::Gaussian, 2e3, &tile(0, 200).window(0, 0, 600, 64).unwrap()));
        let other_size = Canvas::tile(TileCoord::new(8, 7, 100).unwrap(), 64).unwrap();
        for (shape, radius_m, canvas) in [
            (Shape::Gaussian, 2e3, tile(7, 201)),
            (Shape::Gaussian, 2e3, tile(7, 200).window(0, 0, 64, 63).unwrap()),
            (Shape::Gaussian, 2e3, other_size),
            (Shape::Gaussian, 2e3 + 1e-9, tile(7, 200)),
            (Shape::Triangular, 2e3, tile(7, 200)),
        ] {
            assert_ne!(first, key(shape, radius_m, &canvas));
        }
    }

    #[test]
    fn the_tables_that_were_not_used_for_the_longest_time_are_removed() {
        let tables = GroundKernel::new(Shape::Cone, 1e3).unwrap().on(&tile(3, 150)).unwrap().tables;
        let key = |y| key(Shape::Cone, 1e3, &tile(3, y));
        let mut entries = VecDeque::new();
        for y in 0..3 {
            insert(&mut entries, Entry { key: key(y), bytes: 40, tables: Arc::clone(&tables) }, 120);
        }
        assert!(find(&mut entries, &key(0)).is_some());
        insert(&mut entries, Entry { key: key(3), bytes: 30, tables: Arc::clone(&tables) }, 120);
        assert!(find(&mut entries, &key(1)).is_none());
        assert_eq!(entries.iter().map(|entry| entry.key.row / 64).collect::<Vec<_>>(), [3, 0, 2]);
        insert(&mut entries, Entry { key: key(4), bytes: 121, tables }, 120);
        assert!(entries.is_empty());
    }
}
