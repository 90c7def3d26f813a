//! What a disk may contain after a power cut.
//!
//! The history of a folder is a list of events. A cut keeps everything that was synced before it: the content of a file whose
//! `fsync` has returned, and the entries of a folder whose `fsync` has returned, each as it was when the call began. Of the
//! rest, any part may be missing, under one of two models:
//!
//! - [`Model::Journaled`], such as ext4, XFS and APFS: changes of folders reach the disk in order, and the sync of any file or
//!   folder takes all earlier ones with it. The content of files has no order.
//! - [`Model::Unordered`], all that POSIX promises: a sync covers one file or one folder, and every other change is kept or lost
//!   on its own; a rename is one change.
//!
//! In both, each sector of 512 bytes of a write is kept or lost on its own, and a file has any length that it had since its last
//! sync, or ends at a sector in between; bytes that were not written are zero.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// The number of a file or a folder.
pub(super) type Inode = usize;

/// The folder that is replayed.
pub(super) const ROOT: Inode = 0;

const SECTOR: usize = 512;

/// An event in the history of a folder.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Write {
        file: Inode,
        offset: usize,
        bytes: Vec<u8>,
    },
    Resize {
        file: Inode,
        length: usize,
    },
    /// Entries of folders that change together.
    Entries(Vec<Entry>),
    /// The end of the `fsync` of a file or a folder that began after `since` events.
    Sync {
        inode: Inode,
        since: usize,
    },
    /// A change was acknowledged: a command has ended, or a response was sent.
    Acknowledged(String),
}

/// An entry of a folder gets another content; `None` removes it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) folder: Inode,
    pub(super) name: String,
    pub(super) inode: Option<Inode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    Journaled,
    Unordered,
}

/// Syncs that the replay ignores, as a disk would that confirms them without doing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ignored {
    Nothing,
    Files,
    Folders,
}

/// Files by path, and `None` for folders.
pub(crate) type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// A random generator with a fixed sequence for each seed (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// Whether an event of this probability, in percent, happens.
    fn is(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// The share of unsynced changes that reach the disk: none, all, or any.
    fn share(&mut self) -> usize {
        match self.below(5) {
            0 => 0,
            1 => 100,
            _ => self.below(100),
        }
    }
}

/// The folder on the disk after a power cut that follows the last of `events`.
pub(super) fn after_cut(events: &[Event], is_folder: &[bool], ignored: Ignored, random: &mut Random) -> (Tree, Model) {
    let model = if random.below(3) == 0 { Model::Journaled } else { Model::Unordered };
    let mut synced: HashMap<Inode, usize> = HashMap::new();
    for event in events {
        if let Event::Sync { inode, since } = event {
            let is_ignored = match ignored {
                Ignored::Nothing => false,
                Ignored::Files => !is_folder[*inode],
                Ignored::Folders => is_folder[*inode],
            };
            if !is_ignored {
                let last = synced.entry(*inode).or_default();
                *last = (*last).max(*since);
            }
        }
    }
    let entries = kept_entries(events, &synced, model, random);
    let mut tree = Tree::new();
    add(ROOT, "", &entries, is_folder, &mut tree, &mut |file| {
        content(events, file, synced.get(&file).copied().unwrap_or_default(), random)
    });
    (tree, model)
}

type Entries = BTreeMap<(Inode, String), Inode>;

fn kept_entries(events: &[Event], synced: &HashMap<Inode, usize>, model: Model, random: &mut Random) -> Entries {
    let is_synced = |entry: &Entry, at: usize| synced.get(&entry.folder).is_some_and(|since| at < *since);
    let journaled = synced.values().copied().max().unwrap_or_default();
    let last = journaled + random.below(events.len() + 1 - journaled);
    let share = random.share();
    let mut kept = Entries::new();
    for (at, event) in events.iter().enumerate() {
        let Event::Entries(changed) = event else { continue };
        let is_kept = match model {
            Model::Journaled => at < last,
            Model::Unordered => changed.iter().any(|entry| is_synced(entry, at)) || random.is(share),
        };
        if is_kept {
            for Entry { folder, name, inode } in changed {
                let place = (*folder, name.clone());
                match inode {
                    Some(inode) => drop(kept.insert(place, *inode)),
                    None => drop(kept.remove(&place)),
                }
            }
        }
    }
    kept
}

/// The content of a file, of whose changes those before event number `synced` are on the disk.
fn content(events: &[Event], file: Inode, synced: usize, random: &mut Random) -> Vec<u8> {
    let (mut bytes, share) = (Vec::new(), random.share());
    // The last length is the one without a cut, and the first is that of the last sync.
    let mut lengths = vec![0];
    for (at, event) in events.iter().enumerate() {
        let (is_synced, last) = (at < synced, lengths[lengths.len() - 1]);
        let length = match event {
            Event::Write { file: other, offset, bytes: new } if *other == file => {
                let mut start = 0;
                while start < new.len() {
                    let end = new.len().min((offset + start + 1).next_multiple_of(SECTOR) - offset);
                    if is_synced || random.is(share) {
                        write(&mut bytes, offset + start, &new[start..end]);
                    }
                    start = end;
                }
                last.max(offset + new.len())
            }
            Event::Resize { file: other, length } if *other == file => {
                if is_synced || random.is(share) {
                    bytes.resize(*length, 0);
                }
                *length
            }
            _ => continue,
        };
        if is_synced {
            lengths.clear();
        }
        lengths.push(length);
    }
    let (least, most) = lengths.iter().fold((usize::MAX, 0), |(least, most), &one| (least.min(one), most.max(one)));
    let length = match random.below(3) {
        0 => lengths[lengths.len() - 1],
        1 => lengths[random.below(lengths.len())],
        _ => ((least + random.below(most - least + 1)) / SECTOR * SECTOR).max(least),
    };
    bytes.resize(length, 0);
    bytes
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

fn add(
    folder: Inode,
    path: &str,
    entries: &Entries,
    is_folder: &[bool],
    tree: &mut Tree,
    content: &mut impl FnMut(Inode) -> Vec<u8>,
) {
    for ((_, name), inode) in entries.range((folder, String::new())..(folder + 1, String::new())) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if is_folder[*inode] {
            tree.insert(path.clone(), None);
            add(*inode, &path, entries, is_folder, tree, content);
        } else {
            tree.insert(path, Some(content(*inode)));
        }
    }
}

/// The files of a folder.
pub(crate) fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut open = vec![folder.to_owned()];
    while let Some(parent) = open.pop() {
        for entry in fs::read_dir(&parent).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                tree.insert(name, None);
                open.push(path);
            } else {
                tree.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    tree
}

/// Writes files to a folder.
pub(crate) fn write_tree(tree: &Tree, folder: &Path) {
    for (path, content) in tree {
        match content {
            None => fs::create_dir(folder.join(path)).unwrap(),
            Some(bytes) => fs::write(folder.join(path), bytes).unwrap(),
        }
    }
}
