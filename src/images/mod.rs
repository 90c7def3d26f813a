//! Pictures on disk: their names, atomic writes, and expiry.
//!
//! [`ImageFolder::write`] writes a picture to a folder, and [`ImageFolder::sweep`] removes pictures that exceed the
//! [`RetentionLimits`]. It never removes files with other names, or a picture whose URL was just returned.

mod atomic_file;
mod image_folder;
mod image_name;
mod retention;
mod usage;

pub use atomic_file::{AtomicFile, sync_folder};
pub use image_folder::ImageFolder;
pub use image_name::ImageName;
pub use retention::{RetentionLimits, SweepReport};
