//! The file operations of the tests: those of the real disk, or of the simulation of a thread.

use std::ffi::OsString;
use std::fs::TryLockError;
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::real;
use crate::simulation::disk::{FileKind, Status};
use crate::simulation::{OpenMode, SimulatedFile, World};

/// Forwards an operation on paths to the simulation of the thread, or to the real disk.
macro_rules! operation {
    ($name:ident($($argument:ident: $kind:ty),*) -> $result:ty) => {
        pub(crate) fn $name($($argument: $kind),*) -> io::Result<$result> {
            match World::current() {
                Some(context) => context.$name($($argument),*),
                None => real::$name($($argument),*),
            }
        }
    };
}

operation!(create_dir(path: &Path) -> ());
operation!(create_unique_dir(parent: &Path, prefix: &str) -> PathBuf);
operation!(sync_folder(path: &Path) -> ());

/// A folder whose entries are synced later.
pub(crate) struct OpenFolder(PathBuf);

impl OpenFolder {
    #[allow(clippy::unnecessary_wraps, reason = "as the one of the real disk")]
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(folder.to_owned()))
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.0)
    }
}

pub(crate) fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    match World::current() {
        Some(context) => context.rename(from.as_ref(), to.as_ref()),
        None => real::rename(from, to),
    }
}

pub(crate) fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    match World::current() {
        Some(context) => context.remove(path.as_ref(), FileKind::File),
        None => real::remove_file(path),
    }
}

pub(crate) fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    match World::current() {
        Some(context) => context.remove(path.as_ref(), FileKind::Folder),
        None => real::remove_dir(path),
    }
}

pub(crate) fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    match World::current() {
        Some(context) => context.remove_dir_all(path.as_ref()),
        None => real::remove_dir_all(path),
    }
}

pub(crate) fn read_to_string(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

pub(crate) fn random_id() -> String {
    World::current().map_or_else(real::random_id, |context| context.random_id())
}

pub(crate) fn exists(path: &Path) -> bool {
    World::current().map_or_else(|| real::exists(path), |context| context.status(path).is_ok())
}

pub(crate) fn try_exists(path: &Path) -> io::Result<bool> {
    let Some(context) = World::current() else { return real::try_exists(path) };
    match context.status(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn length(path: &Path) -> io::Result<u64> {
    match World::current() {
        Some(context) => context.status(path).map(|status| status.length),
        None => real::length(path),
    }
}

pub(crate) fn is_dir(path: &Path) -> bool {
    let is_dir = |status: Status| status.kind == FileKind::Folder;
    World::current().map_or_else(|| real::is_dir(path), |context| context.status(path).is_ok_and(is_dir))
}

pub(crate) fn is_network(folder: &Path) -> bool {
    World::current().is_none() && real::is_network(folder)
}

/// An entry of a folder.
#[derive(Debug)]
pub(crate) struct DirEntry {
    path: PathBuf,
    is_dir: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FileType(bool);

impl FileType {
    pub(crate) fn is_dir(self) -> bool {
        self.0
    }
}

impl DirEntry {
    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    pub(crate) fn file_name(&self) -> OsString {
        self.path.file_name().unwrap_or_default().to_owned()
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is that of the standard library")]
    pub(crate) fn file_type(&self) -> io::Result<FileType> {
        Ok(FileType(self.is_dir))
    }
}

pub(crate) fn read_dir(path: impl AsRef<Path>) -> io::Result<std::vec::IntoIter<io::Result<DirEntry>>> {
    let path = path.as_ref();
    let entries: Vec<io::Result<DirEntry>> = match World::current() {
        Some(context) => {
            let entry = |(name, is_dir): (String, bool)| Ok(DirEntry { path: path.join(name), is_dir });
            context.read_dir(path)?.into_iter().map(entry).collect()
        }
        None => real::read_dir(path)?
            .map(|entry| {
                entry.and_then(|entry| Ok(DirEntry { path: entry.path(), is_dir: entry.file_type()?.is_dir() }))
            })
            .collect(),
    };
    Ok(entries.into_iter())
}

/// The identity of a file, which changes when the file is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileIdentity {
    Real(real::FileIdentity),
    Simulated(Status),
}

impl FileIdentity {
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        match World::current() {
            Some(context) => context.status(path).map(Self::Simulated),
            None => real::FileIdentity::at(path).map(Self::Real),
        }
    }

    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        match file {
            File::Simulated(file) => file.status().map(Self::Simulated),
            File::Real(file) => real::FileIdentity::of_file(file).map(Self::Real),
        }
    }

    pub(crate) fn is_on_same_device(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real(own), Self::Real(other)) => own.is_on_same_device(other),
            _ => true,
        }
    }

    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real(own), Self::Real(other)) => own.is_same_file(other),
            (Self::Simulated(own), Self::Simulated(other)) => own.inode == other.inode,
            _ => false,
        }
    }
}

#[derive(Debug)]
pub(crate) enum File {
    Real(std::fs::File),
    Simulated(SimulatedFile),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata {
    length: u64,
}

impl Metadata {
    pub(crate) fn len(self) -> u64 {
        self.length
    }
}

pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    match World::current() {
        Some(context) => context.open(path, OpenMode::OpenOrCreate).map(File::Simulated),
        None => real::open_or_create(path).map(File::Real),
    }
}

impl File {
    pub(crate) fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        match World::current() {
            Some(context) => context.open(path.as_ref(), OpenMode::Read).map(Self::Simulated),
            None => std::fs::File::open(path).map(Self::Real),
        }
    }

    pub(crate) fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        match World::current() {
            Some(context) => context.open(path.as_ref(), OpenMode::Truncate).map(Self::Simulated),
            None => std::fs::File::create(path).map(Self::Real),
        }
    }

    pub(crate) fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        match World::current() {
            Some(context) => context.open(path.as_ref(), OpenMode::CreateNew).map(Self::Simulated),
            None => std::fs::File::create_new(path).map(Self::Real),
        }
    }

    pub(crate) fn sync_all(&self) -> io::Result<()> {
        match self {
            Self::Real(file) => file.sync_all(),
            Self::Simulated(file) => file.sync(),
        }
    }

    pub(crate) fn lock(&self) -> io::Result<()> {
        match self {
            Self::Real(file) => file.lock(),
            Self::Simulated(file) => file.lock(),
        }
    }

    pub(crate) fn try_lock(&self) -> Result<(), TryLockError> {
        match self {
            Self::Real(file) => file.try_lock(),
            Self::Simulated(file) => match file.try_lock() {
                Ok(true) => Ok(()),
                Ok(false) => Err(TryLockError::WouldBlock),
                Err(error) => Err(TryLockError::Error(error)),
            },
        }
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Self::Real(file) => file.metadata().map(|metadata| Metadata { length: metadata.len() }),
            Self::Simulated(file) => file.status().map(|status| Metadata { length: status.length }),
        }
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Real(file) => file.read(buffer),
            Self::Simulated(file) => file.read(buffer),
        }
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Real(file) => file.write(bytes),
            Self::Simulated(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A mapped file. A simulated map is a copy of the file in memory: segments are not written to while they are mapped.
#[derive(Debug)]
pub(crate) enum Map {
    Real(real::Map),
    Simulated(arrow_buffer::Buffer),
}

impl Map {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        match file {
            File::Real(file) => real::Map::of(file).map(Self::Real),
            File::Simulated(file) => {
                let mut buffer = arrow_buffer::MutableBuffer::new(0);
                buffer.extend_from_slice(&file.content()?);
                Ok(Self::Simulated(buffer.into()))
            }
        }
    }

    pub(crate) fn advise_sequential(&self, is_sequential: bool) {
        if let Self::Real(map) = self {
            map.advise_sequential(is_sequential);
        }
    }

    pub(crate) fn release(&self, offset: usize, length: usize) {
        if let Self::Real(map) = self {
            map.release(offset, length);
        }
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Real(map) => map,
            Self::Simulated(map) => map,
        }
    }
}
