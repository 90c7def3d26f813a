//! A bucket in memory, with faults.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Bucket, Fetched, ObjectEntry};
use crate::clock::now_s;
use kiln_core::error::{Error, Result};

/// A fault of a [`MemoryBucket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All requests fail.
    Away,
    /// Access is denied.
    Denied,
    /// Downloads end in the middle with an error.
    Cut,
    /// Downloads end in the middle as if the object ended there.
    Short,
    /// A bit of downloads is flipped.
    Flipped,
    /// Uploads fail after this number of them.
    Uploads(usize),
    /// Another writer replaces each manifest right before a swap.
    LostSwap,
    /// A swap is done, but its response is lost.
    LostResponse,
}

/// A bucket in memory. Clones share the objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryBucket(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, (Vec<u8>, u64, u64)>,
    next_tag: u64,
    fault: Option<Fault>,
    requests: Vec<String>,
}

/// Reads the first half, and then fails.
struct CutReader(Cursor<Vec<u8>>, bool);

impl Read for CutReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        if read == 0 && self.1 { Err(io::Error::new(ErrorKind::ConnectionReset, "connection reset")) } else { Ok(read) }
    }
}

impl MemoryBucket {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Sets the fault of all later requests.
    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.lock().fault = fault;
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().requests)
    }

    /// The keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Changes the bytes of an object.
    pub(crate) fn edit(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        state.next_tag += 1;
        let tag = state.next_tag;
        let object = state.objects.get_mut(key).unwrap();
        change(&mut object.0);
        object.1 = tag;
    }

    /// Sets the time of the last change of all objects.
    pub(crate) fn set_modified(&self, modified_s: u64) {
        self.lock().objects.values_mut().for_each(|object| object.2 = modified_s);
    }

    fn request(&self, name: &str, key: &str) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.requests.push(format!("{name} {key}"));
        let path = format!("memory://bucket/{key}");
        match state.fault {
            Some(Fault::Away) => Err(Error::io(path, "reach", ErrorKind::ConnectionRefused.into())),
            Some(Fault::Denied) => Err(Error::input(path, "access denied")),
            _ => Ok(state),
        }
    }
}

impl State {
    fn insert(&mut self, key: &str, bytes: Vec<u8>) {
        self.next_tag += 1;
        self.objects.insert(key.to_owned(), (bytes, self.next_tag, now_s()));
    }
}

impl Bucket for MemoryBucket {
    fn url(&self) -> &'static str {
        "memory://bucket"
    }

    fn fetch(&self, key: &str, known: Option<&str>) -> Result<Fetched> {
        let state = self.request("get", key)?;
        let Some((bytes, tag, _)) = state.objects.get(key) else { return Ok(Fetched::Missing) };
        let tag = tag.to_string();
        Ok(if known == Some(&tag) { Fetched::Unchanged } else { Fetched::Content { bytes: bytes.clone(), tag } })
    }

    fn open(&self, key: &str) -> Result<Option<Box<dyn Read + Send>>> {
        let state = self.request("open", key)?;
        let Some((bytes, ..)) = state.objects.get(key) else { return Ok(None) };
        let mut bytes = bytes.clone();
        let half = bytes.len() / 2;
        match state.fault {
            Some(Fault::Cut | Fault::Short) => bytes.truncate(half),
            Some(Fault::Flipped) => bytes[half] ^= 4,
            _ => {}
        }
        Ok(Some(Box::new(CutReader(Cursor::new(bytes), state.fault == Some(Fault::Cut)))))
    }

    fn upload(&self, key: &str, file: &Path, sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let bytes = std::fs::read(file).map_err(|error| Error::io(file, "read", error))?;
        sent(bytes.len() as u64);
        self.put(key, &bytes)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let mut state = self.request("put", key)?;
        match &mut state.fault {
            Some(Fault::Uploads(0)) => return Err(Error::io(key, "write", ErrorKind::TimedOut.into())),
            Some(Fault::Uploads(left)) => *left -= 1,
            _ => {}
        }
        state.insert(key, bytes.to_owned());
        Ok(())
    }

    fn swap(&self, key: &str, bytes: &[u8], expected: Option<&str>) -> Result<bool> {
        let mut state = self.request("swap", key)?;
        if state.fault == Some(Fault::LostSwap) {
            let other = state.objects.get(key).map(|(bytes, ..)| bytes.clone()).unwrap_or_default();
            state.insert(key, other);
        }
        let tag = state.objects.get(key).map(|(_, tag, _)| tag.to_string());
        if tag.as_deref() != expected {
            return Ok(false);
        }
        state.insert(key, bytes.to_owned());
        if state.fault == Some(Fault::LostResponse) {
            return Err(Error::io(key, "write", ErrorKind::TimedOut.into()));
        }
        Ok(true)
    }

    fn folders(&self) -> Result<Vec<String>> {
        let state = self.request("folders", "")?;
        let mut names: Vec<String> =
            state.objects.keys().filter_map(|key| Some(key.split_once('/')?.0.to_owned())).collect();
        names.dedup();
        Ok(names)
    }

    fn list(&self, folder: &str) -> Result<Vec<ObjectEntry>> {
        let state = self.request("list", folder)?;
        let prefix = format!("{folder}/");
        let entries = state.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
        let entry = |(key, (bytes, _, modified_s)): (&String, &(Vec<u8>, u64, u64))| ObjectEntry {
            key: key.clone(),
            bytes: bytes.len() as u64,
            modified_s: Some(*modified_s),
        };
        Ok(entries.map(entry).collect())
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.request("delete", key)?.objects.remove(key);
        Ok(())
    }
}
