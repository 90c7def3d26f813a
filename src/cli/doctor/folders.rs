//! Checks of the folders that a server writes to.

use std::path::Path;

use indicatif::HumanBytes;

use super::finding::Finding;
use crate::config::Config;
use crate::layer::SchemeFolders;

/// The free space below which a folder is reported.
const LOW_BYTES: u64 = 1 << 30;

/// Checks the folders of images and temporary files, and those of schemes.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let temporary = std::env::temp_dir();
    let mut findings = vec![
        writable("images", &config.images.folder, "set images.folder to a folder that this user may write to"),
        writable("temporary files", &temporary, "set TMPDIR to a folder that this user may write to"),
    ];
    match SchemeFolders::open(&config.schemes.folders) {
        Ok(folders) => {
            let invalid = folders.all().into_iter().filter_map(std::result::Result::err);
            findings.extend(invalid.map(|error| Finding::of_error("schemes", &error, "correct or remove the file")));
        }
        Err(error) => findings.push(Finding::of_error("schemes", &error, "correct schemes.folders")),
    }
    findings
}

/// Whether files can be created in a folder, or else in its next parent that exists, and the free space there.
pub(super) fn writable(check: &'static str, folder: &Path, remedy: &'static str) -> Finding {
    let existing = folder.ancestors().map(|at| if at.as_os_str().is_empty() { Path::new(".") } else { at });
    let Some(existing) = existing.into_iter().find(|at| at.exists()) else {
        return Finding::error(check, format!("{}: no such folder", folder.display()), remedy);
    };
    let name = folder.display();
    if !existing.is_dir() {
        return Finding::error(check, format!("{name}: {} is not a folder", existing.display()), remedy);
    }
    if let Err(error) = tempfile::tempfile_in(existing) {
        return Finding::error(check, format!("{name}: cannot be written to: {error}"), remedy);
    }
    match free_bytes(existing) {
        Some(free) if free < LOW_BYTES => {
            let detail = format!("{name}: only {} are free", HumanBytes(free));
            Finding::warning(check, detail, "free space on the disk, or use a folder on another one")
        }
        Some(free) => Finding::ok(check, format!("{name}, {} free", HumanBytes(free))),
        None => Finding::ok(check, name.to_string()),
    }
}

/// The space that this user can fill on the disk of a folder; `None` if it is unknown.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}
