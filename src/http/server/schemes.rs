//! The color schemes of the server.

use std::path::PathBuf;

use super::problem::HttpResult;
use crate::color::Scheme;
use crate::error::Result;
use crate::layer::SchemeFolders;

/// All color schemes, read when the server starts.
#[derive(Debug)]
pub(crate) struct Schemes(Vec<Scheme>);

impl Schemes {
    /// Reads the built-in schemes and those of `folders`. An invalid file is logged and skipped.
    pub(crate) fn read(folders: &[PathBuf]) -> Result<Self> {
        let mut schemes = Vec::new();
        for scheme in SchemeFolders::open(folders)?.all() {
            match scheme {
                Ok(scheme) => schemes.push(scheme),
                Err(error) => tracing::warn!(%error, "skipped an invalid color scheme"),
            }
        }
        Ok(Self(schemes))
    }

    /// The schemes in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Scheme> {
        self.0.iter()
    }

    /// Returns the scheme `name`, or the default one.
    pub(crate) fn find(&self, name: Option<&str>) -> HttpResult<Scheme> {
        let name = name.unwrap_or(Scheme::DEFAULT);
        let find = |name: &str| {
            let exact = self.0.iter().find(|scheme| scheme.name() == name);
            let found = exact.or_else(|| self.0.iter().find(|scheme| Scheme::same_name(scheme.name(), name)));
            found.cloned().map(Ok)
        };
        let unknown = || Err(Scheme::unknown(name, self.0.iter().map(Scheme::name), "GET /catalog lists all"));
        Ok(Scheme::resolve(name, find).unwrap_or_else(unknown)?)
    }
}
