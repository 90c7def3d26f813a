//! The manifest of a layer: a small JSON file that lists its segments and is replaced atomically.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::disk::{self, File, OpenFolder, sync_folder};
use super::grace::RemovedSegments;
use super::published::Published;
use super::segment::{self, SegmentEntry};
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Frame, PlaneFrame, PointBins};
use kiln_core::source::CoordinateSpace;

/// The formats of layers that can be read, from the first to the last.
pub const FORMATS: std::ops::RangeInclusive<u32> = 1..=Manifest::MAX_FORMAT;

/// The file name in the folder of a layer.
pub(super) const FILE: &str = "manifest.json";
/// The file name of a manifest that is being written.
pub(super) const UNFINISHED: &str = "manifest.json.part";

/// The description of a layer and the retention of its points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Description {
    /// The title. Default: the layer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The attribution of the points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// The name of the weights, such as `population`. Default: `weight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Default style parameters, by name.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub style: std::collections::BTreeMap<String, String>,
    /// The maximum age of points, in seconds; older ones are removed in the background. Default: unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_s: Option<u64>,
}

/// The coordinate space of a layer's points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Space {
    /// The globe, in Web Mercator units.
    #[default]
    Globe,
    /// A plane in meters.
    Plane {
        /// The south-western corner of the layer's frame, in steps of 0.1 mm; `None` until the first points.
        origin: Option<[i64; 2]>,
    },
}

impl Space {
    /// The space of a new layer.
    pub(super) fn of(space: CoordinateSpace) -> Self {
        match space {
            CoordinateSpace::Globe => Self::Globe,
            CoordinateSpace::Plane => Self::Plane { origin: None },
        }
    }

    /// The coordinate space.
    pub(super) fn coordinate_space(self) -> CoordinateSpace {
        match self {
            Self::Globe => CoordinateSpace::Globe,
            Self::Plane { .. } => CoordinateSpace::Plane,
        }
    }

    /// The frame of the points; `None` on a plane before the first points.
    pub(super) fn frame(self) -> Option<Frame> {
        match self {
            Self::Globe => Some(Frame::Mercator),
            Self::Plane { origin } => PlaneFrame::new(origin?).map(Frame::Plane),
        }
    }

    fn is_globe(&self) -> bool {
        *self == Self::Globe
    }

    /// The format version of the manifest. Versions of Kiln that know only the first one would read planes as the
    /// globe.
    fn format(self) -> u32 {
        match self {
            Self::Globe => 1,
            Self::Plane { .. } => 2,
        }
    }
}

/// The segments and the description of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format version of the layer's folder.
    pub(super) format: u32,
    /// A random ID that distinguishes a layer from earlier ones of the same name.
    pub(super) id: String,
    /// Increases whenever the points or the description change.
    pub(super) version: u64,
    /// The number of the next segment.
    pub(super) next_segment: u64,
    /// The times of creation and of the last change, in Unix seconds.
    pub(super) created_s: u64,
    pub(super) changed_s: u64,
    pub(super) description: Description,
    /// The coordinate space, which never changes; that of a plane gets its origin with the first points.
    #[serde(default, skip_serializing_if = "Space::is_globe")]
    pub(super) space: Space,
    /// The level of a layer of bins, whose rows stand for many points each; `None` if each row is one point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<u32>,
    pub(super) segments: Vec<SegmentEntry>,
    /// Segments that were removed, and whose files stay for a while.
    #[serde(default, skip_serializing_if = "RemovedSegments::is_empty")]
    pub(super) removed: RemovedSegments,
    /// Of a manifest in a bucket, and of its copy in a mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) published: Option<Published>,
}

/// The manifest file: the manifest with a checksum of its text.
#[derive(Serialize, Deserialize)]
struct ManifestFile {
    crc32: u32,
    layer: Box<RawValue>,
}

/// The member that all format versions have.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Manifest {
    /// The last format version: see [`Manifest::needed_format`].
    const MAX_FORMAT: u32 = 4;
    /// The format version of a layer of bins. Earlier versions of Kiln would read each bin as one point.
    const BINS_FORMAT: u32 = 3;
    /// The format version of a layer with partitions. Earlier versions of Kiln would merge them.
    const PARTITIONS_FORMAT: u32 = 4;

    /// The manifest of a new layer without points.
    pub(super) fn new(space: Space, description: Description, now_s: u64) -> Self {
        Self {
            format: space.format(),
            id: disk::random_id(),
            version: 0,
            next_segment: 1,
            created_s: now_s,
            changed_s: now_s,
            description,
            space,
            level: None,
            segments: Vec::new(),
            removed: RemovedSegments::default(),
            published: None,
        }
    }

    /// Sets the coordinate space, and the format that it needs.
    pub(super) fn set_space(&mut self, space: Space) {
        self.space = space;
        self.format = self.needed_format();
    }

    /// Sets the level of the bins, `None` for single points, and the format that it needs.
    pub(super) fn set_level(&mut self, level: Option<u32>) {
        self.level = level;
        self.format = self.needed_format();
    }

    /// The format version that the layer needs.
    pub(super) fn needed_format(&self) -> u32 {
        if self.segments.iter().any(|entry| entry.partition.is_some()) {
            return Self::PARTITIONS_FORMAT;
        }
        if self.level.is_some() { Self::BINS_FORMAT } else { self.space.format() }
    }

    /// The version as clients see it: the ID, the number of the version, and the revision of a published one.
    pub(super) fn version_text(&self) -> String {
        let Self { id, version, .. } = self;
        match self.published.as_ref().map_or(0, |published| published.revision) {
            0 => format!("{id}-{version}"),
            revision => format!("{id}-{version}-r{revision}"),
        }
    }

    /// The base name of a segment's files.
    pub(super) fn segment_name(id: u64) -> String {
        format!("{id:08}")
    }

    /// The names of the segments' files, and of those of removed segments that must stay at `now_s`.
    pub(super) fn files(&self, now_s: u64) -> HashSet<String> {
        let of = |id: u64, has_bins: bool| {
            let name = Self::segment_name(id);
            [Some(segment::points_name(&name)), has_bins.then(|| segment::bins_name(&name))]
        };
        let kept = self.removed.kept(now_s).into_iter().flat_map(|id| of(id, true));
        self.segments.iter().flat_map(|entry| of(entry.id, entry.bins.is_some())).chain(kept).flatten().collect()
    }

    /// Reads the manifest of the layer in `folder`; `None` if there is no layer.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let layer = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = match disk::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                let reason = "it is not valid UTF-8".to_owned();
                return Err(Error::DamagedManifest { file: path, layer, reason });
            }
            Err(error) => return Err(Error::io(&path, "read", error)),
        };
        Self::parse(&text, &path, &layer).map(Some)
    }

    /// Parses the text of the manifest of a layer; `path` is that of its file.
    ///
    /// # Errors
    /// [`Error::DamagedManifest`] if it is damaged; [`Error::Input`] if another version of Kiln wrote it.
    pub(super) fn parse(text: &str, path: &Path, layer: &str) -> Result<Self> {
        let damaged = |reason: &str| {
            let (file, layer, reason) = (path.to_owned(), layer.to_owned(), reason.to_owned());
            Error::DamagedManifest { file, layer, reason }
        };
        let file_content: ManifestFile = serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
        if crc32fast::hash(file_content.layer.get().as_bytes()) != file_content.crc32 {
            return Err(damaged("the checksum does not match"));
        }
        let invalid = |error: serde_json::Error| damaged(&error.to_string());
        let Format { format } = serde_json::from_str(file_content.layer.get()).map_err(invalid)?;
        if !FORMATS.contains(&format) {
            let reason = format!(
                "unsupported format {format}, written by another version of Kiln; this one supports formats 1 to {}",
                Self::MAX_FORMAT
            );
            return Err(Error::input(path, reason));
        }
        let manifest: Self = serde_json::from_str(file_content.layer.get()).map_err(invalid)?;
        let is_framed = manifest.segments.is_empty() || manifest.space.frame().is_some();
        let is_level = |level: u32| level <= PointBins::MAX_LEVEL && manifest.space.is_globe();
        if !manifest.level.is_none_or(is_level) {
            return Err(damaged("the level is invalid"));
        }
        if !manifest.has_valid_numbers() {
            return Err(damaged("a number is invalid"));
        }
        if format != manifest.needed_format() || !is_framed {
            return Err(damaged("the coordinate space is invalid"));
        }
        Ok(manifest)
    }

    /// The text of the file, with its checksum.
    pub(super) fn to_text(&self) -> std::io::Result<String> {
        let text = serde_json::to_string(self)?;
        let crc32 = crc32fast::hash(text.as_bytes());
        let layer = RawValue::from_string(text)?;
        Ok(serde_json::to_string(&ManifestFile { crc32, layer })? + "\n")
    }

    /// Replaces the manifest in `folder` atomically, and syncs it to disk. If that fails, the previous manifest is in
    /// place again.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let (path, unfinished) = (folder.join(FILE), folder.join(UNFINISHED));
        let write_error = |error| Error::io(&path, "write", error);
        let text = self.to_text().map_err(write_error)?;
        let put = |text: &str| {
            let mut file = File::create(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            disk::rename(&unfinished, &path)
        };
        let write = || {
            let previous = disk::exists(&path).then(|| disk::read_to_string(&path)).transpose()?;
            let opened = OpenFolder::open(folder)?;
            put(&text)?;
            opened.sync().inspect_err(|_| {
                // The change is reported as failed, so readers must not see it.
                if let Some(Err(error)) = previous.map(|previous| put(&previous)) {
                    tracing::error!("{}: the change failed, but it cannot be undone: {error}", path.display());
                }
            })
        };
        write().map_err(write_error)
    }
}

/// Creates a folder and its missing parents, and syncs them to disk.
pub(super) fn create_folder(folder: &Path) -> std::io::Result<()> {
    if disk::is_dir(folder) {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let create = || match disk::create_dir(folder) {
        // Another process has created it concurrently.
        Err(_) if disk::is_dir(folder) => Ok(()),
        result => result,
    };
    match create() {
        // The current folder is its own parent.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && parent != folder => {
            create_folder(parent)?;
            create()?;
        }
        result => result?,
    }
    sync_folder(parent)
}
