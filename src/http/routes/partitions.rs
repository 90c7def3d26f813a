//! `DELETE /{layer}/points`: removes partitions of a stored layer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::store::Partition;

parameter_set! {
    /// The partitions that are removed: one of the parameters is required.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PartitionOptions {
        /// Partition whose points are removed.
        partition: String = Declaration::new(Parameter::PARTITION, Kind::Label).example("2026-11-28"),
        /// The points of all partitions whose name sorts before this one are removed.
        partition_before: String = Declaration::new(Parameter::PARTITION_BEFORE, Kind::Label),
    }
}

/// The result of removing partitions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RemovedPoints {
    /// Number of points that were removed.
    #[schema(example = 998)]
    removed: u64,
    /// Version of the layer without the points, the `v` of its tiles.
    #[schema(example = "3f9c2b1a-42")]
    version: String,
}

/// Remove the points of partitions
///
/// Points without a partition stay. `PUT /{layer}/points?partition=…` replaces the points of a partition.
///
/// ```sh
/// curl -X DELETE 'localhost:3000/trips/points?partition=2026-11-28' -H "Authorization: Bearer $KILN_TOKEN"
/// ```
#[utoipa::path(delete, path = "/{layer}/points", operation_id = "delete_partitions", tag = "writes",
    params(("layer" = String, Path, description = "A layer of the store", example = "trips"), InQuery<PartitionOptions>),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "The points were removed", body = RemovedPoints),
        (status = 400, description = "Invalid or missing parameter", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer or partition", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is read from input files, which the server does not change", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn delete(
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    app.writable_store(&headers, &name)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let PartitionOptions { partition, partition_before } = fields.read()?;
    fields.finish()?;
    for name in [&partition, &partition_before].into_iter().flatten() {
        Partition::check_name(name)?;
    }
    let is_removed: Box<dyn Fn(&str) -> bool + Send> = match (partition.clone(), partition_before) {
        (Some(only), None) => Box::new(move |name| name == only),
        (None, Some(before)) => Box::new(move |name| name < &*before),
        _ => {
            let detail = "expected the name of a partition, or partition_before; DELETE /{layer} removes the layer";
            return Err(Problem::parameter(Parameter::PARTITION.key(), detail));
        }
    };
    let layer = app.stored_layer(&name)?;
    let shared = Arc::clone(&app);
    let work = move |_: &_| {
        let removed = layer.remove_partitions(is_removed).map_err(|error| shared.change_problem(&layer, error))?;
        if removed == 0 && partition.is_some() {
            return Err(Problem::not_found("the layer has no such partition"));
        }
        Ok(RemovedPoints { removed, version: shared.published(&layer)?.1 })
    };
    let reply = app.write_limiter.run(std::future::ready(()), work).await?;
    app.maintenance.notify_points_changed(&name);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}
