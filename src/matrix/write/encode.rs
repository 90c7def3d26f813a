//! Matrices and charts in any format.

use kiln_matrix::{Chart, ChartData, chartjs, write_csv};
use serde_json::Value;

use super::{write_json, write_table_json};
use crate::error::{Error, Result};
use crate::matrix::{ChartTexts, LayerMatrix, MatrixFormat};
use crate::parameter::Parameter;

/// Encodes the matrix of a layer; `title` is that of the layer. `chart` returns the chart of data with its default texts.
///
/// # Errors
/// Those of `chart` and of drawing it.
pub fn encode_layer(
    matrix: &LayerMatrix,
    title: &str,
    format: MatrixFormat,
    chart: impl FnOnce(ChartData, ChartTexts) -> Result<Chart>,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match format {
        MatrixFormat::Json => write_json(matrix, &mut bytes)?,
        MatrixFormat::ChartJs => bytes = to_vec(&chartjs(&matrix.matrix, Some(&matrix.counts), &matrix.unit))?,
        MatrixFormat::Csv => write_csv(&matrix.matrix, &mut bytes).map_err(write_error)?,
        MatrixFormat::Png | MatrixFormat::Svg => {
            let data = ChartData::Cells(matrix.matrix.clone());
            bytes = draw(&chart(data, matrix.chart_texts(title))?, format)?;
        }
    }
    Ok(bytes)
}

/// Encodes an input that is a matrix or points itself. Points on numeric axes are a chart only.
///
/// # Errors
/// [`Error::Invalid`] for `format` if points are not to be drawn; those of `chart` and of drawing it.
pub fn encode_data(
    data: ChartData,
    texts: ChartTexts,
    format: MatrixFormat,
    chart: impl FnOnce(ChartData, ChartTexts) -> Result<Chart>,
) -> Result<Vec<u8>> {
    let matrix = match &data {
        ChartData::Cells(matrix) => matrix,
        ChartData::Points(_) if format.is_chart() => return draw(&chart(data, texts)?, format),
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
        MatrixFormat::ChartJs => to_vec(&chartjs(matrix, None, &texts.unit)),
        MatrixFormat::Csv => {
            let mut bytes = Vec::new();
            write_csv(matrix, &mut bytes).map_err(write_error)?;
            Ok(bytes)
        }
        MatrixFormat::Png | MatrixFormat::Svg => draw(&chart(data, texts)?, format),
    }
}

fn draw(chart: &Chart, format: MatrixFormat) -> Result<Vec<u8>> {
    if format == MatrixFormat::Svg { chart.svg().map(String::into_bytes) } else { chart.png() }
}

fn to_vec(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| write_error(error.into()))
}

fn write_error(error: std::io::Error) -> Error {
    Error::io("", "write", error)
}
