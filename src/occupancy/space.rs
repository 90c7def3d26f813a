//! Spaces: the categories of detections.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use super::{CellSystem, OccupancyRequest};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::source::{CategorySet, Query};
use crate::spelling::nearest_first;

/// The categories of the points that `query` selects, in alphabetical order. Empty if the points have none.
///
/// # Errors
/// As [`PointSet::occupancy`](crate::source::PointSet::occupancy).
pub fn known_categories(layer: &Layer, query: &Query<'_>, threads: usize) -> Result<Vec<String>> {
    let query = query.clone().with_weights(false);
    let request = OccupancyRequest::new(CellSystem::Whole).with_categories(true);
    let grid = layer.point_set().occupancy(&query, &request, threads)?;
    Ok(grid.categories.iter().map(ToString::to_string).collect())
}

/// Checks that each of `names` is a category of the points of `layer`.
///
/// # Errors
/// [`Error::Invalid`] for `category` if one is not; the message has the nearest categories. As
/// [`known_categories`] otherwise.
pub fn check_categories(layer: &Layer, names: &CategorySet, stop: &AtomicBool, threads: usize) -> Result<()> {
    const NEAREST: usize = 3;
    const MAX_CHARS: usize = 64;
    let known = known_categories(layer, &layer.query().with_stop(Some(stop)), threads)?;
    let all: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let Some(unknown) = names.names().iter().find(|name| !all.contains(&***name)) else { return Ok(()) };
    let unknown: String = unknown.chars().take(MAX_CHARS).collect();
    let near = nearest_first(&unknown, all.iter().copied());
    let near = match near.get(..NEAREST.min(near.len())).unwrap_or_default() {
        [] => "the layer has no categories".to_owned(),
        near => format!("the nearest ones are {}", near.join(", ")),
    };
    Err(Error::invalid(Parameter::CATEGORY, format!("there are no points of `{unknown}`; {near}")))
}
