//! `[layers.NAME.floorplan]`: the picture below a layer on a plane.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::origin::Fault;
use super::sections::with_defaults;

with_defaults! {
    /// The floor plan of a layer: an image and its bounds.
    #[schemars(title = "a floor plan")]
    pub struct FloorPlanConfig {
        /// Path of the image: PNG, JPEG or WebP.
        #[schemars(extend("format" = "image"))]
        pub image: PathBuf,
        /// Bounds of the image: west, south, east, north in meters.
        #[schemars(extend("format" = "plane-bounds"))]
        pub bounds: Option<[f64; 4]>,
    }
}

impl FloorPlanConfig {
    /// Checks that both keys are set.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.image.as_os_str().is_empty() {
            return Err(Fault::value("image", "missing; set the path of a PNG, JPEG or WebP image"));
        }
        if self.bounds.is_none() {
            let message = "missing; set west, south, east, north of the image in meters, such as [0, 0, 40, 24]";
            return Err(Fault::value("bounds", message));
        }
        Ok(())
    }
}
