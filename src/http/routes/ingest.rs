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
use twox_hash::XxHash64;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::geo::Points;
use crate::http::parameters::body::media_type;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::body::{Compression, RequestBody};
use crate::http::server::clock::now_s;
use crate::http::server::problem::{Answer, Problem};
use crate::http::server::write_limiter::WritePermit;
use crate::layer::{ColumnOptions, InputOptions, remarks};
use crate::parameter::Parameter;
use crate::source::{Columns, Query, ReadOptions, ScanReport, read_as};
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
    #[schema(example = json!(["2 points with a longitude beyond ±180° lie 360° further east or west"]))]
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

/// Add points to a layer
///
/// They are on the disk when this is answered, and in every tile that is asked for from then on. Requests that come at the same
/// time share one commit, so many clients add points faster than one. Either all valid points of a request are added, or, where
/// it is answered with a problem, none.
///
/// The body is CSV, GeoJSON, JSON, newline-delimited JSON, Arrow IPC or Parquet, as its `Content-Type` says; without one, or
/// with one that says nothing (`application/octet-stream`, or the form that curl claims), the content tells. It may be packed with
/// gzip or zstd.
///
/// ```sh
/// curl localhost:3000/trips/points -H 'Content-Type: text/csv' --data-binary @trips.csv
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
    request_body(content((PointRows = "application/json"), (PointRows = "application/x-ndjson"), (String = "text/csv"),
        (super::points::FeatureCollection = "application/geo+json"), (Vec<u8> = "application/vnd.apache.parquet"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"))),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "What became of the points", body = IngestReply),
        (status = 400, description = "The body or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "The server takes no writes, or none from that origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such layer; PUT /{layer} makes it", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is one of inputs, which stay as they are", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is beyond limits.ingest_body or limits.ingest_points", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is of a type that is not read", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It took too long; with an Idempotency-Key it may be sent again", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "There is no room on the disk", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Answer<Response<Body>> {
    let (parts, body) = request.into_parts();
    app.writable(&parts.headers)?;
    let layer = app.stored(&name)?;
    let ingest = IngestRequest::read(&app, &layer, &parts.headers, query.unwrap_or_default())?;
    let (body, rest) = RequestBody::of(body).await?;
    let rest = async {
        if let Some(rest) = rest {
            rest.feed().await;
        }
    };
    let shared = Arc::clone(&app);
    let work = move |permit: &WritePermit| ingest.add(&shared, &layer, body, permit);
    let reply = app.write_limiter.run(rest, work).await?;
    app.maintenance.changed(&name);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// What is to be done with a body.
#[derive(Debug)]
struct IngestRequest {
    media_type: Option<String>,
    compression: Compression,
    key: Option<String>,
    /// The query, which is part of the request that a key stands for.
    query: String,
    columns: Columns,
    options: ReadOptions,
    limit_bytes: u64,
    limit_points: u64,
}

/// What a body holds.
#[derive(Debug, Default)]
struct IngestBatch {
    batch: Batch,
    report: ScanReport,
    beyond_map: u64,
    digest: u64,
}

impl IngestRequest {
    fn read(app: &App, layer: &StoredLayer, headers: &HeaderMap, query: String) -> Answer<Self> {
        let mut fields = Fields::from_query(&query)?;
        let mut columns = fields.read::<ColumnOptions>()?.columns();
        let options = fields.read::<InputOptions>()?.read_options();
        fields.finish()?;
        columns.weight = columns.weight.or_else(|| layer.snapshot().description().weight.clone());
        let limit_bytes = app.config.limits.ingest_body.bytes();
        if let Some(ContentLength(length)) = headers.typed_get().filter(|ContentLength(length)| *length > limit_bytes) {
            let why = format!("the body has {length} bytes, more than the {limit_bytes} that it allows");
            return Err(Problem::too_large("limits.ingest_body", why));
        }
        Ok(Self {
            media_type: content_type(headers),
            compression: Compression::of(headers)?,
            key: key(headers)?,
            query,
            columns,
            options,
            limit_bytes,
            limit_points: app.config.limits.ingest_points,
        })
    }

    /// Reads the points, and adds them to the layer.
    fn add(&self, app: &App, layer: &StoredLayer, body: RequestBody, permit: &WritePermit) -> Answer<IngestReply> {
        let IngestBatch { batch, report, beyond_map, digest } = self.take(body, permit)?;
        let (accepted, rejected) = (batch.len() as u64, report.rejected);
        let stop = permit.stop();
        if stop.load(Ordering::Relaxed) {
            return Err(Problem::timeout("the client has disconnected"));
        }
        let key = self.key.clone().filter(|_| accepted > 0);
        let request = key.map(|key| KeyedRequest { key, digest, accepted, rejected, at_s: now_s() });
        let repeated = if batch.is_empty() {
            false
        } else {
            match layer.append(batch, request).map_err(|error| app.refused(layer, error))? {
                Appended::New => false,
                Appended::Before(_) => true,
            }
        };
        app.metrics.ingested(if repeated { 0 } else { accepted }, rejected, beyond_map, repeated);
        let remarks = remarks(&report, Parameter::key);
        let rejections = report.rejections.into_iter();
        Ok(IngestReply {
            accepted,
            rejected,
            rejections: rejections
                .map(|rejection| RejectionReply { row: rejection.row, reason: rejection.reason })
                .collect(),
            remarks,
            beyond_map,
            repeated,
            version: layer.snapshot().version(),
        })
    }

    /// Reads the points of a body.
    fn take(&self, body: RequestBody, permit: &WritePermit) -> Answer<IngestBatch> {
        let mut digest = self.key.as_ref().map(|_| XxHash64::with_seed(0));
        if let Some(digest) = &mut digest {
            digest.write(self.query.as_bytes());
            digest.write_u8(0);
        }
        let stop = permit.stop();
        let mut grow = || permit.grow();
        let read = |content: &mut dyn Read| -> Result<IngestBatch, Error> {
            let source = read_as(content, self.media_type.as_deref(), NAME, &self.options)?;
            let query = Query::default()
                .with_names(self.columns.clone())
                .with_weights(true)
                .with_times(true)
                .with_categories(true)
                .with_max_rejections(MAX_REJECTIONS)
                .with_stop(Some(&stop));
            let mut taken = IngestBatch::default();
            let (batch, beyond_map) = (&mut taken.batch, &mut taken.beyond_map);
            let mut failed = None;
            let mut sink = |points: Points<'_>| {
                *beyond_map += batch.add(points) as u64;
                let count = batch.len() as u64;
                if count > MANY_POINTS {
                    failed = permit.grow().err();
                }
                if failed.is_some() || count > self.limit_points {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            let report = source.scan(&query, &mut [&mut sink]);
            if let Some(error) = failed {
                return Err(Error::io(NAME, "read", error));
            }
            match report {
                // The sink stopped the scan at the limit.
                Err(Error::Cancelled) if taken.batch.len() as u64 > self.limit_points => {}
                report => taken.report = report?,
            }
            Ok(taken)
        };
        let taken = body.read(self.compression, self.limit_bytes, digest.as_mut(), &mut grow, read)?;
        let mut taken = taken.map_err(|error| match error {
            Error::Input { message, .. } => Problem::body(message.with_keys()),
            error => error.into(),
        })?;
        if taken.batch.len() as u64 > self.limit_points {
            let why = format!("the body holds more than the {} points that it allows", self.limit_points);
            return Err(Problem::too_large("limits.ingest_points", why));
        }
        taken.digest = digest.map_or(0, |digest| digest.finish());
        Ok(taken)
    }
}

/// What messages of readers call the body.
const NAME: &str = "body";
/// The most rejections of a reply.
const MAX_REJECTIONS: usize = 1000;
/// Points that a write holds without a permit for large writes.
const MANY_POINTS: u64 = 1 << 17;

/// The type of a body; `None` where the content decides.
fn content_type(headers: &HeaderMap) -> Option<String> {
    // curl calls everything a form, and browsers call a file of an unknown type a text.
    let says_nothing = ["", "application/x-www-form-urlencoded", "text/plain"];
    Some(media_type(headers)).filter(|media_type| !says_nothing.contains(&media_type.as_str()))
}

/// The key of a request, if it has one.
fn key(headers: &HeaderMap) -> Answer<Option<String>> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    let fits = (1..=KeyedRequest::MAX_KEY_BYTES).contains(&key.len());
    if !fits || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        let why = format!("it is not a text of 1 to {} printable ASCII characters", KeyedRequest::MAX_KEY_BYTES);
        return Err(Problem::parameter(IDEMPOTENCY_KEY.as_str(), why));
    }
    Ok(Some(key.to_owned()))
}
