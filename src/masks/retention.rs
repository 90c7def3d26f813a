//! Removal of expired masks, and of the oldest masks beyond the limits.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::mask_folder::is_stale;
use super::{MaskFolder, MaskId};
use crate::error::{Error, Result};
use crate::images::{AtomicFile, RetentionLimits, SweepReport};

/// The age after which unreferenced files are removed; writing an upload takes less time.
const ABANDONED: Duration = Duration::from_secs(600);

/// The result of a sweep of masks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskSweepReport {
    /// The numbers of removed masks and files.
    pub removed: SweepReport,
    /// The masks that were removed.
    pub ids: Vec<MaskId>,
    /// The number of remaining masks.
    pub count: u64,
    /// The size of the files of the remaining masks in bytes.
    pub bytes: u64,
}

/// Age and size of a stored mask.
struct Entry {
    id: MaskId,
    created_s: u64,
    bytes: u64,
}

impl MaskFolder {
    /// Removes the masks that exceed the limits of `keep` at `now_s` (seconds since 1970), and files that killed processes left
    /// behind. Files with names that Kiln does not use are kept.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read. Masks that cannot be removed are counted.
    pub fn sweep(&self, keep: &RetentionLimits, now_s: u64) -> Result<MaskSweepReport> {
        let mut report = MaskSweepReport::default();
        let mut entries = self.entries(&mut report.removed)?;
        entries.sort_by_key(|entry| (entry.created_s, entry.id));
        let stays = keep.kept(entries.iter().map(|entry| (entry.created_s, entry.bytes)), now_s);
        for (entry, stays) in entries.into_iter().zip(stays) {
            if stays {
                report.count += 1;
                report.bytes += entry.bytes;
                continue;
            }
            match self.remove(entry.id) {
                Ok(true) if now_s.saturating_sub(entry.created_s) > keep.ttl_s => report.removed.expired += 1,
                Ok(true) => report.removed.evicted += 1,
                // Another process removed it.
                Ok(false) => continue,
                Err(_) => {
                    report.removed.failed += 1;
                    continue;
                }
            }
            report.removed.bytes += entry.bytes;
            report.ids.push(entry.id);
        }
        Ok(report)
    }

    /// Lists the masks in the folder, and removes abandoned files.
    fn entries(&self, removed: &mut SweepReport) -> Result<Vec<Entry>> {
        let to_error = |error| Error::io(self.path(), "read", error);
        let listed = match fs::read_dir(self.path()) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(to_error(error)),
        };
        let mut entries = Vec::new();
        for listed in listed {
            let listed = listed.map_err(to_error)?;
            let name = listed.file_name();
            let Some(name) = name.to_str() else { continue };
            let is_folder = listed.file_type().is_ok_and(|file_type| file_type.is_dir());
            if let Ok(id) = name.parse::<MaskId>()
                && is_folder
            {
                entries.extend(self.entry(id, removed));
            } else if is_unfinished(name) && is_folder && is_abandoned(&listed.path()) {
                removed.unfinished += u64::from(fs::remove_dir_all(listed.path()).is_ok());
            }
        }
        Ok(entries)
    }

    /// Returns the age and size of a mask; `None` if it was removed or its record is damaged. Removes old damaged masks.
    fn entry(&self, id: MaskId, removed: &mut SweepReport) -> Option<Entry> {
        let folder = self.folder_of(id);
        let record = match self.record(id) {
            Ok(record) => record?,
            Err(error) => {
                tracing::warn!(%error, "a mask is damaged");
                if is_abandoned(&folder) && self.remove(id).is_ok() {
                    removed.unfinished += 1;
                }
                return None;
            }
        };
        let mut bytes = 0;
        for file in fs::read_dir(&folder).ok()?.flatten() {
            let is_stale = file.file_name().to_str().is_some_and(|name| is_stale(&record, name));
            if is_stale && is_abandoned(&file.path()) && fs::remove_file(file.path()).is_ok() {
                removed.unfinished += 1;
            } else {
                bytes += file.metadata().map_or(0, |metadata| metadata.len());
            }
        }
        Some(Entry { id, created_s: record.created_s, bytes })
    }
}

fn is_unfinished(name: &str) -> bool {
    let (begin, end) = AtomicFile::UNFINISHED;
    name.starts_with(begin) && name.ends_with(end)
}

fn is_abandoned(path: &Path) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age > ABANDONED)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mask::{Mask, Values};
    use crate::raster::Grid;

    const NOW_S: u64 = 1_800_000_000;

    fn folder(ages_s: &[u64]) -> (tempfile::TempDir, MaskFolder, Vec<MaskId>) {
        let home = tempfile::tempdir().unwrap();
        let folder = MaskFolder::new(home.path());
        let mask = Mask::new(Values::Single(Grid::filled(10, 10, 1.0))).unwrap();
        let ids = ages_s.iter().map(|age_s| folder.create(NOW_S - age_s, &mask, None, |_| ()).unwrap().0).collect();
        fs::create_dir(home.path().join("notes")).unwrap();
        (home, folder, ids)
    }

    fn left(folder: &MaskFolder, ids: &[MaskId]) -> Vec<bool> {
        assert!(folder.path().join("notes").exists());
        ids.iter().map(|id| folder.record(*id).unwrap().is_some()).collect()
    }

    #[test]
    fn expired_masks_and_the_oldest_beyond_a_limit_are_removed() {
        let (_home, all, ids) = folder(&[10, 3600, 3601]);
        let report = all.sweep(&RetentionLimits::default(), NOW_S).unwrap();
        assert_eq!((report.removed.expired, report.count, report.ids), (1, 2, vec![ids[2]]));
        assert!(report.bytes > 800);
        assert_eq!(left(&all, &ids), [true, true, false]);
        for keep in [
            RetentionLimits { max_count: 2, ..RetentionLimits::default() },
            RetentionLimits { max_bytes: report.bytes + 100, ..RetentionLimits::default() },
        ] {
            let (_home, folder, ids) = folder(&[300, 100, 200, 5000]);
            let report = folder.sweep(&keep, NOW_S).unwrap();
            assert_eq!((report.removed.evicted, report.removed.expired, report.count), (1, 1, 2));
            assert_eq!(left(&folder, &ids), [false, true, true, false]);
        }
    }

    #[test]
    fn only_old_files_of_killed_processes_are_removed() {
        let (home, folder, ids) = folder(&[10]);
        let own = folder.folder_of(ids[0]);
        let stale = format!("values-{}", "a".repeat(32));
        for file in [stale.as_str(), ".kiln-x.part", "values-of-mine"] {
            fs::write(own.join(file), "bytes").unwrap();
        }
        fs::create_dir(home.path().join(".kiln-y.part")).unwrap();
        fs::write(home.path().join(".kiln-y.part/values"), "bytes").unwrap();
        let report = folder.sweep(&RetentionLimits::default(), NOW_S).unwrap();
        assert_eq!(report.removed, SweepReport::default(), "it may be written just now");
        let long_ago = SystemTime::now() - 2 * ABANDONED;
        for path in [own.join(&stale), own.join(".kiln-x.part"), own.join("values-of-mine")] {
            fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        fs::File::open(home.path().join(".kiln-y.part")).unwrap().set_modified(long_ago).unwrap();
        let report = folder.sweep(&RetentionLimits::default(), NOW_S).unwrap();
        assert_eq!((report.removed.unfinished, report.count), (3, 1));
        assert!(own.join("values-of-mine").exists() && !own.join(stale).exists());
        assert_eq!(left(&folder, &ids), [true]);
    }

    #[test]
    fn a_folder_that_does_not_exist_has_no_masks() {
        let home = tempfile::tempdir().unwrap();
        let folder = MaskFolder::new(home.path().join("masks"));
        assert_eq!(folder.sweep(&RetentionLimits::default(), NOW_S).unwrap(), MaskSweepReport::default());
    }
}
