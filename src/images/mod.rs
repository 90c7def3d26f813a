//! Pictures on disk: their names, atomic writes, and expiry.
//!
//! [`ImageFolder::write`] writes whole files into a folder, and [`ImageFolder::sweep`] removes those that are too old or too many.
//! It never removes a file whose name Kiln did not make, nor a picture whose URL was just returned.

mod atomic_file;
mod image_folder;
mod image_name;
mod retention;

pub use atomic_file::{AtomicFile, sync_folder};
pub use image_folder::ImageFolder;
pub use image_name::ImageName;
pub use retention::{RetentionLimits, SweepReport};
