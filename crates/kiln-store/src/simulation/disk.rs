//! A disk in memory that keeps what was synced, and loses the rest in a power cut in any subset, order and part.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use super::random::Random;

/// The number of a file or folder.
type Node = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    File,
    Folder,
}

/// The metadata of a file. Times are as coarse as those of common filesystems, and inodes of removed files are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) kind: FileKind,
    pub(crate) length: u64,
    pub(crate) modified_us: u64,
    pub(crate) inode: u64,
}

/// The kinds of syncs that a disk ignores, to see that a simulation notices it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Blind {
    #[default]
    Nothing,
    /// Syncs of files.
    Files,
    /// Syncs of folders.
    Folders,
    /// Syncs of folders into which segments were moved, before the manifest names them.
    SegmentsBeforeManifest,
    /// Locks of files.
    Locks,
}

#[derive(Debug)]
struct FileNode {
    content: Vec<u8>,
    synced: Vec<u8>,
    /// Writes since the last sync.
    pending: Vec<(usize, Vec<u8>)>,
    modified_us: u64,
    /// The handle that has locked the file.
    locked_by: Option<u64>,
}

/// A change of the entries of a folder since its last sync.
#[derive(Clone, Debug)]
struct EntryChange {
    /// Changes of the same number survive together: a rename within a folder, and that of a folder.
    atom: u64,
    unlinked: Option<String>,
    linked: Option<(String, Node)>,
}

#[derive(Debug, Default)]
struct FolderNode {
    entries: BTreeMap<String, Node>,
    synced: BTreeMap<String, Node>,
    pending: Vec<EntryChange>,
}

#[derive(Debug)]
pub(crate) struct Disk {
    files: BTreeMap<Node, FileNode>,
    folders: BTreeMap<Node, FolderNode>,
    inodes: BTreeMap<Node, u64>,
    free_inodes: Vec<u64>,
    /// The handles of open files, each with its file.
    handles: BTreeMap<u64, Node>,
    next: u64,
    /// The changes that were synced in one folder, and so survive in the other one.
    synced_atoms: BTreeSet<u64>,
    pub(crate) blind: Blind,
    /// The maximum number of bytes of all files.
    pub(crate) capacity: Option<u64>,
    pub(crate) is_read_only: bool,
}

const ROOT: Node = 0;

pub(crate) fn system_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

pub(crate) const EIO: i32 = 5;
const EEXIST: i32 = 17;
const ENOENT: i32 = 2;
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ENOTEMPTY: i32 = 39;

impl Disk {
    pub(crate) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            folders: BTreeMap::from([(ROOT, FolderNode::default())]),
            inodes: BTreeMap::from([(ROOT, 1)]),
            free_inodes: Vec::new(),
            handles: BTreeMap::new(),
            next: 2,
            synced_atoms: BTreeSet::new(),
            blind: Blind::Nothing,
            capacity: None,
            is_read_only: false,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn new_inode(&mut self, node: Node) {
        let inode = self.free_inodes.pop().unwrap_or(node);
        self.inodes.insert(node, inode);
    }

    /// Frees the inode of a node that has no entry and is not open.
    fn free(&mut self, node: Node) {
        let is_linked = self.folders.values().any(|folder| folder.entries.values().any(|entry| *entry == node));
        let is_open = self.handles.values().any(|open| *open == node);
        if !is_linked
            && !is_open
            && let Some(inode) = self.inodes.remove(&node)
        {
            self.free_inodes.push(inode);
        }
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let mut node = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let folder = self.folders.get(&node).ok_or_else(|| system_error(ENOTDIR))?;
            node = *folder.entries.get(&*name.to_string_lossy()).ok_or_else(|| system_error(ENOENT))?;
        }
        Ok(node)
    }

    /// The folder of a path, and the name in it.
    fn parent(&self, path: &Path) -> io::Result<(Node, String)> {
        let name = path.file_name().ok_or_else(|| system_error(EISDIR))?.to_string_lossy().into_owned();
        let folder = self.node(path.parent().unwrap_or(Path::new("/")))?;
        if self.folders.contains_key(&folder) { Ok((folder, name)) } else { Err(system_error(ENOTDIR)) }
    }

    fn change(&mut self, folder: Node, atom: u64, unlinked: Option<String>, linked: Option<(String, Node)>) {
        if let Some(folder) = self.folders.get_mut(&folder) {
            let change = EntryChange { atom, unlinked, linked };
            apply(&mut folder.entries, &change);
            folder.pending.push(change);
        }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_read_only { Err(system_error(EROFS)) } else { Ok(()) }
    }

    /// Creates a file or folder is denied on a full disk.
    fn check_space(&self) -> io::Result<()> {
        if self.capacity.is_some_and(|capacity| self.used() >= capacity) { Err(system_error(ENOSPC)) } else { Ok(()) }
    }

    pub(crate) fn used(&self) -> u64 {
        let used =
            |(node, file): (&Node, &FileNode)| self.inodes.contains_key(node).then_some(file.content.len() as u64);
        self.files.iter().filter_map(used).sum()
    }

    pub(crate) fn status(&self, path: &Path) -> io::Result<Status> {
        Ok(self.status_of(self.node(path)?))
    }

    fn status_of(&self, node: Node) -> Status {
        let inode = self.inodes.get(&node).copied().unwrap_or(node);
        match self.files.get(&node) {
            Some(file) => {
                let length = file.content.len() as u64;
                Status { kind: FileKind::File, length, modified_us: file.modified_us, inode }
            }
            None => Status { kind: FileKind::Folder, length: 0, modified_us: 0, inode },
        }
    }

    pub(crate) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        if self.node(path).is_ok() {
            return Err(system_error(EEXIST));
        }
        self.check_writable()?;
        self.check_space()?;
        let node = self.number();
        self.folders.insert(node, FolderNode::default());
        self.new_inode(node);
        let atom = self.number();
        self.change(parent, atom, None, Some((name, node)));
        Ok(())
    }

    pub(crate) fn read_dir(&self, path: &Path) -> io::Result<Vec<(String, bool)>> {
        let folder = self.folders.get(&self.node(path)?).ok_or_else(|| system_error(ENOTDIR))?;
        let entry = |(name, node): (&String, &Node)| (name.clone(), self.folders.contains_key(node));
        Ok(folder.entries.iter().map(entry).collect())
    }

    pub(crate) fn remove(&mut self, path: &Path, kind: FileKind) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let node = self.node(path)?;
        self.check_writable()?;
        match (kind, self.folders.get(&node)) {
            (FileKind::File, Some(_)) => return Err(system_error(EISDIR)),
            (FileKind::Folder, None) => return Err(system_error(ENOTDIR)),
            (FileKind::Folder, Some(folder)) if !folder.entries.is_empty() => return Err(system_error(ENOTEMPTY)),
            _ => {}
        }
        let atom = self.number();
        self.change(parent, atom, Some(name), None);
        self.free(node);
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.node(from)?;
        let ((source, old_name), (target, new_name)) = (self.parent(from)?, self.parent(to)?);
        self.check_writable()?;
        let replaced = self.node(to).ok();
        if let Some(replaced) = replaced {
            match (self.folders.get(&replaced), self.folders.contains_key(&node)) {
                (Some(_), false) => return Err(system_error(EISDIR)),
                (None, true) => return Err(system_error(ENOTDIR)),
                (Some(folder), true) if !folder.entries.is_empty() => return Err(system_error(ENOTEMPTY)),
                _ => {}
            }
        }
        let atom = self.number();
        if source == target {
            self.change(source, atom, Some(old_name), Some((new_name, node)));
        } else {
            self.change(target, atom, None, Some((new_name, node)));
            // Folders have one parent, so that both changes survive or none.
            let atom = if self.folders.contains_key(&node) { atom } else { self.number() };
            self.change(source, atom, Some(old_name), None);
        }
        if let Some(replaced) = replaced {
            self.free(replaced);
        }
        Ok(())
    }

    /// Opens a file, and returns a handle. `None` for `create` means that the file must exist; otherwise it says whether
    /// it may exist.
    pub(crate) fn open(&mut self, path: &Path, create: Option<bool>, truncate: bool, now_us: u64) -> io::Result<u64> {
        let node = match self.node(path) {
            Ok(_) if create == Some(false) => return Err(system_error(EEXIST)),
            Ok(node) => node,
            Err(error) if create.is_none() => return Err(error),
            Err(_) => {
                let (parent, name) = self.parent(path)?;
                self.check_writable()?;
                self.check_space()?;
                let node = self.number();
                let (content, synced) = (Vec::new(), Vec::new());
                let file = FileNode { content, synced, pending: Vec::new(), modified_us: now_us, locked_by: None };
                self.files.insert(node, file);
                self.new_inode(node);
                let atom = self.number();
                self.change(parent, atom, None, Some((name, node)));
                node
            }
        };
        if create.is_some() {
            self.check_writable()?;
            if self.folders.contains_key(&node) {
                return Err(system_error(EISDIR));
            }
        }
        if truncate && let Some(file) = self.files.get_mut(&node) {
            // The truncation is durable at once, which is the worst case for a file that is written in place.
            file.content.clear();
            file.synced.clear();
            file.pending.clear();
        }
        let handle = self.number();
        self.handles.insert(handle, node);
        Ok(handle)
    }

    fn file(&mut self, handle: u64) -> io::Result<&mut FileNode> {
        let node = self.handles.get(&handle).ok_or_else(|| system_error(EIO))?;
        self.files.get_mut(node).ok_or_else(|| system_error(EISDIR))
    }

    pub(crate) fn close(&mut self, handle: u64) {
        if let Ok(file) = self.file(handle)
            && file.locked_by == Some(handle)
        {
            file.locked_by = None;
        }
        if let Some(node) = self.handles.remove(&handle) {
            self.free(node);
        }
    }

    pub(crate) fn status_of_handle(&self, handle: u64) -> io::Result<Status> {
        self.handles.get(&handle).map(|node| self.status_of(*node)).ok_or_else(|| system_error(EIO))
    }

    pub(crate) fn content(&mut self, handle: u64) -> io::Result<&[u8]> {
        self.file(handle).map(|file| &*file.content)
    }

    /// Appends bytes, and returns how many of them.
    pub(crate) fn write(&mut self, handle: u64, bytes: &[u8], now_us: u64) -> io::Result<usize> {
        self.check_writable()?;
        let space = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()));
        let bytes = &bytes[..bytes.len().min(usize::try_from(space).unwrap_or(usize::MAX))];
        if bytes.is_empty() {
            return Err(system_error(ENOSPC));
        }
        let file = self.file(handle)?;
        file.pending.push((file.content.len(), bytes.to_vec()));
        file.content.extend_from_slice(bytes);
        file.modified_us = now_us;
        Ok(bytes.len())
    }

    pub(crate) fn sync(&mut self, handle: u64) -> io::Result<()> {
        if self.blind != Blind::Files {
            let file = self.file(handle)?;
            file.pending.clear();
            file.synced = file.content.clone();
        }
        Ok(())
    }

    /// A failed sync: what was written before stays in memory, and is never written to the disk.
    pub(crate) fn fail_sync(&mut self, handle: u64) {
        if let Ok(file) = self.file(handle) {
            file.pending.clear();
        }
    }

    pub(crate) fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        let node = self.node(path)?;
        let folder = self.folders.get_mut(&node).ok_or_else(|| system_error(ENOTDIR))?;
        let links = |end: &str| {
            let ends = |(name, _): &(String, Node)| name.ends_with(end);
            folder.pending.iter().any(|change| change.linked.as_ref().is_some_and(ends))
        };
        let is_before_manifest =
            links(".points.arrow") && !["manifest.json", "floorplan", "rooms.geojson"].into_iter().any(links);
        let is_ignored = match self.blind {
            Blind::Folders => true,
            Blind::SegmentsBeforeManifest => is_before_manifest,
            _ => false,
        };
        if !is_ignored {
            self.synced_atoms.extend(folder.pending.drain(..).map(|change| change.atom));
            folder.synced = folder.entries.clone();
        }
        Ok(())
    }

    /// Locks a file; false if another handle has it locked.
    pub(crate) fn try_lock(&mut self, handle: u64) -> io::Result<bool> {
        let is_blind = self.blind == Blind::Locks;
        let file = self.file(handle)?;
        if file.locked_by.is_some_and(|owner| owner != handle) && !is_blind {
            return Ok(false);
        }
        file.locked_by = Some(handle);
        Ok(true)
    }

    /// Cuts the power: of the changes since the last sync of a file or folder, any may survive, and writes in part.
    pub(crate) fn cut_power(&mut self, random: &mut Random) {
        let survival = [0, 1, 1, 2][random.below(4) as usize];
        let survives = |random: &mut Random| match survival {
            0 => false,
            1 => random.one_in(2),
            _ => !random.one_in(8),
        };
        for file in self.files.values_mut() {
            let mut content = std::mem::take(&mut file.synced);
            for (offset, mut bytes) in std::mem::take(&mut file.pending) {
                if !survives(random) {
                    continue;
                }
                if random.one_in(3) {
                    bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
                }
                // Bytes between writes that are lost and ones that survive are zeros.
                content.resize(content.len().max(offset + bytes.len()), 0);
                content[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
            file.content.clone_from(&content);
            (file.synced, file.locked_by) = (content, None);
        }
        let mut atoms: BTreeMap<u64, bool> =
            std::mem::take(&mut self.synced_atoms).into_iter().map(|atom| (atom, true)).collect();
        for folder in self.folders.values_mut() {
            let mut entries = std::mem::take(&mut folder.synced);
            for change in std::mem::take(&mut folder.pending) {
                if *atoms.entry(change.atom).or_insert_with(|| survives(random)) {
                    apply(&mut entries, &change);
                }
            }
            folder.entries.clone_from(&entries);
            folder.synced = entries;
        }
        self.handles.clear();
        self.remove_unreachable();
    }

    fn remove_unreachable(&mut self) {
        let (mut reached, mut next) = (BTreeSet::new(), vec![ROOT]);
        while let Some(node) = next.pop() {
            if reached.insert(node) {
                next.extend(self.folders.get(&node).into_iter().flat_map(|folder| folder.entries.values()));
            }
        }
        self.files.retain(|node, _| reached.contains(node));
        self.folders.retain(|node, _| reached.contains(node));
        self.inodes = reached.into_iter().map(|node| (node, self.inodes.get(&node).copied().unwrap_or(node))).collect();
        self.free_inodes.clear();
    }

    /// Flips one bit of the file at `path`; returns whether there is such a file with any content.
    pub(crate) fn flip(&mut self, path: &Path, bit: u64) -> bool {
        let Some(file) = self.node(path).ok().and_then(|node| self.files.get_mut(&node)) else { return false };
        let bits = file.content.len() as u64 * 8;
        if bits == 0 {
            return false;
        }
        let bit = bit % bits;
        for content in [&mut file.content, &mut file.synced] {
            if let Some(byte) = content.get_mut((bit / 8) as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
        true
    }
}

fn apply(entries: &mut BTreeMap<String, Node>, change: &EntryChange) {
    if let Some(name) = &change.unlinked {
        entries.remove(name);
    }
    if let Some((name, node)) = &change.linked {
        entries.insert(name.clone(), *node);
    }
}
