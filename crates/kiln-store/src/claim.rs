//! The claim of a server on a store, which only one server can have at a time.

use std::fs::TryLockError;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::disk::{self, File, FileIdentity};
use super::lock::{is_at, try_is_at};
use super::manifest::create_folder;
use super::sync::Mutex;
use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parameter::Parameter;

/// The claim on the store in a folder: a locked file in it. It is checked before each commit, because the folder can be
/// removed or replaced while the server runs; another server could own the new one.
#[derive(Debug)]
pub(super) struct Claim {
    folder: PathBuf,
    lock: Mutex<Option<File>>,
}

/// The reason why a store cannot be claimed.
enum Refusal {
    /// Another server has claimed it.
    Taken,
    /// The folder is on another device than when it was claimed.
    OtherDevice,
    Io(io::Error),
}

impl Claim {
    const FILE: &'static str = "server.lock";

    /// A claim that is not made yet.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), lock: Mutex::default() }
    }

    /// Claims the store, and creates its folder if it is missing. If the folder was replaced since it was claimed, claims
    /// the new one.
    ///
    /// # Errors
    /// [`Error::Input`] if another server has claimed it; [`Error::Io`] if the folder cannot be written, or is on another
    /// device than before.
    pub(super) fn make(&self) -> Result<()> {
        self.ensure().map_err(|refusal| match refusal {
            Refusal::Taken => {
                let reason =
                    message!("another server uses this store; stop it, or serve the store with ", Parameter::READ_ONLY);
                Error::input(&self.folder, reason)
            }
            refusal => self.to_error(refusal),
        })
    }

    /// Checks before a commit that a claimed store is still the one in its folder, and otherwise claims the new one.
    /// Processes without a claim may always commit.
    ///
    /// # Errors
    /// [`Error::Io`] of the kind [`ErrorKind::ResourceBusy`] if another server has claimed the store in the meantime;
    /// those of the operating system.
    pub(super) fn check(&self) -> Result<()> {
        let is_made = self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_made { self.ensure().map_err(|refusal| self.to_error(refusal)) } else { Ok(()) }
    }

    /// Whether a claimed store is still the one in its folder. True without a claim.
    pub(super) fn is_valid(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.as_ref().is_none_or(|lock| is_at(lock, &self.path()))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(Self::FILE)
    }

    fn ensure(&self) -> Result<(), Refusal> {
        let mut claimed = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path();
        // If it cannot be known, the lock of this process would look like that of another server.
        if let Some(lock) = &*claimed
            && try_is_at(lock, &path).map_err(Refusal::Io)?
        {
            return Ok(());
        }
        create_folder(&self.folder).map_err(Refusal::Io)?;
        if let Some(before) = &*claimed {
            // The mount point of a volume that is not mounted is not a new store.
            let before = FileIdentity::of_file(before).map_err(Refusal::Io)?;
            let now = FileIdentity::at(&self.folder).map_err(Refusal::Io)?;
            if !now.is_on_same_device(&before) {
                return Err(Refusal::OtherDevice);
            }
        }
        let lock = disk::open_or_create(&path).map_err(Refusal::Io)?;
        match lock.try_lock() {
            // The file may have been removed before it was locked.
            Ok(()) if !is_at(&lock, &path) => return Err(Refusal::Io(ErrorKind::NotFound.into())),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refusal::Taken),
            Err(TryLockError::Error(error)) => return Err(Refusal::Io(error)),
        }
        if claimed.is_some() {
            let store = self.folder.display();
            tracing::warn!(%store, "the folder of the store was removed or replaced; the server uses the new one");
        }
        *claimed = Some(lock);
        Ok(())
    }

    fn to_error(&self, refusal: Refusal) -> Error {
        let busy = |reason: &str| Error::io(&self.folder, "write to", io::Error::new(ErrorKind::ResourceBusy, reason));
        match refusal {
            Refusal::Taken => busy("the folder was replaced, and another server uses the new one"),
            Refusal::OtherDevice => busy(
                "the folder is on another device than when the server started; mount the volume again, or restart the \
                 server to use the new one",
            ),
            Refusal::Io(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
                let reason =
                    "the file system is read-only; a server that only reads the store needs store.read_only = true";
                Error::io(self.path(), "lock", io::Error::new(ErrorKind::ReadOnlyFilesystem, reason))
            }
            Refusal::Io(error) => Error::io(self.path(), "lock", error),
        }
    }
}
