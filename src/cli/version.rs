//! `kiln --version`: the version and the build of the binary.

use serde::Serialize;

use super::print_json;
use crate::error::Result;
use crate::http::has_full_page;
use crate::store::FORMATS;

/// The version of the binary, as `kiln --version --json` prints it.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names, reason = "the names are those of the JSON object")]
pub(super) struct Version {
    /// `kiln`.
    pub(super) name: &'static str,
    /// The version of the package, such as `0.2.0`.
    pub(super) version: &'static str,
    /// The target that the binary was built for, such as `x86_64-unknown-linux-gnu`.
    pub(super) target: &'static str,
    /// The optional Cargo features of the build.
    pub(super) features: Vec<&'static str>,
    /// The map page: `full`, or `plain` if it was built without npm.
    pub(super) page: &'static str,
    /// The first and the last format of stored layers that it reads.
    pub(super) store_formats: [u32; 2],
}

impl Version {
    /// The version of this binary.
    pub(super) fn of_binary() -> Self {
        let features = [
            ("flatgeobuf", cfg!(feature = "flatgeobuf")),
            ("geopackage", cfg!(feature = "geopackage")),
            ("h3", cfg!(feature = "h3")),
            ("otel", cfg!(feature = "otel")),
            ("xml", cfg!(feature = "xml")),
        ];
        Self {
            name: "kiln",
            version: env!("CARGO_PKG_VERSION"),
            target: env!("BUILD_TARGET"),
            features: features.into_iter().filter_map(|(name, is_on)| is_on.then_some(name)).collect(),
            page: if has_full_page() { "full" } else { "plain" },
            store_formats: [*FORMATS.start(), *FORMATS.end()],
        }
    }

    /// Prints it on standard output, as a line or as JSON.
    pub(super) fn print(&self, is_json: bool) -> Result<()> {
        if is_json {
            return print_json(self);
        }
        let line = format!("{} {}\n", self.name, self.version);
        super::print_text(&line)
    }
}
