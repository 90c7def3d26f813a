//! Pictures on disk: their names, how they are written, and how they go away again.
//!
//! A folder of pictures is left to Kiln's care: [`ImageFolder::write`] puts whole files into it, and
//! [`ImageFolder::sweep`] removes them when they are old or too many. Files whose names Kiln did not make are never
//! touched, nor is a picture that was just handed out.

mod atomic_file;
mod image_folder;
mod image_name;
mod sweep;

pub use atomic_file::{AtomicFile, sync_folder};
pub use image_folder::ImageFolder;
pub use image_name::ImageName;
pub use sweep::{Keep, Swept};
