//! What a version of a layer needs that a mirror does not have.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::Store;
use crate::disk::{self, File};
use crate::grace::RemovedSegments;
use crate::manifest::{Manifest, create_folder};
use crate::published::{ContentDigest, LayerObject, Published, SideFile, segment_objects};
use crate::segment::{self, SegmentEntry};
use kiln_core::error::{Error, Result};

/// The folder of files that are being copied, in the folder of a mirror.
pub(super) const COPY_FOLDER: &str = ".copy";

/// A file that is copied.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) object: LayerObject,
    /// The path of the complete copy, until the version is installed.
    pub(super) staged: PathBuf,
    /// The name in the folder of the layer.
    pub(super) name: String,
}

/// The installation of a version.
#[derive(Debug)]
pub(super) struct Plan {
    /// The manifest of the mirror, whose segments have numbers of their own.
    pub(super) target: Manifest,
    /// The segments of which the manifest has the same numbers as that of the version that is served.
    pub(super) unchanged: HashSet<u64>,
    /// The files that the mirror does not have.
    pub(super) downloads: Vec<Download>,
    /// The files next to the manifest that the version does not have.
    pub(super) obsolete: Vec<SideFile>,
    /// Whether the version is installed already.
    pub(super) is_installed: bool,
}

impl Plan {
    /// Plans the installation of a published version of the layer `name`.
    pub(super) fn new(store: &Store, name: &str, remote: &Manifest, published: &Published) -> Result<Self> {
        let folder = store.folder().join(name);
        let local = match Manifest::read(&folder) {
            // A manifest that cannot be used is replaced.
            Err(Error::DamagedManifest { .. } | Error::Input { .. }) => None,
            local => local?,
        };
        let copies = store.folder().join(COPY_FOLDER).join(name);
        create_folder(&copies).map_err(|error| Error::io(&copies, "create", error))?;
        let staged = |object: &LayerObject| copies.join(object.key.replace('/', "-"));

        let usable = usable_segments(store, name, &folder, local.as_ref());
        let mut next_segment = next_number(&folder, local.as_ref())?;
        let (mut target, mut downloads, mut used) = (remote.clone(), Vec::new(), HashSet::new());
        let mut unchanged = HashSet::new();
        let same_rows = local.as_ref().filter(|local| (local.level, local.space) == (remote.level, remote.space));
        for entry in &mut target.segments {
            let known = usable.get(&content_of(entry)).into_iter().flatten().find(|id| !used.contains(*id));
            if let Some(&id) = known {
                used.insert(id);
                entry.id = id;
                let is_same = |own: &&SegmentEntry| {
                    SegmentEntry { partition: entry.partition.clone(), ..(*own).clone() } == *entry
                };
                if same_rows
                    .and_then(|local| local.segments.iter().find(|own| own.id == id))
                    .is_some_and(|own| is_same(&own))
                {
                    unchanged.insert(id);
                }
                continue;
            }
            let objects = segment_objects(&remote.id, entry);
            entry.id = next_segment;
            next_segment = next_segment.saturating_add(1);
            let base = Manifest::segment_name(entry.id);
            let names = [segment::points_name(&base), segment::bins_name(&base)];
            downloads.extend(objects.into_iter().zip(names).filter_map(|(object, name)| {
                let object = object?;
                Some(Download { staged: staged(&object), object, name })
            }));
        }
        target.next_segment = next_segment;
        target.removed = RemovedSegments::default();
        target.published = Some(Published { removed: Vec::new(), ..published.clone() });

        let mut obsolete = Vec::new();
        for side_file in SideFile::ALL {
            let name = side_file.file().name;
            let own = digest_of_file(&folder.join(name))?;
            match published.side_file(side_file) {
                digest if digest == own => {}
                None => obsolete.push(side_file),
                Some(digest) => {
                    let object = side_file.object(&remote.id, digest);
                    downloads.push(Download { staged: staged(&object), object, name: name.to_owned() });
                }
            }
        }
        remove_others(&copies, &downloads);
        let is_same = local.is_some_and(|local| {
            local == Manifest { removed: local.removed.clone(), next_segment: local.next_segment, ..target.clone() }
        });
        let is_installed = is_same && downloads.is_empty() && obsolete.is_empty();
        Ok(Self { target, unchanged, downloads, obsolete, is_installed })
    }
}

/// What identifies the content of a segment.
type Content = [Option<ContentDigest>; 2];

fn content_of(entry: &SegmentEntry) -> [Option<(u64, u32)>; 2] {
    let content: Content = [Some(entry.points.into()), entry.bins.map(Into::into)];
    content.map(|digest| digest.map(|digest| (digest.bytes, digest.crc32)))
}

/// The numbers of the intact segments of a mirror, by their content.
fn usable_segments(
    store: &Store,
    name: &str,
    folder: &Path,
    local: Option<&Manifest>,
) -> HashMap<[Option<(u64, u32)>; 2], BTreeSet<u64>> {
    let mut usable: HashMap<_, BTreeSet<u64>> = HashMap::new();
    let Some(local) = local else { return usable };
    // Damage is known once the layer is open.
    let damaged: HashSet<u64> = match store.layer(name) {
        Ok(Some(layer)) => layer.snapshot().damaged().iter().map(|damage| damage.segment).collect(),
        _ => HashSet::new(),
    };
    let has_length = |path: PathBuf, bytes| disk::length(&path).is_ok_and(|length| length == bytes);
    for entry in &local.segments {
        let base = Manifest::segment_name(entry.id);
        let is_complete = has_length(segment::points_path(folder, &base), entry.points.bytes)
            && entry.bins.is_none_or(|bins| has_length(segment::bins_path(folder, &base), bins.bytes));
        if is_complete && !damaged.contains(&entry.id) {
            usable.entry(content_of(entry)).or_default().insert(entry.id);
        }
    }
    usable
}

/// The number of the next segment, which no file in the folder of the layer has.
fn next_number(folder: &Path, local: Option<&Manifest>) -> Result<u64> {
    let listed = local.map_or(1, |local| local.next_segment);
    let entries = match disk::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(listed),
        Err(error) => return Err(Error::io(folder, "read", error)),
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter_map(|name| name.split_once('.')?.0.parse::<u64>().ok());
    Ok(numbers.map(|number| number.saturating_add(1)).max().unwrap_or(1).max(listed))
}

/// The size and the checksum of a small file; `None` if it is missing.
fn digest_of_file(path: &Path) -> Result<Option<ContentDigest>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path, "read", error)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| Error::io(path, "read", error))?;
    Ok(Some(ContentDigest::of(&bytes)))
}

/// Removes the copies that no download needs: those of versions that were replaced before they were installed.
fn remove_others(copies: &Path, downloads: &[Download]) {
    let needed: HashSet<&Path> = downloads.iter().map(|download| download.staged.as_path()).collect();
    for entry in disk::read_dir(copies).into_iter().flatten().flatten() {
        if !needed.contains(entry.path().as_path()) {
            let _ = disk::remove_file(entry.path());
        }
    }
}
