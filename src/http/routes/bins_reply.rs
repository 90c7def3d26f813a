//! The bins of a layer, in replies.

use serde::Serialize;
use utoipa::ToSchema;

use crate::layer::Layer;

/// The bins of a layer whose rows stand for many points each.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct BinsReply {
    /// Level of their cells: the world is a square of 2^level by 2^level cells, which are the pixels of tiles of 256 pixels
    /// at zoom level − 8.
    #[schema(example = 22)]
    level: u32,
}

impl BinsReply {
    /// The bins of `layer`; `None` if its rows are single points.
    pub(super) fn of(layer: &Layer) -> Option<Self> {
        layer.bin_level().map(|level| Self { level })
    }
}
