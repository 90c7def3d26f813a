//! The locks of the standard library.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};
