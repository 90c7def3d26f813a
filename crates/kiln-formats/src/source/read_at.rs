//! Reading a file at a position: threads share the file, and each reads at its own one.

use std::fs::File;
use std::io::{self, ErrorKind};

/// Reads some bytes at `position`, and returns their number: 0 at the end of the file.
///
/// # Errors
/// Those of the operating system.
#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, position)
}

/// Reads some bytes at `position`, and returns their number: 0 at the end of the file. The cursor of the file moves.
///
/// # Errors
/// Those of the operating system.
#[cfg(windows)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, position)
}

/// Fills `bytes` from `position`.
///
/// # Errors
/// [`ErrorKind::UnexpectedEof`] if the file ends before, and those of the operating system.
pub(super) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match read_at(file, bytes, position) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = &mut bytes[read..];
                position += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
