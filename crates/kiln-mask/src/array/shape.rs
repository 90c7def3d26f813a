//! Conversion of the numbers of a file to rows and columns.

use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};
use kiln_core::raster::Grid;

use super::ReadArrayOptions;
use crate::limit::Reason;
use crate::{Mask, Values};

/// The numbers of a file, in the narrowest type that represents them.
pub(super) enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

/// The index that varies fastest in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The last (C).
    RowMajor,
    /// The first (Fortran).
    ColumnMajor,
}

/// Returns the rows, columns and channels of a shape of two or three dimensions, all of which must be nonzero.
pub(super) fn sides(shape: &[usize], channels_first: bool) -> Result<[usize; 3], String> {
    let sides = match *shape {
        [rows, columns] => [rows, columns, 1],
        [channels, rows, columns] if channels_first => [rows, columns, channels],
        [rows, columns, channels] => [rows, columns, channels],
        _ => {
            return Err(format!(
                "an array of {} dimension{}, {}; expected 2 (rows × columns) or 3 (rows × columns × channels)",
                shape.len(),
                if shape.len() == 1 { "" } else { "s" },
                by(shape)
            ));
        }
    };
    if sides.contains(&0) { Err(format!("an array without cells, {}", by(shape))) } else { Ok(sides) }
}

/// Formats a shape: `3 × 4`.
pub(super) fn by(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    if sides.is_empty() { "a single number".to_owned() } else { sides.join(" × ") }
}

/// Creates a mask from one number per cell of the shape; channels are averaged in f64.
pub(super) fn mask(
    shape: &[usize],
    order: Order,
    numbers: Numbers,
    options: &ReadArrayOptions,
) -> Result<Mask, Reason> {
    let [rows, columns, channels] = sides(shape, options.channels_first)?;
    // The strides of rows, columns and channels.
    let strides = match (order, shape.len() == 3 && options.channels_first) {
        (Order::RowMajor, false) => [columns * channels, channels, 1],
        (Order::RowMajor, true) => [columns, 1, rows * columns],
        (Order::ColumnMajor, false) => [1, rows, rows * columns],
        (Order::ColumnMajor, true) => [channels, channels * rows, 1],
    };
    let layout = Layout { rows, columns, channels, strides };
    let values = match numbers {
        Numbers::Single(numbers) if layout.is_plain() => Grid::from_cells(columns, rows, numbers).map(Values::Single),
        Numbers::Double(numbers) if layout.is_plain() => Grid::from_cells(columns, rows, numbers).map(Values::Double),
        Numbers::Single(numbers) if channels == 1 => layout.gather(|at| numbers.get(at).copied()).map(Values::Single),
        Numbers::Double(numbers) if channels == 1 => layout.gather(|at| numbers.get(at).copied()).map(Values::Double),
        Numbers::Single(numbers) => layout.mean(|at| numbers.get(at).map(|number| f64::from(*number))),
        Numbers::Double(numbers) => layout.mean(|at| numbers.get(at).copied()),
    };
    let values = values.ok_or_else(|| format!("the numbers are not as many as {} cells", by(shape)))?;
    let remark = channels_first_remark(shape, options);
    Mask::new(values).map(|mask| mask.with_remark(remark)).map_err(|error| error.to_string().into())
}

/// The remark that the first side of an array looks like channels, of which PyTorch has 1 to 4, and the last like columns.
fn channels_first_remark(shape: &[usize], options: &ReadArrayOptions) -> Option<Message> {
    let looks_so = !options.channels_first && matches!(*shape, [1..=4, _, columns] if columns > 4);
    looks_so.then(|| {
        let what = format!("the array of {} looks like channels × rows × columns; use ", by(shape));
        message!(what, Parameter::CHANNELS_FIRST)
    })
}

struct Layout {
    rows: usize,
    columns: usize,
    channels: usize,
    strides: [usize; 3],
}

impl Layout {
    fn is_plain(&self) -> bool {
        self.channels == 1 && self.strides == [self.columns, 1, 1]
    }

    fn gather<T: Copy>(&self, number: impl Fn(usize) -> Option<T>) -> Option<Grid<T>> {
        let [down, right, _] = self.strides;
        let cells = (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| row * down + column * right));
        Grid::from_cells(self.columns, self.rows, cells.map(number).collect::<Option<Vec<T>>>()?)
    }

    fn mean(&self, number: impl Fn(usize) -> Option<f64>) -> Option<Values> {
        let [.., deeper] = self.strides;
        let mean = |at: usize| {
            let sum = (0..self.channels).try_fold(0.0, |sum, channel| Some(sum + number(at + channel * deeper)?));
            Some(sum? / self.channels as f64)
        };
        self.gather(mean).map(Values::Double)
    }
}
