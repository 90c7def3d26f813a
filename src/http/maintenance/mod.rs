//! Work in the background: old images are removed, segments of the store merged, and jobs run by their schedules.

pub(crate) mod image_gc;
pub(crate) mod scheduler;
pub(crate) mod store;
