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
    /// Seconds of which the begins of all buckets of time are multiples: 86400, 3600, 60 or 1. `start` and `end` must be
    /// multiples, too. Omitted if the bins have no times, or shorter buckets.
    #[schema(example = 86400)]
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_s: Option<u64>,
}

impl BinsReply {
    /// The bins of `layer`; `None` if its rows are single points.
    pub(super) fn of(layer: &Layer) -> Option<Self> {
        const SECOND_US: u64 = 1_000_000;
        let bucket_s = layer.bucket_us().map(|bucket_us| bucket_us / SECOND_US);
        layer.bin_level().map(|level| Self { level, bucket_s })
    }
}
