//! What a layer is made of: a small JSON file that is swapped whole.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::segment::{self, SegmentEntry};
use kiln_core::error::{Error, Result};

/// Its name in the folder of a layer.
pub(super) const FILE: &str = "manifest.json";
/// What it is called while it is written.
pub(super) const UNFINISHED: &str = "manifest.json.part";

/// What people are told of a layer, and how it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Description {
    /// What people call it. Default: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whom to thank for the points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// What the weights count, such as `population`. Default: `weight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Parameters of the style where a request says nothing, by name.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub style: std::collections::BTreeMap<String, String>,
    /// How old points may become, in seconds; older ones are removed by and by. Default: any age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_s: Option<u64>,
}

/// What a layer is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format of the folder.
    pub(super) format: u32,
    /// Tells layers apart that had the same name one after the other.
    pub(super) id: String,
    /// Grows whenever the points change, or how they are drawn.
    pub(super) version: u64,
    /// The number of the next segment.
    pub(super) next_segment: u64,
    /// When it was made and changed, in Unix seconds.
    pub(super) created_s: u64,
    pub(super) changed_s: u64,
    pub(super) description: Description,
    pub(super) segments: Vec<SegmentEntry>,
}

/// The manifest as it is written: with a sum of its text, so that a damaged one is found out.
#[derive(Serialize, Deserialize)]
struct Sealed {
    crc32: u32,
    layer: Box<RawValue>,
}

/// What every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    /// The format that is written.
    const FORMAT: u32 = 1;

    /// A layer without a point.
    pub(super) fn new(description: Description, now_s: u64) -> Self {
        Self {
            format: Self::FORMAT,
            id: uuid::Uuid::new_v4().simple().to_string()[..8].to_owned(),
            version: 0,
            next_segment: 1,
            created_s: now_s,
            changed_s: now_s,
            description,
            segments: Vec::new(),
        }
    }

    /// What the files of a segment are called.
    pub(super) fn segment_name(id: u64) -> String {
        format!("{id:08}")
    }

    /// The names of all files that it is made of, but for its own.
    pub(super) fn files(&self) -> HashSet<String> {
        let of = |entry: &SegmentEntry| {
            let name = Self::segment_name(entry.id);
            let (points, bins) = (segment::points_name(&name), segment::bins_name(&name));
            [Some(points), entry.bins.map(|_| bins)]
        };
        self.segments.iter().flat_map(of).flatten().collect()
    }

    /// Reads the manifest of the layer in `folder`; `None` if there is no layer.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(Error::input(&path, "it is damaged: it is not UTF-8"));
            }
            Err(error) => return Err(Error::io(&path, "read", error)),
        };
        let damaged = |why: &str| Error::input(&path, format!("it is damaged: {why}"));
        let sealed: Sealed = serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
        if crc32fast::hash(sealed.layer.get().as_bytes()) != sealed.crc32 {
            return Err(damaged("its checksum is not the one that it was written with"));
        }
        let told = |error: serde_json::Error| damaged(&error.to_string());
        let Format { format } = serde_json::from_str(sealed.layer.get()).map_err(told)?;
        if format != Self::FORMAT {
            let why = format!("a newer Kiln wrote it, in format {format}; this one reads format {}", Self::FORMAT);
            return Err(Error::input(&path, why));
        }
        serde_json::from_str(sealed.layer.get()).map(Some).map_err(told)
    }

    /// Puts the manifest in its place, over the one that is there; it is on the disk then.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let (path, unfinished) = (folder.join(FILE), folder.join(UNFINISHED));
        let refused = |error| Error::io(&path, "write", error);
        let text = serde_json::to_string(self).map_err(|error| refused(error.into()))?;
        let crc32 = crc32fast::hash(text.as_bytes());
        let layer = RawValue::from_string(text).map_err(|error| refused(error.into()))?;
        let text = serde_json::to_string(&Sealed { crc32, layer }).map_err(|error| refused(error.into()))?;
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            sync_folder(folder)
        };
        write().map_err(refused)
    }
}

/// Makes a folder, and those that it lies in, where they are not there; their names are on the disk then.
pub(super) fn create_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(parent)?;
    match fs::create_dir(folder) {
        // Somebody else was faster.
        Err(_) if folder.is_dir() => {}
        made => made?,
    }
    sync_folder(parent)
}

/// Makes sure that the names in a folder are on the disk.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Unix seconds.
pub(super) fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
