//! `POST /matrix`: the chart of a matrix in the body.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use kiln_matrix::{ChartData, InputFormat, MatrixInput};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::matrix::{find_scheme, protected};
use crate::error::{Error, Result};
use crate::http::parameters::body::media_type;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::server::App;
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::matrix::write::encode_data;
use crate::matrix::{ChartTexts, MatrixFormat, MatrixStyleOptions, MatrixTableOptions, TableColumnOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, RawJson, parameter_set};

parameter_set! {
    /// The values of a matrix.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct MatrixDataOptions {
        /// Rows of numbers, the first one on top, all of the same length: `[[1, null], [2, 3]]`; null is missing.
        values: RawJson = Declaration::new(Parameter::VALUES, Kind::Json),
        /// In place of `values`: objects with `x`, `y` and `value`, and optionally a `label`. Numbers are positions, or with
        /// labels the numbers of columns and rows from 0; texts are names of columns and rows.
        points: RawJson = Declaration::new(Parameter::POINTS, Kind::Json),
    }
}

parameter_set! {
    /// The format of a chart.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ChartFormatOptions {
        /// Format of the response: a chart as `png` or `svg`; or the matrix as `json`; as `chartjs`, which Chart.js takes as
        /// the `data` of a chart of the type `matrix`; or as `csv`.
        format: MatrixFormat = Declaration::new(Parameter::FORMAT, Kind::Choice(MatrixFormat::NAMES)).default("png"),
    }
}

request_body! {
    /// A matrix with labels, or points, and the appearance of the chart.
    MatrixBody(MatrixDataOptions, MatrixTableOptions, TableColumnOptions, ChartFormatOptions, MatrixStyleOptions),
    example: {"values": [[1, 2.5], [null, 4]], "x_labels": ["web", "db"], "y_labels": ["cpu", "memory"], "title": "Load"}
}

/// A matrix without points.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) struct TableReply {
    /// Title and labels of the columns.
    #[schema(value_type = Object, example = json!({"title": "", "labels": ["web", "db"]}))]
    x: Value,
    /// Title and labels of the rows.
    #[schema(value_type = Object, example = json!({"title": "", "labels": ["cpu", "memory"]}))]
    y: Value,
    /// Values row by row; null is missing.
    #[schema(example = json!([[1, 2.5], [null, 4]]))]
    values: Vec<Vec<Option<f64>>>,
    /// Minimum value; null if all are missing.
    min: Option<f64>,
    /// Maximum value; null if all are missing.
    max: Option<f64>,
    /// Unit of the values.
    unit: String,
}

/// Draw a matrix
///
/// Draws the matrix or the points in the body: a JSON object with the values and the appearance, a JSON array of rows or
/// points, or CSV. Parameters of the query string override those of a JSON object.
#[utoipa::path(post, path = "/matrix", operation_id = "draw_matrix", tag = "matrices",
    params(InQuery<TableColumnOptions>, InQuery<MatrixTableOptions>, InQuery<ChartFormatOptions>, InQuery<MatrixStyleOptions>),
    request_body(content((MatrixBody = "application/json"), (String = "text/csv"))),
    responses(
        (status = 200, description = "The chart, or the matrix as data",
            content((Vec<u8> = "image/png"), (String = "image/svg+xml"), (TableReply = "application/json"),
                (String = "text/csv")),
            headers(("Cache-Control" = String))),
        (status = 400, description = "Invalid parameter, values or labels", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn draw(
    app: Session,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let input_format = input_format(&headers, &body)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let columns: TableColumnOptions = fields.read()?;
    let table: MatrixTableOptions = fields.read()?;
    let ChartFormatOptions { format } = fields.read()?;
    let styles: MatrixStyleOptions = fields.read()?;
    fields.finish()?;
    let options = table.input_options(&columns, "body", app.config.limits.cells);
    let shared = Arc::clone(&app);
    let price = Price::of_matrix_body(body.len());
    // The outer result is that of the pool, the inner one a problem of the body.
    let read = move |stop: &AtomicBool| {
        let input = MatrixInput::parse_with_stop(&body, input_format, &options, stop);
        Ok(input.map_err(body_problem).and_then(|input| Drawing::new(input, format, styles)))
    };
    let drawing = app.pool.run_at(price, read).await??;
    let (format, price) = (drawing.format, drawing.price(&app));
    let bytes = app.pool.run_at(price, move |stop| drawing.encode(&shared, stop)).await?;
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    if let Ok(value) = HeaderValue::from_str(&app.config.server.cache_control) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    Ok(protected(format, response))
}

/// The format of a body: by its media type; without a specific one, by its content.
///
/// # Errors
/// 415 for any other media type.
fn input_format(headers: &HeaderMap, body: &[u8]) -> HttpResult<InputFormat> {
    let is_json = || body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[");
    match media_type(headers).as_str() {
        "application/json" => Ok(InputFormat::Json),
        "text/csv" => Ok(InputFormat::Csv),
        // curl sends the form type by default.
        "text/plain" | "" | "application/x-www-form-urlencoded" => {
            Ok(if is_json() { InputFormat::Json } else { InputFormat::Csv })
        }
        media_type if media_type.ends_with("+json") => Ok(InputFormat::Json),
        other => {
            Err(Problem::media_type(format!("unsupported media type `{other}`; send application/json or text/csv")))
        }
    }
}

/// A matrix and its appearance.
struct Drawing {
    data: ChartData,
    texts: ChartTexts,
    format: MatrixFormat,
    styles: MatrixStyleOptions,
}

impl Drawing {
    /// The drawing of the input of a body; `format` and `styles` are those of the query string.
    fn new(input: MatrixInput, format: Option<MatrixFormat>, styles: MatrixStyleOptions) -> HttpResult<Self> {
        let other = serde_json::to_vec(&input.other).map_err(|error| Problem::body(error.to_string()))?;
        let mut fields = Fields::from_json(&other)?;
        let ChartFormatOptions { format: of_body } = fields.read()?;
        let styles = styles.over(fields.read()?);
        fields.finish()?;
        let texts = ChartTexts {
            title: String::new(),
            x_title: input.x_title.unwrap_or_default(),
            y_title: input.y_title.unwrap_or_default(),
            unit: input.unit.unwrap_or_default(),
        };
        let texts = styles.texts(texts);
        Ok(Self { data: input.data, texts, format: format.or(of_body).unwrap_or(MatrixFormat::Png), styles })
    }

    fn price(&self, app: &App) -> Price {
        Price::of_chart(&self.data, self.format, &self.styles, &app.config.limits)
    }

    /// Encodes the drawing. The same body may be drawn in any format, so its style is not an error.
    fn encode(self, app: &App, stop: &AtomicBool) -> Result<Vec<u8>> {
        let Self { data, texts, format, styles } = self;
        encode_data(data, texts, format, stop, |data, texts| {
            styles.chart(data, texts, app.config.limits.pixels, |name| find_scheme(app, name))
        })
    }
}

/// The problem of an invalid body.
fn body_problem(error: Error) -> Box<Problem> {
    match error {
        Error::Input { message, .. } => Problem::body(message.with_keys()),
        other => other.into(),
    }
}
