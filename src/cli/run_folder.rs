//! Folders that a run of an engine has written: Spark, DuckDB and others write one folder of files per run.
//!
//! ```text
//! bins/2026-11-28/run=1764374400/part-00000-….parquet
//!                                part-00001-….parquet
//!                                totals.json            optional: {"rows": 812345, "n": 9000000, "files": 2}
//!                                _SUCCESS               written last
//! ```

use std::collections::BTreeSet;
use std::io;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::inputs::expand_inputs;
use super::location::{Entries, Location};
use crate::error::{Error, Result};
use crate::postgis::Address;
use crate::store::ImportReport;

/// The inputs of an import, in which folders are replaced by their files.
#[derive(Debug)]
pub(super) struct RunInputs {
    /// The inputs: files, `-` and URLs.
    pub(super) files: Vec<String>,
    /// The totals of the only folder, if it has some.
    totals: Option<(Location, Totals)>,
}

/// What a job has written, by its own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    /// The level of the bins.
    level: Option<u64>,
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
            let location = if is_other(input) { None } else { Some(Location::of(input)?) };
            let Some(location) = location else {
                files.push(input.clone());
                continue;
            };
            if !location.is_folder(input.ends_with('/'))? {
                files.push(input.clone());
                continue;
            }
            let folder = Folder::read(&location)?;
            if let Some(found) = folder.totals()? {
                if inputs.len() > 1 {
                    let reason = format!("the folder has a {TOTALS}, so it must be the only input");
                    return Err(location.error(reason));
                }
                totals = Some((folder.location.join(TOTALS), found));
            }
            for name in folder.entries.files.keys() {
                files.push(folder.location.join(name).into_input()?);
            }
        }
        Ok(Self { files: expand_inputs(&files)?, totals })
    }

    /// Checks that the files are of one run, and returns its identity: that of a folder `run=…` by its path, and the
    /// names and sizes of its files; that of other files by their content, and of objects by their entity tags. `options` are
    /// those of reading them. `None` for standard input, databases and web servers.
    ///
    /// # Errors
    /// [`Error::Input`] if the files are of several runs, or of one that is not complete; [`Error::Io`].
    pub(super) fn identity(&self, options: &str) -> Result<Option<String>> {
        if self.files.iter().any(|file| is_other(file)) {
            return Ok(None);
        }
        let locations: Vec<Location> = self.files.iter().map(|file| Location::of(file)).collect::<Result<_>>()?;
        let folders: BTreeSet<Option<Location>> = locations.iter().map(run_folder).collect();
        let folders: Vec<Option<Location>> = folders.into_iter().collect();
        let mut hash = Sha256::new();
        hash.update(options.as_bytes());
        let kind = match &folders[..] {
            [Some(folder)] => {
                let entries = Folder::read(folder)?.entries;
                hash.update(folder.identity()?);
                for file in &locations {
                    let name = file.name();
                    hash.update(name.as_bytes());
                    hash.update(entries.size(&name, file)?.to_le_bytes());
                }
                folder.name()
            }
            [] | [None] => {
                for file in &locations {
                    let mut content = HashedContent { hash: &mut hash, length: 0 };
                    if !file.hash_content(&mut content)? {
                        return Ok(None);
                    }
                    let length = content.length;
                    hash.update(length.to_le_bytes());
                }
                "content".to_owned()
            }
            [first, .., last] => {
                let [first, last] = [first, last]
                    .map(|folder| folder.as_ref().map_or_else(|| "files of no run".to_owned(), ToString::to_string));
                let names = format!("{first} and {last}");
                return Err(match folders.last() {
                    Some(Some(folder)) => two_runs(folder, &names),
                    _ => Error::input(last, two_runs_reason(&names)),
                });
            }
        };
        // 128 bits of it.
        let digest = hash.finalize().iter().take(16).fold(0u128, |digest, byte| digest << 8 | u128::from(*byte));
        Ok(Some(format!("{kind}:{digest:032x}")))
    }

    /// Compares what was read with the totals of the run. `level` is that of the bins; `None` of points.
    ///
    /// # Errors
    /// [`Error::Input`] if they differ.
    pub(super) fn check_totals(&self, imported: &ImportReport, level: Option<u32>) -> Result<()> {
        let Some((path, totals)) = &self.totals else { return Ok(()) };
        if let Some(expected) = totals.level
            && imported.points > 0
            && level.map(u64::from) != Some(expected)
        {
            let found = level.map_or("are points".to_owned(), |level| format!("are bins of level {level}"));
            let reason =
                format!("`level` is {expected}, but the rows {found}; nothing was imported; run the job again");
            return Err(path.error(reason));
        }
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
                let what = match name {
                    "n" => "point",
                    name => name.trim_end_matches('s'),
                };
                let s = if found == 1 { "" } else { "s" };
                let reason = format!(
                    "`{name}` is {expected}, but the folder has {found} {what}{s}: files are missing, or there twice; nothing \
                     was imported; run the job again"
                );
                return Err(path.error(reason));
            }
        }
        Ok(())
    }
}

/// Whether the run `one` is older than `other`, by the times in the names of their folders: `run=20261129T010203Z-5f3a9c1e`, or
/// `run=1764374400`. False if the order is not known.
pub(super) fn is_older_run(one: &str, other: &str) -> bool {
    const TIME: &str = "dddddddd?dddddd?";
    let time_of = |identity: &str| -> Option<(bool, u64)> {
        let name = identity.split(':').next()?.strip_prefix(RUN)?.to_owned();
        let is_time = |text: &str| {
            let fits =
                |(c, expected): (char, char)| if expected == 'd' { c.is_ascii_digit() } else { "TZ".contains(c) };
            text.chars().zip(TIME.chars()).all(fits)
        };
        match name.get(..TIME.len()).filter(|time| is_time(time)) {
            Some(time) => Some((true, time.replace(['T', 'Z'], "").parse().ok()?)),
            None => Some((false, name.parse().ok()?)),
        }
    };
    match (time_of(one), time_of(other)) {
        (Some((kind, one)), Some((other_kind, other))) => kind == other_kind && one < other,
        _ => false,
    }
}

/// Whether an input is neither a file nor an object of a bucket.
fn is_other(input: &str) -> bool {
    input == "-" || Address::is_database_url(input)
}

/// The folder of a run.
struct Folder {
    location: Location,
    /// Its files of points.
    entries: Entries,
}

impl Folder {
    /// Reads the folder of a run, or one that has the folder of one run, and checks that the run is complete.
    fn read(location: &Location) -> Result<Self> {
        let mut entries = location.entries()?;
        let has_success = entries.files.contains_key(SUCCESS);
        entries.files.retain(|name, _| !name.starts_with(['_', '.']) && name != TOTALS);
        let (folders, others): (Vec<String>, Vec<String>) =
            entries.folders.iter().cloned().partition(|name| name.starts_with(RUN));
        match (&folders[..], entries.files.keys().next()) {
            ([], _) => {}
            ([only], None) => return Self::read(&location.join(only)),
            ([only], Some(file)) => return Err(two_runs(location, &format!("{only} and {file}"))),
            ([first, .., last], _) => return Err(two_runs(location, &format!("{first} and {last}"))),
        }
        // Spark names its files `part-…`; other engines do not.
        let is_run = location.name().starts_with(RUN) || entries.files.keys().any(|name| name.starts_with("part-"));
        if others.iter().any(|name| name == "_temporary") || is_run && !has_success {
            let reason = format!(
                "the run is not complete: its {SUCCESS} is missing; nothing was imported; wait for the job, or run it again"
            );
            return Err(location.error(reason));
        }
        if let Some(other) = others.iter().find(|name| !name.starts_with(['_', '.'])) {
            let reason = format!("it has folders, such as {other}; use a pattern such as '{location}/*/*'");
            return Err(location.error(reason));
        }
        if entries.files.is_empty() {
            return Err(location.error("the folder has no files of points"));
        }
        Ok(Self { location: location.clone(), entries })
    }

    /// The totals of the run, if it has some.
    fn totals(&self) -> Result<Option<Totals>> {
        let location = self.location.join(TOTALS);
        let Some(text) = location.read_small(Totals::MAX_BYTES)? else { return Ok(None) };
        Totals::parse(&text).map(Some).map_err(|reason| location.error(reason))
    }
}

impl Totals {
    /// The maximum size of the file in bytes.
    const MAX_BYTES: u64 = 64 << 10;

    /// Parses the content of the file. Members of other names are those of the job.
    fn parse(text: &[u8]) -> Result<Self, String> {
        const EXPECTED: &str = r#"expected an object such as {"level": 22, "rows": 812345, "n": 9000000, "files": 8}"#;
        let value: Value =
            serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}; {EXPECTED}"))?;
        let Value::Object(members) = value else { return Err(EXPECTED.to_owned()) };
        let number = |key: &str| match members.get(key) {
            None => Ok(None),
            Some(value) => {
                let reason = || format!("`{key}` is {value}; expected a whole number from 0 on, or no such member");
                value.as_u64().map(Some).ok_or_else(reason)
            }
        };
        Ok(Self { level: number("level")?, rows: number("rows")?, n: number("n")?, files: number("files")? })
    }
}

fn two_runs(at: &Location, names: &str) -> Error {
    at.error(two_runs_reason(names))
}

fn two_runs_reason(names: &str) -> String {
    format!("two runs in one partition: {names}; a partition has one run; name the folder of one of them")
}

/// The nearest folder `run=…` above a file.
fn run_folder(file: &Location) -> Option<Location> {
    let mut folder = file.parent()?;
    while !folder.name().starts_with(RUN) {
        folder = folder.parent()?;
    }
    Some(folder)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_older_by_the_times_in_their_names_as_far_as_these_are_known() {
        let [early, late] = ["run=20261129T010203Z-5f3a9c1e:00ff", "run=20261130T000000Z-00000000:00ee"];
        assert!(is_older_run(early, late) && !is_older_run(late, early) && !is_older_run(early, early));
        assert!(is_older_run("run=999:1", "run=1764374400:0") && !is_older_run("run=1764374400:0", "run=999:1"));
        for unknown in
            ["content:00", "run=latest:00", "run=1764374400:00", "run=2026-11-29:00", "run=20261129X010203Z:0", ""]
        {
            assert!(!is_older_run(unknown, late) && !is_older_run(late, unknown), "{unknown}");
        }
    }
}
