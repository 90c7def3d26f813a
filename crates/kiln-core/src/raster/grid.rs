//! Two-dimensional grids of values.

/// A grid of cells in row-major order, row 0 in the north.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid<T> {
    width: usize,
    height: usize,
    cells: Vec<T>,
}

impl<T: Copy> Grid<T> {
    /// A grid of `width` × `height` cells, each `value`.
    pub fn filled(width: usize, height: usize, value: T) -> Self {
        Self { width, height, cells: vec![value; width * height] }
    }

    /// A grid of `cells`, row by row from the north; `None` unless there are exactly `width` × `height` of them.
    pub fn from_cells(width: usize, height: usize, cells: Vec<T>) -> Option<Self> {
        (cells.len() == width * height).then_some(Self { width, height, cells })
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All cells, row by row from the north.
    pub fn cells(&self) -> &[T] {
        &self.cells
    }

    /// All cells, mutable.
    pub fn cells_mut(&mut self) -> &mut [T] {
        &mut self.cells
    }

    /// The cells of a row, counted from the north.
    pub fn row(&self, row: usize) -> &[T] {
        &self.cells[row * self.width..(row + 1) * self.width]
    }

    /// The cells of a row, mutable.
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.cells[row * self.width..(row + 1) * self.width]
    }
}
