//! `POST /{layer}/points`: adds points to a stored layer.

use std::hash::Hasher;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request};
use axum::http::{HeaderMap, HeaderName, Response, header};
use axum::response::IntoResponse;
use headers::{ContentLength, HeaderMapExt};
use serde::Serialize;
use twox_hash::XxHash64;
use utoipa::ToSchema;

use crate::config::check_layer_name;
use crate::error::{Error, Result};
use crate::geo::Points;
use crate::http::maintenance::retention_remark;
use crate::http::parameters::body::media_type;
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::body::{Compression, ContentLimit, RequestBody};
use crate::http::server::clock::now_s;
use crate::http::server::form::{Form, FormField, FormFile};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::http::server::write_limiter::WritePermit;
use crate::layer::{ColumnOptions, InputOptions, remarks, weight_label};
use crate::parameter::Parameter;
use crate::source::{Columns, CoordinateSpace, Query, ReadOptions, Rejection, ScanReport, read_as};
use crate::store::{AppendOutcome, Batch, Description, Request as KeyedRequest, StoredLayer};

/// The header that identifies a retried request.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The result of adding points.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct IngestReply {
    /// Number of points that were added to the layer and written to disk. A bin counts as the number of its points.
    #[schema(example = 998)]
    accepted: u64,
    /// Number of rejected rows.
    #[schema(example = 1)]
    rejected: u64,
    /// First 1000 rejected rows, with the reason.
    rejections: Vec<RejectionReply>,
    /// Remarks, such as ignored values and assumptions about the format of the body.
    #[schema(example = json!(["2 points with a longitude beyond ±180° were wrapped by 360°"]))]
    pub(super) remarks: Vec<String>,
    /// Number of valid points that were dropped because they are beyond 85.05° north or south, the limit of web maps; on
    /// a plane, outside the layer's square of 429 km.
    #[schema(example = 1)]
    beyond_map: u64,
    /// Whether an earlier request with the same `Idempotency-Key`, or the same upload of a partition, had already added the
    /// points.
    pub(super) repeated: bool,
    /// Version of the layer with the points, the `v` of its tiles.
    #[schema(example = "3f9c2b1a-42")]
    version: String,
}

/// A rejected row.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RejectionReply {
    /// Filename, for the files of a form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "trips.csv")]
    file: Option<String>,
    /// Row number, starting at 1 and not counting a CSV header.
    #[schema(example = 17)]
    row: u64,
    /// Reason of the rejection.
    #[schema(example = "latitude 95 is beyond ±90")]
    reason: String,
}

/// Points as JSON objects, one per row.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "documents the body in OpenAPI")]
#[schema(value_type = Vec<Object>, example = json!([{"lon": 18.07, "lat": 59.33, "weight": 2, "time": "2024-05-01T12:00:00Z", "category": "bus"}]))]
pub(crate) struct PointRows(Vec<String>);

/// Files with points. Text fields before the files are parameters, like those of the query string.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "documents the body in OpenAPI")]
pub(crate) struct PointFiles {
    /// One or more files; the field name is ignored.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<Vec<u8>>,
}

/// Add points to a layer
///
/// When the response is sent, the points are on disk and in every tile rendered from then on. Concurrent requests share
/// one commit, so that many clients add points faster than one. A request is atomic: all of its valid points are added,
/// or none if the response is a problem.
///
/// The body is CSV, GeoJSON, JSON, newline-delimited JSON, Arrow IPC or Parquet, according to its `Content-Type`. The
/// format is detected from the content if the header is missing or unspecific: `application/octet-stream`,
/// `text/plain`, or `application/x-www-form-urlencoded`, the default of curl. The body may be compressed with gzip or
/// zstd. The files of a form (`multipart/form-data`) are added in one commit; the format of each is that of its
/// `Content-Type`, or else of its filename and content. Bytes of any format may be sent as `application/octet-stream`; the
/// other media types are those of the user guide, such as `application/x-ndjson` and `application/vnd.apache.parquet`.
///
/// ```sh
/// curl localhost:3000/trips/points -H "Authorization: Bearer $KILN_TOKEN" -H 'Content-Type: text/csv' --data-binary @trips.csv
/// curl localhost:3000/trips/points -H "Authorization: Bearer $KILN_TOKEN" -F weight=fare -F file=@monday.csv -F file=@tuesday.parquet
/// curl localhost:3000/trips/points -H "Authorization: Bearer $KILN_TOKEN" --json '[{"lon": 18.07, "lat": 59.33, "weight": 2}]' -H 'Idempotency-Key: 7f3a'
/// gzip -c trips.ndjson | curl localhost:3000/trips/points -H "Authorization: Bearer $KILN_TOKEN" -H 'Content-Encoding: gzip' --data-binary @-
/// ```
///
/// A request with an `Idempotency-Key` can be retried if its response was lost: the points are added once. Keys are
/// stored for a day.
///
/// The points of a layer on a plane are x and y in meters. With `crs=plane`, a missing layer is created on a plane.
#[utoipa::path(post, path = "/{layer}/points", operation_id = "add_points", tag = "writes",
    params(
        ("layer" = String, Path, description = "A layer of the store", example = "trips"),
        ("Idempotency-Key" = Option<String>, Header, description = "Key chosen by the client, 1 to 255 printable ASCII \
            characters; a retry of a request sends the same key", example = "7f3a"),
        ("Content-Encoding" = Option<String>, Header, description = "gzip or zstd, if the body is compressed", example = "identity"),
        InQuery<ColumnOptions>,
        InQuery<InputOptions>),
    request_body(content((PointRows = "application/json"), (super::points::FeatureCollection = "application/geo+json"),
        (String = "text/csv"), (PointFiles = "multipart/form-data"), (Vec<u8> = "application/octet-stream"))),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "The numbers of accepted and rejected points", body = IngestReply),
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
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> HttpResult<Response<Body>> {
    let (parts, body) = request.into_parts();
    app.writable_store(&parts.headers, &name)?;
    let query = query.unwrap_or_default();
    let layer = app.layer_of_points(&name, &query).await?;
    let ingest = IngestRequest::read(&app, &layer, &parts.headers, query)?;
    let shared = Arc::clone(&app);
    let reply = if media_type(&parts.headers) == FORM {
        let (form, feed) = Form::of(&parts.headers, body, ingest.limit_bytes)?;
        let work = move |permit: &WritePermit| ingest.add(&shared, &layer, permit, |batch| batch.read_form(form));
        app.write_limiter.run(feed.feed(), work).await?
    } else {
        let media_type = content_type(&parts.headers);
        let (body, rest) = RequestBody::of(body, parts.extensions.get()).await?;
        let rest = async {
            if let Some(rest) = rest {
                rest.feed().await;
            }
        };
        let work = move |permit: &WritePermit| {
            ingest.add(&shared, &layer, permit, |batch| batch.read_body(body, media_type.as_deref(), BODY_NAME))
        };
        app.write_limiter.run(rest, work).await?
    };
    app.maintenance.notify_points_changed(&name);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// The parameters and headers of an ingest request.
#[derive(Debug)]
struct IngestRequest {
    compression: Compression,
    /// The idempotency key.
    key: Option<String>,
    /// The query string, a part of the digest of the idempotency key.
    query: String,
    columns: Columns,
    options: ReadOptions,
    /// The coordinate space of the layer.
    space: CoordinateSpace,
    /// The weight column of the layer.
    weight: Option<String>,
    limit_bytes: u64,
    limit_points: u64,
}

/// The points of a body, or of all files of a form.
struct IngestBatch<'r> {
    request: &'r IngestRequest,
    permit: &'r WritePermit,
    columns: Columns,
    options: ReadOptions,
    limit: ContentLimit,
    batch: Batch,
    report: ScanReport,
    beyond_map: u64,
    /// The digest of the query and all content, if the request has an idempotency key.
    digest: Option<XxHash64>,
}

impl IngestRequest {
    fn read(app: &App, layer: &StoredLayer, headers: &HeaderMap, query: String) -> HttpResult<Self> {
        let weight = layer.snapshot().description().weight.clone();
        let space = layer.coordinate_space();
        let (columns, options) = columns(&query, space, weight.as_deref())?;
        let limit_bytes = app.config.limits.ingest_body.bytes();
        if let Some(ContentLength(length)) = headers.typed_get().filter(|ContentLength(length)| *length > limit_bytes) {
            let detail = format!("the body has {length} bytes, which exceeds the limit of {limit_bytes}");
            return Err(Problem::too_large("limits.ingest_body", detail));
        }
        let compression = Compression::of(headers)?;
        if compression != Compression::None && media_type(headers) == FORM {
            return Err(Problem::media_type("a form must not be compressed; compress the files in it instead"));
        }
        let limit_points = app.config.limits.ingest_points;
        Ok(Self {
            compression,
            key: idempotency_key(headers)?,
            query,
            columns,
            options,
            space,
            weight,
            limit_bytes,
            limit_points,
        })
    }

    /// Reads the points by `read`, and appends them to the layer.
    fn add(
        &self,
        app: &App,
        layer: &StoredLayer,
        permit: &WritePermit,
        read: impl FnOnce(&mut IngestBatch<'_>) -> HttpResult<()>,
    ) -> HttpResult<IngestReply> {
        let mut ingested = IngestBatch {
            request: self,
            permit,
            columns: self.columns.clone(),
            options: self.options.clone(),
            limit: ContentLimit { max_bytes: self.limit_bytes, read_bytes: 0 },
            batch: layer.batch(),
            report: ScanReport::default(),
            beyond_map: 0,
            digest: self.key.as_ref().map(|_| XxHash64::with_seed(0)),
        };
        ingested.hash_delimited(self.query.as_bytes());
        read(&mut ingested)?;
        let IngestBatch { batch, report, beyond_map, digest, .. } = ingested;
        let (accepted, rejected) = (batch.points(), report.rejected);
        let retention = retention_remark(&layer.snapshot(), |before_us| batch.expiry(before_us));
        let stop = permit.stop();
        if stop.load(Ordering::Relaxed) {
            return Err(Problem::timeout("the client has disconnected"));
        }
        let digest = digest.map_or(0, |digest| digest.finish());
        let key = self.key.clone().filter(|_| accepted > 0);
        let request = key.map(|key| KeyedRequest { key, digest, accepted, rejected, at_s: now_s() });
        // The first points name the weights of a layer that was created without a name for them.
        let was_empty = layer.snapshot().points() == 0;
        let description = layer.snapshot().description().clone();
        // `weight` is also the default name: no further commit is needed.
        let is_new = |name: &String| description.weight.is_none() && name != weight_label(None);
        let weight = report.weight.clone().filter(is_new);
        let repeated = if batch.is_empty() {
            false
        } else {
            match layer.append(batch, request).map_err(|error| app.change_problem(layer, error))? {
                AppendOutcome::Appended => {
                    if let Some(weight) = weight.filter(|_| was_empty) {
                        layer.set_description(Description { weight: Some(weight), ..description })?;
                    }
                    false
                }
                AppendOutcome::Duplicate(_) => true,
            }
        };
        app.metrics.ingested(if repeated { 0 } else { accepted }, rejected, beyond_map, repeated);
        let version = app.published(layer)?.1;
        let mut reply = IngestReply::of(accepted, report, beyond_map, version, BODY_NAME);
        reply.remarks.extend(retention);
        Ok(IngestReply { repeated, ..reply })
    }
}

impl IngestReply {
    /// The reply to points from one body, called `body_name` in the report, or from the files of a form.
    pub(super) fn of(accepted: u64, report: ScanReport, beyond_map: u64, version: String, body_name: &str) -> Self {
        let reply = |rejection: Rejection| RejectionReply {
            file: Some(rejection.input).filter(|input| input != body_name),
            row: rejection.row,
            reason: rejection.reason,
        };
        Self {
            accepted,
            rejected: report.rejected,
            remarks: remarks(&report, Parameter::key),
            rejections: report.rejections.into_iter().map(reply).collect(),
            beyond_map,
            repeated: false,
            version,
        }
    }
}

impl IngestBatch<'_> {
    /// Adds `text`, which contains no zero byte, and a zero byte as the delimiter to the digest.
    fn hash_delimited(&mut self, text: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.write(text);
            digest.write_u8(0);
        }
    }

    /// Reads the files of a form. Text fields before the first one are parameters, like those of the query string.
    fn read_form(&mut self, mut form: Form) -> HttpResult<()> {
        let mut query = self.request.query.clone();
        let mut files = 0;
        while let Some(field) = form.next()? {
            match field {
                // A blank text field, or a file input without a selection.
                FormField::Text { text, .. } if text.trim().is_empty() => {}
                FormField::File(FormFile { name, .. }) if name.is_empty() => {}
                FormField::Text { name, .. } if files > 0 => {
                    let detail =
                        "the parameter follows a file; send parameters before the files, or in the query string";
                    return Err(Problem::parameter(&name, detail));
                }
                FormField::Text { name, text } => {
                    let pair = query_string(&[(name.as_str(), text)]);
                    query = if query.is_empty() { pair } else { format!("{query}&{pair}") };
                    (self.columns, self.options) = columns(&query, self.request.space, self.request.weight.as_deref())?;
                    self.hash_delimited(query.as_bytes());
                }
                FormField::File(FormFile { name, media_type, body }) => {
                    files += 1;
                    self.hash_delimited(name.as_bytes());
                    let media_type = Some(media_type).filter(|media_type| !media_type.is_empty());
                    self.read_body(body, media_type.as_deref(), &name)?;
                    self.hash_delimited(b"");
                }
            }
        }
        if files == 0 {
            return Err(Problem::body("the form has no file; send one, such as with curl -F file=@points.csv"));
        }
        Ok(())
    }

    /// Reads the points of a body; `name` is its name in messages.
    fn read_body(&mut self, body: RequestBody, media_type: Option<&str>, name: &str) -> HttpResult<()> {
        let Self { request, permit, columns, options, limit, batch, report, beyond_map, digest } = self;
        let stop = permit.stop();
        let mut grow = || permit.grow();
        let read = |content: &mut dyn Read| -> Result<(), Error> {
            let source = read_as(content, media_type, without_compression_suffix(name), options)?;
            let query = Query::default()
                .with_names(columns.clone())
                .with_coordinate_space(request.space)
                .with_weights(true)
                .with_times(true)
                .with_categories(true)
                .with_tracks(true)
                .with_bins(true)
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
        // The message names the file of a form, which may have several.
        let prefix = if name == BODY_NAME { String::new() } else { format!("{name}: ") };
        read.map_err(|error| match error {
            Error::Input { message, .. } => Problem::body(format!("{prefix}{}", message.with_keys())),
            Error::MediaType { .. } => Problem::media_type(format!("{prefix}{error}")),
            error => error.into(),
        })?;
        if batch.len() as u64 > request.limit_points {
            let detail = format!("the body exceeds the limit of {} points", request.limit_points);
            return Err(Problem::too_large("limits.ingest_points", detail));
        }
        Ok(())
    }
}

/// Reads the columns and input options of a query for a layer in `space`; the weight column is `weight` if the query
/// names none.
fn columns(query: &str, space: CoordinateSpace, weight: Option<&str>) -> HttpResult<(Columns, ReadOptions)> {
    let (columns, input) = options(query)?;
    if input.coordinate_space() == CoordinateSpace::Plane && space == CoordinateSpace::Globe {
        let detail = "the layer is on the globe; points on a plane need a layer of their own";
        return Err(Problem::parameter(Parameter::CRS.key(), detail));
    }
    Ok((Columns { weight: columns.weight.or_else(|| weight.map(str::to_owned)), ..columns }, input.read_options()))
}

/// Reads the columns and input options of a query.
fn options(query: &str) -> HttpResult<(Columns, InputOptions)> {
    let mut fields = Fields::from_query(query)?;
    let (columns, input) = (fields.read::<ColumnOptions>()?.columns(), fields.read()?);
    fields.finish()?;
    Ok((columns, input))
}

impl Session {
    /// The layer that points are added to. With `crs=plane` in `query`, a missing layer is created on a plane.
    async fn layer_of_points(&self, name: &str, query: &str) -> HttpResult<Arc<StoredLayer>> {
        let layer = self.stored_layer(name);
        let is_missing = layer.is_err() && self.layer(name).is_err() && check_layer_name(name).is_ok();
        if !is_missing || options(query)?.1.coordinate_space() == CoordinateSpace::Globe {
            return layer;
        }
        let (shared, new) = (self.clone(), name.to_owned());
        let create = move |_: &WritePermit| {
            match shared.store.create_in(&new, CoordinateSpace::Plane, Description::default()) {
                // A concurrent request created it.
                Err(Error::Invalid { parameter: Parameter::LAYER, .. }) => shared.stored_layer(&new),
                Err(Error::Input { message, .. }) => Err(Problem::conflict(message.with_keys())),
                layer => Ok(layer?),
            }
        };
        self.write_limiter.run(std::future::ready(()), create).await
    }
}

/// The filename without a compression suffix; the compression is detected from the content.
pub(super) fn without_compression_suffix(name: &str) -> &str {
    name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name)
}

/// The media type of a form with files.
pub(super) const FORM: &str = "multipart/form-data";
/// The name of the body in messages.
const BODY_NAME: &str = "body";
/// The maximum number of rejections in a response.
pub(super) const MAX_REJECTIONS: usize = 1000;
/// The number of points above which a write needs the permit of large writes.
const MANY_POINTS: u64 = 1 << 17;

/// The media type of a body; `None` if the format is detected from the content.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    // curl sends the form type by default.
    let unspecific = ["", "application/x-www-form-urlencoded"];
    Some(media_type(headers)).filter(|media_type| !unspecific.contains(&media_type.as_str()))
}

/// The idempotency key of a request.
fn idempotency_key(headers: &HeaderMap) -> HttpResult<Option<String>> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    let has_valid_length = (1..=KeyedRequest::MAX_KEY_BYTES).contains(&key.len());
    if !has_valid_length || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        let detail = format!("expected 1 to {} printable ASCII characters", KeyedRequest::MAX_KEY_BYTES);
        return Err(Problem::parameter(IDEMPOTENCY_KEY.as_str(), detail));
    }
    Ok(Some(key.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::source::MEDIA_TYPES;

    #[test]
    fn the_documentation_lists_the_supported_media_types_and_openapi_the_general_ones() {
        let supported: BTreeSet<&str> = MEDIA_TYPES.into_iter().chain([FORM]).collect();
        let document = super::super::openapi::document();
        let content = &document["paths"]["/{layer}/points"]["post"]["requestBody"]["content"];
        let listed: BTreeSet<&str> = content.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(listed.is_subset(&supported), "{listed:?}");
        assert!(
            ["application/json", "text/csv", "application/octet-stream"].iter().all(|known| listed.contains(known))
        );
        let text = include_str!("../../../docs/server.md");
        let table = text.split("## Uploads").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = table.lines().filter(|line| line.starts_with('|'));
        let types = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|code| code.contains('/'));
        assert_eq!(types.collect::<BTreeSet<_>>(), supported);
    }
}
