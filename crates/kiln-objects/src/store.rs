//! The client of a bucket.

use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::list::PaginatedListStore;

/// The client of a bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) lister: Arc<dyn PaginatedListStore>,
}

impl Bucket {
    pub(crate) fn new<S: ObjectStore + PaginatedListStore>(store: Arc<S>) -> Self {
        Self { lister: Arc::clone(&store) as _, store }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}
