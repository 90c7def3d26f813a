//! The locks of the store that are held during file operations.
//!
//! They are those of the standard library.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};
