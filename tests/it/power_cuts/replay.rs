//! Turns the system calls of a process into the history of a folder.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::disk::{Entry, Event, Inode, ROOT, Tree};
use super::trace::{Call, Step};

/// The history of the folder in which recorded processes ran one after another.
pub(super) struct Replay {
    home: PathBuf,
    pub(super) events: Vec<Event>,
    pub(super) is_folder: Vec<bool>,
    /// The files as a process sees them, regardless of what is synced.
    entries: BTreeMap<(Inode, String), Inode>,
    contents: Vec<Vec<u8>>,
    open: HashMap<i64, usize>,
    handles: Vec<Handle>,
}

/// An open file, which several file descriptors can share.
#[derive(Clone, Copy)]
struct Handle {
    inode: Inode,
    offset: usize,
    appends: bool,
}

impl Replay {
    /// `home` is the working folder of the processes. Files that are there already are not part of the history.
    pub(super) fn new(home: &Path) -> Self {
        Self {
            home: home.canonicalize().unwrap(),
            events: Vec::new(),
            is_folder: vec![true],
            entries: BTreeMap::new(),
            contents: vec![Vec::new()],
            open: HashMap::new(),
            handles: Vec::new(),
        }
    }

    /// Adds the calls of a process. `acknowledges` returns the change that is acknowledged by text sent to a client or printed.
    pub(super) fn add(&mut self, steps: &[Step], acknowledges: impl Fn(&[u8]) -> Option<String>) {
        self.open.clear();
        self.handles.clear();
        let mut syncs: HashMap<u32, usize> = HashMap::new();
        for step in steps {
            match step {
                Step::Enter { call, .. } if call.name == "close" => drop(self.open.remove(&call.number(0).unwrap())),
                Step::Enter { thread, call } if is_sync(call) => drop(syncs.insert(*thread, self.events.len())),
                Step::Enter { call, .. } if is_write(call) && self.handle(call).is_none() => {
                    let acknowledged = acknowledges(&call.strings().concat());
                    self.events.extend(acknowledged.map(Event::Acknowledged));
                }
                Step::Return { thread, call, result } if *result >= 0 => {
                    if is_sync(call) {
                        let since = syncs.remove(thread).unwrap();
                        let inode = self.handle(call).map(|handle| self.handles[handle].inode);
                        self.events.extend(inode.map(|inode| Event::Sync { inode, since }));
                    } else {
                        self.apply(call, *result);
                    }
                }
                _ => {}
            }
        }
    }

    fn handle(&self, call: &Call) -> Option<usize> {
        self.open.get(&call.number(0)?).copied()
    }

    fn apply(&mut self, call: &Call, result: i64) {
        match call.name.as_str() {
            "open" | "creat" => self.opened(None, call, 0, result),
            "openat" => self.opened(call.number(0), call, 0, result),
            "write" | "writev" => {
                let Some(handle) = self.handle(call) else { return };
                let Handle { inode, offset, appends } = self.handles[handle];
                let offset = if appends { self.contents[inode].len() } else { offset };
                self.write(inode, offset, call, result);
                self.handles[handle].offset = offset + result as usize;
            }
            "pwrite64" | "pwritev" | "pwritev2" => {
                let Some(handle) = self.handle(call) else { return };
                let offset = call.argument(if call.name == "pwritev2" { 4 } else { 3 }).parse().unwrap();
                self.write(self.handles[handle].inode, offset, call, result);
            }
            "lseek" => {
                if let Some(handle) = self.handle(call) {
                    self.handles[handle].offset = result as usize;
                }
            }
            "ftruncate" => {
                let Some(handle) = self.handle(call) else { return };
                self.resize(self.handles[handle].inode, call.number(1).unwrap() as usize);
            }
            "dup" | "dup2" | "dup3" => self.duplicated(call, result),
            "fcntl" if call.has("F_DUPFD") => self.duplicated(call, result),
            "mkdir" | "mkdirat" => {
                let folder = if call.name == "mkdirat" { call.number(0) } else { None };
                if let Some((folder, name)) = self.place(folder, &call.path(0)) {
                    let inode = self.new_inode(true);
                    self.change(vec![Entry { folder, name, inode: Some(inode) }]);
                }
            }
            "unlink" | "unlinkat" | "rmdir" => {
                let folder = if call.name == "unlinkat" { call.number(0) } else { None };
                if let Some((folder, name)) = self.place(folder, &call.path(0)) {
                    self.change(vec![Entry { folder, name, inode: None }]);
                }
            }
            "rename" | "renameat" | "renameat2" => {
                assert!(!call.has("RENAME_EXCHANGE"), "not modeled: {}", call.shortened());
                let folders = if call.name == "rename" { [None; 2] } else { [call.number(0), call.number(2)] };
                let [from, to] = [0, 1].map(|index| self.place(folders[index], &call.path(index)));
                let (Some((folder, name)), Some((target, new_name))) = (from, to) else { return };
                let inode = self.entries.get(&(folder, name.clone())).copied();
                assert!(inode.is_some(), "unknown file: {}", call.shortened());
                let removed = Entry { folder, name, inode: None };
                self.change(vec![removed, Entry { folder: target, name: new_name, inode }]);
            }
            "mmap" => {
                let is_shared = call.has("PROT_WRITE") && call.has("MAP_SHARED") && !call.has("MAP_ANONYMOUS");
                let file = call.argument(4).parse().ok().and_then(|descriptor: i64| self.open.get(&descriptor));
                assert!(!is_shared || file.is_none(), "a file is written through memory: {}", call.shortened());
            }
            // The end of a call of `close` can follow the next `openat`, which reuses the number.
            "close" | "fcntl" | "sendto" | "sendmsg" => {}
            // Would change files in a way that the replay does not know.
            _ => {
                let is_ours = call.is_inside(&self.home) || self.handle(call).is_some();
                assert!(!is_ours, "not modeled: {}", call.shortened());
            }
        }
    }

    fn opened(&mut self, folder: Option<i64>, call: &Call, path: usize, result: i64) {
        self.open.remove(&result);
        let Some(place) = self.place(folder, &call.path(path)) else { return };
        let inode = match self.entries.get(&place) {
            _ if place.1.is_empty() => ROOT,
            Some(inode) => *inode,
            None if call.has("O_CREAT") && !call.has("O_TMPFILE") => {
                let inode = self.new_inode(false);
                self.change(vec![Entry { folder: place.0, name: place.1, inode: Some(inode) }]);
                inode
            }
            // A file that was there before the first process.
            None => return,
        };
        if call.has("O_TRUNC") && !self.contents[inode].is_empty() {
            self.resize(inode, 0);
        }
        self.open.insert(result, self.handles.len());
        self.handles.push(Handle { inode, offset: 0, appends: call.has("O_APPEND") });
    }

    fn duplicated(&mut self, call: &Call, result: i64) {
        match self.handle(call) {
            Some(handle) => drop(self.open.insert(result, handle)),
            None => drop(self.open.remove(&result)),
        }
    }

    /// The folder and the name of a path; the name is empty for `home` itself, and the place is `None` outside of it.
    fn place(&self, folder: Option<i64>, path: &str) -> Option<(Inode, String)> {
        let (start, path) = match Path::new(path).strip_prefix(&self.home) {
            Ok(inside) => (ROOT, inside.to_str()?),
            Err(_) if path.starts_with('/') => return None,
            Err(_) => match folder {
                Some(descriptor) => (self.handles[*self.open.get(&descriptor)?].inode, path),
                None => (ROOT, path),
            },
        };
        let mut parts: Vec<&str> = path.split('/').filter(|part| !["", "."].contains(part)).collect();
        assert!(!parts.contains(&".."), "not modeled: {path}");
        let Some(name) = parts.pop() else { return (start == ROOT).then(|| (ROOT, String::new())) };
        let mut folder = start;
        for part in parts {
            folder = *self.entries.get(&(folder, part.to_owned()))?;
        }
        Some((folder, name.to_owned()))
    }

    fn new_inode(&mut self, is_folder: bool) -> Inode {
        self.is_folder.push(is_folder);
        self.contents.push(Vec::new());
        self.contents.len() - 1
    }

    fn change(&mut self, entries: Vec<Entry>) {
        for Entry { folder, name, inode } in &entries {
            let place = (*folder, name.clone());
            match inode {
                Some(inode) => drop(self.entries.insert(place, *inode)),
                None => drop(self.entries.remove(&place)),
            }
        }
        self.events.push(Event::Entries(entries));
    }

    fn write(&mut self, file: Inode, offset: usize, call: &Call, length: i64) {
        let mut bytes = call.strings().concat();
        bytes.truncate(length as usize);
        assert_eq!(bytes.len(), length as usize, "{}", call.shortened());
        let content = &mut self.contents[file];
        content.resize(content.len().max(offset + bytes.len()), 0);
        content[offset..offset + bytes.len()].copy_from_slice(&bytes);
        self.events.push(Event::Write { file, offset, bytes });
    }

    fn resize(&mut self, file: Inode, length: usize) {
        self.contents[file].resize(length, 0);
        self.events.push(Event::Resize { file, length });
    }

    /// The files as the last process left them.
    pub(super) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let mut open = vec![(ROOT, String::new())];
        while let Some((folder, path)) = open.pop() {
            for ((_, name), inode) in self.entries.range((folder, String::new())..(folder + 1, String::new())) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                if self.is_folder[*inode] {
                    tree.insert(path.clone(), None);
                    open.push((*inode, path));
                } else {
                    tree.insert(path, Some(self.contents[*inode].clone()));
                }
            }
        }
        tree
    }
}

fn is_sync(call: &Call) -> bool {
    ["fsync", "fdatasync"].contains(&call.name.as_str())
}

fn is_write(call: &Call) -> bool {
    ["write", "writev", "sendto", "sendmsg"].contains(&call.name.as_str())
}
