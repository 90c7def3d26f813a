//! The flag of commands that read layers of the store, some of which may be damaged.

use clap::Args as ClapArgs;

use super::summary::plural;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::layer_name;
use crate::source::DamagedPoints;
use crate::store::Store;

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
    pub(super) fn prepare(&self, store: &Store, name: &str) -> Result<()> {
        if self.skip_damaged
            && layer_name::is_valid(name)
            && let Some(stored) = store.layer(name)?
        {
            stored.verify();
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

/// Describes what is damaged: the segments, with the number of points if it is published.
fn describe(damage: &DamagedPoints) -> String {
    let segments = format!("damaged {}", if damage.segments == 1 { "segment" } else { "segments" });
    match damage.points {
        Some(points) => format!("{} in {} {segments}", plural(points, "point"), damage.segments),
        None => format!("{} {segments}", damage.segments),
    }
}
