//! The paths of a job's pictures, and the removal of old pictures.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The path pattern of a job's pictures, with the placeholders `{job}`, `{place}` and `{time}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pattern: String,
}

/// The consecutive pictures of one place of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Series {
    folder: PathBuf,
    /// The file name before the time, or the complete file name if it has no time.
    prefix: String,
    /// The file name after the time; `None` if it has no time.
    suffix: Option<String>,
}

impl Output {
    const JOB: &str = "{job}";
    const PLACE: &str = "{place}";
    const TIME: &str = "{time}";

    /// Parses a pattern.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it has other placeholders, a `{time}` in a folder's name or more than one, or another
    /// extension than `.png`, `.tif` or `.tiff`.
    pub fn new(pattern: &str) -> Result<Self> {
        let invalid = |message: String| Err(Error::invalid(Parameter::OUTPUT, message));
        let literal =
            [Self::JOB, Self::PLACE, Self::TIME].iter().fold(pattern.to_owned(), |text, name| text.replace(name, ""));
        if literal.contains(['{', '}', '\0']) {
            return invalid(format!("`{pattern}` has an unknown placeholder; use {{job}}, {{place}} and {{time}}"));
        }
        let name = Path::new(pattern).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if pattern.matches(Self::TIME).count() != usize::from(name.contains(Self::TIME)) {
            return invalid(format!("`{pattern}`: {{time}} is allowed only once, in the file name"));
        }
        let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        if !matches!(extension.as_deref(), Some("png" | "tif" | "tiff")) || pattern.ends_with('/') {
            return invalid(format!(
                "`{pattern}` is not a path of a .png or .tif file, such as imgs/{{job}}/{{time}}.png"
            ));
        }
        Ok(Self { pattern: pattern.to_owned() })
    }

    /// The pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether the path has the time, so that each run writes new files.
    pub fn has_time(&self) -> bool {
        self.pattern.contains(Self::TIME)
    }

    /// Whether the path has the name of the place.
    pub fn has_place(&self) -> bool {
        self.pattern.contains(Self::PLACE)
    }

    /// Whether the pictures are PNG files; otherwise they are `GeoTIFF` files.
    pub fn is_png(&self) -> bool {
        self.pattern.to_ascii_lowercase().ends_with(".png")
    }

    /// The series of pictures of a place.
    pub fn series(&self, job: &str, place: &str) -> Series {
        let path = self.pattern.replace(Self::JOB, job).replace(Self::PLACE, place);
        let path = Path::new(&path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        match name.split_once(Self::TIME) {
            Some((prefix, suffix)) => Series { folder, prefix: prefix.to_owned(), suffix: Some(suffix.to_owned()) },
            None => Series { folder, prefix: name.to_owned(), suffix: None },
        }
    }
}

impl Series {
    /// The folder of the pictures.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of the picture that is due at `due`. The time is UTC, `20260131T120000Z`, so that names are unique and
    /// sort chronologically.
    pub fn path_of(&self, due: Timestamp) -> PathBuf {
        self.path_with(&due.strftime("%Y%m%dT%H%M%SZ").to_string())
    }

    /// The path of the copy of the newest picture, with `latest` in place of the time.
    pub fn latest(&self) -> PathBuf {
        self.path_with("latest")
    }

    fn path_with(&self, time: &str) -> PathBuf {
        let suffix = self.suffix.as_deref();
        let name = suffix.map_or_else(|| self.prefix.clone(), |suffix| format!("{}{time}{suffix}", self.prefix));
        self.folder.join(name)
    }

    /// Removes all pictures of the series except the `keep` newest, and returns their number. Other files in the folder
    /// are not removed.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read, or a picture cannot be removed.
    pub fn prune(&self, keep: u64) -> Result<u64> {
        let failed = |error| Error::io(&self.folder, "read", error);
        let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if self.contains(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                names.push(name);
            }
        }
        names.sort_unstable();
        let excess = names.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        let mut removed = 0;
        for name in &names[..excess] {
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io(path, "remove", error)),
            }
        }
        Ok(removed)
    }

    /// Whether `name` is the file name of a picture of the series.
    fn contains(&self, name: &str) -> bool {
        let time = || name.strip_prefix(&*self.prefix)?.strip_suffix(self.suffix.as_deref()?);
        time().is_some_and(|time| {
            let is_valid = |(i, byte): (usize, u8)| match i {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            };
            time.len() == 16 && time.bytes().enumerate().all(is_valid)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn paths_consist_of_job_place_and_time() {
        let output = Output::new("out/{job}/{place}-{time}.png").unwrap();
        let series = output.series("rain", "berlin");
        assert_eq!(series.path_of(at(1_767_182_400)), Path::new("out/rain/berlin-20251231T120000Z.png"));
        assert_eq!(series.latest(), Path::new("out/rain/berlin-latest.png"));
        let fixed = Output::new("heat.TIF").unwrap();
        assert!(!fixed.has_time() && !fixed.is_png());
        assert_eq!(fixed.series("a", "").path_of(at(5)), Path::new("heat.TIF"));
        for bad in ["a/{time}/x.png", "{time}{time}.png", "{when}.png", "a.jpg", "a", "", "a.png/", "{job}", "{.png"] {
            assert!(Output::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_pictures_of_the_series_beyond_the_newest_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let pattern = format!("{}/{{job}}-{{time}}.png", folder.path().display());
        let output = Output::new(&pattern).unwrap();
        let (series, other) = (output.series("a", ""), output.series("a-b", ""));
        for second in 0..10_050 {
            fs::write(series.path_of(at(second * 900)), "").unwrap();
        }
        let others = ["a-latest.png", "a-holiday.png", "a-20260131T12000Z.png", "a-20260131T120000Z.png.bak"];
        for name in others {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::write(other.path_of(at(0)), "").unwrap();
        fs::create_dir(folder.path().join("a-19690131T120000Z.png")).unwrap();
        assert_eq!(series.prune(10_000).unwrap(), 50);
        assert!(!series.path_of(at(49 * 900)).exists() && series.path_of(at(50 * 900)).exists());
        assert_eq!(series.prune(10_000).unwrap(), 0);
        assert!(others.iter().all(|name| folder.path().join(name).exists()) && other.path_of(at(0)).exists());
        assert_eq!(series.prune(1).unwrap(), 9_999);
        assert!(series.path_of(at(10_049 * 900)).exists());
    }
}
