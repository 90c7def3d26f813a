//! The views of layers, each made once per state of its layer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::protected_layers::lock;
use super::{Layer, View};
use crate::error::Result;

/// The layers of views, by the name of their layer and their text.
#[derive(Debug, Default)]
pub(super) struct Views(Mutex<BTreeMap<(String, String), Arc<Slot>>>);

/// A view of a layer, and the layer that it was made of.
#[derive(Debug, Default)]
struct Slot(Mutex<Option<(Arc<Layer>, Arc<Layer>)>>);

impl Views {
    /// The number of views above which those that nobody uses are dropped.
    const MAX_UNUSED: usize = 1024;

    /// The view of a layer. Concurrent callers wait for the first.
    ///
    /// # Errors
    /// As [`View::of`].
    pub(super) fn of(&self, all: &Arc<Layer>, view: &View) -> Result<Arc<Layer>> {
        let slot = {
            let mut slots = lock(&self.0);
            if slots.len() > Self::MAX_UNUSED {
                slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            Arc::clone(slots.entry((all.name().to_owned(), view.text().to_owned())).or_default())
        };
        let mut made = lock(&slot.0);
        if let Some((_, layer)) = made.as_ref().filter(|(of, _)| Arc::ptr_eq(of, all)) {
            return Ok(Arc::clone(layer));
        }
        let layer = Arc::new(view.of(all, crate::available_threads())?);
        *made = Some((Arc::clone(all), Arc::clone(&layer)));
        Ok(layer)
    }

    /// Drops the views of layers that do not exist. Views occupy the disk space of removed points as long as they exist.
    pub(super) fn retain(&self, exists: impl Fn(&String) -> bool) {
        lock(&self.0).retain(|(name, _), _| exists(name));
    }

    /// Drops all views.
    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }
}
