//! The source of a job's points.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::job_context::JobContext;
use crate::error::{DatabaseErrorKind, Error, Result};
use crate::geo::{Extent, Projection};
use crate::inputs::OpenInputs;
use crate::layer::{Layer, LayerSpec, StyleOptions, remarks_with_rejections};
use crate::parameter::Parameter;
use crate::postgis::{Database, LiveSnapshot, Relation, TableSpec};
use crate::source::{Columns, Query};

/// The source of a job's points.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A layer of the catalog. A live table is refreshed for each run.
    Layer(String),
    /// Inputs, read again for each run.
    Inputs(Box<LayerSpec>),
    /// A database query, executed again for each run.
    Query(Box<TableSpec>),
}

/// The points of a run.
pub(super) struct JobPoints<'a> {
    pub(super) layer: Arc<Layer>,
    /// The query of the points to draw.
    pub(super) query: Query<'a>,
    /// The extent of all points, regardless of the time window.
    pub(super) extent: Extent,
    /// Remarks on the inputs.
    pub(super) remarks: Vec<String>,
}

impl Subject {
    /// Checks the source, and returns the base style of the job `name`; `projection` is the projection of the job, if
    /// it is configured.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the key of a source that does not exist, or whose points do not match the projection.
    pub(super) fn check(
        &self,
        name: &str,
        projection: Option<Projection>,
        context: JobContext<'_>,
    ) -> Result<StyleOptions> {
        match self {
            Self::Layer(name) => {
                let layer = match context.catalog.find(name) {
                    // The table may be readable again when the job is due.
                    Err(Error::Database { .. }) => return Ok(StyleOptions::default()),
                    layer => layer?,
                };
                let Some(layer) = layer else {
                    let layers = context.catalog.layers();
                    let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
                    let near = crate::spelling::nearest(name, names.iter().copied(), str::to_lowercase);
                    let hint = crate::spelling::did_you_mean(&near);
                    let all = if names.is_empty() {
                        "there are no layers".to_owned()
                    } else {
                        format!("the layers are {}", names.join(", "))
                    };
                    return Err(Error::invalid(Parameter::LAYER, format!("there is no layer `{name}`; {hint}{all}")));
                };
                let space = layer.coordinate_space();
                if projection.is_some_and(|projection| projection.wraps() != space.wraps()) {
                    let space = if space.wraps() { "the globe" } else { "a plane" };
                    let message = format!("the points of `{name}` are on {space}");
                    return Err(Error::invalid(Parameter::PROJECTION, message));
                }
                Ok(layer.style().clone())
            }
            Self::Query(spec) => match relation(name, spec, context) {
                // The database may be reachable again when the job is due.
                Ok(_) | Err(Error::Database { kind: DatabaseErrorKind::Unreachable, .. }) => {
                    Ok(StyleOptions::default())
                }
                Err(Error::Input { message, .. }) => Err(Error::invalid(Parameter::QUERY, message)),
                Err(Error::Database { message, .. }) => Err(Error::invalid(Parameter::QUERY, message)),
                Err(other) => Err(other),
            },
            Self::Inputs(_) => Ok(StyleOptions::default()),
        }
    }

    /// The points of a run of the job `name` that pass the filter of `window`. If the job `has_bounds`, the extent of
    /// all points is not needed.
    pub(super) fn points<'a>(
        &self,
        name: &str,
        window: &Query<'a>,
        has_bounds: bool,
        context: JobContext<'_>,
        stop: &AtomicBool,
    ) -> Result<JobPoints<'a>> {
        let with_window = |query: Query<'static>| {
            query.with_start(window.filter.start_us).with_end(window.filter.end_us).with_stop(window.scan.stop)
        };
        let layer = match self {
            Self::Layer(name) => {
                let layer = context.catalog.find_refreshed(name, stop)?;
                layer.ok_or_else(|| Error::input(name, "the layer no longer exists"))?
            }
            Self::Query(spec) => {
                let (database, relation) = relation(name, spec, context)?;
                let snapshot = LiveSnapshot::of(database, relation, Some(stop))?;
                Arc::new(Layer::described(name, Arc::new(snapshot))?)
            }
            Self::Inputs(spec) => {
                let open = || -> Result<_> {
                    let OpenInputs { inputs, names, weight } =
                        OpenInputs::open(&spec.inputs, &spec.columns, &spec.read)?;
                    let columns = Columns { weight: spec.columns.weight.clone().or(weight), ..spec.columns.clone() };
                    Ok((LayerSpec { inputs: names, columns, ..LayerSpec::clone(spec) }, inputs))
                };
                // The extent does not depend on the window, so that all pictures have the same bounds.
                let all = if has_bounds {
                    None
                } else {
                    Some(open().and_then(|(spec, all)| Layer::of_source(spec, Box::new(all)))?)
                };
                let extent = all.as_ref().map(|layer| layer.extent().clone()).unwrap_or_default();
                let is_all = window.filter.start_us.is_none() && window.filter.end_us.is_none();
                let layer = if let Some(all) = all.filter(|_| is_all) {
                    all
                } else {
                    let (spec, inputs) = open()?;
                    Layer::filtered(spec, Box::new(inputs), window)?
                };
                // A layer in memory is already filtered; a larger one is filtered again on each scan.
                let query = layer.query();
                let query =
                    if layer.point_set().is_reread() { with_window(query) } else { query.with_stop(window.scan.stop) };
                let remarks = remarks_with_rejections(&layer.report(), Parameter::key);
                return Ok(JobPoints { layer: Arc::new(layer), query, extent, remarks });
            }
        };
        let (query, extent) = (with_window(layer.query()), layer.extent().clone());
        Ok(JobPoints { layer, query, extent, remarks: Vec::new() })
    }
}

/// The relation of a database query.
fn relation<'w>(job: &str, spec: &TableSpec, context: JobContext<'w>) -> Result<(&'w Arc<Database>, Relation)> {
    let missing = || Error::invalid(Parameter::QUERY, "no database is configured; set postgis.url or DATABASE_URL");
    let database = context.database.ok_or_else(missing)?;
    Ok((database, database.relation(job, spec)?))
}
