//! Checks of the program: its version, page and processor.

use super::finding::Finding;
use crate::cli::version::Version;
use crate::config::Config;
use crate::encode::paint::{font, has_glyph};
use crate::simd;

/// Checks the program.
pub(super) fn check() -> Vec<Finding> {
    let version = Version::of_binary();
    let features = version.features.join(", ");
    let program =
        Finding::ok("program", format!("kiln {} for {}, features {features}", version.version, version.target));
    let page = match version.page {
        "full" => Finding::ok("map page", "the full page is built in"),
        _ => Finding::warning(
            "map page",
            "the binary was built without npm, and has a plain page that cannot add layers",
            "build it by `make build` on a machine with npm",
        ),
    };
    vec![program, processor(), page]
}

/// Whether the typeface of legends and charts has all characters of the titles of a configuration.
pub(super) fn check_titles(config: &Config) -> Finding {
    const CHECK: &str = "typeface";
    let font = match font() {
        Ok(font) => font,
        Err(error) => return Finding::of_error(CHECK, &error, "install the binary again"),
    };
    let is_missing = |title: &&str| title.chars().any(|character| !has_glyph(&font, character));
    let titles = config.layers.iter().map(|(name, layer)| layer.title.as_deref().unwrap_or(name));
    match titles.into_iter().find(is_missing) {
        None => Finding::ok(CHECK, "DejaVu Sans is built in; no typeface of the system is used"),
        Some(title) => Finding::warning(
            CHECK,
            format!(
                "legends and charts lack characters of the title `{title}`: they have Latin, Greek and Cyrillic only"
            ),
            "give the layer another title, or draw the legend from legend.json",
        ),
    }
}

/// The number of processors and the width of their vectors.
fn processor() -> Finding {
    let threads = crate::available_threads();
    let vectors = simd::instruction_set();
    Finding::ok("processor", format!("{threads} render threads by default, vectors of {vectors}"))
}
