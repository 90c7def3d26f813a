//! Removal of masks that are too old, or too many.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::mask_folder::is_stale;
use super::{MaskFolder, MaskId};
use crate::error::{Error, Result};
use crate::images::{AtomicFile, RetentionLimits, SweepReport};

/// A file that no mask names is removed once it is this old: no upload takes so long to write.
const ABANDONED: Duration = Duration::from_secs(600);

/// What a sweep of masks found and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskSweepReport {
    /// What was removed.
    pub removed: SweepReport,
    /// The masks that were removed.
    pub ids: Vec<MaskId>,
    /// The number of masks that stay.
    pub count: u64,
    /// The bytes of the files of these.
    pub bytes: u64,
}

/// A stored mask as the sweep sees it.
struct Entry {
    id: MaskId,
    created_s: u64,
    bytes: u64,
}

impl MaskFolder {
    /// Removes the masks that `keep` does not let stay at `now_s` (seconds since 1970), and what killed processes left behind.
    /// What bears a name that Kiln does not give is left alone.
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

    /// The masks in the folder; abandoned files are removed on the way.
    fn entries(&self, removed: &mut SweepReport) -> Result<Vec<Entry>> {
        let refused = |error| Error::io(self.path(), "read", error);
        let listed = match fs::read_dir(self.path()) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(refused(error)),
        };
        let mut entries = Vec::new();
        for listed in listed {
            let listed = listed.map_err(refused)?;
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

    /// A mask with the size of its files; `None` if it was removed, or its record is damaged and it is not old yet.
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
    fn the_old_go_and_the_oldest_beyond_a_limit() {
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
    fn what_a_killed_process_left_goes_once_it_is_old_and_nothing_else() {
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
