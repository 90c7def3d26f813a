//! What a store must contain after a power cut, and what it contains.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use kiln::geo::Points;
use kiln::source::{Query, Sink, Source};
use kiln::store::{AppendOutcome, Batch, Description, Progress, Request, Store, StoredLayer};
use serde_json::Value;

/// The layers of a store by name.
pub(crate) type State = BTreeMap<String, LayerState>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerState {
    title: Option<String>,
    /// The number of points by weight. Each change has a weight of its own.
    points: BTreeMap<u32, u64>,
    rooms: Option<String>,
    has_floor_plan: bool,
}

/// A change of a store.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Creates a layer, or changes its title.
    Title {
        layer: &'static str,
        title: String,
    },
    Append {
        layer: &'static str,
        weight: u32,
        count: u64,
    },
    Replace {
        layer: &'static str,
        weight: u32,
        count: u64,
    },
    /// Removes the points of a weight by their age.
    Expire {
        layer: &'static str,
        weight: u32,
    },
    Rooms {
        layer: &'static str,
        name: Option<String>,
    },
    FloorPlan {
        layer: &'static str,
        is_there: bool,
    },
    Drop {
        layer: &'static str,
    },
    /// Changes nothing that a reader sees.
    Compact,
}

impl Change {
    pub(crate) fn apply(&self, state: &mut State) {
        match self {
            Self::Title { layer, title } => {
                state.entry((*layer).to_owned()).or_default().title = Some(title.clone());
            }
            Self::Append { layer, weight, count } => {
                let layer = state.entry((*layer).to_owned()).or_default();
                *layer.points.entry(*weight).or_default() += count;
            }
            Self::Replace { layer, weight, count } => {
                state.entry((*layer).to_owned()).or_default().points = BTreeMap::from([(*weight, *count)]);
            }
            Self::Expire { layer, weight } => {
                if let Some(layer) = state.get_mut(*layer) {
                    layer.points.remove(weight);
                }
            }
            Self::Rooms { layer, name } => {
                if let Some(layer) = state.get_mut(*layer) {
                    layer.rooms.clone_from(name);
                }
            }
            Self::FloorPlan { layer, is_there } => {
                if let Some(layer) = state.get_mut(*layer) {
                    layer.has_floor_plan = *is_there;
                }
            }
            Self::Drop { layer } => drop(state.remove(*layer)),
            Self::Compact => {}
        }
    }
}

/// The changes of clients, each of which makes one after another.
#[derive(Debug, Default)]
pub(super) struct Workload(pub(super) Vec<Vec<(String, Change)>>);

impl Workload {
    /// The states of which a store must have one after a power cut: each with all acknowledged changes, and with or without the
    /// change that each client has made but that is not acknowledged.
    fn allowed(&self, acknowledged: &[&str]) -> Vec<State> {
        let changes: BTreeMap<&str, &Change> =
            self.0.iter().flatten().map(|(name, change)| (name.as_str(), change)).collect();
        let mut state = State::new();
        for name in acknowledged {
            changes[name].apply(&mut state);
        }
        let is_open = |(name, _): &&(String, Change)| !acknowledged.contains(&name.as_str());
        let mut allowed = vec![state];
        for (_, change) in self.0.iter().filter_map(|client| client.iter().find(is_open)) {
            let mut with = allowed.clone();
            for state in &mut with {
                change.apply(state);
            }
            allowed.extend(with);
        }
        allowed
    }

    /// Checks a store after a power cut, and that it can be written to again.
    pub(super) fn check(&self, folder: &Path, acknowledged: &[&str]) -> Result<(), String> {
        let store = Store::open(folder).map_err(|error| error.to_string())?;
        let state = observe(&store)?;
        let allowed = self.allowed(acknowledged);
        if !allowed.contains(&state) {
            return Err(format!("the store has {state:?} instead of one of {allowed:?}"));
        }
        store.sweep();
        leftovers(folder)?;
        for (name, change) in self.0.iter().flatten() {
            if let Change::Append { layer, weight, .. } = change
                && let Some(layer) = store.layer(layer).map_err(|error| error.to_string())?
                && name.starts_with("key-")
            {
                let is_there = state[layer.name()].points.contains_key(weight);
                let request = Request { key: name.clone(), digest: 0, accepted: 1, rejected: 0, at_s: 0 };
                // A remembered key is rejected with another body, which has another digest.
                let is_new = layer
                    .append(point_of(&layer, 0.5), Some(request))
                    .is_ok_and(|done| done == AppendOutcome::Appended);
                if is_there == is_new {
                    return Err(format!("the points of {name} are there: {is_there}; its key counts as new: {is_new}"));
                }
            }
        }
        write_again(&store).map_err(|error| format!("the store cannot be written to: {error}"))?;
        leftovers(folder)
    }
}

fn point_of(layer: &StoredLayer, weight: f32) -> Batch {
    let mut batch = layer.batch();
    batch.add(Points::new(&[1.0], &[2.0]).unwrap().with_weight(&[weight]).unwrap());
    batch
}

/// Appends to, merges and creates a layer.
fn write_again(store: &Store) -> kiln::error::Result<()> {
    if let Some(name) = store.names()?.first()
        && let Some(layer) = store.layer(name)?
    {
        let before = layer.snapshot().points();
        layer.append(point_of(&layer, 7.0), None)?;
        layer.compact(1, &Progress::default())?;
        assert_eq!(layer.snapshot().points(), before + 1);
    }
    let created = store.create("next", Description::default())?;
    created.append(point_of(&created, 7.0), None)?;
    assert_eq!(Store::open(store.folder())?.layer("next")?.map(|layer| layer.snapshot().points()), Some(1));
    Ok(())
}

/// Reads all layers, with all checksums.
pub(crate) fn observe(store: &Store) -> Result<State, String> {
    let text = |error: kiln::error::Error| error.to_string();
    let mut state = State::new();
    for name in store.names().map_err(text)? {
        let layer = store.layer(&name).map_err(text)?.ok_or("a layer is missing")?;
        if let Some(damage) = layer.verify().first() {
            return Err(damage.reason.clone());
        }
        let snapshot = layer.snapshot();
        let mut points = BTreeMap::new();
        let mut count = |batch: Points<'_>| {
            for i in 0..batch.len() {
                *points.entry(batch.weight().map_or(1.0, |weight| weight[i]) as u32).or_default() += 1;
            }
            ControlFlow::Continue(())
        };
        let mut sinks: [&mut Sink<'_>; 1] = [&mut count];
        snapshot.scan(&Query::default().with_weights(true), &mut sinks).map_err(text)?;
        let rooms = store.rooms(&name).map_err(text)?;
        let rooms = rooms.map(|rooms| {
            let rooms: Value = serde_json::from_str(&rooms).map_err(|error| format!("damaged rooms: {error}"))?;
            Ok::<_, String>(rooms["features"][0]["properties"]["name"].as_str().unwrap_or_default().to_owned())
        });
        let (title, rooms) = (snapshot.description().title.clone(), rooms.transpose()?);
        let has_floor_plan = store.floor_plan(&name).map_err(text)?.is_some();
        state.insert(name, LayerState { title, points, rooms, has_floor_plan });
    }
    Ok(state)
}

/// Fails if the store has files that no layer uses.
pub(crate) fn leftovers(store: &Path) -> Result<(), String> {
    let mut unused = Vec::new();
    for entry in fs::read_dir(store).into_iter().flatten() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let Ok(manifest) = fs::read_to_string(folder.join("manifest.json")) else {
            unused.extend((!["server.lock", "server.clock"].contains(&name.as_str())).then_some(name));
            continue;
        };
        let manifest: Value = serde_json::from_str(&manifest).map_err(|error| error.to_string())?;
        let mut used: BTreeSet<String> =
            [".lock", "manifest.json", "rooms.geojson", "floorplan"].map(str::to_owned).into();
        for segment in manifest["layer"]["segments"].as_array().unwrap() {
            let id = segment["id"].as_u64().unwrap();
            used.extend(["points", "bins"].map(|file| format!("{id:08}.{file}.arrow")));
        }
        let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        unused.extend(files.filter(|file| !used.contains(file)).map(|file| format!("{name}/{file}")));
    }
    if unused.is_empty() { Ok(()) } else { Err(format!("left over: {unused:?}")) }
}
