//! A job: where its points come from.

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

/// Where a job's points come from.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A layer of the catalog; a live table is looked at anew for each run.
    Layer(String),
    /// Inputs that are read anew for each run.
    Inputs(Box<LayerSpec>),
    /// A query of the database, which is asked anew for each run.
    Query(Box<TableSpec>),
}

/// The points of a run.
pub(super) struct JobPoints<'a> {
    pub(super) layer: Arc<Layer>,
    /// Which of them are to be drawn.
    pub(super) query: Query<'a>,
    /// Where all of them are, whatever their times.
    pub(super) extent: Extent,
    /// Remarks on inputs that were read for the run.
    pub(super) remarks: Vec<String>,
}

impl Subject {
    /// The style that a job `name` begins with; `projection` is how its ground is laid flat, if it says so.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the key at fault, if it can be seen already that there are no such points.
    pub(super) fn check(
        &self,
        name: &str,
        projection: Option<Projection>,
        context: JobContext<'_>,
    ) -> Result<StyleOptions> {
        match self {
            Self::Layer(name) => {
                let Some(layer) = context.catalog.find(name)? else {
                    let layers = context.catalog.layers();
                    let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
                    let near = crate::spelling::nearest(name, names.iter().copied(), str::to_lowercase);
                    let hint = crate::spelling::did_you_mean(&near);
                    let all = if names.is_empty() { "none at all".to_owned() } else { names.join(", ") };
                    return Err(Error::invalid(
                        Parameter::LAYER,
                        format!("there is no layer `{name}`; {hint}there are {all}"),
                    ));
                };
                let space = layer.coordinate_space();
                if projection.is_some_and(|projection| projection.wraps() != space.wraps()) {
                    let why = if space.wraps() { "on the globe" } else { "on a plane" };
                    return Err(Error::invalid(Parameter::PROJECTION, format!("the points of `{name}` lie {why}")));
                }
                Ok(layer.style().clone())
            }
            Self::Query(spec) => match relation(name, spec, context) {
                // It may be there again when the job is due.
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

    /// The points of a run of the job `name`: those that pass the filters of `window`. `is_framed` says that nobody asks where
    /// all of them are.
    pub(super) fn points<'a>(
        &self,
        name: &str,
        window: &Query<'a>,
        is_framed: bool,
        context: JobContext<'_>,
        stop: &AtomicBool,
    ) -> Result<JobPoints<'a>> {
        let within = |query: Query<'static>| {
            query.with_start(window.filter.start_us).with_end(window.filter.end_us).with_stop(window.scan.stop)
        };
        let layer = match self {
            Self::Layer(name) => {
                let layer = context.catalog.find_refreshed(name, stop)?;
                layer.ok_or_else(|| Error::input(name, "there is no such layer any more"))?
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
                // Of which ground there are points does not depend on the window: each picture is to show the same.
                let all = if is_framed {
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
                // A layer in memory holds only what passes; a larger one is filtered again as it is read.
                let query = layer.query();
                let query =
                    if layer.point_set().is_reread() { within(query) } else { query.with_stop(window.scan.stop) };
                let remarks = remarks_with_rejections(&layer.report(), Parameter::key);
                return Ok(JobPoints { layer: Arc::new(layer), query, extent, remarks });
            }
        };
        let (query, extent) = (within(layer.query()), layer.extent().clone());
        Ok(JobPoints { layer, query, extent, remarks: Vec::new() })
    }
}

/// The rows that a query of the database answers.
fn relation<'w>(job: &str, spec: &TableSpec, context: JobContext<'w>) -> Result<(&'w Arc<Database>, Relation)> {
    let why = || Error::invalid(Parameter::QUERY, "no database is named; set postgis.url, or DATABASE_URL");
    let database = context.database.ok_or_else(why)?;
    Ok((database, database.relation(job, spec)?))
}
