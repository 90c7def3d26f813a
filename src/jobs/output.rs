//! Where a job's pictures are put, and which of them stay.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// What a job's pictures are called: a path with `{job}`, `{place}` and `{time}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pattern: String,
}

/// The pictures of one place of a job, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Series {
    folder: PathBuf,
    /// What a picture's name has before its time, and after it; `None` if there is no time in it.
    before: String,
    after: Option<String>,
}

impl Output {
    const JOB: &str = "{job}";
    const PLACE: &str = "{place}";
    const TIME: &str = "{time}";

    /// The output that `pattern` says.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it names anything else in braces, has a time elsewhere than once in the file's name, or ends in
    /// another format than `.png` or `.tif`.
    pub fn new(pattern: &str) -> Result<Self> {
        let refused = |why: String| Err(Error::invalid(Parameter::OUTPUT, why));
        let bare =
            [Self::JOB, Self::PLACE, Self::TIME].iter().fold(pattern.to_owned(), |text, name| text.replace(name, ""));
        if bare.contains(['{', '}', '\0']) {
            return refused(format!("`{pattern}` has something else in braces than {{job}}, {{place}} and {{time}}"));
        }
        let name = Path::new(pattern).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if pattern.matches(Self::TIME).count() != usize::from(name.contains(Self::TIME)) {
            return refused(format!("`{pattern}` has {{time}} elsewhere than once in the file's name"));
        }
        let ending = Path::new(name).extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        if !matches!(ending.as_deref(), Some("png" | "tif" | "tiff")) || pattern.ends_with('/') {
            return refused(format!(
                "`{pattern}` names no picture; write one such as imgs/{{job}}/{{time}}.png, or .tif"
            ));
        }
        Ok(Self { pattern: pattern.to_owned() })
    }

    /// What it was made of.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether each picture has a name of its own.
    pub fn has_time(&self) -> bool {
        self.pattern.contains(Self::TIME)
    }

    /// Whether the pictures of each place have names of their own.
    pub fn has_place(&self) -> bool {
        self.pattern.contains(Self::PLACE)
    }

    /// Whether the pictures are PNGs; else they are `GeoTIFF`s.
    pub fn is_png(&self) -> bool {
        self.pattern.to_ascii_lowercase().ends_with(".png")
    }

    /// The pictures of a place.
    pub fn series(&self, job: &str, place: &str) -> Series {
        let path = self.pattern.replace(Self::JOB, job).replace(Self::PLACE, place);
        let path = Path::new(&path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        match name.split_once(Self::TIME) {
            Some((before, after)) => Series { folder, before: before.to_owned(), after: Some(after.to_owned()) },
            None => Series { folder, before: name.to_owned(), after: None },
        }
    }
}

impl Series {
    /// The folder of the pictures.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the picture that is due at `due` is put. Its time is UTC, so that names are never the same twice, and in the
    /// order of their times: `20260131T120000Z`.
    pub fn path_of(&self, due: Timestamp) -> PathBuf {
        self.named(&due.strftime("%Y%m%dT%H%M%SZ").to_string())
    }

    /// Where a copy of the newest picture is put: `latest` takes the place of the time.
    pub fn latest(&self) -> PathBuf {
        self.named("latest")
    }

    fn named(&self, time: &str) -> PathBuf {
        let after = self.after.as_deref();
        self.folder.join(after.map_or_else(|| self.before.clone(), |after| format!("{}{time}{after}", self.before)))
    }

    /// Removes all pictures of the series but the `keep` newest, and answers how many. Nothing else is touched, whatever is in
    /// the folder.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read, or a picture not be removed.
    pub fn prune(&self, keep: u64) -> Result<u64> {
        let refused = |error| Error::io(&self.folder, "read", error);
        let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if self.is_of(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                names.push(name);
            }
        }
        names.sort_unstable();
        let too_many = names.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        let mut removed = 0;
        for name in &names[..too_many] {
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io(path, "remove", error)),
            }
        }
        Ok(removed)
    }

    /// Whether a file of that name in the folder is a picture of the series.
    fn is_of(&self, name: &str) -> bool {
        let time = || name.strip_prefix(&*self.before)?.strip_suffix(self.after.as_deref()?);
        time().is_some_and(|time| {
            let is_right = |(i, byte): (usize, u8)| match i {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            };
            time.len() == 16 && time.bytes().enumerate().all(is_right)
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
    fn names_are_made_of_job_place_and_time() {
        let output = Output::new("out/{job}/{place}-{time}.png").unwrap();
        let series = output.series("rain", "berlin");
        assert_eq!(series.path_of(at(1_767_182_400)), Path::new("out/rain/berlin-20251231T120000Z.png"));
        assert_eq!(series.latest(), Path::new("out/rain/berlin-latest.png"));
        let lone = Output::new("heat.TIF").unwrap();
        assert!(!lone.has_time() && !lone.is_png());
        assert_eq!(lone.series("a", "").path_of(at(5)), Path::new("heat.TIF"));
        for bad in ["a/{time}/x.png", "{time}{time}.png", "{when}.png", "a.jpg", "a", "", "a.png/", "{job}", "{.png"] {
            assert!(Output::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_newest_of_ten_thousand_stay_and_nothing_else_is_touched() {
        let home = tempfile::tempdir().unwrap();
        let pattern = format!("{}/{{job}}-{{time}}.png", home.path().display());
        let output = Output::new(&pattern).unwrap();
        let (series, other) = (output.series("a", ""), output.series("a-b", ""));
        for second in 0..10_050 {
            fs::write(series.path_of(at(second * 900)), "").unwrap();
        }
        let strangers = ["a-latest.png", "a-holiday.png", "a-20260131T12000Z.png", "a-20260131T120000Z.png.bak"];
        for name in strangers {
            fs::write(home.path().join(name), "").unwrap();
        }
        fs::write(other.path_of(at(0)), "").unwrap();
        fs::create_dir(home.path().join("a-19690131T120000Z.png")).unwrap();
        assert_eq!(series.prune(10_000).unwrap(), 50);
        assert!(!series.path_of(at(49 * 900)).exists() && series.path_of(at(50 * 900)).exists());
        assert_eq!(series.prune(10_000).unwrap(), 0);
        assert!(strangers.iter().all(|name| home.path().join(name).exists()) && other.path_of(at(0)).exists());
        assert_eq!(series.prune(1).unwrap(), 9_999);
        assert!(series.path_of(at(10_049 * 900)).exists());
    }
}
