//! The shared resources of jobs.

use std::path::PathBuf;
use std::sync::Arc;

use crate::layer::Catalog;
use crate::postgis::Database;

/// The shared resources of jobs: layers, the database, color schemes and threads.
#[derive(Clone, Copy, Debug)]
pub struct JobContext<'a> {
    /// The layers.
    pub catalog: &'a Catalog,
    /// The database for jobs with a query.
    pub database: Option<&'a Arc<Database>>,
    /// The folders of scheme files, for [`SchemeFolders::open`](crate::layer::SchemeFolders::open).
    pub scheme_folders: &'a [PathBuf],
    /// The number of threads per job.
    pub threads: usize,
}
