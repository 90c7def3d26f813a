//! A matrix of values with labels.

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// A matrix of values with the labels of its columns and rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    columns: Vec<String>,
    rows: Vec<String>,
    values: Vec<Option<f64>>,
}

impl Matrix {
    /// A matrix with the labels of its columns, from left to right, and of its rows, from top to bottom. `values` are in
    /// the order of the rows; `None` is missing.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `values` unless there is one for each column of each row, and all are finite.
    pub fn new(columns: Vec<String>, rows: Vec<String>, values: Vec<Option<f64>>) -> Result<Self> {
        if columns.len().checked_mul(rows.len()) != Some(values.len()) {
            let message = format!("{} values for {} columns and {} rows", values.len(), columns.len(), rows.len());
            return Err(Error::invalid(Parameter::VALUES, message));
        }
        if let Some(value) = values.iter().flatten().find(|value| !value.is_finite()) {
            return Err(Error::invalid(Parameter::VALUES, format!("{value} is not a finite number")));
        }
        Ok(Self { columns, rows, values })
    }

    /// The labels of the columns, from left to right.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The labels of the rows, from top to bottom.
    pub fn rows(&self) -> &[String] {
        &self.rows
    }

    /// The values, row by row.
    pub fn values(&self) -> &[Option<f64>] {
        &self.values
    }

    /// The value of a column and a row; `None` if it is missing.
    pub fn value(&self, column: usize, row: usize) -> Option<f64> {
        if column >= self.columns.len() {
            return None;
        }
        self.values.get(row * self.columns.len() + column).copied().flatten()
    }

    /// The minimum and maximum value; `None` if all are missing.
    pub fn range(&self) -> Option<[f64; 2]> {
        let mut values = self.values.iter().flatten().copied();
        let first = values.next()?;
        Some(values.fold([first; 2], |[min, max], value| [min.min(value), max.max(value)]))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_has_a_value_or_none_per_column_and_row() {
        let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        let values = vec![Some(1.0), None, Some(-3.0), None];
        let matrix = Matrix::new(labels(&["a", "b"]), labels(&["top", "bottom"]), values).unwrap();
        assert_eq!((matrix.value(0, 1), matrix.value(1, 0), matrix.value(2, 0)), (Some(-3.0), None, None));
        assert_eq!(matrix.range(), Some([-3.0, 1.0]));
        let error = Matrix::new(labels(&["a"]), labels(&["r"]), vec![]).unwrap_err().to_string();
        assert_eq!(error, "values: 0 values for 1 columns and 1 rows");
        assert!(Matrix::new(labels(&["a"]), labels(&["r"]), vec![Some(f64::NAN)]).is_err());
    }
}
