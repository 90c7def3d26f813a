//! Sums of points per cell of a grid level, in Z-order: the table that `kiln export --bins` writes, and that query engines
//! write for `kiln import`.
//!
//! A cell of level n is one of the 2ⁿ × 2ⁿ squares of the Web Mercator world: see [`fixed`](crate::geo::fixed). A group is a
//! cell, and if requested a period of time and a category. Sums are exact, so they depend neither on the order of the
//! points nor on the threads.
//!
//! ```text
//! points ──> BinCollector ── sorted BinRecords ──> for_each_bin ──> Bin
//! ```

mod collector;
mod exact_sum;
mod record;

pub use collector::{BinCollector, UnitColumns};
pub use exact_sum::ExactSum;
pub use record::{Bin, BinGroup, BinRecord, for_each_bin};

/// The groups to sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinsRequest {
    /// The grid level of the cells, 0 to 32.
    pub level: u32,
    /// The length of the periods since 1970-01-01 UTC in microseconds, at least 1; `None`: no periods.
    pub period_us: Option<i64>,
    /// Whether points of different categories are in different groups.
    pub by_category: bool,
}

impl BinsRequest {
    /// The finest grid level.
    pub const MAX_LEVEL: u32 = 32;

    /// The number of bits of a [key](crate::geo::morton::key) below those of a cell.
    pub(crate) fn shift(self) -> u32 {
        2 * (Self::MAX_LEVEL - self.level.min(Self::MAX_LEVEL))
    }

    /// The key of the cell that contains the unit of a Z-order key.
    pub fn cell_of(self, key: u64) -> u64 {
        key.checked_shr(self.shift()).unwrap_or(0)
    }

    /// The first Z-order key of a cell.
    pub fn first_key(self, cell: u64) -> u64 {
        cell.checked_shl(self.shift()).unwrap_or(0)
    }
}

/// Consecutive records of sums, with all records of each of their cells.
#[derive(Debug, Default)]
pub struct BinChunk<'a> {
    /// The records, sorted by group.
    pub records: Vec<BinRecord>,
    /// The names of the categories in alphabetical order; their indices are the categories of groups.
    pub categories: &'a [Box<str>],
    /// The number of points that were read for the chunk.
    pub read: u64,
}
