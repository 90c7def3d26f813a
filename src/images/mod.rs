//! Pictures on disk: their names, how they are written, and how they go away again.
//!
//! A folder of pictures is left to Kiln's care: [`ImageFolder::write`] puts whole files into it, and
//! [`ImageFolder::sweep`] removes them when they are old or too many. Files whose names Kiln did not make are never
//! touched, nor is a picture that was just handed out.

mod atomic;
mod folder;
mod name;
mod sweep;

pub use atomic::{AtomicFile, sync_folder};
pub use folder::ImageFolder;
pub use name::ImageName;
pub use sweep::{Keep, Swept};
