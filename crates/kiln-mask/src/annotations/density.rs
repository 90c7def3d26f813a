//! The counts of labels per pixel, while they are drawn.

use kiln_core::error::{Error, Result as KilnResult};
use kiln_core::raster::Grid;

use super::AnnotationLimits;
use super::spans::Span;
use crate::limit::{Limit, Reason};
use crate::{Mask, Values};

/// Why a label is not drawn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The label is broken; the others count.
    Label(String),
    /// A limit of all labels is exceeded; nothing is drawn.
    Limit(Reason),
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Label(message)
    }
}

/// Counts per pixel as differences: a span adds 1 where it starts and takes 1 where it ends, so that its length costs nothing.
pub(super) struct Density {
    width: usize,
    height: usize,
    /// The difference of each pixel to the one before, row by row, and one for the end.
    by_row: Vec<i32>,
    /// The same column by column, which is the order of COCO's runs; empty until there are some.
    by_column: Vec<i32>,
    limits: AnnotationLimits,
    steps: u64,
    vertices: u64,
}

impl Density {
    /// A mask of zeros; the size is within the limits.
    pub(super) fn new(width: usize, height: usize, limits: AnnotationLimits) -> Self {
        let by_row = vec![0; width * height + 1];
        Self { width, height, by_row, by_column: Vec::new(), limits, steps: 0, vertices: 0 }
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Takes steps from the limit of all labels.
    pub(super) fn step(&mut self, steps: usize) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(steps as u64);
        let most = self.limits.max_steps;
        if self.steps > most {
            let why = "shapes have too many edges and pixels";
            let why = format!("drawing the shapes exceeds the limit of {most} steps; {why}");
            return Err(Fault::Limit(Reason::limit(Limit::Steps, why)));
        }
        Ok(())
    }

    /// Takes the vertices of a shape from the limit of all labels.
    pub(super) fn add_vertices(&mut self, vertices: usize) -> Result<(), Fault> {
        self.vertices = self.vertices.saturating_add(vertices as u64);
        let most = self.limits.max_vertices;
        if self.vertices > most {
            return Err(Fault::Limit(Reason::limit(
                Limit::Vertices,
                format!("the vertices exceed the limit of {most}"),
            )));
        }
        Ok(())
    }

    /// Takes the steps of unpacking or copying bytes, which are many in the time of an edge.
    pub(super) fn step_bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.step(bytes.div_ceil(16))
    }

    /// Adds 1 to the pixels of spans of a row, which are within the row and do not overlap.
    pub(super) fn add_row(&mut self, row: usize, spans: &[Span]) {
        let start = row * self.width;
        for (from, to) in spans {
            self.by_row[start + *from as usize] += 1;
            self.by_row[start + *to as usize] -= 1;
        }
    }

    /// Adds 1 to the pixels from `from` to before `to`, both counted down the columns.
    pub(super) fn add_run(&mut self, from: usize, to: usize) {
        if self.by_column.is_empty() {
            self.by_column = vec![0; self.by_row.len()];
        }
        self.by_column[from] += 1;
        self.by_column[to] -= 1;
    }

    /// The counts as a mask.
    pub(super) fn into_mask(mut self) -> KilnResult<Mask> {
        sum(&mut self.by_row);
        self.by_row.truncate(self.width * self.height);
        if !self.by_column.is_empty() {
            sum(&mut self.by_column);
            self.transpose();
        }
        // Up to 2²⁴ labels, so that each count is exact.
        let counts = self.by_row.into_iter().map(|count| count as f32).collect();
        let grid = Grid::from_cells(self.width, self.height, counts);
        let grid = grid.ok_or_else(|| Error::input("annotations", "a mask of another size than its counts"))?;
        Mask::new(Values::Single(grid))
    }

    /// Adds the counts by column to those by row, in squares that fit the cache.
    fn transpose(&mut self) {
        const SIDE: usize = 64;
        for top in (0..self.height).step_by(SIDE) {
            for left in (0..self.width).step_by(SIDE) {
                for y in top..self.height.min(top + SIDE) {
                    for x in left..self.width.min(left + SIDE) {
                        self.by_row[y * self.width + x] += self.by_column[x * self.height + y];
                    }
                }
            }
        }
    }
}

fn sum(differences: &mut [i32]) {
    let mut count = 0;
    for difference in differences {
        count += *difference;
        *difference = count;
    }
}
