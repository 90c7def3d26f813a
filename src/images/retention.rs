//! Pictures that are too old, or too many, go away.

use std::fs;
use std::io::ErrorKind;

use super::ImageFolder;
use super::image_folder::Picture;
use crate::error::Result;

/// What may stay in a folder of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionLimits {
    /// Pictures older than this many seconds go. Default: an hour.
    pub ttl_s: u64,
    /// The most pictures; the oldest go first. Default: 10,000.
    pub max_count: u64,
    /// The most bytes of all pictures together; the oldest go first. Default: 1 GiB.
    pub max_bytes: u64,
    /// Pictures younger than this many seconds stay whatever the limits: somebody was just told of them. Default: 30.
    pub grace_s: u64,
}

impl Default for RetentionLimits {
    fn default() -> Self {
        Self { ttl_s: 3600, max_count: 10_000, max_bytes: 1 << 30, grace_s: 30 }
    }
}

impl RetentionLimits {
    /// Which of several things may stay at `now_s` (seconds since 1970), in their order. They come with the time of their
    /// creation and their bytes, oldest first.
    pub(crate) fn stays(&self, oldest_first: impl DoubleEndedIterator<Item = (u64, u64)>, now_s: u64) -> Vec<bool> {
        let (mut count, mut total_bytes) = (0, 0);
        let mut stays = Vec::new();
        // From the youngest on, what there is room for stays.
        for (created_s, bytes) in oldest_first.rev() {
            let age_s = now_s.saturating_sub(created_s);
            let in_time = age_s <= self.ttl_s;
            let fits = count < self.max_count && total_bytes + bytes <= self.max_bytes;
            let may_stay = in_time && fits || age_s < self.grace_s;
            if may_stay {
                count += 1;
                total_bytes += bytes;
            } else if in_time {
                // The older ones must not take the room of one that had to go.
                (count, total_bytes) = (self.max_count, self.max_bytes);
            }
            stays.push(may_stay);
        }
        stays.reverse();
        stays
    }
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Pictures past their time.
    pub expired: u64,
    /// Pictures beyond the count or the size.
    pub evicted: u64,
    /// Bytes of both together.
    pub bytes: u64,
    /// Pictures that the system would not remove.
    pub failed: u64,
    /// Unfinished files of processes that are gone.
    pub unfinished: u64,
}

impl ImageFolder {
    /// Removes the pictures that `keep` does not let stay at `now_s` (seconds since 1970), and abandoned unfinished files.
    ///
    /// A clock that was set back makes pictures seem young, never old; they go when their time has come again.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the folder cannot be read. Files that cannot be removed are counted.
    pub fn sweep(&self, keep: &RetentionLimits, now_s: u64) -> Result<SweepReport> {
        let mut swept = SweepReport { unfinished: self.remove_unfinished()?, ..SweepReport::default() };
        let pictures = self.pictures()?;
        let age_s = |picture: &Picture| now_s.saturating_sub(picture.name.created_s());
        let stays = keep.stays(pictures.iter().map(|picture| (picture.name.created_s(), picture.bytes)), now_s);
        for (picture, _) in pictures.iter().zip(stays).filter(|(_, stays)| !stays) {
            match fs::remove_file(self.path_of(picture.name)) {
                Ok(()) if age_s(picture) > keep.ttl_s => swept.expired += 1,
                Ok(()) => swept.evicted += 1,
                // Somebody else swept it.
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
    use super::super::ImageName;
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    /// A folder with a picture of 10 bytes for each age, and their names.
    fn folder(ages_s: &[u64]) -> (tempfile::TempDir, ImageFolder, Vec<ImageName>) {
        let home = tempfile::tempdir().unwrap();
        let folder = ImageFolder::open(home.path()).unwrap();
        fs::write(home.path().join("1-notes.png"), "not ours").unwrap();
        let names = ages_s.iter().map(|age_s| folder.write(NOW_S - age_s, &[7; 10]).unwrap()).collect();
        (home, folder, names)
    }

    fn left(folder: &ImageFolder, names: &[ImageName]) -> Vec<bool> {
        assert!(folder.path().join("1-notes.png").exists());
        names.iter().map(|name| folder.path_of(*name).exists()).collect()
    }

    #[test]
    fn the_old_go_and_the_young_stay() {
        let (_home, folder, names) = folder(&[10, 3600, 3601, 90_000]);
        let swept = folder.sweep(&RetentionLimits::default(), NOW_S).unwrap();
        assert_eq!(swept, SweepReport { expired: 2, bytes: 20, ..SweepReport::default() });
        assert_eq!(left(&folder, &names), [true, true, false, false]);
        assert_eq!(folder.sweep(&RetentionLimits::default(), NOW_S).unwrap(), SweepReport::default());
    }

    #[test]
    fn the_oldest_go_beyond_a_count_or_a_size() {
        for keep in [
            RetentionLimits { max_count: 2, ..RetentionLimits::default() },
            RetentionLimits { max_bytes: 25, ..RetentionLimits::default() },
        ] {
            let (_home, folder, names) = folder(&[300, 100, 200, 400]);
            let swept = folder.sweep(&keep, NOW_S).unwrap();
            assert_eq!(swept, SweepReport { evicted: 2, bytes: 20, ..SweepReport::default() });
            assert_eq!(left(&folder, &names), [false, true, true, false]);
        }
    }

    #[test]
    fn what_was_just_handed_out_stays_whatever_the_limits() {
        let keep = RetentionLimits { max_count: 0, max_bytes: 0, ttl_s: 0, grace_s: 30 };
        let (_home, folder, names) = folder(&[0, 29, 30]);
        folder.sweep(&keep, NOW_S).unwrap();
        assert_eq!(left(&folder, &names), [true, true, false]);
    }

    #[test]
    fn a_clock_set_back_removes_nothing() {
        let (_home, folder, names) = folder(&[10, 20]);
        folder.sweep(&RetentionLimits::default(), NOW_S - 100_000).unwrap();
        assert_eq!(left(&folder, &names), [true, true]);
    }
}
