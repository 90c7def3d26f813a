//! Matrices as CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::Matrix;

/// Writes a matrix as CSV: the labels of columns in the first row, after an empty field; the label of its row and its
/// values in each other. Missing values are empty fields. Labels are quoted where RFC 4180 requires it.
///
/// # Errors
/// If `out` fails.
pub fn write_csv(matrix: &Matrix, mut out: impl Write) -> io::Result<()> {
    for column in matrix.columns() {
        write!(out, ",{}", quoted(column))?;
    }
    out.write_all(b"\n")?;
    for (row, label) in matrix.rows().iter().enumerate() {
        write!(out, "{}", quoted(label))?;
        for column in 0..matrix.columns().len() {
            match matrix.value(column, row) {
                Some(value) => write!(out, ",{value}")?,
                None => out.write_all(b",")?,
            }
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// A field, in quotes if it has a delimiter, a quote or a line break.
fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\n', '\r']) || field != field.trim() {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{ChartData, InputFormat, InputOptions, MatrixInput};

    #[test]
    fn a_matrix_reads_back_the_same() {
        let columns = ["a,b", "say \"x\"", "😀"].map(str::to_owned).to_vec();
        let rows = ["7", "line\nbreak"].map(str::to_owned).to_vec();
        let values = vec![Some(0.1), None, Some(-1e300), Some(3.0), Some(1.0 / 3.0), None];
        let matrix = Matrix::new(columns, rows, values).unwrap();
        let mut bytes = Vec::new();
        write_csv(&matrix, &mut bytes).unwrap();
        assert!(bytes.starts_with(b",\"a,b\",\"say \"\"x\"\"\",\xf0\x9f\x98\x80\n7,0.1,,-1"));
        let input = MatrixInput::parse(&bytes, InputFormat::Csv, &InputOptions::default()).unwrap();
        assert_eq!(input.data, ChartData::Cells(matrix));
    }
}
