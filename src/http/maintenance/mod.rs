//! Background tasks: removal of expired images and masks, maintenance of the store, its publication, and scheduled jobs.

pub(crate) mod image_gc;
pub(crate) mod jobs;
pub(crate) mod mask_gc;
pub(crate) mod memory;
pub(crate) mod objects;
pub(crate) mod publish;
pub(crate) mod queue;
mod retention;
pub(crate) mod scheduler;
pub(crate) mod store;

#[cfg(feature = "cli")]
pub(crate) use memory::{limit_heaps, return_large_blocks};
pub(crate) use retention::{expire_before_us, large_loss, retention_remark};
