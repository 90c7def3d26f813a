//! What a job works with besides its own description.

use std::path::PathBuf;
use std::sync::Arc;

use crate::layer::Catalog;
use crate::postgis::Database;

/// The layers, the database and the schemes that jobs draw from, and the threads of one job.
#[derive(Clone, Copy, Debug)]
pub struct JobContext<'a> {
    /// The layers.
    pub catalog: &'a Catalog,
    /// The database of jobs with a query.
    pub database: Option<&'a Arc<Database>>,
    /// Folders of scheme files, for [`SchemeFolders::open`](crate::layer::SchemeFolders::open).
    pub scheme_folders: &'a [PathBuf],
    /// Threads of one job.
    pub threads: usize,
}
