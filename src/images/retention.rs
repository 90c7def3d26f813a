//! Retention of pictures: limits on their age, number and size.

use std::fs;
use std::io::ErrorKind;

use super::ImageFolder;
use super::image_folder::Picture;
use crate::error::Result;

/// The limits of a folder of pictures. The oldest pictures are removed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionLimits {
    /// The maximum age in seconds. Default: an hour.
    pub ttl_s: u64,
    /// The maximum number of pictures. Default: 10,000.
    pub max_count: u64,
    /// The maximum total size of the pictures in bytes. Default: 1 GiB.
    pub max_bytes: u64,
    /// Pictures younger than this many seconds are kept regardless of the limits: their URLs were just returned.
    /// Default: 30.
    pub grace_s: u64,
}

impl Default for RetentionLimits {
    fn default() -> Self {
        Self { ttl_s: 3600, max_count: 10_000, max_bytes: 1 << 30, grace_s: 30 }
    }
}

impl RetentionLimits {
    /// Returns which of several items are kept at `now_s` (seconds since 1970). Each item has the time of its creation and
    /// its size in bytes; the oldest comes first.
    pub(crate) fn kept(&self, oldest_first: impl DoubleEndedIterator<Item = (u64, u64)>, now_s: u64) -> Vec<bool> {
        let (mut count, mut total_bytes) = (0, 0);
        let mut kept = Vec::new();
        // The newest items are kept up to the limits.
        for (created_s, bytes) in oldest_first.rev() {
            let age_s = now_s.saturating_sub(created_s);
            let is_current = age_s <= self.ttl_s;
            let fits = count < self.max_count && total_bytes + bytes <= self.max_bytes;
            let is_kept = is_current && fits || age_s < self.grace_s;
            if is_kept {
                count += 1;
                total_bytes += bytes;
            } else if is_current {
                // No older, smaller item is kept in place of one that is removed.
                (count, total_bytes) = (self.max_count, self.max_bytes);
            }
            kept.push(is_kept);
        }
        kept.reverse();
        kept
    }
}

/// The result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// The number of removed pictures that exceeded the maximum age.
    pub expired: u64,
    /// The number of pictures removed because of the maximum number or total size.
    pub evicted: u64,
    /// The size of all removed pictures in bytes.
    pub bytes: u64,
    /// The number of pictures that could not be removed.
    pub failed: u64,
    /// The number of removed temporary files, abandoned by dead processes.
    pub unfinished: u64,
}

impl ImageFolder {
    /// Removes the pictures that exceed `limits` at `now_s` (seconds since 1970), and abandoned temporary files.
    ///
    /// A clock that was set back makes pictures appear younger, never older, so they are removed later.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the folder cannot be read. Files that cannot be removed are counted in the
    /// report.
    pub fn sweep(&self, limits: &RetentionLimits, now_s: u64) -> Result<SweepReport> {
        // Writes that happen meanwhile are counted by the next listing.
        *self.usage().lock() = None;
        let unfinished = self.remove_unfinished()?;
        Ok(SweepReport { unfinished, ..self.remove_beyond(limits, now_s)? })
    }

    /// Removes the pictures that exceed `limits` at `now_s`.
    pub(super) fn remove_beyond(&self, limits: &RetentionLimits, now_s: u64) -> Result<SweepReport> {
        let mut swept = SweepReport::default();
        let pictures = self.pictures()?;
        let age_s = |picture: &Picture| now_s.saturating_sub(picture.name.created_s());
        let kept = limits.kept(pictures.iter().map(|picture| (picture.name.created_s(), picture.bytes)), now_s);
        for (picture, _) in pictures.iter().zip(kept).filter(|(_, is_kept)| !is_kept) {
            match fs::remove_file(self.path_of(picture.name)) {
                Ok(()) if age_s(picture) > limits.ttl_s => swept.expired += 1,
                Ok(()) => swept.evicted += 1,
                // Another process removed it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(_) => {
                    swept.failed += 1;
                    continue;
                }
            }
            swept.bytes += picture.bytes;
        }
        Ok(swept)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::images::ImageName;

    const NOW_S: u64 = 1_800_000_000;

    /// A folder with a picture of 10 bytes for each age, and their names.
    fn folder(ages_s: &[u64]) -> (tempfile::TempDir, ImageFolder, Vec<ImageName>) {
        let parent = tempfile::tempdir().unwrap();
        let folder = ImageFolder::open(parent.path()).unwrap();
        fs::write(parent.path().join("1-notes.png"), "not a picture of Kiln").unwrap();
        let names = ages_s.iter().map(|age_s| folder.write(NOW_S - age_s, &[7; 10]).unwrap()).collect();
        (parent, folder, names)
    }

    fn exist(folder: &ImageFolder, names: &[ImageName]) -> Vec<bool> {
        assert!(folder.path().join("1-notes.png").exists());
        names.iter().map(|name| folder.path_of(*name).exists()).collect()
    }

    #[test]
    fn pictures_beyond_the_maximum_age_are_removed() {
        let (_parent, folder, names) = folder(&[10, 3600, 3601, 90_000]);
        let swept = folder.sweep(&RetentionLimits::default(), NOW_S).unwrap();
        assert_eq!(swept, SweepReport { expired: 2, bytes: 20, ..SweepReport::default() });
        assert_eq!(exist(&folder, &names), [true, true, false, false]);
        assert_eq!(folder.sweep(&RetentionLimits::default(), NOW_S).unwrap(), SweepReport::default());
    }

    #[test]
    fn the_oldest_pictures_are_removed_beyond_a_number_or_a_size() {
        for limits in [
            RetentionLimits { max_count: 2, ..RetentionLimits::default() },
            RetentionLimits { max_bytes: 25, ..RetentionLimits::default() },
        ] {
            let (_parent, folder, names) = folder(&[300, 100, 200, 400]);
            let swept = folder.sweep(&limits, NOW_S).unwrap();
            assert_eq!(swept, SweepReport { evicted: 2, bytes: 20, ..SweepReport::default() });
            assert_eq!(exist(&folder, &names), [false, true, true, false]);
        }
    }

    #[test]
    fn new_pictures_are_kept_regardless_of_the_limits() {
        let limits = RetentionLimits { max_count: 0, max_bytes: 0, ttl_s: 0, grace_s: 30 };
        let (_parent, folder, names) = folder(&[0, 29, 30]);
        folder.sweep(&limits, NOW_S).unwrap();
        assert_eq!(exist(&folder, &names), [true, true, false]);
    }

    #[test]
    fn a_clock_set_back_removes_nothing() {
        let (_parent, folder, names) = folder(&[10, 20]);
        folder.sweep(&RetentionLimits::default(), NOW_S - 100_000).unwrap();
        assert_eq!(exist(&folder, &names), [true, true]);
    }
}
