//! Conversion of values to 8-bit levels.

use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parallel;
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;
use kiln_core::simd::wide;

use crate::bands::ROWS_PER_BAND;
use crate::{Blur, Mask, MaskStyle, Values};

/// The levels of a mask, before or after the blur: indices into the colors of a colormap.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_field_names)]
pub struct Levels {
    levels: Grid<u8>,
    /// [`DRAWN`], [`NO_DATA`] or [`LOW`]; `None` if all are drawn.
    hidden: Option<Grid<u8>>,
    vmin: f64,
    vmax: f64,
}

/// A pixel that is drawn.
pub(crate) const DRAWN: u8 = 0;
/// A pixel without a value.
pub(crate) const NO_DATA: u8 = 1;
/// A transparent pixel that had level 0 before the blur. The blur includes it.
pub(crate) const LOW: u8 = 2;
/// The level of all pixels of a constant mask.
const CONSTANT: u8 = 128;

impl Levels {
    /// Computes the levels of `mask` in `style`, including the blur.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(mask: &Mask, style: &MaskStyle, threads: usize) -> Result<Self> {
        let levels = Self::new(mask, style.vmin, style.vmax, style.transparent_low, threads)?;
        Ok(match &style.blur {
            Some(blur) => levels.blurred(blur, threads),
            None => levels,
        })
    }

    /// Computes the levels of `mask`: (value − vmin) / (vmax − vmin) · 255 in f64, rounded down and clipped to 0 to 255. `vmin`
    /// and `vmax` default to the least and the greatest finite value. If all finite values are equal and a default makes `vmin`
    /// equal to `vmax`, every pixel has level 128. With `transparent_low`, the pixels with level 0 are transparent.
    ///
    /// # Errors
    /// [`Error::Input`] if all values are NaN, or none is finite and `vmin` or `vmax` is `None`; [`Error::Invalid`] if `vmin` is
    /// not less than `vmax`, or one of them is not finite.
    pub fn new(
        mask: &Mask,
        vmin: Option<f64>,
        vmax: Option<f64>,
        transparent_low: bool,
        threads: usize,
    ) -> Result<Self> {
        let bounds = Bounds::of(mask, vmin, vmax)?;
        let (vmin, vmax) = (bounds.vmin, bounds.vmax);
        let (width, height) = mask.values().size();
        let mut levels = Grid::filled(width, height, 0);
        let halve = if (vmax - vmin).is_finite() { 1.0 } else { 0.5 };
        let scale = Scale { halve, low: vmin * halve, range: vmax * halve - vmin * halve };
        let values = mask.values();
        let has_missing = levels.cells_mut().chunks_mut(ROWS_PER_BAND * width).enumerate();
        let has_missing = parallel::map(has_missing, threads, |(band, levels)| {
            let start = band * ROWS_PER_BAND * width;
            let cells = start..start + levels.len();
            match values {
                Values::Single(grid) => single_levels(&grid.cells()[cells], scale, levels),
                Values::Double(grid) => double_levels(&grid.cells()[cells], scale, levels),
            }
        });
        if bounds.is_constant {
            levels.cells_mut().fill(CONSTANT);
        }
        let has_missing = has_missing.into_iter().any(|has_missing| has_missing);
        let hidden = hidden(values, &levels, has_missing, transparent_low);
        if hidden.as_ref().is_some_and(|hidden| hidden.cells().iter().all(|hidden| *hidden == NO_DATA)) {
            return Err(all_missing());
        }
        Ok(Self { levels, hidden, vmin, vmax })
    }

    /// Blurs the levels. Pixels without data are excluded and remain without data.
    #[must_use]
    pub fn blurred(self, blur: &Blur, threads: usize) -> Self {
        let no_data = self.no_data();
        let levels = blur.apply(&self.levels, no_data.as_ref(), threads);
        Self { levels, ..self }
    }

    /// Blurs the levels with a custom function. It receives the levels as floats from 0 to 255, with NaN for pixels without data.
    /// Its result is rounded and clipped; pixels without data remain without data.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the function returns a grid of another size, or NaN for a pixel that has data.
    pub fn blurred_by(self, blur: impl Fn(&Grid<f32>) -> Grid<f32>) -> Result<Self> {
        let (width, height) = (self.width(), self.height());
        let mut floats = Grid::filled(width, height, 0.0_f32);
        let no_data = self.no_data();
        for (index, (float, level)) in floats.cells_mut().iter_mut().zip(self.levels.cells()).enumerate() {
            let is_missing = no_data.as_ref().is_some_and(|no_data| no_data.cells()[index] != 0);
            *float = if is_missing { f32::NAN } else { f32::from(*level) };
        }
        let blurred = blur(&floats);
        let invalid = |message: String| Err(Error::invalid(Parameter::BLUR, message));
        if (blurred.width(), blurred.height()) != (width, height) {
            let (columns, rows) = (blurred.width(), blurred.height());
            return invalid(format!("the blur returned {columns} × {rows} cells, expected {width} × {height}"));
        }
        let mut levels = Grid::filled(width, height, 0_u8);
        let cells = blurred.cells().iter().zip(floats.cells());
        for (index, (level, (blurred, float))) in levels.cells_mut().iter_mut().zip(cells).enumerate() {
            if blurred.is_nan() && !float.is_nan() {
                let (row, column) = (index / width, index % width);
                return invalid(format!("the blur returned NaN at row {row}, column {column}, which has data"));
            }
            // Saturates, and NaN is 0.
            *level = blurred.round() as u8;
        }
        Ok(Self { levels, ..self })
    }

    /// 1 for pixels without data; `None` if all pixels have data.
    fn no_data(&self) -> Option<Grid<u8>> {
        let hidden = self.hidden.as_ref()?;
        let mut no_data = hidden.clone();
        no_data.cells_mut().iter_mut().for_each(|cell| *cell = u8::from(*cell == NO_DATA));
        no_data.cells().contains(&1).then_some(no_data)
    }

    /// The value of level 0.
    pub fn vmin(&self) -> f64 {
        self.vmin
    }

    /// The value of level 255.
    pub fn vmax(&self) -> f64 {
        self.vmax
    }

    /// The levels, including those of pixels that are not drawn.
    pub fn levels(&self) -> &Grid<u8> {
        &self.levels
    }

    /// Whether the pixel at a row and a column is drawn: it has data and is not transparent as the lowest level.
    pub fn is_drawn(&self, row: usize, column: usize) -> bool {
        self.hidden.as_ref().is_none_or(|hidden| hidden.row(row)[column] == DRAWN)
    }

    /// The width in cells of the mask.
    pub fn width(&self) -> usize {
        self.levels.width()
    }

    /// The height in cells of the mask.
    pub fn height(&self) -> usize {
        self.levels.height()
    }

    /// The size in memory in bytes.
    pub fn bytes(&self) -> usize {
        self.levels.cells().len() * if self.hidden.is_some() { 2 } else { 1 }
    }

    pub(crate) fn hidden(&self) -> Option<&Grid<u8>> {
        self.hidden.as_ref()
    }
}

/// Marks the pixels that are not drawn; `None` if all are drawn.
fn hidden(values: &Values, levels: &Grid<u8>, has_missing: bool, transparent_low: bool) -> Option<Grid<u8>> {
    if !has_missing && !transparent_low {
        return None;
    }
    let mut hidden = Grid::filled(levels.width(), levels.height(), DRAWN);
    if transparent_low {
        for (hidden, level) in hidden.cells_mut().iter_mut().zip(levels.cells()) {
            *hidden = if *level == 0 { LOW } else { DRAWN };
        }
    }
    if has_missing {
        let mark = |hidden: &mut u8, is_missing: bool| *hidden = if is_missing { NO_DATA } else { *hidden };
        let cells = hidden.cells_mut().iter_mut();
        match values {
            Values::Single(grid) => cells.zip(grid.cells()).for_each(|(hidden, value)| mark(hidden, value.is_nan())),
            Values::Double(grid) => cells.zip(grid.cells()).for_each(|(hidden, value)| mark(hidden, value.is_nan())),
        }
    }
    Some(hidden)
}

/// The error of a mask without data.
fn all_missing() -> Error {
    Error::input("mask", "all values are NaN; expected at least one number")
}

/// The values of the lowest and of the highest level.
struct Bounds {
    vmin: f64,
    vmax: f64,
    /// Whether all values are equal, so that both bounds are equal.
    is_constant: bool,
}

impl Bounds {
    fn of(mask: &Mask, vmin: Option<f64>, vmax: Option<f64>) -> Result<Self> {
        for (parameter, bound) in [(Parameter::VMIN, vmin), (Parameter::VMAX, vmax)] {
            if let Some(bound) = bound.filter(|bound| !bound.is_finite()) {
                return Err(Error::invalid(parameter, format!("invalid number `{bound}`; expected a finite number")));
            }
        }
        let (low, high, is_constant) = if let (Some(vmin), Some(vmax)) = (vmin, vmax) {
            (vmin, vmax, false)
        } else {
            let (least, most) = mask.range().ok_or_else(|| {
                if mask.missing() == mask.rows() * mask.columns() {
                    return all_missing();
                }
                let reason = "no value is a finite number, so the value range is unknown; ";
                Error::input("mask", message!(reason, "set ", Parameter::VMIN, " and ", Parameter::VMAX))
            })?;
            let (low, high) = (vmin.unwrap_or(least), vmax.unwrap_or(most));
            (low, high, least >= most && low >= high && low <= high)
        };
        if low >= high && !is_constant {
            let (parameter, message) = match (vmin, vmax) {
                (None, Some(_)) => {
                    let reason = format!("{high} must exceed the least value of the mask, {low}; set ");
                    (Parameter::VMAX, message!(reason, Parameter::VMIN, " too, or a greater value"))
                }
                (Some(_), None) => {
                    let reason = format!("{low} must be less than the greatest value of the mask, {high}; set ");
                    (Parameter::VMIN, message!(reason, Parameter::VMAX, " too, or a smaller value"))
                }
                _ => (
                    Parameter::VMIN,
                    message!(format!("{low} must be less than "), Parameter::VMAX, format!(", {high}")),
                ),
            };
            return Err(Error::invalid(parameter, message));
        }
        Ok(Self { vmin: low, vmax: high, is_constant })
    }
}

/// (value · halve − low) / range · 255. `halve` is 0.5 if the range would overflow f64, else 1.
#[derive(Clone, Copy)]
struct Scale {
    halve: f64,
    low: f64,
    range: f64,
}

macro_rules! level_loops {
    ($($name:ident: $type:ty),*) => {
        $(wide! {
            /// Writes the levels of values, and returns whether one is NaN.
            fn $name(values: &[$type], scale: Scale, levels: &mut [u8]) -> bool {
                let Scale { halve, low, range } = scale;
                let mut missing = 0_u8;
                for (level, value) in levels.iter_mut().zip(values) {
                    let level_of = (f64::from(*value) * halve - low) / range * 255.0;
                    // NaN becomes 0.
                    *level = level_of.max(0.0).min(255.0) as i32 as u8;
                    missing |= u8::from(value.is_nan());
                }
                missing != 0
            }
        })*
    };
}
level_loops!(single_levels: f32, double_levels: f64);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::BlurKind;

    fn mask(width: usize, cells: &[f32]) -> Mask {
        Mask::new(Values::Single(Grid::from_cells(width, cells.len() / width, cells.to_vec()).unwrap())).unwrap()
    }

    fn levels(mask: &Mask, vmin: Option<f64>, vmax: Option<f64>) -> Result<Vec<u8>> {
        Levels::new(mask, vmin, vmax, false, 1).map(|levels| levels.levels().cells().to_vec())
    }

    #[test]
    fn levels_are_rounded_down_and_clipped() {
        let values = [-1.0, 0.0, 0.5, 0.999, 1.0, 7.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let levels = levels(&mask(9, &values), Some(0.0), Some(1.0)).unwrap();
        assert_eq!(levels, [0, 0, 127, 254, 255, 255, 0, 255, 0]);
    }

    #[test]
    fn bounds_are_those_of_the_finite_values() {
        let mask = mask(5, &[f32::NAN, 2.0, 3.0, 4.0, f32::INFINITY]);
        let levels = Levels::new(&mask, None, None, false, 1).unwrap();
        assert_eq!((levels.vmin(), levels.vmax()), (2.0, 4.0));
        assert_eq!(levels.levels().cells(), [0, 0, 127, 255, 255]);
        assert!(!levels.is_drawn(0, 0) && levels.is_drawn(0, 1));
    }

    #[test]
    fn a_range_that_overflows_f64_is_supported() {
        let grid = Grid::from_cells(3, 1, vec![f64::MIN, 0.0, f64::MAX]).unwrap();
        assert_eq!(levels(&Mask::new(Values::Double(grid)).unwrap(), None, None).unwrap(), [0, 127, 255]);
    }

    #[test]
    fn a_constant_mask_has_the_middle_level() {
        let constant = mask(3, &[5.0, f32::NAN, 5.0]);
        for (vmin, vmax) in [(None, None), (Some(5.0), None), (None, Some(5.0))] {
            assert_eq!(levels(&constant, vmin, vmax).unwrap(), [128; 3]);
        }
        assert_eq!(levels(&constant, Some(0.0), None).unwrap(), [255, 0, 255]);
    }

    #[test]
    fn bounds_in_the_wrong_order_and_masks_without_values_are_rejected() {
        let some = mask(2, &[1.0, 2.0]);
        for (vmin, vmax, start) in [
            (Some(2.0), Some(2.0), "vmin: 2 must be less than vmax, 2"),
            (Some(2.0), None, "vmin: 2 must be less than the greatest value of the mask, 2"),
            (None, Some(0.5), "vmax: 0.5 must exceed the least value of the mask, 1"),
            (Some(f64::NAN), None, "vmin: invalid number `NaN`"),
            (None, Some(f64::INFINITY), "vmax: invalid number `inf`"),
        ] {
            let message = levels(&some, vmin, vmax).unwrap_err().to_string();
            assert!(message.starts_with(start), "{message}");
        }
        let none = mask(2, &[f32::NAN, f32::NAN]);
        for bound in [None, Some(0.0)] {
            let message = levels(&none, bound, bound.map(|bound| bound + 1.0)).unwrap_err().to_string();
            assert_eq!(message, "mask: all values are NaN; expected at least one number");
        }
        let infinite = mask(2, &[f32::NAN, f32::INFINITY]);
        assert!(levels(&infinite, None, None).unwrap_err().to_string().contains("no value is a finite number"));
        assert_eq!(levels(&infinite, Some(0.0), Some(1.0)).unwrap(), [0, 255]);
    }

    #[test]
    fn low_pixels_are_marked_before_the_blur_which_includes_them() {
        let cells: Vec<f32> = (0..25).map(|i| if i == 12 { 1.0 } else { 0.0 }).collect();
        let levels = Levels::new(&mask(5, &cells), None, None, true, 1).unwrap();
        let levels = levels.blurred(&Blur::new(BlurKind::Box, 3, 3).unwrap(), 1);
        assert_eq!(levels.levels().row(1)[1], 28);
        assert!(!levels.is_drawn(1, 1) && levels.is_drawn(2, 2));
    }

    #[test]
    fn a_custom_blur_receives_nan_for_no_data() {
        let of = || Levels::new(&mask(3, &[0.0, f32::NAN, 1.0]), None, None, false, 1).unwrap();
        let blurred = of().blurred_by(|grid| {
            assert!(grid.cells()[1].is_nan());
            Grid::from_cells(3, 1, vec![300.0, f32::NAN, -4.0]).unwrap()
        });
        assert_eq!(blurred.unwrap().levels().cells(), [255, 0, 0]);
        let other_size = of().blurred_by(|_| Grid::filled(1, 1, 0.0)).unwrap_err().to_string();
        assert!(other_size.contains("1 × 1 cells, expected 3 × 1"), "{other_size}");
        assert!(of().blurred_by(|_| Grid::filled(3, 1, f32::NAN)).unwrap_err().to_string().contains("row 0, column 0"));
    }

    #[test]
    fn each_width_of_vectors_and_each_number_of_threads_gives_the_same() {
        let cells: Vec<f32> = (0..300 * 7).map(|i| (i as f32 * 0.37).sin()).collect();
        let mask = mask(7, &cells);
        let expected = Levels::new(&mask, None, None, true, 1).unwrap();
        let of = || Levels::new(&mask, None, None, true, 3).unwrap();
        assert!(kiln_core::simd::at_each_width(of).iter().all(|levels| *levels == expected));
    }
}
