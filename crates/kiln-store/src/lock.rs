//! File locks between processes.

use std::io;
use std::path::Path;

use super::disk::{self, File, FileIdentity};
use kiln_core::error::{Error, Result};

/// Locks the file at `path`, waiting while another process has it locked. Creates the file if it is missing. The lock
/// is released when the returned file is dropped or the process ends.
pub(super) fn lock_file(path: &Path) -> io::Result<File> {
    loop {
        let file = disk::open_or_create(path)?;
        file.lock()?;
        // The previous owner may have removed the file; then other processes would lock a new one.
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

/// Locks a layer, which is required to replace its manifest.
pub(super) fn lock_layer(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    lock_file(&path).map_err(|error| Error::io(&path, "lock", error))
}

/// Whether an open file is still the one at `path`.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    try_is_at(file, path).unwrap_or(false)
}

/// Whether an open file is still the one at `path`; an error if it cannot be known.
pub(super) fn try_is_at(file: &File, path: &Path) -> io::Result<bool> {
    let current = match FileIdentity::at(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        current => current?,
    };
    Ok(FileIdentity::of_file(file)?.is_same_file(&current))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn waiting_for_a_lock_file_that_is_removed_locks_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = lock_file(&path).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| lock_file(&path).unwrap());
            // Regardless of the timing, the second thread must not lock the removed file.
            std::thread::sleep(Duration::from_millis(50));
            fs::remove_file(&path).unwrap();
            drop(first);
            let second = second.join().unwrap();
            assert!(is_at(&second, &path));
            assert!(File::open(&path).unwrap().try_lock().is_err());
        });
        fs::remove_file(&path).unwrap();
        fs::remove_dir(folder.path()).unwrap();
        assert_eq!(lock_file(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
