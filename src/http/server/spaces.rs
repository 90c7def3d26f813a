//! Spaces: plane layers, and the categories of their points.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::problem::{HttpResult, Problem};
use super::session::Session;
use crate::error::Result;
use crate::layer::Layer;
use crate::layer_name;
use crate::occupancy::known_categories;
use crate::source::CoordinateSpace;
use crate::spelling::nearest_first;

/// The points of spaces in a layer.
#[derive(Clone, Debug)]
pub(crate) struct SpacesOfLayer {
    pub(crate) layer: Arc<Layer>,
    /// The categories of the spaces; empty if the whole layer is one space.
    pub(crate) categories: Vec<String>,
}

/// A cache of the categories of plane layers, by name and version.
#[derive(Debug)]
pub(crate) struct Spaces(Cache<String, Arc<BTreeSet<String>>, BySize>);

#[derive(Clone, Copy, Debug)]
struct BySize;

impl Weighter<String, Arc<BTreeSet<String>>> for BySize {
    fn weight(&self, key: &String, names: &Arc<BTreeSet<String>>) -> u64 {
        /// The memory of a name without its bytes.
        const NAME_BYTES: usize = 64;
        (key.len() + names.iter().map(|name| name.len() + NAME_BYTES).sum::<usize>()) as u64
    }
}

impl Spaces {
    /// The typical number of layers in the cache.
    const LAYERS: usize = 256;
    /// The maximum size of the cache.
    const MAX_BYTES: u64 = 16 << 20;

    /// Creates an empty cache.
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(Self::LAYERS, Self::MAX_BYTES, BySize))
    }

    /// The categories of a layer's points.
    fn categories(&self, layer: &Layer, threads: usize, stop: &AtomicBool) -> Result<Arc<BTreeSet<String>>> {
        let key = format!("{}/{}", layer.name(), layer.version());
        self.0.get_or_insert_with(&key, || {
            let query = layer.query().with_stop(Some(stop));
            known_categories(layer, &query, threads).map(|names| Arc::new(names.into_iter().collect()))
        })
    }

    /// The plane layers with points of the category `id`, and the names and categories of the other ones.
    pub(crate) fn layers_with(
        &self,
        session: &Session,
        id: &str,
        stop: &AtomicBool,
    ) -> Result<(Vec<Arc<Layer>>, BTreeSet<String>)> {
        let (mut layers, mut others) = (Vec::new(), BTreeSet::new());
        for layer in session.layers() {
            if layer.coordinate_space() != CoordinateSpace::Plane || layer.parent().is_some() {
                continue;
            }
            let categories = self.categories(&layer, session.render_threads(), stop)?;
            if categories.contains(id) {
                layers.push(layer);
            } else {
                others.insert(layer.name().to_owned());
                others.extend(categories.iter().cloned());
            }
        }
        Ok((layers, others))
    }

    /// Finds spaces by their ids: each is a plane layer of that name, or else a category of the points of a plane layer.
    pub(crate) fn find(
        &self,
        session: &Session,
        ids: &[String],
        stop: &AtomicBool,
    ) -> Result<HttpResult<Vec<SpacesOfLayer>>> {
        let mut found: Vec<SpacesOfLayer> = Vec::new();
        for id in ids {
            let named = if layer_name::is_valid(id) { session.find(id)? } else { None };
            if let Some(layer) = named.filter(|layer| layer.coordinate_space() == CoordinateSpace::Plane) {
                found.push(SpacesOfLayer { layer, categories: Vec::new() });
                continue;
            }
            let (layers, known) = self.layers_with(session, id, stop)?;
            match &layers[..] {
                [layer] => match found.iter_mut().find(|other| Arc::ptr_eq(&other.layer, layer)) {
                    Some(other) if !other.categories.is_empty() => other.categories.push(id.clone()),
                    _ => found.push(SpacesOfLayer { layer: Arc::clone(layer), categories: vec![id.clone()] }),
                },
                [] => return Ok(Err(unknown(id, &known))),
                several => {
                    let names: Vec<&str> = several.iter().map(|layer| layer.name()).collect();
                    let names = names.join(", ");
                    let detail =
                        format!("space_id: `{id}` is a space of several layers, {names}; query one by /{{layer}}/grid");
                    return Ok(Err(Problem::conflict(detail)));
                }
            }
        }
        Ok(match counted_twice(&found) {
            Some(problem) => Err(problem),
            None => Ok(found),
        })
    }
}

/// The problem of a layer together with categories or a query of it.
fn counted_twice(found: &[SpacesOfLayer]) -> Option<Box<Problem>> {
    let whole = |spaces: &&SpacesOfLayer| spaces.categories.is_empty() && spaces.layer.parent().is_none();
    let base = |layer: &Layer| layer.parent().map_or(layer.name(), |parent| parent.name()).to_owned();
    let is_doubled = |name: &str| found.iter().filter(|spaces| base(&spaces.layer) == name).count() > 1;
    let layer = found.iter().filter(whole).map(|spaces| spaces.layer.name()).find(|name| is_doubled(name))?;
    let detail = format!("`{layer}` includes another of the ids, whose detections would be counted twice; omit either");
    Some(Problem::parameter("space_id", detail))
}

/// The problem of an unknown space.
fn unknown(id: &str, known: &BTreeSet<String>) -> Box<Problem> {
    const NEAREST: usize = 3;
    const MAX_CHARS: usize = 64;
    let id: String = id.chars().take(MAX_CHARS).collect();
    let near = nearest_first(&id, known.iter().map(String::as_str));
    let near = match near.get(..NEAREST.min(near.len())).unwrap_or_default() {
        [] => "the server has no layer on a plane".to_owned(),
        near => format!("the nearest ones are {}", near.join(", ")),
    };
    Problem::not_found(format!("space_id: there is no space `{id}`; {near}"))
}
