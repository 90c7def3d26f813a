//! The number of points per cell.

use crate::simd::wide;

/// Integer counts per cell. The low byte of each count is stored separately, so that counting touches a quarter of the
/// memory.
#[derive(Debug)]
pub(super) struct Counts {
    low: Vec<u8>,
    /// Multiples of 256; empty while all counts are below 256.
    high: Vec<u32>,
}

impl Counts {
    pub(super) fn new(cells: usize) -> Self {
        Self { low: vec![0; cells], high: Vec::new() }
    }

    #[inline]
    pub(super) fn add(&mut self, cells: &[u32]) {
        for &cell in cells {
            let low = &mut self.low[cell as usize];
            *low = low.wrapping_add(1);
            if *low == 0 {
                self.carry(cell);
            }
        }
    }

    /// Adds `copies[i]` points to `cells[i]`.
    pub(super) fn add_copies(&mut self, cells: &[u32], copies: &[u32]) {
        for (&cell, &copies) in cells.iter().zip(copies) {
            let low = &mut self.low[cell as usize];
            let count = u64::from(*low) + u64::from(copies);
            *low = count as u8;
            if count > 255 {
                self.carry_units(cell, (count & !255) as u32);
            }
        }
    }

    #[cold]
    fn carry(&mut self, cell: u32) {
        self.carry_units(cell, 256);
    }

    /// Adds a multiple of 256 to the high part of a count.
    fn carry_units(&mut self, cell: u32, multiple: u32) {
        if self.high.is_empty() {
            self.high = vec![0; self.low.len()];
        }
        let high = &mut self.high[cell as usize];
        *high = high.wrapping_add(multiple);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.high.is_empty() {
            self.high = vec![0; self.low.len()];
        }
        add_counts(&mut self.low, &mut self.high, &other.low);
        for (high, more) in self.high.iter_mut().zip(&other.high) {
            *high = high.wrapping_add(*more);
        }
    }

    pub(super) fn count(&self, cell: usize) -> u32 {
        self.high.get(cell).map_or(0, |high| *high).wrapping_add(u32::from(self.low[cell]))
    }

    /// Writes the counts of the first `counts.len()` cells.
    pub(super) fn write_to(&self, counts: &mut [f32]) {
        if self.high.is_empty() {
            widen(&self.low, counts);
        } else {
            join(&self.low, &self.high, counts);
        }
    }
}

wide! {
    /// Adds the low parts of counts, and carries into the high parts, which are only touched where there is a carry.
    fn add_counts(low: &mut [u8], high: &mut [u32], more: &[u8]) {
        const LANES: usize = 64;
        for ((low, high), more) in low.chunks_mut(LANES).zip(high.chunks_mut(LANES)).zip(more.chunks(LANES)) {
            let mut carried = false;
            for (low, &more) in low.iter_mut().zip(more) {
                *low = low.wrapping_add(more);
                // A sum that wrapped is less than either addend.
                carried |= *low < more;
            }
            if carried {
                for ((high, &low), &more) in high.iter_mut().zip(&*low).zip(more) {
                    *high = high.wrapping_add(if low < more { 256 } else { 0 });
                }
            }
        }
    }
}

wide! {
    fn join(low: &[u8], high: &[u32], counts: &mut [f32]) {
        for ((count, low), high) in counts.iter_mut().zip(low).zip(high) {
            *count = high.wrapping_add(u32::from(*low)) as f32;
        }
    }
}

wide! {
    fn widen(low: &[u8], counts: &mut [f32]) {
        for (count, low) in counts.iter_mut().zip(low) {
            *count = f32::from(*low);
        }
    }
}
