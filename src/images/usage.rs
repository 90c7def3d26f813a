//! Writes of pictures within the limits of their folder.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{ImageFolder, ImageName, RetentionLimits};
use crate::error::Result;

/// The number and size of the pictures in a folder, as of the last listing and the writes since; `None` before the first.
/// Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage(Arc<Mutex<Option<Used>>>);

/// A number of pictures and their total size in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Usage {
    /// Locks the usage, from the check of the limits until the picture is written and counted.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Used>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ImageFolder {
    /// Writes a picture as [`write`](Self::write) does. Before, the oldest pictures are removed if it exceeds `limits` with
    /// them. Returns `None` if there is no room, since the other pictures are too new to be removed, or the picture alone
    /// exceeds the maximum size.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the folder cannot be read, or the file cannot be written.
    pub fn write_within(&self, created_s: u64, bytes: &[u8], limits: &RetentionLimits) -> Result<Option<ImageName>> {
        /// The share of a limit that is freed together, so that a full folder is not listed for each picture.
        const SLACK: u64 = 50;
        let size = bytes.len() as u64;
        if size > limits.max_bytes || limits.max_count == 0 {
            return Ok(None);
        }
        // Before the lock, because a sync takes milliseconds.
        let (name, file) = self.stage(created_s, bytes)?;
        let mut usage = self.usage().lock();
        let fits = |used: &Used| used.count < limits.max_count && used.bytes + size <= limits.max_bytes;
        let mut used = match *usage {
            Some(used) if fits(&used) => used,
            _ => self.list_used()?,
        };
        if !fits(&used) && size <= limits.max_bytes {
            let (max_count, max_bytes) = (limits.max_count, limits.max_bytes);
            let room = RetentionLimits {
                max_count: max_count.saturating_sub(1 + max_count / SLACK),
                max_bytes: max_bytes.saturating_sub(size.max(max_bytes / SLACK)),
                ..*limits
            };
            self.remove_beyond(&room, created_s)?;
            used = self.list_used()?;
        }
        *usage = Some(used);
        if !fits(&used) {
            return Ok(None);
        }
        file.commit()?;
        *usage = Some(Used { count: used.count + 1, bytes: used.bytes + size });
        Ok(Some(name))
    }

    /// The number and size of the pictures in the folder; none if it was removed.
    fn list_used(&self) -> Result<Used> {
        if !self.path().exists() {
            return Ok(Used::default());
        }
        let pictures = self.pictures()?;
        let bytes = pictures.iter().map(|picture| picture.bytes).sum();
        Ok(Used { count: pictures.len() as u64, bytes })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn total(folder: &ImageFolder) -> (u64, u64) {
        let used = folder.list_used().unwrap();
        (used.count, used.bytes)
    }

    #[test]
    fn writes_between_two_sweeps_hold_the_limits() {
        for limits in [
            RetentionLimits { max_count: 5, ..RetentionLimits::default() },
            RetentionLimits { max_bytes: 59, ..RetentionLimits::default() },
        ] {
            let parent = tempfile::tempdir().unwrap();
            let folder = ImageFolder::open(parent.path()).unwrap();
            let mut names = Vec::new();
            for second in 0..100 {
                names.extend(folder.write_within(NOW_S + 40 * second, &[7; 10], &limits).unwrap());
                let (count, bytes) = total(&folder);
                assert!(count <= 5 && bytes <= 59, "{count} {bytes}");
            }
            assert_eq!(names.len(), 100);
            let kept: Vec<bool> = names.iter().rev().map(|name| folder.path_of(*name).exists()).collect();
            assert!(kept[..3].iter().all(|exists| *exists), "the newest ones stay: {kept:?}");
        }
    }

    #[test]
    fn pictures_whose_urls_were_just_returned_are_not_removed_for_new_ones() {
        let parent = tempfile::tempdir().unwrap();
        let folder = ImageFolder::open(parent.path()).unwrap();
        let limits = RetentionLimits { max_count: 3, ..RetentionLimits::default() };
        let write = |created_s: u64| folder.write_within(created_s, &[7; 10], &limits).unwrap();
        assert!((0..3).all(|_| write(NOW_S).is_some()));
        assert!(write(NOW_S + 5).is_none());
        assert_eq!(total(&folder), (3, 30));
        assert!(write(NOW_S + 40).is_some());
        // A picture that can never fit removes none.
        let small = RetentionLimits { max_bytes: 15, ..limits };
        assert!(folder.write_within(NOW_S + 400, &[7; 16], &small).unwrap().is_none());
        assert!(total(&folder).0 > 0);
    }

    #[test]
    fn pictures_that_other_processes_removed_make_room() {
        let parent = tempfile::tempdir().unwrap();
        let folder = ImageFolder::open(parent.path()).unwrap();
        let limits = RetentionLimits { max_count: 1, ..RetentionLimits::default() };
        let name = folder.write_within(NOW_S, b"one", &limits).unwrap().unwrap();
        assert!(folder.write_within(NOW_S, b"two", &limits).unwrap().is_none());
        std::fs::remove_file(folder.path_of(name)).unwrap();
        assert!(folder.write_within(NOW_S, b"two", &limits).unwrap().is_some());
        std::fs::remove_dir_all(parent.path()).unwrap();
        assert!(folder.write_within(NOW_S, b"two", &limits).unwrap().is_some());
    }
}
