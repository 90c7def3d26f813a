//! The array of values.

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Message;
use kiln_core::raster::Grid;

/// Rows × columns of values; NaN is no data. Infinities are values outside the [`range`](Self::range).
#[derive(Clone, Debug)]
pub struct Mask {
    values: Values,
    remarks: Vec<Message>,
}

/// The values of a mask, in the narrowest type that represents all values of its file.
#[derive(Clone, Debug)]
pub enum Values {
    /// From integers of up to 16 bits and floats of up to 32 bits.
    Single(Grid<f32>),
    /// From wider integers and floats, averaged channels, and text.
    Double(Grid<f64>),
}

impl Values {
    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Single(grid) => (grid.width(), grid.height()),
            Self::Double(grid) => (grid.width(), grid.height()),
        }
    }
}

impl Mask {
    /// Creates a mask of `values`.
    ///
    /// # Errors
    /// [`Error::Input`] if the grid is empty.
    pub fn new(values: Values) -> Result<Self> {
        match values.size() {
            (0, _) | (_, 0) => Err(Error::input("mask", "empty array; expected at least one row and one column")),
            _ => Ok(Self { values, remarks: Vec::new() }),
        }
    }

    /// Adds a remark of the reader.
    #[must_use]
    pub(crate) fn with_remark(mut self, remark: Option<Message>) -> Self {
        self.remarks.extend(remark);
        self
    }

    /// Remarks on how the array was read, such as that its channels seem to come first; one sentence each.
    pub fn remarks(&self) -> &[Message] {
        &self.remarks
    }

    /// The values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.size().1
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.values.size().0
    }

    /// The size of the values in memory in bytes.
    pub fn bytes(&self) -> usize {
        match &self.values {
            Values::Single(grid) => size_of_val(grid.cells()),
            Values::Double(grid) => size_of_val(grid.cells()),
        }
    }

    /// The value at a zero-based row and column, from the top left; `None` outside the mask and for a cell without data.
    pub fn value(&self, row: usize, column: usize) -> Option<f64> {
        if row >= self.rows() || column >= self.columns() {
            return None;
        }
        let value = match &self.values {
            Values::Single(grid) => f64::from(grid.row(row)[column]),
            Values::Double(grid) => grid.row(row)[column],
        };
        Some(value).filter(|value| !value.is_nan())
    }

    /// The number of cells without data.
    pub fn missing(&self) -> usize {
        match &self.values {
            Values::Single(grid) => grid.cells().iter().filter(|value| value.is_nan()).count(),
            Values::Double(grid) => grid.cells().iter().filter(|value| value.is_nan()).count(),
        }
    }

    /// The row and column of the cell at a point of the picture, `x` and `y` pixels from its top left corner; `None` outside.
    /// The mask is stretched over the picture, whose `size` is its width and height in pixels.
    pub fn cell_at(&self, x: f64, y: f64, size: (usize, usize)) -> Option<(usize, usize)> {
        cell_at(self.values.size(), x, y, size)
    }

    /// The least and the greatest finite value; `None` if there is none.
    pub fn range(&self) -> Option<(f64, f64)> {
        match &self.values {
            Values::Single(grid) => {
                let (least, most) = single_range(grid.cells());
                (least <= most).then_some((f64::from(least), f64::from(most)))
            }
            Values::Double(grid) => {
                let (least, most) = double_range(grid.cells());
                (least <= most).then_some((least, most))
            }
        }
    }
}

/// [`Mask::cell_at`] for a mask with the given numbers of columns and rows.
pub fn cell_at(
    (columns, rows): (usize, usize),
    x: f64,
    y: f64,
    (width, height): (usize, usize),
) -> Option<(usize, usize)> {
    let cell = |at: f64, px: usize, cells: usize| {
        let is_within = at >= 0.0 && at < px as f64;
        is_within.then(|| ((at / px as f64 * cells as f64) as usize).min(cells - 1))
    };
    cell(y, height, rows).zip(cell(x, width, columns))
}

macro_rules! ranges {
    ($($name:ident: $type:ty),*) => {
        $(kiln_core::simd::wide! {
            fn $name(values: &[$type]) -> ($type, $type) {
                // Eight lanes, so that the comparisons are independent of each other.
                let (mut least, mut most) = ([<$type>::INFINITY; 8], [<$type>::NEG_INFINITY; 8]);
                let mut fold = |values: &[$type]| {
                    for ((value, least), most) in values.iter().zip(&mut least).zip(&mut most) {
                        // NaN and infinities pass neither comparison.
                        let is_finite = value.abs() <= <$type>::MAX;
                        *least = if is_finite && *value < *least { *value } else { *least };
                        *most = if is_finite && *value > *most { *value } else { *most };
                    }
                };
                let mut chunks = values.chunks_exact(8);
                chunks.by_ref().for_each(&mut fold);
                fold(chunks.remainder());
                let least = least.into_iter().fold(<$type>::INFINITY, <$type>::min);
                (least, most.into_iter().fold(<$type>::NEG_INFINITY, <$type>::max))
            }
        })*
    };
}
ranges!(single_range: f32, double_range: f64);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn single(width: usize, cells: Vec<f32>) -> Mask {
        Mask::new(Values::Single(Grid::from_cells(width, cells.len() / width, cells).unwrap())).unwrap()
    }

    #[test]
    fn the_range_is_that_of_the_finite_values() {
        let mut cells: Vec<f32> = (0..37).map(|i| (i as f32 - 11.0) * 0.5).collect();
        cells[0] = f32::NAN;
        cells[36] = f32::INFINITY;
        cells[20] = f32::NEG_INFINITY;
        assert_eq!(single(37, cells).range(), Some((-5.0, 12.0)));
        assert_eq!(single(1, vec![f32::NAN, f32::INFINITY]).range(), None);
        let double = Mask::new(Values::Double(Grid::from_cells(1, 2, vec![1e300, -1e-300]).unwrap())).unwrap();
        assert_eq!(double.range(), Some((-1e-300, 1e300)));
    }

    #[test]
    fn values_are_found_by_row_and_column_and_by_a_point_of_the_picture() {
        let mask = single(3, vec![0.0, 1.0, 2.0, 3.0, f32::NAN, 5.0]);
        assert_eq!((mask.rows(), mask.columns(), mask.bytes()), (2, 3, 24));
        assert_eq!(
            (mask.value(1, 0), mask.value(1, 1), mask.value(2, 0), mask.value(0, 3)),
            (Some(3.0), None, None, None)
        );
        assert_eq!(mask.missing(), 1);
        assert_eq!(mask.cell_at(0.0, 0.0, (300, 200)), Some((0, 0)));
        assert_eq!(mask.cell_at(299.9, 100.0, (300, 200)), Some((1, 2)));
        for (x, y) in [(300.0, 0.0), (-0.1, 0.0), (0.0, 200.0), (f64::NAN, 0.0)] {
            assert_eq!(mask.cell_at(x, y, (300, 200)), None);
        }
    }

    #[test]
    fn an_empty_mask_is_rejected() {
        assert!(Mask::new(Values::Single(Grid::filled(0, 3, 0.0))).is_err());
    }
}
