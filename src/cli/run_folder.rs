//! Folders that a run of an engine has written: Spark, `DuckDB` and others write one folder of files per run.
//!
//! ```text
//! bins/2026-11-28/run=1764374400/part-00000-….parquet
//!                                part-00001-….parquet
//!                                totals.json            optional: {"rows": 812345, "n": 9000000, "files": 2}
//!                                _SUCCESS               written last
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::inputs::expand_inputs;
use crate::error::{Error, Result};
use crate::postgis::Address;
use crate::store::ImportReport;

/// The inputs of an import, in which folders are replaced by their files.
#[derive(Debug)]
pub(super) struct RunInputs {
    /// The inputs: files, `-` and URLs.
    pub(super) files: Vec<String>,
    /// The totals of the only folder, if it has some.
    totals: Option<(PathBuf, Totals)>,
}

/// What a job has written, by its own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Totals {
    rows: Option<u64>,
    /// The number of points that the rows stand for.
    n: Option<u64>,
    files: Option<u64>,
}

const TOTALS: &str = "totals.json";
const SUCCESS: &str = "_SUCCESS";
const RUN: &str = "run=";

impl RunInputs {
    /// Replaces folders by the files in them, and expands patterns.
    ///
    /// # Errors
    /// [`Error::Input`] if a folder has no files, more than one run, or one that is not complete; those of
    /// [`expand_inputs`].
    pub(super) fn expand(inputs: &[String]) -> Result<Self> {
        let (mut files, mut totals) = (Vec::new(), None);
        for input in inputs {
            let path = Path::new(input);
            if !path.is_dir() {
                files.push(input.clone());
                continue;
            }
            let folder = Folder::read(path)?;
            if let Some(found) = folder.totals()? {
                if inputs.len() > 1 {
                    let reason = format!("the folder has a {TOTALS}, so it must be the only input");
                    return Err(Error::input(path, reason));
                }
                totals = Some((folder.path.join(TOTALS), found));
            }
            for name in &folder.files {
                let file = folder.path.join(name).into_os_string().into_string();
                files.push(file.map_err(|name| Error::input(PathBuf::from(name), "the filename is not UTF-8"))?);
            }
        }
        Ok(Self { files: expand_inputs(&files)?, totals })
    }

    /// Checks that the files are of one run, and returns its identity: that of a folder `run=…` by its path, and the
    /// names and sizes of its files; that of other files by their content. `options` are those of reading them. `None`
    /// for standard input and URLs.
    ///
    /// # Errors
    /// [`Error::Input`] if the files are of several runs, or of one that is not complete; [`Error::Io`].
    pub(super) fn identity(&self, options: &str) -> Result<Option<String>> {
        let is_file = |file: &String| file != "-" && !Address::is_database_url(file) && !file.contains("://");
        if !self.files.iter().all(is_file) {
            return Ok(None);
        }
        let folders: BTreeSet<Option<PathBuf>> = self.files.iter().map(|file| run_folder(Path::new(file))).collect();
        let folders: Vec<Option<PathBuf>> = folders.into_iter().collect();
        let mut hash = Sha256::new();
        hash.update(options.as_bytes());
        let kind = match &folders[..] {
            [Some(folder)] => {
                Folder::read(folder)?;
                let path = fs::canonicalize(folder).map_err(|error| Error::io(folder, "read", error))?;
                hash.update(path.as_os_str().as_encoded_bytes());
                for file in &self.files {
                    let length = fs::metadata(file).map_err(|error| Error::io(file, "read", error))?.len();
                    hash.update(Path::new(file).file_name().unwrap_or_default().as_encoded_bytes());
                    hash.update(length.to_le_bytes());
                }
                name_of(folder)
            }
            [] | [None] => {
                for file in &self.files {
                    let mut content = HashedContent { hash: &mut hash, length: 0 };
                    let read = fs::File::open(file).and_then(|mut file| io::copy(&mut file, &mut content));
                    read.map_err(|error| Error::io(file, "read", error))?;
                    let length = content.length;
                    hash.update(length.to_le_bytes());
                }
                "content".to_owned()
            }
            [first, .., last] => {
                let [first, last] = [first, last].map(|folder| {
                    folder.as_ref().map_or_else(|| "files of no run".to_owned(), |folder| folder.display().to_string())
                });
                return Err(two_runs(&last, &format!("{first} and {last}")));
            }
        };
        // 128 bits of it.
        let digest = hash.finalize().iter().take(16).fold(0u128, |digest, byte| digest << 8 | u128::from(*byte));
        Ok(Some(format!("{kind}:{digest:032x}")))
    }

    /// Compares what was read with the totals of the run.
    ///
    /// # Errors
    /// [`Error::Input`] if they differ.
    pub(super) fn check_totals(&self, imported: &ImportReport) -> Result<()> {
        let Some((path, totals)) = &self.totals else { return Ok(()) };
        let report = &imported.report;
        // Rows that a filter leaves out stand for an unknown number of points.
        let points = (report.filtered == 0).then_some(imported.points + imported.beyond_map + report.rejected);
        let counts = [
            ("files", totals.files, Some(self.files.len() as u64)),
            ("rows", totals.rows, Some(report.read)),
            ("n", totals.n, points),
        ];
        for (name, expected, found) in counts {
            if let (Some(expected), Some(found)) = (expected, found)
                && expected != found
            {
                let what = if name == "n" { "points" } else { name };
                let reason = format!(
                    "`{name}` is {expected}, but the folder has {found} {what}: files are missing, or there twice; nothing \
                     was imported; run the job again"
                );
                return Err(Error::input(path, reason));
            }
        }
        Ok(())
    }
}

/// The folder of a run.
struct Folder {
    path: PathBuf,
    /// The names of its files of points, sorted.
    files: Vec<String>,
}

impl Folder {
    /// Reads the folder of a run, or one that has the folder of one run, and checks that the run is complete.
    fn read(path: &Path) -> Result<Self> {
        let failed = |error| Error::io(path, "read", error);
        let (mut files, mut folders, mut others) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for entry in fs::read_dir(path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.into_string().map_err(|_| Error::input(path, "the name of a file in it is not UTF-8"))?;
            if path.join(&name).is_dir() {
                if name.starts_with(RUN) {
                    folders.insert(name)
                } else {
                    others.insert(name)
                };
            } else if !name.starts_with(['_', '.']) && name != TOTALS {
                files.push(name);
            }
        }
        files.sort_unstable();
        let folders: Vec<String> = folders.into_iter().collect();
        match &folders[..] {
            [] => {}
            [only] if files.is_empty() => return Self::read(&path.join(only)),
            [only] => return Err(two_runs(path, &format!("{only} and {}", files[0]))),
            [first, .., last] => return Err(two_runs(path, &format!("{first} and {last}"))),
        }
        if others.contains("_temporary") || files.iter().any(|name| name.starts_with("part-")) && !has_success(path) {
            let reason = format!(
                "the run is not complete: its {SUCCESS} is missing; nothing was imported; wait for the job, or run it again"
            );
            return Err(Error::input(path, reason));
        }
        if let Some(other) = others.iter().find(|name| !name.starts_with(['_', '.'])) {
            let reason = format!("it has folders, such as {other}; use a pattern such as '{}/*/*'", path.display());
            return Err(Error::input(path, reason));
        }
        if files.is_empty() {
            return Err(Error::input(path, "the folder has no files of points"));
        }
        Ok(Self { path: path.to_owned(), files })
    }

    /// The totals of the run, if it has some.
    fn totals(&self) -> Result<Option<Totals>> {
        let path = self.path.join(TOTALS);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| Error::io(&path, "read", error))?,
        };
        let invalid = |error: serde_json::Error| {
            let expected = r#"expected an object such as {"rows": 812345, "n": 9000000, "files": 8}"#;
            Error::input(&path, format!("{expected}: {error}"))
        };
        serde_json::from_str(&text).map(Some).map_err(invalid)
    }
}

fn has_success(folder: &Path) -> bool {
    folder.join(SUCCESS).exists()
}

fn two_runs(at: impl AsRef<Path>, names: &str) -> Error {
    let reason = format!("two runs in one partition: {names}; a partition has one run; name the folder of one of them");
    Error::input(at.as_ref(), reason)
}

/// The nearest folder `run=…` above a file.
fn run_folder(file: &Path) -> Option<PathBuf> {
    let mut folders = file.ancestors().skip(1);
    folders.find(|folder| name_of(folder).starts_with(RUN)).map(Path::to_owned)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Hashes what is written to it.
struct HashedContent<'a> {
    hash: &'a mut Sha256,
    length: u64,
}

impl io::Write for HashedContent<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
