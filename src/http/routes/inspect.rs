//! `POST /_/inspect`: the columns of a file, from its first and last bytes.

use std::path::Path as FilePath;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Message;
use crate::error::Error;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{ColumnOptions, InputOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::source::{DescribedColumn, FilePart, Inspection, Query, inspect as inspect_file};

parameter_set! {
    /// The file that a body is a part of.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct FilePartOptions {
        /// Name of the file. Its extension selects the format where the content leaves a choice.
        filename: String = Declaration::new(Parameter::FILENAME, Kind::Label).example("trips.csv.gz"),
        /// Size of the file in bytes.
        file_bytes: u64 = Declaration::new(Parameter::FILE_BYTES, Kind::COUNT).default("the size of the body"),
        /// Number of bytes at the end of the body that are the last ones of the file, where Parquet has its schema.
        end_bytes: u64 = Declaration::new(Parameter::END_BYTES, Kind::COUNT).default("0"),
    }
}

/// The columns of a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct InspectReply {
    /// Format of the file.
    #[schema(example = "CSV")]
    format: &'static str,
    /// Columns, in the order of the file; none if the format is read as a whole and the body is only a part of it.
    columns: Vec<ColumnReply>,
    /// Assumptions of the reader.
    notices: Vec<String>,
    /// Why the points cannot be read with these columns and parameters; null if they can.
    problem: Option<String>,
}

/// A column of a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ColumnReply {
    /// Name of the column, or its number if the columns have no names.
    #[schema(example = "pickup_lon")]
    name: String,
    /// Name of the parameter whose column this is, such as `lon` or `weight`; null if the column is not read.
    #[schema(example = "lon")]
    role: Option<&'static str>,
    /// The first different values as text, or their range if they are beyond the body.
    #[schema(example = json!(["18.07", "18.03"]))]
    values: Vec<String>,
}

impl From<DescribedColumn> for ColumnReply {
    fn from(column: DescribedColumn) -> Self {
        let DescribedColumn { name, role, values } = column;
        Self { name, role: role.map(|role| role.parameter().key()), values }
    }
}

/// Columns of a file
///
/// The columns with their first values, and those that are read as longitude, latitude, weight, time and category. The
/// body is the start of the file, followed by its last `end_bytes` bytes; nothing is stored. The map page sends it before
/// an upload.
///
/// ```sh
/// head -c 100000 trips.csv | curl 'localhost:3000/_/inspect?filename=trips.csv&file_bytes=52428800' -H "Authorization: Bearer $KILN_TOKEN" --data-binary @-
/// ```
#[utoipa::path(post, path = "/_/inspect", operation_id = "inspect_file", tag = "writes",
    params(InQuery<FilePartOptions>, InQuery<ColumnOptions>, InQuery<InputOptions>),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "The columns", body = InspectReply),
        (status = 400, description = "Invalid parameter, or a file that cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds limits.body", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported Content-Encoding", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn inspect(
    app: Session,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    app.authorize_write(&headers)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let FilePartOptions { filename, file_bytes, end_bytes } = fields.read()?;
    let columns = fields.read::<ColumnOptions>()?.columns();
    let input: InputOptions = fields.read()?;
    fields.finish()?;
    let end_bytes = usize::try_from(end_bytes.unwrap_or(0)).ok().filter(|end| *end <= body.len());
    let Some(start_bytes) = end_bytes.map(|end| body.len() - end) else {
        let detail = format!("it exceeds the body, which has {} bytes", body.len());
        return Err(Problem::parameter(Parameter::END_BYTES.key(), detail));
    };
    let bytes = file_bytes.unwrap_or(start_bytes as u64);
    if bytes < start_bytes.max(body.len() - start_bytes) as u64 {
        return Err(Problem::parameter(Parameter::FILE_BYTES.key(), "the file would be smaller than its parts"));
    }
    let limit = app.config.limits.ingest_body.bytes();
    if bytes > limit {
        let detail = format!("the file has {bytes} bytes, which exceeds the limit of {limit}");
        return Err(Problem::too_large("limits.ingest_body", detail));
    }
    let name = filename.as_deref().map_or(BODY_NAME, base_name).to_owned();
    let work = move |_: &_| {
        let query = Query::default()
            .with_names(columns)
            .with_coordinate_space(input.coordinate_space())
            .with_weights(true)
            .with_times(true)
            .with_categories(true)
            .with_tracks(true);
        let (start, end) = body.split_at(start_bytes);
        match inspect_file(FilePart { start, end, bytes }, &name, &input.read_options(), &query) {
            Err(Error::Input { message, .. }) => Ok(Err(message)),
            inspected => inspected.map(Ok),
        }
    };
    let inspected = app.pool.run(work).await?.map_err(|message: Message| Problem::body(message.with_keys()))?;
    let Inspection { format, columns, notices, problem } = inspected;
    let reply = InspectReply {
        format,
        columns: columns.into_iter().map(ColumnReply::from).collect(),
        notices: notices.iter().map(Message::with_keys).collect(),
        problem: problem.as_ref().map(Message::with_keys),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// The name of a body without a filename, in messages.
const BODY_NAME: &str = "body";

/// A filename without folders, which some clients send.
pub(super) fn base_name(filename: &str) -> &str {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    if FilePath::new(name).file_name().is_some() { name } else { BODY_NAME }
}
