//! `PUT /{layer}/points`: creates a stored layer from a file, or replaces its points.

use std::hash::Hasher;
use std::io::Read;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use headers::{ContentLength, HeaderMapExt};
use twox_hash::XxHash64;

use super::ingest::{FORM, IngestReply, MAX_REJECTIONS, PointRows, content_type, without_compression_suffix};
use super::inspect::base_name;
use crate::config::check_layer_name;
use crate::error::{Error, Result};
use crate::http::maintenance::retention_remark;
use crate::http::parameters::body::media_type;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::body::{Compression, ContentLimit, RequestBody};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::http::server::write_limiter::WritePermit;
use crate::layer::{ColumnOptions, InputOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::source::{Columns, CoordinateSpace, Query, ReadOptions, Source, read_as};
use crate::store::{Description, ExistingPoints, ImportReport, Partition, Progress, StoredLayer};

parameter_set! {
    /// The description of the layer, and the name of its file.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct UploadOptions {
        /// Title of the layer.
        title: String = Declaration::new(Parameter::TITLE, Kind::Label).default("that of the layer, else its name"),
        /// Attribution of the points.
        attribution: String =
            Declaration::new(Parameter::ATTRIBUTION, Kind::Label).default("that of the layer, else none"),
        /// Name of the file. Its extension selects the format where the content leaves a choice.
        filename: String = Declaration::new(Parameter::FILENAME, Kind::Label).example("trips.csv.gz"),
        /// Partition whose points are replaced, such as a day: 1 to 100 characters of `A-Z`, `a-z`, `0-9` and `-_.:=+`. All
        /// other points of the layer stay.
        partition: String =
            Declaration::new(Parameter::PARTITION, Kind::Label).default("all points").example("2026-11-28"),
    }
}

/// Create a layer from a file, or replace its points
///
/// The points of the layer are those of the body, whose formats and parameters are those of `POST /{layer}/points`. A
/// missing layer is created with them. The change is atomic: tiles have the old points or the new ones, and a request
/// without a valid point changes nothing. Memory use does not depend on the number of points, so that
/// `limits.ingest_points` does not apply.
///
/// With `partition`, the points replace those of a part of the layer. The same body again changes nothing; the response then
/// has `repeated`.
///
/// With `If-None-Match: *`, an existing layer is not replaced, and the response is 412.
///
/// ```sh
/// curl -X PUT 'localhost:3000/trips/points?weight=fare' -H "Authorization: Bearer $KILN_TOKEN" -H 'If-None-Match: *' --data-binary @trips.csv
/// ```
#[utoipa::path(put, path = "/{layer}/points", operation_id = "replace_points", tag = "writes",
    params(
        ("layer" = String, Path, description = "1 to 64 letters A-Z, a-z, digits, _ or -; not one of the server's own names", example = "trips"),
        ("If-None-Match" = Option<String>, Header, description = "`*` to create a layer only", example = "*"),
        ("Content-Encoding" = Option<String>, Header, description = "gzip or zstd, if the body is compressed", example = "identity"),
        InQuery<UploadOptions>,
        InQuery<ColumnOptions>,
        InQuery<InputOptions>),
    request_body(content((PointRows = "application/json"), (super::points::FeatureCollection = "application/geo+json"),
        (String = "text/csv"), (Vec<u8> = "application/octet-stream"))),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "The points were replaced", body = IngestReply),
        (status = 201, description = "The layer was created", body = IngestReply, headers(("Location" = String))),
        (status = 400, description = "Invalid name, body or parameter, or no valid point", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is read from input files, which the server does not change", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "If-None-Match is `*`, and the layer exists", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds limits.ingest_body", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
    request: Request,
) -> HttpResult<Response<Body>> {
    let (parts, body) = request.into_parts();
    app.writable_store(&parts.headers, &name)?;
    check_layer_name(&name).map_err(|detail| Problem::parameter("layer", detail))?;
    app.check_not_input_layer(&name)?;
    let upload = Upload::read(&app, name.clone(), &parts.headers, query.as_deref().unwrap_or_default())?;
    if upload.creates_only && app.store.layer(&name)?.is_some() {
        return Err(exists(&name));
    }
    let (body, rest) = RequestBody::of(body, parts.extensions.get()).await?;
    let feed = async {
        if let Some(rest) = rest {
            rest.feed().await;
        }
    };
    let shared = app.clone();
    let work = move |permit: &WritePermit| upload.replace(&shared, body, permit);
    let (reply, is_new) = app.write_limiter.run(feed, work).await?;
    app.maintenance.notify_points_changed(&name);
    let location = is_new.then(|| [(header::LOCATION, base.url(&name))]);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, [(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// The parameters and headers of an upload.
#[derive(Debug)]
struct Upload {
    name: String,
    /// Whether an existing layer is not replaced.
    creates_only: bool,
    /// The coordinate space of a new layer.
    space: CoordinateSpace,
    description: Description,
    filename: String,
    partition: Option<String>,
    media_type: Option<String>,
    compression: Compression,
    columns: Columns,
    options: ReadOptions,
    limit_bytes: u64,
}

impl Upload {
    fn read(app: &App, name: String, headers: &HeaderMap, query: &str) -> HttpResult<Self> {
        let mut fields = Fields::from_query(query)?;
        let UploadOptions { title, attribution, filename, partition } = fields.read()?;
        partition.as_deref().map_or(Ok(()), Partition::check_name)?;
        let columns = fields.read::<ColumnOptions>()?.columns();
        let input: InputOptions = fields.read()?;
        fields.finish()?;
        if media_type(headers) == FORM {
            return Err(Problem::media_type("a form adds points with POST; send the file itself as the body of PUT"));
        }
        let limit_bytes = app.config.limits.ingest_body.bytes();
        if let Some(ContentLength(length)) = headers.typed_get().filter(|ContentLength(length)| *length > limit_bytes) {
            let detail = format!("the body has {length} bytes, which exceeds the limit of {limit_bytes}");
            return Err(Problem::too_large("limits.ingest_body", detail));
        }
        let if_none_match = headers.get(header::IF_NONE_MATCH).map(|value| value.to_str().unwrap_or_default().trim());
        if if_none_match.is_some_and(|value| value != "*") {
            return Err(Problem::parameter("if-none-match", "expected *, which creates a layer only"));
        }
        let filename = filename.as_deref().map_or("body", base_name);
        Ok(Self {
            name,
            creates_only: if_none_match.is_some(),
            space: input.coordinate_space(),
            description: Description { title, attribution, weight: columns.weight.clone(), ..Description::default() },
            filename: without_compression_suffix(filename).to_owned(),
            partition,
            media_type: content_type(headers),
            compression: Compression::of(headers)?,
            columns,
            options: input.read_options(),
            limit_bytes,
        })
    }

    /// Creates the layer with the points of `body`, or replaces those of an existing one. Returns whether it was created.
    fn replace(&self, app: &Session, body: RequestBody, permit: &WritePermit) -> HttpResult<(IngestReply, bool)> {
        let (source, content) = self.source(body, permit)?;
        let partition = self.partition(content)?;
        let existing = app.store.layer(&self.name)?;
        let space = existing.as_ref().map_or(self.space, |layer| layer.coordinate_space());
        if self.space == CoordinateSpace::Plane && space == CoordinateSpace::Globe {
            let detail = "the layer is on the globe; points on a plane need a layer of their own";
            return Err(Problem::parameter(Parameter::CRS.key(), detail));
        }
        let stop = permit.stop();
        let stored_weight = existing.as_ref().and_then(|layer| layer.snapshot().description().weight.clone());
        let columns = Columns { weight: self.columns.weight.clone().or(stored_weight), ..self.columns.clone() };
        let query = Query::default()
            .with_names(columns)
            .with_coordinate_space(space)
            .with_max_rejections(MAX_REJECTIONS)
            .with_stop(Some(&stop));
        let into = |existing| Target { existing, partition: partition.as_ref() };
        let imported = match &existing {
            Some(_) if self.creates_only => return Err(exists(&self.name)),
            Some(layer) => self.import(layer, &*source, &query, into(ExistingPoints::Replace)),
            None => app.store.create_with(&self.name, space, self.description.clone(), |layer| {
                self.import(layer, &*source, &query, into(ExistingPoints::Keep))
            }),
        };
        let imported = imported.map_err(|error| match error {
            Error::Invalid { parameter: Parameter::LAYER, .. } if self.creates_only => exists(&self.name),
            Error::Invalid { parameter: Parameter::LAYER, message } => Problem::conflict(message.with_keys()),
            Error::Input { input, message } if input.as_os_str() == self.filename.as_str() => {
                Problem::body(message.with_keys())
            }
            // A folder that is not a layer.
            Error::Input { message, .. } if existing.is_none() => Problem::conflict(message.with_keys()),
            error => error.into(),
        })?;
        let (ImportReport { report, beyond_map, points }, is_replaced) = imported;
        let repeated = !is_replaced;
        app.metrics.ingested(if repeated { 0 } else { points }, report.rejected, beyond_map, repeated);
        let layer = app.stored_layer(&self.name)?;
        let version = app.published(&layer)?.1;
        let mut reply = IngestReply::of(points, report, beyond_map, version, &self.filename);
        let snapshot = layer.snapshot();
        reply.remarks.extend(retention_remark(&snapshot, |before_us| snapshot.expiry(before_us)));
        reply.repeated = repeated;
        Ok((reply, existing.is_none()))
    }

    /// The partition of the upload, of which `content` is the digest of the body. The same body is another run if it is read
    /// in another way.
    fn partition(&self, content: u64) -> Result<Option<Partition>> {
        let Some(name) = &self.partition else { return Ok(None) };
        let mut options = XxHash64::with_seed(0);
        options.write(format!("{:?} {:?} {:?}", self.columns, self.options, self.filename).as_bytes());
        Partition::new(name, Some(format!("content:{content:016x}{:016x}", options.finish()))).map(Some)
    }

    /// Copies the points of `body` to a temporary file. Returns the digest of the body, too.
    fn source(&self, body: RequestBody, permit: &WritePermit) -> HttpResult<(Box<dyn Source>, u64)> {
        let mut digest = XxHash64::with_seed(0);
        let mut limit = ContentLimit { max_bytes: self.limit_bytes, read_bytes: 0 };
        let read = |content: &mut dyn Read| read_as(content, self.media_type.as_deref(), &self.filename, &self.options);
        let read = body.read(self.compression, &mut limit, Some(&mut digest), &mut || permit.grow(), read)?;
        let source = read.map_err(|error| match error {
            Error::Input { message, .. } => Problem::body(message.with_keys()),
            error => Box::<Problem>::from(error),
        })?;
        Ok((source, digest.finish()))
    }

    /// Imports the points into a layer, and names its weights. Returns whether points were added.
    fn import(
        &self,
        layer: &StoredLayer,
        source: &dyn Source,
        query: &Query<'_>,
        Target { existing, partition }: Target<'_>,
    ) -> Result<(ImportReport, bool)> {
        let before = layer.snapshot().description().clone();
        let new = self.description.clone();
        let description = Description {
            title: new.title.or(before.title),
            attribution: new.attribution.or(before.attribution),
            weight: new.weight.or(before.weight),
            ..before
        };
        let threads = crate::available_threads();
        let prepared = layer.prepare_import(source, query, threads, &Progress::default())?;
        let (imported, is_replaced) = match partition {
            Some(partition) => layer.commit_partition(prepared, partition.clone(), Some(description.clone()))?,
            None => (layer.commit_import(prepared, existing, Some(description.clone()))?, true),
        };
        if imported.points == 0 {
            imported.report.require_points(std::slice::from_ref(&self.filename))?;
            let detail =
                "all points are beyond the edge of the map: 85.05° north or south, or outside the square of a plane";
            return Err(Error::input(&self.filename, detail));
        }
        // The column that the reader has found.
        if description.weight.is_none()
            && let Some(weight) = imported.report.weight.clone()
        {
            layer.set_description(Description { weight: Some(weight), ..description })?;
        }
        Ok((imported, is_replaced))
    }
}

/// What an upload replaces.
#[derive(Clone, Copy)]
struct Target<'a> {
    existing: ExistingPoints,
    partition: Option<&'a Partition>,
}

fn exists(name: &str) -> Box<Problem> {
    Problem::precondition(format!(
        "there is a layer `{name}` already; send the request without If-None-Match to replace its points"
    ))
}
