//! The flow: from a source to a picture.

mod schemes;

pub use schemes::SchemeFolders;
