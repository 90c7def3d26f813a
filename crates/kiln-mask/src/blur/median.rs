//! The median of the pixels under the kernel: OpenCV's `medianBlur`, which replicates the pixels at the edges.
//!
//! A histogram slides along each row (Huang, Yang and Tang 1979). A second histogram with 16 levels per bin finds the median in
//! at most 32 steps. The number of pixels is even only near missing data; the lower median is returned then.

use kiln_core::raster::Grid;

use crate::bands::row_bands;

pub(super) fn blur(levels: &Grid<u8>, no_data: Option<&Grid<u8>>, side: usize, threads: usize) -> Grid<u8> {
    let (width, height) = (levels.width(), levels.height());
    let mut out = Grid::filled(width, height, 0_u8);
    let reach = side / 2;
    row_bands(&mut out, threads, |first, band| {
        for (index, out) in band.chunks_exact_mut(width).enumerate() {
            let row = first + index;
            let rows = (row as isize - reach as isize..=row as isize + reach as isize)
                .map(|at| at.clamp(0, height as isize - 1) as usize);
            let lines: Vec<_> = rows.map(|row| (levels.row(row), no_data.map(|grid| grid.row(row)))).collect();
            let column_of = |at: isize| at.clamp(0, width as isize - 1) as usize;
            let mut histogram = Histogram::default();
            for at in -(reach as isize)..=reach as isize {
                histogram.count_column(&lines, column_of(at), Histogram::add);
            }
            for (column, out) in out.iter_mut().enumerate() {
                if column > 0 {
                    let column = column as isize;
                    histogram.count_column(&lines, column_of(column - 1 - reach as isize), Histogram::remove);
                    histogram.count_column(&lines, column_of(column + reach as isize), Histogram::add);
                }
                *out = histogram.median();
            }
        }
    });
    out
}

struct Histogram {
    fine: [u32; 256],
    coarse: [u32; 16],
    count: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { fine: [0; 256], coarse: [0; 16], count: 0 }
    }
}

impl Histogram {
    fn count_column(&mut self, lines: &[(&[u8], Option<&[u8]>)], column: usize, change: impl Fn(&mut Self, u8)) {
        for (levels, no_data) in lines {
            if no_data.is_none_or(|no_data| no_data[column] == 0) {
                change(self, levels[column]);
            }
        }
    }

    fn add(&mut self, level: u8) {
        self.fine[usize::from(level)] += 1;
        self.coarse[usize::from(level >> 4)] += 1;
        self.count += 1;
    }

    fn remove(&mut self, level: u8) {
        self.fine[usize::from(level)] -= 1;
        self.coarse[usize::from(level >> 4)] -= 1;
        self.count -= 1;
    }

    /// The lower median; 0 if the histogram is empty.
    fn median(&self) -> u8 {
        let Some(mut before) = self.count.checked_sub(1).map(|last| last / 2) else { return 0 };
        let mut bin = 0;
        while before >= self.coarse[bin] {
            before -= self.coarse[bin];
            bin += 1;
        }
        let mut level = bin * 16;
        while before >= self.fine[level] {
            before -= self.fine[level];
            level += 1;
        }
        level as u8
    }
}
