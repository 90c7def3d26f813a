//! Comparison of the store with the model.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kiln_core::error::Error;

use super::disk::FileKind;
use super::model::{Fate, Seen};
use super::operation::content;
use super::points;
use super::run::{FOLDER, LAYERS, PROCESSES, Run};
use crate::{Store, StoredLayer};

impl Run {
    /// Checks that both processes see what the model expects.
    pub(super) fn check_all(&mut self) -> Result<(), String> {
        self.world.sleep(StoredLayer::REFRESH_INTERVAL + Duration::from_millis(50));
        for process in 0..PROCESSES.len() {
            for layer in 0..LAYERS.len() {
                let seen = self.world.clone().enter(process as u32, None, || self.see(process, layer));
                let seen = seen.and_then(|seen| self.check(layer, seen));
                seen.map_err(|error| format!("{} of {}: {error}", PROCESSES[process], LAYERS[layer]))?;
            }
        }
        let checks_old = self.below(4) == 0;
        for (snapshot, contents) in self.old.iter().filter(|_| checks_old) {
            if points::read(snapshot, &self.sent)? != *contents {
                return Err("an old snapshot has changed".to_owned());
            }
        }
        self.old.truncate(4);
        self.check_grace()
    }

    /// Checks that the files of removed segments and layers are there during their grace time.
    fn check_grace(&mut self) -> Result<(), String> {
        let (now, state) = (self.world.monotonic(), self.world.state());
        self.kept.retain(|_, until| now < *until);
        let folders = state.disk.read_dir(Path::new(FOLDER)).unwrap_or_default();
        let removed: Vec<String> =
            folders.into_iter().map(|(name, _)| name).filter(|name| name.starts_with(".work-removed-")).collect();
        for (layer, file) in self.kept.keys() {
            let path = Path::new(LAYERS[*layer]).join(file);
            let mut folders = std::iter::once("").chain(removed.iter().map(String::as_str));
            if !folders.any(|folder| state.disk.status(&Path::new(FOLDER).join(folder).join(&path)).is_ok()) {
                return Err(format!("{} is removed before its grace time", path.display()));
            }
        }
        Ok(())
    }

    fn check(&mut self, layer: usize, seen: Option<Seen>) -> Result<(), String> {
        match (&mut self.layers[layer], seen) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err("the layer was removed, but is there".to_owned()),
            (Some(model), None) if model.may_be_absent => {
                if !model.is_unsure {
                    self.layers[layer] = None;
                }
                Ok(())
            }
            (Some(_), None) => Err("the layer is missing".to_owned()),
            (Some(model), Some(seen)) => {
                self.points += seen.contents.values().map(|points| points.len() as u64).sum::<u64>();
                model.check(&seen)
            }
        }
    }

    /// What a process sees of a layer.
    fn see(&mut self, process: usize, index: usize) -> Result<Option<Seen>, String> {
        let Some(store) = &self.stores[process] else { return Ok(None) };
        let name = LAYERS[index];
        let failed = |error: Error| format!("it cannot be read: {error}");
        let Some(layer) = store.layer(name).map_err(failed)? else { return Ok(None) };
        let snapshot = layer.snapshot();
        if let Some(damage) = snapshot.damaged().first() {
            return Err(format!("damage: {}", damage.reason));
        }
        let contents = points::read(&snapshot, &self.sent)?;
        let title = parse("title", snapshot.description().title.as_deref())?;
        let known = self.versions.entry(snapshot.version()).or_insert_with(|| (contents.clone(), title));
        if *known != (contents.clone(), title) {
            return Err(format!("the version {} had other contents before", snapshot.version()));
        }
        let rooms = parse("rooms", store.rooms(name).map_err(failed)?.as_deref())?;
        let mut plan = None;
        if let Some(mut file) = store.floor_plan(name).map_err(failed)? {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut file, &mut text).map_err(|error| error.to_string())?;
            plan = parse("plan", Some(&text))?;
        }
        let until = self.world.monotonic() + Duration::from_secs(self.grace_s);
        // At the end of time, only the files of segments that were not removed are in use.
        for file in snapshot.manifest.files(u64::MAX).into_iter().filter(|_| self.grace_s > 0) {
            self.kept.insert((index, file), until);
        }
        self.old.push((snapshot, contents.clone()));
        Ok(Some(Seen { contents, title, rooms, plan }))
    }

    /// Flips a bit of a file while no process runs: the damage is reported, or changes nothing.
    pub(super) fn rot(&mut self) -> Result<(), String> {
        let layer = self.below(LAYERS.len() as u64) as usize;
        let name = LAYERS[layer];
        let folder = Path::new(FOLDER).join(name);
        let is_settled = self.layers[layer].as_ref().is_some_and(|layer| layer.is_settled() && !layer.is_unsure);
        let files = self.world.state().disk.read_dir(&folder).unwrap_or_default();
        let is_checked =
            |name: &String| ["manifest.json", "rooms.geojson"].contains(&&**name) || name.ends_with(".arrow");
        let files: Vec<String> = files.into_iter().map(|(name, _)| name).filter(is_checked).collect();
        let Some(file) = self.world.state().random.choose(&files).cloned().filter(|_| is_settled) else {
            return Ok(());
        };
        let expected: u64 = self.layers[layer]
            .iter()
            .flat_map(|model| model.requests.values())
            .map(|(request, fates)| {
                let count = |fate: &Fate| match fate {
                    Fate::Absent => 0,
                    Fate::Since(time) => request.since(*time).len() as u64,
                };
                fates.iter().map(count).sum::<u64>()
            })
            .sum();
        for process in 0..PROCESSES.len() {
            self.world.clone().enter(process as u32, None, || self.stores[process] = None);
        }
        let rooms = self.layers[layer].as_ref().and_then(|model| model.rooms.first().copied().flatten());
        let bit = self.world.state().random.next();
        let path = folder.join(&file);
        if !self.world.state().disk.flip(&path, bit) {
            return self.restart_processes();
        }
        self.world.log(format!("a bit of {name}/{file} flips"));
        let sent = &self.sent;
        self.world.enter(0, None, || {
            let store = Store::open_for_server(Path::new(FOLDER)).map_err(|error| error.to_string())?;
            let layer = match store.layer(name) {
                Ok(Some(layer)) => layer,
                Ok(None) => return Err("the damaged layer is missing".to_owned()),
                Err(error) if error.to_string().contains("damaged") || error.to_string().contains("format") => {
                    return Ok(());
                }
                Err(error) => return Err(format!("damage is not reported as such: {error}")),
            };
            match store.rooms(name) {
                Ok(text) if text.is_none() && rooms.is_some() => return Err("the rooms are missing".to_owned()),
                Ok(Some(text)) => {
                    // The parser of rooms notices a damaged checksum in front of the text, unless it is still white space.
                    let text = text.trim_start_matches([' ', '\t', '\n', '\r']);
                    let is_whole = rooms.is_some_and(|rooms| text == content("rooms", rooms));
                    if text.starts_with("rooms") && !is_whole {
                        return Err("damaged rooms are not noticed".to_owned());
                    }
                }
                Err(error) if !error.to_string().contains("damaged") => return Err(error.to_string()),
                _ => {}
            }
            layer.verify();
            let snapshot = layer.snapshot();
            let lost: u64 = snapshot.damaged().iter().map(|damage| damage.points).sum();
            let read: u64 = points::read(&snapshot, sent)?.values().map(|points| points.len() as u64).sum();
            if read + lost != expected {
                return Err(format!("{read} points are read and {lost} reported as damaged of {expected}"));
            }
            Ok(())
        })?;
        self.world.state().disk.flip(&path, bit);
        self.world.log("the bit is restored");
        self.restart_processes()
    }

    /// Checks that a sweep leaves nothing but what is in use.
    pub(super) fn check_sweep(&mut self) -> Result<(), String> {
        /// Longer than any grace time, also of files that were removed while the clock was wrong.
        const LONG: Duration = Duration::from_secs(15 * 86_400);
        let Some(store) = &self.stores[0] else { return Ok(()) };
        self.world.sleep(LONG);
        let listed = self.world.enter(0, None, || {
            store.sweep_removed();
            store.sweep();
            let layers = LAYERS.into_iter().filter_map(|name| store.layer(name).ok().flatten());
            let files = layers.map(|layer| (layer.name().to_owned(), layer.snapshot().manifest.files(u64::MAX)));
            files.collect::<std::collections::BTreeMap<_, _>>()
        });
        let state = self.world.state();
        for (name, _) in state.disk.read_dir(Path::new(FOLDER)).unwrap_or_default() {
            if name.starts_with(".work-") {
                return Err(format!("the sweep leaves {name}"));
            }
            let folder: PathBuf = Path::new(FOLDER).join(&name);
            for (file, _) in state.disk.read_dir(&folder).unwrap_or_default() {
                let is_segment = file.ends_with(".arrow");
                let path = folder.join(&file);
                if is_segment && !listed.get(&name).is_some_and(|listed| listed.contains(&file)) {
                    return Err(format!("the sweep leaves {name}/{file}, which is not listed"));
                }
                let is_unfinished = [".new", ".part"].iter().any(|end| file.ends_with(end));
                if is_unfinished
                    || is_segment && state.disk.status(&path).is_ok_and(|status| status.kind == FileKind::Folder)
                {
                    return Err(format!("the sweep leaves {name}/{file}"));
                }
            }
        }
        Ok(())
    }
}

/// The number in a title or file; an error if it is not entire.
fn parse(kind: &str, text: Option<&str>) -> Result<Option<u32>, String> {
    let Some(text) = text else { return Ok(None) };
    let number = text.split(' ').nth(1).and_then(|number| number.parse().ok());
    match number {
        Some(number) if text == content(kind, number) => Ok(Some(number)),
        _ => Err(format!("{kind} is torn: {text:?}")),
    }
}
