//! `POST /{layer}/points`: points into a layer.

use std::hash::Hasher;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, Response, header};
use axum::response::IntoResponse;
use headers::{ContentLength, HeaderMapExt};
use serde::Serialize;
use serde_json::{Value, json};
use twox_hash::XxHash64;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::geo::Points;
use crate::http::parameters::body::media_type;
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::body::{Compression, ContentLimit, RequestBody};
use crate::http::server::clock::now_s;
use crate::http::server::form::{Form, FormField, FormFile};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::write_limiter::WritePermit;
use crate::layer::{ColumnOptions, InputOptions, remarks};
use crate::parameter::Parameter;
use crate::source::{Columns, MEDIA_TYPES, Query, ReadOptions, Rejection, ScanReport, read_as};
use crate::store::{Appended, Batch, Request as KeyedRequest, StoredLayer};

/// By which a request is known when it comes again.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What became of points.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct IngestReply {
    /// Points that are in the layer, and on the disk.
    #[schema(example = 998)]
    accepted: u64,
    /// Rows that hold no valid point.
    #[schema(example = 1)]
    rejected: u64,
    /// Which rows they are, and why; the first 1000 of them.
    rejections: Vec<RejectionReply>,
    /// What else there is to know: which values were left out of points, and how the body was read where that is not evident.
    #[schema(example = json!(["2 points with a longitude beyond ±180° were wrapped by 360°"]))]
    remarks: Vec<String>,
    /// Valid points that were left out, since they lie beyond 85.05° north or south, where web maps end.
    #[schema(example = 1)]
    beyond_map: u64,
    /// Whether an earlier request with the same `Idempotency-Key` had added the points.
    repeated: bool,
    /// The layer's version, which has the points: the `v` of its tiles.
    #[schema(example = "3f9c2b1a-42")]
    version: String,
}

/// A row without a valid point.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RejectionReply {
    /// The file of a form that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "trips.csv")]
    file: Option<String>,
    /// Its number from 1 on; a CSV header is not counted.
    #[schema(example = 17)]
    row: u64,
    /// What is wrong with it.
    #[schema(example = "latitude 95 is beyond ±90")]
    reason: String,
}

/// Points of a body, as some of the types that are read have them.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it documents what is read")]
#[schema(value_type = Vec<Object>, example = json!([{"lon": 18.07, "lat": 59.33, "weight": 2, "time": "2024-05-01T12:00:00Z", "category": "bus"}]))]
pub(crate) struct PointRows(Vec<String>);

/// Files with points. Fields without a filename that come before the files are parameters, as those of the query.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it documents what is read")]
pub(crate) struct PointFiles {
    /// One file or several, under this name or any other.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<Vec<u8>>,
}

/// Add points to a layer
///
/// They are on the disk when this is answered, and in every tile that is asked for from then on. Requests that come at the same
/// time share one commit, so many clients add points faster than one. Either all valid points of a request are added, or, where
/// it is answered with a problem, none.
///
/// The body is CSV, GeoJSON, JSON, newline-delimited JSON, Arrow IPC or Parquet, as its `Content-Type` says; without one, or
/// with one that says nothing (`application/octet-stream`, `text/plain`, or the form that curl claims), the content tells. It may
/// be compressed with gzip or zstd. A form (`multipart/form-data`) has files, which are added together or not at all: each is read
/// in the format of its own `Content-Type`, or else of its name and content.
///
/// ```sh
/// curl localhost:3000/trips/points -H 'Content-Type: text/csv' --data-binary @trips.csv
/// curl localhost:3000/trips/points -F weight=fare -F file=@monday.csv -F file=@tuesday.parquet
/// curl localhost:3000/trips/points --json '[{"lon": 18.07, "lat": 59.33, "weight": 2}]' -H 'Idempotency-Key: 7f3a'
/// gzip -c trips.ndjson | curl localhost:3000/trips/points -H 'Content-Encoding: gzip' --data-binary @-
/// ```
///
/// A request whose answer did not arrive may be sent again, if it has an `Idempotency-Key`: its points are then counted once. Keys
/// are remembered for a day.
#[utoipa::path(post, path = "/{layer}/points", tag = "writes",
    params(
        ("layer" = String, Path, description = "A layer of the store", example = "trips"),
        ("Idempotency-Key" = Option<String>, Header, description = "A text of the client's choice, 1 to 255 printable ASCII \
            characters; the same request has the same one", example = "7f3a"),
        ("Content-Encoding" = Option<String>, Header, description = "gzip or zstd, where the body is packed", example = "identity"),
        InQuery<ColumnOptions>,
        InQuery<InputOptions>),
    request_body(content((PointRows = "application/json"), (PointRows = "application/x-ndjson"),
        (super::points::FeatureCollection = "application/geo+json"), (PointFiles = "multipart/form-data"))),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "What became of the points", body = IngestReply),
        (status = 400, description = "Invalid body or parameter", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer; PUT /{layer} creates it", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is read from input files, which the server does not change", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds limits.ingest_body or limits.ingest_points", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The request timed out; with an Idempotency-Key it can be retried", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> HttpResult<Response<Body>> {
    let (parts, body) = request.into_parts();
    app.writable_store(&parts.headers)?;
    let layer = app.stored_layer(&name)?;
    let ingest = IngestRequest::read(&app, &layer, &parts.headers, query.unwrap_or_default())?;
    let shared = Arc::clone(&app);
    let reply = if media_type(&parts.headers) == FORM {
        let (form, feed) = Form::of(&parts.headers, body, ingest.limit_bytes)?;
        let work = move |permit: &WritePermit| ingest.add(&shared, &layer, permit, |points| points.take_form(form));
        app.write_limiter.run(feed.feed(), work).await?
    } else {
        let media_type = content_type(&parts.headers);
        let (body, rest) = RequestBody::of(body).await?;
        let rest = async {
            if let Some(rest) = rest {
                rest.feed().await;
            }
        };
        let work = move |permit: &WritePermit| {
            ingest.add(&shared, &layer, permit, |points| points.take(body, media_type.as_deref(), NAME))
        };
        app.write_limiter.run(rest, work).await?
    };
    app.maintenance.notify_points_changed(&name);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// What is to be done with a body.
#[derive(Debug)]
struct IngestRequest {
    compression: Compression,
    key: Option<String>,
    /// The query, which is part of the request that a key stands for.
    query: String,
    columns: Columns,
    options: ReadOptions,
    /// The column of the layer's weights.
    weight: Option<String>,
    limit_bytes: u64,
    limit_points: u64,
}

/// The points of a body, or of the files of a form.
struct IngestBatch<'r> {
    request: &'r IngestRequest,
    permit: &'r WritePermit,
    columns: Columns,
    options: ReadOptions,
    limit: ContentLimit,
    batch: Batch,
    report: ScanReport,
    beyond_map: u64,
    /// Of the query and all content, where the request has a key.
    digest: Option<XxHash64>,
}

impl IngestRequest {
    fn read(app: &App, layer: &StoredLayer, headers: &HeaderMap, query: String) -> HttpResult<Self> {
        let weight = layer.snapshot().description().weight.clone();
        let (columns, options) = columns(&query, weight.as_deref())?;
        let limit_bytes = app.config.limits.ingest_body.bytes();
        if let Some(ContentLength(length)) = headers.typed_get().filter(|ContentLength(length)| *length > limit_bytes) {
            let detail = format!("the body has {length} bytes, more than the {limit_bytes} that it allows");
            return Err(Problem::too_large("limits.ingest_body", detail));
        }
        let compression = Compression::of(headers)?;
        if compression != Compression::None && media_type(headers) == FORM {
            return Err(Problem::media_type("a compressed form is not read; compress the files in it instead"));
        }
        let limit_points = app.config.limits.ingest_points;
        Ok(Self { compression, key: key(headers)?, query, columns, options, weight, limit_bytes, limit_points })
    }

    /// Reads the points by `take`, and adds them to the layer.
    fn add(
        &self,
        app: &App,
        layer: &StoredLayer,
        permit: &WritePermit,
        take: impl FnOnce(&mut IngestBatch<'_>) -> HttpResult<()>,
    ) -> HttpResult<IngestReply> {
        let mut points = IngestBatch {
            request: self,
            permit,
            columns: self.columns.clone(),
            options: self.options.clone(),
            limit: ContentLimit { max_bytes: self.limit_bytes, read_bytes: 0 },
            batch: Batch::default(),
            report: ScanReport::default(),
            beyond_map: 0,
            digest: self.key.as_ref().map(|_| XxHash64::with_seed(0)),
        };
        points.mark(self.query.as_bytes());
        take(&mut points)?;
        let IngestBatch { batch, report, beyond_map, digest, .. } = points;
        let (accepted, rejected) = (batch.len() as u64, report.rejected);
        let stop = permit.stop();
        if stop.load(Ordering::Relaxed) {
            return Err(Problem::timeout("the client has disconnected"));
        }
        let digest = digest.map_or(0, |digest| digest.finish());
        let key = self.key.clone().filter(|_| accepted > 0);
        let request = key.map(|key| KeyedRequest { key, digest, accepted, rejected, at_s: now_s() });
        let repeated = if batch.is_empty() {
            false
        } else {
            match layer.append(batch, request).map_err(|error| app.change_problem(layer, error))? {
                Appended::New => false,
                Appended::Before(_) => true,
            }
        };
        app.metrics.ingested(if repeated { 0 } else { accepted }, rejected, beyond_map, repeated);
        let reply = |rejection: Rejection| RejectionReply {
            file: Some(rejection.input).filter(|input| input != NAME),
            row: rejection.row,
            reason: rejection.reason,
        };
        Ok(IngestReply {
            accepted,
            rejected,
            remarks: remarks(&report, Parameter::key),
            rejections: report.rejections.into_iter().map(reply).collect(),
            beyond_map,
            repeated,
            version: layer.snapshot().version(),
        })
    }
}

impl IngestBatch<'_> {
    /// Adds to the digest what separates bodies, and has no zero in it.
    fn mark(&mut self, text: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.write(text);
            digest.write_u8(0);
        }
    }

    /// Reads the files of a form. Texts before the first one are parameters, as those of the query.
    fn take_form(&mut self, mut form: Form) -> HttpResult<()> {
        let mut query = self.request.query.clone();
        let mut files = 0;
        while let Some(field) = form.next()? {
            match field {
                // A field that nobody filled in, or a choice of files without any.
                FormField::Text { text, .. } if text.trim().is_empty() => {}
                FormField::File(FormFile { name, .. }) if name.is_empty() => {}
                FormField::Text { name, .. } if files > 0 => {
                    let detail = "it comes after a file; send parameters before the files, or in the query string";
                    return Err(Problem::parameter(&name, detail));
                }
                FormField::Text { name, text } => {
                    let pair = query_string(&[(name.as_str(), text)]);
                    query = if query.is_empty() { pair } else { format!("{query}&{pair}") };
                    (self.columns, self.options) = columns(&query, self.request.weight.as_deref())?;
                    self.mark(query.as_bytes());
                }
                FormField::File(FormFile { name, media_type, body }) => {
                    files += 1;
                    self.mark(name.as_bytes());
                    let media_type = Some(media_type).filter(|media_type| !media_type.is_empty());
                    self.take(body, media_type.as_deref(), &name)?;
                    self.mark(b"");
                }
            }
        }
        if files == 0 {
            return Err(Problem::body("the form has no file; send one as curl -F file=@points.csv does"));
        }
        Ok(())
    }

    /// Reads the points of a body, which messages call `name`.
    fn take(&mut self, body: RequestBody, media_type: Option<&str>, name: &str) -> HttpResult<()> {
        let Self { request, permit, columns, options, limit, batch, report, beyond_map, digest } = self;
        let stop = permit.stop();
        let mut grow = || permit.grow();
        let read = |content: &mut dyn Read| -> Result<(), Error> {
            let source = read_as(content, media_type, uncompressed(name), options)?;
            let query = Query::default()
                .with_names(columns.clone())
                .with_weights(true)
                .with_times(true)
                .with_categories(true)
                .with_max_rejections(MAX_REJECTIONS)
                .with_stop(Some(&stop));
            let mut failed = None;
            let mut sink = |points: Points<'_>| {
                *beyond_map += batch.add(points) as u64;
                let count = batch.len() as u64;
                if count > MANY_POINTS {
                    failed = permit.grow().err();
                }
                if failed.is_some() || count > request.limit_points {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            let scanned = source.scan(&query, &mut [&mut sink]);
            if let Some(error) = failed {
                return Err(Error::io(name, "read", error));
            }
            match scanned {
                // The sink stopped the scan at the limit.
                Err(Error::Cancelled) if batch.len() as u64 > request.limit_points => {}
                scanned => report.join(scanned?, &query),
            }
            Ok(())
        };
        let read = body.read(request.compression, limit, digest.as_mut(), &mut grow, read)?;
        // A form may have several files, of which the message has to name one.
        let place = if name == NAME { String::new() } else { format!("{name}: ") };
        read.map_err(|error| match error {
            Error::Input { message, .. } => Problem::body(format!("{place}{}", message.with_keys())),
            Error::MediaType { .. } => Problem::media_type(format!("{place}{error}")),
            error => error.into(),
        })?;
        if batch.len() as u64 > request.limit_points {
            let detail = format!("the body holds more than the {} points that it allows", request.limit_points);
            return Err(Problem::too_large("limits.ingest_points", detail));
        }
        Ok(())
    }
}

/// The columns that a query names, `weight` among them where it names none, and how the rows are read.
fn columns(query: &str, weight: Option<&str>) -> HttpResult<(Columns, ReadOptions)> {
    let mut fields = Fields::from_query(query)?;
    let columns = fields.read::<ColumnOptions>()?.columns();
    let options = fields.read::<InputOptions>()?.read_options();
    fields.finish()?;
    Ok((Columns { weight: columns.weight.or_else(|| weight.map(str::to_owned)), ..columns }, options))
}

/// The name of a file without the ending of its compression, which the content tells.
fn uncompressed(name: &str) -> &str {
    name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name)
}

/// The request body of the contract: all media types that are read.
pub(crate) fn add_media_types(content: &mut Value) {
    for media_type in MEDIA_TYPES {
        if content.get(media_type).is_none() {
            let is_text = ["json", "text/", "csv"].iter().any(|part| media_type.contains(part));
            let schema =
                if is_text { json!({"type": "string"}) } else { json!({"type": "string", "format": "binary"}) };
            content[media_type] = json!({"schema": schema});
        }
    }
}

/// The media type of a form with files.
const FORM: &str = "multipart/form-data";
/// What messages of readers call the body.
const NAME: &str = "body";
/// The most rejections of a reply.
const MAX_REJECTIONS: usize = 1000;
/// Points that a write holds without a permit for large writes.
const MANY_POINTS: u64 = 1 << 17;

/// The type of a body; `None` where the content decides.
fn content_type(headers: &HeaderMap) -> Option<String> {
    // curl calls everything a form.
    let says_nothing = ["", "application/x-www-form-urlencoded"];
    Some(media_type(headers)).filter(|media_type| !says_nothing.contains(&media_type.as_str()))
}

/// The key of a request, if it has one.
fn key(headers: &HeaderMap) -> HttpResult<Option<String>> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    let fits = (1..=KeyedRequest::MAX_KEY_BYTES).contains(&key.len());
    if !fits || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        let detail = format!("it is not a text of 1 to {} printable ASCII characters", KeyedRequest::MAX_KEY_BYTES);
        return Err(Problem::parameter(IDEMPOTENCY_KEY.as_str(), detail));
    }
    Ok(Some(key.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::OpenApi;

    use super::*;

    #[test]
    fn the_contract_and_the_documentation_list_the_media_types_that_are_read() {
        let read: BTreeSet<&str> = MEDIA_TYPES.into_iter().chain([FORM]).collect();
        let mut contract = serde_json::to_value(super::super::openapi::ApiDoc::openapi()).unwrap();
        let content = &mut contract["paths"]["/{layer}/points"]["post"]["requestBody"]["content"];
        add_media_types(content);
        assert_eq!(content.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), read);
        let text = include_str!("../../../docs/server.md");
        let table = text.split("## Uploads").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = table.lines().filter(|line| line.starts_with('|'));
        let types = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|code| code.contains('/'));
        assert_eq!(types.collect::<BTreeSet<_>>(), read);
    }
}
