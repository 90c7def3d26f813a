//! `GET /{layer}/matrix`: points by the values of two axes, as data or as a chart.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::http::parameters::bounds_crs::{BoundsCrs, BoundsCrsOptions};
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::digest::digest;
use crate::http::server::etag::{etag, is_cached, tagged_response};
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer};
use crate::matrix::write::encode_layer;
use crate::matrix::{LayerMatrix, MatrixFormat, MatrixFormatOptions, MatrixLayer, MatrixOptions, MatrixStyleOptions};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;

/// A matrix.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) struct MatrixReply {
    /// Axis of the columns, from left to right.
    x: MatrixAxisReply,
    /// Axis of the rows, from top to bottom.
    y: MatrixAxisReply,
    /// Values row by row. A cell without points is null.
    #[schema(example = json!([[12.5, null], [3, 4]]))]
    values: Vec<Vec<Option<f64>>>,
    /// Number of points row by row.
    #[schema(example = json!([[2, 0], [1, 1]]))]
    counts: Vec<Vec<u64>>,
    /// Minimum value; null without points.
    min: Option<f64>,
    /// Maximum value; null without points.
    max: Option<f64>,
    /// Aggregation of the values.
    #[schema(example = "mean")]
    agg: String,
    /// Name of the aggregated values; null if the points have none.
    #[schema(example = "delay")]
    value: Option<String>,
    /// Unit of the values.
    #[schema(example = "mean of delay")]
    unit: String,
    /// Time zone of parts of the time.
    #[schema(example = "America/New_York")]
    tz: String,
    /// Start of the time range.
    start: Option<String>,
    /// End of the time range.
    end: Option<String>,
    /// Number of points in cells.
    total: u64,
    /// Number of points in no cell, since they have no value on an axis.
    unplaced: u64,
    /// Axes that the layer has.
    #[schema(example = json!(["hour", "weekday", "category"]))]
    axes: Vec<String>,
    /// Numeric values that the layer has.
    #[schema(example = json!(["delay"]))]
    numbers: Vec<String>,
}

/// An axis of a matrix.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) struct MatrixAxisReply {
    /// Name, as in a request.
    #[schema(example = "weekday")]
    axis: String,
    /// Title.
    #[schema(example = "weekday")]
    title: String,
    /// Labels.
    #[schema(example = json!(["Mon", "Tue"]))]
    labels: Vec<String>,
    /// Values of the labels: an integer for a part of the time (0 is Monday), a text for dates and categories, and the
    /// lower and upper edge for bins.
    #[schema(example = json!([0, 1]))]
    keys: Vec<MatrixKeyReply>,
}

/// A value of an axis.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) enum MatrixKeyReply {
    /// A part of the time.
    Number(i64),
    /// A date, a month of a year, or a name.
    Name(String),
    /// The lower and upper edge of a bin.
    Edges(Vec<f64>),
}

/// Matrix of a layer
///
/// Groups the points by two axes, such as the hour and the day of the week, and counts them or aggregates their values: as
/// JSON, as data of Chart.js, as CSV or as a chart. A part of the time is that of the time zone `tz`. Cells without points
/// are missing.
#[utoipa::path(get, path = "/{layer}/matrix", operation_id = "get_matrix", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        InQuery<MatrixOptions>, InQuery<BoundsCrsOptions>, InQuery<MatrixFormatOptions>, InQuery<FilterOptions>, InQuery<MatrixStyleOptions>),
    responses(
        (status = 200, description = "The matrix",
            content((MatrixReply = "application/json"), (String = "text/csv"), (Vec<u8> = "image/png"),
                (String = "image/svg+xml")),
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn matrix(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    MatrixWork::read(&app, layer, fields)?.reply(&app, &headers).await
}

/// A matrix to compute and encode.
struct MatrixWork {
    layer: Arc<Layer>,
    filter: Filter,
    options: MatrixOptions,
    styles: MatrixStyleOptions,
    format: MatrixFormat,
    /// The canonical text of the matrix.
    text: String,
}

impl MatrixWork {
    fn read(app: &App, layer: Arc<Layer>, mut fields: Fields) -> HttpResult<Self> {
        let mut options: MatrixOptions = fields.read()?;
        options.bounds = BoundsCrs::read(&mut fields)?.to_layer(&layer, options.bounds)?;
        let MatrixFormatOptions { format } = fields.read()?;
        let styles: MatrixStyleOptions = fields.read()?;
        let filter = Filter::read(&mut fields, &app.config.limits)?;
        fields.finish()?;
        let format = format.unwrap_or_default();
        check_style(format, &styles)?;
        // An unknown scheme is an error before the points are read; its colors are part of the key.
        let scheme = styles.scheme.as_deref().map(|name| app.schemes.find(Some(name))).transpose()?;
        let colors = scheme.map_or(0, |scheme| digest(scheme.colors().as_flattened()));
        let (axes, style) = (query_string(&options.pairs()), query_string(&styles.pairs()));
        let (name, version) = (layer.name(), layer.version());
        let text = format!("matrix/{name}/{version}/{format}?{axes}&{filter}&{style}&colors={colors:032x}");
        Ok(Self { layer, filter, options, styles, format, text })
    }

    async fn reply(self, app: &Arc<App>, headers: &HeaderMap) -> HttpResult<Response<Body>> {
        let (tag, format) = (etag(&self.text), self.format);
        let cache_control = app.config.server.cache_control.clone();
        if is_cached(headers, &tag) {
            let response = tagged_response(headers, format.media_type(), Bytes::new(), &tag, &cache_control);
            return Ok(protected(format, response));
        }
        let (key, shared) = (self.text.clone(), Arc::clone(app));
        let price = Price::of_groups(&self.layer, &self.filter);
        let layer = Some(Arc::clone(&self.layer));
        let make = || async move {
            let compute = move |stop: &AtomicBool| self.compute(&shared, stop).map(|matrix| (self, shared, matrix));
            let (work, shared, matrix) = app.run_for(layer, price, compute).await?;
            let price = Price::of_matrix(&matrix.matrix, work.format, &work.styles, &app.config.limits);
            app.pool.run_at(price, move |stop| work.encode(&shared, &matrix, stop).map(Bytes::from)).await
        };
        let (bytes, was_cached) = app.bytes.get_or_make(&key, make).await?;
        app.metrics.cache(was_cached);
        Ok(protected(format, tagged_response(headers, format.media_type(), bytes, &tag, &cache_control)))
    }

    fn compute(&self, app: &App, stop: &AtomicBool) -> Result<LayerMatrix> {
        let limits = &app.config.limits;
        let query = self.filter.applied_to(self.layer.query()).with_stop(Some(stop));
        let layer = MatrixLayer { layer: &self.layer, query: &query, threads: app.render_threads(), stop };
        let zone = self.filter.zone()?;
        layer.matrix(&self.options, zone, limits.cells).map_err(|error| self.filter.request_error(error))
    }

    fn encode(&self, app: &App, matrix: &LayerMatrix, stop: &AtomicBool) -> Result<Vec<u8>> {
        encode_layer(matrix, self.layer.title(), self.format, stop, |data, texts| {
            self.styles.chart(data, texts, app.config.limits.pixels, |name| find_scheme(app, name))
        })
    }
}

/// Finds a scheme of the server.
///
/// # Errors
/// [`Error::Invalid`] for `scheme` if there is none of the name.
pub(super) fn find_scheme(app: &App, name: &str) -> Result<crate::color::Scheme> {
    app.schemes.find(Some(name)).map_err(|problem| {
        let reason = problem.detail().trim_start_matches("scheme: ").to_owned();
        Error::invalid(Parameter::SCHEME, reason)
    })
}

/// Adds headers to an SVG, so that a browser that opens it as a document neither runs scripts nor loads resources.
pub(super) fn protected(format: MatrixFormat, mut response: Response<Body>) -> Response<Body> {
    if format == MatrixFormat::Svg {
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    response
}

/// Rejects style parameters of formats that are not a chart.
///
/// # Errors
/// [`Error::Invalid`] for the first style parameter.
fn check_style(format: MatrixFormat, styles: &MatrixStyleOptions) -> Result<()> {
    match styles.first() {
        Some(parameter) if !format.is_chart() => {
            Err(Error::invalid(parameter, format!("it applies to charts; {format} is not one")))
        }
        _ => Ok(()),
    }
}
