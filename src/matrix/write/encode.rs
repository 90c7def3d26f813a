//! Matrices and charts in any format.

use std::sync::atomic::AtomicBool;

use kiln_matrix::{Chart, ChartData, write_chartjs, write_csv};

use super::{write_json, write_table_json};
use crate::error::{Error, Result};
use crate::matrix::{ChartTexts, LayerMatrix, MatrixFormat};
use crate::parameter::Parameter;

/// Encodes the matrix of a layer; `title` is that of the layer. `chart` returns the chart of data with its default texts.
///
/// # Errors
/// Those of `chart` and of drawing it; [`Error::Invalid`] for `format` if `chartjs` or `svg` would exceed 64 MiB;
/// [`Error::Cancelled`] once `stop` is set.
pub fn encode_layer(
    matrix: &LayerMatrix,
    title: &str,
    format: MatrixFormat,
    stop: &AtomicBool,
    chart: impl FnOnce(ChartData, ChartTexts) -> Result<Chart>,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match format {
        MatrixFormat::Json => write_json(matrix, &mut bytes)?,
        MatrixFormat::ChartJs => write_chartjs(&matrix.matrix, Some(&matrix.counts), &matrix.unit, &mut bytes)?,
        MatrixFormat::Csv => write_csv(&matrix.matrix, &mut bytes).map_err(write_error)?,
        MatrixFormat::Png | MatrixFormat::Svg => {
            let data = ChartData::Cells(matrix.matrix.clone());
            bytes = draw(&chart(data, matrix.chart_texts(title))?, format, stop)?;
        }
    }
    Ok(bytes)
}

/// Encodes an input that is a matrix or points itself. Points on numeric axes are a chart only.
///
/// # Errors
/// As [`encode_layer`]; [`Error::Invalid`] for `format` if points are not to be drawn.
pub fn encode_data(
    data: ChartData,
    texts: ChartTexts,
    format: MatrixFormat,
    stop: &AtomicBool,
    chart: impl FnOnce(ChartData, ChartTexts) -> Result<Chart>,
) -> Result<Vec<u8>> {
    let matrix = match &data {
        ChartData::Cells(matrix) => matrix,
        ChartData::Points(_) if format.is_chart() => return draw(&chart(data, texts)?, format, stop),
        ChartData::Points(_) => {
            let message = format!("points on numeric axes are drawn as png or svg; {format} needs columns and rows");
            return Err(Error::invalid(Parameter::FORMAT, message));
        }
    };
    match format {
        MatrixFormat::Json => {
            let mut bytes = Vec::new();
            write_table_json(matrix, &texts, &mut bytes)?;
            Ok(bytes)
        }
        MatrixFormat::ChartJs => {
            let mut bytes = Vec::new();
            write_chartjs(matrix, None, &texts.unit, &mut bytes)?;
            Ok(bytes)
        }
        MatrixFormat::Csv => {
            let mut bytes = Vec::new();
            write_csv(matrix, &mut bytes).map_err(write_error)?;
            Ok(bytes)
        }
        MatrixFormat::Png | MatrixFormat::Svg => draw(&chart(data, texts)?, format, stop),
    }
}

fn draw(chart: &Chart, format: MatrixFormat, stop: &AtomicBool) -> Result<Vec<u8>> {
    let chart = chart.with_stop(stop);
    if format == MatrixFormat::Svg { chart.svg().map(String::into_bytes) } else { chart.png() }
}

fn write_error(error: std::io::Error) -> Error {
    Error::io("", "write", error)
}
