//! The flag of commands that read layers of the store, some of which may be damaged.

use std::path::Path;

use clap::Args as ClapArgs;

use super::summary::plural;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::layer_name;
use crate::source::{DamagedPoints, PointSet};
use crate::store::{Store, StoredLayer};

/// The flag for damaged layers.
#[derive(Debug, ClapArgs)]
pub(super) struct DamageArgs {
    /// Leave damaged segments of a layer out, with a note, instead of failing
    #[arg(long)]
    skip_damaged: bool,
}

impl DamageArgs {
    /// Finds the damaged segments of the layer `name` of a store if they are to be left out, so that no later read finds
    /// one.
    ///
    /// # Errors
    /// [`Error::Input`] if no points are left then; those of opening the layer.
    pub(super) fn prepare(&self, store: &Store, name: &str) -> Result<()> {
        if self.skip_damaged
            && layer_name::is_valid(name)
            && let Some(stored) = store.layer(name)?
        {
            stored.verify();
            let snapshot = stored.snapshot();
            if snapshot.points() == 0
                && let Some(damage) = snapshot.damage()
            {
                let points = describe(&damage);
                let detail = format!(
                    "all points of the layer are damaged, {points}; restore the files that `kiln layer {name}` prints"
                );
                return Err(Error::input(name, detail));
            }
        }
        Ok(())
    }

    /// Checks that a layer is intact, or returns the remark on what is left out of it.
    ///
    /// # Errors
    /// [`Error::Input`] if the layer is damaged, without the flag.
    pub(super) fn check(&self, layer: &Layer) -> Result<Option<String>> {
        let Some(damage) = layer.damage() else { return Ok(None) };
        let name = layer.parent().map_or(layer.name(), |parent| parent.name());
        let left_out = describe(&damage);
        if self.skip_damaged {
            return Ok(Some(format!("{left_out} of `{name}` left out; `kiln layer {name}` prints details")));
        }
        let detail = format!(
            "{left_out} cannot be read; restore the files that `kiln layer {name}` prints, or use --skip-damaged to \
             leave them out"
        );
        Err(Error::input(name, detail))
    }
}

/// Adds the remedies to the error of a damaged segment that a command with the flag has met while it read a layer.
pub(super) fn with_remedies(error: Error) -> Error {
    let Error::Damaged { file, reason } = &error else { return error };
    let Some(name) = file.parent().and_then(Path::file_name).map(|name| name.to_string_lossy()) else { return error };
    let detail = format!(
        "it is damaged: {reason}; restore the file, or use --skip-damaged to leave its segment out; `kiln layer {name} \
         --verify` prints all damaged files"
    );
    Error::input(file, detail)
}

/// The note on the damaged segments of a layer that a command leaves as they are.
pub(super) fn note(layer: &StoredLayer) -> Option<String> {
    let (name, damaged) = (layer.name(), describe(&layer.snapshot().damage()?));
    Some(format!("{damaged} of `{name}` cannot be read; `kiln layer {name}` prints details"))
}

/// Describes what is damaged: the segments, with the number of points if it is published.
fn describe(damage: &DamagedPoints) -> String {
    let segments = format!("damaged {}", if damage.segments == 1 { "segment" } else { "segments" });
    match damage.points {
        Some(points) => format!("{} in {} {segments}", plural(points, "point"), damage.segments),
        None => format!("{} {segments}", damage.segments),
    }
}
